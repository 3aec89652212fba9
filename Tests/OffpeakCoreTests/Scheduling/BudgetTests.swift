import Testing

@testable import OffpeakCore

/// What a class may cost, and what happens at the end of that.
@Suite struct `Scheduler: budgets` {
    // A job of 400 bytes and at most 20 tokens of output costs at most 420,000 nano-dollars at a dollar per million
    // tokens, and 15,000 if it turns out to have used 10 and 5.
    private static let worst: Int64 = 420_000
    private static let actual: Int64 = 15_000

    private static func bench(
        _ budget: Budget?, jobs: Int = 200, keys: [KeyDescriptor] = [key("k")], seed: UInt64 = 1,
        classes edit: (inout ClassPolicy) -> Void = { _ in }
    ) -> Bench {
        var bench = Bench(
            keys: keys,
            classes: [
                policy("x") {
                    $0.budget = budget
                    edit(&$0)
                }
            ], prices: prices(Dictionary(uniqueKeysWithValues: keys.map { ($0.name, (1, 1)) })), seed: seed)
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(jobs, to: 1, class: "x")
        bench.tell()
        return bench
    }

    /// All that the settlements say was spent, on both bills.
    private static func spent(_ bench: Bench) -> Money {
        bench.settlements.reduce(.zero) { $0 + ($1.entry?.charge.billed ?? .zero) }
    }

