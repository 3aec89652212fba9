import JSONLines

/// What Anthropic says of the tokens that an answer used.
///
/// `input_tokens` leaves out what was read from the cache or written to it, so that the prompt is the sum of the three; what
/// is written for an hour is told apart, and costs more (platform.claude.com/docs/en/build-with-claude/prompt-caching;
/// `types/usage.py` of the SDK).
struct AnthropicUsage {
    private let input, output, read, written: Int
    private let shortWritten, longWritten: Int?
    private let thinking: Int

    /// Nil unless all of it is there and makes sense: a part of the truth would be booked as all of it.
    init?(_ usage: JSONSlice?) {
        guard let usage, let input = Self.count(usage["input_tokens"]), let output = Self.count(usage["output_tokens"])
        else { return nil }
        let kinds = usage["cache_creation"]
        let parts = [
            usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"],
            kinds?["ephemeral_5m_input_tokens"], kinds?["ephemeral_1h_input_tokens"],
            usage["output_tokens_details"]?["thinking_tokens"],
        ]
        guard parts.allSatisfy({ $0.map { $0.isNull || Self.count($0) != nil } ?? true }) else { return nil }
        let counts = parts.map(Self.count)
        (self.input, self.output) = (input, output)
        read = counts[0] ?? 0
        // The kinds are parts of the whole; should they be more, the whole is too small.
        written = max(counts[1] ?? 0, (counts[2] ?? 0) + (counts[3] ?? 0))
        (shortWritten, longWritten) = (counts[2], counts[3])
        thinking = min(counts[4] ?? 0, output)
    }

    /// As `usage` of a chat completion, with Anthropic's own names for what OpenAI has none for.
    func write(to root: inout JSONWriter) {
        let prompt = input + read + written
        root.object("usage") { usage in
            usage.member("prompt_tokens", prompt)
            usage.member("completion_tokens", output)
            usage.member("total_tokens", prompt + output)
            usage.object("prompt_tokens_details") {
                $0.member("cached_tokens", read)
                $0.member("cache_write_tokens", written)
            }
            usage.object("completion_tokens_details") { $0.member("reasoning_tokens", thinking) }
            guard shortWritten != nil || longWritten != nil else { return }
            usage.object("cache_creation") {
                $0.member("ephemeral_5m_input_tokens", shortWritten ?? 0)
                $0.member("ephemeral_1h_input_tokens", longWritten ?? 0)
            }
        }
    }

    private static func count(_ value: JSONSlice?) -> Int? {
        guard let count = value?.int, (0...1_000_000_000).contains(count) else { return nil }
        return count
    }
}
