import Testing

@testable import OffpeakCore

/// Which key serves by price, order and speed; when a cheaper one is waited for; keys whose secret ends.
@Suite struct `Scheduler: objectives` {
    private static func bench(
        _ keys: [KeyDescriptor], _ book: PriceBook, jobs: Int = 100, deadline: Timestamp? = nil,
        _ objective: Objective = .cost
    ) -> Bench {
        var bench = Bench(keys: keys, classes: [policy("x") { $0.objective = objective }], prices: book)
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(jobs, to: 1, class: "x", deadline: deadline)
        for i in bench.flows.indices { bench.flows[i].waiting = jobs }
        bench.tell()
        return bench
    }

    private static let limits = Limits(rpm: 60, concurrent: 8)

    @Test func `the cheapest key with room serves, and without a deadline its pace is waited for`() {
        var bench = Self.bench(
            ["dear", "cheap", "middling"].map { key($0, limits: Self.limits) },
            prices(["dear": (9, 9), "cheap": (1, 1), "middling": (3, 3)]))
        bench.run(for: .minutes(5))
        #expect(bench.startsByKey == ["cheap": 100])
    }

    @Test func `a deadline brings in dearer keys for the part that would miss it, the least dear first`() {
        var bench = Self.bench(
            ["dear", "cheap", "middling"].map { key($0, limits: Self.limits) },
            prices(["dear": (9, 9), "cheap": (1, 1), "middling": (3, 3)]), jobs: 300, deadline: second(180))
        bench.run(for: .minutes(6))
        #expect(bench.count(.succeeded) == 300)
        #expect(bench.settlements.map(\.ended).max()! <= second(180))
        let by = bench.startsByKey
        // 60 a minute each for three minutes: 180 and the rest.
        #expect(by["cheap"]! >= 170, "\(by)")
        #expect(by["middling"]! >= 90 && by["dear", default: 0] <= 15, "\(by)")
    }

