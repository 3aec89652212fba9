import OffpeakCore

/// A scheduler with a queue of a few arrays around it and providers that answer by a closure, in virtual time.
///
/// It does what a runner does, in its order: settlements and beginnings first, then pages of ready jobs.
struct Bench {
    struct Job {
        var ticket: JobTicket
        var state = JobState.ready
        var failure: Failure?
        /// The word of every disposition, in order.
        var story: [String] = []
        var model = ""
    }

    struct Answer {
        var after: Interval
        var report: AttemptReport
    }

    var scheduler: Scheduler
    var now = at(0)
    var effects = SchedulerEffects()
    var flows: [Flow] = []
    var jobs: [JobID: Job] = [:]
    /// Ids of each flow's jobs, ascending.
    var jobsOfFlow: [FlowID: [JobID]] = [:]
    /// When scheduled jobs become ready.
    private(set) var due: [JobID: Timestamp] = [:]
    private var openJobs: [FlowID: Int] = [:]
    /// How a provider answers an attempt; by default after 100 ms with 15 tokens.
    var answer: (AttemptStart) -> Answer = { _ in Answer(after: .milliseconds(100), report: answered()) }
    /// Whether the queue accepts a beginning.
    var accepts: (AttemptStart) -> Bool = { _ in true }
    /// Called with every attempt that has left.
    private(set) var starts: [AttemptStart] = []
    private(set) var refusedStarts = 0
    private(set) var settlements: [Settlement] = []
    private(set) var holds: [(at: Timestamp, flow: FlowID, hold: Hold?)] = []
    private(set) var stops: [JobStop] = []
    private(set) var parkings: [(flow: FlowID, failure: Failure)] = []
    private(set) var failings: [(flow: FlowID, failure: Failure)] = []
    private(set) var memories: [KeyMemory] = []
    private(set) var staleSecrets: [(at: Timestamp, key: String)] = []
    private(set) var dayUse: [String: (requests: Int, tokens: Int)] = [:]
    private(set) var fetches = 0
    private(set) var largestFetch = 0
    private var inFlight: [(ends: Timestamp, job: JobID, report: AttemptReport)] = []
    private var wakeAt: Timestamp?
    private var nextJob: JobID = 1

    init(
        keys: [KeyDescriptor], pools: [PoolDescriptor] = [], classes: [ClassPolicy], prices: PriceBook = PriceBook(),
        refreshable: Set<String> = [], seed: UInt64 = 1
    ) {
        scheduler = Scheduler(
            keys: keys, pools: pools, classes: classes.map { policy in (policy, Self.order(policy, keys)) },
            prices: prices, refreshableKeys: refreshable, seed: seed)
    }

    /// The keys of a class in its order, as a configuration gives them; all of them, since admission is checked inside.
    private static func order(_ policy: ClassPolicy, _ keys: [KeyDescriptor]) -> [String] {
        policy.keyOrder + keys.map(\.name).filter { !policy.keyOrder.contains($0) }
    }

    // MARK: Work

    /// Adds jobs to a flow that is made when it is new; the scheduler hears of it with the next `tell`.
    @discardableResult
    mutating func submit(
        _ count: Int, to id: FlowID, class name: String, model: String = "m", bytes: Int = 400, maxOutput: Int? = 20,
        priority: Int? = nil, deadline: Timestamp? = nil, attemptsUsed: Int = 0, beyond: BeyondBytes = .none
    ) -> [JobID] {
        if !flows.contains(where: { $0.id == id }) {
            flows.append(
                Flow(
                    id: id, batch: id, className: name, model: model, endpoint: .chatCompletions, priority: priority,
                    deadline: deadline))
        }
        let ids = (0..<count).map { JobID($0) + nextJob }
        nextJob += JobID(count)
        for job in ids {
            jobs[job] = Job(
                ticket: JobTicket(
                    id: job, flow: id, lease: 0, attemptsUsed: attemptsUsed, bodyBytes: bytes,
                    maxOutputTokens: maxOutput, beyond: beyond))
        }
        jobsOfFlow[id, default: []] += ids
        openJobs[id, default: 0] += count
        return ids
    }

