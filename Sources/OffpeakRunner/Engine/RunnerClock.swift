import Foundation
import Glibc
import OffpeakCore

/// The runner's timeline: anchored to the wall clock once, then steady whatever happens to the wall clock.
package struct RunnerClock: Sendable {
    private let anchor: Int64

    package init() { anchor = Self.wallMilliseconds() - Self.bootMilliseconds() }

    /// Now, on the steady timeline.
    package var now: Timestamp { Timestamp(milliseconds: anchor + Self.bootMilliseconds()) }

    /// Now, as the wall clock has it: for calendar rules only.
    package var wall: Timestamp { Timestamp(milliseconds: Self.wallMilliseconds()) }

    /// Where an instant of the wall clock lies on the steady timeline, as the wall clock stands now.
    package func steady(_ instant: Timestamp) -> Timestamp { now + (instant - wall) }

    /// The same, never before the instant.
    package func steady(_ date: Date) -> Timestamp {
        steady(Timestamp(milliseconds: Int64((date.timeIntervalSince1970 * 1_000).rounded(.up))))
    }

    private static func wallMilliseconds() -> Int64 { read(CLOCK_REALTIME) }
    // The boot clock goes on while the machine sleeps, as providers' minutes do.
    private static func bootMilliseconds() -> Int64 { read(CLOCK_BOOTTIME) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
