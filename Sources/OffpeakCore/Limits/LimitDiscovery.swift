/// Finds a server's request limit from its refusals, for a key that was given none.
///
/// At the first refusal the key stops and learns when the server accepts again: from its `retry-after`, or by single
/// probes at the ends of the usual windows. From what had been accepted by then follows "so many per so long".
package struct LimitDiscovery: Sendable {
    /// Window lengths that servers use, in seconds.
    static let usualSeconds: [Int64] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600]

    /// The first refusal of the present block, nil when not blocked.
    package private(set) var blockedSince: Timestamp?
    /// The first send of the traffic that led to the block.
    private var trafficSince = Timestamp.distantPast
    /// Sequence numbers from here on were sent after the last reaction.
    private var reactedThrough = 0

    package init() {}

    /// A window that fits what was seen: the smallest usual one.
    static func usualLength(atLeast length: Interval) -> Interval {
        // A tenth is allowed for, since a probe or a rounded retry-after comes somewhat late.
        let needed = length.milliseconds * 9 / 10
        let fit = usualSeconds.first { $0 * 1_000 >= needed }
        return .seconds(fit ?? usualSeconds[usualSeconds.count - 1])
    }

    /// A request was refused. Returns when the next single one may try, if the server did not say.
    mutating func refused(sequence: Int, nextSequence: Int, log: SendLog, at now: Timestamp) -> Timestamp {
        if blockedSince == nil {
            blockedSince = now
            var oldest = log.first
            while oldest < log.end, log[oldest].requests == 0 { oldest += 1 }
            trafficSince = oldest < log.end ? min(log[oldest].countedAt, now) : now
        }
        reactedThrough = nextSequence
        let passed = (now - trafficSince).milliseconds
        let next = Self.usualSeconds.first { $0 * 1_000 + Self.probeDelay > passed + 200 }
        return next.map { trafficSince + .milliseconds($0 * 1_000 + Self.probeDelay) } ?? now + .minutes(10)
    }

    /// Probes come this much after a window's end, in milliseconds.
    private static let probeDelay: Int64 = 100

    /// Whether a refusal of this request is news, or belongs to a round that was reacted to.
    func isNews(_ sequence: Int) -> Bool { sequence >= reactedThrough }

    /// A request was accepted after a block: returns the limit that follows from it.
    mutating func accepted(sentAt sent: Timestamp, log: SendLog, known: SlidingWindow?) -> SlidingWindow? {
        guard let since = blockedSince, sent > since else { return nil }
        blockedSince = nil
        let span: Interval
        if let known, known.length >= sent - since {
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
}
