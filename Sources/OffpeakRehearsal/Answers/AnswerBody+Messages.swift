import JSONLines

extension AnswerBody {
    /// An answer of Anthropic's Messages API.
    static func message(_ prompt: Prompt, _ content: Content, _ id: String) -> [UInt8] {
        let stops = ["stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"]
        return JSONWriter.object {
            $0.member("id", "msg_" + id)
            $0.member("type", "message")
            $0.member("role", "assistant")
            $0.member("model", prompt.model)
            $0.array("content") { blocks in
                guard !content.text.isEmpty else { return }
                blocks.object {
                    $0.member("type", "text")
                    $0.member("text", content.text)
                }
            }
            $0.member("stop_reason", stops[content.finish] ?? "end_turn")
            $0.null("stop_sequence")
            $0.object("usage") {
                $0.member("input_tokens", prompt.inputTokens)
                $0.member("cache_creation_input_tokens", 0)
                $0.member("cache_read_input_tokens", 0)
                $0.member("output_tokens", content.tokens)
                $0.member("service_tier", "standard")
            }
        }
    }
}
