/// What can go wrong with a request.
package enum FaultKind: String, Sendable, CaseIterable {
    /// A rate limit that the profile does not mention.
    case rateLimit = "429"
    case serverError = "500"
    /// A gateway's HTML page instead of an answer.
    case badGateway = "502-html"
    case unavailable = "503"
    case overloaded = "529"
    /// The connection ends in the middle of the answer's body.
    case cut
    /// The connection ends without an answer.
    case close
    /// Nothing ever comes.
    case hang
    /// Status 200 with a body that is not JSON.
    case invalidJSON = "invalid-json"
    /// Status 200 with an error object.
    case errorIn200 = "error-in-200"
    /// The account's credit is used up: a 429 that waiting does not cure.
    case quota
    /// The key is refused from this request on.
    case revoked
    case badRequest = "bad-request"
    /// The answer is withheld by a content filter.
    case refusal
    /// Prose where the request asked for JSON.
    case notJSONContent = "not-json-content"
    /// The answer takes longer.
    case slow

    /// Whether it strikes before the limits are looked at, so that the request counts for none of them.
    var strikesAtTheDoor: Bool { self == .rateLimit || self == .quota || self == .revoked }
}

/// When and to whom a fault happens. Conditions that are given hold together; none means always.
package struct FaultRule: Sendable, Equatable {
    package var what: FaultKind
    /// In millionths of the requests that the other conditions leave.
    package var rate: Int?
    /// The numbers of the requests, counted from 1; within the key when `key` is given, else over all.
    package var at: [Int]
    /// Only requests with a higher number than this, counted as for `at`.
    package var afterRequests: Int?
    /// Only from this many microseconds after the start.
    package var from: Int64?
    /// Only before this many microseconds after the start.
    package var until: Int64?
    /// Only requests of the key with this name.
    package var key: String?
    /// At most so many times.
    package var count: Int?
    /// For a 429: whether `retry-after` and rate-limit headers come with it.
    package var headers: Bool
    /// For a 429: how long `retry-after` says to wait. For `slow`: how much longer it takes. In microseconds.
    package var delay: Int64?

    package init(
        _ what: FaultKind, rate: Int? = nil, at: [Int] = [], afterRequests: Int? = nil, from: Int64? = nil,
        until: Int64? = nil, key: String? = nil, count: Int? = nil, headers: Bool = true, delay: Int64? = nil
    ) {
        self.what = what
        self.rate = rate
        self.at = at
        self.afterRequests = afterRequests
        self.from = from
        self.until = until
        self.key = key
        self.count = count
        self.headers = headers
        self.delay = delay
    }
}

/// The faults of a profile and how often each has happened.
struct FaultPlan: Sendable {
    /// What a rule may look at.
    struct Occasion {
        /// The request's number over all, from 1.
        var number: Int
        /// The request's number within its key, from 1.
        var numberOfKey: Int
        var key: String
        /// Microseconds since the start.
        var now: Int64
    }

    private let seed: UInt64
    let rules: [FaultRule]
    private var used: [Int]

    init(seed: UInt64, rules: [FaultRule]) {
        self.seed = seed
        self.rules = rules
        used = Array(repeating: 0, count: rules.count)
    }

    /// The first rule that applies and is `eligible`, counted as used.
    mutating func strike(_ occasion: Occasion, where eligible: (FaultKind) -> Bool) -> FaultRule? {
        for index in rules.indices where eligible(rules[index].what) && applies(index, occasion) {
            used[index] += 1
            return rules[index]
        }
        return nil
    }

    /// The extra microseconds of all `slow` rules that apply.
    mutating func slowness(_ occasion: Occasion) -> Int64 {
        var extra: Int64 = 0
        for index in rules.indices where rules[index].what == .slow && applies(index, occasion) {
            used[index] += 1
            extra += rules[index].delay ?? 5_000_000
        }
        return extra
    }

    private func applies(_ index: Int, _ occasion: Occasion) -> Bool {
        let rule = rules[index]
        let number = rule.key == nil ? occasion.number : occasion.numberOfKey
        if let key = rule.key, key != occasion.key { return false }
        if let count = rule.count, used[index] >= count { return false }
        if !rule.at.isEmpty, !rule.at.contains(number) { return false }
        if let after = rule.afterRequests, number <= after { return false }
        if let from = rule.from, occasion.now < from { return false }
        if let until = rule.until, occasion.now >= until { return false }
        guard let rate = rule.rate else { return true }
        var random = SeededRandom(seed: seed, purpose: .fault(index), number: UInt64(occasion.number))
        return random.below(1_000_000) < rate
    }
}
