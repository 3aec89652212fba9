/// Where one job stands on its class's failure ladders. Kept for jobs that have failed at least once and are not done.
///
/// A crash forgets it, and the job starts from the first step again; the attempts it used are in the queue.
package struct JobLadder: Sendable {
    /// Keys that failed this job, by index, and until when to avoid them.
    var avoided: [Int: Timestamp] = [:]
    /// Flex gave it no answer in time: it goes by another lane where there is one.
    var avoidsFlex = false
    /// Its ladder has led it to shared capacity: own keys are not tried any more.
    var usesShared: Bool { sharedAfter != nil }
    /// The failure that led it there, for people.
    private(set) var sharedAfter: String?
    /// Which model of the fallback chain is next.
    var modelIndex = 0
    /// The position reached on each failure class's ladder.
    private var positions: [FailureClass: Int] = [:]
    /// Retries made at the present position of each ladder.
    private var retries: [FailureClass: Int] = [:]
    private var lastBackoff: Interval?

    /// What the ladder must know of the world around the job.
    package struct Circumstances: Sendable {
        /// The key that failed.
        package var key: Int
        /// Another key of the class, not avoided by the job and not known to be unusable, serves the model.
        package var hasOtherKey: Bool
        /// Shared capacity that the class may use, not avoided by the job, serves the model.
        package var hasShared = false
        /// The next model of the chain that some usable key serves.
        package var nextModel: Int?
        /// When the failing key is expected to serve again.
        package var recovery: Timestamp
        /// The failure is the key's or provider's doing, as far as its other answers show: the job is not to blame.
        package var isKeyUnwell: Bool
        /// The job's attempts, this one included if it counts.
        package var attemptsUsed: Int
    }

    package init() {}

    /// What becomes of the job, and why, in one sentence.
    package mutating func next(
        after failure: Failure, policy: ClassPolicy, in world: Circumstances, at now: Timestamp,
        using generator: inout SeededGenerator
    ) -> (disposition: Disposition, reason: String) {
        let ladder = policy.ladders[failure.failureClass] ?? [.fail]
        let mayTryAgain = world.attemptsUsed < policy.attempts || !countsAsAttempt(failure, world)
        var position = positions[failure.failureClass] ?? 0
        while position < ladder.count {
            defer { positions[failure.failureClass] = min(position, ladder.count - 1) }
            let rest = ladder[(position + 1)...]
            switch ladder[position] {
            // What a key's format cannot express today, it cannot tomorrow, and no attempt is used up that would end it.
            case .retry where mayTryAgain && !failure.isInexpressible && mayRetry(failure.failureClass, rest, world):
                retries[failure.failureClass, default: 0] += 1
                let wait = Backoff.next(
                    base: policy.backoffBase, cap: policy.backoffCap, previous: lastBackoff,
                    atLeast: failure.retryAfter, using: &generator)
                lastBackoff = wait
                let unused = countsAsAttempt(failure, world) ? "" : ", which uses up no attempt"
                return (.retry(at: now + wait), "\(failure.failureClass.rawValue): again after a pause\(unused)")
            case .nextKey where mayTryAgain && world.hasOtherKey:
                avoided[world.key] = world.recovery
                return (.nextKey, "\(failure.failureClass.rawValue): the class's next key takes it")
            case .shared where mayTryAgain && world.hasShared:
                avoided[world.key] = world.recovery
                sharedAfter = failure.message
                return (.shared, "\(failure.failureClass.rawValue): shared capacity takes it")
            case .nextModel:
                guard mayTryAgain, let next = world.nextModel else {
                    position += 1
                    continue
                }
                modelIndex = next
                avoided = [:]
                return (.nextModel, "\(failure.failureClass.rawValue): the next model of the chain takes it")
            case .defer where mayTryAgain:
                startOver()
                let until = max(world.recovery, now + (failure.retryAfter ?? .zero))
                return (.defer(until: until), "\(failure.failureClass.rawValue): waits until the key can serve again")
            case .park:
                startOver()
                return (.park, "\(failure.failureClass.rawValue): waits for a person")
            case .fail:
                return (.fail, "\(failure.failureClass.rawValue): the class ends such jobs as failed")
            default: position += 1
            }
        }
        return lastResort(failure, policy, mayTryAgain, world, at: now)
    }

    /// Nothing on the ladder is possible: wait if the job may, else it has failed.
    private mutating func lastResort(
        _ failure: Failure, _ policy: ClassPolicy, _ mayTryAgain: Bool, _ world: Circumstances, at now: Timestamp
    ) -> (disposition: Disposition, reason: String) {
        if mayTryAgain {
            startOver()
            let until = max(world.recovery, now + policy.backoffCap)
            return (
                .defer(until: until), "\(failure.failureClass.rawValue): no step of its ladder is possible now; waits"
            )
        }
        return (.fail, "\(failure.failureClass.rawValue): all \(policy.attempts) attempts are used up")
    }

    /// Once, if a later step can send the job elsewhere; otherwise as long as there are attempts.
    private func mayRetry(_ failure: FailureClass, _ rest: ArraySlice<LadderStep>, _ world: Circumstances) -> Bool {
        let elsewhere =
            (rest.contains(.nextKey) && world.hasOtherKey) || (rest.contains(.nextModel) && world.nextModel != nil)
        return !elsewhere || (retries[failure] ?? 0) == 0
    }

    /// Only what the provider judged uses up an attempt, and not while the provider fails everybody.
    package static func usesAttempt(_ failure: Failure, isKeyUnwell: Bool) -> Bool {
        guard failure.judged else { return false }
        switch failure.failureClass {
        case .rateLimited, .quotaExhausted, .keyRejected: return false
        case .overloaded, .unavailable: return !isKeyUnwell
        default: return true
        }
    }

    private func countsAsAttempt(_ failure: Failure, _ world: Circumstances) -> Bool {
        Self.usesAttempt(failure, isKeyUnwell: world.isKeyUnwell)
    }

    private mutating func startOver() { self = JobLadder() }
}
