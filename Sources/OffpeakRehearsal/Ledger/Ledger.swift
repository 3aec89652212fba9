/// What the rehearsed provider saw: the ground truth that tests compare offpeak's own records with.
///
/// A request is *admitted* when it passed key, body and limits, so that a provider would have worked on it; it is
/// *answered* when a whole and sound 2xx answer went out.
package struct Ledger: Sendable {
    /// One key's or one pool's part.
    package struct Account: Sendable {
        package var name: String
        package var requests = 0
        package var answers = 0
        /// Refused for a limit, or by an injected 429.
        package var rejected429 = 0
        package var inputTokens = 0
        package var outputTokens = 0
        package var inFlight = 0
        package var peakConcurrent = 0
        var peaks: PeakWindow

        init(name: String, window: Int64) {
            self.name = name
            peaks = PeakWindow(window: window)
        }

        /// The most admitted requests in any stretch of the account's window, wherever it begins.
        package var peakInWindow: Int { peaks.peakCount }
        /// The most admitted tokens in any stretch of the account's window.
        package var peakTokensInWindow: Int { peaks.peakSum }

        mutating func admit(tokens: Int, at now: Int64) {
            peaks.add(tokens: tokens, at: now)
            inFlight += 1
            peakConcurrent = max(peakConcurrent, inFlight)
        }
    }

    /// One service tier's part: no prices, since those are between people and their provider.
    package struct Tier: Sendable {
        package var requests = 0
        package var refused = 0
        package var answers = 0
        package var inputTokens = 0
        package var outputTokens = 0
    }

    /// How often one body came.
    private struct Sightings {
        var received: UInt32 = 0
        var admitted: UInt32 = 0
        var answered: UInt32 = 0
        var duplicates: UInt32 = 0
    }

    package private(set) var requests = 0
    package private(set) var admitted = 0
    package private(set) var answers = 0
    /// 2xx answers that went out whole and are no sound answer, because a fault says so.
    package private(set) var spoiled = 0
    /// Exchanges that ended without a whole answer: cut, closed, or the client left.
    package private(set) var undelivered = 0
    package private(set) var inFlight = 0
    /// Whole answers by status.
    package private(set) var byStatus: [Int: Int] = [:]
    package var keys: [Account] = []
    /// Named pools only.
    package var pools: [Account] = []
    /// By the tier that served: `default`, `flex`.
    package private(set) var tiers: [String: Tier] = [:]
    /// Requests whose body had been answered before.
    package private(set) var duplicates = 0
    /// Microseconds since the start, or since the last reset.
    package private(set) var firstRequest: Int64?
    package private(set) var lastAnswer: Int64?
    package var connectionsPeak = 0

    private var bodies: [UInt64: Sightings] = [:]
    /// The bodies of duplicates in the order they first turned up; the first hundred.
    private var duplicateBodies: [UInt64] = []

    init() {}

    /// A request with this body came.
    mutating func receive(body: UInt64, key: Int, pool: Int?, at now: Int64) {
        requests += 1
        inFlight += 1
        keys[key].requests += 1
        if let pool { pools[pool].requests += 1 }
        if firstRequest == nil { firstRequest = now }
        var sightings = bodies[body] ?? Sightings()
        sightings.received += 1
        if sightings.answered > 0 {
            duplicates += 1
            if sightings.duplicates == 0, duplicateBodies.count < 100 { duplicateBodies.append(body) }
            sightings.duplicates += 1
        }
        bodies[body] = sightings
    }

    /// The request is served in a tier, or finds no room there.
    mutating func enter(tier: String, isRefused: Bool = false) {
        tiers[tier, default: Tier()].requests += 1
        if isRefused { tiers[tier, default: Tier()].refused += 1 }
    }

    /// The request passed everything; the provider works on it.
    mutating func admit(body: UInt64, key: Int, pool: Int?, tokens: Int, at now: Int64) {
        admitted += 1
        bodies[body]?.admitted += 1
        keys[key].admit(tokens: tokens, at: now)
        if let pool { pools[pool].admit(tokens: tokens, at: now) }
    }

    /// The exchange is over.
    mutating func end(_ flight: Flight, delivered: Bool, at now: Int64) {
        inFlight -= 1
        if flight.admitted {
            keys[flight.key].inFlight -= 1
            if let pool = flight.pool { pools[pool].inFlight -= 1 }
        }
        guard delivered else {
            undelivered += 1
            return
        }
        byStatus[flight.status, default: 0] += 1
        guard flight.status == 200 else { return }
        guard flight.sound else {
            spoiled += 1
            return
        }
        answers += 1
        lastAnswer = now
        bodies[flight.body]?.answered += 1
        credit(flight, to: &keys[flight.key])
        tiers[flight.tier, default: Tier()].answers += 1
        tiers[flight.tier, default: Tier()].inputTokens += flight.inputTokens
        tiers[flight.tier, default: Tier()].outputTokens += flight.outputTokens
        if let pool = flight.pool { credit(flight, to: &pools[pool]) }
    }

    private func credit(_ flight: Flight, to account: inout Account) {
        account.answers += 1
        account.inputTokens += flight.inputTokens
        account.outputTokens += flight.outputTokens
    }

    /// Bodies that came more than once: by how many times too often, how many bodies. `admittedOnly` leaves out the times
    /// that a body was refused.
    package func repeats(admittedOnly: Bool) -> [Int: Int] {
        var counts: [Int: Int] = [:]
        for sightings in bodies.values {
            let times = Int(admittedOnly ? sightings.admitted : sightings.received)
            if times > 1 { counts[times - 1, default: 0] += 1 }
        }
        return counts
    }

    /// Up to a hundred bodies that came again after they had been answered, with how many times they did.
    package var duplicated: [(body: UInt64, times: Int)] {
        duplicateBodies.map { ($0, Int(bodies[$0]?.duplicates ?? 0)) }
    }
}

/// An exchange between its request and its end.
struct Flight: Sendable {
    var key: Int
    /// The pool's place in the ledger, if it has a name.
    var pool: Int?
    var body: UInt64
    var admitted = false
    var status = 0
    /// A whole 2xx answer under this flight is a real one.
    var sound = true
    var tier = "default"
    var inputTokens = 0
    var outputTokens = 0
}
