import HTTPServer
import JSONLines
import OffpeakRehearsal
import Testing

@Suite struct FaultTests {
    private func provider(_ faults: [FaultRule], seed: UInt64 = 1, keys: [String] = []) -> VirtualProvider {
        VirtualProvider(
            RehearsalProfile(
                seed: seed, latency: .fixed(10_000), keys: keys.map { KeyProfile(text: $0) },
                otherKeys: keys.isEmpty ? KeyProfile() : nil, faults: faults))
    }

    private func statuses(_ faults: [FaultRule], seed: UInt64 = 1, count: Int = 300) -> [Int] {
        let provider = provider(faults, seed: seed)
        return (0..<count).map { provider.send(chat("\($0)"), after: 1_000).status }
    }

    @Test func `faults by rate follow the seed and nothing else`() {
        let rule = FaultRule(.serverError, rate: 100_000)
        let first = statuses([rule])
        #expect(first == statuses([rule]))
        #expect(first != statuses([rule], seed: 2))
        #expect((15...50).contains(first.count { $0 == 500 }))
        #expect(statuses([FaultRule(.serverError, rate: 0)]).allSatisfy { $0 == 200 })
        #expect(statuses([FaultRule(.serverError, rate: 1_000_000)]).allSatisfy { $0 == 500 })
        // Another rule behind it leaves its draws as they were.
        let both = statuses([rule, FaultRule(.unavailable, rate: 100_000)])
        #expect(zip(first, both).allSatisfy { ($0 == 500) == ($1 == 500) })
        #expect(both.contains(503))
    }

    @Test func `faults by script strike where they are told to`() {
        func struck(_ rule: FaultRule, count: Int = 10) -> [Int] {
            statuses([rule], count: count).enumerated().filter { $0.element == 500 }.map { $0.offset + 1 }
        }
        #expect(struck(FaultRule(.serverError, at: [2, 5])) == [2, 5])
        #expect(struck(FaultRule(.serverError, afterRequests: 7)) == [8, 9, 10])
        #expect(struck(FaultRule(.serverError, afterRequests: 3, count: 2)) == [4, 5])
        // One request a millisecond, the first after one.
        #expect(struck(FaultRule(.serverError, from: 3_000, until: 6_000)) == [3, 4, 5])
    }

    @Test func `a fault for one key counts that key's requests`() {
        let provider = provider([FaultRule(.serverError, at: [2], key: "b")], keys: ["a", "b"])
        #expect(
            ["a", "a", "b", "a", "b", "b"].map { provider.send(chat("x"), key: $0).status } == [
                200, 200, 200, 200, 500, 200,
            ])
    }

    @Test func `each kind does what its name says`() throws {
        func first(_ what: FaultKind, _ body: String = chat("x"), headers: Bool = true) -> ServerAnswer {
            let provider = provider([FaultRule(what, headers: headers, delay: 2_000_000)])
            return provider.send(body)
        }
        let sound = first(.slow)
        #expect(sound.status == 200 && sound.delay == 2_010_000)
        let rateLimit = first(.rateLimit)
        #expect(rateLimit.status == 429 && rateLimit.errorCode == "rate_limit_exceeded")
        #expect(rateLimit.header("retry-after") == "2" && rateLimit.delay == 0)
        #expect(first(.rateLimit, headers: false).header("retry-after") == nil)
        let quota = first(.quota)
        #expect(quota.status == 429 && quota.errorCode == "insufficient_quota" && quota.header("retry-after") == nil)
        #expect(quota.json?["error"]?["type"]?.string == "insufficient_quota")
        #expect(first(.serverError).status == 500)
        #expect(first(.unavailable).status == 503)
        #expect(first(.overloaded).status == 529)
        #expect(first(.badRequest).status == 400)
        let gateway = first(.badGateway)
        #expect(gateway.status == 502 && gateway.json == nil && gateway.header("content-type") == "text/html")
        #expect(first(.cut).delivery == .cut(after: sound.body.count / 2))
        #expect(first(.close).delivery == .close)
        #expect(first(.hang).delivery == .never)
        let invalid = first(.invalidJSON)
        #expect(invalid.status == 200 && invalid.json == nil && !invalid.body.isEmpty)
        let wrapped = first(.errorIn200)
        #expect(wrapped.status == 200 && wrapped.json?["error"] != nil && wrapped.json?["choices"] == nil)
        let refusal = first(.refusal)
        #expect(refusal.status == 200 && refusal.json?["choices"]?[0]?["finish_reason"]?.string == "content_filter")
    }

    @Test func `prose comes only where JSON was asked for`() {
        let asked = chat("x", #","response_format":{"type":"json_object"}"#)
        let provider = provider([FaultRule(.notJSONContent, count: 1)])
        func content(_ answer: ServerAnswer) -> JSONSlice? {
            JSONSlice(Array((answer.json?["choices"]?[0]?["message"]?["content"]?.string ?? "").utf8))
        }
        #expect(provider.send(chat("x")).status == 200)
        #expect(content(provider.send(asked)) == nil)
        #expect(content(provider.send(asked)) != nil)
    }

    @Test func `a revoked key stays revoked, the others go on`() {
        let provider = provider([FaultRule(.revoked, at: [2], key: "a")], keys: ["a", "b"])
        #expect(
            ["a", "a", "b", "a", "a"].map { provider.send(chat("x"), key: $0).status } == [200, 401, 200, 401, 401])
        #expect(provider.core.ledger.keys.map(\.answers) == [0, 0])
        provider.settle(after: 1_000_000)
        #expect(provider.core.ledger.keys.map(\.answers) == [1, 1])
    }

    @Test func `a fault at the door does not use up the limit, one inside does`() {
        for (what, left) in [(FaultKind.rateLimit, "9"), (.serverError, "8")] {
            let key = KeyProfile(text: "a", limits: KeyLimits(rpm: 10))
            let provider = VirtualProvider(RehearsalProfile(keys: [key], faults: [FaultRule(what, at: [1])]))
            _ = provider.send(chat("x"), key: "a")
            #expect(provider.send(chat("x"), key: "a").header("x-ratelimit-remaining-requests") == left)
        }
    }

    @Test func `latencies follow their distribution and the seed`() {
        func samples(_ latency: Latency, seed: UInt64 = 1) -> [Int64] {
            (0..<4_000).map { number in
                var random = SeededRandom(seed: seed, purpose: .latency, number: UInt64(number))
                return latency.sample(using: &random)
            }
        }
        let skewed = Latency.logNormal(median: 800_000, p95: 3_000_000)
        let sorted = samples(skewed).sorted()
        #expect((760_000...840_000).contains(sorted[2_000]))
        #expect((2_700_000...3_300_000).contains(sorted[3_800]))
        func delays(seed: UInt64) -> [Int64] {
            let provider = VirtualProvider(RehearsalProfile(seed: seed, latency: skewed, otherKeys: KeyProfile()))
            return (0..<50).map { _ in provider.send(chat("x")).delay }
        }
        #expect(delays(seed: 1) == delays(seed: 1))
        #expect(delays(seed: 1) != delays(seed: 2))
        let even = samples(.range(min: 100, max: 200)).sorted()
        #expect(even.first == 100 && even.last == 200)
        #expect(samples(.fixed(7)).allSatisfy { $0 == 7 })
    }
}
