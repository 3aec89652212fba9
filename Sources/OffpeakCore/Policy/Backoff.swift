/// Waiting times between tries: decorrelated jitter, so that jobs that failed together do not return together.
/// (AWS Architecture Blog, "Exponential Backoff and Jitter".)
package enum Backoff {
    /// The next wait, from the one before it (nil for the first), never below what the provider asked for.
    package static func next(
        base: Interval, cap: Interval, previous: Interval?, atLeast retryAfter: Interval?,
        using generator: inout SeededGenerator
    ) -> Interval {
        let low = base.milliseconds
        let high = max(low, min(cap.milliseconds, (previous ?? base).milliseconds * 3))
        let wait = Int64.random(in: low...high, using: &generator)
        guard let retryAfter else { return .milliseconds(min(wait, cap.milliseconds)) }
        // Up to a tenth on top, again so that not all return in the same instant.
        let least = max(0, retryAfter.milliseconds)
        let asked = least + Int64.random(in: 0...(least / 10 + 1), using: &generator)
        return .milliseconds(max(min(wait, cap.milliseconds), asked))
    }
}
