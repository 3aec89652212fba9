import Foundation
import OffpeakCore
import Testing

@testable import OffpeakConfiguration

@Suite struct `Windows` {
    struct Case: Sendable {
        let zone: String
        let window: String
        var days = "1234567"
        let at: String
        let isOpen: Bool
        let until: String

        init(_ zone: String, _ window: String, days: String = "1234567", _ at: String, _ isOpen: Bool, _ until: String)
        {
            (self.zone, self.window, self.days, self.at, self.isOpen, self.until) = (
                zone, window, days, at, isOpen, until
            )
        }

        var resolver: WindowResolver {
            let minutes = window.split(separator: "-").map { time in
                let parts = time.split(separator: ":").map { Int($0)! }
                return parts[0] * 60 + parts[1]
            }
            let rule = WindowRule(open: minutes[0], close: minutes[1], days: Set(days.map { Int(String($0))! }))
            return WindowResolver(rule: rule, zone: OffpeakConfigurationTests.zone(zone))
        }
    }

    // Clocks go forward in Berlin on 2026-03-29 at 01:00Z and back on 2026-10-25 at 01:00Z; in New York on 2026-03-08 at
    // 07:00Z and 2026-11-01 at 06:00Z. In Santiago they skip midnight on 2026-09-06 at 04:00Z (00:00 becomes 01:00) and
    // repeat the hour before midnight on 2026-04-05 at 03:00Z (00:00 becomes 23:00).
    static let cases = [
        // An ordinary night: 21:00Z to 05:00Z in winter, an hour earlier in summer.
        Case("Europe/Berlin", "22:00-06:00", "2026-01-14T20:59:59Z", false, "2026-01-14T21:00:00Z"),
        Case("Europe/Berlin", "22:00-06:00", "2026-01-14T21:00:00Z", true, "2026-01-15T05:00:00Z"),
        Case("Europe/Berlin", "22:00-06:00", "2026-01-15T04:59:59Z", true, "2026-01-15T05:00:00Z"),
        Case("Europe/Berlin", "22:00-06:00", "2026-01-15T05:00:00Z", false, "2026-01-15T21:00:00Z"),
        Case("Europe/Berlin", "22:00-06:00", "2026-07-14T20:00:00Z", true, "2026-07-15T04:00:00Z"),
        // The night is an hour shorter in spring and an hour longer in autumn.
        Case("Europe/Berlin", "22:00-06:00", "2026-03-28T21:00:00Z", true, "2026-03-29T04:00:00Z"),
        Case("Europe/Berlin", "22:00-06:00", "2026-10-24T20:00:00Z", true, "2026-10-25T05:00:00Z"),
        // It opens at a time that does not exist: at the change.
        Case("Europe/Berlin", "02:30-04:00", "2026-03-29T00:59:59Z", false, "2026-03-29T01:00:00Z"),
        Case("Europe/Berlin", "02:30-04:00", "2026-03-29T01:00:00Z", true, "2026-03-29T02:00:00Z"),
        // It closes at one: at the change, too.
        Case("Europe/Berlin", "01:00-02:30", "2026-03-29T00:00:00Z", true, "2026-03-29T01:00:00Z"),
        // All of it is skipped: not on this day.
        Case("Europe/Berlin", "02:15-02:45", "2026-03-29T00:00:00Z", false, "2026-03-30T00:15:00Z"),
        // Its hour exists twice: from the first time to the last.
        Case("Europe/Berlin", "02:15-02:45", "2026-10-25T00:14:59Z", false, "2026-10-25T00:15:00Z"),
        Case("Europe/Berlin", "02:15-02:45", "2026-10-25T01:00:00Z", true, "2026-10-25T01:45:00Z"),
        Case("America/New_York", "01:00-02:00", "2026-03-08T06:00:00Z", true, "2026-03-08T07:00:00Z"),
        Case("America/New_York", "01:30-01:45", "2026-11-01T05:30:00Z", true, "2026-11-01T06:45:00Z"),
        Case("America/New_York", "18:00-08:00", "2026-10-31T22:00:00Z", true, "2026-11-01T13:00:00Z"),
        // Midnight does not exist.
        Case("America/Santiago", "00:00-08:00", "2026-09-06T03:59:59Z", false, "2026-09-06T04:00:00Z"),
        Case("America/Santiago", "00:00-08:00", "2026-09-06T04:00:00Z", true, "2026-09-06T11:00:00Z"),
        Case("America/Santiago", "22:00-00:00", "2026-09-06T02:00:00Z", true, "2026-09-06T04:00:00Z"),
        // The hour before midnight exists twice.
        Case("America/Santiago", "22:00-00:00", "2026-04-05T01:00:00Z", true, "2026-04-05T04:00:00Z"),
        Case("America/Santiago", "23:30-01:00", "2026-04-05T02:30:00Z", true, "2026-04-05T05:00:00Z"),
        // The days are those on which it opens: 2026-11-27 is a Friday.
        Case("Europe/Berlin", "22:00-06:00", days: "5", "2026-11-28T02:00:00Z", true, "2026-11-28T05:00:00Z"),
        Case("Europe/Berlin", "22:00-06:00", days: "5", "2026-11-29T02:00:00Z", false, "2026-12-04T21:00:00Z"),
        Case("Europe/Berlin", "22:00-06:00", days: "12345", "2026-11-28T21:30:00Z", false, "2026-11-30T21:00:00Z"),
        Case("Europe/Berlin", "09:00-17:00", days: "6", "2026-11-28T08:00:00Z", true, "2026-11-28T16:00:00Z"),
        Case("UTC", "00:00-00:00", days: "1", "2026-11-29T23:59:59Z", false, "2026-11-30T00:00:00Z"),
        Case("UTC", "00:00-00:00", days: "1", "2026-11-30T00:00:00Z", true, "2026-12-01T00:00:00Z"),
        // Two whole days that touch are one.
        Case("UTC", "06:00-06:00", days: "12", "2026-11-30T06:00:00Z", true, "2026-12-02T06:00:00Z"),
        // Zones that are not at whole hours.
        Case("Asia/Kathmandu", "22:00-06:00", "2026-06-01T16:15:00Z", true, "2026-06-02T00:15:00Z"),
        Case("Australia/Lord_Howe", "01:45-02:15", "2026-04-04T14:45:00Z", true, "2026-04-04T15:45:00Z"),
    ]

