import JSONLines
import OffpeakCore

/// What an answer in OpenAI's format says of the tokens it used, brought to one form.
package struct UsageReading: Sendable, Equatable {
    package var usage = Usage()
    /// False when the answer does not tell all of it, or not readably; the usage is zero then.
    package var reported = false

    /// Reads a `usage` member. What tells only a part, such as the prompt's tokens alone, counts as not reported: what it
    /// leaves out was charged all the same. Of prompt, completion and total each two tell the third.
    package init(_ member: JSONSlice?, endpoint: Endpoint) {
        let count = { (name: String) in Self.count(member?[name]) }
        // A count that is there and makes no sense leaves nothing to believe in those beside it.
        let isSenseless = { (value: JSONSlice) in !value.isNull && Self.count(value) == nil }
        guard !Self.sums.contains(where: { member?[$0].map(isSenseless) ?? false }) else { return }
        // The cache's hits and misses are DeepSeek's; together they are the prompt.
        let hits = count("prompt_cache_hit_tokens")
        let split = hits.flatMap { hits in count("prompt_cache_miss_tokens").map { $0 + hits } }
        let prompt = count("prompt_tokens") ?? count("input_tokens") ?? split
        let completion = count("completion_tokens") ?? count("output_tokens")
        let total = count("total_tokens")
        guard let (input, output) = Self.sides(prompt, completion, total, endpoint) else { return }
        let details = member?["prompt_tokens_details"] ?? member?["input_tokens_details"]
        let outputDetails = member?["completion_tokens_details"] ?? member?["output_tokens_details"]
        let parts = [
            details?["cached_tokens"], details?["cache_write_tokens"], details?["audio_tokens"],
            outputDetails?["reasoning_tokens"], outputDetails?["audio_tokens"], member?["cached_tokens"],
            member?["reasoning_tokens"], member?["cache_creation_input_tokens"],
            member?["cache_creation"]?["ephemeral_1h_input_tokens"],
        ]
        guard !parts.contains(where: { $0.map(isSenseless) ?? false }) else { return }
        let cached = Self.count(details?["cached_tokens"]) ?? hits ?? count("cached_tokens") ?? 0
        // Anthropic's own names, as gateways pass them on: what is written for an hour is a part of what is written.
        let long = Self.count(member?["cache_creation"]?["ephemeral_1h_input_tokens"]) ?? 0
        let allWritten = Self.count(details?["cache_write_tokens"]) ?? count("cache_creation_input_tokens") ?? long
        let reasoning = Self.count(outputDetails?["reasoning_tokens"]) ?? count("reasoning_tokens") ?? 0
        let heard = Self.count(details?["audio_tokens"]) ?? 0
        let spoken = Self.count(outputDetails?["audio_tokens"]) ?? 0
        // A part that is more than its whole: the prompt was longer than it says, as where a gateway leaves out the cache.
        guard max(cached, allWritten, heard) <= input, spoken <= output else { return }
        let written = min(allWritten, input - cached)

        usage = Usage(
            inputTokens: input, cachedTokens: cached,
            cacheWriteTokens: written, longCacheWriteTokens: min(long, written), audioInputTokens: heard,
            // More reasoning than output, and no total that has it: then it comes on top.
            outputTokens: reasoning > output ? output + reasoning : output, reasoningTokens: reasoning,
            audioOutputTokens: spoken)
        reported = true
    }

    /// The counts without which an answer does not tell what it used.
    private static let sums = [
        "prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens",
        "prompt_cache_hit_tokens", "prompt_cache_miss_tokens",
    ]

    /// Input and output; nil if the counts do not say both, or contradict each other.
    private static func sides(_ prompt: Int?, _ completion: Int?, _ total: Int?, _ endpoint: Endpoint) -> (Int, Int)? {
        if endpoint == .embeddings { return (prompt ?? total).map { ($0, 0) } }
        // Reasoning is inside the completion at OpenAI and beside it at xAI and in Gemini's OpenAI layer. The total
        // has it in either case, so what it holds beyond the prompt is the output.
        if let prompt, let completion { return (prompt, max(completion, (total ?? 0) - prompt)) }
        guard let total, let one = prompt ?? completion, one <= total else { return nil }
        return prompt == nil ? (total - one, one) : (one, total - one)
    }

    /// A plausible count; anything else is as good as absent, and sums of counts never overflow.
    private static func count(_ value: JSONSlice?) -> Int? {
        guard let count = value?.int, (0...1_000_000_000_000).contains(count) else { return nil }
        return count
    }
}
