import Foundation
import OffpeakCore

/// Clock time in a zone, as days and minutes that can be reckoned with.
///
/// Written over the zone's offsets alone: what happens to a clock time that a change of the clocks skips or repeats is
/// a choice of ours and has to be the same everywhere.
struct LocalTime {
    let zone: TimeZone

    private static let day: Int64 = 86_400

    /// Seconds that a clock in the zone shows, counted from its 1970-01-01 00:00.
    private func clock(atSecond second: Int64) -> Int64 {
        second + Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(second))))
    }

    /// The day that a clock in the zone shows, counted from 1970-01-01.
    func day(at instant: Timestamp) -> Int64 {
        Self.floor(clock(atSecond: Self.floor(instant.milliseconds, 1_000)), Self.day)
    }

    /// The first moment at which the zone's clock shows this time of this day or, where the clocks skip it, a later one.
    func first(day: Int64, minute: Int) -> Timestamp {
        let target = day * Self.day + Int64(minute) * 60
        let (early, late) = candidates(for: target)
        for second in [early, late] where clock(atSecond: second) == target { return Self.timestamp(second) }
        return Self.timestamp(firstSecond(notBefore: target, after: early, upTo: late))
    }

    /// The moment after which the zone's clock never again shows a time before this one of this day.
    func last(day: Int64, minute: Int) -> Timestamp {
        let target = day * Self.day + Int64(minute) * 60
        let (early, late) = candidates(for: target)
        for second in [late, early] where clock(atSecond: second) == target { return Self.timestamp(second) }
        return Self.timestamp(firstSecond(notBefore: target, after: early, upTo: late))
    }

    /// The moments that the clock time is, by the offsets of a day before and a day after; the earlier one first.
    private func candidates(for target: Int64) -> (early: Int64, late: Int64) {
        let before = clock(atSecond: target - Self.day) - (target - Self.day)
        let after = clock(atSecond: target + Self.day) - (target + Self.day)
        return (target - max(before, after), target - min(before, after))
    }

    /// The clocks skip `target`: the moment of the change, by bisection.
    private func firstSecond(notBefore target: Int64, after early: Int64, upTo late: Int64) -> Int64 {
        var (low, high) = (early, late)
        while low < high {
            let middle = low + (high - low) / 2
            if clock(atSecond: middle) >= target { high = middle } else { low = middle + 1 }
        }
        return high
    }

    /// 1 = Monday … 7 = Sunday; 1970-01-01 was a Thursday.
    static func weekday(ofDay day: Int64) -> Int { Int(((day + 3) % 7 + 7) % 7) + 1 }

    /// The date of a day counted from 1970-01-01, by the Gregorian calendar.
    static func number(ofDay day: Int64) -> Int {
        // Counted in years that begin in March, the leap day comes last and months follow one formula.
        let shifted = day + 719_468
        let era = floor(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let year = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
        let march = (5 * dayOfYear + 2) / 153
        let date = dayOfYear - (153 * march + 2) / 5 + 1
        let month = march < 10 ? march + 3 : march - 9
        return Int((year + era * 400 + (month <= 2 ? 1 : 0)) * 10_000 + month * 100 + date)
    }

    /// The day of a date as the queue stores it, 20261124, counted from 1970-01-01.
    static func day(ofNumber number: Int) -> Int64 {
        day(year: Int64(number / 10_000), month: Int64(number / 100 % 100), date: Int64(number % 100))
    }

    private static func day(year: Int64, month: Int64, date: Int64) -> Int64 {
        // The inverse of `number(ofDay:)`, again in years that begin in March.
        let shifted = month <= 2 ? year - 1 : year
        let era = floor(shifted, 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + date - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The day of a date written `2027-01-31`, counted from 1970-01-01; nil when it is no date from 1970 to 9999.
    static func day(ofDate text: String) -> Int64? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let isDate =
            parts.map(\.utf8.count) == [4, 2, 2]
            && parts.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        guard isDate, let year = Int64(parts[0]), let month = Int64(parts[1]), let date = Int64(parts[2]) else {
            return nil
        }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard year >= 1970, (1...12).contains(month), (1...lengths[Int(month - 1)]).contains(date) else { return nil }
        return day(year: year, month: month, date: date)
    }

    static func floor(_ a: Int64, _ b: Int64) -> Int64 { a >= 0 ? a / b : -((b - 1 - a) / b) }

    private static func timestamp(_ second: Int64) -> Timestamp { Timestamp(milliseconds: second * 1_000) }
}
