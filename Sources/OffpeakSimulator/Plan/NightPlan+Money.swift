import OffpeakCore

extension NightPlan {
    /// The night of the same seed, with prices, budgets, quotas and the like.
    package static func drawnWithMoney(from seed: UInt64) -> NightPlan {
        var plan = drawn(from: seed)
        var chance = Chance(seed: seed, purpose: 21)
        var money = MoneyPlan()
        plan.drawPrices(&money, &chance)
        for i in plan.keys.indices { plan.drawTerms(i, &money, &chance) }
        for i in plan.pools.indices where chance.percent(30) { plan.pools[i].quota = drawQuota(&chance) }
        for i in plan.classes.indices {
            if chance.percent(50) { plan.classes[i].policy.shared = chance.one(of: SharedUse.allCases) }
            if chance.percent(35) { plan.classes[i].policy.objective = .cost }
            if chance.percent(55) { plan.classes[i].policy.budget = drawBudget(&chance) }
        }
        for _ in 0..<chance.below(3) {
            plan.acts.append(Act(at: chance.within(0...plan.dawn), .raise(chance.one(of: [2, 5, 20]))))
        }
        money.silent = chance.one(of: [0, 0, 20, 200])
        money.hasKinds = chance.percent(60)
        plan.drawBeyond(&money)
        plan.money = money
        return plan
    }

    /// Some flows take more than their bytes.
    private mutating func drawBeyond(_ money: inout MoneyPlan) {
        var chance = Chance(seed: seed, purpose: 22)
        for name in money.list.keys.sorted() where chance.percent(50) {
            money.list[name]?.maxInputTokens = chance.within(1_000...20_000)
        }
        guard !hasExactTokens else { return }
        for batch in batches.indices {
            for flow in batches[batch].flows.indices where chance.percent(20) {
                batches[batch].flows[flow].beyond = chance.one(
                    of: [.tokens(chance.within(1...10_000)), .tokens(500), .context, .context, .charges, .otherRate])
            }
        }
    }

    /// The same night with lanes: models that are half as dear in flex, keys that have it, and flex that is often full.
    package static func drawnWithLanes(from seed: UInt64) -> NightPlan {
        var plan = drawnWithMoney(from: seed)
        guard var money = plan.money else { return plan }
        var chance = Chance(seed: seed, purpose: 31)
        for name in money.list.keys.sorted() { money.list[name]?.hasFlex = chance.percent(80) }
        for key in plan.keys {
            guard case .own(var rates)? = money.terms[key.name] else { continue }
            for model in rates.keys.sorted() { rates[model]?.hasFlex = chance.percent(60) }
            money.terms[key.name] = .own(rates)
        }
        for i in plan.keys.indices {
            plan.keys[i].lanes = chance.one(of: [[.sync], [.sync, .flex], [.flex, .sync, .batch], [.flex, .sync]])
        }
        for i in plan.classes.indices {
            plan.classes[i].policy.lanes = chance.one(of: [
                [.sync], [.flex, .sync], [.batch, .flex, .sync], [.sync, .flex],
            ])
            // Flex takes three times as long; where the timeout is less, nothing but lane sync ever answers.
            plan.classes[i].policy.flexTimeout = plan.classes[i].policy.timeout * chance.within(3...6)
        }
        money.flexRefused = chance.one(of: [0, 50, 400, 1_000])
        money.flexUpgraded = chance.one(of: [0, 100])
        plan.money = money
        return plan
    }

    private func drawPrices(_ money: inout MoneyPlan, _ chance: inout Chance) {
        // Discounts of rates in whole thousands of nano-dollars are exact, so twice a discounted rate is the
        // discounted twice of it.
        func rate(_ range: ClosedRange<Int64>) -> Int64 { chance.within(range) * 1_000_000 }
        for provider in 0..<2 {
            for model in Self.models.flatMap({ [$0, "x-\($0)"] }) where chance.percent(88) {
                var plan = RatePlan(input: rate(50...4_000), output: rate(100...12_000))
                if chance.percent(50) { plan.cached = plan.input / 10_000_000 * 1_000_000 }
                if chance.percent(30) { plan.write = plan.input / 4_000_000 * 5_000_000 }
                if chance.percent(20) { plan.reasoning = rate(100...15_000) }
                if chance.percent(20) { plan.doublesAbove = chance.within(50...1_200) }
                if chance.percent(70) { plan.maxOutputTokens = chance.within(500...2_000) }
                if chance.percent(8) { plan = RatePlan(input: 0, output: 0, maxOutputTokens: 700) }
                money.list["provider-\(provider)/\(model)"] = plan
            }
        }
    }

