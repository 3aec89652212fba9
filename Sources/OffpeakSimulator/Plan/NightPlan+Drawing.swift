import OffpeakCore
import OffpeakStore

extension NightPlan {
    /// A night drawn from a seed.
    package static func drawn(from seed: UInt64) -> NightPlan {
        var plan = NightPlan(seed: seed)
        var chance = Chance(seed: seed, purpose: 1)
        let midnight: Int64 = 20_000 * Self.day
        // Often shortly before midnight, since that is where days turn.
        plan.start =
            midnight
            + (chance.percent(40) ? Self.day - chance.within(60_000...1_500_000) : chance.within(0...Self.day - 1))
        plan.dawn = chance.within(120_000...2_400_000)
        plan.hasExactTokens = chance.percent(70)
        plan.network.delay = chance.one(of: [1...5, 10...60, 20...200, 10...450])
        plan.network.work = chance.one(of: [20...200, 100...2_000, 500...9_000, 2_000...20_000])
        plan.drawKeys(&chance)
        plan.drawClasses(&chance)
        plan.drawBatches(&chance)
        if chance.percent(80) { plan.drawFaults(&chance) }
        plan.drawActs(&chance)
        plan.drawRuns(&chance)
        return plan
    }

    static let day: Int64 = 86_400_000
    static let models = ["small", "large", "tiny"]
    static let tags = ["eu", "zdr", "approved"]

    // MARK: Keys

    private mutating func drawKeys(_ chance: inout Chance) {
        for index in 0..<chance.one(of: [0, 0, 1, 1, 2]) {
            var limits = Limits()
            drawLimits(&limits, &chance)
            if limits.isEmpty { limits.rpm = chance.within(10...90) }
            let pool = PoolDescriptor(name: "pool-\(index)", limits: limits)
            pools.append(pool)
            poolAccounts[pool.name] = drawAccount(limits, slices: false, &chance)
        }
        for index in 0..<chance.one(of: [1, 1, 2, 2, 3, 4]) {
            var key = KeyDescriptor(name: "key-\(index)", provider: "provider-\(chance.below(2))")
            if !chance.percent(25) { drawLimits(&key.limits, &chance) }
            if !pools.isEmpty && chance.percent(60) { key.pool = chance.one(of: pools).name }
            key.tags = Self.tags.filter { _ in chance.percent(50) }
            key.limitModel = chance.percent(15) ? .slices : .sliding
            key.tokenCounting = chance.percent(25) ? .reserved : .usage
            if chance.percent(20) { refreshable.insert(key.name) }
            key.enabled = !chance.percent(5)
            if chance.percent(8) { key.billing = .platform }
            if chance.percent(25) {
                var served: [String: String] = [:]
                for model in Self.models where chance.percent(70) {
                    served[model] = chance.percent(50) ? model : "x-\(model)"
                }
                key.models = .only(served)
            }
            keys.append(key)
            accounts[key.name] = drawAccount(key.limits, slices: key.limitModel == .slices, &chance)
        }
    }

    private func drawLimits(_ limits: inout Limits, _ chance: inout Chance) {
        if chance.percent(65) { limits.rpm = chance.one(of: [2, 6, 15, 30, 60, 120, 300]) }
        if chance.percent(40) { limits.tpm = chance.one(of: [2_500, 6_000, 20_000, 60_000]) }
        if chance.percent(20) { limits.rpd = chance.within(15...60) }
        if chance.percent(10) { limits.tpd = chance.within(8_000...40_000) }
        if chance.percent(40) { limits.concurrent = chance.one(of: [1, 2, 4, 16]) }
    }

    private func drawAccount(_ stated: Limits, slices: Bool, _ chance: inout Chance) -> AccountPlan {
        var account = AccountPlan()
        account.sendsHeaders = chance.percent(40)
        account.retryAfter = chance.one(of: AccountPlan.RetryAfter.allCases)
        let kinds: [MeterKind] = [.sliding, .bucket, .fixed]
        switch chance.below(10) {
        case 0...5:
            account.isAsStated = true
            let kind = slices ? .slices : chance.one(of: kinds)
            if let rpm = stated.rpm { account.limits.append(.init(kind, rpm)) }
            if let tpm = stated.tpm { account.limits.append(.init(chance.one(of: kinds), tpm, countsTokens: true)) }
            account.concurrent = stated.concurrent
        case 6...7:
            // Stricter than what was stated, or strict where nothing was.
            let share = chance.within(50...95)
            let rpm = (stated.rpm ?? chance.within(10...120)) * share / 100
            account.limits.append(.init(chance.one(of: MeterKind.allCases), max(1, rpm)))
            if let tpm = stated.tpm, chance.percent(50) {
                account.limits.append(.init(chance.one(of: kinds), max(1_800, tpm * share / 100), countsTokens: true))
            }
            if chance.percent(30) { account.concurrent = chance.within(1...8) }
        case 8:
            let window = chance.one(of: [1_000, 10_000, 60_000, 300_000] as [Int64])
            account.limits.append(.init(chance.one(of: kinds), chance.within(2...40), window: window))
        default: break
        }
        return account
    }

