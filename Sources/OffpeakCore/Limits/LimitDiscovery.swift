/// Finds a server's request limit from what it accepts and refuses, where nobody has told it, or told it too high.
///
/// A refusal means that the server had nothing left at that moment. After one, single requests try until the server
/// accepts again. What had been accepted before, and when it came back, tells the limit: so many per so long (`window`).
/// If the server then refuses although such a window would have room, its room comes back drop by drop instead, and what
/// it accepted between two refusals, when it had nothing, is its rate (`pace`).
package struct LimitDiscovery: Sendable {
    /// Window lengths that servers use, in seconds.
    static let usualSeconds: [Int64] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600]
    /// Trials come this much after a window's end, in milliseconds.
    private static let trialDelay: Int64 = 100
    /// So many refusals in a row are taken for a limit that is somewhat lower than thought; after that it is another one.
    private static let patience = 3

    /// The limit over a time, if that is how the server counts.
    package private(set) var window: SlidingWindow?
    /// The rate, if room comes back evenly.
    package private(set) var pace: Pace?
    /// The first refusal of the present block; nil when the server accepts.
    package private(set) var blockedSince: Timestamp?
    /// The first send of the traffic that led to the block.
    private var trafficSince = Timestamp.distantPast
    /// Sequence numbers from here on were sent after the last reaction.
    private var reactedThrough = 0
    /// Refusals since something was accepted that was sent after the one before.
    private var refusedInARow = 0
    /// A moment when the server had nothing left, and what it accepted of what was sent later.
    private var emptied: (at: Timestamp, accepted: Int)?
    /// A limit that was found is tried a little higher after a time without refusals; by how much, in thousandths.
    private var growth = LimitDiscovery.boldGrowth
    /// The requests that were under way at the last refusal that was reacted to.
    private var round: Round?
    /// What the window allowed before it was last raised.
    private var sureLimit = Int.max
    /// A second refusal came where the first had shown the limit to be: no stray one made us believe in it.
    private var isConfirmed = false
    private var cleanSince: Timestamp?
    /// The limit was in use up to its end since it was last raised.
    private var wasFull = false
    /// A block came after so few requests that it may have had nothing to do with their number.
    private var wasAtOnce = false

    /// What becomes of the requests that were sent after a refused one and before the refusal was known. A server that has
    /// nothing left refuses them, too: if it accepts them, that one refusal had nothing to do with a limit.
    private struct Round: Sendable {
        let refused: Int
        let through: Int
        var othersRefused = 0
        var othersAccepted = 0
        /// What was known before it.
        let window: SlidingWindow?
        let pace: Pace?
        let sureLimit: Int
        let growth: Int
        let isConfirmed: Bool

        var isStray: Bool { othersAccepted >= 3 && othersAccepted > othersRefused }
    }

    /// What an accepted request changed.
    enum Change { case nothing, found, stray }

    private static let boldGrowth = 1_000
    private static let carefulGrowth = 125
    private static let leastGrowth = 16
    private static let mostGrowth = 250
    /// After so many accepted requests a rate is exact enough to be measured anew.
    private static let exactEnough = 64
    /// Fewer accepted requests before a block tell nothing, unless it happens again.
    private static let leastEvidence = 5

    package init() {}

    // MARK: Asking

    /// When one more request fits what is known; nil: now. Windows must be expired.
    func freeAt(_ now: Timestamp, in log: SendLog) -> Timestamp? {
        pace?.freeAt(now) ?? window?.freeAt(1, limit: window!.limit, in: log)
    }

    /// The same for a request that would go now: that one has to wait is remembered.
    mutating func room(at now: Timestamp, in log: SendLog) -> Timestamp? {
        let free = freeAt(now, in: log)
        if free != nil { wasFull = true }
        return free
    }

    /// More was sent than the server is known to take: what comes now is a trial.
    var isExploring: Bool { window.map { $0.used >= sureLimit } ?? false }

    /// What was found, for people: so many requests per so long.
    var finding: (requests: Int, per: Interval)? { pace?.rate ?? window.map { ($0.limit, $0.length) } }

    // MARK: What is sent

    mutating func sent(_ entry: SendLog.Entry, at now: Timestamp) {
        window?.appended(entry)
        if let known = pace, known.isIdle(for: .seconds(10), at: now) { emptied = nil }
        pace?.sent(at: now)
    }

    mutating func changed(_ sequence: Int, from old: SendLog.Entry, to new: SendLog.Entry) {
        window?.changed(sequence, from: old, to: new)
    }

    mutating func recalled(_ entry: SendLog.Entry) { window?.appended(entry) }

    /// What an earlier run had found.
    mutating func recall(requests: Int, per length: Interval, log: SendLog) {
        window = SlidingWindow(.requests, limit: requests, length: length, over: log)
    }

    mutating func expire(_ log: SendLog, at now: Timestamp) { window?.expire(log, at: now) }

    // MARK: What comes back

    /// A request was refused; its entry in the log counts nothing any more. Returns when the next single
    /// request may try, if the server did not say; nil when what is known now tells that, too.
    mutating func refused(sequence: Int, nextSequence: Int, log: SendLog, at now: Timestamp) -> Timestamp? {
        cleanSince = nil
        guard sequence >= reactedThrough else {
            // Of a round that was reacted to: it only tells that the server is still empty.
            if pace == nil, emptied?.accepted == 0 { emptied = (now, 0) }
            if let under = round, sequence > under.refused { round!.othersRefused += 1 }
            return nil
        }
        reactedThrough = nextSequence
        round = Round(
            refused: sequence, through: nextSequence, window: window, pace: pace, sureLimit: sureLimit, growth: growth,
            isConfirmed: isConfirmed)
        refusedInARow += 1
        if isConfirmed { growth = max(growth / 2, Self.leastGrowth) }
        wasFull = false
        if let known = pace, refusedInARow <= Self.patience {
            slow(known, at: now)
            return nil
        }
        if var known = window, blockedSince == nil {
            let counted = known.used
            if !isConfirmed { (isConfirmed, growth) = (true, Self.carefulGrowth) }
            if counted * 10 < min(known.limit, sureLimit) * 9, let emptied, emptied.accepted > 0 {
                spread(emptied.accepted + 1, over: now - emptied.at, at: now)
                return nil
            }
            if refusedInARow <= Self.patience, counted > 0 {
                known.limit = min(known.limit, counted)
                window = known
                emptied = (now, 0)
                return nil
            }
        }
        pace = nil
        return block(log, at: now)
    }

    /// The server gives room back evenly.
    private mutating func spread(_ requests: Int, over length: Interval, at now: Timestamp) {
        window = nil
        blockedSince = nil
        growth = Self.leastGrowth
        var pace = Pace(requests: requests, per: max(length, .milliseconds(1)))
        pace.rest(until: now + pace.step)
        self.pace = pace
    }

    /// The rate is somewhat lower than thought.
    private mutating func slow(_ known: Pace, at now: Timestamp) {
        var pace = known
        if let emptied, emptied.accepted >= 4, now > emptied.at {
            pace.slow(to: emptied.accepted + 1, per: now - emptied.at, floor: 500)
            if emptied.accepted >= Self.exactEnough { self.emptied = (now, 0) }
        } else {
            pace.scale(thousandths: 800)
            if emptied == nil { emptied = (now, 0) }
        }
        pace.rest(until: now + pace.step * (1 << Int64(refusedInARow - 1)))
        self.pace = pace
    }

    private mutating func block(_ log: SendLog, at now: Timestamp) -> Timestamp {
        if blockedSince == nil {
            blockedSince = now
            emptied = (now, 0)
            var oldest = log.first
            while oldest < log.end, log[oldest].requests == 0 { oldest += 1 }
            trafficSince = oldest < log.end ? min(log[oldest].countedAt, now) : now
        }
        // The ends of the usual windows, whether they began with the traffic or with the refusal.
        return [trafficSince, blockedSince!].compactMap { start in
            let passed = (now - start).milliseconds
            let end = Self.usualSeconds.first { $0 * 1_000 + Self.trialDelay > passed + 200 }
            return end.map { start + .milliseconds($0 * 1_000 + Self.trialDelay) }
        }.min() ?? now + .minutes(10)
    }

    /// A request was accepted.
    mutating func accepted(_ sequence: Int, sentAt sent: Timestamp, log: SendLog, at now: Timestamp) -> Change {
        if let under = round, sequence > under.refused, sequence < under.through {
            round!.othersAccepted += 1
            if round!.isStray {
                forgetRound(log, at: now)
                return .stray
            }
        }
        if let moment = emptied?.at, sent > moment {
            emptied!.accepted += 1
            refusedInARow = 0
        }
        guard let since = blockedSince, sent > since else { return grow(at: now) ? .found : .nothing }
        round = nil
        blockedSince = nil
        cleanSince = now
        let found = limit(blockedSince: since, acceptedAt: sent, log: log)
        let isWeak = found.limit < Self.leastEvidence && window == nil && !wasAtOnce
        wasAtOnce = isWeak
        if isWeak { return .nothing }
        (window, sureLimit) = (found, found.limit)
        window?.expire(log, at: now)
        return .found
    }

    /// The last refusal was a stray one: all is as it was before it.
    private mutating func forgetRound(_ log: SendLog, at now: Timestamp) {
        guard let before = round else { return }
        round = nil
        // The window's limit is from before; what it holds is counted anew.
        window = before.window.map { SlidingWindow(.requests, limit: $0.limit, length: $0.length, over: log) }
        window?.expire(log, at: now)
        pace = before.pace
        (sureLimit, growth, isConfirmed) = (before.sureLimit, before.growth, before.isConfirmed)
        (blockedSince, emptied, refusedInARow) = (nil, nil, 0)
    }

    /// The limit that follows from a block and from the request that was accepted after it.
    private func limit(blockedSince since: Timestamp, acceptedAt sent: Timestamp, log: SendLog) -> SlidingWindow {
        let span: Interval
        if let known = window, known.length >= sent - since {
            // The known window was too short or too generous: the next longer one, unless it was kept exactly.
            let counted = known.counted(before: since, length: known.length, in: log)
            span =
                counted * 10 >= known.limit * 9
                ? known.length : known.length + .milliseconds(known.length.milliseconds / 4)
        } else {
            span = max(sent - since, (sent - trafficSince) < .minutes(2) ? sent - trafficSince : .zero)
        }
        let length = Self.usualLength(atLeast: span)
        let probe = SlidingWindow(.requests, limit: 1, length: length, over: log)
        // Requests in flight at the first refusal were accepted after it and belong to the same window; between the block
        // and this probe nothing else was.
        let end = sent - .milliseconds(1)
        let count = probe.counted(before: end, length: length + (end - since), in: log)
        return SlidingWindow(.requests, limit: max(1, count), length: length, over: log)
    }

    /// A window that fits what was seen: the smallest usual one.
    static func usualLength(atLeast length: Interval) -> Interval {
        // A tenth is allowed for, since a trial or a rounded retry-after comes somewhat late.
        let needed = length.milliseconds * 9 / 10
        let fit = usualSeconds.first { $0 * 1_000 >= needed }
        return .seconds(fit ?? usualSeconds[usualSeconds.count - 1])
    }

    // MARK: Trying for more

    /// After a while without refusals in which the limit was in use entirely, a little more is tried: each success doubles
    /// the next step, each refusal halves it. A limit that only one refusal speaks for is doubled: it may be none.
    private mutating func grow(at now: Timestamp) -> Bool {
        guard let since = cleanSince else {
            cleanSince = now
            return false
        }
        guard let finding, wasFull, refusedInARow == 0 else { return false }
        let wait = isConfirmed ? max(.seconds(10), finding.per * 3) : max(.seconds(1), finding.per)
        guard now - since >= wait else { return false }
        cleanSince = now
        wasFull = false
        pace?.scale(thousandths: 1_000 + growth)
        if let known = window {
            sureLimit = known.limit
            window!.limit = known.limit + max(1, known.limit * growth / 1_000)
        }
        if isConfirmed { growth = min(growth * 2, Self.mostGrowth) }
        return true
    }

    /// Forgets what was found once it allows as much as was configured anyway.
    mutating func forget(above configured: Int?) {
        guard let configured, let finding, finding.per <= .minutes(1) else { return }
        guard finding.requests * 60_000 >= configured * Int(finding.per.milliseconds) else { return }
        window = nil
        pace = nil
        (growth, isConfirmed) = (Self.boldGrowth, false)
    }
}
