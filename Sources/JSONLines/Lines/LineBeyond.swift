/// What a request may take beyond what its bytes and its longest answer show: budgets must know before it is sent.
extension LineChecks {
    /// More tokens than any provider of the built-in list counts for one image, however it is shown. The most that OpenAI's
    /// guide comes to is 48,169: gpt-4o-mini, 2,833 and 5,667 for each of at most 8 tiles
    /// (developers.openai.com/api/docs/guides/images-vision, calculating costs).
    private static let imageTokens = 50_000

    /// Input tokens that a provider may add, and charge, to tell the model how to use tools or keep to a schema. The most
    /// documented are 530 for tools (docs.anthropic.com, tool use pricing: Claude 3 Opus); a schema's come on top.
    private static let instructionTokens = 1_024

    func beyond(_ endpoint: LineEndpoint) -> RequestLine.Beyond {
        if hasOtherRate || endpoint == .messages && hasOtherMessageRate { return .otherRate }
        if hasCharges || endpoint == .messages && hasMessageCharges { return .charges }
        let parts = contentParts(endpoint)
        let named = [BodyName.previousResponse, .conversation, .cachedContent, .extraBody].contains { isSet($0) }
        let storedPrompt = endpoint == .responses && inBody(.prompt).kind == .object
        if parts.hasUnknown || named || storedPrompt {
            // Embeddings take one context for each of their inputs.
            return endpoint == .embeddings ? .charges : .context
        }
        let hasInstructions = [BodyName.tools, .responseFormat, .outputConfig, .outputFormat].contains { isSet($0) }
        let added = hasInstructions ? Self.instructionTokens : 0
        let tokens = min(product(parts.images, Self.imageTokens), RequestLine.mostTokens - added) + added
        return parts.hasSound ? .sound(tokens) : .tokens(tokens)
    }

    private func contentParts(_ endpoint: LineEndpoint) -> ContentParts {
        var parts = ContentParts(hasPlainInput: endpoint == .messages)
        switch endpoint {
        case .chatCompletions: read(.messages, &parts)
        case .messages:
            read(.messages, &parts)
            read(.system, &parts)
        case .embeddings, .responses: read(.input, &parts)
        case .completions: break
        }
        return parts
    }

    private func read(_ name: BodyName, _ parts: inout ContentParts) {
        let value = inBody(name)
        guard value.isPresent, ContentParts.mayBe(in: scan.cursor.bytes, value.range) else { return }
        var cursor = JSONCursor(scan.cursor.bytes, at: value.range.lowerBound)
        parts.read(&cursor)
    }

    /// Whether the request says itself in which tier it is to be answered.
    var namesTier: Bool { inBody(.serviceTier).isPresent }

    private func isSet(_ name: BodyName) -> Bool { inBody(name).isPresent && inBody(name).kind != .null }

    /// A faster tier at a price of its own, or a router's choice of models: `models` at OpenRouter, `fallbacks` at gateways.
    private var hasOtherRate: Bool {
        if isSet(.models) || isSet(.fallbacks) { return true }
        guard isSet(.serviceTier) else { return false }
        let usual: [StaticString] = ["auto", "default", "flex", "standard", "standard_only", "batch"]
        let tier = inBody(.serviceTier)
        guard tier.kind == .string, !tier.hasEscapes else { return true }
        return !usual.contains { scan.cursor.bytes.holds($0, at: tier.inside) }
    }

    /// Searches and other tools that the provider runs, sound as output, and predicted text that is charged where it is wrong.
    private var hasCharges: Bool {
        let names = [BodyName.plugins, .webSearch, .searchParameters, .audio, .prediction]
        if names.contains(where: { isSet($0) }) { return true }
        // Alibaba's switch for searches.
        if isSet(.enableSearch), inBody(.enableSearch).first != UInt8(ascii: "f") { return true }
        if isSet(.modalities), !isOnlyText(inBody(.modalities)) { return true }
        guard isSet(.tools) else { return false }
        var parts = ContentParts()
        var cursor = JSONCursor(scan.cursor.bytes, at: inBody(.tools).range.lowerBound)
        return !parts.areFunctions(&cursor)
    }

    /// Anthropic's fast mode, and a region at a surcharge.
    private var hasOtherMessageRate: Bool {
        isSet(.speed) && !isText(inBody(.speed), "standard")
            || isSet(.inferenceGeo) && !isText(inBody(.inferenceGeo), "global")
    }

    /// What Anthropic runs beside the model, and what it adds to the prompt or takes away in rounds of its own.
    private var hasMessageCharges: Bool { isSet(.container) || isSet(.mcpServers) || isSet(.contextManagement) }

    private func isOnlyText(_ list: LineScan.Value) -> Bool {
        let plain: [UInt8] = scan.cursor.bytes[list.range].filter { $0 > 0x20 }
        return plain == Array("[\"text\"]".utf8)
    }
}

/// The parts of a request's content that are no text, found by their `type`. The bytes have been validated before.
struct ContentParts {
    private(set) var images = 0
    private(set) var hasSound = false
    /// Something of which neither kind nor length is known.
    private(set) var hasUnknown = false
    /// Whether members named `input` are the arguments of a tool, and whatever is in them no part of the content.
    private let hasPlainInput: Bool

