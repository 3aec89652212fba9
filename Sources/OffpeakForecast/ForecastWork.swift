import OffpeakCore

/// The jobs of one flow as a forecast takes them.
package struct ForecastWork: Sendable {
    /// Jobs that follow each other and are alike.
    package struct Run: Sendable, Equatable {
        // Narrow, since a million jobs of different sizes are a million runs.
        private var size: Int32
        /// -1: none.
        private var most: Int32
        private var beyond: BeyondBytes
        package private(set) var count: Int32 = 1

        package init(bodyBytes: Int, maxOutputTokens: Int?, beyond: BeyondBytes = .none) {
            size = Int32(clamping: bodyBytes)
            most = maxOutputTokens.map { Int32(clamping: max(0, $0)) } ?? -1
            self.beyond = beyond
        }

        package var bodyBytes: Int { Int(size) }
        package var maxOutputTokens: Int? { most < 0 ? nil : Int(most) }

        /// Takes jobs that are like these; false when they are not.
        mutating func extend(with other: Run) -> Bool {
            guard size == other.size, most == other.most, beyond == other.beyond, count < Int32.max - other.count else {
                return false
            }
            count += other.count
            return true
        }

        fileprivate func ticket(_ id: JobID, of flow: FlowID) -> JobTicket {
            JobTicket(
                id: id, flow: flow, lease: 0, attemptsUsed: 0, bodyBytes: bodyBytes, maxOutputTokens: maxOutputTokens,
                beyond: beyond)
        }
    }

    package var flow: Flow
    /// Ready jobs in input order.
    package private(set) var runs: [Run] = []
    /// Jobs that may not go before a moment.
    package private(set) var deferred: [(due: Timestamp, job: Run)] = []
    /// Whether the forecast is asked for this flow's batch; others only compete with it.
    package var isAsked: Bool
    /// Why nothing of it is ever sent, if that is known before.
    package var obstacle: String?
    package private(set) var count = 0

    package init(flow: Flow, isAsked: Bool = true, obstacle: String? = nil) {
        self.flow = flow
        self.isAsked = isAsked
        self.obstacle = obstacle
    }

    /// Adds some ready jobs at the end.
    package mutating func add(
        bodyBytes: Int, maxOutputTokens: Int?, beyond: BeyondBytes = .none, count: Int = 1
    ) {
        for _ in 0..<count {
            let run = Run(bodyBytes: bodyBytes, maxOutputTokens: maxOutputTokens, beyond: beyond)
            if runs.isEmpty || !runs[runs.count - 1].extend(with: run) { runs.append(run) }
        }
        self.count += count
    }

    /// Adds a job that waits for a moment.
    package mutating func addDeferred(
        until due: Timestamp, bodyBytes: Int, maxOutputTokens: Int?, beyond: BeyondBytes = .none
    ) {
        deferred.append((due, Run(bodyBytes: bodyBytes, maxOutputTokens: maxOutputTokens, beyond: beyond)))
        count += 1
    }
}

/// The jobs of a flow while a forecast runs. Tickets are made when the scheduler asks for them.
struct ForecastLine {
    let flow: Flow
    let isAsked: Bool
    let obstacle: String?
    private let runs: [ForecastWork.Run]
    private var run = 0
    private var usedOfRun: Int32 = 0
    private var nextJob: JobID
    /// Jobs that were handed out and have not begun, or have come back; ascending. Those that have begun are taken out with
    /// the next page.
    private var ready: [(ticket: JobTicket, hasBegun: Bool)] = []
    private var hasBegun = false
    /// Jobs that are ready, read or not.
    private(set) var waiting = 0
    /// Jobs that wait for a moment.
    private(set) var away = 0
    private(set) var inFlight = 0
    /// Goes up when all that waits is given up: what was away then does not come back.
    private(set) var generation = 0

    init(_ work: ForecastWork, firstJob: JobID) {
        (flow, isAsked, obstacle) = (work.flow, work.isAsked, work.obstacle)
        (runs, nextJob) = (work.runs, firstJob)
        waiting = work.count - work.deferred.count
        away = work.deferred.count
    }

    /// Jobs that have not ended.
    var open: Int { waiting + away + inFlight }

    mutating func deferred(_ job: ForecastWork.Run) -> JobTicket {
        nextJob += 1
        return job.ticket(nextJob - 1, of: flow.id)
    }

    /// The first ready jobs, and whether there are no others.
    mutating func page() -> (tickets: [JobTicket], isAll: Bool) {
        settleBegun()
        while ready.count < Scheduler.pageSize, run < runs.count {
            let entry = runs[run]
            let count = min(Int(entry.count - usedOfRun), Scheduler.pageSize - ready.count)
            for _ in 0..<count {
                ready.append((entry.ticket(nextJob, of: flow.id), false))
                nextJob += 1
            }
            usedOfRun += Int32(count)
            if usedOfRun == entry.count { (run, usedOfRun) = (run + 1, 0) }
        }
        return (
            ready.prefix(Scheduler.pageSize).map(\.ticket), ready.count <= Scheduler.pageSize && run == runs.count
        )
    }

    private mutating func settleBegun() {
        guard hasBegun else { return }
        ready.removeAll { $0.hasBegun }
        hasBegun = false
    }

    /// Where a job is among the ready ones, or would be.
    private func place(of job: JobID) -> Int {
        var (low, high) = (0, ready.count)
        while low < high {
            let middle = (low + high) / 2
            if ready[middle].ticket.id < job { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// A job is ready no more; nil when it was not.
    private mutating func take(_ job: JobID) -> JobTicket? {
        let place = place(of: job)
        guard place < ready.count, ready[place].ticket.id == job, !ready[place].hasBegun else { return nil }
        (ready[place].hasBegun, hasBegun) = (true, true)
        waiting -= 1
        return ready[place].ticket
    }

    mutating func began(_ job: JobID) -> JobTicket? {
        guard let ticket = take(job) else { return nil }
        inFlight += 1
        return ticket
    }

    /// An attempt ended, and the job is ready again.
    mutating func cameBack(_ ticket: JobTicket) {
        inFlight -= 1
        becameReady(ticket)
    }

    /// An attempt ended, and the job waits for a moment.
    mutating func wentAway() {
        inFlight -= 1
        away += 1
    }

    /// The moment of a job has come; false when it was given up before.
    mutating func isDue(_ ticket: JobTicket, generation: Int) -> Bool {
        guard generation == self.generation else { return false }
        away -= 1
        becameReady(ticket)
        return true
    }

    private mutating func becameReady(_ ticket: JobTicket) {
        settleBegun()
        ready.insert((ticket, false), at: place(of: ticket.id))
        waiting += 1
    }

    mutating func ended() { inFlight -= 1 }

    /// A ready job ended without an attempt; false when it was not ready.
    mutating func stopped(_ job: JobID) -> Bool { take(job) != nil }

    /// All that waits is given up; returns how many jobs that were.
    mutating func giveUp() -> Int {
        let count = waiting + away
        (ready, run, usedOfRun) = ([], runs.count, 0)
        hasBegun = false
        (waiting, away) = (0, 0)
        generation += 1
        return count
    }
}
