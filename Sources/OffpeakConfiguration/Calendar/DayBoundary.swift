import Foundation
import OffpeakCore

/// One calendar day of a zone, in wall-clock time.
package struct DayBoundary: Sendable, Equatable {
    /// The date as the queue stores it: 20261124.
    package let number: Int
    /// The day's first moment: usually midnight, later where the clocks skip it.
    package let start: Timestamp
    /// The next day's first moment.
    package let end: Timestamp

    /// The day to which a moment belongs. Where the clocks are set back over midnight, the old day's repeated hour
    /// belongs to the new day: days follow each other and never return.
    package init(containing instant: Timestamp, in zone: TimeZone) {
        let local = LocalTime(zone: zone)
        var day = local.day(at: instant)
        if instant >= local.first(day: day + 1, minute: 0) { day += 1 }
        // A day that the zone left out entirely has no length; it is not met here, since no moment is in it.
        start = local.first(day: day, minute: 0)
        end = local.first(day: day + 1, minute: 0)
        number = LocalTime.number(ofDay: day)
    }

    /// `2026-11-24`.
    package var name: String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(number / 10_000)-\(two(number / 100 % 100))-\(two(number % 100))"
    }
}
