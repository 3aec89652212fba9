/// All limits of one key, or of one pool of keys, counted together: a request is admitted by all of them or by none.
package struct Limiter: Sendable {
    /// One of the limits, in the words of a provider's error.
    package enum Dimension: String, Sendable {
        case rpm = "requests per min (RPM)"
        case tpm = "tokens per min (TPM)"
        case rpd = "requests per day (RPD)"
        case tpd = "tokens per day (TPD)"
        case concurrent = "requests at once"

        /// Whether it counts tokens.
        package var countsTokens: Bool { self == .tpm || self == .tpd }
    }

    /// Why a request is not admitted.
    package struct Refusal: Sendable, Equatable {
        /// The limit that holds it back longest.
        package var dimension: Dimension
        package var limit: Int
        package var remaining: Int
        package var requested: Int
        /// Microseconds until it would be admitted if nothing else came; nil when that is not known or never.
        package var wait: Int64?
        /// Larger than the whole limit.
        package var neverFits: Bool
    }

    package let limits: KeyLimits
    private var meters: [(dimension: Dimension, meter: Meter)] = []
    /// Requests under way.
    package private(set) var inFlight = 0
    package private(set) var peakInFlight = 0

    package init(_ limits: KeyLimits) {
        self.limits = limits
        func add(_ dimension: Dimension, _ limit: Int?, _ window: Int64, _ model: LimitModel) {
            if let limit { meters.append((dimension, Meter(limit: limit, window: window, model: model))) }
        }
        add(.rpm, limits.rpm, limits.window, limits.model)
        add(.tpm, limits.tpm, limits.window, limits.model)
        // Daily quotas begin anew with each day, whatever the model of the shorter window.
        add(.rpd, limits.rpd, limits.day, .fixed)
        add(.tpd, limits.tpd, limits.day, .fixed)
    }

    /// Admits one request that costs `tokens` and counts it, or says why not. Every admitted request is to be `release`d.
    package mutating func admit(tokens: Int, at now: Int64) -> Refusal? {
        var worst: Refusal?
        if let limit = limits.concurrent, inFlight >= limit {
            worst = Refusal(
                dimension: .concurrent, limit: limit, remaining: 0, requested: 1, wait: nil, neverFits: false)
        }
        for index in meters.indices {
            let dimension = meters[index].dimension
            let cost = dimension.countsTokens ? tokens : 1
            let wait = meters[index].meter.wait(for: cost, at: now)
            if wait == 0 { continue }
            if let worst, !worst.neverFits, let longest = worst.wait, let wait, wait <= longest { continue }
            if let worst, worst.neverFits { continue }
            worst = Refusal(
                dimension: dimension, limit: meters[index].meter.limit,
                remaining: meters[index].meter.remaining(at: now), requested: cost, wait: wait, neverFits: wait == nil)
        }
        if let worst {
            if limits.countsRejected { charge(tokens: nil, at: now) }
            return worst
        }
        charge(tokens: tokens, at: now)
        inFlight += 1
        peakInFlight = max(peakInFlight, inFlight)
        return nil
    }

    /// An admitted request is over.
    package mutating func release() { inFlight -= 1 }

    /// One request, and its tokens where they are given.
    private mutating func charge(tokens: Int?, at now: Int64) {
        for index in meters.indices {
            if !meters[index].dimension.countsTokens {
                meters[index].meter.charge(1, at: now)
            } else if let tokens {
                meters[index].meter.charge(tokens, at: now)
            }
        }
    }

    /// The `x-ratelimit-*` headers of an answer at this moment: the short window's limits, or the day's where there is no
    /// short one. Resets are Go durations, as OpenAI writes them (provider-apis.md section 2.3).
    package mutating func headers(at now: Int64) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        for (name, choices) in [("requests", [Dimension.rpm, .rpd]), ("tokens", [.tpm, .tpd])] {
            let places = choices.map { wanted in meters.firstIndex { $0.dimension == wanted } }
            guard let chosen = places.compactMap({ $0 }).first else { continue }
            headers.append(("x-ratelimit-limit-\(name)", String(meters[chosen].meter.limit)))
            headers.append(("x-ratelimit-remaining-\(name)", String(meters[chosen].meter.remaining(at: now))))
            headers.append(("x-ratelimit-reset-\(name)", goDuration(meters[chosen].meter.reset(at: now))))
        }
        return headers
    }
}

/// A length of time as Go prints it: `12ms`, `1.5s`, `6m0s`, `1h0m0s`. Microseconds are rounded up to milliseconds.
package func goDuration(_ microseconds: Int64) -> String {
    let milliseconds = max(0, microseconds + 999) / 1_000
    guard milliseconds >= 1_000 else { return milliseconds == 0 ? "0s" : "\(milliseconds)ms" }
    let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60)
    var text = ""
    if hours > 0 { text += "\(hours)h" }
    if hours > 0 || minutes > 0 { text += "\(minutes)m" }
    return text + decimalSeconds(milliseconds % 60_000) + "s"
}

/// Milliseconds as seconds, with as many decimals as needed: 1500 is `1.5`.
func decimalSeconds(_ milliseconds: Int64) -> String {
    let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1_000)
    guard rest > 0 else { return String(whole) }
    var digits = String(1_000 + rest).dropFirst()
    while digits.last == "0" { digits.removeLast() }
    return "\(whole).\(digits)"
}
