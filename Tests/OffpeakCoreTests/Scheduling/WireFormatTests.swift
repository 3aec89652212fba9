import OffpeakCore
import Testing

/// Keys whose provider's wire format cannot express everything, or demands what others leave open.
@Suite struct `Scheduler: wire formats` {
    private static func narrow(_ name: String, models: ModelAccess = .any) -> KeyDescriptor {
        var key = key(name, models: models)
        (key.endpoints, key.demandedAnswer) = ([.chatCompletions], 4_096)
        return key
    }

    private static func embeddings(_ bench: inout Bench, class name: String) {
        bench.flows = [Flow(id: 1, batch: 1, className: name, model: "m", endpoint: .embeddings)]
        bench.submit(5, to: 1, class: name)
        bench.tell()
        bench.run(for: .minutes(1))
    }

    @Test(arguments: Posture.allCases.filter { $0 != .strict })
    func `a call that a key's provider does not have goes through another key, with the reason`(_ posture: Posture) {
        var bench = Bench(
            keys: [Self.narrow("a"), key("b")], classes: [policy("x", posture, only: ["a", "b"], order: ["a", "b"])])
        Self.embeddings(&bench, class: "x")
        #expect(bench.count(.succeeded) == 5 && Set(bench.starts.map(\.key)) == ["b"])
        #expect(bench.starts[0].passedOver.contains("its provider has nothing like /v1/embeddings"))
    }

    @Test func `a call that no key's provider has parks the flow`() {
        var bench = Bench(keys: [Self.narrow("a")], classes: [policy("x")])
        Self.embeddings(&bench, class: "x")
        #expect(bench.starts.isEmpty && bench.count(.parked) == 5)
        #expect(bench.parkings.map(\.failure.code) == ["no_key_for_endpoint"])
    }

    @Test func `shared capacity serves what no own key's provider has, and own keys do not hold it back`() {
        var bench = Bench(keys: [Self.narrow("a"), key("s", billing: .platform)], classes: [policy("x", .fallback)])
        Self.embeddings(&bench, class: "x")
        #expect(bench.count(.succeeded) == 5 && Set(bench.starts.map(\.key)) == ["s"])
    }

    @Test func `a request that a format cannot express costs nothing, and says nothing of the key or the model`() {
        var bench = Bench(keys: [Self.narrow("a"), key("b")], classes: [policy("x", .fallback)])
        let ids = bench.submit(20, to: 1, class: "x")
        let odd = Set(ids.prefix(3))
        bench.answer = { start in
            let isOdd = odd.contains(start.job) && start.key == "a"
            return .init(after: .milliseconds(10), report: isOdd ? failed(.inexpressible("n")) : answered())
        }
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.count(.succeeded) == 20)
        for id in odd { #expect(bench.jobs[id]!.story == ["next-key", "complete"]) }
        #expect(bench.jobs[ids[19]]!.story == ["complete"])
        #expect(bench.starts.contains { $0.key == "a" && !odd.contains($0.job) })
        let turnedBack = bench.settlements.filter { $0.disposition.word == "next-key" }
        #expect(turnedBack.count == 3)
        for settlement in turnedBack {
            #expect(
                settlement.attemptsUsed == 0 && settlement.entry?.charge == Charge() && settlement.entry?.requests == 0)
        }
    }

    @Test(arguments: [Posture.strict, .fallback, .cost, .governance])
    func `a request that no key can express is parked by itself`(_ posture: Posture) {
        var bench = Bench(keys: [Self.narrow("a")], classes: [policy("x", posture, only: ["a"])])
        let ids = bench.submit(3, to: 1, class: "x")
        bench.answer = { start in
            .init(after: .milliseconds(10), report: start.job == ids[0] ? failed(.inexpressible("n")) : answered())
        }
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.jobs[ids[0]]!.story == ["park"] && bench.jobs[ids[0]]!.failure?.isInexpressible == true)
        #expect(bench.count(.succeeded) == 2)
    }

    @Test func `a class that would retry does not try the same again for ever`() {
        let edited = policy("x", .fallback) { $0.ladders[.modelUnavailable] = [.retry, .park] }
        var bench = Bench(keys: [Self.narrow("a")], classes: [edited])
        let id = bench.submit(1, to: 1, class: "x")[0]
        bench.answer = { _ in .init(after: .milliseconds(10), report: failed(.inexpressible("n"))) }
        bench.tell()
        bench.run(for: .hours(1))
        #expect(bench.jobs[id]!.story == ["park"])
    }

    // MARK: The longest answer

    /// What is asked for, and for how many tokens money is reserved besides the input's.
    private static func longest(
        stated: Int?, model: Int?, demands: Bool
    ) -> (asked: Int?, reserved: Int)? {
        var only = demands ? narrow("k") : key("k")
        only.quota = Quota(money: .dollars(1_000), per: .day)
        let price = ModelPrice(rates: TokenRates(input: 0, output: 1_000_000), maxOutputTokens: model, source: "")
        var bench = Bench(
            keys: [only], classes: [policy("x")],
            prices: PriceBook(lists: [PriceList(name: "l", entries: ["m": .init(price: price)])]))
        bench.submit(1, to: 1, class: "x", bytes: 100, maxOutput: stated)
        bench.tell()
        bench.turn()
        return bench.starts.first.map { ($0.mostOutput, Int($0.worst.provider.nanodollars)) }
    }

    @Test(
        arguments: [
            (nil, nil, 4_096), (nil, 64_000, 64_000), (50, nil, 50), (50, 64_000, 50), (99_000, 64_000, 64_000),
            (99_000, nil, 99_000),
        ] as [(Int?, Int?, Int)])
    func `where a format demands the longest answer, what is asked for is what is reserved`(
        _ stated: Int?, _ model: Int?, _ most: Int
    ) throws {
        let longest = try #require(Self.longest(stated: stated, model: model, demands: true))
        #expect(longest.asked == most && longest.reserved == most)
    }

    @Test func `where it does not, a job of unknown length still waits for it, and a stated one stands`() {
        #expect(Self.longest(stated: nil, model: nil, demands: false) == nil)
        let stated = Self.longest(stated: 99_000, model: 64_000, demands: false)
        #expect(stated?.asked == 99_000 && stated?.reserved == 99_000)
    }
}
