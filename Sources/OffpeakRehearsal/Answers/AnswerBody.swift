import JSONLines

/// The answer to one prompt: the same for the same seed and body, whenever and with whichever key it is asked.
package struct AnswerBody: Sendable {
    /// How the content departs from what was asked.
    package enum Twist: Sendable {
        case none
        /// Withheld by a content filter.
        case refusal
        /// Prose where JSON was asked for.
        case prose
    }

    package var inputTokens: Int
    package var outputTokens: Int
    /// The whole response body, in the endpoint's format.
    package var bytes: [UInt8]

    struct Content {
        var text: String
        var tokens: Int
        /// OpenAI's word for why the text ends.
        var finish: String
    }

    /// `length` is how many tokens an answer has where the prompt sets no lower maximum.
    package init(to prompt: Prompt, body hash: UInt64, seed: UInt64, length: ClosedRange<Int>, twist: Twist = .none) {
        var random = SeededRandom(seed: seed, purpose: .answer, number: hash)
        let id = hexadecimal(random.next())
        inputTokens = prompt.inputTokens
        if prompt.endpoint == .embeddings {
            outputTokens = 0
            bytes = Self.embeddings(prompt, seed: seed)
            return
        }
        let content = Self.content(prompt, length, twist, &random)
        outputTokens = content.tokens
        switch prompt.endpoint {
        case .chatCompletions: bytes = Self.chat(prompt, content, id)
        case .completions: bytes = Self.completion(prompt, content, id)
        case .messages: bytes = Self.message(prompt, content, id)
        default: bytes = Self.response(prompt, content, id)
        }
    }

    private static func content(
        _ prompt: Prompt, _ length: ClosedRange<Int>, _ twist: Twist, _ random: inout SeededRandom
    ) -> Content {
        let wanted = length.lowerBound + random.below(length.count)
        let tokens = min(wanted, prompt.maxTokens ?? .max)
        switch (twist, prompt.format) {
        case (.refusal, _):
            return Content(text: "", tokens: 0, finish: "content_filter")
        case (.prose, _), (_, .text):
            let text = String(decoding: Words.sentence(tokens, using: &random), as: UTF8.self)
            return Content(text: text, tokens: tokens, finish: tokens < wanted ? "length" : "stop")
        case (_, .json):
            let text = JSONWriter.object {
                $0.member("label", ["north", "east", "south", "west"][random.below(4)])
                $0.member("score", random.below(101))
                let words = Words.sentence(max(1, tokens - 12), using: &random)
                $0.member("answer", String(decoding: words, as: UTF8.self))
            }
            return structured(text, prompt)
        case (_, .schema(let schema)):
            var filler = SchemaFiller(root: schema, words: max(1, tokens / 4), random: random)
            return structured(filler.fill(), prompt)
        }
    }

    /// JSON is never cut at the maximum, so that it stays JSON; the count is held to it all the same.
    private static func structured(_ text: [UInt8], _ prompt: Prompt) -> Content {
        let tokens = min(max(1, text.count / 4), prompt.maxTokens ?? .max)
        return Content(text: String(decoding: text, as: UTF8.self), tokens: tokens, finish: "stop")
    }

    /// Answers carry one fixed time, so that they stay the same from run to run: 2026-01-01T00:00:00Z.
    private static let created = 1_767_225_600

    private static func chat(_ prompt: Prompt, _ content: Content, _ id: String) -> [UInt8] {
        JSONWriter.object {
            $0.member("id", "chatcmpl-" + id)
            $0.member("object", "chat.completion")
            $0.member("created", created)
            $0.member("model", prompt.model)
            $0.array("choices") {
                $0.object {
                    $0.member("index", 0)
                    $0.object("message") {
                        $0.member("role", "assistant")
                        $0.member("content", content.text)
                        $0.null("refusal")
                    }
                    $0.null("logprobs")
                    $0.member("finish_reason", content.finish)
                }
            }
            usage(&$0, prompt.inputTokens, content.tokens)
            if let tier = prompt.tier { $0.member("service_tier", tier) }
            $0.null("system_fingerprint")
        }
    }

    private static func completion(_ prompt: Prompt, _ content: Content, _ id: String) -> [UInt8] {
        JSONWriter.object {
            $0.member("id", "cmpl-" + id)
            $0.member("object", "text_completion")
            $0.member("created", created)
            $0.member("model", prompt.model)
            $0.array("choices") {
                $0.object {
                    $0.member("text", content.text)
                    $0.member("index", 0)
                    $0.null("logprobs")
                    $0.member("finish_reason", content.finish)
                }
            }
            usage(&$0, prompt.inputTokens, content.tokens)
        }
    }

    private static func usage(_ writer: inout JSONWriter, _ input: Int, _ output: Int) {
        writer.object("usage") {
            $0.member("prompt_tokens", input)
            $0.member("completion_tokens", output)
            $0.member("total_tokens", input + output)
            $0.object("prompt_tokens_details") { $0.member("cached_tokens", 0) }
            $0.object("completion_tokens_details") { $0.member("reasoning_tokens", 0) }
        }
    }

    private static func response(_ prompt: Prompt, _ content: Content, _ id: String) -> [UInt8] {
        let reason = ["length": "max_output_tokens", "content_filter": "content_filter"][content.finish]
        return JSONWriter.object {
            $0.member("id", "resp_" + id)
            $0.member("object", "response")
            $0.member("created_at", created)
            $0.member("status", reason == nil ? "completed" : "incomplete")
            $0.null("error")
            if let reason {
                $0.object("incomplete_details") { $0.member("reason", reason) }
            } else {
                $0.null("incomplete_details")
            }
            $0.member("model", prompt.model)
            $0.array("output") {
                $0.object {
                    $0.member("id", "msg_" + id)
                    $0.member("type", "message")
                    $0.member("role", "assistant")
                    $0.member("status", reason == nil ? "completed" : "incomplete")
                    $0.array("content") {
                        $0.object {
                            $0.member("type", "output_text")
                            $0.member("text", content.text)
                            $0.array("annotations") { _ in }
                        }
                    }
                }
            }
            $0.object("usage") {
                $0.member("input_tokens", prompt.inputTokens)
                $0.object("input_tokens_details") { $0.member("cached_tokens", 0) }
                $0.member("output_tokens", content.tokens)
                $0.object("output_tokens_details") { $0.member("reasoning_tokens", 0) }
                $0.member("total_tokens", prompt.inputTokens + content.tokens)
            }
            if let tier = prompt.tier { $0.member("service_tier", tier) }
        }
    }

    private static func embeddings(_ prompt: Prompt, seed: UInt64) -> [UInt8] {
        JSONWriter.object {
            $0.member("object", "list")
            $0.array("data") {
                for (index, hash) in prompt.inputs.enumerated() {
                    $0.object {
                        $0.member("object", "embedding")
                        $0.member("index", index)
                        vector(&$0, hash, prompt, seed)
                    }
                }
            }
            $0.member("model", prompt.model)
            $0.object("usage") {
                $0.member("prompt_tokens", prompt.inputTokens)
                $0.member("total_tokens", prompt.inputTokens)
            }
        }
    }

    private static func vector(_ writer: inout JSONWriter, _ hash: UInt64, _ prompt: Prompt, _ seed: UInt64) {
        var random = SeededRandom(seed: seed, purpose: .answer, number: hash)
        // Multiples of 2⁻¹⁰: exact as 32-bit floats and short as text.
        let numbers = (0..<prompt.dimensions).map { _ in Double(random.below(2_049) - 1_024) / 1_024 }
        guard prompt.wantsBase64 else { return writer.member("embedding", numbers) }
        var bytes: [UInt8] = []
        for number in numbers {
            let bits = Float(number).bitPattern
            for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(shift))) }
        }
        writer.member("embedding", base64(bytes))
    }
}

/// Sixteen lower-case digits.
func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// Base64 as RFC 4648 has it, with padding.
func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        var bits: UInt32 = 0
        for offset in 0..<3 { bits = bits << 8 | (offset < group.count ? UInt32(bytes[start + offset]) : 0) }
        for digit in 0..<4 {
            text.append(digit <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * digit) & 63)] : 0x3D)
        }
    }
    return String(decoding: text, as: UTF8.self)
}
