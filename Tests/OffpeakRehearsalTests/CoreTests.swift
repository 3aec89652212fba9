import HTTPServer
import JSONLines
import OffpeakRehearsal
import Testing

/// A provider in virtual time: every answer ends exactly when it is due.
final class VirtualProvider {
    var core: RehearsalCore
    var now: Int64 = 0
    private var due: [(time: Int64, ticket: UInt64, whole: Bool)] = []

    init(_ profile: RehearsalProfile) { core = RehearsalCore(profile: profile) }

    /// Sends a request after `pause` microseconds.
    func send(
        _ body: String, key: String = "", path: String = "/v1/chat/completions", after pause: Int64 = 0
    ) -> ServerAnswer {
        now += pause
        settle()
        let answer = core.answer(RehearsalRequest(path: path, key: key, body: Array(body.utf8)), at: now)
        if answer.delivery != .never {
            due.append((now + answer.delay, answer.ticket, answer.delivery == .whole))
            due.sort { $0.time < $1.time }
        }
        return answer
    }

    /// Lets time pass and answers end.
    func settle(after pause: Int64 = 0) {
        now += pause
        while let first = due.first, first.time <= now {
            due.removeFirst()
            core.ended(ticket: first.ticket, delivered: first.whole, at: first.time)
        }
    }

    func get(_ path: String, method: String = "GET") -> ServerAnswer {
        core.answer(RehearsalRequest(method: method, path: path), at: now)
    }
}

/// A chat request with some text.
func chat(_ text: String, _ more: String = "") -> String {
    #"{"model":"m","messages":[{"role":"user","content":"\#(text)"}]\#(more)}"#
}

extension ServerAnswer {
    var json: JSONSlice? { JSONSlice(body) }
    var errorCode: String? { json?["error"]?["code"]?.string }
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

@Suite struct CoreTests {
    static func key(_ limits: KeyLimits, _ text: String = "one", pool: String? = nil) -> KeyProfile {
        KeyProfile(text: text, limits: limits, pool: pool)
    }

    @Test func `the same prompt gives the same answer, another seed another one`() {
        let a = VirtualProvider(RehearsalProfile(seed: 1, otherKeys: KeyProfile()))
        let b = VirtualProvider(RehearsalProfile(seed: 2, otherKeys: KeyProfile()))
        let first = a.send(chat("hello"))
        let other = a.send(chat("hello!"))
        #expect(a.send(chat("hello"), key: "k", after: 99).body == first.body)
        #expect(other.body != first.body)
        #expect(b.send(chat("hello")).body != first.body)
        #expect(first.header("x-request-id") != nil)
        #expect(first.header("x-request-id") != other.header("x-request-id"))
    }

    @Test func `a key's limit is the key's own, a pool's is shared`() {
        let limits = KeyLimits(rpm: 2, window: 10_000_000)
        let provider = VirtualProvider(
            RehearsalProfile(keys: [
                Self.key(limits, "a"), Self.key(limits, "b", pool: "p"), Self.key(limits, "c", pool: "p"),
            ]))
        #expect(["a", "a", "a"].map { provider.send(chat("x"), key: $0).status } == [200, 200, 429])
        #expect(["b", "c", "b", "c"].map { provider.send(chat("x"), key: $0).status } == [200, 200, 429, 429])
        let ledger = provider.core.ledger
        #expect(ledger.keys.map(\.rejected429) == [1, 1, 1])
        #expect(ledger.pools.map(\.name) == ["p"])
        #expect(ledger.pools[0].peakInWindow == 2)
        #expect(ledger.pools[0].requests == 4)
    }

    @Test func `a refusal says when to come again, and that is right`() {
        let provider = VirtualProvider(
            RehearsalProfile(keys: [Self.key(KeyLimits(rpm: 1, window: 10_000_000))]))
        _ = provider.send(chat("x"), key: "one")
        let refused = provider.send(chat("y"), key: "one", after: 2_500_000)
        #expect(refused.status == 429)
        #expect(refused.errorCode == "rate_limit_exceeded")
        #expect(refused.header("retry-after") == "7.5")
        #expect(refused.header("retry-after-ms") == "7500")
        #expect(refused.header("x-ratelimit-limit-requests") == "1")
        #expect(refused.header("x-ratelimit-remaining-requests") == "0")
        #expect(refused.header("x-ratelimit-reset-requests") == "7.5s")
        #expect(provider.send(chat("y"), key: "one", after: 7_499_000).status == 429)
        #expect(provider.send(chat("y"), key: "one", after: 1_000).status == 200)
    }

    @Test func `headers can be off`() {
        let silent = KeyProfile(text: "one", limits: KeyLimits(rpm: 1), headers: false, retryAfter: false)
        let provider = VirtualProvider(RehearsalProfile(keys: [silent]))
        for status in [200, 429] {
            let answer = provider.send(chat("x"), key: "one")
            #expect(answer.status == status)
            #expect(answer.headers.map(\.name) == ["content-type", "x-request-id"])
        }
    }

