import Foundation
import OffpeakCore

extension CalendarPosition {
    /// The day, week and month to which a moment belongs, in wall-clock time. Weeks begin on Monday.
    package init(containing instant: Timestamp, in zone: TimeZone) {
        let local = LocalTime(zone: zone)
        let today = DayBoundary(containing: instant, in: zone)
        let day = LocalTime.day(ofNumber: today.number)
        let monday = day - Int64(LocalTime.weekday(ofDay: day) - 1)
        let (year, month) = (today.number / 10_000, today.number / 100 % 100)
        let nextMonth = month == 12 ? (year + 1) * 10_000 + 101 : today.number / 100 * 100 + 101
        self.init(
            day: today.number,
            ends: PeriodEnds(
                day: today.end, week: local.first(day: monday + 7, minute: 0),
                month: local.first(day: LocalTime.day(ofNumber: nextMonth), minute: 0)),
            began: [
                .day: today.number, .week: LocalTime.number(ofDay: monday), .month: today.number / 100 * 100 + 1,
            ])
    }
}
