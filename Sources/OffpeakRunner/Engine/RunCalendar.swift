import OffpeakConfiguration
import OffpeakCore
import OffpeakStore

/// Calendar days and classes' windows as a run needs them: resolved from the wall clock to instants on the runner's
/// timeline, again and again, so that a wall clock that is set during the run moves them.
package struct RunCalendar {
    /// The current day in the configured zone as a number such as 20261124.
    package var day: Int { position.day }
    /// Where the present lies in the calendar, on the runner's timeline.
    package private(set) var position: CalendarPosition
    /// When something changes next.
    private(set) var nextTurn: Timestamp
    private let configuration: Configuration
    private let clock: RunnerClock

    /// How often the wall clock is looked at.
    private static let look = Interval.seconds(30)

    package init(configuration: Configuration, clock: RunnerClock) {
        self.configuration = configuration
        self.clock = clock
        nextTurn = .distantPast
        position = Self.position(configuration, clock)
    }

    /// The windows' present states, and the time of the next look.
    mutating func windows(at now: Timestamp) -> [SchedulerEvent] {
        let wall = clock.wall
        nextTurn = min(now + Self.look, position.ends.day)
        var events: [SchedulerEvent] = []
        for policy in configuration.classes {
            guard let rule = policy.window else { continue }
            let state = WindowResolver(rule: rule, zone: configuration.timeZone).state(at: wall)
            // The wall clock may have been set since the start.
            let until = clock.steady(state.until)
            nextTurn = min(nextTurn, until)
            events.append(.windowChanged(className: policy.name, isOpen: state.isOpen, until: until))
        }
        return events
    }

    /// Whether another day has begun; call at each look.
    mutating func turnsDay() -> Bool {
        let before = day
        position = Self.position(configuration, clock)
        return day != before
    }

    private static func position(_ configuration: Configuration, _ clock: RunnerClock) -> CalendarPosition {
        var position = CalendarPosition(containing: clock.wall, in: configuration.timeZone)
        let wall = position.ends
        position.ends = PeriodEnds(
            day: clock.steady(wall.day), week: clock.steady(wall.week), month: clock.steady(wall.month))
        return position
    }
}
