extension Scheduler {
    /// Stretches of time that are told apart.
    private static let mostSlots = 8
    /// Flows that are planned for; those with later deadlines wait for cheap keys until their turn comes.
    private static let mostDemands = 32
    /// Of so many jobs the sizes are looked at.
    private static let sample = 32

    /// The flows of saving classes that have a deadline to keep, the soonest first.
    func flowsToPlan(at now: Timestamp) -> [FlowState] {
        var found: [FlowState] = []
        for index in classes.indices where isPlanned(index) {
            for id in classes[index].flows {
                guard let state = flows[id], !state.flow.paused, !state.isParking, state.unsent > 0 else { continue }
                if let deadline = state.flow.deadline, deadline > now { found.append(state) }
            }
        }
        found.sort { a, b in
            let (first, second) = (a.flow.deadline!, b.flow.deadline!)
            return first != second ? first < second : a.flow.id < b.flow.id
        }
        return Array(found.prefix(Self.mostDemands))
    }

    private func isPlanned(_ index: Int) -> Bool {
        let policy = classes[index].policy
        return !classes[index].isPaused && (policy.objective == .cost || policy.shared == .spill)
    }

    mutating func makePlan(for states: [FlowState], at now: Timestamp) -> SpillPlan {
        let plan = makePlan(for: states, isCareful: true, at: now)
        return plan.isShort ? makePlan(for: states, isCareful: false, at: now) : plan
    }

    /// `isCareful`: with a little less than all the time there is, for what nobody foresees.
    private mutating func makePlan(for states: [FlowState], isCareful: Bool, at now: Timestamp) -> SpillPlan {
        var draft = SpillDraft(
            now: now, ends: slotEnds(of: states, at: now), isCareful: isCareful, paces: answerPaces(at: now))
        var shares = [[SpillPlan.Share]](repeating: [], count: keys.count)
        let demands = states.map { demand(of: $0, in: &draft, &shares) }
        leaveRoom(for: states, in: &draft, shares)
        return SpillPlan(demands, resources: draft.resources, shares: shares)
    }

    // MARK: Time

    /// The moments until the last deadline at which something changes; of many, not those that follow closely.
    private func slotEnds(of states: [FlowState], at now: Timestamp) -> [Timestamp] {
        let last = states.last!.flow.deadline!
        var ends = Set(states.map { $0.flow.deadline! })
        for index in Set(states.map(\.classIndex)) {
            ends.formUnion(windowTurns(of: classes[index], until: last))
            if let budget = classes[index].budget, let renews = budget.renews {
                ends.formUnion(SpillDraft.renewals(budget.budget.per.period, first: renews, until: last))
            }
            for key in classes[index].candidates {
                let account = keys[key].account
                if let quota = account.quota {
                    ends.formUnion(SpillDraft.renewals(quota.per, first: account.quotaUse.ends, until: last))
                }
                if account.fee != nil { ends.insert(account.feeUse.ends) }
                if let expires = account.credit?.expires { ends.insert(expires) }
                if let pool = keys[key].pool, let quota = poolQuotas[pool] {
                    ends.formUnion(SpillDraft.renewals(quota.quota.per, first: quota.use.ends, until: last))
                }
            }
        }
        var sorted = ends.filter { $0 > now && $0 <= last }.sorted()
        while sorted.count > Self.mostSlots {
            let gaps = (1..<sorted.count).map { sorted[$0] - sorted[$0 - 1] }
            let closest = gaps.firstIndex(of: gaps.min()!)! + 1
            sorted.remove(at: closest)
        }
        return sorted
    }

    /// When a class's window closes and opens, the next turn as the calendar has it and those after it by the clock.
    private func windowTurns(of state: ClassState, until end: Timestamp) -> [Timestamp] {
        guard let window = state.policy.window else { return [] }
        let open = Interval.minutes(Int64((window.close - window.open + 1_439) % 1_440 + 1))
        var turns: [Timestamp] = []
        var (turn, isOpen) = (state.windowTurns, state.isOpen)
        while turn < end, turns.count < 2 * Self.mostSlots {
            turns.append(turn)
            turn = turn + (isOpen ? .days(1) - open : open)
            isOpen.toggle()
        }
        return turns
    }

