/// The sends of one key or pool, in order, for as long as some window still counts them.
///
/// A log and not a bucket, because only a log uses the whole of a sliding limit without ever passing it: a full bucket
/// that refills lets through almost twice the limit in its first window.
package struct SendLog: Sendable {
    package struct Entry: Sendable {
        /// The latest moment at which the server can have counted the request: its answer's arrival, or, while there
        /// is none, its sending plus the margin for the way there.
        var countedAt: Timestamp
        /// 1, or 0 once the server has refused to count it.
        var requests: Int
        var tokens: Int
    }

    private var entries: [Entry] = []
    private var start = 0
    /// The sequence number of the oldest entry kept.
    private(set) var first = 0

    /// The sequence number that the next entry gets.
    var end: Int { first + entries.count - start }

    mutating func append(_ entry: Entry) -> Int {
        entries.append(entry)
        return end - 1
    }

    subscript(sequence: Int) -> Entry {
        get { entries[start + sequence - first] }
        set { entries[start + sequence - first] = newValue }
    }

    /// Forgets everything before a sequence number.
    mutating func drop(before sequence: Int) {
        let count = min(max(0, sequence - first), entries.count - start)
        start += count
        first += count
        // Shifting an array costs its length, so it is done seldom enough to be free on average.
        if start > 1_024 && start * 2 > entries.count {
            entries.removeFirst(start)
            start = 0
        }
    }
}

/// A limit over any stretch of time of one length, measured on a `SendLog`.
package struct SlidingWindow: Sendable {
    package enum Measure: Sendable { case requests, tokens }

    let measure: Measure
    /// Allowed in the window.
    var limit: Int
    let length: Interval
    /// The first entry that still counts.
    private(set) var head: Int
    /// What the entries from `head` on add up to.
    private(set) var used = 0

    /// Added to the window's length: clocks count in whole milliseconds, and a server may round up.
    static let slack = Interval.milliseconds(5)

    init(_ measure: Measure, limit: Int, length: Interval, over log: SendLog) {
        self.measure = measure
        self.limit = limit
        self.length = length
        head = log.first
        for sequence in log.first..<log.end { used += weight(log[sequence]) }
    }

    func weight(_ entry: SendLog.Entry) -> Int { measure == .requests ? entry.requests : entry.tokens }

    /// Returns how much the window no longer counts.
    @discardableResult
    mutating func expire(_ log: SendLog, at now: Timestamp) -> Int {
        let before = used
        while head < log.end, log[head].countedAt + length + Self.slack <= now {
            used -= weight(log[head])
            head += 1
        }
        return before - used
    }

    /// When the window next counts less.
    func nextExpiry(in log: SendLog) -> Timestamp? {
        head < log.end ? log[head].countedAt + length + Self.slack : nil
    }

    mutating func appended(_ entry: SendLog.Entry) { used += weight(entry) }

    /// An entry's weights changed; call with both versions.
    mutating func changed(_ sequence: Int, from old: SendLog.Entry, to new: SendLog.Entry) {
        if sequence >= head { used += weight(new) - weight(old) }
    }

    /// When `amount` more will fit under `limit`, which must be after `expire`; nil when it fits now. An amount larger
    /// than the whole limit fits once the window is empty: the server decides about it then, alone.
    func freeAt(_ amount: Int, limit: Int, in log: SendLog) -> Timestamp? {
        if used + amount <= limit || used == 0 { return nil }
        var left = used
        var sequence = head
        // Entries leave in their order, so one that was counted early waits for those before it.
        var counted = Timestamp.distantPast
        while sequence < log.end {
            let entry = log[sequence]
            left -= weight(entry)
            counted = max(counted, entry.countedAt)
            if left + amount <= limit || left == 0 { return counted + length + Self.slack }
            sequence += 1
        }
        return nil
    }

    /// How much of what is counted now leaves the window by a moment.
    func freed(by moment: Timestamp, in log: SendLog) -> Int {
        var sum = 0
        var sequence = head
        while sequence < log.end, log[sequence].countedAt + length + Self.slack <= moment {
            sum += weight(log[sequence])
            sequence += 1
        }
        return sum
    }

    /// How much was counted in the window's length before a moment.
    func counted(before moment: Timestamp, length: Interval, in log: SendLog) -> Int {
        var sum = 0
        var sequence = log.end - 1
        while sequence >= log.first, log[sequence].countedAt > moment - length {
            if log[sequence].countedAt <= moment { sum += weight(log[sequence]) }
            sequence -= 1
        }
        return sum
    }
}
