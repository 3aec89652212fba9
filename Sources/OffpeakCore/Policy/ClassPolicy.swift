/// The five presets of a workload class.
package enum Posture: String, CaseIterable, Sendable {
    case strict, fallback, cost, governance, resilience
}

/// One step of a failure ladder.
package enum LadderStep: String, CaseIterable, Sendable {
    /// Same key and model again, after a backoff.
    case retry
    /// Another key of the class that has not failed this job yet.
    case nextKey = "next-key"
    /// A platform's shared capacity, if the class may use it.
    case shared
    /// The next model of the class's fallback chain.
    case nextModel = "next-model"
    /// Wait for a known or guessed moment, without using up an attempt.
    case `defer`
    /// Wait for a person.
    case park
    /// End the job as failed.
    case fail
}

/// Which of several keys with room serves a job.
package enum Objective: String, CaseIterable, Sendable {
    case cost, order, speed
}

/// Whether platform-billed keys may serve a class.
package enum SharedUse: String, CaseIterable, Sendable {
    case never, spill
    case whenExhausted = "when-exhausted"
    case always
}

/// What a class keeps of a job that has ended.
package enum Retention: String, CaseIterable, Sendable {
    /// The answer, and of the prompt only its hash.
    case results
    /// The same, and of the answer only its hash once it has been delivered to a file.
    case nothing
}

/// Opening hours of a class, as the configuration states them; resolved to instants outside Core.
package struct WindowRule: Sendable, Equatable {
    /// Minutes after local midnight, 0…1439.
    package var open: Int
    /// Minutes after local midnight; when not after `open`, the window ends on the next day.
    package var close: Int
    /// ISO weekdays on which the window opens: 1 = Monday … 7 = Sunday.
    package var days: Set<Int>

    package init(open: Int, close: Int, days: Set<Int> = Set(1...7)) {
        self.open = open
        self.close = close
        self.days = days
    }
}

/// A workload class: what may serve its jobs, and what happens when that goes wrong.
package struct ClassPolicy: Sendable {
    package var name: String
    package var posture: Posture
    /// Keys in order of preference; keys not named follow in the configuration's order, if the posture allows them.
    package var keyOrder: [String]
    /// When not empty, the only keys that may serve the class.
    package var keyOnly: [String]
    package var keyExclude: [String]
    /// Tags that a key must carry, all of them.
    package var requireTags: [String]
    package var shared: SharedUse
    package var objective: Objective
    /// Fallback chains: the model that a line names → models to try in order, the first being the line's own.
    package var models: [String: [String]]
    /// Judged attempts a job may use.
    package var attempts: Int
    package var backoffBase: Interval
    package var backoffCap: Interval
    /// Our deadline for one attempt.
    package var timeout: Interval
    /// The same in the lane flex, whose answers take longer.
    package var flexTimeout: Interval
    /// The lanes in which its jobs may travel, where a key has them: the preferred one first.
    package var lanes: [Lane]
    /// Share of capacity relative to other classes of the same priority; at least 1.
    package var weight: Int
    /// Higher goes first, whatever the weights.
    package var priority: Int
    /// From submission until the batch should be done; orders work within the class.
    package var deadline: Interval?
    package var window: WindowRule?
    package var budget: Budget?
    /// Nil: prompts and answers, until they are pruned.
    package var retain: Retention?
    /// A ladder for every failure class: the posture's, with the class's own `on` laid over it. Never empty.
    package var ladders: [FailureClass: [LadderStep]]

    /// The preset of a posture: every field as `product.md` has it, with our defaults where that is silent.
    package init(name: String, posture: Posture) {
        self.name = name
        self.posture = posture
        keyOrder = []
        keyOnly = []
        keyExclude = []
        requireTags = []
        models = [:]
        attempts = 5
        backoffBase = .seconds(1)
        backoffCap = .minutes(2)
        timeout = .minutes(10)
        // As OpenAI's guide to flex processing advises.
        flexTimeout = .minutes(15)
        lanes = posture == .cost ? [.batch, .flex, .sync] : [.sync]
        weight = 1
        priority = 0
        ladders = posture.ladders
        switch posture {
        case .strict, .governance: (shared, objective) = (.never, .order)
        case .fallback: (shared, objective) = (.whenExhausted, .order)
        case .cost: (shared, objective) = (.spill, .cost)
        case .resilience: (shared, objective) = (.always, .speed)
        }
    }

    /// True when the class may only use keys that `keys.only` or `require_tags` admits.
    package var isClosed: Bool { posture == .strict || posture == .governance }

    /// Whether the class may ever send anything through this key: the one place where that is decided.
    ///
    /// A closed class needs a reason to use a key (`only` or `require_tags`), never merely the lack of one against it.
    package func admits(_ key: KeyDescriptor) -> Bool {
        if isClosed && keyOnly.isEmpty && requireTags.isEmpty { return false }
        if !keyOnly.isEmpty && !keyOnly.contains(key.name) { return false }
        if keyExclude.contains(key.name) { return false }
        if !requireTags.allSatisfy({ key.tags.contains($0) }) { return false }
        // A platform's shared capacity is nobody's own key: a closed class never uses it, whatever else is configured.
        return !key.isShared || (shared != .never && !isClosed)
    }
}

extension Posture {
    /// The default ladder for each failure class.
    package var ladders: [FailureClass: [LadderStep]] {
        let full: [LadderStep]
        switch self {
        case .strict: full = [.defer]
        case .fallback: full = [.nextKey, .shared, .defer]
        case .cost: full = [.nextKey, .defer]
        case .governance: full = [.nextKey, .defer]
        case .resilience: full = [.nextKey, .shared, .nextModel, .defer]
        }
        var table: [FailureClass: [LadderStep]] = [
            .rateLimited: full, .quotaExhausted: full,
            .invalidRequest: [.fail], .refused: [.fail],
            .invalidOutput: [.retry, .fail], .unknownOutcome: [.retry],
        ]
        switch self {
        case .strict, .governance:
            table[.keyRejected] = [.park]
            table[.overloaded] = [.retry, .defer]
            table[.unavailable] = [.retry, .defer]
            table[.timedOut] = [.retry, .park]
            table[.modelUnavailable] = [.park]
        case .fallback:
            table[.keyRejected] = [.nextKey, .shared, .park]
            table[.overloaded] = [.retry, .nextKey, .shared, .defer]
            table[.unavailable] = [.retry, .nextKey, .shared, .defer]
            table[.timedOut] = [.retry, .nextKey, .shared, .park]
            table[.modelUnavailable] = [.nextKey, .shared, .nextModel, .park]
        case .cost:
            table[.keyRejected] = [.nextKey, .park]
            table[.overloaded] = [.retry, .nextKey, .defer]
            table[.unavailable] = [.retry, .nextKey, .defer]
            table[.timedOut] = [.retry, .nextKey, .park]
            table[.modelUnavailable] = [.nextKey, .nextModel, .park]
        case .resilience:
            table[.keyRejected] = [.nextKey, .shared, .nextModel, .park]
            table[.overloaded] = [.nextKey, .shared, .nextModel, .retry, .defer]
            table[.unavailable] = [.nextKey, .shared, .nextModel, .retry, .defer]
            table[.timedOut] = [.nextKey, .shared, .nextModel, .retry, .park]
            table[.modelUnavailable] = [.nextKey, .shared, .nextModel, .park]
            table[.invalidOutput] = [.retry, .nextModel, .fail]
        }
        if self == .governance { table[.unknownOutcome] = [.park] }
        return table
    }
}
