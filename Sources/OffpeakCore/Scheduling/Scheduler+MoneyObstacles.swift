extension Scheduler {
    /// Why money keeps a job from a key: the key's quota, its pool's, or a price that nobody knows.
    mutating func moneyObstacle(
        _ key: Int, _ model: String, _ lane: Lane, _ ticket: JobTicket, _ state: FlowState, at now: Timestamp
    ) -> KeyObstacle? {
        let quota = keys[key].account.quota
        let pool = keys[key].pool
        let poolQuota = pool.flatMap { poolQuotas[$0] }
        let hasBudget = classes[state.classIndex].budget != nil
        if quota == nil && poolQuota == nil && !hasBudget { return nil }
        let needsPrice = hasBudget || quota?.money != nil || poolQuota?.quota.money != nil
        let needsLength = quota?.tokens != nil || poolQuota?.quota.tokens != nil
        let known = worstCase(key, model, lane, ticket, state.flow.endpoint)
        if known == nil && needsPrice {
            let isPriceKnown = price(key, model).own != nil
            if isPriceKnown, let obstacle = unbounded(key, model, ticket) { return obstacle }
            return unknownCost(key, model, isPriceUnknown: !isPriceKnown)
        }
        if needsLength {
            if mostInput(key, model, ticket) == nil, let obstacle = unbounded(key, model, ticket) { return obstacle }
            if mostOutput(key, model, ticket, state.flow.endpoint) == nil {
                return unknownCost(key, model, isPriceUnknown: false)
            }
        }
        let worst = known ?? unpriced(key, model, ticket, state.flow.endpoint)
        if let obstacle = quotaObstacle(key, worst) { return obstacle }
        var obstacle = budgetObstacle(worst.charge.billed, of: state)
        obstacle?.isOfClass = true
        return obstacle
    }

    /// Why a key's quota, or its pool's, takes no more that may come to so much.
    func quotaObstacle(_ key: Int, _ worst: WorstCase) -> KeyObstacle? {
        if let quota = keys[key].account.quota,
            let obstacle = full(keys[key].account.fit(worst), quota, keys[key].account.quotaUse, "its")
        {
            return obstacle
        }
        guard let pool = keys[key].pool, let (quota, use) = poolQuotas[pool] else { return nil }
        let amount = PeriodUse.Amount(money: worst.charge.value, requests: 1, tokens: worst.tokens)
        let fit = use.fit(amount, money: quota.money, requests: quota.requests, tokens: quota.tokens)
        return full(fit, quota, use, "pool \(poolNames[pool]):")
    }

    /// Whether a job that money has stopped could go by it now, or wait for a period in which it can. Call after `recall`.
    package mutating func hasMoney(for ticket: JobTicket, of flow: Flow, at now: Timestamp) -> Bool {
        let (canGo, _) = moneyOutlook(for: ticket, of: flow, at: now)
        return canGo
    }

    /// Why money would stop a job again, whichever key took it; nil when it could go, or when it is not money that is in the
    /// way. Call after `recall`.
    package mutating func moneyStop(for ticket: JobTicket, of flow: Flow, at now: Timestamp) -> Failure? {
        let (canGo, obstacle) = moneyOutlook(for: ticket, of: flow, at: now)
        return canGo ? nil : obstacle?.failure
    }

    /// Why a job that money has stopped can go neither now nor in a later period, by the first key that it could use; nil
    /// when it can. Call after `recall`.
    package mutating func stayingStopped(_ ticket: JobTicket, of flow: Flow, at now: Timestamp) -> String? {
        guard classes.contains(where: { $0.policy.name == flow.className }) else {
            return "class \(flow.className) is not in the configuration"
        }
        let (canGo, obstacle) = moneyOutlook(for: ticket, of: flow, at: now)
        if canGo { return nil }
        return obstacle?.failure?.message ?? obstacle?.reason ?? "no key of the class serves the model \(flow.model)"
    }

    private mutating func moneyOutlook(
        for ticket: JobTicket, of flow: Flow, at now: Timestamp
    ) -> (canGo: Bool, obstacle: KeyObstacle?) {
        var stop: KeyObstacle?
        for (key, model, state) in routes(of: flow) {
            let lane = lane(key, model, ticket, state, at: now).lane
            guard let obstacle = moneyObstacle(key, model, lane, ticket, state, at: now), obstacle.needsPerson else {
                return (true, nil)
            }
            stop = stop ?? obstacle
        }
        return (false, stop)
    }

    /// The least that a budget must have left for a job to go by some key; nil where nobody can say. Nothing is asked of
    /// the keys' state, so that they may well need more.
    package mutating func leastReservation(for ticket: JobTicket, of flow: Flow, at now: Timestamp) -> Money? {
        routes(of: flow).compactMap { key, model, state in
            let lane = lane(key, model, ticket, state, at: now).lane
            return worstCase(key, model, lane, ticket, flow.endpoint)?.charge.billed
        }.min()
    }

    /// The keys by which a flow's jobs may go when money is short, with their names of the models.
    func routes(of flow: Flow) -> [(key: Int, model: String, state: FlowState)] {
        guard let index = classes.firstIndex(where: { $0.policy.name == flow.className }) else { return [] }
        let policy = classes[index].policy
        let chain = policy.models[flow.model] ?? [flow.model]
        let models = policy.ladders[.quotaExhausted]?.contains(.nextModel) == true ? chain : Array(chain.prefix(1))
        let state = FlowState(flow: flow, classIndex: index, chain: chain)
        return classes[index].candidates.flatMap { key in
            models.compactMap { model in
                keys[key].descriptor.providerModel(for: model, at: flow.endpoint).map { (key, $0, state) }
            }
        }
    }

    /// What makes it impossible to say what a request takes at most; nil when nothing does.
    private mutating func unbounded(_ key: Int, _ model: String, _ ticket: JobTicket) -> KeyObstacle? {
        let reason: String
        if price(key, model).own?.addsSearches == true {
            let why = "and is charged for each: nobody can say how many before"
            return Self.stop(.unboundedCost, "the model \(model) searches by itself, \(why)", isOfJob: true)
        }
        switch ticket.beyond {
        case .tokens, .sound: return nil
        case .context:
            guard mostInput(key, model, ticket) == nil else { return nil }
            reason =
                "the request names a file, an earlier answer or the like, which may be as long as the model can read, and how "
                + "long that is for \(model) is unknown on key \(keys[key].name)"
        case .charges:
            reason =
                "the request uses something that is charged beside its tokens, such as a provider's tools or sound: nobody can "
                + "say how much before"
        case .otherRate:
            reason =
                "the request may be charged at another rate than its model's, by its `service_tier`, `models` or the like: nobody can "
                + "say which before"
        }
        return Self.stop(.unboundedCost, reason, isOfJob: true)
    }

    private func unknownCost(_ key: Int, _ model: String, isPriceUnknown: Bool) -> KeyObstacle {
        guard isPriceUnknown else {
            let reason = "the most that the answer can take is unknown: set max_tokens in the request"
            return Self.stop(.unknownLength, reason, isOfJob: true)
        }
        let why = "and without it no budget or quota can be kept"
        var obstacle = Self.stop(.unknownCost, "the price of \(model) is unknown there, \(why)", isOfJob: false)
        // A parked job says by itself which key that is.
        obstacle.failure?.message = "the price of \(model) on key \(keys[key].name) is unknown, \(why)"
        return obstacle
    }

    /// Money is in the way, and no answer and no later period changes that.
    private static func stop(_ stop: MoneyStop, _ reason: String, fails: Bool = false, isOfJob: Bool) -> KeyObstacle {
        let failure = Failure(.quotaExhausted, code: stop.rawValue, message: reason, judged: false)
        return KeyObstacle(
            reason: reason, needsPerson: true, failure: failure, parks: !fails, fails: fails, isOfJob: isOfJob)
    }

    private func full(_ fit: PeriodUse.Fit, _ quota: Quota, _ use: PeriodUse, _ whose: String) -> KeyObstacle? {
        let text = "\(whose) quota of \(quota.text) is used up"
        switch fit {
        case .fits: return nil
        case .later: return KeyObstacle(reason: text + " if all that is in flight costs its most")
        case .used: return KeyObstacle(reason: text, until: use.ends, isExhausted: true)
        case .never:
            let reason = "this job alone may take more than \(whose) whole quota of \(quota.text)"
            return Self.stop(.exceedsQuota, reason, isOfJob: true)
        }
    }

    /// Why a class's budget takes no more of a batch.
    private func budgetObstacle(_ worst: Money, of state: FlowState) -> KeyObstacle? {
        // This is asked for every job and key, so nothing is copied and words are only made where they are needed.
        guard let fit = classes[state.classIndex].budget?.fit(worst, batch: state.flow.batch), fit != .fits,
            let account = classes[state.classIndex].budget
        else { return nil }
        let budget = account.budget
        let name =
            "the budget of \(budget.limit.text) USD per \(budget.per.rawValue) of class "
            + classes[state.classIndex].policy.name
        switch fit {
        case .fits: return nil
        case .later: return KeyObstacle(reason: "\(name) is used up if all that is in flight costs its most")
        case .used:
            let (spent, reserved) = account.used(batch: state.flow.batch)
            let sum = reserved == .zero ? "" : ", up to \(reserved.text) USD more are in flight"
            let reason =
                "\(name) is used up: \(spent.text) USD are spent\(sum), and one more job may cost up to \(worst.text) USD"
            if budget.then == .defer {
                // No mere matter of pace: a dearer key whose worst case still fits need not wait for this one.
                return KeyObstacle(
                    reason: reason, until: account.renews, needsPerson: account.renews == nil, isExhausted: true)
            }
            return Self.stop(.budgetExhausted, reason, fails: budget.then == .fail, isOfJob: false)
        case .never:
            // It fits in no period, so that there is nothing to defer it to.
            let reason = "this job alone may cost up to \(worst.text) USD, more than \(name)"
            return Self.stop(.exceedsBudget, reason, fails: budget.then == .fail, isOfJob: true)
        }
    }
}

extension Quota {
    /// For people: `40.00 USD a day`.
    package var text: String {
        var parts: [String] = []
        if let money { parts.append("\(money.text) USD") }
        if let requests { parts.append(requests.of("request")) }
        if let tokens { parts.append(tokens.of("token")) }
        return parts.joined(separator: ", ") + " a \(per.rawValue)"
    }
}