    /// The scheduler looks at the queue's open flows.
    mutating func tell(foreign: Bool = false) {
        handle(.flowsChanged(flows.filter { openJobs[$0.id, default: 0] > 0 }, foreign: foreign))
    }

    mutating func handle(_ event: SchedulerEvent) { scheduler.handle(event, at: now, into: &effects) }

    mutating func setPaused(_ paused: Bool, batch flow: FlowID) {
        for i in flows.indices where flows[i].id == flow { flows[i].paused = paused }
        tell(foreign: true)
    }

    // MARK: Time

    /// Lets time pass. Everything that happens at one moment is one turn.
    mutating func run(for length: Interval) { run(until: now + length) }

    mutating func run(until end: Timestamp) {
        turn()
        while let next = nextMoment, next <= end {
            now = max(now, next)
            turn()
        }
        now = end
    }

    /// Runs until nothing is in flight and nothing can start; at most for `limit`.
    mutating func drainTime(limit: Interval = .hours(12)) { run(until: now + limit) }

    private var nextMoment: Timestamp? {
        [inFlight.lazy.map(\.ends).min(), wakeAt, due.values.min()].compactMap { $0 }.min()
    }

    mutating func turn() {
        let ended = inFlight.filter { $0.ends <= now }.sorted { ($0.ends, $0.job) < ($1.ends, $1.job) }
        inFlight.removeAll { $0.ends <= now }
        if !ended.isEmpty { handle(.finished(ended.map { ($0.job, $0.report) })) }
        var rounds = 0
        repeat {
            wakeAt = nil
            scheduler.dispatch(at: now, into: &effects)
            wakeAt = effects.wakeAt
            if let wake = wakeAt, wake <= now { wakeAt = now + .milliseconds(1) }
            let work = effects
            effects = SchedulerEffects()
            perform(work)
            rounds += 1
            precondition(rounds < 10_000, "the scheduler never comes to rest")
        } while hasNews
    }

    private var hasNews: Bool {
        !effects.fetches.isEmpty || !effects.settlements.isEmpty || effects.wakeAt.map { $0 <= now } ?? false || isDirty
    }
    private var isDirty = false

    private mutating func perform(_ work: SchedulerEffects) {
        isDirty = false
        var ready: Set<FlowID> = []
        for settlement in work.settlements { if settle(settlement) { ready.insert(settlement.flow) } }
        for id in due.filter({ $0.value <= now }).keys {
            move(id, to: .ready)
            ready.insert(jobs[id]!.ticket.flow)
        }
        var refused: [JobID] = []
        for start in work.starts { if !begin(start) { refused.append(start.job) } }
        for (flow, hold) in work.holds { holds.append((now, flow, hold)) }
        for stop in work.stops where jobs[stop.job]?.state == .ready {
            stops.append(stop)
            move(stop.job, to: stop.state)
            jobs[stop.job]!.failure = stop.failure
        }
        for (flow, failure) in work.parkings {
            parkings.append((flow, failure))
            end(flow, as: .parked, failure)
        }
        for (flow, failure) in work.failings {
            failings.append((flow, failure))
            end(flow, as: .failed, failure)
        }
        memories += work.memories
        staleSecrets += work.staleSecrets.map { (now, $0) }
        for (key, use) in work.dayUse {
            let old = dayUse[key] ?? (0, 0)
            dayUse[key] = (old.requests + use.requests, old.tokens + use.tokens)
        }
        if !refused.isEmpty { handle(.refused(refused)) }
        refusedStarts += refused.count
        for flow in work.fetches { fetch(flow) }
        if !ready.isEmpty { handle(.promoted(ready.sorted())) }
        isDirty = !refused.isEmpty || !work.fetches.isEmpty || !ready.isEmpty
    }

    private mutating func fetch(_ flow: FlowID) {
        let ready = (jobsOfFlow[flow] ?? []).lazy.filter { [jobs] in jobs[$0]!.state == .ready }
        let page = Array(ready.prefix(Scheduler.pageSize))
        fetches += 1
        largestFetch = max(largestFetch, page.count)
        handle(.fetched(flow, page.map { jobs[$0]!.ticket }, isAll: page.count < Scheduler.pageSize))
    }

