import JSONLines

/// The messages of a chat request as Anthropic's API has them: the system's words apart, and the turns of user and
/// assistant in alternation. (Messages of one side that follow each other are one turn; results of tools are the user's.)
struct AnthropicConversation {
    /// Content blocks as JSON text.
    private(set) var system: [[UInt8]] = []
    private var turns: [(role: String, blocks: [[UInt8]])] = []

    init(_ messages: JSONSlice?) throws(Inexpressible) {
        for message in messages?.elements ?? [] { try add(message) }
        guard let last = turns.last else {
            throw Inexpressible("Anthropic's API needs a message besides the system's")
        }
        // There it would be the beginning of the answer, and the newer models refuse it.
        if last.role == "assistant" {
            throw Inexpressible(
                "the last message is the assistant's, which Anthropic's API takes for the answer's beginning")
        }
    }

    func writeMessages(to writer: inout JSONWriter) {
        writer.array("messages") { array in
            for turn in turns {
                array.object { message in
                    message.member("role", turn.role)
                    message.array("content") { content in for block in turn.blocks { content.raw(block) } }
                }
            }
        }
    }

    // MARK: Messages

    private mutating func add(_ message: JSONSlice) throws(Inexpressible) {
        if let name = message["name"], !name.isNull, message["role"]?.string != "tool" {
            throw Inexpressible("messages with a `name` cannot be given to Anthropic's API")
        }
        let content = message["content"].flatMap { $0.isNull ? nil : $0 }
        switch message["role"]?.string {
        case "system"?, "developer"?:
            guard turns.isEmpty else {
                throw Inexpressible(
                    "a system message stands behind others, and Anthropic's API takes them at the start only")
            }
            system += try blocks(of: content, forText: true)
        case "user"?: try append(try blocks(of: content), as: "user")
        case "assistant"?: try addAssistant(message, content)
        case "tool"?: try append([try result(message, content)], as: "user")
        default: throw Inexpressible("a message's role is not one that Anthropic's API has")
        }
    }

    private mutating func append(_ blocks: [[UInt8]], as role: String) throws(Inexpressible) {
        guard !blocks.isEmpty else { throw Inexpressible("a message without content, which Anthropic's API refuses") }
        if turns.last?.role == role {
            turns[turns.count - 1].blocks += blocks
        } else {
            turns.append((role, blocks))
        }
    }

    private mutating func addAssistant(_ message: JSONSlice, _ content: JSONSlice?) throws(Inexpressible) {
        for name in ["audio", "function_call"] where message[name]?.isNull == false {
            throw Inexpressible("an assistant's `\(name)` cannot be given to Anthropic's API")
        }
        var all = try blocks(of: content, forText: true)
        if let refusal = message["refusal"], refusal.kind == .string { all += Self.block(text: refusal) }
        for call in message["tool_calls"]?.elements ?? [] {
            guard let function = call["function"], let id = call["id"], let name = function["name"] else {
                throw Inexpressible("a tool call without `id` or `function` cannot be given to Anthropic's API")
            }
            let text = function["arguments"]?.string ?? ""
            guard let input = JSONSlice(Array((text.isEmpty ? "{}" : text).utf8)), input.kind == .object else {
                throw Inexpressible("the `arguments` of a tool call are no JSON object, as Anthropic's API needs them")
            }
            all.append(
                JSONWriter.object {
                    $0.member("type", "tool_use")
                    $0.member("id", id)
                    $0.member("name", name)
                    $0.member("input", input)
                })
        }
        try append(all, as: "assistant")
    }

    private func result(_ message: JSONSlice, _ content: JSONSlice?) throws(Inexpressible) -> [UInt8] {
        guard let id = message["tool_call_id"], id.kind == .string else {
            throw Inexpressible("a tool's message without `tool_call_id` cannot be given to Anthropic's API")
        }
        let parts = try blocks(of: content, forText: true)
        return JSONWriter.object { writer in
            writer.member("type", "tool_result")
            writer.member("tool_use_id", id)
            if !parts.isEmpty { writer.array("content") { array in for part in parts { array.raw(part) } } }
        }
    }

