/// Which key a request comes with, and the limits it is held to. Keys that the profile does not name get a place when
/// they first appear; keys of one pool share a limiter.
struct KeyRegistry: Sendable {
    /// One key that has been seen or is named in the profile.
    struct Entry: Sendable {
        var profile: KeyProfile
        /// The place of its limiter.
        var limiter: Int
        /// The place of its pool in the ledger, if it has one.
        var pool: Int?
        /// Whether the profile lets it in at all.
        var known: Bool
        var revoked = false
    }

    private let others: KeyProfile?
    private var byText: [String: Int] = [:]
    private var limiterOfPool: [String: (limiter: Int, pool: Int)] = [:]
    private var unknown = 0
    private(set) var entries: [Entry] = []
    var limiters: [Limiter] = []

    init(profile: RehearsalProfile, ledger: inout Ledger) {
        others = profile.otherKeys
        for key in profile.keys { add(key, text: key.text, known: true, to: &ledger) }
    }

    /// The place of the key with this text, new if need be; an empty text stands for none at all.
    mutating func find(_ text: String, ledger: inout Ledger) -> Int {
        if let place = byText[text] { return place }
        var profile = others ?? KeyProfile()
        profile.text = text
        if text.isEmpty {
            profile.name = "no-key"
        } else {
            unknown += 1
            profile.name = "unknown-\(unknown)"
        }
        add(profile, text: text, known: others != nil, to: &ledger)
        return entries.count - 1
    }

    mutating func revoke(_ place: Int) { entries[place].revoked = true }

    private mutating func add(_ profile: KeyProfile, text: String, known: Bool, to ledger: inout Ledger) {
        let shared = profile.pool.flatMap { limiterOfPool[$0] }
        let limiter = shared?.limiter ?? limiters.count
        var pool = shared?.pool
        if shared == nil {
            limiters.append(Limiter(profile.limits))
            if let name = profile.pool {
                ledger.pools.append(Ledger.Account(name: name, window: profile.limits.window))
                pool = ledger.pools.count - 1
                limiterOfPool[name] = (limiter, ledger.pools.count - 1)
            }
        }
        byText[text] = entries.count
        entries.append(Entry(profile: profile, limiter: limiter, pool: pool, known: known))
        ledger.keys.append(Ledger.Account(name: profile.name, window: profile.limits.window))
    }
}
