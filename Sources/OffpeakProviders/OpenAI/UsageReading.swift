import JSONLines
import OffpeakCore

/// What an answer in OpenAI's format says of the tokens it used, brought to one form.
package struct UsageReading: Sendable, Equatable {
    package var usage: Usage
    /// False when the answer says nothing of it; the usage is zero then.
    package var reported: Bool

    /// Reads a `usage` member; absent, null or unreadable counts as not reported.
    package init(_ member: JSONSlice?, endpoint: Endpoint) {
        let count = { (name: String) in Self.count(member?[name]) }
        // The cache's hits and misses are DeepSeek's; together they are the prompt.
        let hits = count("prompt_cache_hit_tokens")
        let prompt =
            count("prompt_tokens") ?? count("input_tokens")
            ?? count("prompt_cache_miss_tokens").map { $0 + (hits ?? 0) }
        let completion = count("completion_tokens") ?? count("output_tokens")
        let total = count("total_tokens")
        let details = member?["prompt_tokens_details"] ?? member?["input_tokens_details"]
        let cached = Self.count(details?["cached_tokens"]) ?? hits ?? count("cached_tokens") ?? 0

        let input = prompt ?? max(0, (total ?? 0) - (completion ?? 0))
        // Anthropic's own names, as gateways pass them on: what is written for an hour is a part of what is written.
        let long = Self.count(member?["cache_creation"]?["ephemeral_1h_input_tokens"]) ?? 0
        let allWritten = Self.count(details?["cache_write_tokens"]) ?? count("cache_creation_input_tokens") ?? long
        let written = min(allWritten, input - min(cached, input))
        let outputDetails = member?["completion_tokens_details"] ?? member?["output_tokens_details"]
        let reasoning = Self.count(outputDetails?["reasoning_tokens"]) ?? count("reasoning_tokens") ?? 0

        // Reasoning is inside the completion at OpenAI and beside it at xAI and in Gemini's OpenAI layer. The total
        // has it in either case, so what it holds beyond the prompt is the output.
        let output = max(completion ?? 0, (total ?? 0) - input)
        usage = Usage(
            inputTokens: input, cachedTokens: min(cached, input),
            cacheWriteTokens: written, longCacheWriteTokens: min(long, written),
            outputTokens: endpoint == .embeddings ? 0 : output,
            reasoningTokens: endpoint == .embeddings ? 0 : min(reasoning, output))
        reported = prompt != nil || completion != nil || total != nil
    }

    /// A plausible count; anything else is as good as absent, and sums of counts never overflow.
    private static func count(_ value: JSONSlice?) -> Int? {
        guard let count = value?.int, (0...1_000_000_000_000).contains(count) else { return nil }
        return count
    }
}
