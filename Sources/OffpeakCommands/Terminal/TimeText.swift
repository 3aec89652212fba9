import JSONLines
import OffpeakCore

/// Moments and lengths of time as people and machines read them.
enum TimeText {
    /// `2026-11-24T03:56:44Z`; milliseconds only when there are some.
    static func rfc3339(_ time: Timestamp) -> String {
        let (days, rest) = floored(time.milliseconds, 86_400_000)
        let (y, m, d) = civil(days)
        let ms = rest % 1_000
        let clock = "\(two(rest / 3_600_000)):\(two(rest / 60_000 % 60)):\(two(rest / 1_000 % 60))"
        let fraction = ms == 0 ? "" : "." + String(String(1_000 + ms).dropFirst())
        return "\(y)-\(two(m))-\(two(d))T\(clock)\(fraction)Z"
    }

    /// `850 ms`, `12.3 s`, `4 min 05 s`, `3 h 12 min`, `2 d 4 h`.
    static func length(_ interval: Interval) -> String {
        let ms = max(0, interval.milliseconds)
        if ms < 1_000 { return "\(ms) ms" }
        let s = ms / 1_000
        if s < 60 { return "\(s).\(ms % 1_000 / 100) s" }
        if s < 3_600 { return "\(s / 60) min \(two(s % 60)) s" }
        if s < 86_400 { return "\(s / 3_600) h \(two(s / 60 % 60)) min" }
        return "\(s / 86_400) d \(s / 3_600 % 24) h"
    }

    private static func two(_ n: Int64) -> String { n < 10 ? "0\(n)" : "\(n)" }

    private static func floored(_ a: Int64, _ b: Int64) -> (Int64, Int64) {
        let q = a >= 0 ? a / b : -((-a + b - 1) / b)
        return (q, a - q * b)
    }

    /// The date of a day counted from 1970-01-01, by the arithmetic of the Gregorian calendar's 400-year cycle.
    private static func civil(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let m = month < 10 ? month + 3 : month - 9
        return (yearOfEra + era * 400 + (m <= 2 ? 1 : 0), m, day)
    }
}

extension JSONWriter {
    /// A member with a moment as RFC 3339 in UTC, or null.
    mutating func member(_ name: String, _ time: Timestamp?) {
        if let time { member(name, TimeText.rfc3339(time)) } else { null(name) }
    }
}
