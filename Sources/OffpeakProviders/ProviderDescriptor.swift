import OffpeakCore

/// A wire format that we speak.
package enum ProviderKind: String, CaseIterable, Sendable {
    case openai
    /// Anthropic's Messages API.
    case anthropic

    /// The API calls of input lines that the format can express.
    package var endpoints: [Endpoint] {
        switch self {
        case .openai: [.chatCompletions, .embeddings, .responses, .completions]
        case .anthropic: [.chatCompletions, .messages]
        }
    }

    /// The longest answer to ask for where the format demands one and nothing else tells any. All of Anthropic's models
    /// allow so much (platform.claude.com/docs/en/about-claude/models/overview).
    package var demandedAnswer: Int? {
        switch self {
        case .openai: nil
        case .anthropic: 4_096
        }
    }
}

/// An API: a base URL and a wire format.
package struct ProviderDescriptor: Sendable, Equatable {
    package var name: String
    package var kind: ProviderKind
    /// Absolute URL up to and including the version, without a trailing slash: `https://api.openai.com/v1`.
    package var baseURL: String
    /// Plain http to a host other than loopback is allowed.
    package var insecure: Bool
    package var limitModel: LimitModel
    package var tokenCounting: TokenCounting
    /// The `x-ratelimit-*-requests` headers count per day (Groq).
    package var requestHeadersArePerDay: Bool
    /// PEM file with certificate authorities to trust besides the system's; nil for the system's only.
    package var caFile: String?

    package init(
        name: String, kind: ProviderKind = .openai, baseURL: String, insecure: Bool = false,
        limitModel: LimitModel = .sliding, tokenCounting: TokenCounting = .usage,
        requestHeadersArePerDay: Bool = false, caFile: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.baseURL = baseURL
        self.insecure = insecure
        self.limitModel = limitModel
        self.tokenCounting = tokenCounting
        self.requestHeadersArePerDay = requestHeadersArePerDay
        self.caFile = caFile
    }
}

extension ProviderDescriptor {
    /// The URL of a call by its path without `/v1`, since the base already ends in the API's version, whatever that is
    /// called there. A query of the base (Azure's `api-version`) stays at the end.
    func url(of path: some StringProtocol) -> String {
        let parts = baseURL.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var base = parts[0]
        while base.last == "/" { base.removeLast() }
        let query = parts.count > 1 ? "?" + parts[1] : ""
        return base + path + query
    }
}
