import Foundation
import Glibc
import OffpeakCore

/// The runner's timeline: anchored to the wall clock once, then steady whatever happens to the wall clock.
package struct RunnerClock: Sendable {
    /// Nanoseconds from the boot clock to the timeline.
    private let anchor: Int64
    /// Nanoseconds by which the wall clock is taken to be ahead of the machine's.
    private let ahead: Int64

    /// `ahead` is for tests of what happens at midnight.
    package init(ahead: Interval = .zero) {
        self.ahead = ahead.milliseconds * 1_000_000
        anchor = Self.wallOverBoot() + self.ahead
    }

    /// Now, on the steady timeline.
    package var now: Timestamp { Timestamp(milliseconds: (anchor + Self.read(CLOCK_BOOTTIME)) / 1_000_000) }

    /// Now, as the wall clock has it: for calendar rules only.
    package var wall: Timestamp { Timestamp(milliseconds: (Self.read(CLOCK_REALTIME) + ahead) / 1_000_000) }

    /// Where an instant of the wall clock lies on the steady timeline, as the wall clock stands now: to the millisecond the
    /// same each time, unless the wall clock was set.
    package func steady(_ instant: Timestamp) -> Timestamp {
        let set = anchor - ahead - Self.wallOverBoot()
        return instant + .milliseconds((set + (set < 0 ? -500_000 : 500_000)) / 1_000_000)
    }

    /// The same, never before the instant.
    package func steady(_ date: Date) -> Timestamp {
        steady(Timestamp(milliseconds: Int64((date.timeIntervalSince1970 * 1_000).rounded(.up))))
    }

    /// Between two readings of one clock, so that being held up in between does not count.
    private static func wallOverBoot() -> Int64 {
        // The boot clock goes on while the machine sleeps, as providers' minutes do.
        let before = read(CLOCK_BOOTTIME)
        let wall = read(CLOCK_REALTIME)
        return wall - (before + read(CLOCK_BOOTTIME)) / 2
    }

    /// In nanoseconds.
    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
