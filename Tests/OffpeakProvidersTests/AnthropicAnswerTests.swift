import JSONLines
import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct AnthropicAnswerTests {
    static func report(_ response: HTTPResponse, wantsJSON: Bool = false, secret: Secret? = nil) -> AttemptReport {
        AnthropicAdapter().report(
            for: .response(response), job: JobExpectation(endpoint: .chatCompletions, wantsJSON: wantsJSON),
            provider: AnthropicRequestTests.provider, secret: secret)
    }

    static func message(
        _ content: String, stop: String = "end_turn", usage: String = #"{"input_tokens":10,"output_tokens":4}"#,
        more: String = ""
    ) -> String {
        #"{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001","content":[\#(content)],"stop_reason":"\#(stop)","stop_sequence":null,"usage":\#(usage)\#(more)}"#
    }

    static func text(_ text: String) -> String { #"{"type":"text","text":"\#(text)"}"# }

    @Test func `a message comes back as a chat completion`() throws {
        let headers = [("date", "Sun, 04 Oct 2026 12:00:00 GMT"), ("request-id", "req_1")]
        let body = Self.message(Self.text(#"a\n\u00e9"#) + "," + Self.text("b"), stop: "stop_sequence")
        let answer = try #require(Self.report(response(200, body, headers)).answer)
        #expect(answer.requestID == "req_1")
        #expect(
            String(decoding: answer.body, as: UTF8.self)
                == #"{"id":"msg_1","object":"chat.completion","created":1791115200,"model":"claude-haiku-4-5-20251001","choices":[{"index":0,"message":{"role":"assistant","content":"a\néb","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#
        )
        #expect(answer.usage == Usage(inputTokens: 10, outputTokens: 4))
    }

    // MARK: Requests in Anthropic's own words

    private static func ownReport(_ body: String, status: Int = 200, wantsJSON: Bool = false) -> AttemptReport {
        AnthropicAdapter().report(
            for: .response(response(status, body)), job: JobExpectation(endpoint: .messages, wantsJSON: wantsJSON),
            provider: AnthropicRequestTests.provider, secret: nil)
    }

    @Test func `an answer to a request in Anthropic's own words comes back byte for byte, with its usage read`() throws
    {
        let usage =
            #"{"input_tokens":10,"output_tokens":4,"cache_read_input_tokens":3,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":5}}"#
        let blocks = #"{"type":"server_tool_use","id":"s","name":"web_search","input":{}}, "# + Self.text("a")
        for stop in ["end_turn", "max_tokens", "tool_use", "pause_turn"] {
            let body = Self.message(blocks, stop: stop, usage: usage)
            let report = Self.ownReport(body)
            let answer = try #require(report.answer)
            #expect(answer.body == Array(body.utf8))
            #expect(
                answer.usage
                    == Usage(
                        inputTokens: 20, cachedTokens: 3, cacheWriteTokens: 7, longCacheWriteTokens: 5, outputTokens: 4)
            )
            #expect(report.usageReported)
        }
    }

    @Test func `failures of requests in Anthropic's own words are those of all others`() {
        func failure(_ body: String, status: Int = 200, wantsJSON: Bool = false) -> (FailureClass, String)? {
            guard case .failure(let failure) = Self.ownReport(body, status: status, wantsJSON: wantsJSON).outcome else {
                return nil
            }
            return (failure.failureClass, failure.code)
        }
        let refused = failure(Self.message("", stop: "refusal"))
        #expect(refused?.0 == .refused && refused?.1 == "content_filter")
        let prose = failure(Self.message(Self.text("no")), wantsJSON: true)
        #expect(prose?.0 == .invalidOutput && prose?.1 == "output_not_json")
        #expect(failure(Self.message(Self.text("{}")), wantsJSON: true) == nil)
        #expect(failure(#"{"id":"x","object":"chat.completion","choices":[]}"#)?.0 == .invalidOutput)
        #expect(failure("<html>")?.0 == .unavailable)
        let limit = #"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#
        #expect(failure(limit, status: 429)?.0 == .rateLimited)
        #expect(failure(limit)?.0 == .rateLimited)
    }

    @Test func `calls of tools and thinking come along`() throws {
        let blocks =
            #"{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"},"#
            + #"{"type":"tool_use","id":"t1","name":"f","input":{"x": 1.0}},{"type":"tool_use","id":"t2","name":"g","input":{}}"#
        let answer = try #require(Self.report(response(200, Self.message(blocks, stop: "tool_use"))).answer)
        let choice = JSONSlice(answer.body)?["choices"]?[0]
        #expect(choice?["finish_reason"]?.string == "tool_calls")
        #expect(choice?["message"]?["content"]?.isNull == true)
        #expect(choice?["message"]?["reasoning_content"]?.string == "hm")
        let calls = choice?["message"]?["tool_calls"]?.elements ?? []
        #expect(calls.map { $0["id"]?.string } == ["t1", "t2"])
        #expect(calls.map { $0["function"]?["name"]?.string } == ["f", "g"])
        #expect(calls.map { $0["function"]?["arguments"]?.string } == [#"{"x": 1.0}"#, "{}"])
        #expect(calls.allSatisfy { $0["type"]?.string == "function" })
    }

    @Test(arguments: [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"), ("tool_use", "tool_calls"), ("a_new_reason", "a_new_reason"),
    ]) func `every way to end has OpenAI's word`(_ stop: String, _ finish: String) throws {
        let answer = try #require(Self.report(response(200, Self.message(Self.text("x"), stop: stop))).answer)
        #expect(JSONSlice(answer.body)?["choices"]?[0]?["finish_reason"]?.string == finish)
    }

    static let flaws: [(String, Bool, FailureClass, String, Bool)] = [
        (
            message("", stop: "refusal", more: #","stop_details":{"type":"refusal","explanation":"no"}"#), false,
            .refused, "content_filter", true
        ),
        (message(text("x"), stop: "pause_turn"), false, .unavailable, "ended_in_error", true),
        (message(text("x")), true, .invalidOutput, "output_not_json", true),
        (message(text("{"), stop: "max_tokens"), true, .invalidOutput, "output_cut_short", true),
        (message(#"{"type":"server_tool_use","id":"s"}"#), false, .invalidOutput, "unexpected_answer", false),
        (
            #"{"type":"message","content":"x","stop_reason":"end_turn"}"#, false, .invalidOutput, "unexpected_answer",
            false
        ),
        (#"{"type":"message","content":[]}"#, false, .invalidOutput, "unexpected_answer", false),
        (#"{"choices":[{"message":{"content":"x"}}]}"#, false, .invalidOutput, "unexpected_answer", false),
        ("[]", false, .invalidOutput, "unexpected_answer", false), ("", false, .unavailable, "empty_answer", false),
        (String(message(text("xyz")).dropLast(40)), false, .invalidOutput, "answer_cut_short", false),
        ("<html>x</html>", false, .unavailable, "gateway_page", false),
        ("event: message_start\ndata: {}", false, .invalidRequest, "event_stream", false),
        (
            #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, false, .overloaded,
            "overloaded_error", false
        ),
    ]

    @Test(arguments: flaws) func `what is no result is told apart, and what it used is counted`(
        _ body: String, _ wantsJSON: Bool, _ failureClass: FailureClass, _ code: String, _ usage: Bool
    ) throws {
        let report = Self.report(response(200, body), wantsJSON: wantsJSON)
        let failure = try #require(report.failure)
        #expect(failure.failureClass == failureClass && failure.code == code, "\(failure)")
        #expect(failure.usage == (usage ? Usage(inputTokens: 10, outputTokens: 4) : Usage()))
        #expect(report.usageReported == usage)
    }

    static let usages: [(String, Usage?)] = [
        (
            #"{"input_tokens":10,"cache_read_input_tokens":300,"cache_creation_input_tokens":70,"cache_creation":{"ephemeral_5m_input_tokens":30,"ephemeral_1h_input_tokens":40},"output_tokens":9,"output_tokens_details":{"thinking_tokens":5}}"#,
            Usage(
                inputTokens: 380, cachedTokens: 300, cacheWriteTokens: 70, longCacheWriteTokens: 40, outputTokens: 9,
                reasoningTokens: 5)
        ),
        (
            #"{"input_tokens":0,"cache_read_input_tokens":300,"output_tokens":1}"#,
            Usage(inputTokens: 300, cachedTokens: 300, outputTokens: 1)
        ),
        (
            #"{"input_tokens":5,"cache_creation_input_tokens":20,"output_tokens":1}"#,
            Usage(inputTokens: 25, cacheWriteTokens: 20, outputTokens: 1)
        ),
        (
            #"{"input_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":20},"output_tokens":1}"#,
            Usage(inputTokens: 25, cacheWriteTokens: 20, longCacheWriteTokens: 20, outputTokens: 1)
        ),
        (
            #"{"input_tokens":5,"cache_creation_input_tokens":null,"cache_creation":null,"output_tokens":1}"#,
            Usage(inputTokens: 5, outputTokens: 1)
        ),
        (#"{"input_tokens":5}"#, nil), (#"{"output_tokens":5}"#, nil), ("null", nil), ("{}", nil),
        (#"{"input_tokens":-5,"output_tokens":1}"#, nil), (#"{"input_tokens":"5","output_tokens":1}"#, nil),
        (#"{"input_tokens":5,"cache_read_input_tokens":-1,"output_tokens":1}"#, nil),
        (#"{"input_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":1e99},"output_tokens":1}"#, nil),
    ]

    @Test(arguments: usages) func `the cache's reads and writes are parts of the input, each of its own kind`(
        _ json: String, _ usage: Usage?
    ) throws {
        let report = Self.report(response(200, Self.message(Self.text("x"), usage: json)))
        let answer = try #require(report.answer)
        #expect(answer.usage == usage ?? Usage())
        #expect(report.usageReported == (usage != nil))
    }

    static func error(_ type: String, _ message: String) -> String {
        #"{"type":"error","error":{"type":"\#(type)","message":"\#(message)"},"request_id":"req_1"}"#
    }

    static let errors: [(Int, String, FailureClass, String)] = [
        (
            400, error("invalid_request_error", "messages: at least one message is required"), .invalidRequest,
            "invalid_request_error"
        ),
        (
            400,
            error(
                "invalid_request_error",
                "max_tokens: 99999 > 64000, which is the maximum allowed number of output tokens for claude-haiku-4-5"),
            .invalidRequest, "invalid_request_error"
        ),
        (
            400, error("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), .invalidRequest,
            "context_length_exceeded"
        ),
        (
            400,
            error(
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."),
            .quotaExhausted, "insufficient_quota"
        ),
        (401, error("authentication_error", "invalid x-api-key"), .keyRejected, "authentication_error"),
        (402, error("billing_error", "There is an issue with your billing"), .quotaExhausted, "billing_error"),
        (403, error("permission_error", "Your API key does not have permission"), .keyRejected, "permission_error"),
        (404, error("not_found_error", "model: claude-haiku-9"), .modelUnavailable, "model_not_found"),
        (413, error("request_too_large", "Request exceeds the maximum size"), .invalidRequest, "request_too_large"),
        (413, "<html><title>413 Payload Too Large</title></html>", .invalidRequest, "request_too_large"),
        (
            429,
            error(
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 50,000 input tokens per minute"),
            .rateLimited, "rate_limit_error"
        ),
        (500, error("api_error", "Internal server error"), .unavailable, "api_error"),
        (504, error("timeout_error", "Request timed out"), .unavailable, "timeout_error"),
        (529, error("overloaded_error", "Overloaded"), .overloaded, "overloaded_error"),
        (409, error("conflict_error", "Conflict"), .unavailable, "conflict_error"),
    ]

    @Test(arguments: errors) func `each of Anthropic's errors has its class`(
        _ status: Int, _ body: String, _ failureClass: FailureClass, _ code: String
    ) throws {
        let failure = try #require(Self.report(response(status, body)).failure)
        #expect(failure.failureClass == failureClass && failure.code == code, "\(failure)")
    }

    @Test func `a refusal for the rate names its wait, by header or by the moment of its own clock`() throws {
        let moments = [
            ("date", "Sun, 04 Oct 2026 12:00:00 GMT"), ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-10-04T12:00:07Z"),
        ]
        let body = Self.error("rate_limit_error", "too many")
        let plain = Self.report(response(429, body, moments))
        #expect(plain.failure?.retryAfter == .seconds(7))
        #expect(plain.feedback.requests == .init(limit: 50, remaining: 0, reset: .seconds(7)))
        #expect(Self.report(response(429, body, moments + [("retry-after", "12")])).failure?.retryAfter == .seconds(12))
    }

    @Test func `no answer crashes, shows the secret, or is a success without being a message`() {
        var generator = Seeded(20_263)
        let secret = "test-secret-0123456789"
        let seeds =
            Self.flaws.map(\.0) + Self.usages.map { Self.message(Self.text("x"), usage: $0.0) } + Self.errors.map(\.1)
            + [
                Self.error("api_error", "key \(secret) is bad"),
                Self.message(Self.text("x"), more: #","error":"\#(secret)""#),
            ]
        var successes = 0
        for round in 0..<6_000 {
            var bytes = Array(seeds.randomElement(using: &generator)!.utf8)
            for _ in 0..<Int.random(in: 0...3, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.remove(at: place)
                case 1: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                default: bytes.removeSubrange(place...)
                }
            }
            let status = Bool.random(using: &generator) ? 200 : Int.random(in: 300...599, using: &generator)
            let report = Self.report(
                HTTPResponse(status: status, headers: [("request-id", secret)], body: bytes), secret: Secret(secret))
            switch report.outcome {
            case .success(let answer):
                successes += 1
                #expect(status == 200 && JSONSlice(bytes)?["type"]?.string == "message", "round \(round)")
                #expect(JSONSlice(answer.body)?["object"]?.string == "chat.completion" && answer.requestID.isEmpty)
            case .failure(let failure): #expect(!(failure.message + failure.code).contains(secret), "round \(round)")
            }
        }
        #expect(successes > 100)
    }
}
