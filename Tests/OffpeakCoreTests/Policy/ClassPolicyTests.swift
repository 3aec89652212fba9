import OffpeakCore
import Testing

@Suite struct `Class policies` {
    @Test func `presets have the contract's use of shared capacity and objective`() {
        let table = [
            ("strict", "never", "order"), ("fallback", "when-exhausted", "order"), ("cost", "spill", "cost"),
            ("governance", "never", "order"), ("resilience", "always", "speed"),
        ]
        #expect(table.count == Posture.allCases.count)
        for (posture, shared, objective) in table {
            let policy = ClassPolicy(name: "c", posture: Posture(rawValue: posture)!)
            #expect(policy.shared.rawValue == shared && policy.objective.rawValue == objective, "\(posture)")
            #expect(policy.isClosed == (posture == "strict" || posture == "governance"))
            #expect(policy.weight == 1 && policy.priority == 0 && policy.attempts == 5)
            #expect(policy.deadline == nil && policy.window == nil && policy.models.isEmpty)
        }
    }

    @Test func `without rules, open postures admit every key and closed ones none`() {
        let key = KeyDescriptor(name: "a", provider: "p", tags: ["eu"])
        for posture in Posture.allCases {
            #expect(
                ClassPolicy(name: "c", posture: posture).admits(key)
                    == [.fallback, .cost, .resilience].contains(posture))
        }
    }

    /// Names and tags are few, so that random rules meet random keys often.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `a class admits exactly the keys that its rules leave, whatever the configuration`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var admitted = 0
        for round in 0..<5_000 {
            let key = Self.key(&generator)
            let policy = Self.policy(&generator)
            // Beside the code's chain of refusals: the set of keys that the contract leaves.
            let named = Set(policy.keyOnly)
            var allowed: Set<String> = named.isEmpty ? Set(Self.names) : named
            allowed.subtract(policy.keyExclude)
            if !Set(policy.requireTags).isSubset(of: key.tags) { allowed.remove(key.name) }
            let isClosed = policy.posture == .strict || policy.posture == .governance
            if key.billing == .platform && (policy.shared == .never || isClosed) { allowed.remove(key.name) }
            if isClosed && named.isEmpty && policy.requireTags.isEmpty { allowed = [] }
            #expect(
                policy.admits(key) == allowed.contains(key.name),
                "round \(round), \(rerun("Class policies", seed: seed))")
            admitted += allowed.contains(key.name) ? 1 : 0
        }
        // Both answers occur often, so that agreement means something.
        #expect((500...4_500).contains(admitted))
    }

    private static let names = ["a", "b", "c", "d"]
    private static let tags = ["eu", "zdr", "approved"]

    private static func key(_ generator: inout SeededGenerator) -> KeyDescriptor {
        KeyDescriptor(
            name: names.randomElement(using: &generator)!, provider: "p",
            billing: Billing.allCases.randomElement(using: &generator)!,
            tags: tags.filter { _ in Bool.random(using: &generator) }, enabled: Bool.random(using: &generator))
    }

    private static func policy(_ generator: inout SeededGenerator) -> ClassPolicy {
        func some(_ list: [String], _ generator: inout SeededGenerator) -> [String] {
            guard Int.random(in: 0..<2, using: &generator) == 0 else { return [] }
            return list.filter { _ in Int.random(in: 0..<3, using: &generator) == 0 }
        }
        var policy = ClassPolicy(name: "c", posture: Posture.allCases.randomElement(using: &generator)!)
        policy.keyOrder = some(names, &generator)
        policy.keyOnly = some(names, &generator)
        policy.keyExclude = some(names, &generator)
        policy.requireTags = some(tags, &generator)
        policy.shared = SharedUse.allCases.randomElement(using: &generator)!
        return policy
    }

    @Test func `a key serves the models that it names, under the provider's names`() {
        #expect(ModelAccess.any.providerModel(for: "m") == "m")
        #expect(ModelAccess.only(["fast": "m-2026"]).providerModel(for: "fast") == "m-2026")
        #expect(ModelAccess.only(["fast": "m-2026"]).providerModel(for: "m-2026") == nil)
    }

    @Test func `states of a job are final exactly when nothing more happens by itself or by a person`() {
        #expect(JobState.allCases.filter(\.isFinal) == [.succeeded, .failed, .cancelled])
        // The queue's own numbers: they are in files of users.
        #expect(JobState.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5, 6])
    }
}
