import OffpeakCore

/// What an answer's headers say of the room left on the key and of how long to wait.
package struct RateLimitHeaders: Sendable, Equatable {
    /// Absent and unreadable values are nil, never a guess.
    package var feedback: RateFeedback
    /// What `retry-after-ms`, else `retry-after`, asks for; at most a month, since quotas reset by the month.
    package var retryAfter: Interval?
    /// A limit of 0: this model is not on the account's plan, and waiting never helps (Mistral).
    package var limitIsZero: Bool

    /// Reads headers with names in any case. `requestsArePerDay`: the provider's plain `requests` group counts per
    /// day (Groq); a group that names its period overrides it.
    package init(_ headers: [(name: String, value: String)], requestsArePerDay: Bool = false) {
        var values: [String: String] = [:]
        for header in headers where Self.isRelevant(header.name) {
            let name = String(decoding: header.name.utf8.map(\.lowercasedASCII), as: UTF8.self)
            if values[name] == nil { values[name] = header.value }
        }
        let now = values["date"].flatMap(CivilDate.http)

        feedback = RateFeedback()
        let requests = Self.tightest(of: Self.requestGroups, in: values, now: now)
        feedback.requests = requests?.dimension ?? .init()
        feedback.requestsArePerDay = requests.map { $0.group.perDay ?? requestsArePerDay } ?? false
        feedback.tokens = Self.tightest(of: Self.tokenGroups, in: values, now: now)?.dimension ?? .init()
        retryAfter =
            values["retry-after-ms"].flatMap(WaitTime.milliseconds)
            ?? values["retry-after"].flatMap { WaitTime.header($0, now: now) }
        limitIsZero = feedback.requests.limit == 0 || feedback.tokens.limit == 0
    }

    /// The longest reset among the dimensions that have nothing left: the wait when none was named.
    package var exhaustedUntil: Interval? {
        [feedback.requests, feedback.tokens].filter { $0.remaining == 0 }.compactMap(\.reset).max()
    }

    /// Three header names that belong together.
    private struct Group {
        var limit: String
        var remaining: String
        var reset: String
        /// Whether the names say that it counts per day; nil when they do not say.
        var perDay: Bool?

        init(limit: String, remaining: String, reset: String, perDay: Bool? = nil) {
            self.limit = limit
            self.remaining = remaining
            self.reset = reset
            self.perDay = perDay
        }

        /// `x-ratelimit-limit-tokens` and its siblings.
        static func suffixed(_ what: String, perDay: Bool? = nil) -> Group {
            Group(
                limit: "x-ratelimit-limit-\(what)", remaining: "x-ratelimit-remaining-\(what)",
                reset: "x-ratelimit-reset-\(what)", perDay: perDay)
        }

        /// `anthropic-ratelimit-tokens-limit` and its siblings.
        static func anthropic(_ what: String) -> Group {
            Group(
                limit: "anthropic-ratelimit-\(what)-limit", remaining: "anthropic-ratelimit-\(what)-remaining",
                reset: "anthropic-ratelimit-\(what)-reset")
        }
    }

    /// OpenAI, Azure, Groq, Fireworks; Mistral; Cerebras; Anthropic; Together and OpenRouter; the IETF draft's.
    private static let requestGroups = [
        Group.suffixed("requests"), .suffixed("req-minute", perDay: false), .suffixed("requests-day", perDay: true),
        .suffixed("requests-minute", perDay: false), .anthropic("requests"),
        Group(limit: "x-ratelimit-limit", remaining: "x-ratelimit-remaining", reset: "x-ratelimit-reset"),
        Group(limit: "ratelimit-limit", remaining: "ratelimit-remaining", reset: "ratelimit-reset"),
    ]

    /// As above; Fireworks counts prompt and generated tokens apart, OpenAI a project's beside the organisation's.
    private static let tokenGroups = [
        Group.suffixed("tokens"), .suffixed("project-tokens"), .suffixed("tokens-minute"), .suffixed("tokens-prompt"),
        .suffixed("tokens-generated"), .anthropic("tokens"), .anthropic("input-tokens"), .anthropic("output-tokens"),
        Group(limit: "x-tokenlimit-limit", remaining: "x-tokenlimit-remaining", reset: "x-tokenlimit-reset"),
    ]

    /// Of the groups that are there, the one with the least left: it is the one that will refuse next.
    private static func tightest(
        of groups: [Group], in values: [String: String], now: Timestamp?
    ) -> (group: Group, dimension: RateFeedback.Dimension)? {
        guard !values.isEmpty else { return nil }
        var best: (group: Group, dimension: RateFeedback.Dimension)?
        for group in groups {
            let dimension = RateFeedback.Dimension(
                limit: values[group.limit].flatMap(count), remaining: values[group.remaining].flatMap(count),
                reset: values[group.reset].flatMap { WaitTime.header($0, now: now) })
            guard dimension != .init() else { continue }
            if let known = best, known.dimension.remaining ?? .max <= dimension.remaining ?? .max { continue }
            best = (group, dimension)
        }
        return best
    }

    /// A count: `200`, `200.0`, or the first number of the IETF draft's `200, 200;w=60`. Nil for anything else.
    private static func count(_ text: String) -> Int? {
        var cursor = ByteCursor(text.trimmedASCII)
        guard let whole = cursor.number(cap: 1_000_000_000_000_000) else { return nil }
        if cursor.skip("."), cursor.fraction(of: 1) == nil { return nil }
        return cursor.isAtEnd || cursor.skip(anyOf: ",; ") ? whole : nil
    }

    /// A quick look, so that the dozens of other headers of an answer cost nothing.
    private static func isRelevant(_ name: String) -> Bool {
        switch name.utf8.first.map({ $0 | 0x20 }) {
        case UInt8(ascii: "x"), UInt8(ascii: "r"), UInt8(ascii: "a"), UInt8(ascii: "d"): true
        default: false
        }
    }
}
