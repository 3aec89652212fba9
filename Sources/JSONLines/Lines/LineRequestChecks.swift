/// The rules for the parts of a line that say what is asked for: url, payload and numbers.
extension LineChecks {
    func checkedEndpoint() throws(LineError) -> LineEndpoint {
        guard top(.body).isPresent else { throw noBody }
        guard top(.body).kind == .object else {
            let kind = top(.body).kind
            let advice = kind == .string ? "it must be the object itself, not JSON in a string" : "it must be an object"
            throw refuse(.body, "body is \(kind.article); \(advice)")
        }
        let method = top(.method)
        if method.isPresent, !isText(method, "POST") {
            let found = method.kind == .string ? excerpt(method.range) : method.kind.article
            throw refuse(.method, #"method is \#(found); it must be "POST""#)
        }
        let url = top(.url)
        guard url.isPresent else { throw refuse(.url, "url is missing; add one of \(Self.paths)") }
        guard url.kind == .string else {
            throw refuse(.url, "url is \(url.kind.article); it must be one of \(Self.paths)")
        }
        // Each path has a length of its own; one with escapes (PHP writes slashes so) is decoded first.
        for endpoint in LineEndpoint.allCases where isText(url, endpoint.staticPath) { return endpoint }
        throw unknownURL(url)
    }

    /// A request of Anthropic's Message Batches, which names no endpoint: there is but one.
    func checkedParams() throws(LineError) -> LineEndpoint {
        let params = top(.params)
        guard params.kind == .object else {
            let advice =
                params.kind == .string ? "it must be the object itself, not JSON in a string" : "it must be an object"
            throw refuse(.params, "params is \(params.kind.article); \(advice)")
        }
        for name in [LineName.method, .url] where top(name).isPresent {
            throw refuse(.unknown, "\(name.text) goes with body, not with params; remove it")
        }
        return .messages
    }

    /// The members that the endpoint cannot do without.
    func checkPayload(_ endpoint: LineEndpoint) throws(LineError) {
        switch endpoint {
        case .chatCompletions: try checkMessages()
        case .messages:
            try checkMessages()
            guard inBody(.maxTokens).isPresent, inBody(.maxTokens).kind != .null else {
                throw refuse(
                    .maxTokens,
                    "\(named(.maxTokens)) is missing; Anthropic's API needs it, such as \"max_tokens\":1024")
            }
        case .embeddings: try checkText(inBody(.input), .input, "input", endpoint)
        case .responses:
            // A stored prompt, named by an object, can stand in for the input.
            if !inBody(.input).isPresent, inBody(.prompt).isPresent, inBody(.prompt).kind == .object { return }
            try checkText(inBody(.input), .input, "input", endpoint)
        case .completions: try checkText(inBody(.prompt), .prompt, "prompt", endpoint)
        }
    }

    private func checkMessages() throws(LineError) {
        let messages = inBody(.messages)
        guard messages.isPresent else {
            throw refuse(
                .messages,
                "\(named(.messages)) is missing; a chat needs it, such as "
                    + #""messages":[{"role":"user","content":"…"}]"#)
        }
        guard messages.kind == .array else {
            throw refuse(
                .messages, "\(named(.messages)) is \(messages.kind.article); it must be an array of messages")
        }
        if isEmptyArray(messages) {
            throw refuse(.messages, "\(named(.messages)) is empty; add at least one message")
        }
    }

    private func checkText(
        _ value: LineScan.Value, _ code: LineError.Code, _ name: String, _ endpoint: LineEndpoint
    ) throws(LineError) {
        guard value.isPresent else {
            throw refuse(code, "body.\(name) is missing; \(endpoint.path) needs it, as a string or an array")
        }
        guard value.kind == .string || value.kind == .array else {
            throw refuse(code, "body.\(name) is \(value.kind.article); it must be a string or an array")
        }
        if isEmptyArray(value) { throw refuse(code, "body.\(name) is an empty array; add at least one element") }
    }

    /// How many answers the request asks for; all that are made are charged, also those that `best_of` does not send.
    func checkedAnswers(_ endpoint: LineEndpoint) throws(LineError) -> Int {
        // Anthropic's messages have one answer and no such names: what its API says of them is its own.
        if endpoint == .messages { return 1 }
        let each = max(try answers(.choices), try answers(.bestOf))
        return endpoint == .embeddings ? 1 : endpoint == .completions ? product(each, prompts) : each
    }

    private func answers(_ name: BodyName) throws(LineError) -> Int {
        let value = inBody(name)
        guard value.isPresent, value.kind != .null else { return 1 }
        guard let count = wholeNumber(value), count >= 1 else {
            let found = value.kind == .number ? excerpt(value.range) : value.kind.article
            throw refuse(.choices, "\(named(name)) is \(found); it must be a whole number, 1 or more")
        }
        return count
    }

    /// How many prompts a completion has: an array of numbers is one, in tokens; of anything else each element is one.
    private var prompts: Int {
        guard inBody(.prompt).kind == .array else { return 1 }
        var others = 0
        var hasNumbers = false
        var cursor = JSONCursor(scan.cursor.bytes, at: inBody(.prompt).range.lowerBound + 1)
        // The scan has passed the array before, and it is not empty.
        repeat {
            cursor.skipSpace()
            if JSONSlice.Kind(cursor.byte) == .number { hasNumbers = true } else { others += 1 }
            guard cursor.skipValue(depth: 0) else { break }
            cursor.skipSpace()
            cursor.at += 1
        } while cursor.bytes[cursor.at - 1] == .comma
        return others + (hasNumbers ? 1 : 0)
    }

    /// A name that the endpoint does not know bounds nothing, but must be a number all the same.
    func checkedMaxTokens(_ endpoint: LineEndpoint) throws(LineError) -> Int? {
        let plain = try tokens(inBody(.maxTokens), .maxTokens)
        let completion = try tokens(inBody(.maxCompletionTokens), .maxCompletionTokens)
        let output = try tokens(inBody(.maxOutputTokens), .maxOutputTokens)
        switch endpoint {
        case .chatCompletions:
            guard let plain, let completion else { return plain ?? completion }
            return max(plain, completion)
        case .completions, .messages: return plain
        case .responses: return output
        case .embeddings: return nil
        }
    }

    @inline(__always)
    func tokens(_ value: LineScan.Value, _ name: BodyName) throws(LineError) -> Int? {
        guard value.isPresent, value.kind != .null else { return nil }
        guard let count = wholeNumber(value) else {
            let found = value.kind == .number ? excerpt(value.range) : value.kind.article
            throw refuse(.maxTokens, "\(named(name)) is \(found); it must be a whole number, 0 or more")
        }
        return count
    }

    /// A number written with digits only that fits.
    private func wholeNumber(_ value: LineScan.Value) -> Int? {
        guard value.kind == .number else { return nil }
        var number = 0
        for byte in scan.cursor.bytes[value.range] {
            guard byte &- .zero <= 9 else { return nil }
            let (tens, tooLarge) = number.multipliedReportingOverflow(by: 10)
            let (sum, stillTooLarge) = tens.addingReportingOverflow(Int(byte - .zero))
            guard !tooLarge, !stillTooLarge else { return nil }
            number = sum
        }
        return number
    }

    private func isEmptyArray(_ value: LineScan.Value) -> Bool {
        guard value.kind == .array else { return false }
        var position = value.range.lowerBound + 1
        while scan.cursor.bytes[position] <= 0x20 { position += 1 }
        return scan.cursor.bytes[position] == .closeBracket
    }

    @inline(__always)
    func isText(_ value: LineScan.Value, _ text: StaticString) -> Bool {
        guard value.kind == .string else { return false }
        guard value.hasEscapes else { return scan.cursor.bytes.holds(text, at: value.inside) }
        let decoded = JSONText.decodedBytes(UnsafeRawBufferPointer(rebasing: scan.cursor.bytes[value.inside]))
        // SAFETY: the decoded bytes are read within the borrow.
        return decoded.withUnsafeBytes { $0.holds(text, at: 0..<$0.count) }
    }
}
