import OffpeakCore

/// What a forecast came to, of the batches that were asked for.
package struct ForecastResult: Sendable {
    /// What was done on one route.
    package struct Share: Sendable {
        package var route: LedgerRoute
        /// Answered jobs.
        package var jobs = 0
        package var usage = Usage()
        package var charge = Charge()
    }

    /// What became of one batch.
    package struct BatchShare: Sendable {
        package var batch: BatchID
        package var jobs = 0
        package var answered = 0
        package var parked = 0
        package var failed = 0
        /// Answered after the deadline.
        package var late = 0
        /// When the last answer came.
        package var lastAnswer: Timestamp?
        package var deadline: Timestamp?
        package var charge = Charge()

        /// Jobs that had not ended when the forecast did.
        package var left: Int { jobs - answered - parked - failed }
        /// When the last answer comes; nil when some jobs wait for ever, as far as can be foreseen.
        package var finish: Timestamp? { left == 0 ? lastAnswer : nil }
        /// Whether all jobs have their outcome by the deadline; nil when there is none.
        package var meetsDeadline: Bool? { deadline.map { _ in late == 0 && parked == 0 && left == 0 } }
    }

    /// Jobs that wait for a moment beyond the pace of the limits.
    package struct Wait: Sendable, Equatable {
        package var jobs: Int
        package var until: Timestamp
        /// That of the first of them; those of others may have other amounts.
        package var reason: String
        fileprivate var kind: String { reason.withoutAmounts }
    }

    /// Jobs with which nothing happens any more by itself.
    package struct Stop: Sendable, Equatable {
        package enum End: String, Sendable { case parked, failed, waiting }
        package var jobs: Int
        package var end: End
        /// That of the first of them; those of others may have other amounts.
        package var reason: String
        package fileprivate(set) var hasOtherAmounts = false
    }

    /// The answers that come after all others, since they wait for a limit to have room again.
    package struct Burst: Sendable, Equatable {
        package var jobs: Int
        /// When the last answer before them comes.
        package var after: Timestamp
        package var finish: Timestamp

        /// So few that chance decides whether they are needed, and so late that it matters: whether a limit has room for a
        /// fiftieth more hangs on how long the answers are.
        package func isUncertain(since start: Timestamp) -> Bool {
            jobs * 50 <= total && (finish - after).milliseconds * 20 >= (finish - start).milliseconds
        }

        fileprivate var total: Int
    }

    package private(set) var batches: [BatchShare] = []
    package private(set) var shares: [Share] = []
    private var holds: [(flow: FlowID, wait: Wait)] = []
    /// Waits since a flow last sent something, by flow: they are none if it never does again.
    private var pending: [FlowID: [Wait]] = [:]
    /// There are more waits than `waits` has.
    package private(set) var hasMoreWaits = false
    package private(set) var stops: [Stop] = []
    /// Jobs answered by dearer keys or shared capacity only because what is cheaper has not room enough.
    package private(set) var spilledJobs = 0
    package private(set) var spillCharge = Charge()
    package private(set) var charge = Charge()
    /// Some job did not fit a class's budget any more.
    package private(set) var exceedsBudget = false
    /// Attempts whose answers are taken from nothing that has been. Nothing fails that nobody has seen fail, so that each of
    /// them answers a job.
    package private(set) var guessed = 0
    /// Flows of which something went by lane sync only because an answer in flex could come too late, in the order in which
    /// they first did; and those that have used flex.
    private var leftFlex: [FlowID] = []
    private var usedFlex: Set<FlowID> = []
    /// Decisions of the scheduler, for what they cost.
    package internal(set) var passes = 0
    private var spilling: Set<JobID> = []
    private var lastAnswer: Timestamp?
    private var pause: (after: Timestamp, answered: Int)?
    private var placeOfBatch: [BatchID: Int] = [:]

    /// A wait longer than this is no pace of a minute's limit.
    package static let longestPace = Interval.seconds(65)

    /// Without an answer for so long, a limit has no room.
    private static let shortestPause = Interval.seconds(10)

    package init() {}

    package var jobs: Int { batches.reduce(0) { $0 + $1.jobs } }
    package var answered: Int { batches.reduce(0) { $0 + $1.answered } }
    package var late: Int { batches.reduce(0) { $0 + $1.late } }
    package var left: Int { batches.reduce(0) { $0 + $1.left } }

    /// Jobs that wait for a moment, in the order in which they begin to.
    package var waits: [Wait] {
        var waits: [Wait] = []
        for (_, wait) in holds {
            if let same = waits.firstIndex(where: { $0.until == wait.until && $0.kind == wait.kind }) {
                waits[same].jobs += wait.jobs
            } else {
                waits.append(wait)
            }
        }
        return waits
    }

    /// Flows that never use flex, since an answer there could come too late for their deadline.
    package var tooHurriedForFlex: [FlowID] { leftFlex.filter { !usedFlex.contains($0) } }

    /// When the last answer comes; nil when some jobs never get one, as far as can be foreseen.
    package var finish: Timestamp? {
        left > 0 ? nil : batches.compactMap(\.lastAnswer).max()
    }

    package var lastBurst: Burst? {
        guard let pause, let finish else { return nil }
        return Burst(jobs: answered - pause.answered, after: pause.after, finish: finish, total: answered)
    }

    // MARK: Keeping count

    mutating func expect(_ work: ForecastWork) {
        let flow = work.flow
        let place = placeOfBatch[flow.batch] ?? batches.count
        if place == batches.count {
            batches.append(BatchShare(batch: flow.batch, deadline: flow.deadline))
            placeOfBatch[flow.batch] = place
        }
        batches[place].jobs += work.count
    }

    mutating func began(_ attempt: AttemptStart, isGuess: Bool, leavesFlex: Bool) {
        if attempt.isSpill { spilling.insert(attempt.job) }
        if isGuess { guessed += 1 }
        if attempt.lane == .flex { usedFlex.insert(attempt.flow) }
        if leavesFlex, !leftFlex.contains(attempt.flow) { leftFlex.append(attempt.flow) }
        guard !pending.isEmpty, let waits = pending.removeValue(forKey: attempt.flow) else { return }
        for wait in waits { confirm(wait, of: attempt.flow) }
    }

    mutating func settled(_ settlement: Settlement, of flow: Flow, at now: Timestamp) {
        let isAnswer = settlement.disposition == .complete
        let isSpill = !spilling.isEmpty && spilling.remove(settlement.job) != nil
        let place = placeOfBatch[flow.batch]!
        if isAnswer {
            if let last = lastAnswer, now - last >= Self.shortestPause { pause = (last, answered) }
            lastAnswer = now
            batches[place].answered += 1
            batches[place].lastAnswer = now
            if let deadline = flow.deadline, now > deadline { batches[place].late += 1 }
        }
        guard let entry = settlement.entry else { return }
        charge = charge + entry.charge
        batches[place].charge = batches[place].charge + entry.charge
        if isSpill {
            spilledJobs += isAnswer ? 1 : 0
            spillCharge = spillCharge + entry.charge
        }
        // Few, so that a search beats hashing.
        let share = shares.firstIndex { $0.route == entry.route } ?? shares.count
        if share == shares.count { shares.append(Share(route: entry.route)) }
        if isAnswer { shares[share].jobs += 1 }
        shares[share].usage = shares[share].usage + entry.usage
        shares[share].charge = shares[share].charge + entry.charge
    }

    mutating func stopped(_ jobs: Int, of flow: Flow, _ end: Stop.End, _ failure: Failure) {
        guard jobs > 0 else { return }
        let place = placeOfBatch[flow.batch]!
        if end == .parked { batches[place].parked += jobs } else { batches[place].failed += jobs }
        let isBudget = [MoneyStop.budgetExhausted, .exceedsBudget].contains { $0.rawValue == failure.code }
        if isBudget { exceedsBudget = true }
        add(Stop(jobs: jobs, end: end, reason: failure.message))
    }

    /// Jobs that are left when nothing can happen any more.
    mutating func abandoned(_ jobs: Int, reason: String) { add(Stop(jobs: jobs, end: .waiting, reason: reason)) }

    private mutating func add(_ stop: Stop) {
        if let same = stops.firstIndex(where: { $0.end == stop.end && $0.reason == stop.reason }) {
            stops[same].jobs += stop.jobs
            return
        }
        let kind = stop.reason.withoutAmounts
        if let akin = stops.firstIndex(where: { $0.end == stop.end && $0.reason.withoutAmounts == kind }) {
            stops[akin].jobs += stop.jobs
            stops[akin].hasOtherAmounts = true
        } else if stops.count >= Self.mostStops, let last = stops.lastIndex(where: { $0.end == stop.end }) {
            // Of very many reasons the later ones are told with the last.
            stops[last].jobs += stop.jobs
        } else {
            stops.append(stop)
        }
    }

    /// So many jobs of a flow are held back.
    mutating func held(_ jobs: Int, of flow: FlowID, _ hold: Hold, at now: Timestamp) {
        guard jobs > 0 else { return }
        if hold.reason.contains("the budget of ") { exceedsBudget = true }
        guard let until = hold.until, until - now > Self.longestPace else { return }
        pending[flow, default: []].append(Wait(jobs: jobs, until: until, reason: hold.reason))
    }

    /// A flow that told of the same hold again had the same one.
    private mutating func confirm(_ wait: Wait, of flow: FlowID) {
        let kind = wait.kind
        if let same = holds.lastIndex(where: { $0.flow == flow && $0.wait.until == wait.until && $0.wait.kind == kind })
        {
            holds[same].wait.jobs = max(holds[same].wait.jobs, wait.jobs)
        } else if holds.count < Self.mostHolds {
            holds.append((flow, wait))
        } else {
            hasMoreWaits = true
        }
    }

    private static let mostStops = 100
    /// More different waits tell nobody anything.
    private static let mostHolds = 200
}
