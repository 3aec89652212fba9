import OffpeakCore
import Testing

/// Which key serves a job: order, objective, pools, models, disabled and paused keys.
@Suite struct `Scheduler: keys` {
    @Test(arguments: [Posture.strict, .fallback, .cost, .governance])
    func `the first key of the class's order that has room serves`(_ posture: Posture) {
        var bench = Bench(
            keys: ["a", "b", "c"].map { key($0, limits: Limits(rpm: 60, concurrent: 4)) },
            classes: [policy("x", posture, only: ["a", "b", "c"], order: ["c", "a"])])
        bench.answer = { _ in .init(after: .seconds(1), report: answered()) }
        bench.submit(12, to: 1, class: "x")
        bench.tell()
        bench.turn()
        #expect(bench.starts.map(\.key) == ["c", "c", "c", "c", "a", "a", "a", "a", "b", "b", "b", "b"])
    }

    @Test func `with speed as objective, the key that answers fastest serves once all are known`() {
        var bench = Bench(
            keys: ["slow", "fast", "middling"].map { key($0, limits: Limits(concurrent: 4)) },
            classes: [policy("x", .resilience)])
        let times = ["slow": 900, "fast": 100, "middling": 500] as [String: Int64]
        bench.answer = { start in .init(after: .milliseconds(times[start.key]!), report: answered()) }
        bench.submit(12, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(10))
        #expect(Set(bench.startsByKey.keys) == ["slow", "fast", "middling"])
        let before = bench.starts.count
        bench.submit(3, to: 1, class: "x")
        bench.tell(foreign: true)
        bench.turn()
        #expect(bench.starts.dropFirst(before).map(\.key) == ["fast", "fast", "fast"])
    }