    @Test func `tokens are counted as the profile says`() {
        let more = #","max_tokens":40"#
        let long = String(repeating: "word", count: 10)
        for (counts, cost) in [(KeyLimits.Counting.reserved, 50), (.usage, 15)] {
            let provider = VirtualProvider(
                RehearsalProfile(
                    keys: [Self.key(KeyLimits(tpm: 100, counts: counts))], answerTokens: 5...5))
            let answer = provider.send(chat(long, more), key: "one")
            #expect(answer.json?["usage"]?["prompt_tokens"]?.int == 10)
            #expect(answer.json?["usage"]?["completion_tokens"]?.int == 5)
            #expect(answer.header("x-ratelimit-remaining-tokens") == String(100 - cost))
            var admitted = 1
            while provider.send(chat(long, more), key: "one").status == 200 { admitted += 1 }
            #expect(admitted == 100 / cost)
            #expect(provider.core.ledger.keys[0].peakTokensInWindow == 100 / cost * cost)
        }
    }

    @Test func `requests at once are limited until they end`() {
        let provider = VirtualProvider(
            RehearsalProfile(latency: .fixed(1_000_000), keys: [Self.key(KeyLimits(concurrent: 2))]))
        #expect((0..<3).map { _ in provider.send(chat("x"), key: "one").status } == [200, 200, 429])
        #expect(provider.send(chat("x"), key: "one", after: 999_999).status == 429)
        #expect(provider.send(chat("x"), key: "one", after: 1).status == 200)
        #expect(provider.core.ledger.keys[0].peakConcurrent == 2)
    }

    @Test func `unknown keys are refused, or get limits of their own`() {
        let strict = VirtualProvider(RehearsalProfile(keys: [Self.key(KeyLimits())]))
        let refused = strict.send(chat("x"), key: "two")
        #expect(refused.status == 401)
        #expect(refused.errorCode == "invalid_api_key")
        #expect(strict.send(chat("x")).status == 401)
        #expect(strict.core.ledger.keys.map(\.name) == ["one", "unknown-1", "no-key"])

        let open = VirtualProvider(RehearsalProfile(otherKeys: KeyProfile(limits: KeyLimits(rpm: 1))))
        #expect(["x", "y", "x", ""].map { open.send(chat("x"), key: $0).status } == [200, 200, 429, 200])
    }

    @Test func `what is not served is refused with its code`() {
        let provider = VirtualProvider(
            RehearsalProfile(models: ["m"], context: 100, otherKeys: KeyProfile(limits: KeyLimits(tpm: 60))))
        #expect(provider.send(#"{"model":"other","messages":[{"role":"user"}]}"#).errorCode == "model_not_found")
        #expect(provider.send(chat("x", #","max_tokens":100"#)).errorCode == "context_length_exceeded")
        #expect(provider.send(chat("x"), path: "/v1/nothing").status == 404)
        #expect(provider.get("/v1/chat/completions").status == 404)
        let large = provider.send(chat(String(repeating: "a", count: 260)))
        #expect(large.status == 429)
        #expect(large.header("retry-after") == nil)
        for body in [
            "", "[]", "{", chat("x").replacing("\"m\"", with: "7"), #"{"model":"m"}"#, #"{"model":"m","messages":[]}"#,
            #"{"model":"m","messages":[7]}"#, chat("x", #","max_tokens":0"#), chat("x", #","stream":true"#),
        ] {
            let answer = provider.send(body)
            #expect(answer.status == 400, "\(body)")
            #expect(answer.json?["error"]?["type"]?.string == "invalid_request_error")
        }
        #expect(provider.get("/v1/models").json?["data"]?[0]?["id"]?.string == "m")
    }

    @Test func `a virtual night holds the limit at every model, and the ledger shows it`() {
        for model in LimitModel.allCases {
            let limits = KeyLimits(rpm: 100, window: 10_000_000, model: model)
            let provider = VirtualProvider(RehearsalProfile(seed: 4, keys: [Self.key(limits)]))
            var random = SeededRandom(seed: 1, purpose: .answer, number: 1)
            var statuses: [Int: Int] = [:]
            for number in 0..<3_000 {
                let answer = provider.send(chat("\(number)"), key: "one", after: Int64(random.below(80_000)))
                statuses[answer.status, default: 0] += 1
            }
            provider.settle(after: 1_000_000)
            let account = provider.core.ledger.keys[0]
            // A bucket and a fixed window let twice the limit into the worst stretch of one window.
            let bound = [LimitModel.sliding: 100, .slices: 110, .bucket: 200, .fixed: 200][model] ?? 0
            #expect(account.peakInWindow <= bound)
            #expect(model != .sliding || account.peakInWindow == 100)
            #expect(account.answers == statuses[200])
            #expect(account.rejected429 == statuses[429])
            #expect(provider.core.ledger.byStatus == statuses)
        }
    }
}
