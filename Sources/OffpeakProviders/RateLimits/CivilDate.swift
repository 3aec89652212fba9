import OffpeakCore

/// Reads the two ways in which HTTP APIs write a moment, with integers and without a time zone database.
package enum CivilDate {
    /// A date such as `2026-10-04T12:00:00.5Z` or `2026-10-04 12:00:00+02:00` (RFC 3339); nil for anything else.
    package static func rfc3339(_ text: some StringProtocol) -> Timestamp? {
        var cursor = ByteCursor(text)
        guard let year = cursor.digits(4), cursor.skip("-"), let month = cursor.digits(2), cursor.skip("-"),
            let day = cursor.digits(2), cursor.skip(anyOf: "Tt "), let hour = cursor.digits(2), cursor.skip(":"),
            let minute = cursor.digits(2), cursor.skip(":"), let second = cursor.digits(2)
        else { return nil }
        var thousandths = 0
        if cursor.skip(".") {
            guard let fraction = cursor.fraction(of: 1_000) else { return nil }
            thousandths = fraction
        }
        guard let offset = zone(&cursor), cursor.isAtEnd,
            let moment = moment(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        else { return nil }
        return moment + .milliseconds(Int64(thousandths)) - .minutes(Int64(offset))
    }

    /// A date such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110's preferred form, the only one that is still sent).
    package static func http(_ text: some StringProtocol) -> Timestamp? {
        var cursor = ByteCursor(text)
        // The weekday follows from the date; a wrong one is no reason to distrust the rest.
        guard cursor.letters(3) != nil, cursor.skip(","), cursor.skip(" "), let day = cursor.digits(2),
            cursor.skip(" "), let name = cursor.letters(3), cursor.skip(" "), let year = cursor.digits(4),
            cursor.skip(" "), let hour = cursor.digits(2), cursor.skip(":"), let minute = cursor.digits(2),
            cursor.skip(":"), let second = cursor.digits(2), cursor.skip(" "),
            let zone = cursor.letters(3), zone == "gmt" || zone == "utc", cursor.isAtEnd,
            let month = monthNames.firstIndex(of: name)
        else { return nil }
        return moment(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
    }

    private static let monthNames = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]

    /// Minutes east of UTC; nil when there is no zone.
    private static func zone(_ cursor: inout ByteCursor) -> Int? {
        if cursor.skip(anyOf: "Zz") { return 0 }
        let east = cursor.skip("+")
        guard east || cursor.skip("-"), let hours = cursor.digits(2), cursor.skip(":"),
            let minutes = cursor.digits(2), hours < 24, minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * (east ? 1 : -1)
    }

    private static func moment(
        year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int
    ) -> Timestamp? {
        guard (1...12).contains(month), day >= 1, day <= length(ofMonth: month, year: year), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        let seconds = days(year: year, month: month, day: day) * 86_400 + hour * 3_600 + minute * 60 + second
        return Timestamp(milliseconds: Int64(seconds) * 1_000)
    }

    private static func length(ofMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 in the Gregorian calendar. The year is counted from March, so that the leap day comes
    /// last and the length of the months before a month is one line: (153·m + 2) / 5.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let marchYear = month > 2 ? year : year - 1
        let marchMonth = (month + 9) % 12
        let leapDays = marchYear / 4 - marchYear / 100 + marchYear / 400
        let daysToEpoch = 719_468  // from 0000-03-01 to 1970-01-01
        return marchYear * 365 + leapDays + (153 * marchMonth + 2) / 5 + day - 1 - daysToEpoch
    }
}
