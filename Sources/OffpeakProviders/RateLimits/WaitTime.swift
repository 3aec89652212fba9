import OffpeakCore

/// Reads how long a server asks to wait, in every form that is in use. Never negative; too long is held at `longest`.
package enum WaitTime {
    /// Nothing waits longer: the longest quota period is a month.
    package static let longest = Interval.days(31)

    /// The value of a `retry-after` or reset header: `20`, `1.5`, `250ms`, `6m0s`, `2026-10-04T12:00:00Z`, an HTTP
    /// date, or an epoch in seconds or milliseconds. Moments count from `now`, the answer's own `date` header, since
    /// our clock need not agree with the server's; without it they are unreadable.
    package static func header(_ text: some StringProtocol, now: Timestamp?) -> Interval? {
        let trimmed = text.trimmedASCII
        if let moment = CivilDate.rfc3339(trimmed) ?? CivilDate.http(trimmed) { return until(moment, now: now) }
        if let wait = duration(trimmed) { return wait }
        return plain(trimmed, now: now)
    }

    /// The value of `retry-after-ms`: milliseconds, with or without a fraction.
    package static func milliseconds(_ text: some StringProtocol) -> Interval? {
        guard let thousandths = decimal(text.trimmedASCII) else { return nil }
        return clamp(microseconds: thousandths)
    }

    /// A duration with units, the whole text: `2m59.56s`, `12ms`, `600.5s` (Go's and protobuf's ways to write it).
    package static func duration(_ text: some StringProtocol) -> Interval? {
        var cursor = ByteCursor(text)
        guard let wait = duration(&cursor), cursor.isAtEnd else { return nil }
        return wait
    }

    /// The wait that a message for people names, such as "try again in 7m12s" or "retry after 20 seconds".
    package static func inMessage(_ message: some StringProtocol) -> Interval? {
        let bytes = message.utf8.map(\.lowercasedASCII)
        for lead in leads {
            guard let start = bytes.firstIndex(of: lead) else { continue }
            var cursor = ByteCursor(bytes, at: start + lead.count)
            cursor.skipSpaces()
            if let wait = duration(&cursor) { return wait }
        }
        return nil
    }

    private static let leads = ["try again in", "retry in", "retry after", "retry-after:", "please wait", "wait for"]
        .map { Array($0.utf8) }

    /// Units with their length in microseconds; the micro sign and the Greek letter look alike and are both in use.
    private static let units: [(word: String, microseconds: Int)] = [
        ("milliseconds", 1_000), ("millisecond", 1_000), ("ms", 1_000), ("us", 1), ("µs", 1), ("μs", 1),
        ("seconds", 1_000_000), ("second", 1_000_000), ("secs", 1_000_000), ("sec", 1_000_000), ("s", 1_000_000),
        ("minutes", 60_000_000), ("minute", 60_000_000), ("mins", 60_000_000), ("min", 60_000_000),
        ("m", 60_000_000), ("hours", 3_600_000_000), ("hour", 3_600_000_000), ("hrs", 3_600_000_000),
        ("hr", 3_600_000_000), ("h", 3_600_000_000), ("days", 86_400_000_000), ("day", 86_400_000_000),
        ("d", 86_400_000_000),
    ]

    /// One or more numbers with units, each perhaps after a space. Stops before what is not one.
    private static func duration(_ cursor: inout ByteCursor) -> Interval? {
        var total = 0
        var found = false
        while true {
            var attempt = cursor
            if found { attempt.skipSpaces() }
            guard let whole = attempt.number(cap: 10_000_000) else { break }
            var millionths = 0
            var afterPoint = attempt
            if afterPoint.skip("."), let fraction = afterPoint.fraction(of: 1_000_000) {
                millionths = fraction
                attempt = afterPoint
            }
            attempt.skipSpaces()
            guard let unit = units.first(where: { attempt.skip(word: $0.word) }) else { break }
            total += whole * unit.microseconds + millionths * unit.microseconds / 1_000_000
            total = min(total, 10_000_000_000_000)
            cursor = attempt
            found = true
        }
        return found ? clamp(microseconds: total) : nil
    }

    /// A bare number: seconds, or an epoch when it is far too large for a wait.
    private static func plain(_ text: some StringProtocol, now: Timestamp?) -> Interval? {
        guard let thousandths = decimal(text) else { return nil }
        switch thousandths {
        case ..<1_000_000_000_000: return clamp(microseconds: min(thousandths, 10_000_000_000) * 1_000)
        case ..<1_000_000_000_000_000: return until(Timestamp(milliseconds: Int64(thousandths)), now: now)
        default: return until(Timestamp(milliseconds: Int64(thousandths / 1_000)), now: now)
        }
    }

    /// A number without sign or exponent, in thousandths.
    private static func decimal(_ text: some StringProtocol) -> Int? {
        var cursor = ByteCursor(text)
        guard let whole = cursor.number(cap: 1_000_000_000_000_000) else { return nil }
        var thousandths = 0
        if cursor.skip(".") {
            guard let fraction = cursor.fraction(of: 1_000) else { return nil }
            thousandths = fraction
        }
        return cursor.isAtEnd ? whole * 1_000 + thousandths : nil
    }

    private static func until(_ moment: Timestamp, now: Timestamp?) -> Interval? {
        guard let now else { return nil }
        return min(max(moment - now, .zero), longest)
    }

    /// Rounded up to a whole millisecond: one too early costs a refused request, one too late nothing.
    private static func clamp(microseconds: Int) -> Interval {
        min(.milliseconds(Int64((microseconds + 999) / 1_000)), longest)
    }
}

extension StringProtocol {
    /// Without spaces, tabs and line ends around it.
    var trimmedASCII: String {
        var bytes = Array(utf8)[...]
        while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
        return String(decoding: bytes.drop { $0 <= 0x20 }, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Where another run of bytes first begins in this one.
    func firstIndex(of part: [UInt8]) -> Int? {
        guard let first = part.first, part.count <= count else { return nil }
        var start = 0
        while start <= count - part.count {
            if self[start] == first {
                var matched = 1
                while matched < part.count, self[start + matched] == part[matched] { matched += 1 }
                if matched == part.count { return start }
            }
            start += 1
        }
        return nil
    }
}
