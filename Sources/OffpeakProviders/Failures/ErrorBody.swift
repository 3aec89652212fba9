import JSONLines
import OffpeakCore

// Reads the bodies in which providers explain an error; the shapes are many and none is promised, so every member
// that is known to tell something is looked for wherever it may be.
extension FailureEvidence {
    /// The evidence of an answer whose status is not a success.
    init(_ response: HTTPResponse, headers: RateLimitHeaders) {
        self.init(status: response.status)
        add(headers: headers, of: response)
        if let root = JSONSlice(response.body) {
            read(root, depth: 0)
        } else {
            read(text: response.body, contentType: response.header("content-type") ?? "")
        }
        conclude()
    }

    /// The evidence of an error object within an answer whose status is a success.
    init(error: JSONSlice, in response: HTTPResponse, headers: RateLimitHeaders) {
        self.init(status: 0)
        add(headers: headers, of: response)
        if error.kind == .object { readError(error, depth: 0) } else { read(error, depth: 0) }
        conclude()
    }

    private mutating func add(headers: RateLimitHeaders, of response: HTTPResponse) {
        if headers.retryAfter != nil { signs.insert(.namesWait) }
        if headers.limitIsZero { signs.insert(.limitIsZero) }
        // Bedrock names the exception in a header, with a URL behind a colon.
        if let type = response.header("x-amzn-errortype") { add(word: type.prefix { $0 != ":" }) }
    }

    /// The outermost value, or one that a gateway has wrapped in another error's text.
    private mutating func read(_ value: JSONSlice, depth: Int) {
        switch value.kind {
        case .array:
            // Gemini's OpenAI layer wraps the whole answer in an array.
            if let first = value[0] { read(first, depth: depth) }
        case .string: addMessage(value, depth: depth)
        case .object:
            if let error = value["error"], !error.isNull {
                if error.kind == .object { readError(error, depth: depth) } else { addMessage(error, depth: depth) }
            }
            // Anthropic says `type: error` here and puts the type inside; xAI puts code and text side by side.
            readError(value, depth: depth)
            if let detail = value["detail"] { readDetail(detail, depth: depth) }
        default: break
        }
    }

    /// One error object; the words that tell most come first.
    private mutating func readError(_ error: JSONSlice, depth: Int) {
        let details = error["details"]
        add(word: details?["error_code"])
        readNumber(error["code"])
        add(word: error["code"])
        add(word: error["innererror"]?["code"])
        if let metadata = error["metadata"] { readMetadata(metadata, depth: depth) }
        if let availability = error["availability"] {
            add(word: availability["code"])
            addWait(seconds: availability["retry_after"])
        }
        add(word: error["status"])
        add(word: error["type"])
        add(word: error["reason"])
        add(word: error["__type"])
        if let message = error["message"] ?? error["msg"] { addMessage(message, depth: depth) }
        for detail in (details?.elements ?? []).prefix(16) { readGoogle(detail) }
    }

    /// OpenRouter: what the platform adds about its upstream, its limits and its moderation.
    private mutating func readMetadata(_ metadata: JSONSlice, depth: Int) {
        add(word: metadata["reason"])
        add(word: metadata["error_type"])
        add(word: metadata["limit_source"])
        addWait(seconds: metadata["retry_after_seconds"])
        if metadata["flagged_input"] != nil || metadata["reasons"]?[0] != nil { add(word: "moderation") }
        if metadata["provider_name"]?.string != nil, metadata["is_byok"]?.bool != true { signs.insert(.sharedUpstream) }
        if let raw = metadata["raw"] { addMessage(raw, depth: depth) }
    }

    /// One entry of Google's `details`: a reason, the quotas that were passed, or the wait.
    private mutating func readGoogle(_ detail: JSONSlice) {
        add(word: detail["reason"])
        for violation in (detail["violations"]?.elements ?? []).prefix(16) {
            if let quota = violation["quotaId"]?.string { add(text: quota) }
        }
        if let delay = detail["retryDelay"]?.string, retryAfter == nil { retryAfter = WaitTime.duration(delay) }
    }

