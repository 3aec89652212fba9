/// Why a key or pool takes no more right now.
package enum Shortage: Sendable, Equatable {
    case requestsPerMinute(Int)
    case tokensPerMinute(Int)
    case requestsPerDay(Int)
    case tokensPerDay(Int)
    case concurrent(Int)
    /// The server's own limit, as learned from it.
    case learned(requests: Int, per: Interval)
    /// The server's headers say that nothing is left.
    case serverSaysFull
    /// The server said to wait.
    case cooling
    /// It refused for its limit without saying for how long.
    case backingOff

    /// Over with the calendar day, not with the minute.
    package var isDaily: Bool {
        switch self {
        case .requestsPerDay, .tokensPerDay: true
        default: false
        }
    }

    /// A smaller request may still fit.
    package var isOfTokens: Bool {
        switch self {
        case .tokensPerMinute, .tokensPerDay, .serverSaysFull: true
        default: false
        }
    }

    /// Why a key is blocked, as it was remembered.
    package static func ofBlock(_ reason: String) -> Shortage {
        reason == Self.backingOff.text ? .backingOff : .cooling
    }

    /// For people, in the words of `status` and `explain`.
    package var text: String {
        switch self {
        case .requestsPerMinute(let n): "its limit of \(n.of("request")) a minute is in use"
        case .tokensPerMinute(let n): "its limit of \(n.of("token")) a minute is in use"
        case .requestsPerDay(let n): "its limit of \(n.of("request")) a day is used up"
        case .tokensPerDay(let n): "its limit of \(n.of("token")) a day is used up"
        case .concurrent(let n): "\(n.of("request")) \(n == 1 ? "is" : "are") in flight, as many as it may have"
        case .learned(let n, let per):
            "the server was found to allow \(n.of("request")) per \(per.milliseconds / 1_000) s, all in use"
        case .serverSaysFull: "the server says that nothing is left of its limit"
        case .cooling: "the server asked to wait"
        case .backingOff: "the server refused for its limit and named no time, so a while is waited"
        }
    }
}

/// Whether a send fits.
package enum Room: Sendable, Equatable {
    case free
    /// Not now; `until` is when it will, or nil when that depends on answers.
    case none(Shortage, until: Timestamp?)
}

