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
        number = Self.number(ofDay: day)
    }

    /// `2026-11-24`.
    package var name: String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(number / 10_000)-\(two(number / 100 % 100))-\(two(number % 100))"
    }

    /// The date of a day counted from 1970-01-01, by the Gregorian calendar.
    private static func number(ofDay day: Int64) -> Int {
        // Counted in years that begin in March, the leap day comes last and months follow one formula.
        let shifted = day + 719_468
        let era = LocalTime.floor(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let year = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
        let march = (5 * dayOfYear + 2) / 153
        let date = dayOfYear - (153 * march + 2) / 5 + 1
        let month = march < 10 ? march + 3 : march - 9
        return Int((year + era * 400 + (month <= 2 ? 1 : 0)) * 10_000 + month * 100 + date)
    }
}
