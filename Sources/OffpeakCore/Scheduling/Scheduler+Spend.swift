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

extension Scheduler {
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
            // An answer that says neither what it used nor what it cost is paid for all the same.
            guard report.usageReported || tellsCost(report, flight) else {
                return assumeSpend(flight, usage: answer.usage)
            }
            return charge(flight, usage: answer.usage, report, at: now)
        case .failure(let failure):
            switch failure.failureClass {
            case .unknownOutcome: return assumeSpend(flight, usage: failure.usage)
            case .timedOut where failure.judged: return assumeSpend(flight, usage: failure.usage)
            default:
                if report.usageReported && failure.usage != Usage() || tellsCost(report, flight) {
                    return charge(flight, usage: failure.usage, report, at: now)
                }
                // It was answered, and so is paid for, though it does not say what it used.
                if (200..<300).contains(failure.statusCode), !report.usageReported {
                    return assumeSpend(flight, usage: failure.usage)
                }
                releaseSpend(flight)
                return LedgerEntry(
                    kind: .settled, route: flight.spend.route, charge: Charge(), usage: Usage(), requests: 0,
                    day: flight.spend.day)
            }
        }
    }

    private func tellsCost(_ report: AttemptReport, _ flight: Flight) -> Bool {
        report.reportedCost.map { keys[flight.key].account.tellsAll($0) } ?? false
    }

    private mutating func charge(
        _ flight: Flight, usage: Usage, _ report: AttemptReport, at now: Timestamp
    ) -> LedgerEntry {
        let spend = flight.spend
        // Where only the cost was told, quotas count as many tokens as there may have been.
        let tokens = report.usageReported ? usage.totalTokens : spend.worst.tokens
        // The tier that answered is the one that is billed.
        var route = spend.route
        route.lane = report.servedLane ?? route.lane
        if route.lane == .priority { keys[flight.key].priorityModels.insert(route.model) }
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
            if row.route.lane == .priority { keys[i].priorityModels.insert(row.route.model) }
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
