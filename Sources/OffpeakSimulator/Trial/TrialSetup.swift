import OffpeakCore

/// A configuration drawn for a trial: every field that may lead a job to a key, in every combination, sensible or not.
struct TrialSetup {
    private(set) var keys: [KeyDescriptor] = []
    private var pools: [PoolDescriptor] = []
    private(set) var classes: [ClassPolicy] = []
    private var refreshable: Set<String> = []
    private var prices = PriceBook(lists: [])
    /// For each class the names of the keys that may serve it.
    private(set) var allowed: [String: Set<String>] = [:]
    /// Of a hundred answers, so many are good.
    let health: Int

    init(_ chance: inout Chance) {
        health = chance.one(of: [15, 40, 70])
        if chance.percent(40) {
            pools = [PoolDescriptor(name: "pool", limits: Limits(rpm: 3_000, concurrent: chance.within(5...40)))]
        }
        for index in 0..<chance.within(2...5) {
            var key = KeyDescriptor(name: "key-\(index)", provider: "provider-\(chance.below(2))")
            key.billing = chance.one(of: [.provider, .provider, .provider, .routerBYOK, .platform, .platform])
            key.tags = NightPlan.tags.filter { _ in chance.percent(50) }
            key.enabled = chance.percent(92)
            if !pools.isEmpty, chance.percent(40) { key.pool = "pool" }
            key.limits = Limits(rpm: chance.one(of: [60, 3_000, 6_000]), concurrent: chance.one(of: [3, 20, 40]))
            if chance.percent(25) {
                var served: [String: String] = [:]
                for model in NightPlan.models where chance.percent(75) { served[model] = "x-\(model)" }
                key.models = .only(served)
            }
            if chance.percent(20) { key.quota = Quota(requests: chance.within(20...2_000), per: .day) }
            if chance.percent(15) { key.credit = Credit(amount: .dollars(1)) }
            if chance.percent(15) { key.provisionedTPM = 2_000 }
            if chance.percent(20) { refreshable.insert(key.name) }
            key.lanes = chance.one(of: [[.sync], [.sync, .flex], [.flex], [.batch, .flex, .sync], [.batch, .sync]])
            if chance.percent(80) {
                let rate = TokenRate(chance.within(1...9) * 1_000_000)
                let rates = TokenRates(input: rate, output: rate)
                prices.terms[key.name] =
                    chance.percent(30)
                    ? .free
                    : .terms(["*": ModelTerms(rates: rates, lanes: [.flex: .share(millionths: 500_000)])])
            }
            // One at least serves all models, so that something can go on.
            if index == 0 { (key.enabled, key.models, key.lanes) = (true, .any, [.sync, .flex]) }
            keys.append(key)
        }
        redrawClasses(&chance)
    }

    /// New policies under the same names, as an edited configuration has them.
    mutating func redrawClasses(_ chance: inout Chance) {
        classes = []
        for index in 0..<3 {
            // Two are always closed, so that each trial is about something.
            let postures: [Posture] = index < 2 ? [.strict, .governance] : Posture.allCases
            classes.append(drawClass("class-\(index)", chance.one(of: postures), &chance))
        }
        allowed = [:]
        for policy in classes {
            allowed[policy.name] = Set(keys.filter { Checks.mayServe($0, policy) }.map(\.name))
        }
    }

    private func drawClass(_ name: String, _ posture: Posture, _ chance: inout Chance) -> ClassPolicy {
        var policy = ClassPolicy(name: name, posture: posture)
        let names = keys.map(\.name)
        if chance.percent(60) { policy.keyOrder = names.filter { _ in chance.percent(60) }.reversed() }
        if chance.percent(policy.isClosed ? 70 : 20) { policy.keyOnly = names.filter { _ in chance.percent(50) } }
        if chance.percent(policy.isClosed ? 30 : 15) {
            policy.requireTags = NightPlan.tags.filter { _ in chance.percent(35) }
        }
        if chance.percent(15) { policy.keyExclude = [chance.one(of: names)] }
        policy.shared = chance.percent(70) ? chance.one(of: SharedUse.allCases) : policy.shared
        policy.objective = chance.one(of: Objective.allCases)
        policy.lanes = chance.one(of: [[.sync], [.flex, .sync], [.batch, .flex, .sync], [.sync, .flex], [.flex]])
        policy.attempts = chance.within(1...5)
        policy.backoffBase = .milliseconds(200)
        policy.backoffCap = .milliseconds(5_000)
        policy.weight = chance.within(1...3)
        for model in NightPlan.models where chance.percent(50) {
            policy.models[model] = [model] + NightPlan.models.filter { $0 != model && chance.percent(50) }
        }
        for failure in FailureClass.allCases where chance.percent(40) {
            policy.ladders[failure] = (0..<chance.within(1...4)).map { _ in chance.one(of: LadderStep.allCases) }
        }
        if chance.percent(15) {
            let scope = chance.one(of: Budget.Scope.allCases)
            policy.budget = Budget(limit: .dollars(1), per: scope, then: chance.one(of: Budget.End.allCases))
        }
        return policy
    }

    func isClosed(_ name: String) -> Bool {
        classes.contains { $0.name == name && ($0.posture == .strict || $0.posture == .governance) }
    }

    func scheduler(seed: UInt64) -> Scheduler {
        let names = keys.map(\.name)
        // All keys for every class, as if whoever resolves them had got it wrong.
        let entries = classes.map { policy in
            (policy: policy, keys: policy.keyOrder + names.filter { !policy.keyOrder.contains($0) })
        }
        return Scheduler(
            keys: keys, pools: pools, classes: entries, prices: prices, refreshableKeys: refreshable, seed: seed)
    }
}
