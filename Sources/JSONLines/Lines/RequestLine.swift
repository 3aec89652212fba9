/// One accepted line of an input file: where its parts lie in the line's bytes, and what they ask for.
///
/// Ranges of strings are without their quotes. They are only as good as the buffer that the line was parsed from.
package struct RequestLine: Sendable {
    /// How the line is written.
    package enum Form: Sendable {
        /// As OpenAI's Batch API takes it: `custom_id`, `method`, `url`, `body`.
        case openAIBatch
        /// As Anthropic's Message Batches API takes it: `custom_id` and `params`, a body of its Messages API.
        case messageBatch
        /// `custom_id` and `prompt`, perhaps with `system`, `model` and `max_tokens`.
        case plain
    }

    /// What a request may take beyond what its bytes and its longest answer show.
    package enum Beyond: Hashable, Sendable {
        /// So many tokens of input more than it has bytes: for its images.
        case tokens(Int)
        /// So many more likewise, and some of its bytes are sound.
        case sound(Int)
        /// It names something whose length only the provider knows, such as a file or an earlier answer.
        case context
        /// Something is charged beside its tokens, or makes more of them than were asked for.
        case charges
        /// It may be charged at another rate than its model's.
        case otherRate
    }

    /// How the line is written.
    package let form: Form
    /// The API call that it asks for.
    package let endpoint: LineEndpoint
    /// 1 to 512 bytes when decoded, without control characters.
    package let customID: Range<Int>
    /// Whether its raw text has escapes; `customID(in:)` resolves them.
    package let customIDNeedsUnescaping: Bool
    /// The request as the line gives it; nil for a plain line, whose body has to be built.
    package let body: Range<Int>?
    /// The model that the line names; nil if it names none and the default applies.
    package let model: Range<Int>?
    /// Whether its raw text has escapes.
    package let modelNeedsUnescaping: Bool
    /// The most tokens that one answer may have, as the endpoint's own names for it say; nil if none of them is there.
    package let maxOutputTokens: Int?
    /// How many answers are made and charged: the larger of `n` and `best_of`, for each prompt of a completion.
    package let answers: Int
    /// What the request may take beyond what its bytes and its longest answer show.
    package let beyond: Beyond
    /// Whether the request says itself in which tier it is to be answered, by `service_tier`.
    package let namesTier: Bool
    /// The workload class that the line names, if any.
    package let className: Range<Int>?
    /// Whether its raw text has escapes.
    package let classNameNeedsUnescaping: Bool

    /// The raw strings of a plain line, with their quotes.
    let prompt: Range<Int>?
    let system: Range<Int>?

    /// More tokens than any model gives in one answer; the price lists name up to ten million.
    package static let longestAnswer = 10_000_000
    /// More tokens than any request brings. Any whole number may stand in a line; beyond this it only needs to stay one.
    package static let mostTokens = 1 << 30

    /// The most output that the whole request can bring; nil if it is one answer of which nothing is said, since then the
    /// longest answer of the model counts. Of several answers that longest one says nothing, so each counts as more.
    package var mostOutputTokens: Int? {
        if maxOutputTokens == nil && answers == 1 { return nil }
        return min(product(maxOutputTokens ?? Self.longestAnswer, answers), Self.mostTokens)
    }

    /// The decoded `custom_id`; `line` is the buffer that was parsed.
    package func customID(in line: UnsafeRawBufferPointer) -> String {
        Self.text(customID, customIDNeedsUnescaping, line)
    }

    /// The decoded model, if the line names one.
    package func model(in line: UnsafeRawBufferPointer) -> String? {
        model.map { Self.text($0, modelNeedsUnescaping, line) }
    }

    /// The decoded name of the workload class, if the line names one.
    package func className(in line: UnsafeRawBufferPointer) -> String? {
        className.map { Self.text($0, classNameNeedsUnescaping, line) }
    }

    /// The request body to queue: the line's own bytes, with the default model put in first if they name none; for a plain
    /// line, the chat request that it stands for.
    package func body(defaultModel: String?, in line: UnsafeRawBufferPointer) -> [UInt8] {
        guard let body else { return plainBody(model: defaultModel, in: line) }
        let own = Self.part(body, of: line)
        guard model == nil, let defaultModel else { return Array(own) }
        var bytes: [UInt8] = [.openBrace]
        bytes.reserveCapacity(own.count + defaultModel.utf8.count + 16)
        bytes.append(contentsOf: "\"model\":".utf8)
        bytes.appendJSONString(defaultModel)
        // An accepted body without a model still has members: its endpoint requires one.
        bytes.append(.comma)
        bytes.append(contentsOf: own[1...])
        return bytes
    }

    /// The chat request that a plain line stands for. The line's own model wins over `model`; the prompt's bytes stay as
    /// they are.
    package func plainBody(model defaultModel: String?, in line: UnsafeRawBufferPointer) -> [UInt8] {
        JSONWriter.object { writer in
            if let model {
                writer.raw("model", Self.part((model.lowerBound - 1)..<(model.upperBound + 1), of: line))
            } else if let defaultModel {
                writer.member("model", defaultModel)
            }
            writer.array("messages") { messages in
                for (role, content) in [("system", system), ("user", prompt)] {
                    guard let content else { continue }
                    messages.object {
                        $0.member("role", role)
                        $0.raw("content", Self.part(content, of: line))
                    }
                }
            }
            if let maxOutputTokens {
                let name = model.map { Self.text($0, modelNeedsUnescaping, line) } ?? defaultModel ?? ""
                writer.member(Self.refusesMaxTokens(name) ? "max_completion_tokens" : "max_tokens", maxOutputTokens)
            }
        }
    }

    /// Whether a model knows the longest answer by its newer name only: OpenAI's reasoning models, `o1` and later and
    /// `gpt-5` and later (platform.openai.com/docs/api-reference/chat/create, max_tokens). Many other servers only know the
    /// older one.
    static func refusesMaxTokens(_ model: String) -> Bool {
        let name = model.split(separator: "/").last ?? ""
        for prefix in ["gpt-", "o"] where name.hasPrefix(prefix) {
            let digits = name.dropFirst(prefix.count).prefix { ("0"..."9").contains($0) }
            let rest = name.dropFirst(prefix.count + digits.count)
            guard let number = Int(digits), rest.isEmpty || rest.first == "-" || rest.first == "." else { continue }
            // Azure writes 3.5 as 35.
            return prefix == "o" || (number >= 5 && number != 35)
        }
        return false
    }

    private static func text(_ range: Range<Int>, _ escaped: Bool, _ line: UnsafeRawBufferPointer) -> String {
        let inside = part(range, of: line)
        return escaped ? JSONText.decode(inside) : String(decoding: inside, as: UTF8.self)
    }

    /// The bytes of a range that was found in this buffer; a shorter buffer is another one, and a mistake of the caller.
    private static func part(_ range: Range<Int>, of line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        precondition(range.upperBound <= line.count, "a request line is read with a buffer that it does not come from")
        // SAFETY: within the buffer, as just checked; all callers copy the bytes before they return.
        return UnsafeRawBufferPointer(rebasing: line[range])
    }
}

/// The product of two numbers that are not negative; the largest number if it does not fit.
func product(_ a: Int, _ b: Int) -> Int {
    let (product, overflows) = a.multipliedReportingOverflow(by: b)
    return overflows ? .max : product
}
