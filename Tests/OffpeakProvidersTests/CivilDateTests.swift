import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct CivilDateTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T12:34:56Z", 951_827_696_000),
        ("2024-12-31T23:59:59.999Z", 1_735_689_599_999),
        ("2026-10-04T12:00:00+02:00", 1_791_108_000_000),
        ("2026-10-04t10:00:00z", 1_791_108_000_000),
        ("2026-10-04 05:30:00.5-04:30", 1_791_108_000_500),
        ("1969-12-31T23:59:59Z", -1_000),
        ("2100-03-01T00:00:00Z", 4_107_542_400_000),
    ]) func `an RFC 3339 date is read`(_ text: String, _ milliseconds: Int64) {
        #expect(CivilDate.rfc3339(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777_000),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sun, 04 Oct 2026 10:00:00 GMT", 1_791_108_000_000),
    ]) func `an HTTP date is read`(_ text: String, _ milliseconds: Int64) {
        #expect(CivilDate.http(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "2026", "2026-10-04", "2026-10-04T12:00:00", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
        "2026-00-10T00:00:00Z", "2026-04-31T00:00:00Z", "2026-10-04T24:00:00Z", "2026-10-04T12:60:00Z",
        "2026-10-04T12:00:61Z", "2026-10-04T12:00:00Zz", "2026-10-04T12:00:00.Z", "2026-10-04T12:00:00+2:00",
        "26-10-04T12:00:00Z", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 31 Feb 2026 08:00:00 GMT",
    ]) func `what is no date is refused`(_ text: String) {
        #expect(CivilDate.rfc3339(text) == nil)
        #expect(CivilDate.http(text) == nil)
    }

    @Test func `days follow each other without gap over four centuries`() throws {
        var expected = try #require(CivilDate.rfc3339("1900-01-01T00:00:00Z")).milliseconds
        for year in 1900..<2300 {
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
            for (index, length) in [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].enumerated() {
                let month = index < 9 ? "0\(index + 1)" : "\(index + 1)"
                #expect(CivilDate.rfc3339("\(year)-\(month)-01T00:00:00Z")?.milliseconds == expected)
                expected += Int64(length) * 86_400_000
            }
        }
    }
}
