import OffpeakCore

/// How a run should go.
package struct RunOptions: Sendable {
    /// Stop starting new work at this moment; nil: never.
    package var until: Timestamp?
    /// Stop when all that is left is deferred or parked.
    package var noWait = false
    /// Go on for ever, waiting for new batches.
    package var watch = false
    /// Only jobs of this class.
    package var className: String?
    /// Seeds the jitter.
    package var seed: UInt64

    package init(seed: UInt64) { self.seed = seed }

    /// A wait longer than this counts as deferred: a whole minute's limit with some room is normal pace, not more.
    package static let longestPace = Interval.seconds(65)
}

/// How a run ended.
package struct RunEnd: Sendable, Equatable {
    package enum Cause: Sendable, Equatable {
        /// All jobs have their outcome, or are parked.
        case finished
        /// `--until`, `--for` or `--no-wait`: work is left.
        case workLeft
        /// A signal asked for it.
        case stopped
    }
    package var cause: Cause
    /// Jobs that ended in this run.
    package var succeeded = 0
    package var failed = 0
    package var parked = 0
    /// Jobs of the batches that this run touched that are failed or parked.
    package var unfinished = 0
    /// The batches that those belong to, by id.
    package var stoppedBatches: [BatchID] = []
    /// Jobs that still wait, now or deferred.
    package var waiting = 0
    package var money = RunMoney()

    package init(cause: Cause) { self.cause = cause }
}

/// A moment of a run, for the display.
package struct RunSnapshot: Sendable {
    package var now: Timestamp
    package var started: Timestamp
    package var succeeded = 0
    package var failed = 0
    package var parked = 0
    package var inFlight = 0
    /// Jobs ready or deferred, as last read from the queue.
    package var waiting = 0
    package var deferred = 0
    package var deferredUntil: Timestamp?
    package var deferredReason: String?
    /// Answers that refused for a rate limit.
    package var rateLimited = 0
    package var retried = 0
    package var usage = Usage()
    package var money = RunMoney()
    package var isDraining = false
    /// Answers a second over the last seconds, in thousandths.
    package var milliPerSecond = 0
}
