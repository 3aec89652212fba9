import Foundation
import OffpeakConfiguration
import OffpeakCore
import OffpeakStore

/// Calendar days and classes' windows as a run needs them: resolved from the wall clock to instants on the runner's
/// timeline, again and again, so that a wall clock that is set during the run moves them.
package struct RunCalendar {
    /// The current day in the configured zone as a number such as 20261124.
    package private(set) var day: Int
    private(set) var dayEnds: Timestamp
    /// When something changes next.
    private(set) var nextTurn: Timestamp
    private let configuration: Configuration
    private let clock: RunnerClock
    private let calendar: Calendar

    /// How often the wall clock is looked at.
    private static let look = Interval.seconds(30)

    package init(configuration: Configuration, clock: RunnerClock) {
        self.configuration = configuration
        self.clock = clock
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = configuration.timeZone
        self.calendar = calendar
        (day, dayEnds, nextTurn) = (0, .distantPast, .distantPast)
        resolveDay(Date())
    }

    /// The windows' present states, and the time of the next look.
    mutating func windows(at now: Timestamp) -> [SchedulerEvent] {
        let wall = Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000))
        nextTurn = min(now + Self.look, dayEnds)
        var events: [SchedulerEvent] = []
        for policy in configuration.classes {
            guard let rule = policy.window else { continue }
            let state = WindowResolver(rule: rule, zone: configuration.timeZone).state(at: wall)
            // The wall clock may have been set since the start: only the distance to the turn counts.
            let until = now + (state.until - wall)
            nextTurn = min(nextTurn, until)
            events.append(.windowChanged(className: policy.name, isOpen: state.isOpen, until: until))
        }
        return events
    }

    /// Whether another day has begun; call at each look.
    mutating func turnsDay() -> Bool {
        let before = day
        resolveDay(Date())
        return day != before
    }

    private mutating func resolveDay(_ date: Date) {
        let parts = calendar.dateComponents([.year, .month, .day], from: date)
        day = parts.year! * 10_000 + parts.month! * 100 + parts.day!
        let start = calendar.startOfDay(for: date)
        let next = calendar.date(byAdding: .day, value: 1, to: start) ?? start.addingTimeInterval(86_400)
        dayEnds = clock.steady(calendar.startOfDay(for: next))
    }
}
