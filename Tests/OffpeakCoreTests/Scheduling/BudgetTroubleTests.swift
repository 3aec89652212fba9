import Testing

@testable import OffpeakCore

/// A budget's end in a class of which other keys are in trouble of their own.
@Suite struct `Scheduler: budgets beside other trouble` {
    /// Two keys, of which the provider refuses the first after 20 answers; both cost a dollar per million tokens.
    private static func rejecting(_ budget: Budget, healthyCosts: Int64 = 1) -> Bench {
        var bench = Bench(
            keys: [key("bad"), key("good")],
            classes: [
                policy("x") {
                    $0.budget = budget
                    $0.ladders[.keyRejected] = [.nextKey, .park]
                }
            ], prices: prices(["bad": (1, 1), "good": (healthyCosts, healthyCosts)]))
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(200, to: 1, class: "x")
        bench.tell()
        var asked = 0
        bench.answer = { start in
            asked += start.key == "bad" ? 1 : 0
            return .init(
                after: .milliseconds(100),
                report: start.key == "bad" && asked > 20
                    ? failed(Failure(.keyRejected, code: "invalid_api_key", message: "no such key")) : answered())
        }
        return bench
    }

    @Test func `where a budget has no room, what stops the rest is the budget and not another key that is rejected`() {
        for then in [Budget.End.park, .fail, .defer] {
            var bench = Self.rejecting(Budget(limit: nano(1_000_000), per: .day, then: then))
            bench.run(for: .minutes(5))
            #expect(bench.count(.succeeded) == 39, "\(then)")
            #expect(bench.parkings.map(\.failure.code) == (then == .park ? ["budget_exhausted"] : []))
            #expect(bench.failings.map(\.failure.code) == (then == .fail ? ["budget_exhausted"] : []))
            #expect((bench.hold(on: 1)?.until == calendar(0).ends.day) == (then == .defer))
        }
        // The rejected key's price would fit, and with the other one's the jobs would go if the budget were larger.
        var dear = Self.rejecting(Budget(limit: nano(1_000_000), per: .batch), healthyCosts: 2)
        dear.run(for: .minutes(5))
        #expect(dear.count(.parked) > 150 && dear.parkings.map(\.failure.code) == ["budget_exhausted"])
    }

    @Test func `what may be sound is reserved at the rate of sound, and text is not`() {
        var rates = TokenRates(input: 1_000_000_000, output: 1_000_000_000)
        rates.audioInput = 7_000_000_000
        let book = PriceBook(lists: [], terms: ["k": .terms(["*": ModelTerms(rates: rates)])])
        var bench = Bench(keys: [key("k")], classes: [policy("x")], prices: book)
        for (number, beyond) in [BeyondBytes.tokens(30), .sound(30)].enumerated() {
            bench.submit(1, to: FlowID(number) + 1, class: "x", bytes: 400, maxOutput: 20, beyond: beyond)
        }
        bench.tell()
        bench.turn()
        #expect(bench.starts.map(\.worst.provider).sorted() == [nano(430_000 + 20_000), nano(3_010_000 + 20_000)])
        for beyond in [BeyondBytes.tokens(0), .tokens(7), .sound(0), .sound(7), .context, .charges, .otherRate] {
            #expect(BeyondBytes(code: beyond.code) == beyond)
        }
    }

    @Test func `what stops the rest is the budget, and not another key whose price nobody knows`() {
        for then in [Budget.End.park, .fail] {
            var bench = Bench(
                keys: [key("unpriced", models: .only(["m": "other"])), key("good")],
                classes: [policy("x") { $0.budget = Budget(limit: nano(1_000_000), per: .day, then: then) }],
                prices: prices(["good": (1, 1)]))
            bench.handle(.periodsTurned(calendar(0)))
            bench.submit(200, to: 1, class: "x")
            bench.tell()
            bench.run(for: .minutes(5))
            #expect(bench.count(.succeeded) == 39)
            let (parked, failed) = (bench.parkings.map(\.failure.code), bench.failings.map(\.failure.code))
            #expect(parked + failed == ["budget_exhausted"] && failed.isEmpty == (then == .park))
        }
    }
}