    @Test func `an explanation names every key that was passed over, and why`() {
        var bench = Bench(
            keys: [
                key("full", limits: Limits(concurrent: 1)), key("other", models: .only(["n": "n"])),
                key("say \"hi\"\\", limits: Limits(rpm: 1, concurrent: 9)), key("last"),
            ], classes: [policy("x") { $0.objective = .order }])
        bench.answer = { _ in .init(after: .seconds(50), report: answered()) }
        bench.submit(3, to: 1, class: "x")
        bench.tell()
        bench.turn()
        #expect(bench.starts.map(\.key) == ["full", "say \"hi\"\\", "last"])
        #expect(bench.starts[0].passedOver == "")
        #expect(
            bench.starts[2].passedOver
                == #"[{"key":"full","reason":"1 request is in flight, as many as it may have"},{"key":"other","reason":"it does not serve the model"},{"key":"say \"hi\"\\","reason":"its limit of 1 request a minute is in use"}]"#
        )
    }

    @Test func `keys of one pool share its limits, and the pool is used entirely`() {
        var bench = Bench(
            keys: [
                key("a", pool: "org", limits: Limits(concurrent: 32)),
                key("b", pool: "org", limits: Limits(concurrent: 32)),
            ],
            pools: [PoolDescriptor(name: "org", limits: Limits(rpm: 120))], classes: [policy("x")])
        bench.submit(3_000, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(10))
        #expect(bench.mostStarts(within: .minutes(1)) <= 120)
        #expect(bench.starts.count >= 1_150)
    }

    @Test func `a key's own limit holds within its pool`() {
        var bench = Bench(
            keys: [key("a", pool: "org", limits: Limits(rpm: 30)), key("b", pool: "org", limits: Limits(rpm: 1_000))],
            pools: [PoolDescriptor(name: "org", limits: Limits(rpm: 100, concurrent: 16))], classes: [policy("x")])
        bench.submit(3_000, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(10))
        #expect(bench.mostStarts(within: .minutes(1)) { $0.key == "a" } <= 30)
        #expect(bench.mostStarts(within: .minutes(1)) <= 100)
        #expect(bench.startsByKey["a"]! >= 280 && bench.starts.count >= 960)
    }

    @Test func `two pools are both used up`() {
        var bench = Bench(
            keys: [
                key("a", pool: "one", limits: Limits(concurrent: 16)),
                key("b", pool: "two", limits: Limits(concurrent: 16)),
            ],
            pools: [
                PoolDescriptor(name: "one", limits: Limits(rpm: 60)),
                PoolDescriptor(name: "two", limits: Limits(rpm: 90)),
            ],
            classes: [policy("x")])
        bench.submit(3_000, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(10))
        #expect(bench.mostStarts(within: .minutes(1)) { $0.key == "a" } <= 60)
        #expect(bench.mostStarts(within: .minutes(1)) { $0.key == "b" } <= 90)
        #expect(bench.startsByKey["a"]! >= 570 && bench.startsByKey["b"]! >= 860)
    }

    @Test func `a pool's concurrency holds over all of its keys`() {
        var bench = Bench(
            keys: [key("a", pool: "org", limits: Limits()), key("b", pool: "org", limits: Limits())],
            pools: [PoolDescriptor(name: "org", limits: Limits(concurrent: 5))], classes: [policy("x")])
        bench.answer = { _ in .init(after: .seconds(3), report: answered()) }
        bench.submit(100, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(30))
        #expect(bench.mostStarts(within: .milliseconds(2_999)) == 5)
        #expect(bench.starts.count >= 50)
    }

    @Test func `a disabled key and one that the class does not admit are never used, whatever the caller says`() {
        for posture in Posture.allCases {
            var bench = Bench(
                keys: [
                    key("off", enabled: false), key("platform", billing: .platform), key("excluded"), key("untagged"),
                    key("good", tags: ["eu"]),
                ],
                classes: [
                    policy("x", posture) {
                        $0.requireTags = ["eu"]
                        $0.keyExclude = ["excluded"]
                    }
                ])
            bench.submit(50, to: 1, class: "x")
            bench.tell()
            bench.run(for: .minutes(1))
            #expect(bench.startsByKey == ["good": 50])
        }
    }

    @Test(arguments: Posture.allCases)
    func `a class whose only key is disabled parks its work and says so`(_ posture: Posture) {
        var bench = Bench(keys: [key("off", enabled: false)], classes: [policy("x", posture, only: ["off"])])
        bench.submit(10, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.starts.isEmpty)
        #expect(bench.count(.parked) == 10)
        #expect(bench.parkings.map(\.failure.code) == ["no_key"])
        #expect(bench.parkings.map(\.failure.message) == ["class x has no enabled key; see `offpeak check`"])
    }

    @Test func `a flow whose class is not configured is left alone, and the others go on`() {
        var bench = Bench(keys: [key("k")], classes: [policy("x")])
        bench.submit(10, to: 1, class: "gone")
        bench.submit(10, to: 2, class: "x")
        for foreign in [false, true, false] {
            bench.tell(foreign: foreign)
            bench.run(for: .seconds(5))
        }
        #expect(bench.count(.succeeded, in: 2) == 10)
        #expect(bench.count(.ready, in: 1) == 10)
        #expect(bench.holds.allSatisfy { $0.flow == 2 } && bench.parkings.isEmpty)
    }

    @Test func `models go under the provider's names, and only through keys that have them`() {
        var bench = Bench(
            keys: [
                key("a", models: .only(["n": "n"])), key("b", models: .only(["fast": "fast-2026-01", "n": "n-b"])),
            ],
            classes: [policy("x")])
        bench.submit(3, to: 1, class: "x", model: "fast")
        bench.submit(3, to: 2, class: "x", model: "n")
        bench.tell()
        bench.run(for: .seconds(9))
        #expect(Set(bench.starts.filter { $0.flow == 1 }.map { "\($0.key) \($0.model)" }) == ["b fast-2026-01"])
        #expect(Set(bench.starts.filter { $0.flow == 2 }.map { "\($0.key) \($0.model)" }) == ["a n"])
    }

    @Test func `a model that one key turns out not to have goes through the next, for all jobs`() {
        var bench = Bench(keys: [key("a", limits: Limits(concurrent: 2)), key("b")], classes: [policy("x", .fallback)])
        bench.answer = { start in
            let isMissing = start.key == "a" && start.model == "m"
            return .init(after: .milliseconds(100), report: isMissing ? failed(failure(.modelUnavailable)) : answered())
        }
        bench.submit(50, to: 1, class: "x")
        bench.submit(5, to: 2, class: "x", model: "other")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.count(.succeeded) == 55)
        #expect(bench.starts.count { $0.key == "a" && $0.model == "m" } == 2)
        // Other models still go through the first key.
        #expect(bench.starts.contains { $0.key == "a" && $0.model == "other" })
    }

    @Test func `a model that no key has parks the flow`() {
        var bench = Bench(keys: [key("a", models: .only(["n": "n"]))], classes: [policy("x")])
        bench.submit(7, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.starts.isEmpty && bench.count(.parked) == 7)
        #expect(bench.parkings.map(\.failure.code) == ["no_key_for_model"])
    }

    @Test func `the next model of the chain serves what the first cannot`() {
        var bench = Bench(
            keys: [key("a", models: .only(["m": "m", "n": "n"]))],
            classes: [policy("x", .resilience) { $0.models = ["m": ["m", "n"]] }])
        bench.answer = { start in
            .init(after: .milliseconds(100), report: start.model == "m" ? failed(failure(.invalidOutput)) : answered())
        }
        let ids = bench.submit(4, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(5))
        for id in ids {
            #expect(bench.jobs[id]!.story == ["retry", "next-model", "complete"])
            #expect(bench.jobs[id]!.model == "n")
        }
    }
}
