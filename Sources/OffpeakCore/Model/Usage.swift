/// Tokens that one or more answers used, as the provider reported them.
package struct Usage: Hashable, Sendable {
    /// All input tokens, cached ones included.
    package var inputTokens: Int
    /// The part of `inputTokens` that was read from the provider's cache.
    package var cachedTokens: Int
    /// The part of `inputTokens` that was written to the provider's cache.
    package var cacheWriteTokens: Int
    /// The part of `cacheWriteTokens` that is kept for an hour, which costs more. Only for reckoning: the ledger keeps the
    /// cost, and not this number.
    package var longCacheWriteTokens: Int
    /// The part of `inputTokens` that was sound, and may be cached as well. Only for reckoning, likewise.
    package var audioInputTokens: Int
    /// All output tokens, reasoning included.
    package var outputTokens: Int
    /// The part of `outputTokens` that was reasoning.
    package var reasoningTokens: Int
    /// The part of `outputTokens` that was sound. Only for reckoning, likewise.
    package var audioOutputTokens: Int

    package init(
        inputTokens: Int = 0, cachedTokens: Int = 0, cacheWriteTokens: Int = 0, longCacheWriteTokens: Int = 0,
        audioInputTokens: Int = 0, outputTokens: Int = 0, reasoningTokens: Int = 0, audioOutputTokens: Int = 0
    ) {
        self.inputTokens = inputTokens
        self.cachedTokens = cachedTokens
        self.cacheWriteTokens = cacheWriteTokens
        self.longCacheWriteTokens = longCacheWriteTokens
        self.audioInputTokens = audioInputTokens
        self.outputTokens = outputTokens
        self.reasoningTokens = reasoningTokens
        self.audioOutputTokens = audioOutputTokens
    }

    /// Input and output together: what a tokens-per-minute limit counts.
    package var totalTokens: Int { inputTokens + outputTokens }

    package static func + (a: Usage, b: Usage) -> Usage {
        Usage(
            inputTokens: a.inputTokens + b.inputTokens, cachedTokens: a.cachedTokens + b.cachedTokens,
            cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
            longCacheWriteTokens: a.longCacheWriteTokens + b.longCacheWriteTokens,
            audioInputTokens: a.audioInputTokens + b.audioInputTokens,
            outputTokens: a.outputTokens + b.outputTokens, reasoningTokens: a.reasoningTokens + b.reasoningTokens,
            audioOutputTokens: a.audioOutputTokens + b.audioOutputTokens)
    }

    package static func - (a: Usage, b: Usage) -> Usage {
        Usage(
            inputTokens: a.inputTokens - b.inputTokens, cachedTokens: a.cachedTokens - b.cachedTokens,
            cacheWriteTokens: a.cacheWriteTokens - b.cacheWriteTokens,
            longCacheWriteTokens: a.longCacheWriteTokens - b.longCacheWriteTokens,
            audioInputTokens: a.audioInputTokens - b.audioInputTokens,
            outputTokens: a.outputTokens - b.outputTokens, reasoningTokens: a.reasoningTokens - b.reasoningTokens,
            audioOutputTokens: a.audioOutputTokens - b.audioOutputTokens)
    }
}

/// What an answer itself says that it cost: the truth for that attempt. (OpenRouter's `usage.cost`, `is_byok` and
/// `cost_details.upstream_inference_cost`; its documentation on usage accounting.)
package struct ReportedCost: Hashable, Sendable {
    /// What the platform takes from its credits: the whole price, or, on the user's own key, the fee. Nil where the provider
    /// itself says what it bills.
    package var platform: Money?
    /// What the provider bills to the user's own key; nil when that was not said.
    package var upstream: Money?
    /// Whether the user's own key served the request; nil when that was not said.
    package var usedOwnKey: Bool?

    package init(platform: Money? = nil, upstream: Money? = nil, usedOwnKey: Bool? = nil) {
        self.platform = platform
        self.upstream = upstream
        self.usedOwnKey = usedOwnKey
    }

    /// What an account pays that gets one bill for everything.
    package var total: Money {
        guard let platform else { return upstream ?? .zero }
        return platform + (usedOwnKey == true ? upstream ?? .zero : .zero)
    }
}
