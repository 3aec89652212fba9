import JSONLines

/// A chat completion's request, written as Anthropic's Messages API takes it.
///
/// Nothing is left out that may change the answer: what the API cannot express is an error, and the job goes to another key.
/// Left out is what only concerns OpenAI's storage, caching and speed (`store`, `metadata`, `prompt_cache_key`, `prediction`,
/// `stream_options`), `seed`, which promises nothing there either, and all that asks for what is done anyway (`n` of 1,
/// penalties of 0).
struct AnthropicRequest {
    private let root: JSONSlice
    private let model: String
    private let kind: ClaudeModel
    private let mostOutput: Int?

    init(_ root: JSONSlice, model: String, mostOutput: Int?) {
        (self.root, self.model, self.mostOutput) = (root, model, mostOutput)
        kind = ClaudeModel(model)
    }

    /// The request's bytes.
    func written() throws(Inexpressible) -> [UInt8] {
        for member in root.members where !member.value.isNull { try check(member.name, member.value) }
        let conversation = try AnthropicConversation(root["messages"])
        return try JSONWriter.object { (writer) throws(Inexpressible) in
            writer.member("model", model)
            writer.member("max_tokens", try longestAnswer())
            if !conversation.system.isEmpty {
                writer.array("system") { array in for block in conversation.system { array.raw(block) } }
            }
            conversation.writeMessages(to: &writer)
            try AnthropicTools(root).write(to: &writer)
            try writeSampling(to: &writer)
            try writeStops(to: &writer)
            try writeOutput(to: &writer)
            if let user = present("user") ?? present("safety_identifier") {
                writer.object("metadata") { $0.member("user_id", user) }
            }
            // OpenAI's default is the standard tier; Anthropic's is to use priority capacity where the account has any.
            if present("service_tier")?.string == "default" { writer.member("service_tier", "standard_only") }
            if let thinking = present("thinking") { writer.member("thinking", thinking) }
        }
    }

    private func present(_ name: String) -> JSONSlice? { root[name].flatMap { $0.isNull ? nil : $0 } }

    /// The number that the API demands: what the request states, within what is reserved for it.
    private func longestAnswer() throws(Inexpressible) -> Int {
        let stated = present("max_completion_tokens")?.int ?? present("max_tokens")?.int
        // There it asks for no answer at all, but to fill the cache.
        if stated == 0 { throw Inexpressible("Anthropic's API gives no answer with max_tokens of 0") }
        let most = mostOutput ?? stated ?? ProviderKind.anthropic.demandedAnswer ?? 1
        return min(stated ?? most, most)
    }

    // MARK: Members

    /// Where they stand, they are written; or they concern nothing that an answer shows.
    private static let known: Set<String> = [
        "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "tools",
        "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "user", "safety_identifier",
        "thinking", "metadata", "store", "seed", "prediction", "prompt_cache_key", "prompt_cache_retention",
        "stream_options",
    ]

    private func check(_ name: String, _ value: JSONSlice) throws(Inexpressible) {
        if Self.known.contains(name) { return }
        let isDefault =
            switch name {
            case "n", "best_of": value.int == 1
            case "stream", "logprobs": value.bool == false
            case "top_logprobs": value.int == 0
            case "presence_penalty", "frequency_penalty": value.double == 0
            case "logit_bias": value.kind == .object && value.members.isEmpty
            case "modalities": value.elements.map(\.string) == ["text"]
            case "verbosity": value.string == "medium"
            case "service_tier": ["auto", "default", "priority"].contains(value.string)
            case "functions": value.kind == .array && value.elements.isEmpty
            default: false
            }
        guard isDefault else {
            switch name {
            case "n", "best_of":
                throw Inexpressible("Anthropic's API gives one answer a request, and `\(name)` asks for more")
            case "service_tier": throw Inexpressible("Anthropic's API has no such `service_tier`")
            default: throw Inexpressible(member: name)
            }
        }
    }

    // MARK: Sampling, stops, output

    /// A default asks for nothing and is left out: the newer models refuse these members whatever they say.
    private func writeSampling(to writer: inout JSONWriter) throws(Inexpressible) {
        let temperature = present("temperature").flatMap { $0.double == 1 ? nil : $0 }
        let topP = present("top_p").flatMap { $0.double == 1 ? nil : $0 }
        let topK = present("top_k")
        let given = [("temperature", temperature), ("top_p", topP), ("top_k", topK)].compactMap { name, value in
            value.map { (name, $0) }
        }
        guard let first = given.first else { return }
        if kind.refusesSampling { throw Inexpressible("the model \(model) takes no `\(first.0)`") }
        if let value = temperature?.double, value > 1 {
            throw Inexpressible("Anthropic's API takes a `temperature` of 1 at most")
        }
        // Refused together from Opus 4.1 on, and the API's reference has always asked to set only one of them.
        if temperature != nil, topP != nil {
            throw Inexpressible("Anthropic's models take `temperature` or `top_p`, not both")
        }
        for (name, value) in given { writer.member(name, value) }
    }

    private func writeStops(to writer: inout JSONWriter) throws(Inexpressible) {
        guard let stop = present("stop") else { return }
        let stops = stop.kind == .array ? stop.elements : [stop]
        for text in stops where text.string?.contains(where: { !$0.isWhitespace }) != true {
            throw Inexpressible("Anthropic's API takes no `stop` of white space only")
        }
        if !stops.isEmpty { writer.member("stop_sequences", stops) }
    }

    private func writeOutput(to writer: inout JSONWriter) throws(Inexpressible) {
        let schema = try schema()
        let effort = try effort()
        guard schema != nil || effort != nil else { return }
        writer.object("output_config") { config in
            if let effort { config.member("effort", effort) }
            if let schema {
                config.object("format") {
                    $0.member("type", "json_schema")
                    $0.member("schema", schema)
                }
            }
        }
    }

    private func schema() throws(Inexpressible) -> JSONSlice? {
        guard let format = present("response_format") else { return nil }
        switch format["type"]?.string {
        case "text": return nil
        case "json_schema":
            guard let schema = format["json_schema"]?["schema"], schema.kind == .object else { break }
            return schema
        case "json_object":
            throw Inexpressible(
                "Anthropic's API has nothing like a `response_format` of type json_object; it takes json_schema")
        default: break
        }
        throw Inexpressible("Anthropic's API has no such `response_format`")
    }

    /// OpenAI's words are from `none` and `minimal` to `xhigh`, Anthropic's from `low` to `max`.
    private func effort() throws(Inexpressible) -> String? {
        guard let effort = present("reasoning_effort") else { return nil }
        let isLittle = effort.string == "none" || effort.string == "minimal"
        // They do not reason unless they are told to.
        if kind.lacksEffort, isLittle { return nil }
        if kind.lacksEffort { throw Inexpressible("the model \(model) takes no `reasoning_effort`") }
        switch effort.string {
        case "minimal": return "low"
        case let word? where ["low", "medium", "high", "xhigh", "max"].contains(word): return word
        default: throw Inexpressible("Anthropic's API has no such `reasoning_effort`")
        }
    }
}
