import Testing

@testable import OffpeakCore

/// When a platform's shared capacity serves a class: never, to save a deadline, when own keys are exhausted, always.
@Suite struct `Scheduler: shared capacity` {
    private static func bench(
        _ posture: Posture, _ shared: SharedUse?, own: Limits = Limits(rpm: 60, concurrent: 8), quota: Quota? = nil,
        edit: (inout ClassPolicy) -> Void = { _ in }
    ) -> Bench {
        var main = key("own", limits: own)
        main.quota = quota
        var bench = Bench(
            keys: [key("platform", limits: Limits(rpm: 600, concurrent: 64), billing: .platform), main],
            classes: [
                policy("x", posture, only: posture == .strict || posture == .governance ? ["own", "platform"] : []) {
                    $0.shared = shared ?? $0.shared
                    edit(&$0)
                }
            ])
        bench.handle(.periodsTurned(calendar(0)))
        return bench
    }

    @Test(arguments: Posture.allCases, SharedUse.allCases)
    func `own keys come first in every posture, and closed ones never leave them`(
        _ posture: Posture, _ shared: SharedUse
    ) {
        var bench = Self.bench(posture, shared)
        bench.submit(100, to: 1, class: "x")
        bench.tell()
        bench.turn()
        #expect(bench.starts.prefix(8).allSatisfy { $0.key == "own" })
        bench.run(for: .minutes(3))
        let isClosed = posture == .strict || posture == .governance
        if isClosed || shared != .always {
            // At the pace of the own key all the same, since that is not exhausted and nothing is due.
            #expect(bench.startsByKey == ["own": 100])
        } else {
            #expect(bench.startsByKey["platform"]! >= 30 && bench.startsByKey["own"]! >= 8)
        }
    }