    @Test(arguments: cases) func `are open and closed by the wall clock`(_ one: Case) {
        let state = one.resolver.state(at: utc(one.at))
        #expect(state == .init(isOpen: one.isOpen, until: utc(one.until)))
    }

    @Test func `one that never closes is open for a week at least, from any moment`() {
        for (open, days) in [(0, Set(1...7)), (360, Set(1...7))] {
            let resolver = WindowResolver(
                rule: WindowRule(open: open, close: open, days: days), zone: zone("Europe/Berlin"))
            for hour in stride(from: Int64(0), to: 24 * 400, by: 7) {
                let now = utc("2026-01-01T00:30:00Z") + .hours(hour)
                let state = resolver.state(at: now)
                #expect(state.isOpen && state.until - now >= .days(7))
            }
        }
    }

    static let zones = [
        "UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Asia/Kolkata", "Australia/Lord_Howe",
        "Pacific/Auckland", "Africa/Casablanca",
    ]

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `turn exactly when they say, and agree with the clock on days without a change`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var opens = 0
        for round in 0..<60 {
            let zone = zone(Self.zones.randomElement(using: &generator)!)
            let days = Set(
                (1...7).filter { _ in Bool.random(using: &generator) } + [Int.random(in: 1...7, using: &generator)])
            let rule = WindowRule(
                open: Int.random(in: 0..<96, using: &generator) * 15,
                close: Int.random(in: 0..<96, using: &generator) * 15,
                days: days)
            let resolver = WindowResolver(rule: rule, zone: zone)
            var calendar = Calendar(identifier: .gregorian)
            calendar.timeZone = zone
            let start = utc("2026-01-01T00:00:00Z") + .hours(Int64.random(in: 0..<8_000, using: &generator))
            for step in 0..<40 {
                let now = start + .minutes(Int64(step) * 97)
                let state = resolver.state(at: now)
                let line = "round \(round), step \(step), seed \(seed): swift test --filter 'Windows'"
                #expect(state.until > now, "\(line)")
                opens += state.isOpen ? 1 : 0
                if days.count < 7 || rule.open != rule.close {
                    #expect(resolver.state(at: state.until - .milliseconds(1)) == state, "\(line)")
                    #expect(resolver.state(at: state.until).isOpen != state.isOpen, "\(line)")
                }
                let date = Date(timeIntervalSince1970: TimeInterval(now.milliseconds / 1_000))
                let isSteady = zone.secondsFromGMT(for: date - 180_000) == zone.secondsFromGMT(for: date + 180_000)
                if isSteady { #expect(state.isOpen == Self.isOpen(rule, date, calendar), "\(line)") }
            }
        }
        #expect((300...2_100).contains(opens))
    }

