import HTTPServer
import JSONLines
import OffpeakRehearsal
import Testing

/// The rehearsed provider as Anthropic's Messages API.
@Suite struct MessagesTests {
    private static func body(_ members: String = "", content: String = #""12345678""#) -> String {
        #"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":\#(content)}]\#(members)}"#
    }

    private static func provider(_ limits: KeyLimits = KeyLimits()) -> VirtualProvider {
        var key = KeyProfile()
        (key.text, key.name, key.limits) = ("test-key", "one", limits)
        return VirtualProvider(RehearsalProfile(keys: [key], answerTokens: 20...30))
    }

    @Test func `an answer has Anthropic's form, and the ledger counts it`() {
        let provider = Self.provider()
        let answer = provider.send(
            Self.body(#","system":[{"type":"text","text":"1234"}]"#), key: "test-key", path: "/v1/messages")
        let body = answer.json
        #expect(answer.status == 200 && body?["type"]?.string == "message" && body?["role"]?.string == "assistant")
        #expect(body?["content"]?[0]?["text"]?.string?.split(separator: " ").count == 5)
        #expect(body?["stop_reason"]?.string == "max_tokens" && body?["stop_sequence"]?.isNull == true)
        #expect(body?["usage"]?["input_tokens"]?.int == 3 && body?["usage"]?["output_tokens"]?.int == 5)
        #expect(
            answer.headers.contains { $0.name == "request-id" }
                && !answer.headers.contains { $0.name == "x-request-id" })
        provider.settle(after: 10_000_000)
        #expect(provider.core.ledger.keys[0].inputTokens == 3 && provider.core.ledger.keys[0].outputTokens == 5)
    }

    @Test(arguments: [
        (body(#","n":1"#), "n: Extra inputs are not permitted"), (body(#","temperature":1.5"#), "temperature"),
        (#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#, "max_tokens: Field required"),
        (#"{"model":"m","max_tokens":5,"messages":[{"role":"system","content":"a"}]}"#, "role"),
        (body(content: #""""#), "non-empty"), (body(content: "[]"), "non-empty"),
        (body(content: #"[{"type":"text","text":""}]"#), "non-empty"),
        (body(content: #"[{"type":"image_url"}]"#), "valid"),
    ]) func `what Anthropic's API refuses is refused, in its words`(_ body: String, _ says: String) {
        let answer = Self.provider().send(body, key: "test-key", path: "/v1/messages")
        #expect(answer.status == 400 && answer.json?["type"]?.string == "error")
        #expect(answer.json?["error"]?["type"]?.string == "invalid_request_error")
        #expect(answer.json?["error"]?["message"]?.string?.contains(says) == true, "\(answer.json as Any)")
    }

    @Test func `a wrong key and a full limit have its errors, and its headers tell moments of its clock`() {
        let provider = Self.provider(KeyLimits(rpm: 1))
        let wrong = provider.send(Self.body(), key: "other", path: "/v1/messages")
        #expect(wrong.status == 401 && wrong.json?["error"]?["type"]?.string == "authentication_error")
        _ = provider.send(Self.body(), key: "test-key", path: "/v1/messages")
        let full = provider.send(Self.body(), key: "test-key", path: "/v1/messages", after: 500_000)
        #expect(full.status == 429 && full.json?["error"]?["type"]?.string == "rate_limit_error")
        func header(_ name: String) -> String? { full.headers.first { $0.name == name }?.value }
        #expect(header("date") == "Thu, 01 Jan 2026 00:00:00 GMT")
        #expect(header("anthropic-ratelimit-requests-limit") == "1")
        #expect(header("anthropic-ratelimit-requests-remaining") == "0")
        #expect(header("anthropic-ratelimit-requests-reset") == "2026-01-01T00:01:00Z")
        #expect(header("retry-after") == "60")
        #expect(!full.headers.contains { $0.name.hasPrefix("x-ratelimit") || $0.name == "retry-after-ms" })
        // 58 days, 23 hours, 59 minutes and 59 seconds later: the last second of February.
        let later = provider.send(Self.body(), key: "test-key", path: "/v1/messages", after: 5_097_599_000_000)
        #expect(later.headers.first { $0.name == "date" }?.value == "Sat, 28 Feb 2026 23:59:59 GMT")
        #expect(
            later.headers.first { $0.name == "anthropic-ratelimit-requests-reset" }?.value == "2026-03-01T00:01:00Z")
    }
}
