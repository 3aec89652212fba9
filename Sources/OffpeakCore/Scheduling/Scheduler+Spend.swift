/// What an attempt holds of accounts while it is under way.
struct FlightSpend: Sendable {
    let hold: KeyAccount.Hold
    let worst: WorstCase
    let price: KeyState.Price
    let poolNumber: Int
    let budgetNumber: Int
    let classIndex: Int
    let batch: BatchID
    let day: Int
    let route: LedgerRoute
}

extension KeyState {
    /// What a model costs on the key, and what it is worth at list price, which a platform's fee goes by. Shared, since it is
    /// looked at for every job and key.
    final class Price: Sendable {
        let own: ModelPrice?
        let list: ModelPrice?

        /// The rates of both in lane `sync` where they are the same at every length, as nearly always: then nothing is copied
        /// and nothing searched.
        private let flat: (own: TokenRates, list: TokenRates)?

        init(own: ModelPrice?, list: ModelPrice?) {
            (self.own, self.list) = (own, list)
            guard let own, own.longContext.isEmpty, list?.longContext.isEmpty ?? true else {
                flat = nil
                return
            }
            let rates = own.rates(inputTokens: 0, lane: .sync)
            flat = (rates, list?.rates(inputTokens: 0, lane: .sync) ?? rates)
        }

        /// What a usage costs, and what it is worth at list price; nil when its price is unknown.
        func cost(of usage: Usage, lane: Lane) -> (value: Money, list: Money)? {
            if lane == .sync, let flat {
                let value = flat.own.cost(of: usage)
                return (value, flat.list == flat.own ? value : flat.list.cost(of: usage))
            }
            guard let value = own?.cost(of: usage, lane: lane) else { return nil }
            return (value, list?.cost(of: usage, lane: lane) ?? value)
        }

        /// The same of the most that so many tokens can cost.
        func worstCost(inputTokens: Int, outputTokens: Int, lane: Lane) -> (value: Money, list: Money)? {
            if lane == .sync, let flat {
                let value = flat.own.worstCost(inputTokens: inputTokens, outputTokens: outputTokens)
                guard flat.list != flat.own else { return (value, value) }
                return (value, flat.list.worstCost(inputTokens: inputTokens, outputTokens: outputTokens))
            }
            let value = own?.worstCost(inputTokens: inputTokens, outputTokens: outputTokens, lane: lane)
            guard let value else { return nil }
            let list = list?.worstCost(inputTokens: inputTokens, outputTokens: outputTokens, lane: lane)
            return (value, list ?? value)
        }
    }
}

extension Scheduler {
    /// The price of a model on a key; looked up once.
    mutating func price(_ key: Int, _ model: String) -> KeyState.Price {
        for known in knownPrices[key] where known.model == model { return known.price }
        let descriptor = keys[key].descriptor
        let own = prices.price(of: descriptor, model: model)
        let price = KeyState.Price(own: own, list: prices.listPrice(of: descriptor, model: model) ?? own)
        knownPrices[key].append((model, price))
        return price
    }

    /// The most that a job can cost on a key. Nil when nobody can say: the price is unknown, or the length of the answer.
    ///
    /// A request in flex may be answered in the ordinary tier and is billed by the tier that answers, so that it can cost
    /// as much as the dearer of the two (OpenAI's reference on `service_tier`).
    mutating func worstCase(
        _ key: Int, _ model: String, _ lane: Lane, _ ticket: JobTicket, _ endpoint: Endpoint
    ) -> WorstCase? {
        let price = price(key, model)
        // What costs nothing has neither charges nor another rate, and needs no length, unless a fee is taken of its list value.
        let isFree = price.own?.isFree == true && keys[key].account.fee == nil
        guard isFree || ticket.beyond < .charges, let input = mostInput(key, model, ticket) ?? (isFree ? 0 : nil)
        else { return nil }
        let output = mostOutput(key, model, ticket, endpoint)
        guard output != nil || isFree else { return nil }
        guard var worst = price.worstCost(inputTokens: input, outputTokens: output ?? 0, lane: .sync) else {
            return nil
        }
        if lane != .sync, let own = price.worstCost(inputTokens: input, outputTokens: output ?? 0, lane: lane) {
            worst = (max(worst.value, own.value), max(worst.list, own.list))
        }
        return keys[key].account.worst(value: worst.value, list: worst.list, tokens: input + (output ?? 0))
    }