    @Test func `a budget lets through exactly what fits with the next one at its worst, then parks the rest`() {
        var bench = Self.bench(Budget(limit: nano(1_000_000), per: .batch))
        bench.run(for: .minutes(5))
        // 38 · 15,000 + 420,000 fit, 39 · 15,000 + 420,000 do not.
        #expect(bench.count(.succeeded) == 39 && bench.count(.parked) == 161)
        #expect(Self.spent(bench) == nano(39 * Self.actual))
        #expect(bench.parkings.map(\.failure.code) == ["budget_exhausted"])
        #expect(
            bench.parkings.first?.failure.message
                == "the budget of 0.001 USD per batch of class x is used up: 0.000585 USD are spent, and one more job may cost up to 0.00042 USD"
        )
        // No more in flight at once than fit at their worst.
        #expect(bench.mostStarts(within: .milliseconds(100)) == 2)
    }

    @Test func `what is in flight when a budget is used up is not called spent`() {
        // The first costs its worst; the second, a small one, takes longer; the third is again a large one.
        var bench = Self.bench(Budget(limit: nano(830_000), per: .batch), jobs: 1)
        bench.submit(1, to: 1, class: "x", bytes: 40)
        bench.submit(1, to: 1, class: "x")
        bench.tell()
        bench.answer = { start in
            let usage = Usage(inputTokens: 400, outputTokens: 20)
            return start.job == 1
                ? .init(after: .milliseconds(100), report: answered(usage))
                : .init(after: .milliseconds(300), report: answered())
        }
        bench.run(for: .minutes(5))
        #expect(bench.starts.count == 2)
        #expect(
            bench.parkings.first?.failure.message.hasSuffix(
                ": 0.00042 USD are spent, up to 0.00006 USD more are in flight, and one more job may cost up to 0.00042 USD"
            ) == true, "\(bench.parkings)")
    }

    @Test func `raising it lets the batch continue, from what is spent already`() {
        var first = Self.bench(Budget(limit: nano(1_000_000), per: .batch))
        first.run(for: .minutes(5))
        let left = first.count(.parked)
        var second = Self.bench(Budget(limit: nano(1_300_000), per: .batch), jobs: left)
        second.scheduler.recall(rows(of: first.settlements, flows: first.flows), calendar(0))
        second.run(for: .minutes(5))
        // (1,300,000 − 420,000) / 15,000 is 58.7: 59 in all.
        #expect(first.count(.succeeded) + second.count(.succeeded) == 59)
        #expect(Self.spent(first) + Self.spent(second) == nano(59 * Self.actual))
        // The same limit again lets nothing through.
        var third = Self.bench(Budget(limit: nano(1_000_000), per: .batch), jobs: left)
        third.scheduler.recall(rows(of: first.settlements, flows: first.flows), calendar(0))
        third.run(for: .minutes(5))
        #expect(third.starts.isEmpty && third.count(.parked) == left)
    }

    @Test func `corrections of the clock do not renew a budget`() {
        var bench = Self.bench(Budget(limit: nano(1_000_000), per: .day, then: .defer), jobs: 100)
        for look in 1...20 as ClosedRange<Int64> {
            var position = calendar(0)
            position.ends.day = position.ends.day + .milliseconds(look)
            bench.handle(.periodsTurned(position))
            bench.run(for: .seconds(30))
        }
        #expect(bench.count(.succeeded) == 39 && bench.count(.ready) == 61)
    }

    @Test func `a clock put back between two runs and forward again in the second renews no budget`() {
        var first = Self.bench(Budget(limit: nano(1_000_000), per: .day, then: .defer))
        first.now = at(86_400_000)
        first.handle(.periodsTurned(calendar(1)))
        first.run(for: .minutes(5))
        #expect(first.count(.succeeded) == 39)
        // The day before, then the same day again, and the next.
        for (day, more) in [(0, 0), (1, 0), (2, 39)] {
            var second = Self.bench(Budget(limit: nano(1_000_000), per: .day, then: .defer))
            second.scheduler.recall(rows(of: first.settlements, flows: first.flows), calendar(0))
            for turn in 0...day {
                second.now = at(Int64(turn) * 86_400_000)
                second.handle(.periodsTurned(calendar(turn)))
                second.run(for: .minutes(5))
            }
            #expect(second.count(.succeeded) == more, "day \(day)")
        }
    }

    @Test func `with fail, what does not fit any more ends as failed`() {
        var bench = Self.bench(Budget(limit: nano(1_000_000), per: .day, then: .fail))
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 39 && bench.count(.failed) == 161)
        #expect(bench.failings.map(\.failure.code) == ["budget_exhausted"] && bench.parkings.isEmpty)
    }

    @Test func `with defer, the rest waits for the next period and says until when`() {
        var bench = Self.bench(Budget(limit: nano(1_000_000), per: .day, then: .defer), jobs: 100)
        for day in 0..<3 {
            bench.now = max(bench.now, at(Int64(day) * 86_400_000))
            bench.handle(.periodsTurned(calendar(day)))
            bench.run(for: .minutes(5))
            #expect(bench.count(.succeeded) == min(100, 39 * (day + 1)), "day \(day)")
            guard day < 2 else { break }
            #expect(bench.hold(on: 1)?.until == calendar(day).ends.day)
            #expect(
                bench.hold(on: 1)?.reason.hasPrefix("the budget of 0.001 USD per day of class x is used up") == true)
        }
        #expect(bench.count(.succeeded) == 100 && bench.parkings.isEmpty && bench.failings.isEmpty)
    }

    @Test func `a job that alone may cost more than the whole budget is parked, since no period is enough for it`() {
        for then in [Budget.End.defer, .park] {
            var bench = Self.bench(Budget(limit: nano(Self.worst - 1), per: .day, then: then), jobs: 3)
            bench.run(for: .minutes(5))
            #expect(bench.starts.isEmpty && bench.count(.parked) == 3, "\(then)")
            #expect(bench.stops.map(\.failure.code) == Array(repeating: "exceeds_budget", count: 3))
            #expect(
                bench.stops[0].failure.message == "this job alone may cost up to 0.00042 USD, more than the budget of "
                    + "0.000419999 USD per day of class x")
        }
        var enough = Self.bench(Budget(limit: nano(Self.worst), per: .day), jobs: 1)
        enough.run(for: .minutes(5))
        #expect(enough.count(.succeeded) == 1)
    }

    @Test(arguments: Budget.End.allCases)
    func `only the job that is more than the whole budget is stopped, and those behind it go on`(_ then: Budget.End) {
        var bench = Self.bench(Budget(limit: nano(2_000_000), per: .day, then: then), jobs: 3)
        let large = bench.submit(1, to: 1, class: "x", maxOutput: 2_000)
        bench.submit(5, to: 1, class: "x")
        bench.tell(foreign: true)
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 8 && bench.stops.map(\.job) == large)
        #expect(bench.jobs[large[0]]!.state == (then == .fail ? .failed : .parked))
        #expect(bench.parkings.isEmpty && bench.failings.isEmpty && bench.hold(on: 1) == nil)
    }

    @Test func `a thousand such jobs in a row hide none of those behind them`() {
        var bench = Self.bench(Budget(limit: nano(2_000_000), per: .day), jobs: 0)
        for _ in 0..<3 {
            bench.submit(3_000, to: 1, class: "x", maxOutput: 2_000)
            bench.submit(1, to: 1, class: "x")
        }
        bench.tell()
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 3 && bench.count(.parked) == 9_000 && bench.stops.count == 9_000)
    }

    @Test func `each batch has a budget of its own, and other classes are not touched`() {
        var bench = Bench(
            keys: [key("k")],
            classes: [policy("x") { $0.budget = Budget(limit: nano(1_000_000), per: .batch) }, policy("y")],
            prices: prices(["k": (1, 1)]))
        bench.handle(.periodsTurned(calendar(0)))
        for flow in 1...3 as ClosedRange<FlowID> { bench.submit(60, to: flow, class: flow == 3 ? "y" : "x") }
        bench.tell()
        bench.run(for: .minutes(5))
        #expect((1...3).map { bench.count(.succeeded, in: $0) } == [39, 39, 60])
    }

    @Test func `a class with a budget sends nothing whose price nobody knows, and says so`() {
        var bench = Bench(
            keys: [key("k")],
            classes: [policy("x") { $0.budget = Budget(limit: .dollars(1), per: .day) }, policy("y")],
            prices: prices([:]))
        bench.submit(3, to: 1, class: "x")
        bench.submit(3, to: 2, class: "y")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.count(.parked, in: 1) == 3 && bench.count(.succeeded, in: 2) == 3)
        #expect(bench.parkings.map(\.failure.code) == ["unknown_cost"])
        #expect(bench.parkings[0].failure.message.hasPrefix("the price of m on key k is unknown, "))
    }

    @Test func `a class with a budget needs to know how long an answer can get, unless nothing costs anything`() {
        for free in [false, true] {
            var bench = Bench(
                keys: [key("k")], classes: [policy("x") { $0.budget = Budget(limit: .dollars(1), per: .day) }],
                prices: free ? prices([:], free: ["k"]) : prices(["k": (1, 1)]))
            let open = bench.submit(3, to: 1, class: "x", maxOutput: nil)
            bench.submit(4, to: 1, class: "x")
            bench.tell()
            bench.run(for: .minutes(1))
            #expect(bench.count(.succeeded) == (free ? 7 : 4))
            // What leaves its length open is parked, and nothing else.
            #expect(bench.stops.map(\.job) == (free ? [] : open) && bench.parkings.isEmpty)
            #expect(bench.stops.allSatisfy { $0.failure.code == "unknown_length" })
            if !free { #expect(bench.stops[0].failure.message.contains("set max_tokens")) }
        }
    }

    @Test func `what takes more than its bytes counts for more, and what has no bound is parked by itself`() {
        for (longest, free) in [(nil, false), (1_000, false), (nil, true)] as [(Int?, Bool)] {
            var list = free ? prices([:], free: ["k"]) : prices(["k": (1, 1)])
            if let longest {
                let price = ModelPrice(rates: Prices.rates("1", "1"), maxInputTokens: longest, source: "")
                list = PriceBook(lists: [PriceList(name: "", entries: ["m": .init(price: price)])])
            }
            var bench = Bench(
                keys: [key("k")],
                // A job of 400 bytes takes 420 millionths of a dollar at most.
                classes: [policy("x") { $0.budget = Budget(limit: nano(12_000_000), per: .day) }], prices: list)
            bench.submit(1, to: 1, class: "x")
            let images = bench.submit(1, to: 1, class: "x", beyond: .tokens(9_000))
            let tooMany = bench.submit(1, to: 1, class: "x", beyond: .tokens(12_000))
            let files = bench.submit(1, to: 1, class: "x", beyond: .context)
            let tools = bench.submit(1, to: 1, class: "x", beyond: .charges)
            let tiers = bench.submit(1, to: 1, class: "x", beyond: .otherRate)
            bench.submit(1, to: 1, class: "x")
            bench.tell()
            bench.run(for: .minutes(1))
            guard !free else {
                #expect(bench.count(.succeeded) == 7)
                continue
            }
            let worst = bench.starts.first { $0.job == images[0] }?.worst
            #expect(worst?.provider == nano(9_420_000))
            let file = bench.starts.first { $0.job == files[0] }?.worst
            #expect(file?.provider == longest.map { _ in nano(1_020_000) })
            let unbounded = (longest == nil ? files : []) + tools + tiers
            #expect(bench.stops.filter { $0.failure.code == "unbounded_cost" }.map(\.job) == unbounded)
            #expect(bench.stops.filter { $0.failure.code == "exceeds_budget" }.map(\.job) == tooMany)
            #expect(bench.count(.succeeded) == (longest == nil ? 3 : 4))
        }
    }

    @Test func `a key whose price is unknown is passed over beside one whose price is known`() {
        var bench = Bench(
            keys: [key("unknown"), key("known")],
            classes: [policy("x", .fallback) { $0.budget = Budget(limit: .dollars(1), per: .day) }],
            prices: prices(["known": (1, 1)]))
        bench.submit(30, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.startsByKey == ["known": 30])
    }

    @Test func `lost answers count at their worst, refusals count nothing`() {
        var bench = Self.bench(Budget(limit: nano(2_000_000), per: .batch), jobs: 60) { $0.attempts = 9 }
        var sent = 0
        bench.answer = { _ in
            sent += 1
            let report: AttemptReport =
                switch sent {
                case 1, 3: failed(failure(.unknownOutcome, judged: false))
                case 2: failed(failure(.timedOut))
                case 4...6: failed(failure(.overloaded))
                default: answered()
                }
            return .init(after: .milliseconds(100), report: report)
        }
        bench.run(for: .hours(1))
        // 2,000,000 less three at 420,000: of the remaining 740,000, (740,000 − 420,000) / 15,000 is 21.3.
        #expect(bench.count(.succeeded) == 22)
        #expect(Self.spent(bench) == nano(3 * Self.worst + 22 * Self.actual))
        let kinds = bench.settlements.compactMap { $0.entry?.kind }
        #expect(kinds.count { $0 == .assumed } == 3)
    }

    @Test func `what a run that stops took back from the queue is room again`() {
        var bench = Self.bench(Budget(limit: nano(840_000), per: .batch), jobs: 10)
        var refusals = 0
        bench.accepts = { _ in
            refusals += 1
            return refusals > 4
        }
        bench.run(for: .minutes(1))
        #expect(bench.refusedStarts == 4 && bench.starts.count >= 2)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `no budget, quota or pool's quota is passed at any concurrency, whatever fails`(_ seed: UInt64) {
        var settled = 0
        for round in 0..<12 {
            var generator = SeededGenerator(seed: seed * 1_000 + UInt64(round))
            let comment = rerun("Scheduler: budgets", seed: seed)
            let limit = nano(.random(in: 400_000...6_000_000, using: &generator))
            let quota = nano(.random(in: 400_000...6_000_000, using: &generator))
            let poolQuota = nano(.random(in: 400_000...6_000_000, using: &generator))
            let keys = ["a", "b", "c"].map { name in
                var key = key(name, pool: name == "c" ? nil : "org", limits: Limits(concurrent: 40))
                if name == "a" { key.quota = Quota(money: quota, per: .week) }
                return key
            }
            var bench = Bench(
                keys: keys,
                pools: [
                    PoolDescriptor(
                        name: "org", limits: Limits(concurrent: 60), quota: Quota(money: poolQuota, per: .day))
                ],
                classes: [policy("x", .fallback) { $0.budget = Budget(limit: limit, per: .day, then: .park) }],
                prices: prices(["a": (1, 1), "b": (1, 2), "c": (2, 2)]), seed: seed)
            bench.handle(.periodsTurned(calendar(0)))
            bench.submit(300, to: 1, class: "x")
            bench.tell()
            var answers = SeededGenerator(seed: seed * 77 + UInt64(round))
            bench.answer = { _ in
                let used = Usage(
                    inputTokens: .random(in: 1...400, using: &answers),
                    outputTokens: .random(in: 0...20, using: &answers))
                let classes: [FailureClass] = [.unknownOutcome, .rateLimited, .overloaded, .timedOut, .refused]
                let report =
                    Int.random(in: 0..<4, using: &answers) == 0
                    ? failed(failure(classes.randomElement(using: &answers)!)) : answered(used)
                return .init(after: .milliseconds(.random(in: 50...5_000, using: &answers)), report: report)
            }
            bench.run(for: .hours(2))
            #expect(Self.spent(bench) <= limit, "round \(round), \(comment)")
            func spent(_ names: Set<String>) -> Money {
                bench.settlements.reduce(.zero) {
                    guard let entry = $1.entry, names.contains(entry.route.key) else { return $0 }
                    return $0 + entry.charge.value
                }
            }
            #expect(spent(["a"]) <= quota, "round \(round), \(comment)")
            #expect(spent(["a", "b"]) <= poolQuota, "round \(round), \(comment)")
            // Nor at any moment with everything in flight at its worst.
            #expect(Self.peak(bench) <= limit, "round \(round), \(comment)")
            settled += bench.settlements.count
        }
        #expect(settled > 60)
    }

    /// The most that was ever spent and held together.
    private static func peak(_ bench: Bench) -> Money {
        var worst: [String: Money] = [:]
        var events: [(at: Timestamp, isStart: Bool, change: Money)] = []
        for start in bench.starts {
            worst["\(start.job).\(start.lease)"] = start.worst.billed
            events.append((start.started, true, start.worst.billed))
        }
        for end in bench.settlements {
            let billed = end.entry?.charge.billed ?? .zero
            events.append((end.ended, false, billed - (worst["\(end.job).\(end.lease)"] ?? .zero)))
        }
        var (sum, most) = (Money.zero, Money.zero)
        // At one moment, ends come before the starts that they make room for.
        for event in events.sorted(by: { ($0.at, $0.isStart ? 1 : 0) < ($1.at, $1.isStart ? 1 : 0) }) {
            sum += event.change
            most = max(most, sum)
        }
        return most
    }
}
