import JSONLines

/// What Anthropic's API refuses in a request before any model sees it (platform.claude.com/docs/en/api/messages): members
/// that it does not know, roles but two, empty texts, sampling beyond its range.
struct MessagesCheck {
    private let fields: [String: JSONSlice]

    init(_ fields: [String: JSONSlice]) { self.fields = fields }

    private static let known: Set<String> = [
        "model", "max_tokens", "messages", "system", "tools", "tool_choice", "temperature", "top_p", "top_k",
        "stop_sequences", "output_config", "metadata", "service_tier", "thinking", "stream", "cache_control",
        "container", "inference_geo",
    ]

    func check() throws(Prompt.Malformed) {
        if let name = fields.keys.filter({ !Self.known.contains($0) }).min() {
            throw Prompt.Malformed(message: "\(name): Extra inputs are not permitted", parameter: name)
        }
        guard fields["max_tokens"]?.int != nil else {
            throw Prompt.Malformed(message: "max_tokens: Field required", parameter: "max_tokens")
        }
        if let value = fields["temperature"]?.double, !(0...1).contains(value) {
            throw Prompt.Malformed(message: "temperature: range: 0..1", parameter: "temperature")
        }
        guard let messages = fields["messages"] else { return }
        try Prompt.check(messages: messages)
        for (index, message) in messages.elements.enumerated() {
            let place = "messages.\(index)"
            guard ["user", "assistant"].contains(message["role"]?.string) else {
                throw Prompt.Malformed(
                    message: "\(place).role: Input should be 'user' or 'assistant'", parameter: place)
            }
            try check(message["content"], at: place + ".content")
        }
        if let system = fields["system"] { try check(system, at: "system") }
    }

    private func check(_ content: JSONSlice?, at place: String) throws(Prompt.Malformed) {
        if let text = content?.string, !text.isEmpty { return }
        let blocks = content?.elements ?? []
        guard !blocks.isEmpty else {
            throw Prompt.Malformed(message: "\(place): must have non-empty content", parameter: place)
        }
        for block in blocks {
            let needed = [
                "text": "text", "image": "source", "document": "source", "tool_use": "input",
                "tool_result": "tool_use_id", "thinking": "thinking", "redacted_thinking": "data",
            ]
            guard let name = needed[block["type"]?.string ?? ""], let value = block[name], !value.isNull else {
                throw Prompt.Malformed(message: "\(place): a block is not valid", parameter: place)
            }
            if name == "text", value.string?.isEmpty != false {
                throw Prompt.Malformed(message: "\(place): text content blocks must be non-empty", parameter: place)
            }
        }
    }
}