    /// The longest answer that a job can get; nil when nobody can say. Where the wire format demands a number, this is the
    /// one that is sent: never more than the model gives, as far as that is known.
    mutating func mostOutput(_ key: Int, _ model: String, _ ticket: JobTicket, _ endpoint: Endpoint) -> Int? {
        if endpoint == .embeddings { return 0 }
        let longest = price(key, model).own?.maxOutputTokens
        var most = ticket.maxOutputTokens ?? longest
        if let demanded = keys[key].descriptor.demandedAnswer {
            most = min(most ?? demanded, longest ?? .max)
        }
        return most.map { min($0, TokenForecast.mostTokens) }
    }

    /// The longest input that a job can have; nil when nobody can say.
    ///
    /// No token is shorter than a byte, and the envelope's bytes make up for the few tokens that chat formats add.
    private mutating func mostInput(_ key: Int, _ model: String, _ ticket: JobTicket) -> Int? {
        let shown = ticket.bodyBytes + keys[key].descriptor.addedInput
        switch ticket.beyond {
        case .tokens(let tokens): return min(shown + tokens, TokenForecast.mostTokens)
        case .context: return price(key, model).own?.maxInputTokens.map { max($0, shown) }
        case .charges: return nil
        case .otherRate: return shown
        }
    }

    /// What a job may take of quotas where it is not known what it costs.
    private mutating func unpriced(_ key: Int, _ model: String, _ ticket: JobTicket, _ endpoint: Endpoint) -> WorstCase
    {
        let output = mostOutput(key, model, ticket, endpoint) ?? 0
        return WorstCase(charge: Charge(), tokens: (mostInput(key, model, ticket) ?? ticket.bodyBytes) + output)
    }

    /// What a usage would cost on a key now, on both bills; nil when its price is unknown.
    mutating func marginalCost(
        _ key: Int, _ model: String, _ lane: Lane, _ usage: Usage, at now: Timestamp
    ) -> Money? {
        guard let worth = worth(key, model, lane, usage) else { return nil }
        return keys[key].account.marginal(value: worth.value, list: worth.list, tokens: worth.tokens, at: now)
    }

    /// What a job is probably worth on a key, at the key's price and at list, and its tokens; nil when its price is unknown.
    mutating func worth(
        _ key: Int, _ model: String, _ lane: Lane, _ ticket: JobTicket, _ state: FlowState
    ) -> (value: Money, list: Money, tokens: Int)? {
        worth(key, model, lane, state.usage(of: ticket))
    }

    private mutating func worth(_ key: Int, _ model: String, _ lane: Lane, _ usage: Usage) -> (
        value: Money, list: Money, tokens: Int
    )? {
        price(key, model).cost(of: usage, lane: lane).map { ($0.value, $0.list, usage.totalTokens) }
    }

