import OffpeakCore

/// The jobs of one flow as a forecast takes them: runs of equal ones, in input order.
package struct ForecastWork: Sendable {
    package struct Run: Sendable {
        package var count: Int
        package var bodyBytes: Int
        package var maxOutputTokens: Int?

        package init(count: Int, bodyBytes: Int, maxOutputTokens: Int?) {
            self.count = count
            self.bodyBytes = bodyBytes
            self.maxOutputTokens = maxOutputTokens
        }
    }

    package var flow: Flow
    package var runs: [Run]
    /// Jobs that may not go before a moment.
    package var deferred: [(due: Timestamp, count: Int)] = []

    package init(flow: Flow, runs: [Run]) {
        self.flow = flow
        self.runs = runs
    }

    package var count: Int { runs.reduce(0) { $0 + $1.count } }
}

/// The waiting jobs of a flow while a forecast runs: made when they are asked for.
struct ForecastLine {
    var flow: Flow
    private let runs: [ForecastWork.Run]
    private var run = 0
    private var usedOfRun = 0
    private var nextJob: JobID
    /// Jobs that were handed out and have not begun, or have come back; ascending.
    private var ready: [JobTicket] = []
    private var begun: Set<JobID> = []
    /// Jobs not begun, and not ended.
    private(set) var waiting: Int
    private(set) var open: Int

    init(_ work: ForecastWork, firstJob: JobID) {
        (flow, runs, nextJob) = (work.flow, work.runs, firstJob)
        waiting = work.count
        open = waiting
    }

    /// The first ready jobs.
    mutating func page() -> (tickets: [JobTicket], isAll: Bool) {
        if !begun.isEmpty {
            ready.removeAll { begun.contains($0.id) }
            begun = []
        }
        while ready.count < Scheduler.pageSize, run < runs.count {
            let entry = runs[run]
            let count = min(entry.count - usedOfRun, Scheduler.pageSize - ready.count)
            for _ in 0..<count {
                ready.append(
                    JobTicket(
                        id: nextJob, flow: flow.id, lease: 0, attemptsUsed: 0, bodyBytes: entry.bodyBytes,
                        maxOutputTokens: entry.maxOutputTokens))
                nextJob += 1
            }
            usedOfRun += count
            if usedOfRun == entry.count { (run, usedOfRun) = (run + 1, 0) }
        }
        return (Array(ready.prefix(Scheduler.pageSize)), ready.count <= Scheduler.pageSize && run == runs.count)
    }

    mutating func began(_ job: JobID) {
        begun.insert(job)
        waiting -= 1
    }

    mutating func cameBack(_ ticket: JobTicket) {
        ready.removeAll { begun.contains($0.id) }
        begun = []
        let place = ready.firstIndex { $0.id > ticket.id } ?? ready.count
        ready.insert(ticket, at: place)
        waiting += 1
    }

    mutating func ended() { open -= 1 }

    /// All that waits is given up; returns how many that were.
    mutating func giveUp() -> Int {
        let count = waiting
        (ready, begun, run) = ([], [], runs.count)
        waiting = 0
        open -= count
        return count
    }
}