    private func isOpen(_ state: ClassState, at moment: Timestamp) -> Bool {
        let turns = windowTurns(of: state, until: moment + .milliseconds(1))
        return turns.count.isMultiple(of: 2) == state.isOpen
    }

    // MARK: Demands

    private mutating func demand(
        of state: FlowState, in draft: inout SpillDraft, _ shares: inout [[SpillPlan.Share]]
    ) -> SpillPlan.Demand {
        let classState = classes[state.classIndex]
        let policy = classState.policy
        let deadline = state.flow.deadline!
        var slots = draft.ends.indices.filter { draft.ends[$0] <= deadline }
        if policy.window != nil { slots = slots.filter { isOpen(classState, at: draft.start(of: $0)) } }
        var ways: [SpillPlan.Way] = []
        for key in classState.candidates {
            guard let model = keys[key].descriptor.providerModel(for: state.chain[0], at: state.flow.endpoint),
                !(keys[key].isShared && policy.shared != .spill), isOfUse(key, model),
                let some = nextJobs(of: state, for: key, model, at: draft.now)
            else { continue }
            let ticket = typicalTicket(of: state.flow, some)
            let tokens = state.forecast.tokens(
                bodyBytes: ticket.bodyBytes, maxOutputTokens: ticket.maxOutputTokens, endpoint: state.flow.endpoint)
            let job = TypicalJob(
                ticket: ticket, state: state, model: model, lane: lane(key, model, ticket, state, at: draft.now).lane,
                tokens: reservation(key, tokens, ticket), next: some.first ?? ticket)
            if shares[key].isEmpty { shares[key] = limits(of: key, tokens: job.tokens, in: &draft) }
            ways += self.ways(for: job, on: key, shares[key], in: &draft)
        }
        return SpillPlan.Demand(flow: state.flow.id, jobs: state.unsent, slots: slots, ways: ways)
    }

    /// Some of a flow's next jobs, in their order: those that a key's quota, its price or the like does not bar, now or later. Nil if it bars
    /// them all; empty while none is known.
    private mutating func nextJobs(
        of state: FlowState, for key: Int, _ model: String, at now: Timestamp
    ) -> [JobTicket]? {
        var some: [JobTicket] = []
        // Those that are barred may wait for another key, at the front and in numbers.
        for ticket in state.tickets.suffix(FlowState.lookahead).reversed() where some.count < Self.sample {
            let lane = lane(key, model, ticket, state, at: now).lane
            if moneyObstacle(key, model, lane, ticket, state, at: now)?.needsPerson != true { some.append(ticket) }
        }
        return some.isEmpty && !state.tickets.isEmpty ? nil : some
    }

    /// A job as these are on average; without an answer's bound if most have none.
    private func typicalTicket(of flow: Flow, _ some: [JobTicket]) -> JobTicket {
        let bytes = some.isEmpty ? 1_000 : some.reduce(0) { $0 + $1.bodyBytes } / some.count
        let bounds = some.compactMap { TokenForecast.bound($0.maxOutputTokens) }
        let bound = bounds.isEmpty ? 0 : bounds.reduce(0, +) / bounds.count
        return JobTicket(
            id: 0, flow: flow.id, lease: 0, attemptsUsed: 0, bodyBytes: bytes,
            maxOutputTokens: 2 * bounds.count > some.count ? bound : nil)
    }

    private func isOfUse(_ key: Int, _ model: String) -> Bool {
        if keys[key].isPaused || keys[key].missingModels[model] != nil { return false }
        if case .rejected = keys[key].health { return false }
        return true
    }