    /// FastAPI's `detail`: a text, or a list of places and reasons. The rejected input stands beside them and is not
    /// read, since it is a piece of the prompt.
    private mutating func readDetail(_ detail: JSONSlice, depth: Int) {
        switch detail.kind {
        case .array:
            for entry in detail.elements.prefix(3) {
                guard entry.kind == .object else {
                    addMessage(entry, depth: depth)
                    continue
                }
                let place = (entry["loc"]?.elements ?? []).prefix(12)
                    .compactMap { $0.string ?? $0.int.map(String.init) }.joined(separator: ".")
                let reason = entry["msg"]?.string ?? "not valid"
                addMessage(text: place.isEmpty ? reason : "\(place): \(reason)")
            }
        case .object: if depth < 2 { read(detail, depth: depth + 1) }
        default: addMessage(detail, depth: depth)
        }
    }

    private mutating func addMessage(_ value: JSONSlice, depth: Int) {
        if value.kind == .object, depth < 2 {
            read(value, depth: depth + 1)
            return
        }
        guard let text = value.string, !text.isEmpty else { return }
        // Gateways like to pass on an upstream's whole body as a text.
        let start = text.utf8.first { $0 > 0x20 }
        if depth < 2, start == UInt8(ascii: "{") || start == UInt8(ascii: "["), let inner = JSONSlice(Array(text.utf8))
        {
            let before = message
            read(inner, depth: depth + 1)
            if message != before || !message.isEmpty { return }
        }
        addMessage(text: text)
    }

    private mutating func addMessage(text: String) {
        add(text: text)
        if message.isEmpty { message = text }
    }

    /// A body that is no JSON: of a page only the title is worth showing.
    private mutating func read(text bytes: [UInt8], contentType: String) {
        guard bytes.contains(where: { $0 > 0x20 }) else {
            signs.insert(.empty)
            return
        }
        guard Self.isPage(bytes, contentType: contentType) else {
            addMessage(text: String(decoding: bytes.prefix(200), as: UTF8.self))
            return
        }
        // The page is not searched: a proxy that blocks by "content policy" says nothing of the prompt.
        signs.insert(.html)
        message = Self.title(of: bytes) ?? ""
    }

    /// Whether a body is a page for people and no answer of an API.
    static func isPage(_ bytes: [UInt8], contentType: String) -> Bool {
        let type = contentType.utf8.map(\.lowercasedASCII)
        return type.starts(with: "text/html".utf8) || bytes.first { $0 > 0x20 } == UInt8(ascii: "<")
    }

    private static func title(of bytes: [UInt8]) -> String? {
        let start = bytes.prefix(4_096).map(\.lowercasedASCII)
        guard let open = start.firstIndex(of: Array("<title>".utf8)) else { return nil }
        let rest = Array(bytes[(open + 7)...].prefix(200))
        let end = rest.firstIndex(of: UInt8(ascii: "<")) ?? rest.count
        return String(decoding: rest[..<end], as: UTF8.self)
    }

    private mutating func readNumber(_ code: JSONSlice?) {
        guard status == 0, let number = code?.int ?? code?.string.flatMap({ Int($0) }) else { return }
        if (400...599).contains(number) { status = number }
    }

    private mutating func addWait(seconds: JSONSlice?) {
        guard retryAfter == nil, let seconds else { return }
        let text = seconds.string ?? String(decoding: seconds.bytes, as: UTF8.self)
        retryAfter = WaitTime.header(text, now: nil)
    }

    private mutating func add(word: JSONSlice?) {
        guard let text = word?.string else { return }
        add(word: text[...])
    }

    /// Adds a machine-readable word. A sentence in its place (xAI's old `code`) is a text.
    private mutating func add(word: Substring) {
        let bytes = word.utf8
        guard !bytes.isEmpty, bytes.contains(where: { !$0.isASCIIDigit }) else { return }
        guard !bytes.contains(where: { $0 <= 0x20 }), bytes.count <= 64 else { return add(text: String(word)) }
        let word = String(word)
        if !Self.empty.contains(word), !words.contains(word) { words.append(word) }
    }

    /// Words that stand where a telling one could.
    private static let empty: Set<String> = ["error", "Error", "None", "none", "null", "undefined"]
}
