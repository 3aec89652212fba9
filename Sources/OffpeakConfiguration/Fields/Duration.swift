import OffpeakCore

extension Interval {
    /// What a text says as a length of time.
    package enum Reading {
        case interval(Interval)
        /// A duration by its form, above `longestDuration`.
        case tooLong
        case noDuration
    }

    /// The longest that can be written: 100 years.
    package static let longestDuration = Interval.days(36_525)

    /// Reads `500ms`, `30s`, `2m`, `12h`, `1d` and sums of these from the largest unit down, such as `1h30m`.
    /// Nil for anything else, and for more than 100 years.
    package init?(duration text: String) {
        guard case .interval(let interval) = Self.reading(duration: text) else { return nil }
        self = interval
    }

    /// The same, which also tells what is too long from what is no duration.
    package static func reading(duration text: String) -> Reading {
        let units: [(name: String, milliseconds: Int64)] = [
            ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
        ]
        var total: Int64 = 0
        var isTooLong = false
        var unitsLeft = units[...]
        var rest = text.utf8[...]
        while !rest.isEmpty {
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest[digits.endIndex...]
            let letters = rest.prefix { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest[letters.endIndex...]
            guard !digits.isEmpty, let unit = unitsLeft.firstIndex(where: { $0.name == String(letters) }) else {
                return .noDuration
            }
            unitsLeft = units[(unit + 1)...]
            // Digits that are no number are too many of them.
            let (part, overflow) = (Int64(String(digits) ?? "") ?? .max)
                .multipliedReportingOverflow(by: units[unit].milliseconds)
            if overflow || part > longestDuration.milliseconds { isTooLong = true } else { total += part }
        }
        if text.isEmpty { return .noDuration }
        return isTooLong || total > longestDuration.milliseconds ? .tooLong : .interval(.milliseconds(total))
    }

    /// The interval as configurations write it: `1h30m`, `500ms`, `0s`.
    package var durationText: String {
        if milliseconds == 0 { return "0s" }
        var rest = abs(milliseconds)
        var text = milliseconds < 0 ? "-" : ""
        for (name, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
        where rest >= size {
            text += "\(rest / Int64(size))\(name)"
            rest %= Int64(size)
        }
        return text
    }
}
