/// Why money stops a job, as the code of its failure. What is parked for one of these goes on with the first run whose
/// configuration, and whose period, has the money.
package enum MoneyStop: String, CaseIterable, Sendable {
    /// The class's budget has no room for the next job.
    case budgetExhausted = "budget_exhausted"
    /// One job may cost more than the class's whole budget.
    case exceedsBudget = "exceeds_budget"
    /// One job may take more than a whole quota.
    case exceedsQuota = "exceeds_quota"
    /// Nobody can say what a job costs at most: the price is unknown.
    case unknownCost = "unknown_cost"
    /// Nobody can say how much a job takes at most: how long its answer may get is unknown.
    case unknownLength = "unknown_length"
    /// Nobody can say what a job takes at most: something in the request itself has no bound.
    case unboundedCost = "unbounded_cost"

    /// Of a failure as it is recorded: its class's word and its code. Nil for one that money has nothing to do with.
    package init?(failureClass: String, code: String) {
        guard failureClass == FailureClass.quotaExhausted.rawValue else { return nil }
        self.init(rawValue: code)
    }
}

/// What a workload class may still spend: one account for each calendar period, or for each batch.
package struct BudgetAccount: Sendable {
    package let budget: Budget
    private var period: PeriodUse
    private var batches: [BatchID: PeriodUse] = [:]

    package init(_ budget: Budget) {
        self.budget = budget
        period = PeriodUse(budget.per.period)
    }

    /// Whether one more fits, with everything under way at its worst.
    package func fit(_ worst: Money, batch: BatchID) -> PeriodUse.Fit {
        use(of: batch).fit(PeriodUse.Amount(money: worst), money: budget.limit, requests: nil, tokens: nil)
    }

    /// What is spent so far, and what is reserved beside it for what is in flight.
    package func used(batch: BatchID) -> (spent: Money, reserved: Money) {
        let use = use(of: batch)
        return (use.settled.money, use.reserved.money)
    }

    /// When the account starts anew; nil for a batch, whose account never does.
    package var renews: Timestamp? { budget.per.period == nil ? nil : period.ends }

    private func use(of batch: BatchID) -> PeriodUse {
        budget.per.period == nil ? batches[batch] ?? PeriodUse(nil) : period
    }

    package mutating func reserve(_ worst: Money, batch: BatchID) -> Int {
        change(batch) { $0.reserve(PeriodUse.Amount(money: worst)) }
    }

    package mutating func settle(_ worst: Money, spent: Money, batch: BatchID, number: Int) {
        change(batch) {
            $0.settle(PeriodUse.Amount(money: worst), used: PeriodUse.Amount(money: spent), number: number)
        }
    }

    /// What the ledger has of it already.
    package mutating func recall(_ spent: Money, batch: BatchID) {
        change(batch) { $0.recall(PeriodUse.Amount(money: spent)) }
    }

    package mutating func turn(_ calendar: CalendarPosition) { period.turn(calendar) }

    private mutating func change<Value>(_ batch: BatchID, _ edit: (inout PeriodUse) -> Value) -> Value {
        if budget.per.period == nil { return edit(&batches[batch, default: PeriodUse(nil)]) }
        return edit(&period)
    }
}