    @Test(arguments: [5, 50])
    func `a server that is to be left alone for longer than ten minutes counts as exhausted`(_ minutes: Int64) {
        var bench = Self.bench(.fallback, .whenExhausted) { $0.ladders[.rateLimited] = [.defer] }
        bench.answer = { start in
            let wait = failure(.rateLimited, judged: false, retryAfter: .minutes(minutes))
            return .init(after: .milliseconds(100), report: start.key == "own" ? failed(wait) : answered())
        }
        bench.submit(60, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect((bench.startsByKey["platform"] ?? 0 > 0) == (minutes > 10), "\(bench.startsByKey)")
    }

    @Test(arguments: [Objective.cost, .order, .speed])
    func `when own keys are exhausted, and not before, shared capacity takes over`(_ objective: Objective) {
        var bench = Self.bench(
            .fallback, .whenExhausted, quota: Quota(requests: 20, per: .day), edit: { $0.objective = objective })
        bench.submit(60, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(10))
        #expect(bench.startsByKey.keys.sorted() == ["own"] || bench.startsByKey["own"] == 20)
        bench.run(for: .minutes(3))
        #expect(bench.startsByKey == ["own": 20, "platform": 40])
        // With the new day the own key is back.
        bench.handle(.periodsTurned(calendar(1)))
        bench.submit(5, to: 1, class: "x")
        bench.tell(foreign: true)
        bench.run(for: .minutes(1))
        #expect(bench.startsByKey == ["own": 25, "platform": 40])
    }

    @Test(arguments: [Objective.cost, .order, .speed])
    func `spilling without a deadline never happens: used up own keys are waited for`(_ objective: Objective) {
        var bench = Self.bench(
            .cost, .spill, quota: Quota(requests: 20, per: .day), edit: { $0.objective = objective })
        bench.submit(30, to: 1, class: "x")
        bench.tell()
        bench.run(for: .hours(5))
        #expect(bench.startsByKey == ["own": 20])
        #expect(bench.hold(on: 1)?.until == calendar(0).ends.day)
        bench.handle(.periodsTurned(calendar(1)))
        bench.run(for: .minutes(5))
        #expect(bench.startsByKey == ["own": 30])
    }

    @Test func `with a deadline, shared capacity takes the part that own keys cannot finish, and little more`() {
        var bench = Self.bench(.cost, .spill)
        bench.submit(600, to: 1, class: "x", deadline: second(300))
        for i in bench.flows.indices { bench.flows[i].waiting = 600 }
        bench.tell()
        bench.run(for: .minutes(10))
        #expect(bench.count(.succeeded) == 600)
        #expect(bench.settlements.map(\.ended).max()! <= second(300))
        // The own key does 60 a minute: about 300 of them.
        let own = bench.startsByKey["own"]!
        #expect((280...310).contains(own), "\(own)")
    }

    @Test func `with a deadline that own keys meet, nothing spills`() {
        var bench = Self.bench(.cost, .spill)
        bench.submit(100, to: 1, class: "x", deadline: second(300))
        for i in bench.flows.indices { bench.flows[i].waiting = 100 }
        bench.tell()
        bench.run(for: .minutes(10))
        #expect(bench.startsByKey == ["own": 100])
    }

    @Test func `a model that only the platform has goes there, also when an own key is full with other work`() {
        var bench = Bench(
            keys: [
                key("own", models: .only(["m": "m"]), limits: Limits(rpm: 30, concurrent: 1)),
                key("platform", models: .only(["n": "n"]), billing: .platform),
            ], classes: [policy("x"), policy("y")])
        bench.answer = { start in
            .init(after: start.key == "own" ? .seconds(50) : .milliseconds(100), report: answered())
        }
        bench.submit(50, to: 1, class: "x", model: "m")
        bench.submit(20, to: 2, class: "y", model: "n")
        bench.tell()
        bench.run(for: .seconds(40))
        #expect(bench.count(.succeeded, in: 2) == 20)
    }

    @Test func `several platform keys serve in their order`() {
        var bench = Bench(
            keys: [key("p1", limits: Limits(concurrent: 2), billing: .platform), key("p2", billing: .platform)],
            classes: [policy("x", .fallback)])
        bench.answer = { _ in .init(after: .seconds(1), report: answered()) }
        bench.submit(4, to: 1, class: "x")
        bench.tell()
        bench.turn()
        // Without own keys there is nothing to wait for.
        #expect(bench.starts.map(\.key) == ["p1", "p1", "p2", "p2"])
    }

    // MARK: Ladders

    /// What becomes of one job whose own keys `a` and `b` fail with a class, each time, while the platform answers.
    private static func story(_ posture: Posture, _ failureClass: FailureClass, chain: [String] = []) -> [String] {
        let closed = posture == .strict || posture == .governance
        var bench = Bench(
            keys: [key("a"), key("b"), key("platform", billing: .platform)],
            classes: [
                policy("x", posture, only: closed ? ["a", "b"] : []) {
                    $0.attempts = 20
                    $0.models = chain.isEmpty ? [:] : ["m": chain]
                }
            ])
        bench.answer = { start in
            let fails = start.key != "platform"
            return .init(
                after: .milliseconds(100),
                report: fails ? failed(failure(failureClass, retryAfter: .seconds(20))) : answered())
        }
        let id = bench.submit(1, to: 1, class: "x")[0]
        bench.tell()
        bench.run(for: .seconds(30))
        return bench.jobs[id]!.story
    }

    @Test(arguments: [
        (Posture.fallback, FailureClass.quotaExhausted, ["next-key", "shared", "complete"]),
        (.fallback, .rateLimited, ["next-key", "shared", "complete"]),
        (.fallback, .keyRejected, ["next-key", "shared", "complete"]),
        (.fallback, .modelUnavailable, ["next-key", "shared", "complete"]),
        (.fallback, .overloaded, ["retry", "next-key", "shared", "complete"]),
        (.resilience, .quotaExhausted, ["next-key", "shared", "complete"]),
        (.resilience, .keyRejected, ["next-key", "shared", "complete"]),
        (.resilience, .overloaded, ["next-key", "shared", "complete"]),
        (.resilience, .timedOut, ["next-key", "shared", "complete"]),
    ])
    func `the ladders of fallback and resilience lead to shared capacity after every own key`(
        _ posture: Posture, _ failureClass: FailureClass, _ expected: [String]
    ) {
        #expect(Self.story(posture, failureClass) == expected)
    }

    @Test(arguments: [Posture.strict, .cost, .governance], FailureClass.allCases)
    func `the ladders of the others never do`(_ posture: Posture, _ failureClass: FailureClass) {
        #expect(!Self.story(posture, failureClass).contains("shared"))
    }

    @Test(arguments: [FailureClass.invalidRequest, .refused])
    func `what is the request's own fault fails everywhere at once`(_ failureClass: FailureClass) {
        for posture in Posture.allCases { #expect(Self.story(posture, failureClass) == ["fail"], "\(posture)") }
    }

    @Test func `where shared capacity fails too, the chain's next model follows`() {
        var bench = Bench(
            keys: [key("a"), key("platform", billing: .platform)],
            classes: [policy("x", .resilience) { $0.models = ["m": ["m", "n"]] }])
        bench.answer = { start in
            .init(
                after: .milliseconds(100),
                report: start.model == "m" ? failed(failure(.modelUnavailable)) : answered())
        }
        let id = bench.submit(1, to: 1, class: "x")[0]
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.jobs[id]!.story == ["shared", "next-model", "complete"])
        #expect(bench.jobs[id]!.model == "n")
    }

    @Test func `a ladder's shared step is passed over where the class never uses shared capacity`() {
        var bench = Bench(
            keys: [key("a"), key("platform", billing: .platform)],
            classes: [policy("x", .fallback) { $0.shared = .never }])
        bench.answer = { _ in
            .init(after: .milliseconds(100), report: failed(failure(.quotaExhausted, retryAfter: .minutes(9))))
        }
        let id = bench.submit(1, to: 1, class: "x")[0]
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.jobs[id]!.story == ["defer"] && bench.startsByKey == ["a": 1])
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `no attempt ever uses a key that its class does not admit, whatever is configured and fails`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var starts = 0
        for round in 0..<60 {
            let names = ["a", "b", "c", "d", "e"]
            let keys = names.map { name in
                key(
                    name, limits: Limits(rpm: .random(in: 20...400, using: &generator), concurrent: 6),
                    tags: ["eu", "zdr"].filter { _ in Bool.random(using: &generator) },
                    billing: Billing.allCases.randomElement(using: &generator)!)
            }
            let classes = Posture.allCases.map { posture in
                policy(posture.rawValue, posture) {
                    $0.shared = SharedUse.allCases.randomElement(using: &generator)!
                    $0.objective = Objective.allCases.randomElement(using: &generator)!
                    $0.keyOnly = Bool.random(using: &generator) ? [] : names.shuffled(using: &generator).dropLast(2)
                    $0.requireTags = Bool.random(using: &generator) ? [] : ["eu"]
                    $0.ladders = Posture.allCases.randomElement(using: &generator)!.ladders
                }
            }
            var bench = Bench(keys: keys, classes: classes, seed: seed)
            for (i, policy) in classes.enumerated() {
                bench.submit(60, to: FlowID(i + 1), class: policy.name, deadline: i % 2 == 0 ? second(60) : nil)
            }
            var answers = SeededGenerator(seed: seed &+ UInt64(round))
            bench.answer = { _ in
                let isBad = Int.random(in: 0..<3, using: &answers) == 0
                return .init(
                    after: .milliseconds(.random(in: 20...3_000, using: &answers)),
                    report: isBad ? failed(failure(FailureClass.allCases.randomElement(using: &answers)!)) : answered())
            }
            bench.tell()
            bench.run(for: .minutes(5))
            for start in bench.starts {
                let policy = classes[Int(start.flow) - 1]
                let descriptor = keys.first { $0.name == start.key }!
                let isClosed = policy.posture == .strict || policy.posture == .governance
                #expect(policy.admits(descriptor) && !(isClosed && descriptor.billing == .platform))
            }
            starts += bench.starts.count
        }
        #expect(starts > 3_000, "\(rerun("Scheduler: shared capacity", seed: seed))")
    }
}
