/// How the rehearsed provider behaves: whom it lets in, how fast, how much, and what goes wrong.
package struct RehearsalProfile: Sendable {
    /// Decides every latency, answer and fault by rate; two servers with one seed and one profile behave alike.
    package var seed: UInt64
    package var latency: Latency
    /// The models it serves; nil serves any.
    package var models: [String]?
    /// The most tokens that a prompt and its answer may have together; nil has no such limit.
    package var context: Int?
    /// The keys it knows.
    package var keys: [KeyProfile]
    /// What holds for a key that it does not know, each such key for itself; nil refuses them with 401.
    package var otherKeys: KeyProfile?
    /// In the order of the profile; the first that applies to a request is used.
    package var faults: [FaultRule]
    /// How many tokens an answer has where the request sets no lower maximum.
    package var answerTokens: ClosedRange<Int>
    /// How it serves requests in the tier flex.
    package var flex = FlexProfile()

    package init(
        seed: UInt64 = 1, latency: Latency = .fixed(50_000), models: [String]? = nil, context: Int? = nil,
        keys: [KeyProfile] = [], otherKeys: KeyProfile? = nil, faults: [FaultRule] = [],
        answerTokens: ClosedRange<Int> = 8...48
    ) {
        self.seed = seed
        self.latency = latency
        self.models = models
        self.context = context
        self.keys = keys
        self.otherKeys = otherKeys
        self.faults = faults
        self.answerTokens = answerTokens
    }

    /// What `offpeak rehearse` runs without a file: any key, no limits, 50 ms.
    package static let standard = RehearsalProfile(otherKeys: KeyProfile())
}

/// The tier flex: cheaper, slower, and not always there.
package struct FlexProfile: Sendable, Equatable {
    /// Of a million requests, so many find no room.
    package var refused = 0
    /// Of a million that find room, so many are served in the ordinary tier, and say so.
    package var upgraded = 0
    /// How much longer an answer takes.
    package var delay: Int64 = 0

    package init() {}
}

/// One key as the rehearsed provider sees it. A rehearsed key guards nothing, so its text is in the profile.
package struct KeyProfile: Sendable, Equatable {
    /// What follows `Bearer`.
    package var text: String
    /// What the ledger calls it.
    package var name: String
    package var limits: KeyLimits
    /// Keys with the same pool share one count of their limits.
    package var pool: String?
    /// Whether answers carry `x-ratelimit-*` headers.
    package var headers: Bool
    /// Whether a 429 carries `retry-after` and `retry-after-ms`.
    package var retryAfter: Bool

    package init(
        text: String = "", name: String? = nil, limits: KeyLimits = KeyLimits(), pool: String? = nil,
        headers: Bool = true, retryAfter: Bool = true
    ) {
        self.text = text
        self.name = name ?? text
        self.limits = limits
        self.pool = pool
        self.headers = headers
        self.retryAfter = retryAfter
    }
}

/// What a key or pool is allowed. A missing number is no limit.
package struct KeyLimits: Sendable, Equatable {
    /// What the token limits count, known when a request is admitted.
    package enum Counting: String, Sendable, CaseIterable {
        /// The tokens that the answer's `usage` will report.
        case usage
        /// The prompt's tokens and the most that the request lets the answer have.
        case reserved
    }

    /// Requests per window.
    package var rpm: Int?
    /// Tokens per window.
    package var tpm: Int?
    /// Requests per day.
    package var rpd: Int?
    /// Tokens per day.
    package var tpd: Int?
    /// Requests under way at once.
    package var concurrent: Int?
    /// The window of `rpm` and `tpm` in microseconds.
    package var window: Int64
    /// The length of a day in microseconds; days are counted from the start, each beginning anew.
    package var day: Int64
    package var model: LimitModel
    package var counts: Counting
    /// Whether a request that was refused for a limit counts as a request all the same.
    package var countsRejected: Bool

    package init(
        rpm: Int? = nil, tpm: Int? = nil, rpd: Int? = nil, tpd: Int? = nil, concurrent: Int? = nil,
        window: Int64 = 60_000_000, day: Int64 = 86_400_000_000, model: LimitModel = .sliding,
        counts: Counting = .usage, countsRejected: Bool = false
    ) {
        self.rpm = rpm
        self.tpm = tpm
        self.rpd = rpd
        self.tpd = tpd
        self.concurrent = concurrent
        self.window = window
        self.day = day
        self.model = model
        self.counts = counts
        self.countsRejected = countsRejected
    }
}
