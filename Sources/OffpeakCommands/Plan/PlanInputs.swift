import Foundation
import OffpeakConfiguration
import OffpeakCore
import OffpeakForecast
import OffpeakRunner
import OffpeakStore

/// The lines of a file that is not queued, as the flows that they would be.
struct PlannedFile {
    /// The batch that it would become.
    static let batch = BatchID.max >> 32
    private let request: SubmissionRequest
    private(set) var work: [ForecastWork] = []
    private var places: [FlowKey: Int] = [:]

    init(_ request: SubmissionRequest) { self.request = request }

    var name: String { request.name }

    mutating func add(_ key: FlowKey, _ line: IntakeLine) {
        let place = places[key] ?? work.count
        if place == work.count {
            places[key] = place
            work.append(
                ForecastWork(
                    flow: Flow(
                        id: .max - FlowID(place), batch: Self.batch, className: key.className, model: key.model,
                        endpoint: key.endpoint, priority: request.priority, deadline: request.deadline)))
        }
        work[place].add(bodyBytes: line.body.count, maxOutputTokens: line.maxOutputTokens, beyond: line.beyond)
    }
}

/// Everything that a forecast starts from.
struct PlanInputs: Sendable {
    let now: Timestamp
    let calendar: CalendarPosition
    /// The flows that were asked for and those that compete with them.
    private(set) var work: [ForecastWork] = []
    /// What people call the asked-for batches.
    private(set) var names: [BatchID: String] = [:]
    private(set) var history = AnswerHistory()
    private(set) var memory = RunMemory(keys: [], attempts: [], dayUse: [])
    private(set) var spend: [SpendRow] = []
    private(set) var pauses = Pauses()
    /// Parked jobs of what was asked for that stay parked, and which of them money keeps there, with what it says of them.
    private(set) var parked: [(batch: BatchID, jobs: Int)] = []
    private(set) var parkedForMoney: [(group: MoneyParked, reason: String)] = []
    /// Parked jobs of what was asked for that the next run takes up as it begins; they are part of `work`.
    private(set) var takenUp: [MoneyParked] = []
    /// What is assumed of the work, in sentences.
    private(set) var assumptions: [String] = []

    /// Attempts that are looked at for what answers are like.
    private static let pastAttempts = 20_000

    init(now: Timestamp, zone: TimeZone) {
        self.now = now
        calendar = CalendarPosition(containing: now, in: zone)
    }

    mutating func add(_ file: PlannedFile, leftOut: Int) {
        work += file.work
        names[PlannedFile.batch] = file.name
        assumptions.append("\(file.name) is submitted now")
        if leftOut > 0 { assumptions.append("\(Words.count(leftOut, "bad line")) of it left out") }
    }

    /// Reads the open jobs of a queue and what a run would recall.
    mutating func read(_ reader: QueueReader, asked: [BatchID], _ configuration: Configuration) throws {
        try readPast(reader)
        var scheduler = Planner(configuration: configuration, inputs: self).scheduler(PlanVariant(name: "taken up"))
        var rivals: [(batch: BatchID, jobs: Int)] = []
        var inFlight = 0
        for batch in try reader.batches() where batch.state == .open {
            let isAsked = asked.contains(batch.id)
            if isAsked { names[batch.id] = "b\(batch.id)" }
            guard isAsked || !batch.paused else { continue }
            let flows = batch.flows.filter { $0.counts.parked > 0 }.map(\.flow)
            var goingOn: [MoneyParked] = []
            for group in try reader.parkedForMoney(of: flows) {
                if let reason = scheduler.stayingStopped(group.decisive, of: group.flow, at: now) {
                    if isAsked { parkedForMoney.append((group, reason)) }
                } else {
                    goingOn.append(group)
                }
            }
            if isAsked {
                takenUp += goingOn
                let staying = batch.counts.parked - goingOn.reduce(0) { $0 + $1.jobs }
                if staying > 0 { parked.append((batch.id, staying)) }
            }
            var jobs = 0
            for status in batch.flows {
                let reasons = goingOn.filter { $0.flow.id == status.flow.id }.map(\.reason)
                guard status.counts.waiting + status.counts.inFlight > 0 || !reasons.isEmpty else { continue }
                let className = status.flow.className
                let isKnown = configuration.policy(of: className) != nil
                guard isAsked || isKnown else { continue }
                var flow = ForecastWork(
                    flow: status.flow, isAsked: isAsked,
                    obstacle: isKnown ? nil : "class \(className) is not in the configuration")
                try reader.openJobs(of: status.flow.id, takingUp: reasons) { job in
                    if let due = job.due {
                        flow.addDeferred(
                            until: due, bodyBytes: job.bodyBytes, maxOutputTokens: job.maxOutputTokens,
                            beyond: job.beyond)
                    } else {
                        flow.add(
                            bodyBytes: job.bodyBytes, maxOutputTokens: job.maxOutputTokens, beyond: job.beyond)
                    }
                }
                jobs += flow.count
                if isAsked { inFlight += status.counts.inFlight }
                work.append(flow)
            }
            if !isAsked, jobs > 0 { rivals.append((batch.id, jobs)) }
        }
        if !rivals.isEmpty {
            let list = rivals.prefix(10).map { "b\($0.batch)" }.joined(separator: ", ")
            let more = rivals.count > 10 ? " and \(rivals.count - 10) more" : ""
            let jobs = Words.count(rivals.reduce(0) { $0 + $1.jobs }, "job")
            assumptions.append(
                "\(jobs) of \(list)\(more) are worked at the same time, and are in none of these figures")
        }
        if inFlight > 0 { assumptions.append("\(Words.count(inFlight, "job")) in flight now count as not sent yet") }
    }

    private mutating func readPast(_ reader: QueueReader) throws {
        memory = try reader.runMemory(calendar, at: now)
        // Jobs in flight are counted as not sent, so their sending is not counted.
        memory.attempts.removeAll { $0.ended == nil }
        for keys in memory.keys.filter({ $0.health == "rejected" }).grouped(where: { $0.reason == $1.reason }) {
            let (are, were) = keys.count == 1 ? ("is", "it was") : ("are", "they were")
            assumptions.append(
                "\(Words.list("key", keys.map(\.key))) \(are) taken to be mended: when \(were) last used, \(keys[0].reason)"
            )
        }
        spend = try reader.spend()
        pauses = try reader.pauses()
        var history = AnswerHistory()
        try reader.pastAttempts(among: Self.pastAttempts) { past in
            history.add(
                AnswerSample(
                    bodyBytes: past.bodyBytes, usage: past.usage, duration: past.duration, failure: past.failure,
                    statusCode: past.statusCode),
                at: AnswerHistory.Place(
                    className: past.className, key: past.key, model: past.model, endpoint: past.endpoint))
        }
        self.history = history
    }

    /// What a batch has cost so far, and how many answers it has.
    func past(of batch: BatchID) -> (charge: Charge, answers: Int) {
        let own = spend.filter { $0.batch == batch }
        return (own.reduce(Charge()) { $0 + $1.charge }, own.reduce(0) { $0 + $1.answers })
    }
}
