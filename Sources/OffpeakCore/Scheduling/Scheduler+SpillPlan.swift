/// A spill plan while it is drawn up: time in slots, and what the keys have in each.
struct SpillDraft {
    enum Name: Hashable {
        case requests(key: Int), tokens(key: Int)
        case poolRequests(pool: Int), poolTokens(pool: Int)
        case quota(key: Int, Measure), poolQuota(pool: Int, Measure)
        case credit(key: Int), allowance(key: Int), provisioned(key: Int)
        case budget(classIndex: Int, BatchID?)
    }
    enum Measure: Hashable { case money, requests, tokens }

    let now: Timestamp
    /// Where the slots end.
    let ends: [Timestamp]
    /// A reserve of time is kept.
    let isCareful: Bool
    var resources: [SpillPlan.Resource] = []
    private var places: [Name: Int] = [:]

    init(now: Timestamp, ends: [Timestamp], isCareful: Bool) {
        self.now = now
        self.ends = ends
        self.isCareful = isCareful
    }

    func start(of slot: Int) -> Timestamp { slot == 0 ? now : ends[slot - 1] }

    /// A resource of which there is `total(end)` until a slot's end; what a slot leaves is lost. Nil if it limits nothing.
    mutating func flowing(_ name: Name, perMinute: Int?, _ total: (Timestamp) -> Int) -> Int? {
        if let known = places[name] { return known }
        let totals = ends.map(total)
        guard totals.contains(where: { $0 < .max / 8 }) else { return nil }
        var before = 0
        let slots = totals.map { total in
            defer { before = max(before, total) }
            return Double(max(0, total - before))
        }
        return add(
            name,
            SpillPlan.Resource(slots: slots, keeps: ends.map { _ in false }, perMinute: perMinute.map { Double($0) }))
    }

    /// A resource of which there is `left` now, and `limit` anew when a period ends; worth nothing after `expires`.
    mutating func kept(
        _ name: Name, left: Double, limit: Double = 0, renews: Timestamp = .distantFuture,
        expires: Timestamp = .distantFuture
    ) -> Int {
        if let known = places[name] { return known }
        var slots = [Double](repeating: 0, count: ends.count)
        slots[0] = left
        var keeps = ends.map { _ in true }
        for slot in ends.indices.dropFirst() {
            let start = start(of: slot)
            if start >= renews, self.start(of: slot - 1) < renews { (slots[slot], keeps[slot - 1]) = (limit, false) }
            if start >= expires { keeps[slot - 1] = false }
        }
        return add(name, SpillPlan.Resource(slots: slots, keeps: keeps))
    }

    private mutating func add(_ name: Name, _ resource: SpillPlan.Resource) -> Int {
        resources.append(resource)
        places[name] = resources.count - 1
        return resources.count - 1
    }
}

extension Scheduler {
    /// Stretches of time that are told apart.
    private static let mostSlots = 8
    /// Flows that are planned for; those with later deadlines wait for cheap keys until their turn comes.
    private static let mostDemands = 32
    /// Of so many jobs the sizes are looked at.
    private static let sample = 32

    /// A job as most of its flow are.
    private struct TypicalJob {
        let ticket: JobTicket
        let state: FlowState
        let model: String
        /// Reserved on the key.
        let tokens: Int
    }

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
        var draft = SpillDraft(now: now, ends: slotEnds(of: states, at: now), isCareful: isCareful)
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
            if let budget = classes[index].budget, let renews = budget.renews { ends.insert(renews) }
            for key in classes[index].candidates {
                let account = keys[key].account
                if account.quota != nil { ends.insert(account.quotaUse.ends) }
                if account.fee != nil { ends.insert(account.feeUse.ends) }
                if let expires = account.credit?.expires { ends.insert(expires) }
                if let pool = keys[key].pool, let quota = poolQuotas[pool] { ends.insert(quota.use.ends) }
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
        let ticket = typicalTicket(of: state)
        let tokens = state.forecast.tokens(
            bodyBytes: ticket.bodyBytes, maxOutputTokens: ticket.maxOutputTokens, endpoint: state.flow.endpoint)
        var ways: [SpillPlan.Way] = []
        for key in classState.candidates {
            guard let model = keys[key].descriptor.models.providerModel(for: state.chain[0]),
                !(keys[key].isShared && policy.shared != .spill), isOfUse(key, model)
            else { continue }
            let job = TypicalJob(
                ticket: ticket, state: state, model: model, tokens: reservation(key, tokens, ticket))
            if shares[key].isEmpty { shares[key] = limits(of: key, in: &draft) }
            ways += self.ways(for: job, on: key, shares[key], in: &draft)
        }
        return SpillPlan.Demand(flow: state.flow.id, jobs: state.unsent, slots: slots, ways: ways)
    }