    // MARK: Parts

    /// A text, or a list of parts; `forText`: nothing else may be among them.
    private func blocks(of content: JSONSlice?, forText: Bool = false) throws(Inexpressible) -> [[UInt8]] {
        guard let content else { return [] }
        if content.kind == .string { return Self.block(text: content) }
        guard content.kind == .array else {
            throw Inexpressible("a message's content is neither a text nor a list of parts")
        }
        var all: [[UInt8]] = []
        for part in content.elements {
            switch part["type"]?.string {
            case "text"?: all += Self.block(text: part["text"], cache: part["cache_control"])
            case "refusal"?: all += Self.block(text: part["refusal"])
            case "image_url"? where !forText: all.append(try Self.block(image: part))
            case "file"? where !forText: all.append(try Self.block(file: part["file"]))
            default: throw Inexpressible("a part of a message is of a kind that Anthropic's API does not take there")
            }
        }
        return all
    }

    /// None for an empty text, which the API refuses and which says nothing. A mark for the cache goes along, as gateways
    /// have it in OpenAI's format.
    private static func block(text: JSONSlice?, cache: JSONSlice? = nil) -> [[UInt8]] {
        guard let text, text.kind == .string, text.bytes.count > 2 else { return [] }
        return [
            JSONWriter.object {
                $0.member("type", "text")
                $0.member("text", text)
                if let cache, cache.kind == .object { $0.member("cache_control", cache) }
            }
        ]
    }

    private static func block(image part: JSONSlice) throws(Inexpressible) -> [UInt8] {
        guard let url = part["image_url"]?["url"]?.string else { throw Inexpressible("an image without its `url`") }
        let inline = try DataURL(url)
        if let inline, !["image/jpeg", "image/png", "image/gif", "image/webp"].contains(inline.mediaType) {
            throw Inexpressible("Anthropic's API takes images as JPEG, PNG, GIF or WebP only")
        }
        if inline == nil, !url.hasPrefix("https://"), !url.hasPrefix("http://") {
            throw Inexpressible("an image's `url` is neither a data URL nor an address of http")
        }
        return JSONWriter.object { block in
            block.member("type", "image")
            block.object("source") { source in
                if let inline {
                    inline.write(to: &source)
                } else {
                    source.member("type", "url")
                    source.member("url", url)
                }
            }
            if let cache = part["cache_control"], cache.kind == .object { block.member("cache_control", cache) }
        }
    }

    private static func block(file: JSONSlice?) throws(Inexpressible) -> [UInt8] {
        guard let text = file?["file_data"]?.string, let data = try DataURL(text), data.mediaType == "application/pdf"
        else { throw Inexpressible("only files that are given as a data URL of a PDF can be given to Anthropic's API") }
        return JSONWriter.object { block in
            block.member("type", "document")
            block.object("source") { data.write(to: &$0) }
            if let name = file?["filename"], name.kind == .string { block.member("title", name) }
        }
    }
}

/// `data:image/png;base64,…`
private struct DataURL {
    let mediaType: String
    let data: Substring

    /// Nil for an address of another kind.
    init?(_ url: String) throws(Inexpressible) {
        guard url.hasPrefix("data:") else { return nil }
        guard let comma = url.utf8.firstIndex(of: UInt8(ascii: ",")) else {
            throw Inexpressible("a data URL without data")
        }
        let head = url[..<comma].dropFirst("data:".count).split(separator: ";", omittingEmptySubsequences: false)
        guard head.count > 1, head.last == "base64" else { throw Inexpressible("a data URL that is not base64") }
        mediaType = head[0].lowercased()
        data = url[url.utf8.index(after: comma)...]
    }

    func write(to source: inout JSONWriter) {
        source.member("type", "base64")
        source.member("media_type", mediaType)
        source.member("data", String(data))
    }
}