/// All limits of one key or one pool at once. A send is reserved before it leaves and settled with its answer.
package struct AccountLimiter: Sendable {
    let limits: Limits
    private(set) var log = SendLog()
    var requestWindow: SlidingWindow?
    var tokenWindow: SlidingWindow?
    /// What was found out about the server, on top of what was configured.
    var discovery = LimitDiscovery()
    private(set) var concurrency: ConcurrencyWindow
    private(set) var inFlight = 0
    /// Requests and tokens of the current calendar day.
    private(set) var dayRequests = 0
    private(set) var dayTokens = 0
    var dayEnds = Timestamp.distantFuture
    /// No sends before this moment.
    private(set) var blockedUntil = Timestamp.distantPast
    /// Why: the server's wish or our own choice.
    package private(set) var block = Shortage.cooling
    /// When the next single request tries whether the server accepts again, if it did not say.
    private var trial = Timestamp.distantPast
    /// After a block without a known end, one request at a time until one is accepted.
    private(set) var isProbing = false
    /// After a block, how many may be in flight: it doubles with each round of answers, so that a server which has little
    /// room again is not overrun.
    private var ramp: Int?
    /// The fraction of the configured limits in use, in thousandths: less after refusals that should not have come.
    private(set) var useOfLimit = 1_000
    private var lastTightened = 0
    private var cleanSince: Timestamp?
    private var requestAuthority = ServerAuthority()
    private var tokenAuthority = ServerAuthority()
    private var tokensSent = 0
    /// Set when something changed that must survive a restart.
    private(set) var hasNews = false
    let limitModel: LimitModel
    let margin: Interval

    /// Until its answer comes, a request may be counted by the server this long after it was sent.
    package static let wayThere = Interval.milliseconds(500)

    /// `isCareful`: nothing is known of the account's limits, so it feels its way. A pool has no concurrency of its own
    /// unless it was given one.
    package init(limits: Limits, limitModel: LimitModel, isPool: Bool, isCareful: Bool) {
        self.limits = limits
        self.limitModel = limitModel
        margin = Self.wayThere
        concurrency = ConcurrencyWindow(
            configured: limits.concurrent ?? (isPool ? .max : nil), isCareful: isCareful)
        if let rpm = limits.rpm {
            let (limit, length) = limitModel == .slices ? Self.slice(rpm) : (rpm, .minutes(1))
            requestWindow = SlidingWindow(.requests, limit: limit, length: length, over: log)
        }
        if let tpm = limits.tpm {
            tokenWindow = SlidingWindow(.tokens, limit: tpm, length: .minutes(1), over: log)
        }
    }

    /// A per-minute limit as even steps: so many a second, or one in so many milliseconds.
    static func slice(_ perMinute: Int) -> (Int, Interval) {
        perMinute >= 60 ? (perMinute / 60, .seconds(1)) : (1, .milliseconds(Int64(60_000 / max(1, perMinute)) + 1))
    }

    // MARK: Asking

    /// Whether one more request with these tokens fits now.
    package mutating func room(tokens: Int, at now: Timestamp) -> Room {
        if blockedUntil > now { return .none(block, until: blockedUntil) }
        let allowed = isProbing ? 1 : min(ramp ?? .max, concurrency.allowed)
        if inFlight >= allowed { return .none(.concurrent(allowed), until: nil) }
        if let shortage = dayShortage(tokens: tokens) { return .none(shortage, until: dayEnds) }
        expire(at: now)
        var until: Timestamp?
        var why: Shortage?
        func check(_ window: SlidingWindow?, _ amount: Int, _ limit: Int, _ shortage: (Int) -> Shortage) {
            guard let window, let free = window.freeAt(amount, limit: limit, in: log) else { return }
            if until == nil || free > until! { (until, why) = (free, shortage(limit)) }
        }
        check(requestWindow, 1, inUse(of: requestWindow?.limit ?? 0)) { .requestsPerMinute(limits.rpm ?? $0) }
        check(tokenWindow, tokens, inUse(of: tokenWindow?.limit ?? 0)) { .tokensPerMinute($0) }
        if let found = discovery.room(at: now, in: log), found > until ?? .distantPast, let limit = discovery.finding {
            (until, why) = (found, .learned(requests: limit.requests, per: limit.per))
        }
        if let why { return .none(why, until: until) }
        // A trial with all that may be in flight would have all of it refused.
        if discovery.isExploring, inFlight >= max(4, allowed / 8) { return .none(.concurrent(inFlight), until: nil) }
        if let wait = authorityWait(tokens: tokens, at: now) { return .none(.serverSaysFull, until: wait) }
        return .free
    }

    /// Until when the server has no room for one more request with so many tokens, by its own words or by what was found out
    /// about it; nil when it has.
    mutating func fullByServer(tokens: Int, at now: Timestamp) -> (shortage: Shortage, until: Timestamp)? {
        // What our own windows forget only adds room.
        guard authorityWait(tokens: tokens, at: now) != nil || discovery.freeAt(now, in: log) != nil else { return nil }
        expire(at: now)
        let told = authorityWait(tokens: tokens, at: now)
        if let found = discovery.freeAt(now, in: log), found > told ?? .distantPast, let limit = discovery.finding {
            return (.learned(requests: limit.requests, per: limit.per), found)
        }
        return told.map { (.serverSaysFull, $0) }
    }

    private func authorityWait(tokens: Int, at now: Timestamp) -> Timestamp? {
        requestAuthority.wait(sent: log.end, amount: 1, nextExpiry: minuteWindow?.nextExpiry(in: log), at: now)
            ?? tokenAuthority.wait(
                sent: tokensSent, amount: tokens, nextExpiry: tokenWindow?.nextExpiry(in: log), at: now)
    }

    func inUse(of limit: Int) -> Int { max(1, limit * useOfLimit / 1_000) }

    /// What of the calendar day's limits is used up for a request with so many tokens.
    func dayShortage(tokens: Int) -> Shortage? {
        if let rpd = limits.rpd, dayRequests + 1 > rpd { return .requestsPerDay(rpd) }
        if let tpd = limits.tpd, dayTokens + tokens > tpd, dayTokens > 0 || tokens <= tpd { return .tokensPerDay(tpd) }
        return nil
    }

    /// The request window, unless it is a slice of a minute: servers' headers speak of minutes.
    private var minuteWindow: SlidingWindow? { limitModel == .slices ? nil : requestWindow }

    private mutating func expire(at now: Timestamp) {
        let requests = requestWindow?.expire(log, at: now) ?? 0
        if minuteWindow != nil { requestAuthority.expired(requests) }
        tokenAuthority.expired(tokenWindow?.expire(log, at: now) ?? 0)
        discovery.expire(log, at: now)
        if log.end - log.first > 1_024 || log.first < log.end { forget(at: now) }
        if let since = cleanSince, now - since >= .minutes(1) { loosen(at: now) }
    }

    /// Drops what no window counts any more; without windows, keeps ten minutes for finding an unknown limit.
    private mutating func forget(at now: Timestamp) {
        var keep = log.end
        for window in [requestWindow, tokenWindow, discovery.window] { if let window { keep = min(keep, window.head) } }
        if requestWindow == nil && discovery.window == nil {
            keep = max(log.first, log.end - 20_000)
            while keep < log.end, log[keep].countedAt + .minutes(10) <= now { keep += 1 }
            if let tokenWindow { keep = min(keep, tokenWindow.head) }
        }
        log.drop(before: keep)
    }

    // MARK: Sending and settling

    /// Takes the room for one request. Returns its sequence number, for `settle`.
    package mutating func reserve(tokens: Int, at now: Timestamp) -> Int {
        let entry = SendLog.Entry(countedAt: now + margin, requests: 1, tokens: tokens)
        let sequence = log.append(entry)
        requestWindow?.appended(entry)
        tokenWindow?.appended(entry)
        discovery.sent(entry, at: now)
        inFlight += 1
        dayRequests += 1
        dayTokens += tokens
        tokensSent += tokens
        return sequence
    }

    /// The request never left: it is as if it had not been reserved.
    package mutating func release(_ sequence: Int, tokens: Int, tokensThrough: Int) {
        requestAuthority.release(1, through: sequence + 1)
        tokenAuthority.release(tokens, through: tokensThrough)
        change(sequence) {
            $0.requests = 0; $0.tokens = 0
        }
        inFlight -= 1
        dayRequests -= 1
        dayTokens -= tokens
    }

    /// An answer came, or the request ended otherwise, and the server counted it with these tokens (nil: keep what was
    /// reserved).
    package mutating func settle(
        _ sequence: Int, sentAt sent: Timestamp, reserved: Int, tokens: Int?, latency: Interval?, at now: Timestamp
    ) {
        let wasFull = inFlight >= concurrency.allowed
        change(sequence) {
            $0.countedAt = min($0.countedAt, now)
            $0.tokens = tokens ?? $0.tokens
        }
        inFlight -= 1
        if let tokens { dayTokens += tokens - reserved }
        if let latency { concurrency.answered(after: latency, wasFull: wasFull) }
    }

    /// The server accepted a request: it is past any block.
    package mutating func accepted(_ sequence: Int, sentAt sent: Timestamp, at now: Timestamp) {
        if isProbing && sent >= blockedUntil {
            isProbing = false
            ramp = 2
        } else if let allowed = ramp {
            ramp = allowed + 1 < concurrency.allowed ? allowed + 1 : nil
        }
        if cleanSince == nil { cleanSince = now }
        switch discovery.accepted(sequence, sentAt: sent, log: log, at: now) {
        case .nothing: break
        case .found:
            discovery.forget(above: limits.rpm)
            hasNews = true
        case .stray:
            if blockedUntil == trial { blockedUntil = now }
            (isProbing, ramp, hasNews) = (blockedUntil > now, nil, true)
        }
    }

    /// The server refused a request for a rate limit, and does not count it.
    package mutating func refused(_ sequence: Int, reserved: Int, retryAfter: Interval?, at now: Timestamp) {
        change(sequence) {
            $0.requests = 0; $0.tokens = 0
        }
        inFlight -= 1
        dayRequests -= 1
        dayTokens -= reserved
        cleanSince = nil
        hasNews = true
        if let retryAfter {
            block(until: now + retryAfter + .milliseconds(20))
            isProbing = true
        }
        let isNews = sequence >= lastTightened
        if isNews { lastTightened = log.end }
        if isAsConfigured {
            // The limit is somewhat lower than we were told, or its windows begin at other moments.
            guard isNews else { return }
            useOfLimit = max(50, useOfLimit * 9 / 10)
            if retryAfter == nil {
                block(until: now + .seconds(1), for: .backingOff)
                isProbing = true
            }
        } else if let trial = discovery.refused(sequence: sequence, nextSequence: log.end, log: log, at: now),
            retryAfter == nil
        {
            block(until: trial, for: .backingOff)
            self.trial = trial
            isProbing = true
        }
    }

    /// Whether a refusal fits the configured limits, since one of them is nearly used up.
    private var isAsConfigured: Bool {
        for window in [requestWindow, tokenWindow] {
            if let window, window.used * 10 >= inUse(of: window.limit) * 8 { return true }
        }
        return false
    }

    /// After each clean minute a hundredth more.
    private mutating func loosen(at now: Timestamp) {
        cleanSince = now
        guard useOfLimit < 1_000 else { return }
        useOfLimit = min(1_000, useOfLimit + 10)
        hasNews = true
    }

    package mutating func block(until moment: Timestamp, for reason: Shortage = .cooling) {
        if moment > blockedUntil {
            (blockedUntil, block) = (moment, reason)
            hasNews = true
        }
    }

    /// Something else about the key must be remembered too.
    package mutating func markNews() { hasNews = true }

    package mutating func shrinkConcurrency(_ sequence: Int) {
        guard sequence >= lastTightened else { return }
        lastTightened = log.end
        concurrency.shrink()
    }

    /// What the headers of the answer to a request said.
    package mutating func heard(_ feedback: RateFeedback, sequence: Int, tokensSentThrough: Int, at now: Timestamp) {
        // What has left the windows by now is in what the server says.
        expire(at: now)
        requestAuthority.hear(feedback.requests, sent: sequence + 1, at: now)
        tokenAuthority.hear(feedback.tokens, sent: tokensSentThrough, at: now)
    }

    /// All tokens ever reserved; remembered with each request for `heard`.
    package var tokensSentSoFar: Int { tokensSent }

    private mutating func change(_ sequence: Int, _ edit: (inout SendLog.Entry) -> Void) {
        guard sequence >= log.first else { return }
        let old = log[sequence]
        edit(&log[sequence])
        let new = log[sequence]
        requestWindow?.changed(sequence, from: old, to: new)
        tokenWindow?.changed(sequence, from: old, to: new)
        discovery.changed(sequence, from: old, to: new)
    }

    // MARK: Days and restarts

    /// The calendar day: what it used so far, and when it ends.
    package mutating func startDay(requests: Int, tokens: Int, ends: Timestamp) {
        dayRequests = requests
        dayTokens = tokens
        dayEnds = ends
    }

    /// A request that an earlier run sent: it counts against the windows, not against the day (which is stored).
    package mutating func recall(countedAt: Timestamp, tokens: Int) {
        let entry = SendLog.Entry(countedAt: countedAt, requests: 1, tokens: tokens)
        _ = log.append(entry)
        requestWindow?.appended(entry)
        tokenWindow?.appended(entry)
        discovery.recalled(entry)
    }

    /// What an earlier run learned.
    package mutating func recall(_ memory: KeyMemory) {
        if let blocked = memory.blockedUntil, blocked > blockedUntil {
            (blockedUntil, block) = (blocked, Shortage.ofBlock(memory.reason))
        }
        useOfLimit = min(1_000, max(50, memory.useOfLimit))
        if let requests = memory.learnedRequests, let length = memory.learnedWindow {
            discovery.recall(requests: requests, per: length, log: log)
        }
    }

    /// What to remember over a restart; nil when nothing changed since the last call.
    package mutating func takeNews() -> (blockedUntil: Timestamp, learned: (Int, Interval)?, useOfLimit: Int)? {
        guard hasNews else { return nil }
        hasNews = false
        return (blockedUntil, discovery.finding.map { ($0.requests, $0.per) }, useOfLimit)
    }
}
