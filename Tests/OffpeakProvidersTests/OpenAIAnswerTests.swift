import OffpeakCore
import Testing

@testable import OffpeakProviders

/// A chat answer with one choice.
func chat(_ content: String, finish: String = "stop", message extra: String = "", usage: Bool = true) -> String {
    let usage = usage ? #","usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}"# : ""
    return #"{"id":"c-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","#
        + #""content":\#(content)\#(extra)},"finish_reason":"\#(finish)"}]\#(usage)}"#
}

private func responses(_ status: String, _ parts: String, _ extra: String = "") -> String {
    #"{"id":"r-1","status":"\#(status)","error":null,"output":[{"type":"reasoning"},{"type":"message","#
        + #""content":[\#(parts)]}],"usage":{"input_tokens":7,"output_tokens":3,"total_tokens":10}\#(extra)}"#
}

@Suite struct OpenAIAnswerTests {
    @Test func `a chat answer is a result with its bytes untouched`() throws {
        let body = "\n " + chat(#""four""#) + "\n"
        let report = report(response(200, body, [("x-request-id", "req-1"), ("x-ratelimit-remaining-requests", "9")]))
        let answer = try #require(report.answer)
        #expect(answer.body == Array(body.utf8))
        #expect(answer.statusCode == 200)
        #expect(answer.requestID == "req-1")
        #expect(answer.usage == Usage(inputTokens: 10, outputTokens: 5))
        #expect(report.usageReported)
        #expect(report.feedback.requests.remaining == 9)
    }

    static let results: [(Endpoint, String)] = [
        (.chatCompletions, chat("\"\"")),
        (.chatCompletions, chat("\"cut\"", finish: "length")),
        (.chatCompletions, chat("null", finish: "tool_calls", message: #","tool_calls":[{"id":"t"}]"#)),
        (.chatCompletions, chat("\"x\"", message: #","refusal":null"#)),
        (.chatCompletions, chat("\"x\"", message: #","refusal":"""#)),
        (.chatCompletions, chat("\"x\"", usage: false)),
        (.chatCompletions, #"{"error":null,"choices":[{"message":{"content":"x"}}]}"#),
        (
            .chatCompletions,
            #"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"},{"message":{},"finish_reason":"content_filter"}]}"#
        ),
        (
            .embeddings,
            #"{"object":"list","data":[{"embedding":[0.1,-2e-3]}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#
        ),
        (.embeddings, #"{"data":[{"embedding":"AAAA"}]}"#),
        (.completions, #"{"choices":[{"text":"","finish_reason":"stop"}]}"#),
        (.responses, responses("completed", #"{"type":"output_text","text":"four"}"#)),
        (.responses, responses("incomplete", "", #","incomplete_details":{"reason":"max_output_tokens"}"#)),
        (.responses, #"{"output":[]}"#),
        (.responses, #"{"status":"completed"}"#),
    ]

    @Test(arguments: results) func `what is a result`(_ endpoint: Endpoint, _ body: String) {
        let report = report(response(200, body), endpoint)
        #expect(report.answer != nil, "\(String(describing: report.failure))")
    }

    static let failures: [(Endpoint, String, FailureClass, String)] = [
        (.chatCompletions, "", .unavailable, "empty_answer"),
        (.chatCompletions, " \n", .unavailable, "empty_answer"),
        (.chatCompletions, "<html><body>login</body></html>", .unavailable, "gateway_page"),
        (.chatCompletions, "data: {\"choices\":[]}\n\ndata: [DONE]\n", .invalidRequest, "event_stream"),
        (.chatCompletions, String(chat("\"four\"").dropLast(3)), .invalidOutput, "answer_cut_short"),
        (.chatCompletions, "{", .invalidOutput, "answer_cut_short"),
        (.chatCompletions, "OK", .invalidOutput, "answer_not_json"),
        (.chatCompletions, chat("\"a\"") + chat("\"b\""), .invalidOutput, "answer_not_json"),
        (.chatCompletions, chat("\"a\"") + "]", .invalidOutput, "answer_not_json"),
        (.chatCompletions, "[]", .invalidOutput, "unexpected_answer"),
        (.chatCompletions, "null", .invalidOutput, "unexpected_answer"),
        (.chatCompletions, "\"four\"", .invalidOutput, "unexpected_answer"),
        (.chatCompletions, "{}", .invalidOutput, "unexpected_answer"),
        (.chatCompletions, #"{"choices":[]}"#, .invalidOutput, "unexpected_answer"),
        (.chatCompletions, #"{"choices":{}}"#, .invalidOutput, "unexpected_answer"),
        (.chatCompletions, #"{"choices":[{"text":"x"}]}"#, .invalidOutput, "unexpected_answer"),
        (.chatCompletions, #"{"choices":[{"message":"x"}]}"#, .invalidOutput, "unexpected_answer"),
        (.chatCompletions, #"{"choices":[{"message":{}},3]}"#, .invalidOutput, "unexpected_answer"),
        (.chatCompletions, chat("null", finish: "content_filter"), .refused, "content_filter"),
        (.chatCompletions, chat("null", message: #","refusal":"I cannot."# + "\""), .refused, "refusal"),
        (
            .chatCompletions, chat("\"\"", finish: "insufficient_system_resource"), .overloaded,
            "insufficient_system_resource"
        ),
        (.chatCompletions, chat("\"\"", finish: "error"), .unavailable, "ended_in_error"),
        (
            .chatCompletions, #"{"choices":[{"error":{"code":429,"message":"x"},"finish_reason":"error"}]}"#,
            .rateLimited, "http_429"
        ),
        (.chatCompletions, #"[{"error":{"code":429,"message":"x"}}]"#, .rateLimited, "http_429"),
        (
            .chatCompletions, #"{"object":"error","message":"x","type":"insufficient_quota"}"#, .quotaExhausted,
            "insufficient_quota"
        ),
        (.chatCompletions, #"{"type":"error","error":{"type":"overloaded_error"}}"#, .overloaded, "overloaded_error"),
        (.chatCompletions, #"{"error":"","choices":[{"message":{"content":"x"}}]}"#, .unavailable, "error_in_answer"),
        (.embeddings, #"{"data":[]}"#, .invalidOutput, "unexpected_answer"),
        (.embeddings, #"{"data":[{"embedding":null}]}"#, .invalidOutput, "unexpected_answer"),
        (.embeddings, chat("\"x\""), .invalidOutput, "unexpected_answer"),
        (.completions, chat("\"x\""), .invalidOutput, "unexpected_answer"),
        (.completions, #"{"choices":[{"text":"x","finish_reason":"content_filter"}]}"#, .refused, "content_filter"),
        (.responses, "{}", .invalidOutput, "unexpected_answer"),
        (.responses, responses("strange", ""), .invalidOutput, "unexpected_answer"),
        (.responses, responses("queued", ""), .invalidRequest, "background"),
        (.responses, responses("cancelled", ""), .unavailable, "response_cancelled"),
        (.responses, responses("failed", ""), .unavailable, "response_failed"),
        (
            .responses, #"{"status":"failed","error":{"code":"rate_limit_exceeded","message":"x"}}"#, .rateLimited,
            "rate_limit_exceeded"
        ),
        (
            .responses, responses("incomplete", "", #","incomplete_details":{"reason":"content_filter"}"#), .refused,
            "content_filter"
        ),
        (.responses, responses("incomplete", ""), .invalidOutput, "incomplete"),
        (.responses, responses("completed", #"{"type":"refusal","refusal":"No."}"#), .refused, "refusal"),
    ]

    @Test(arguments: failures)
    func `what is none, whatever the status says`(
        _ endpoint: Endpoint, _ body: String, _ failureClass: FailureClass, _ code: String
    ) throws {
        let failure = try #require(report(response(200, body), endpoint).failure)
        #expect(failure.failureClass == failureClass)
        #expect(failure.code == code)
        #expect(failure.statusCode == 200)
        #expect(failure.judged)
    }

    @Test(arguments: [204, 205]) func `no content is no result`(_ status: Int) throws {
        let failure = try #require(report(response(status, "")).failure)
        #expect(failure.code == "empty_answer")
        #expect(failure.message == "the answer is empty (HTTP \(status))")
    }

    @Test func `a model's text is never quoted in a failure`() throws {
        for body in [chat("\"my answer\"").dropLast(4) + "", "my answer", "<p>my answer", #"{"my answer":1}"#] {
            let failure = try #require(report(response(200, body)).failure)
            #expect(!failure.message.contains("my answer"))
        }
    }

    @Test func `a refusal and useless output keep their usage`() throws {
        let refused = report(response(200, chat("null", finish: "content_filter")))
        #expect(try #require(refused.failure).usage == Usage(inputTokens: 10, outputTokens: 5))
        #expect(refused.usageReported)
        let useless = report(response(200, chat("\"no json\"")), wantsJSON: true)
        #expect(try #require(useless.failure).usage.totalTokens == 15)
    }

    static let asked: [(Endpoint, String, String?)] = [
        (.chatCompletions, chat(#""{\"a\": 1}""#), nil),
        (.chatCompletions, chat(#"" [1, 2]\n""#), nil),
        (.chatCompletions, chat(#""{\"a\": 1""#, finish: "length"), "output_cut_short"),
        (.chatCompletions, chat(#""{\"a\": 1}""#, finish: "length"), nil),
        (.chatCompletions, chat(#""Sure! {\"a\": 1}""#), "output_not_json"),
        (.chatCompletions, chat("\"```json\\n{}\\n```\""), "output_not_json"),
        (.chatCompletions, chat("null"), "output_not_json"),
        (.chatCompletions, chat("\"\""), "output_not_json"),
        (.chatCompletions, chat("null", message: #","tool_calls":[{"id":"t"}]"#), nil),
        (.chatCompletions, chat(#"[{"type":"thinking","thinking":[]},{"type":"text","text":"{}"}]"#), nil),
        (.responses, responses("completed", #"{"type":"output_text","text":"{}"}"#), nil),
        (.responses, responses("completed", #"{"type":"output_text","text":"no"}"#), "output_not_json"),
        (
            .responses,
            responses(
                "incomplete", #"{"type":"output_text","text":"{"}"#,
                #","incomplete_details":{"reason":"max_output_tokens"}"#), "output_cut_short"
        ),
        (.responses, #"{"status":"completed","output":[{"type":"function_call","arguments":"{}"}]}"#, nil),
    ]

    @Test(arguments: asked)
    func `JSON that was asked for is held against the answer`(_ endpoint: Endpoint, _ body: String, _ code: String?) {
        let report = report(response(200, body), endpoint, wantsJSON: true)
        #expect(report.failure?.code == code)
        #expect(report.failure.map { $0.failureClass == .invalidOutput } ?? true)
    }
}
