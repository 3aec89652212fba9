/// Who invoices a key's traffic.
package enum Billing: String, CaseIterable, Sendable {
    case provider
    case routerBYOK = "router-byok"
    case platform
}

/// Limits of a key or a pool; nil means that none was given.
package struct Limits: Sendable, Equatable {
    /// Requests per minute.
    package var rpm: Int?
    /// Tokens per minute, input and output together.
    package var tpm: Int?
    /// Requests per calendar day in the configured time zone.
    package var rpd: Int?
    /// Tokens per calendar day in the configured time zone.
    package var tpd: Int?
    /// Requests in flight at once.
    package var concurrent: Int?

    package init(rpm: Int? = nil, tpm: Int? = nil, rpd: Int? = nil, tpd: Int? = nil, concurrent: Int? = nil) {
        self.rpm = rpm
        self.tpm = tpm
        self.rpd = rpd
        self.tpd = tpd
        self.concurrent = concurrent
    }

    package var isEmpty: Bool { self == Limits() }
}

/// How a provider's server counts a minute; decides how much of a burst it is sent.
package enum LimitModel: String, CaseIterable, Sendable {
    /// At most the limit in any 60 s. Also safe for servers with a full-size token bucket or fixed windows: the default.
    case sliding
    /// The same limit cut into one-second slices: no bursts at all, sends are paced evenly.
    case slices
}

/// Which tokens a provider holds against a tokens-per-minute limit.
package enum TokenCounting: String, CaseIterable, Sendable {
    /// What the answer reports as used.
    case usage
    /// The larger estimate made before the run (input plus `max_tokens`), never given back.
    case reserved
}

/// The models that a key may serve.
package enum ModelAccess: Sendable, Equatable {
    /// Any model, under its own name.
    case any
    /// These, by the name that jobs use → the name that the provider knows.
    case only([String: String])

    /// The provider's name for a job's model, or nil when the key may not serve it.
    package func providerModel(for model: String) -> String? {
        switch self {
        case .any: model
        case .only(let names): names[model]
        }
    }
}

/// A key without its secret: everything that decisions need to know of it.
package struct KeyDescriptor: Sendable, Equatable {
    package var name: String
    package var provider: String
    package var billing: Billing
    /// Keys of one pool share its limits.
    package var pool: String?
    package var models: ModelAccess
    package var limits: Limits
    package var tags: [String]
    package var enabled: Bool
    package var limitModel: LimitModel
    package var tokenCounting: TokenCounting
    package var quota: Quota?
    package var credit: Credit?
    /// Paid-for throughput in tokens per minute: traffic up to this rate costs nothing more.
    package var provisionedTPM: Int?
    /// For `router-byok` keys.
    package var fee: PlatformFee?
    /// When the present secret ends, if that is known: nothing is sent through the key from then on.
    package var validUntil: Timestamp?
    /// The ways in which requests may travel. `batch` is not used as yet; forecasts tell what it would cost.
    package var lanes: [Lane] = [.sync]
    /// The API calls that its provider's wire format can express.
    package var endpoints = Endpoint.allCases
    /// Set where the wire format demands a longest answer in every request: the one to ask for where neither the request
    /// nor a price list knows any.
    package var demandedAnswer: Int?

    package init(
        name: String, provider: String, billing: Billing = .provider, pool: String? = nil, models: ModelAccess = .any,
        limits: Limits = Limits(), tags: [String] = [], enabled: Bool = true, limitModel: LimitModel = .sliding,
        tokenCounting: TokenCounting = .usage
    ) {
        self.name = name
        self.provider = provider
        self.billing = billing
        self.pool = pool
        self.models = models
        self.limits = limits
        self.tags = tags
        self.enabled = enabled
        self.limitModel = limitModel
        self.tokenCounting = tokenCounting
    }

    /// The provider's name for a job's model, or nil when the key cannot serve such jobs.
    package func providerModel(for model: String, at endpoint: Endpoint) -> String? {
        endpoints.contains(endpoint) ? models.providerModel(for: model) : nil
    }

    /// Whether it is a platform's shared capacity and not the user's own key.
    package var isShared: Bool { billing == .platform }

    /// Whether its secret has ended.
    package func isExpired(at now: Timestamp) -> Bool { now >= validUntil ?? .distantFuture }

    /// Whether anything is sent through it, as far as its owner's word goes.
    package func isUsable(at now: Timestamp) -> Bool { enabled && !isExpired(at: now) }
}

/// A pool: the limits of one account, shared by its keys.
package struct PoolDescriptor: Sendable, Equatable {
    package var name: String
    package var limits: Limits
    package var quota: Quota?

    package init(name: String, limits: Limits, quota: Quota? = nil) {
        self.name = name
        self.limits = limits
        self.quota = quota
    }
}