    init(hasPlainInput: Bool = false) { self.hasPlainInput = hasPlainInput }

    /// Whether there may be a `type` at all: text alone needs no second reading. A letter of the name may be written as an
    /// escape; those of ASCII letters begin with `\u004` to `\u007`.
    static func mayBe(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        let type: UInt32 = 0x6570_7974
        let escape: UInt32 = 0x3030_755C
        var at = range.lowerBound
        while at + 4 < range.upperBound {
            let word = bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian
            if word == type { return true }
            if word == escape, (UInt8(ascii: "4")...UInt8(ascii: "7")).contains(bytes[at + 4]) { return true }
            at &+= 1
        }
        return false
    }

    /// Reads the value at the cursor, with everything in it.
    mutating func read(_ cursor: inout JSONCursor) {
        switch cursor.byte {
        case .openBrace:
            forEach(&cursor) { parts, cursor, name in
                if let name, parts.isName("type", name, cursor) {
                    parts.take(&cursor)
                } else if parts.hasPlainInput, let name, parts.isName("input", name, cursor) {
                    _ = cursor.skipValue(depth: 0)
                } else {
                    parts.read(&cursor)
                }
            }
        case .openBracket: forEach(&cursor) { parts, cursor, _ in parts.read(&cursor) }
        default: _ = cursor.skipValue(depth: 0)
        }
    }

    /// Whether the array at the cursor has nothing but tools that the caller runs itself.
    mutating func areFunctions(_ cursor: inout JSONCursor) -> Bool {
        guard cursor.byte == .openBracket else { return false }
        var areAll = true
        forEach(&cursor) { _, cursor, _ in
            guard cursor.byte == .openBrace else {
                areAll = false
                _ = cursor.skipValue(depth: 0)
                return
            }
            // An Anthropic tool of the caller's own has no type.
            var isOwn = true
            var parts = ContentParts()
            parts.forEach(&cursor) { parts, cursor, name in
                if let name, parts.isName("type", name, cursor) {
                    let kind = parts.text(&cursor)
                    isOwn = kind == Array("function".utf8) || kind == Array("custom".utf8)
                } else {
                    _ = cursor.skipValue(depth: 0)
                }
            }
            if !isOwn { areAll = false }
        }
        return areAll
    }

    private mutating func take(_ cursor: inout JSONCursor) {
        guard let kind = text(&cursor) else {
            hasUnknown = true
            return
        }
        if Self.images.contains(kind) {
            images += 1
        } else if kind == Self.sound {
            hasSound = true
        } else if !Self.texts.contains(kind) {
            hasUnknown = true
        }
    }

    /// The decoded string at the cursor, which is passed; nil for another value.
    private func text(_ cursor: inout JSONCursor) -> [UInt8]? {
        let start = cursor.at
        guard cursor.byte == .quote else {
            _ = cursor.skipValue(depth: 0)
            return nil
        }
        guard cursor.skipString() else { return nil }
        // SAFETY: copied within the borrow of the cursor's bytes.
        return JSONText.decodedBytes(UnsafeRawBufferPointer(rebasing: cursor.bytes[(start + 1)..<(cursor.at - 1)]))
    }

    private func isName(
        _ wanted: StaticString, _ name: (range: Range<Int>, isEscaped: Bool), _ cursor: JSONCursor
    ) -> Bool {
        guard name.isEscaped else { return cursor.bytes.holds(wanted, at: name.range) }
        let decoded = JSONText.decodedBytes(UnsafeRawBufferPointer(rebasing: cursor.bytes[name.range]))
        // SAFETY: the decoded bytes are read within the borrow.
        return decoded.withUnsafeBytes { $0.holds(wanted, at: 0..<$0.count) }
    }

    /// Calls `body` at each element of an array or value of an object's member, which it must pass.
    private mutating func forEach(
        _ cursor: inout JSONCursor,
        _ body: (inout ContentParts, inout JSONCursor, (range: Range<Int>, isEscaped: Bool)?) -> Void
    ) {
        let isObject = cursor.byte == .openBrace
        cursor.at += 1
        cursor.skipSpace()
        while cursor.byte != (isObject ? .closeBrace : .closeBracket) {
            var name: (range: Range<Int>, isEscaped: Bool)?
            if isObject {
                let start = cursor.at + 1
                guard cursor.skipString() else { return }
                name = (start..<(cursor.at - 1), cursor.hasEscapes)
                guard cursor.skipColon() else { return }
            }
            body(&self, &cursor, name)
            cursor.skipSpace()
            guard cursor.byte == .comma else { break }
            cursor.at += 1
            cursor.skipSpace()
        }
        cursor.at += 1
    }

    private static func names(_ words: String) -> Set<[UInt8]> {
        Set(words.split(separator: " ").map { Array($0.utf8) })
    }

    private static let images = names("image_url input_image image computer_screenshot")

    /// A second of it takes more bytes than tokens: it is no longer than its bytes.
    private static let sound = Array("input_audio".utf8)

    /// Text and its envelopes: no longer than their bytes.
    private static let texts = names(
        """
        text input_text output_text refusal message function custom function_call function_call_output custom_tool_call \
        custom_tool_call_output tool_use tool_result reasoning reasoning_text summary_text thinking redacted_thinking \
        ephemeral base64 url
        """)
}