    /// By the shown weekday and minute alone, which is the whole truth where no clock is changed.
    private static func isOpen(_ rule: WindowRule, _ date: Date, _ calendar: Calendar) -> Bool {
        let parts = calendar.dateComponents([.weekday, .hour, .minute], from: date)
        let minute = parts.hour! * 60 + parts.minute!
        let today = (parts.weekday! + 5) % 7 + 1
        let yesterday = today == 1 ? 7 : today - 1
        let isOverNight = rule.close <= rule.open
        if isOverNight {
            return (rule.days.contains(today) && minute >= rule.open)
                || (rule.days.contains(yesterday) && minute < rule.close)
        }
        return rule.days.contains(today) && minute >= rule.open && minute < rule.close
    }
}

@Suite struct `Days` {
    @Test(arguments: [
        ("UTC", "2026-11-24T23:59:59Z", 20_261_124, "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),
        ("Europe/Berlin", "2026-01-01T00:00:00Z", 20_260_101, "2025-12-31T23:00:00Z", "2026-01-01T23:00:00Z"),
        // 23 and 25 hours.
        ("Europe/Berlin", "2026-03-29T12:00:00Z", 20_260_329, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("Europe/Berlin", "2026-10-25T00:30:00Z", 20_261_025, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("America/New_York", "2026-03-08T06:30:00Z", 20_260_308, "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
        // Midnight does not exist: the day begins at 01:00.
        ("America/Santiago", "2026-09-06T03:59:59Z", 20_260_905, "2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z"),
        ("America/Santiago", "2026-09-06T04:00:00Z", 20_260_906, "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"),
        // The hour before midnight exists twice: 25 hours.
        ("America/Santiago", "2026-04-05T03:30:00Z", 20_260_404, "2026-04-04T03:00:00Z", "2026-04-05T04:00:00Z"),
        // In 2006 the clocks of Newfoundland went back at 00:01: the new day had begun, and it did not end again.
        ("America/St_Johns", "2006-10-29T02:45:00Z", 20_061_029, "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z"),
        // Samoa left out 2011-12-30.
        ("Pacific/Apia", "2011-12-30T09:59:59Z", 20_111_229, "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", 20_111_231, "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
        ("UTC", "2028-02-29T12:00:00Z", 20_280_229, "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
        ("UTC", "1970-01-01T00:00:00Z", 19_700_101, "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"),
        ("UTC", "1969-12-31T23:59:59Z", 19_691_231, "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
    ])
    func `begin and end by the wall clock`(_ name: String, _ at: String, _ number: Int, _ start: String, _ end: String)
    {
        let day = DayBoundary(containing: utc(at), in: zone(name))
        #expect(day.number == number)
        #expect(day.start == utc(start) && day.end == utc(end))
    }

    @Test func `are written as people write them`() {
        #expect(DayBoundary(containing: utc("2026-03-07T12:00:00Z"), in: zone("UTC")).name == "2026-03-07")
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `follow each other without a gap, and agree with the calendar away from midnight`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for round in 0..<400 {
            let zone = zone(`Windows`.zones.randomElement(using: &generator)!)
            let now = utc("2020-01-01T00:00:00Z") + .seconds(Int64.random(in: 0..<400_000_000, using: &generator))
            let day = DayBoundary(containing: now, in: zone)
            let line = "round \(round), seed \(seed): swift test --filter 'Days'"
            #expect(day.start <= now && now < day.end, "\(line)")
            #expect(DayBoundary(containing: day.end, in: zone).start == day.end, "\(line)")
            #expect(DayBoundary(containing: day.start, in: zone) == day, "\(line)")
            #expect(DayBoundary(containing: day.end, in: zone).number > day.number, "\(line)")
            guard now - day.start > .hours(2), day.end - now > .hours(2) else { continue }
            var calendar = Calendar(identifier: .gregorian)
            calendar.timeZone = zone
            let date = Date(timeIntervalSince1970: TimeInterval(now.milliseconds / 1_000))
            let parts = calendar.dateComponents([.year, .month, .day], from: date)
            #expect(day.number == parts.year! * 10_000 + parts.month! * 100 + parts.day!, "\(line)")
        }
    }
}