    private func typicalTicket(of state: FlowState) -> JobTicket {
        let some = state.tickets.suffix(Self.sample)
        let bytes = some.isEmpty ? 1_000 : some.reduce(0) { $0 + $1.bodyBytes } / some.count
        return JobTicket(
            id: 0, flow: state.flow.id, lease: 0, attemptsUsed: 0, bodyBytes: bytes,
            maxOutputTokens: some.last?.maxOutputTokens)
    }

    private func isOfUse(_ key: Int, _ model: String) -> Bool {
        if keys[key].isPaused || keys[key].missingModels[model] != nil { return false }
        if case .rejected = keys[key].health { return false }
        return true
    }

    /// The resources that a key's own limits and its pool's are.
    private func limits(of key: Int, in draft: inout SpillDraft) -> [SpillPlan.Share] {
        let state = keys[key]
        let isCareful = draft.isCareful
        let (latency, now) = (Interval.milliseconds(Int64((state.latency + 999) / 1_000)), draft.now)
        var begin = now
        if case .exhausted(let until, _) = state.health { begin = max(begin, until) }
        // What has not worked for a time is thought to need as long again.
        if state.breaker.isTripped { begin = max(begin, now + (now - state.breaker.trippedAt), state.breaker.opensAt) }
        func capacity(_ limiter: AccountLimiter, _ end: Timestamp) -> AccountLimiter.Capacity {
            let reserve = isCareful ? (end - now).milliseconds / 512 + 300 : 0
            var end = end - latency - .milliseconds(reserve)
            if let ends = state.descriptor.validUntil { end = min(end, ends) }
            return limiter.capacity(until: end - (begin - now), latency: latency, at: now)
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
                for (measure, left, limit) in quota.use.rests(of: quota.quota) where measure != .money {
                    add(
                        draft.kept(.poolQuota(pool: pool, measure), left: left, limit: limit, renews: quota.use.ends),
                        isTokens: measure == .tokens)
                }
            }
        }
        if let quota = state.account.quota {
            for (measure, left, limit) in state.account.quotaUse.rests(of: quota) where measure != .money {
                add(
                    draft.kept(
                        .quota(key: key, measure), left: left, limit: limit, renews: state.account.quotaUse.ends),
                    isTokens: measure == .tokens)
            }
        }
        return shares
    }

    // MARK: Ways

    /// A key on each of its terms: provisioned throughput, credit and a free allowance as long as there are any.
    private mutating func ways(
        for job: TypicalJob, on key: Int, _ shares: [SpillPlan.Share], in draft: inout SpillDraft
    ) -> [SpillPlan.Way] {
        let account = keys[key].account
        let saves = classes[job.state.classIndex].policy.objective == .cost
        var takes = shares.map { (resource: $0.resource, amount: $0.isTokens ? Double(job.tokens) : 1) }
        guard let worth = worth(of: job, on: key) else {
            let rank: SpillPlan.Rank = keys[key].isShared ? .shared : saves ? .unknown : .known
            return [SpillPlan.Way(key: key, rank: rank, cost: 0, takes: takes)]
        }
        takes += moneyTakes(worth.value, on: key, in: &draft)
        var ways: [SpillPlan.Way] = []
        func add(
            provider: Double, platform: Double, _ more: [(resource: Int, amount: Double)], isProvisioned: Bool = false
        ) {
            let cost = provider + platform
            let billed = cost > 0 ? budgetTakes(cost, of: job.state, in: &draft) : []
            ways.append(
                SpillPlan.Way(
                    key: key, rank: keys[key].isShared ? .shared : .known, cost: saves ? cost : 0,
                    takes: takes + more + billed, isProvisioned: isProvisioned))
        }
        if let tpm = keys[key].descriptor.provisionedTPM, job.tokens <= tpm {
            let now = draft.now
            let resource = draft.flowing(.provisioned(key: key), perMinute: nil) { end in
                Int(clamping: Int128(tpm) * Int128((end - now).milliseconds) / 60_000)
            }
            if let resource { add(provider: 0, platform: 0, [(resource, Double(job.tokens))], isProvisioned: true) }
        }
        if account.billing == .platform {
            add(provider: 0, platform: worth.value, [])
            return ways
        }
        let fee = account.billing == .routerBYOK ? worth.fee : 0
        var feeTerms: [(fee: Double, take: [(resource: Int, amount: Double)])] = [(fee, [])]
        if fee > 0, let take = allowanceTake(worth.list, on: key, in: &draft) { feeTerms.append((0, [take])) }
        var credit: Int?
        if let terms = account.credit, worth.value > 0 {
            let left = Double(account.creditToSpend.nanodollars)
            credit = draft.kept(.credit(key: key), left: left, expires: terms.expires ?? .distantFuture)
        }
        for term in feeTerms {
            add(provider: worth.value, platform: term.fee, term.take)
            if let credit { add(provider: 0, platform: term.fee, term.take + [(credit, worth.value)]) }
        }
        return ways
    }

    /// A job's value at the key's price and at list, and the whole fee on it, in nano-dollars; nil while no price is known.
    private mutating func worth(of job: TypicalJob, on key: Int) -> (value: Double, list: Double, fee: Double)? {
        let price = price(key, job.model)
        guard let own = price.own else { return nil }
        let (endpoint, ticket) = (job.state.flow.endpoint, job.ticket)
        let usage = Usage(
            inputTokens: job.state.forecast.input(bodyBytes: ticket.bodyBytes),
            outputTokens: job.state.forecast.output(maxOutputTokens: ticket.maxOutputTokens, endpoint: endpoint))
        let value = own.cost(of: usage, lane: .sync)
        let list = price.list?.cost(of: usage, lane: .sync) ?? value
        let fee = list.share(millionths: keys[key].account.fee?.shareMillionths ?? 0)
        return (Double(value.nanodollars), Double(list.nanodollars), Double(fee.nanodollars))
    }

    /// What a job takes of money quotas.
    private func moneyTakes(
        _ value: Double, on key: Int, in draft: inout SpillDraft
    ) -> [(resource: Int, amount: Double)] {
        guard value > 0 else { return [] }
        var takes: [(resource: Int, amount: Double)] = []
        let account = keys[key].account
        if let quota = account.quota {
            for (measure, left, limit) in account.quotaUse.rests(of: quota) where measure == .money {
                let name = SpillDraft.Name.quota(key: key, measure)
                takes.append(
                    (draft.kept(name, left: left, limit: limit, renews: account.quotaUse.ends), value))
            }
        }
        if let pool = keys[key].pool, let quota = poolQuotas[pool] {
            for (measure, left, limit) in quota.use.rests(of: quota.quota) where measure == .money {
                let name = SpillDraft.Name.poolQuota(pool: pool, measure)
                takes.append((draft.kept(name, left: left, limit: limit, renews: quota.use.ends), value))
            }
        }
        return takes
    }

    private func budgetTakes(
        _ cost: Double, of state: FlowState, in draft: inout SpillDraft
    ) -> [(resource: Int, amount: Double)] {
        guard let account = classes[state.classIndex].budget else { return [] }
        let batch = account.budget.per == .batch ? state.flow.batch : nil
        let limit = Double(account.budget.limit.nanodollars)
        let left = max(0, limit - Double(account.used(batch: state.flow.batch).nanodollars))
        let resource = draft.kept(
            .budget(classIndex: state.classIndex, batch), left: left, limit: limit,
            renews: account.renews ?? .distantFuture)
        return [(resource, cost)]
    }

    private func allowanceTake(
        _ list: Double, on key: Int, in draft: inout SpillDraft
    ) -> (resource: Int, amount: Double)? {
        let account = keys[key].account
        let ends = account.feeUse.ends
        switch (account.fee?.allowance, account.allowanceLeft) {
        case (.money(let limit), .money(let left)):
            let resource = draft.kept(
                .allowance(key: key), left: Double(max(.zero, left - account.feeUse.reserved.money).nanodollars),
                limit: Double(limit.nanodollars), renews: ends)
            return (resource, list)
        case (.requests(let limit), .requests(let left)):
            let resource = draft.kept(
                .allowance(key: key), left: Double(max(0, left - account.feeUse.reserved.requests)),
                limit: Double(limit), renews: ends)
            return (resource, 1)
        default: return nil
        }
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
            let ticket = typicalTicket(of: busy[0])
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

extension PeriodUse {
    /// What is left of each thing that a quota limits, beside what is under way, and the whole of it.
    fileprivate func rests(of quota: Quota) -> [(measure: SpillDraft.Measure, left: Double, limit: Double)] {
        var rests: [(measure: SpillDraft.Measure, left: Double, limit: Double)] = []
        func add(_ measure: SpillDraft.Measure, _ limit: Int?, _ used: Int) {
            if let limit { rests.append((measure, Double(max(0, limit - used)), Double(limit))) }
        }
        add(.requests, quota.requests, settled.requests + reserved.requests)
        add(.tokens, quota.tokens, settled.tokens + reserved.tokens)
        add(
            .money, quota.money.map { Int($0.nanodollars) },
            Int(settled.money.nanodollars) + Int(reserved.money.nanodollars))
        return rests
    }
}
