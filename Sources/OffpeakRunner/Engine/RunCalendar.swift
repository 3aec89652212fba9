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

    /// How often the wall clock is looked at.
    private static let look = Interval.seconds(30)

    package init(configuration: Configuration, clock: RunnerClock) {
        self.configuration = configuration
        self.clock = clock
        (day, dayEnds, nextTurn) = (0, .distantPast, .distantPast)
        resolveDay()
    }

    /// The windows' present states, and the time of the next look.
    mutating func windows(at now: Timestamp) -> [SchedulerEvent] {
        let wall = clock.wall
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
        resolveDay()
        return day != before
    }

    private mutating func resolveDay() {
        let today = DayBoundary(containing: clock.wall, in: configuration.timeZone)
        day = today.number
        dayEnds = clock.steady(today.end)
    }
}
