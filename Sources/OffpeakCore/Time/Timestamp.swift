/// A point in time: whole milliseconds since the Unix epoch, on the runner's own steady timeline.
///
/// The runner anchors this timeline to the wall clock once, at its start, and then follows the boot clock, so a
/// step of the wall clock moves neither a lease nor a limit. Calendar rules reach decisions as resolved instants.
package struct Timestamp: Hashable, Comparable, Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Earlier than anything that happens.
    package static let distantPast = Timestamp(milliseconds: .min / 4)
    /// Later than anything that happens.
    package static let distantFuture = Timestamp(milliseconds: .max / 4)

    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }
    package static func + (a: Timestamp, b: Interval) -> Timestamp {
        .init(milliseconds: a.milliseconds + b.milliseconds)
    }
    package static func - (a: Timestamp, b: Interval) -> Timestamp {
        .init(milliseconds: a.milliseconds - b.milliseconds)
    }
    package static func - (a: Timestamp, b: Timestamp) -> Interval {
        .init(milliseconds: a.milliseconds - b.milliseconds)
    }
}

/// A length of time in whole milliseconds; may be negative.
package struct Interval: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static let zero = Interval(milliseconds: 0)
    package static func milliseconds(_ n: Int64) -> Interval { .init(milliseconds: n) }
    package static func seconds(_ n: Int64) -> Interval { .init(milliseconds: n * 1_000) }
    package static func minutes(_ n: Int64) -> Interval { .seconds(n * 60) }
    package static func hours(_ n: Int64) -> Interval { .minutes(n * 60) }
    package static func days(_ n: Int64) -> Interval { .hours(n * 24) }

    package static func < (a: Interval, b: Interval) -> Bool { a.milliseconds < b.milliseconds }
    package static func + (a: Interval, b: Interval) -> Interval {
        .init(milliseconds: a.milliseconds + b.milliseconds)
    }
    package static func - (a: Interval, b: Interval) -> Interval {
        .init(milliseconds: a.milliseconds - b.milliseconds)
    }
    package static func * (a: Interval, n: Int64) -> Interval { .init(milliseconds: a.milliseconds * n) }
}