    /// The resources that a key's own limits and its pool's are.
    private func limits(of key: Int, tokens: Int, in draft: inout SpillDraft) -> [SpillPlan.Share] {
        let state = keys[key]
        let (pace, now) = (draft.paces[key].sync, draft.now)
        var begin = now
        if case .exhausted(let until, _) = state.health { begin = max(begin, until) }
        // What has not worked for a time is thought to need as long again.
        if state.breaker.isTripped { begin = max(begin, now + (now - state.breaker.trippedAt), state.breaker.opensAt) }
        let reserve = { [draft] in draft.reserve(before: $0, pace) }
        func capacity(_ limiter: AccountLimiter, _ end: Timestamp) -> AccountLimiter.Capacity {
            let end = min(end - reserve(end), state.descriptor.validUntil ?? .distantFuture)
            return limiter.capacity(
                until: end - (begin - now), latency: pace.latency, isOverdue: pace.isOverdue, at: now)
        }
        var shares: [SpillPlan.Share] = []
        func add(_ resource: Int?, isTokens: Bool) {
            if let resource { shares.append(SpillPlan.Share(resource: resource, isTokens: isTokens)) }
        }
        add(
            draft.flowing(.requests(key: key), perMinute: state.limiter.minuteLimits.requests) {
                capacity(state.limiter, $0).requests
            }, isTokens: false)
        add(
            draft.flowing(.tokens(key: key), perMinute: state.limiter.minuteLimits.tokens) {
                capacity(state.limiter, $0).tokens
            }, isTokens: true)
        if let pool = state.pool {
            let minute = pools[pool].minuteLimits
            add(
                draft.flowing(.poolRequests(pool: pool), perMinute: minute.requests) {
                    capacity(pools[pool], $0).requests
                }, isTokens: false)
            add(
                draft.flowing(.poolTokens(pool: pool), perMinute: minute.tokens) { capacity(pools[pool], $0).tokens },
                isTokens: true)
            if let quota = poolQuotas[pool] {
                for rest in quota.use.rests(of: quota.quota) where rest.measure != .money {
                    let isTokens = rest.measure == .tokens
                    let name = SpillDraft.Name.poolQuota(pool: pool, rest.measure)
                    add(draft.quota(name, rest, amount: isTokens ? Double(tokens) : 1), isTokens: isTokens)
                }
            }
        }
        if let quota = state.account.quota {
            for rest in state.account.quotaUse.rests(of: quota) where rest.measure != .money {
                let isTokens = rest.measure == .tokens
                let name = SpillDraft.Name.quota(key: key, rest.measure)
                add(draft.quota(name, rest, amount: isTokens ? Double(tokens) : 1), isTokens: isTokens)
            }
        }
        return shares
    }

    // MARK: Others

    /// Takes off what classes that do not save will have of the keys: by weight as long as they have work, or all of it where
    /// they have the higher priority.
    private func leaveRoom(for states: [FlowState], in draft: inout SpillDraft, _ shares: [[SpillPlan.Share]]) {
        let planned = Set(states.map(\.classIndex))
        let ours = planned.reduce(0) { $0 + classes[$1].policy.weight }
        let priority = states.map { self.priority(of: $0) }.max() ?? 0
        for index in classes.indices where !planned.contains(index) && !isPlanned(index) {
            let other = classes[index]
            guard !other.isPaused, other.isOpen, other.policy.priority >= priority else { continue }
            let busy = other.flows.compactMap { flows[$0] }.filter { !$0.flow.paused && !$0.isParking }
            let jobs = busy.reduce(0) { $0 + $1.unsent }
            let useful = other.candidates.filter { !shares[$0].isEmpty }
            guard jobs > 0, !useful.isEmpty else { continue }
            let ticket = typicalTicket(of: busy[0].flow, Array(busy[0].tickets.suffix(Self.sample)))
            let tokens = busy[0].forecast.tokens(
                bodyBytes: ticket.bodyBytes, maxOutputTokens: ticket.maxOutputTokens, endpoint: busy[0].flow.endpoint)
            let part =
                other.policy.priority > priority
                ? 1 : Double(other.policy.weight) / Double(other.policy.weight + ours)
            for key in useful {
                for share in shares[key] where !draft.resources[share.resource].keeps[0] {
                    var left = Double(jobs) / Double(useful.count) * (share.isTokens ? Double(tokens) : 1)
                    for slot in draft.ends.indices {
                        let taken = min(left, draft.resources[share.resource].slots[slot] * part)
                        draft.resources[share.resource].slots[slot] -= taken
                        left -= taken
                    }
                }
            }
        }
    }

    func priority(of state: FlowState) -> Int { state.flow.priority ?? classes[state.classIndex].policy.priority }
}
