import OffpeakCore

extension Night {
    /// The usage, with its tokens of several kinds.
    func kinds(of usage: Usage) -> Usage {
        guard plan.money?.hasKinds == true else { return usage }
        var usage = usage
        if moneyChance.percent(50) { usage.cachedTokens = moneyChance.within(0...usage.inputTokens) }
        if moneyChance.percent(30) {
            usage.cacheWriteTokens = moneyChance.within(0...(usage.inputTokens - usage.cachedTokens))
        }
        if moneyChance.percent(50) { usage.reasoningTokens = moneyChance.within(0...usage.outputTokens) }
        return usage
    }

    /// The answer, with what it says of its cost, or without what it used.
    func priced(_ report: AttemptReport, _ request: Request) -> AttemptReport {
        guard let money = plan.money else { return report }
        var report = report
        let key = plan.keys[request.key]
        if money.reporting.contains(key.name), moneyChance.percent(85) {
            report.reportedCost = reportedCost(key, money, request)
        }
        guard moneyChance.perMille(money.silent) else { return report }
        report.usageReported = false
        switch report.outcome {
        case .success(var answer):
            answer.usage = Usage()
            report.outcome = .success(answer)
        case .failure(var failure):
            failure.usage = Usage()
            report.outcome = .failure(failure)
        }
        return report
    }

    /// Never more than the price list has it.
    private func reportedCost(_ key: KeyDescriptor, _ money: MoneyPlan, _ request: Request) -> ReportedCost {
        let value = money.price(key, request.model)?.cost(request.usage) ?? 0
        func part(_ amount: Int64) -> Money { Money(nanodollars: amount * moneyChance.within(50...100) / 100) }
        guard key.billing == .routerBYOK else {
            return ReportedCost(platform: part(value), usedOwnKey: moneyChance.percent(50) ? false : nil)
        }
        if moneyChance.percent(15) { return ReportedCost(platform: part(value), usedOwnKey: false) }
        let list = money.listPrice(key, request.model)?.cost(request.usage) ?? value
        let fee = RatePlan.ceiling(list * Int64(key.fee?.shareMillionths ?? 0))
        return ReportedCost(
            platform: part(fee), upstream: moneyChance.percent(60) ? part(value) : nil,
            usedOwnKey: moneyChance.percent(70) ? true : nil)
    }
}