    private mutating func begin(_ start: AttemptStart) -> Bool {
        guard let job = jobs[start.job], job.state == .ready, start.lease == job.ticket.lease + 1, accepts(start) else {
            return false
        }
        jobs[start.job]!.state = .inFlight
        jobs[start.job]!.ticket.lease = start.lease
        jobs[start.job]!.model = start.model
        starts.append(start)
        let answer = answer(start)
        inFlight.append((start.started + answer.after, start.job, answer.report))
        return true
    }

    /// Returns whether the job is ready again.
    private mutating func settle(_ settlement: Settlement) -> Bool {
        settlements.append(settlement)
        guard var job = jobs[settlement.job] else { return false }
        precondition(settlement.lease == job.ticket.lease, "a settlement for another attempt")
        job.ticket.attemptsUsed = settlement.attemptsUsed
        job.story.append(settlement.disposition.word)
        if case .failure(let failure) = settlement.outcome { job.failure = failure }
        jobs[settlement.job] = job
        switch settlement.disposition {
        case .complete: move(settlement.job, to: .succeeded)
        case .nextKey, .shared, .nextModel: move(settlement.job, to: .ready)
        case .retry(let moment), .defer(let moment):
            if moment > now {
                move(settlement.job, to: .scheduled, due: moment)
            } else {
                move(settlement.job, to: .ready)
            }
        case .park: move(settlement.job, to: .parked)
        case .fail: move(settlement.job, to: .failed)
        }
        return jobs[settlement.job]!.state == .ready
    }

    private mutating func move(_ id: JobID, to state: JobState, due moment: Timestamp? = nil) {
        jobs[id]!.state = state
        due[id] = moment
        if state.isFinal { openJobs[jobs[id]!.ticket.flow, default: 0] -= 1 }
    }

    private mutating func end(_ flow: FlowID, as state: JobState, _ failure: Failure) {
        for id in jobsOfFlow[flow] ?? [] where jobs[id]!.state == .ready || jobs[id]!.state == .scheduled {
            move(id, to: state)
            jobs[id]!.failure = failure
        }
    }

    // MARK: Looking

    func count(_ state: JobState, in flow: FlowID? = nil) -> Int {
        jobs.values.count { $0.state == state && (flow == nil || $0.ticket.flow == flow) }
    }

    /// Attempts by key.
    var startsByKey: [String: Int] { starts.reduce(into: [:]) { $0[$1.key, default: 0] += 1 } }

    func starts(of flow: FlowID) -> Int { starts.count { $0.flow == flow } }

    func hold(on flow: FlowID) -> Hold? { holds.last { $0.flow == flow }?.hold }

    /// The most attempts that left in any stretch of that length, of those that a condition holds for.
    func mostStarts(within length: Interval, where isMeant: (AttemptStart) -> Bool = { _ in true }) -> Int {
        let moments = starts.filter(isMeant).map(\.started).sorted()
        var (first, most) = (0, 0)
        for (index, moment) in moments.enumerated() {
            while moments[first] + length <= moment { first += 1 }
            most = max(most, index - first + 1)
        }
        return most
    }
}

func key(
    _ name: String, pool: String? = nil, models: ModelAccess = .any, limits: Limits = Limits(rpm: 6_000, concurrent: 8),
    tags: [String] = [], enabled: Bool = true, billing: Billing = .provider, counting: TokenCounting = .usage
) -> KeyDescriptor {
    KeyDescriptor(
        name: name, provider: "p", billing: billing, pool: pool, models: models, limits: limits, tags: tags,
        enabled: enabled, tokenCounting: counting)
}

func policy(
    _ name: String, _ posture: Posture = .cost, weight: Int = 1, priority: Int = 0, only: [String] = [],
    order: [String] = [], edit: (inout ClassPolicy) -> Void = { _ in }
) -> ClassPolicy {
    var policy = ClassPolicy(name: name, posture: posture)
    (policy.weight, policy.priority, policy.keyOnly, policy.keyOrder) = (weight, priority, only, order)
    edit(&policy)
    return policy
}
