/// Sends spread evenly: one in so many microseconds, for servers that give room back drop by drop (token buckets) or cut a
/// minute into seconds.
///
/// The generic cell rate algorithm (ITU-T I.371) with a bucket of one. It counts by the moment of sending: over an even
/// stream, the way to the server only shifts everything.
package struct Pace: Sendable, Equatable {
    /// Between two sends, in microseconds.
    private(set) var interval: Int64
    /// When the next send is due, in microseconds since the epoch.
    private var next = Int64.min / 4

    /// Sends that are late by up to this much are caught up with, in microseconds: clocks and schedulers are not exact,
    /// and lateness that is lost would be lost rate.
    private static let catchUp: Int64 = 50_000
    private static let slowest: Int64 = 3_600_000_000

    /// So many requests per time, at least one an hour.
    package init(requests: Int, per length: Interval) {
        interval = Self.clamped(length.milliseconds * 1_000 / Int64(max(1, requests)))
    }

    private static func clamped(_ interval: Int64) -> Int64 { min(max(1, interval), slowest) }

    /// When the next one may go; nil: now.
    package func freeAt(_ now: Timestamp) -> Timestamp? {
        next <= now.milliseconds * 1_000 ? nil : Timestamp(milliseconds: (next + 999) / 1_000)
    }

    /// One was sent.
    package mutating func sent(at now: Timestamp) {
        next = max(next, now.milliseconds * 1_000 - Self.catchUp) + interval
    }

    /// Nothing before a moment.
    mutating func rest(until moment: Timestamp) { next = max(next, moment.milliseconds * 1_000) }

    /// Whether nothing has been due for this long: what the server saved up meanwhile says nothing of its rate.
    func isIdle(for length: Interval, at now: Timestamp) -> Bool {
        next + length.milliseconds * 1_000 < now.milliseconds * 1_000
    }

    /// The rate times so many thousandths.
    mutating func scale(thousandths: Int) { interval = Self.clamped(interval * 1_000 / Int64(max(1, thousandths))) }

    /// Not faster than so many requests per time, but never below a fraction of the present rate in thousandths.
    mutating func slow(to requests: Int, per length: Interval, floor: Int) {
        let wanted = length.milliseconds * 1_000 / Int64(max(1, requests))
        interval = Self.clamped(max(interval, min(wanted, interval * 1_000 / Int64(floor))))
    }

    /// Waiting time between two sends, in whole milliseconds and at least one.
    var step: Interval { .milliseconds(max(1, interval / 1_000)) }

    /// The rate as requests per time, for people and for remembering.
    package var rate: (requests: Int, per: Interval) {
        let tenSeconds: Int64 = 10_000_000
        if interval <= tenSeconds / 10 { return (Int(tenSeconds / interval), .seconds(10)) }
        return (10, .milliseconds(interval / 100))
    }
}
