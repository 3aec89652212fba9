import Testing

@testable import OffpeakCore

/// What costs more than tokens at the usual rate: charges for each request, searches, and answers in a dearer tier.
@Suite struct `Scheduler: dearer than tokens` {
    /// A dollar for a million tokens, twice that in priority, half of it in flex.
    private static func book(_ model: String = "m", perRequest: Money = .zero, priority: Bool = true) -> PriceBook {
        var lanes: [Lane: TokenRates] = [.flex: Prices.rates("0.5", "0.5")]
        if priority { lanes[.priority] = Prices.rates("2", "2") }
        let price = ModelPrice(
            rates: Prices.rates("1", "1"), lanes: lanes, perRequest: perRequest, maxInputTokens: 1_000, source: "")
        return PriceBook(lists: [PriceList(name: "", entries: [model: .init(price: price)])])
    }

    private static func bench(
        _ jobs: Int, _ budget: Int64?, model: String = "m", book: PriceBook, quota: Quota? = nil,
        lanes: [Lane] = [.sync]
    ) -> Bench {
        var own = key("k")
        (own.lanes, own.quota) = (lanes, quota)
        let limit = budget.map { Budget(limit: nano($0), per: .day) }
        var bench = Bench(keys: [own], classes: [policy("x") { $0.budget = limit }], prices: book)
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(jobs, to: 1, class: "x", model: model)
        bench.tell()
        return bench
    }

    private static func spent(_ bench: Bench) -> Money {
        bench.settlements.reduce(.zero) { $0 + ($1.entry?.charge.billed ?? .zero) }
    }

    /// An answer of 10 and 5 tokens whose tier is named.
    private static func serve(_ lane: Lane) -> (AttemptStart) -> Bench.Answer {
        { _ in
            var report = answered()
            report.servedLane = lane
            return .init(after: .milliseconds(100), report: report)
        }
    }

    @Test func `what a model takes for each request is reserved and settled`() {
        // 420,000 at most for 400 bytes and 20 tokens, 15,000 in the end, and 5,000,000 for each.
        var bench = Self.bench(20, 17_000_000, book: Self.book(perRequest: nano(5_000_000)))
        bench.run(for: .minutes(1))
        #expect(bench.starts.allSatisfy { $0.worst.provider == nano(5_420_000) })
        #expect(bench.count(.succeeded) == 3 && bench.count(.parked) == 17)
        #expect(Self.spent(bench) == nano(3 * 5_015_000))
    }

    @Test func `a model that searches by itself is not sent to where money is limited, and says that it is the model`()
    {
        let name = "gpt-4o-search-preview"
        for quota in [nil, Quota(money: .dollars(9), per: .day), Quota(tokens: 99_999, per: .day)] {
            var bench = Self.bench(3, quota == nil ? 90_000_000 : nil, model: name, book: Self.book(name), quota: quota)
            bench.run(for: .minutes(1))
            #expect(bench.starts.isEmpty && bench.count(.parked) == 3)
            #expect(Set(bench.stops.map(\.failure.code)) == ["unbounded_cost"])
            #expect(
                bench.stops.first?.failure.message
                    == "the model \(name) searches by itself, and is charged for each: nobody can say how many before")
        }
        // A quota of requests needs no price, and without any limit it is sent.
        for quota in [nil, Quota(requests: 9, per: .day)] {
            var bench = Self.bench(3, nil, model: name, book: Self.book(name), quota: quota)
            bench.run(for: .minutes(1))
            #expect(bench.count(.succeeded) == 3)
        }
    }

    // MARK: Priority

    @Test(arguments: [[Lane.sync], [.flex, .sync]])
    func `an answer in priority is settled at its price, and from then on reserved at it`(_ lanes: [Lane]) throws {
        var bench = Self.bench(400, 3_000_000, book: Self.book(), lanes: lanes)
        bench.answer = Self.serve(.priority)
        bench.run(for: .minutes(5))
        let entries = bench.settlements.compactMap(\.entry)
        #expect(entries.allSatisfy { $0.route.lane == .priority && $0.charge.provider == nano(30_000) })
        let first = try #require(bench.starts.first)
        #expect(first.worst.provider == nano(420_000))
        let later = bench.starts.filter { $0.started >= first.started + .milliseconds(100) }
        #expect(!later.isEmpty && later.allSatisfy { $0.worst.provider == nano(840_000) && $0.lane == lanes[0] })
        // (3,000,000 − 840,000) / 30,000 is 72: 73 in all, and the budget holds.
        #expect(bench.count(.succeeded) == 73 && Self.spent(bench) <= nano(3_000_000))
    }

    @Test func `a later run knows from the ledger that a model was answered in priority`() {
        var first = Self.bench(1, nil, book: Self.book())
        first.answer = Self.serve(.priority)
        first.run(for: .minutes(1))
        var second = Self.bench(1, nil, book: Self.book())
        second.scheduler.recall(rows(of: first.settlements, flows: first.flows), calendar(0))
        second.run(for: .minutes(1))
        #expect(second.starts.map(\.worst.provider) == [nano(840_000)])
        // Of another model nothing is known.
        var other = Self.bench(1, nil, model: "n", book: Self.book("n"))
        other.scheduler.recall(rows(of: first.settlements, flows: first.flows), calendar(0))
        other.run(for: .minutes(1))
        #expect(other.starts.map(\.worst.provider) == [nano(420_000)])
    }

    @Test func `priority whose price nobody knows is settled as lane sync, and so is another tier in place of flex`() {
        for (lane, priority) in [(Lane.priority, false), (.sync, true)] {
            var bench = Self.bench(1, nil, book: Self.book(priority: priority), lanes: [.flex, .sync])
            bench.answer = Self.serve(lane)
            bench.run(for: .minutes(1))
            #expect(bench.starts.map(\.lane) == [.flex])
            #expect(bench.settlements.map(\.entry?.route.lane) == [lane])
            #expect(Self.spent(bench) == nano(15_000))
        }
    }
}
