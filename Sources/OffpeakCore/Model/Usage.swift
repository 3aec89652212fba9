/// Tokens that one or more answers used, as the provider reported them.
package struct Usage: Hashable, Sendable {
    /// All input tokens, cached ones included.
    package var inputTokens: Int
    /// The part of `inputTokens` that was read from the provider's cache.
    package var cachedTokens: Int
    /// All output tokens, reasoning included.
    package var outputTokens: Int

    package init(inputTokens: Int = 0, cachedTokens: Int = 0, outputTokens: Int = 0) {
        self.inputTokens = inputTokens
        self.cachedTokens = cachedTokens
        self.outputTokens = outputTokens
    }

    /// Input and output together: what a tokens-per-minute limit counts.
    package var totalTokens: Int { inputTokens + outputTokens }

    package static func + (a: Usage, b: Usage) -> Usage {
        Usage(
            inputTokens: a.inputTokens + b.inputTokens, cachedTokens: a.cachedTokens + b.cachedTokens,
            outputTokens: a.outputTokens + b.outputTokens)
    }
}
