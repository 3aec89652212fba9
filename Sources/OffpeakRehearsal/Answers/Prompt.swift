import JSONLines

/// The calls of OpenAI's API that are rehearsed, and Anthropic's.
package enum RehearsedEndpoint: String, Sendable, CaseIterable {
    case chatCompletions = "/chat/completions"
    case embeddings = "/embeddings"
    case responses = "/responses"
    case completions = "/completions"
    /// Anthropic's, with its own bodies and errors.
    case messages = "/messages"

    /// The endpoint of a path, with or without `/v1`.
    package init?(path: String) {
        self.init(rawValue: path.hasPrefix("/v1/") ? String(path.dropFirst(3)) : path)
    }
}

/// A request's body, as far as an answer depends on it.
package struct Prompt: Sendable {
    /// What the content of the answer has to be.
    package enum Format: Sendable {
        case text
        case json
        case schema(JSONSlice)
    }

    /// Why a body is no request; becomes a 400.
    package struct Malformed: Error, Sendable, Equatable {
        package var message: String
        package var parameter: String?
    }

    package var endpoint: RehearsedEndpoint
    package var model: String
    /// About the bytes of all text in the prompt, divided by four.
    package var inputTokens: Int
    /// The most tokens that the answer may have, where the request says so.
    package var maxTokens: Int?
    package var format = Format.text
    /// The service tier that the request names.
    package var tier: String?
    /// Embeddings: one content hash per input.
    package var inputs: [UInt64] = []
    /// Embeddings: how many numbers a vector has.
    package var dimensions = 64
    /// Embeddings: whether vectors come as base64 of 32-bit floats.
    package var wantsBase64 = false

    /// Reads the body of a request to `endpoint`.
    package init(_ body: [UInt8], endpoint: RehearsedEndpoint) throws(Malformed) {
        guard let document = JSONSlice(body), document.kind == .object else {
            throw Malformed(message: "The body of the request is not a JSON object.", parameter: nil)
        }
        self.endpoint = endpoint
        var fields: [String: JSONSlice] = [:]
        for member in document.members where fields[member.name] == nil { fields[member.name] = member.value }

        guard let model = fields["model"]?.string, !model.isEmpty else {
            throw Malformed(message: "You must provide a model parameter.", parameter: "model")
        }
        self.model = model
        if fields["stream"]?.bool == true {
            throw Malformed(message: "The rehearsal provider does not stream.", parameter: "stream")
        }

        let source = Self.source(of: endpoint)
        guard let text = fields[source], !text.isNull else {
            throw Malformed(message: "Missing required parameter: '\(source)'.", parameter: source)
        }
        switch endpoint {
        case .chatCompletions: try Self.check(messages: text)
        case .messages: try MessagesCheck(fields).check()
        default: break
        }
        var count = TextCount()
        count.add(text)
        if let system = fields["system"], endpoint == .messages { count.add(system) }
        inputTokens = max(1, (count.bytes + 3) / 4 + count.tokens)
        if let instructions = fields["instructions"]?.string { inputTokens += instructions.utf8.count / 4 }

        maxTokens = try Self.maximum(fields)
        tier = fields["service_tier"]?.string
        format = Self.format(fields)
        if endpoint == .embeddings { try readEmbedding(text, fields) }
    }

    private static func source(of endpoint: RehearsedEndpoint) -> String {
        switch endpoint {
        case .chatCompletions, .messages: "messages"
        case .embeddings, .responses: "input"
        case .completions: "prompt"
        }
    }

    static func check(messages: JSONSlice) throws(Malformed) {
        let list = messages.elements
        guard messages.kind == .array, !list.isEmpty else {
            throw Malformed(message: "'messages' must be a list with at least one message.", parameter: "messages")
        }
        for (index, message) in list.enumerated() where message.kind != .object || message["role"]?.string == nil {
            throw Malformed(
                message: "Every message must be an object with a role.", parameter: "messages[\(index)]")
        }
    }

    private static func maximum(_ fields: [String: JSONSlice]) throws(Malformed) -> Int? {
        for name in ["max_completion_tokens", "max_output_tokens", "max_tokens"] {
            guard let value = fields[name], !value.isNull else { continue }
            guard let number = value.int, number > 0 else {
                throw Malformed(message: "'\(name)' must be a whole number above 0.", parameter: name)
            }
            return number
        }
        return nil
    }

    /// Chat completions say `response_format: {type, json_schema: {schema}}`, responses `text: {format: {type, schema}}`, and
    /// messages `output_config: {format: {type, schema}}`.
    private static func format(_ fields: [String: JSONSlice]) -> Format {
        let own = fields["text"] ?? fields["output_config"]
        guard let format = fields["response_format"] ?? own?["format"] else { return .text }
        switch format["type"]?.string {
        case "json_object": return .json
        case "json_schema":
            return (format["json_schema"]?["schema"] ?? format["schema"]).map { .schema($0) } ?? .json
        default: return .text
        }
    }

    private mutating func readEmbedding(_ input: JSONSlice, _ fields: [String: JSONSlice]) throws(Malformed) {
        // A list of numbers is one input in tokens; a list of anything else is one input each.
        let list = input.elements
        let several = input.kind == .array && list.first?.kind != .number
        inputs = (several ? list : [input]).map { contentHash(Array($0.bytes)) }
        guard !inputs.isEmpty else { throw Malformed(message: "'input' must not be empty.", parameter: "input") }
        if let value = fields["dimensions"], !value.isNull {
            guard let number = value.int, (1...4_096).contains(number) else {
                throw Malformed(message: "'dimensions' must be from 1 to 4096.", parameter: "dimensions")
            }
            dimensions = number
        }
        wantsBase64 = fields["encoding_format"]?.string == "base64"
    }
}

/// Counts the text of a prompt, in whichever of its shapes it comes.
private struct TextCount {
    var bytes = 0
    /// Prompts given as token numbers.
    var tokens = 0

    mutating func add(_ value: JSONSlice) {
        switch value.kind {
        case .string: bytes += value.range.count - 2
        case .number: tokens += 1
        case .array: for element in value.elements { add(element) }
        case .object:
            // A message's text is its content, a content part's its text; roles and types are not counted.
            for name in ["content", "text"] {
                if let inner = value[name] { add(inner) }
            }
        case .bool, .null: break
        }
    }
}
