import JSONLines
import OffpeakCore

/// A message of Anthropic's as the chat completion that it stands for.
struct AnthropicAnswer {
    private let message: JSONSlice
    private let response: HTTPResponse

    /// Whether any part is taken, and any ending but a refusal: for requests in Anthropic's own words, whose answers are only
    /// judged here and not rewritten.
    private let takesAll: Bool

    init(_ message: JSONSlice, in response: HTTPResponse, takesAll: Bool) {
        (self.message, self.response, self.takesAll) = (message, response, takesAll)
    }

    /// The chat completion's bytes; nil when this is no message, or one with parts that were not asked for and that a chat
    /// completion has no place for.
    var completion: [UInt8]? {
        guard message["type"]?.string == "message", let content = message["content"], content.kind == .array,
            let stop = message["stop_reason"]?.string
        else { return nil }
        let blocks = content.elements.map { (type: $0["type"]?.string ?? "", block: $0) }
        guard takesAll || blocks.allSatisfy({ Self.kinds.contains($0.type) }) else { return nil }
        func text(_ type: String, _ name: String) -> String? {
            let texts = blocks.filter { $0.type == type }.compactMap { $0.block[name]?.string }
            return texts.isEmpty ? nil : texts.joined()
        }
        return JSONWriter.object { root in
            root.member("id", message["id"]?.string ?? "")
            root.member("object", "chat.completion")
            // The provider's own clock, if it says; ours has no part in answers.
            root.member("created", response.header("date").flatMap(CivilDate.http).map { $0.milliseconds / 1_000 } ?? 0)
            root.member("model", message["model"]?.string ?? "")
            root.array("choices") { choices in
                choices.object { choice in
                    choice.member("index", 0)
                    choice.object("message") { answer in
                        answer.member("role", "assistant")
                        answer.member("content", text("text", "text"))
                        answer.member("refusal", stop == "refusal" ? refusal : nil)
                        if let thinking = text("thinking", "thinking"), !thinking.isEmpty {
                            answer.member("reasoning_content", thinking)
                        }
                        let calls = blocks.filter { $0.type == "tool_use" }.map(\.block)
                        if !calls.isEmpty {
                            answer.array("tool_calls") { for call in calls { Self.write(call, to: &$0) } }
                        }
                    }
                    choice.null("logprobs")
                    choice.member("finish_reason", finish(stop))
                }
            }
            AnthropicUsage(message["usage"])?.write(to: &root)
        }
    }

    /// What a request of ours can be answered with.
    private static let kinds: Set<String> = ["text", "thinking", "redacted_thinking", "tool_use"]

    private var refusal: String { message["stop_details"]?["explanation"]?.string ?? "the model refused" }

    private static func write(_ call: JSONSlice, to array: inout JSONWriter) {
        array.object { item in
            item.member("id", call["id"]?.string ?? "")
            item.member("type", "function")
            item.object("function") {
                $0.member("name", call["name"]?.string ?? "")
                $0.member("arguments", String(decoding: call["input"]?.bytes ?? Array("{}".utf8)[...], as: UTF8.self))
            }
        }
    }

    /// OpenAI's word for why the answer ended; a reason that is not known here stays as it is.
    private func finish(_ stop: String) -> String {
        switch stop {
        case "end_turn", "stop_sequence": "stop"
        case "max_tokens", "model_context_window_exceeded": "length"
        case "tool_use": "tool_calls"
        case "refusal": "content_filter"
        // Only with tools that the provider runs itself: the answer is not finished, and only who asked in these words can go on.
        case "pause_turn": takesAll ? "stop" : "error"
        default: stop
        }
    }
}