    @Test func `the room of many keys without limits is added up, also for a deadline in a hundred years`() {
        let names = (0..<9).map { "k\($0)" }
        for blocked in [false, true] {
            var bench = Self.bench(
                names.map { key($0, limits: Limits(rpm: blocked ? 1 : nil, concurrent: 1)) },
                prices(Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, (Int64($0), 1)) })), jobs: 30,
                deadline: second(3_000_000_000))
            bench.run(for: .hours(1))
            #expect(bench.count(.succeeded) == 30)
        }
    }

    @Test func `the price counts, not the rate: long answers make another key the cheapest`() {
        let keys = ["input", "output"].map { key($0, limits: Self.limits) }
        // 400 bytes are about 100 tokens of input; the answers are learned from.
        var bench = Self.bench(keys, prices(["input": (1, 10), "output": (5, 1)]), jobs: 40)
        bench.answer = { _ in
            .init(after: .milliseconds(50), report: answered(Usage(inputTokens: 100, outputTokens: 1)))
        }
        bench.run(for: .minutes(5))
        #expect(bench.starts.suffix(20).allSatisfy { $0.key == "input" })
        var long = Self.bench(keys, prices(["input": (1, 10), "output": (5, 1)]), jobs: 0)
        long.submit(40, to: 1, class: "x", maxOutput: 900)
        long.tell()
        long.answer = { _ in
            .init(after: .milliseconds(50), report: answered(Usage(inputTokens: 100, outputTokens: 800)))
        }
        long.run(for: .minutes(5))
        #expect(long.starts.suffix(20).allSatisfy { $0.key == "output" })
    }

    @Test func `a key whose price nobody knows comes last`() {
        var bench = Self.bench(
            ["unknown", "dear"].map { key($0, limits: Self.limits) }, prices(["dear": (900, 900)]), jobs: 50)
        bench.run(for: .minutes(5))
        #expect(bench.startsByKey == ["dear": 50])
    }

    @Test func `credit makes a key the cheapest until it is used up`() {
        var credited = key("credited", limits: Limits(concurrent: 1))
        // Ten jobs at 9 dollars per million tokens, 15 tokens each.
        credited.credit = Credit(amount: nano(10 * 15 * 9_000))
        var bench = Self.bench(
            [key("cheap", limits: Limits(concurrent: 1)), credited], prices(["cheap": (1, 1), "credited": (9, 9)]),
            jobs: 40)
        bench.run(for: .minutes(5))
        let charges = bench.settlements.compactMap(\.entry?.charge)
        #expect(charges.reduce(Money.zero) { $0 + $1.credit } <= nano(10 * 15 * 9_000))
        #expect(bench.starts[0].key == "credited")
        // What is left at the end may not cover one more at its worst.
        #expect((1...11).contains(bench.startsByKey["credited"]!), "\(bench.startsByKey)")
        #expect(bench.starts.suffix(20).allSatisfy { $0.key == "cheap" })
    }

    @Test func `provisioned throughput is filled first and costs nothing`() {
        var paid = key("paid", limits: Limits(concurrent: 8))
        paid.provisionedTPM = 1_000
        var bench = Self.bench(
            [key("cheap", limits: Limits(concurrent: 8)), paid], prices(["cheap": (1, 1), "paid": (9, 9)]), jobs: 300)
        bench.run(for: .minutes(1))
        #expect(bench.starts[0].key == "paid")
        let free = bench.settlements.compactMap(\.entry).filter { $0.route.key == "paid" }
        #expect(!free.isEmpty && free.allSatisfy { $0.charge == Charge() })
        // Above the rate the cheaper key serves.
        #expect(bench.startsByKey["cheap"]! > 200)
    }

    @Test func `a free key of one's own is filled before any other`() {
        var bench = Self.bench(
            [key("paid", limits: Self.limits), key("own", limits: Self.limits)], prices(["paid": (1, 1)], free: ["own"])
        )
        bench.run(for: .minutes(5))
        #expect(bench.startsByKey == ["own": 100])
        #expect(bench.settlements.allSatisfy { $0.entry?.charge == Charge() })
    }

    @Test func `by order and by speed, prices do not matter`() {
        let book = prices(["first": (9, 9), "second": (1, 1)])
        let keys = ["first", "second"].map { key($0, limits: Limits(concurrent: 2)) }
        var ordered = Self.bench(keys, book, jobs: 40, .order)
        ordered.run(for: .minutes(1))
        #expect(ordered.starts.prefix(4).map(\.key) == ["first", "first", "second", "second"])
        var fast = Self.bench(keys, book, jobs: 0, .speed)
        fast.answer = { .init(after: .milliseconds($0.key == "first" ? 50 : 500), report: answered()) }
        fast.submit(60, to: 1, class: "x")
        fast.tell()
        fast.run(for: .minutes(1))
        #expect(fast.startsByKey["first"]! > fast.startsByKey["second"]! * 3)
    }

    // MARK: Secrets that end

    @Test func `nothing leaves through a key from the moment its secret ends, and its work parks with the reason`() {
        var old = key("old", limits: Limits(rpm: 60, concurrent: 1))
        old.validUntil = second(10)
        var bench = Bench(keys: [old], classes: [policy("x", .strict, only: ["old"])])
        bench.submit(100, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(2))
        #expect(bench.starts.allSatisfy { $0.started < second(10) } && bench.starts.count > 5)
        #expect(bench.parkings.map(\.failure.code) == ["secret_expired"])
        #expect(bench.count(.succeeded) + bench.count(.parked) == 100)
    }

    @Test(arguments: Posture.allCases)
    func `two keys that overlap hand over without a stop`(_ posture: Posture) {
        var old = key("old", limits: Limits(rpm: 600, concurrent: 2))
        old.validUntil = second(20)
        var bench = Bench(
            keys: [old, key("new", limits: Limits(rpm: 600, concurrent: 2))],
            classes: [policy("x", posture, only: ["old", "new"], order: ["old", "new"])])
        bench.submit(500, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(2))
        #expect(bench.count(.succeeded) == 500 && bench.parkings.isEmpty && bench.holds.isEmpty)
        #expect(bench.starts.filter { $0.key == "old" }.allSatisfy { $0.started < second(20) })
        let moments = bench.starts.map(\.started).sorted()
        let gap = zip(moments, moments.dropFirst()).map { ($1 - $0).milliseconds }.max()!
        #expect(gap <= 1_000, "\(gap) ms")
    }
}