    private mutating func drawTerms(_ i: Int, _ money: inout MoneyPlan, _ chance: inout Chance) {
        let name = keys[i].name
        switch chance.below(10) {
        case 0: money.terms[name] = .free
        case 1...2: money.terms[name] = .discount(millionths: chance.within(1...9) * 100_000)
        case 3...4:
            var own: [String: RatePlan] = [:]
            for model in Self.models where chance.percent(60) {
                own[model] = RatePlan(
                    input: chance.within(10...4_000_000) * 1_000, output: chance.within(10...9_000_000) * 1_000)
            }
            money.terms[name] = .own(own)
        default: money.terms[name] = .list
        }
        if chance.percent(20) {
            keys[i].billing = .platform
        } else if chance.percent(25) {
            keys[i].billing = .routerBYOK
        }
        switch keys[i].billing {
        case .provider: if chance.percent(20) { keys[i].provisionedTPM = chance.one(of: [1_000, 5_000, 20_000]) }
        case .routerBYOK:
            var fee = PlatformFee(shareMillionths: chance.within(1...100) * 1_000)
            fee.per = chance.one(of: Period.allCases)
            if chance.percent(40) { fee.allowance = .money(Money(nanodollars: chance.within(0...60_000_000))) }
            if chance.percent(30) { fee.allowance = .requests(chance.within(0...30)) }
            keys[i].fee = fee
            if chance.percent(30) { money.reporting.insert(name) }
        case .platform: if chance.percent(40) { money.reporting.insert(name) }
        }
        if keys[i].billing != .platform, chance.percent(30) {
            keys[i].credit = Credit(amount: Money(nanodollars: chance.within(100_000...60_000_000)))
            if chance.percent(50) {
                keys[i].credit?.expires = Timestamp(milliseconds: start + chance.within(0...dawn))
            }
        }
        if chance.percent(35) { keys[i].quota = Self.drawQuota(&chance) }
    }

    private static func drawQuota(_ chance: inout Chance) -> Quota {
        var quota = Quota(per: chance.one(of: Period.allCases))
        if chance.percent(60) { quota.money = Money(nanodollars: chance.within(1_000_000...100_000_000)) }
        if chance.percent(40) { quota.requests = chance.within(2...50) }
        if chance.percent(40) || (quota.money == nil && quota.requests == nil) {
            quota.tokens = chance.within(1_500...40_000)
        }
        return quota
    }

    private static func drawBudget(_ chance: inout Chance) -> Budget {
        Budget(
            limit: Money(nanodollars: chance.within(500_000...80_000_000)), per: chance.one(of: Budget.Scope.allCases),
            then: chance.one(of: Budget.End.allCases))
    }

    /// The night's configuration after people have raised what may be spent so many times over; 0: without any end.
    func raised(_ factor: Int) -> NightPlan {
        guard factor != 1 else { return self }
        var plan = self
        for i in plan.keys.indices { plan.keys[i].quota = plan.keys[i].quota?.raised(factor) }
        for i in plan.pools.indices { plan.pools[i].quota = plan.pools[i].quota?.raised(factor) }
        for i in plan.classes.indices {
            guard factor > 0, let limit = plan.classes[i].policy.budget?.limit else {
                plan.classes[i].policy.budget = nil
                continue
            }
            plan.classes[i].policy.budget?.limit = Money(nanodollars: limit.nanodollars * Int64(factor))
        }
        return plan
    }
}

extension Quota {
    fileprivate func raised(_ factor: Int) -> Quota? {
        if factor == 0 { return nil }
        return Quota(
            money: money.map { Money(nanodollars: $0.nanodollars * Int64(factor)) },
            requests: requests.map { $0 * factor },
            tokens: tokens.map { $0 * factor }, per: per)
    }
}
