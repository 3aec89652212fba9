/// Decides which job goes when and through which key, and what becomes of it afterwards: a pure state machine.
///
/// It holds what is in flight, a page of ready jobs per flow, and the limits of all keys. It reads no clock, draws no
/// randomness of its own, and never depends on the order of a dictionary, so the same events give the same decisions.
package struct Scheduler: Sendable {
    var keys: [KeyState]
    var pools: [AccountLimiter]
    let poolNames: [String]
    /// What pools may use per period, and have used.
    var poolQuotas: [(quota: Quota, use: PeriodUse)?]
    let prices: PriceBook
    /// By key: prices that were looked up, with the provider's name of the model. Few, so that a search beats hashing.
    var knownPrices: [[(model: String, price: KeyState.Price)]]
    var classes: [ClassState]
    var flows: [FlowID: FlowState] = [:]
    var flights: [JobID: Flight] = [:]
    var ladders: [JobID: JobLadder] = [:]
    var isDraining = false
    var dayBegan = Timestamp.distantPast
    var dayEnds = Timestamp.distantFuture
    /// The present calendar day's number, such as 20261124.
    var day = 0
    /// The days on which the present periods began.
    var periodsBegan: [Period: Int] = [:]
    /// What the ledger had of days that were still to come when the run began.
    var spentAhead: [SpendRow] = []
    /// Fair queueing: how far classes of a priority have been served, by the one that was served last.
    var level: [Int: Int] = [:]
    var generator: SeededGenerator
    var planInForce = PlanInForce()
    /// By flow: whether its work can wait for flex.
    var laneVerdicts: [FlowID: [LaneVerdict]] = [:]
    /// Whether `AttemptStart.passedOver` is written; a forecast reads it nowhere.
    package var explainsRoutes = true
    /// The run ends rather than wait long (`--no-wait`): nobody may be there when a cheaper key is back.
    package var isImpatient = false

    /// Ready jobs of a flow that are read at once.
    package static let pageSize = FlowState.page

    /// Everything that does not change during a run. `classes` come with the keys that each may use, in order, as
    /// names; that a class admits a key is checked again here, whatever the caller says.
    package init(
        keys: [KeyDescriptor], pools: [PoolDescriptor], classes: [(policy: ClassPolicy, keys: [String])],
        prices: PriceBook = PriceBook(), refreshableKeys: Set<String> = [], seed: UInt64
    ) {
        self.prices = prices
        knownPrices = keys.map { _ in [] }
        poolQuotas = pools.map { pool in pool.quota.map { ($0, PeriodUse($0.per)) } }
        poolNames = pools.map(\.name)
        self.pools = pools.map {
            AccountLimiter(limits: $0.limits, limitModel: .sliding, isPool: true, isCareful: false)
        }
        let names = poolNames
        self.keys = keys.map { key in
            let pool = key.pool.flatMap { names.firstIndex(of: $0) }
            let poolLimits = pool.map { pools[$0].limits } ?? Limits()
            var own = key.limits
            own.concurrent = own.concurrent ?? poolLimits.concurrent
            let limiter = AccountLimiter(
                limits: own, limitModel: key.limitModel, isPool: false, isCareful: own.isEmpty && poolLimits.isEmpty)
            var state = KeyState(descriptor: key, pool: pool, limiter: limiter)
            state.isRefreshable = refreshableKeys.contains(key.name)
            return state
        }
        self.classes = classes.map { entry in
            let candidates = entry.keys.compactMap { name in
                keys.firstIndex {
                    $0.name == name && $0.enabled && entry.policy.admits($0) && !entry.policy.lanes(on: $0).isEmpty
                }
            }
            // Own keys first, also if the caller has them otherwise.
            var state = ClassState(
                policy: entry.policy,
                candidates: candidates.filter { !keys[$0].isShared } + candidates.filter { keys[$0].isShared })
            state.budget = entry.policy.budget.map { BudgetAccount($0) }
            state.lanes = keys.map(entry.policy.lanes)
            state.usesFlex = state.candidates.contains { state.lanes[$0].contains(.flex) }
            return state
        }
        generator = SeededGenerator(seed: seed)
    }

    /// Takes one event and adds what it leads to. Call `dispatch` after the events of a turn.
    package mutating func handle(_ event: SchedulerEvent, at now: Timestamp, into effects: inout SchedulerEffects) {
        switch event {
        case .flowsChanged(let open, let foreign): replaceFlows(open, foreign: foreign, into: &effects)
        case .fetched(let id, let tickets, let isAll): fetched(id, tickets, isAll: isAll)
        case .promoted(let ids): for id in ids { flows[id]?.mayHaveMore = true; fetch(id, into: &effects) }
        case .refused(let jobs): for job in jobs { neverLeft(job, into: &effects) }
        case .finished(let ended): for one in ended { finish(one.job, one.report, at: now, into: &effects) }
        case .windowChanged(let name, let isOpen, let until):
            for i in classes.indices where classes[i].policy.name == name {
                classes[i].isOpen = isOpen
                classes[i].windowTurns = until
            }
        case .dayStarted(let used, let ends): startDay(used, ends: ends, at: now)
        case .periodsTurned(let position): turnPeriods(position)
        case .pausesChanged(let pausedClasses, let pausedKeys):
            for i in classes.indices { classes[i].isPaused = pausedClasses.contains(classes[i].policy.name) }
            for i in keys.indices { keys[i].isPaused = pausedKeys.contains(keys[i].name) }
        case .secretChanged(let key):
            for i in keys.indices where keys[i].name == key {
                (keys[i].health, keys[i].isAwaitingSecret, keys[i].secretSince) = (.ok, false, now)
                keys[i].quotaReturns = .distantPast
                keys[i].limiter.markNews()
            }
        case .secretKept(let key):
            for i in keys.indices where keys[i].name == key { keys[i].isAwaitingSecret = false }
        case .drain: isDraining = true
        case .tick: break
        }
    }

    // MARK: Flows

    private mutating func replaceFlows(_ open: [Flow], foreign: Bool, into effects: inout SchedulerEffects) {
        var kept: [FlowID: FlowState] = [:]
        for i in classes.indices { classes[i].flows = [] }
        for flow in open {
            guard let classIndex = classes.firstIndex(where: { $0.policy.name == flow.className }) else { continue }
            let chain = classes[classIndex].policy.models[flow.model] ?? [flow.model]
            var state = flows[flow.id] ?? FlowState(flow: flow, classIndex: classIndex, chain: chain)
            state.flow = flow
            state.startedSinceRead = 0
            // What was read of the jobs may be old.
            if foreign { state.mayHaveMore = true }
            kept[flow.id] = state
            classes[classIndex].flows.append(flow.id)
        }
        if kept.count != flows.count || kept.keys.contains(where: { flows[$0] == nil }) { planInForce.isStale = true }
        flows = kept
        if !laneVerdicts.isEmpty { laneVerdicts = laneVerdicts.filter { kept[$0.key] != nil } }
        for i in classes.indices {
            let policy = classes[i].policy
            classes[i].flows.sort { a, b in
                let (x, y) = (kept[a]!.flow, kept[b]!.flow)
                let (p, q) = (x.priority ?? policy.priority, y.priority ?? policy.priority)
                if p != q { return p > q }
                let (d, e) = (x.deadline ?? .distantFuture, y.deadline ?? .distantFuture)
                return d != e ? d < e : x.id < y.id
            }
        }
        for flow in open where foreign || kept[flow.id]?.tickets.isEmpty == true { fetch(flow.id, into: &effects) }
    }

    mutating func fetch(_ id: FlowID, into effects: inout SchedulerEffects) {
        guard var state = flows[id], state.mayHaveMore, !state.isFetching else { return }
        state.isFetching = true
        flows[id] = state
        effects.fetches.append(id)
    }

    private mutating func fetched(_ id: FlowID, _ tickets: [JobTicket], isAll: Bool) {
        guard flows[id] != nil else { return }
        flows[id]!.isFetching = false
        flows[id]!.isParking = false
        flows[id]!.mayHaveMore = !isAll
        // What is in flight here but not yet begun in the queue still shows as ready there.
        flows[id]!.tickets = tickets.reversed().filter { flights[$0.id] == nil }
    }

    private mutating func neverLeft(_ job: JobID, into effects: inout SchedulerEffects) {
        guard let flight = flights.removeValue(forKey: job) else { return }
        release(flight, into: &effects)
        releaseSpend(flight)
        keys[flight.key].breaker.inconclusive()
        if flight.spend.route.lane == .flex { keys[flight.key].flex.ended() }
    }

    /// The request never got to the provider, so no limit counts it.
    mutating func release(_ flight: Flight, into effects: inout SchedulerEffects) {
        giveBack(flight, requests: 1, tokens: flight.reserved, into: &effects) { scheduler in
            scheduler.keys[flight.key].limiter.release(
                flight.keySequence, tokens: flight.reserved, tokensThrough: flight.tokensThrough)
            if let pool = scheduler.keys[flight.key].pool {
                scheduler.pools[pool].release(
                    flight.poolSequence, tokens: flight.reserved, tokensThrough: flight.poolTokensThrough)
            }
        }
    }

    /// Changes what a request holds of its key, its pool and the day. If its own day is over, this one's counts stay: what
    /// it gives back was not taken from them.
    mutating func giveBack(
        _ flight: Flight, requests: Int, tokens: Int, into effects: inout SchedulerEffects,
        _ change: (inout Scheduler) -> Void
    ) {
        let key = flight.key
        let own = (keys[key].limiter.dayRequests, keys[key].limiter.dayTokens)
        let shared = keys[key].pool.map { (pools[$0].dayRequests, pools[$0].dayTokens) }
        change(&self)
        guard flight.sent < dayBegan else {
            if requests != 0 || tokens != 0 {
                effects.countDay(keys[key].name, requests: -requests, tokens: -tokens)
            }
            return
        }
        keys[key].limiter.startDay(requests: own.0, tokens: own.1, ends: dayEnds)
        guard let pool = keys[key].pool, let shared else { return }
        pools[pool].startDay(requests: shared.0, tokens: shared.1, ends: dayEnds)
    }

    // MARK: Restart

    /// Requests that earlier runs sent and that limits may still count; call before the first dispatch, in order.
    package mutating func recall(key name: String, countedAt: Timestamp, tokens: Int) {
        guard let i = keys.firstIndex(where: { $0.name == name }) else { return }
        keys[i].limiter.recall(countedAt: countedAt, tokens: tokens)
        keys[i].account.recallThroughput(tokens, at: countedAt)
        if let pool = keys[i].pool { pools[pool].recall(countedAt: countedAt, tokens: tokens) }
    }

    /// What an earlier run learned of a key. Rejections are not recalled: the secret may have been mended since.
    package mutating func recall(_ memory: KeyMemory, at now: Timestamp) {
        guard let i = keys.firstIndex(where: { $0.name == memory.key }) else { return }
        var memory = memory
        if memory.isOfItsRun {
            // It is tried at once, and until it fails again nobody is told that it does.
            (memory.health, memory.blockedUntil) = ("ok", nil)
            keys[i].limiter.markNews()
        }
        keys[i].limiter.recall(memory)
        keys[i].wasRejected = memory.health == "rejected"
        // What made the key wait was its account's refusal, and the account is the pool's.
        if memory.health == "cooling", let pool = keys[i].pool, let until = memory.blockedUntil {
            pools[pool].block(until: until, for: .ofBlock(memory.reason))
        }
        if memory.health == "exhausted", let until = memory.blockedUntil, until > now {
            keys[i].health = .exhausted(until: until, reason: memory.reason)
        }
    }

    private mutating func startDay(
        _ used: [String: (requests: Int, tokens: Int)], ends: Timestamp, at now: Timestamp
    ) {
        (dayBegan, dayEnds) = (now, ends)
        for i in keys.indices {
            let own = used[keys[i].name] ?? (0, 0)
            keys[i].limiter.startDay(requests: own.requests, tokens: own.tokens, ends: ends)
        }
        for p in pools.indices {
            var sum = (requests: 0, tokens: 0)
            for key in keys where key.pool == p {
                sum.requests += used[key.name]?.requests ?? 0
                sum.tokens += used[key.name]?.tokens ?? 0
            }
            pools[p].startDay(requests: sum.requests, tokens: sum.tokens, ends: ends)
        }
    }

    // MARK: Looking in

    /// Attempts begun and not yet ended.
    package var inFlightCount: Int { flights.count }

    /// Whether the scheduler works on this job now.
    package func isInFlight(_ job: JobID) -> Bool { flights[job] != nil }

    /// Why a flow is held back now, if it is.
    package func hold(on flow: FlowID) -> Hold? { flows[flow]?.hold }

    /// Whether a flow waits for providers that keep failing, and no other key of its class may serve it until a moment.
    package func waitsForProviders(_ id: FlowID, until soon: Timestamp) -> Bool {
        let serving = servingNow(id)
        let isIdle = serving.allSatisfy { key in
            if keys[key].breaker.isTripped || keys[key].isPaused { return true }
            switch keys[key].health {
            case .ok: return false
            case .rejected: return true
            case .exhausted(let until, _): return until > soon
            }
        }
        return isIdle && serving.contains { keys[$0].breaker.isTripped }
    }

    /// Whether jobs of a flow could go by a key if it worked: neither a window nor a pause keeps them back.
    package func mayUse(_ name: String, _ id: FlowID) -> Bool {
        servingNow(id).contains { keys[$0].name == name }
    }

    /// The keys that serve a flow; none while a window or a pause keeps its jobs back.
    private func servingNow(_ id: FlowID) -> [Int] {
        guard let state = flows[id], closure(of: classes[state.classIndex]) == nil, !state.flow.paused else {
            return []
        }
        return serving(state.flow)
    }

    /// When a key whose provider keeps failing is tried next; nil when no such moment is to come.
    package func nextTry(of name: String, after now: Timestamp) -> Timestamp? {
        guard let key = keys.first(where: { $0.name == name }), key.breaker.isTripped, key.breaker.opensAt > now else {
            return nil
        }
        return key.breaker.opensAt
    }

    /// Whether any flow has a job in memory that could be sent once there is room.
    package var hasReadyJobs: Bool { flows.values.contains { !$0.tickets.isEmpty } }
}
