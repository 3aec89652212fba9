import OffpeakCore

/// A wire format that we speak.
package enum ProviderKind: String, CaseIterable, Sendable {
    case openai
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
