import Foundation
import OffpeakCore

/// Whether a class's window is open, and until when, in wall-clock time.
///
/// When the clocks change, a time that does not exist becomes the moment of the change, and one that exists twice means
/// the first for opening and the last for closing: a window is rather an hour longer than an hour shorter. The days of
/// a window are those on which it opens; past midnight it stays open on the next.
package struct WindowResolver: Sendable {
    package let rule: WindowRule
    package let zone: TimeZone

    /// A window at a moment.
    package struct State: Sendable, Equatable {
        package var isOpen: Bool
        /// When it turns; of a window that never closes, some moment at least a week away.
        package var until: Timestamp
    }

    package init(rule: WindowRule, zone: TimeZone) {
        self.rule = rule
        self.zone = zone
    }

    /// The window at a moment of the wall clock.
    package func state(at now: Timestamp) -> State {
        let local = LocalTime(zone: zone)
        let today = local.day(at: now)
        var open: Timestamp?
        // From two days back, since a window may reach into the next day and clocks may be set back over midnight.
        for day in (today - 2)...(today + 16) where rule.days.contains(LocalTime.weekday(ofDay: day)) {
            let opens = local.first(day: day, minute: rule.open)
            let closes = local.last(day: rule.close > rule.open ? day : day + 1, minute: rule.close)
            guard closes > now, closes > opens else { continue }
            guard let until = open else {
                if opens > now { return State(isOpen: false, until: opens) }
                open = closes
                continue
            }
            // Windows that touch are one.
            if opens > until { return State(isOpen: true, until: until) }
            open = max(until, closes)
        }
        return open.map { State(isOpen: true, until: $0) } ?? State(isOpen: false, until: now + .days(7))
    }
}