    // MARK: Obstacles

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
        if let quota, let obstacle = full(keys[key].account.fit(worst), quota, keys[key].account.quotaUse, "its") {
            return obstacle
        }
        if let pool, let poolQuota {
            let amount = PeriodUse.Amount(money: worst.charge.value, requests: 1, tokens: worst.tokens)
            let quota = poolQuota.quota
            let fit = poolQuota.use.fit(amount, money: quota.money, requests: quota.requests, tokens: quota.tokens)
            if let obstacle = full(fit, quota, poolQuota.use, "pool \(poolNames[pool]):") { return obstacle }
        }
        var obstacle = budgetObstacle(worst.charge.billed, of: state)
        obstacle?.isOfClass = true
        return obstacle
    }

    /// Whether a job that money has stopped could go by it now, or wait for a period in which it can. Call after `recall`.
    package mutating func hasMoney(for ticket: JobTicket, of flow: Flow, at now: Timestamp) -> Bool {
        guard let index = classes.firstIndex(where: { $0.policy.name == flow.className }) else { return false }
        let policy = classes[index].policy
        let chain = policy.models[flow.model] ?? [flow.model]
        let models = policy.ladders[.quotaExhausted]?.contains(.nextModel) == true ? chain : Array(chain.prefix(1))
        let state = FlowState(flow: flow, classIndex: index, chain: chain)
        for key in classes[index].candidates {
            for model in models.compactMap({ keys[key].descriptor.providerModel(for: $0, at: flow.endpoint) }) {
                let lane = lane(key, model, ticket, state, at: now).lane
                guard let obstacle = moneyObstacle(key, model, lane, ticket, state, at: now) else { return true }
                if !obstacle.needsPerson { return true }
            }
        }
        return false
    }

    /// What makes it impossible to say what a request takes at most; nil when nothing does.
    private mutating func unbounded(_ key: Int, _ model: String, _ ticket: JobTicket) -> KeyObstacle? {
        let reason: String
        switch ticket.beyond {
        case .tokens: return nil
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
                "the request may be charged at another rate than its model's, by its `service_tier` or `models`: nobody can "
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
            let reason =
                "\(name) is used up: \(account.used(batch: state.flow.batch).text) USD are spent, and one more "
                + "job may cost up to \(worst.text) USD"
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

    // MARK: Reserving and settling

    /// Takes the worst case off every account that the attempt touches.
    mutating func reserveSpend(
        _ ticket: JobTicket, of flow: Flow, classIndex: Int, key: Int, model: String, lane: Lane, tokens: Int,
        at now: Timestamp
    ) -> FlightSpend {
        let worst =
            worstCase(key, model, lane, ticket, flow.endpoint) ?? unpriced(key, model, ticket, flow.endpoint)
        let hold = keys[key].account.reserve(worst, forecastTokens: tokens, at: now)
        var poolNumber = 0
        if let pool = keys[key].pool {
            poolNumber = poolQuotas[pool]?.use.reserve(Self.amount(worst)) ?? 0
        }
        let budgetNumber = classes[classIndex].budget?.reserve(worst.charge.billed, batch: flow.batch) ?? 0
        let bill = keys[key].descriptor.billing
        return FlightSpend(
            hold: hold, worst: worst, price: price(key, model), poolNumber: poolNumber, budgetNumber: budgetNumber,
            classIndex: classIndex, batch: flow.batch, day: day,
            route: LedgerRoute(key: keys[key].name, bill: bill, lane: lane, model: model))
    }

    /// The attempt ended: what the ledger gets, and what goes back to the accounts.
    mutating func settleSpend(_ flight: Flight, _ report: AttemptReport, at now: Timestamp) -> LedgerEntry {
        switch report.outcome {
        case .success(let answer):
            // An answer that does not say what it used is paid for all the same.
            if !report.usageReported && report.reportedCost == nil { return assumeSpend(flight, usage: answer.usage) }
            let tokens = report.usageReported ? answer.usage.totalTokens : flight.spend.worst.tokens
            return charge(flight, usage: answer.usage, tokens: tokens, report, at: now)
        case .failure(let failure):
            switch failure.failureClass {
            case .unknownOutcome: return assumeSpend(flight, usage: failure.usage)
            case .timedOut where failure.judged: return assumeSpend(flight, usage: failure.usage)
            default:
                if failure.usage != Usage() || report.reportedCost != nil {
                    return charge(
                        flight, usage: failure.usage, tokens: failure.usage.totalTokens, report, at: now)
                }
                // It was answered, and so is paid for, though it does not say what it used.
                if (200..<300).contains(failure.statusCode), !report.usageReported {
                    return assumeSpend(flight, usage: Usage())
                }
                releaseSpend(flight)
                return LedgerEntry(
                    kind: .settled, route: flight.spend.route, charge: Charge(), usage: Usage(), requests: 0,
                    day: flight.spend.day)
            }
        }
    }

    private mutating func charge(
        _ flight: Flight, usage: Usage, tokens: Int, _ report: AttemptReport, at now: Timestamp
    ) -> LedgerEntry {
        let spend = flight.spend
        // The tier that answered is the one that is billed.
        var route = spend.route
        route.lane = report.servedLane ?? route.lane
        let (value, list) =
            spend.price.cost(of: usage, lane: route.lane)
            ?? (.zero, spend.price.list?.cost(of: usage, lane: route.lane) ?? .zero)
        let charge = keys[flight.key].account.settle(
            spend.hold, spend.worst, value: value, list: list, tokens: tokens, reported: report.reportedCost,
            at: now)
        settleShared(
            flight, used: PeriodUse.Amount(money: charge.value, requests: 1, tokens: tokens), billed: charge.billed)
        return LedgerEntry(
            kind: .settled, route: route, charge: charge, usage: usage, tokens: tokens, day: spend.day)
    }

    private mutating func assumeSpend(_ flight: Flight, usage: Usage) -> LedgerEntry {
        let spend = flight.spend
        keys[flight.key].account.assume(spend.hold, spend.worst)
        settleShared(flight, used: Self.amount(spend.worst), billed: spend.worst.charge.billed)
        return LedgerEntry(
            kind: .assumed, route: spend.route, charge: spend.worst.charge, usage: usage, tokens: spend.worst.tokens,
            day: spend.day)
    }

    /// Nothing was or will be charged.
    mutating func releaseSpend(_ flight: Flight) {
        keys[flight.key].account.release(flight.spend.hold, flight.spend.worst)
        settleShared(flight, used: PeriodUse.Amount(), billed: .zero)
    }

    private mutating func settleShared(_ flight: Flight, used: PeriodUse.Amount, billed: Money) {
        let spend = flight.spend
        if let pool = keys[flight.key].pool {
            poolQuotas[pool]?.use.settle(Self.amount(spend.worst), used: used, number: spend.poolNumber)
        }
        classes[spend.classIndex].budget?.settle(
            spend.worst.charge.billed, spent: billed, batch: spend.batch, number: spend.budgetNumber)
    }

    private static func amount(_ worst: WorstCase) -> PeriodUse.Amount {
        PeriodUse.Amount(money: worst.charge.value, requests: 1, tokens: worst.tokens)
    }

    // MARK: Calendar and restarts

    mutating func turnPeriods(_ position: CalendarPosition) {
        day = position.day
        var turned: Set<Period> = []
        for period in Period.allCases {
            guard let began = position.began[period], began >= periodsBegan[period] ?? began else { continue }
            if let before = periodsBegan[period], began > before { turned.insert(period) }
            periodsBegan[period] = began
        }
        for i in keys.indices { keys[i].account.turn(position) }
        for p in poolQuotas.indices { poolQuotas[p]?.use.turn(position) }
        for i in classes.indices { classes[i].budget?.turn(position) }
        guard !spentAhead.isEmpty, !turned.isEmpty else { return }
        for row in spentAhead { recall(row, position) { $0.map(turned.contains) ?? false } }
        spentAhead.removeAll { $0.day <= position.day }
    }

    /// What the ledger has: call once, before the first dispatch. What it has of days to come, since the clock was put back,
    /// counts for the present ones, and once more when those come.
    package mutating func recall(_ rows: [SpendRow], _ position: CalendarPosition) {
        turnPeriods(position)
        spentAhead = rows.filter { $0.day > position.day }
        for row in rows { recall(row, position) { _ in true } }
    }

    /// Counts a row for the accounts whose period is meant; nil stands for what has none.
    private mutating func recall(_ row: SpendRow, _ position: CalendarPosition, isMeant: (Period?) -> Bool) {
        func isPresent(_ period: Period?) -> Bool {
            isMeant(period) && period.map { row.day >= position.began[$0] ?? 0 } ?? true
        }
        let amount = PeriodUse.Amount(money: row.charge.value, requests: row.requests, tokens: row.tokens)
        if let i = keys.firstIndex(where: { $0.name == row.route.key }) {
            let account = keys[i].account
            let fee = PeriodUse.Amount(money: row.charge.list, requests: row.requests)
            let isOfCredit = isMeant(nil) && account.credit?.counts(row.day) == true
            keys[i].account.recall(
                quota: isPresent(account.quota?.per) ? amount : PeriodUse.Amount(),
                fee: isPresent(account.fee?.per) ? fee : PeriodUse.Amount(),
                creditUsed: isOfCredit ? row.charge.credit : .zero)
            if let pool = keys[i].pool, isPresent(poolQuotas[pool]?.quota.per) { poolQuotas[pool]?.use.recall(amount) }
        }
        for i in classes.indices where classes[i].policy.name == row.className {
            guard let budget = classes[i].budget?.budget, isPresent(budget.per.period) else { continue }
            classes[i].budget?.recall(row.charge.billed, batch: row.batch)
        }
    }
}

extension Quota {
    /// For people: `40.00 USD a day`.
    package var text: String {
        var parts: [String] = []
        if let money { parts.append("\(money.text) USD") }
        if let requests { parts.append("\(requests) requests") }
        if let tokens { parts.append("\(tokens) tokens") }
        return parts.joined(separator: ", ") + " a \(per.rawValue)"
    }
}