    // MARK: Classes

    private mutating func drawClasses(_ chance: inout Chance) {
        for index in 0..<chance.within(1...4) {
            var policy = ClassPolicy(name: "class-\(index)", posture: chance.one(of: Posture.allCases))
            let names = keys.map(\.name)
            if chance.percent(policy.isClosed ? 75 : 20) {
                policy.keyOnly = names.filter { _ in chance.percent(60) }
            }
            if chance.percent(policy.isClosed && policy.keyOnly.isEmpty ? 100 : 15) {
                policy.requireTags = Self.tags.filter { _ in chance.percent(30) }
            }
            if chance.percent(10) { policy.keyExclude = [chance.one(of: names)] }
            policy.attempts = chance.within(1...5)
            policy.backoffBase = .milliseconds(chance.one(of: [100, 1_000, 5_000]))
            policy.backoffCap = .milliseconds(chance.one(of: [2_000, 30_000, 120_000]))
            policy.timeout = .milliseconds(network.work.upperBound + 2_000 + chance.within(0...60_000))
            policy.weight = chance.one(of: [1, 1, 2, 5])
            policy.priority = chance.one(of: [0, 0, 0, 1, -1])
            policy.objective = chance.one(of: Objective.allCases)
            if chance.percent(40) {
                for model in Self.models where chance.percent(50) {
                    policy.models[model] = [model] + Self.models.filter { $0 != model && chance.percent(50) }
                }
            }
            if chance.percent(25) { drawLadders(&policy, &chance) }
            // Classes that no key may serve are worth a look, but not many.
            if chance.percent(85), !keys.contains(where: { Checks.mayServe($0, policy) }) {
                (policy.keyOnly, policy.requireTags, policy.keyExclude) = (policy.isClosed ? names : [], [], [])
            }
            var plan = ClassPlan(policy)
            if chance.percent(25) { plan.window = drawWindow(&chance) }
            classes.append(plan)
        }
    }

    private func drawLadders(_ policy: inout ClassPolicy, _ chance: inout Chance) {
        for failure in FailureClass.allCases where chance.percent(25) {
            policy.ladders[failure] = (0..<chance.within(1...3)).map { _ in chance.one(of: LadderStep.allCases) }
        }
    }

    /// Opens or closes somewhere in the night, so that it matters.
    private func drawWindow(_ chance: inout Chance) -> ClosedRange<Int64> {
        let turn: Int64 = (start + chance.within(0...dawn)) % Self.day
        let length: Int64 = chance.within(60_000...36_000_000)
        let opens = chance.percent(50) ? turn : (turn - length + Self.day) % Self.day
        return opens...(opens + length)
    }

    // MARK: Batches

    private mutating func drawBatches(_ chance: inout Chance) {
        var left = chance.one(of: [10, 30, 60, 120])
        while left > 0 {
            var flows: [BatchPlan.FlowPlan] = []
            for _ in 0..<chance.within(1...3) where left > 0 {
                let jobs = min(left, chance.within(1...40))
                left -= jobs
                let bytes = chance.within(40...2_000)
                flows.append(
                    .init(
                        className: chance.one(of: classes).policy.name, model: chance.one(of: Self.models), jobs: jobs,
                        bodyBytes: hasExactTokens ? bytes...bytes : bytes / 2...bytes * 2,
                        maxOutputTokens: chance.percent(85) ? chance.within(10...500) : nil))
            }
            batches.append(
                BatchPlan(
                    at: chance.percent(50) ? 0 : chance.within(0...dawn),
                    priority: chance.percent(15) ? chance.within(-1...2) : nil,
                    deadline: chance.percent(30) ? chance.within(60_000...3_600_000) : nil, flows: flows))
        }
        batches.sort { $0.at < $1.at }
    }
}
