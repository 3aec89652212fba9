import OffpeakCore

extension ClassPolicy {
    /// The whole policy in one sentence, said from the very values that decide; steps that cannot happen with these
    /// keys and chains are left out. Of the keys, those count that are in force at `now`.
    package func sentence(in configuration: Configuration, at now: Timestamp) -> String {
        ClassSentence(policy: self, configuration: configuration, now: now).text
    }
}

/// Puts a class's policy in words.
private struct ClassSentence {
    let policy: ClassPolicy
    let configuration: Configuration
    let keys: [String]
    let disabled: [String]
    /// Those whose secret is past its last day.
    let expired: [String]
    /// Platform-billed keys that may serve it.
    let shared: [String]
    /// Keys whose lane flex it uses.
    let flex: [String]

    init(policy: ClassPolicy, configuration: Configuration, now: Timestamp) {
        self.policy = policy
        self.configuration = configuration
        let admitted = configuration.keys(for: policy).filter { !$0.isShared }
        shared = configuration.sharedKeys(for: policy).filter { $0.isUsable(at: now) }.map(\.name)
        keys = admitted.filter { $0.isUsable(at: now) }.map(\.name)
        flex = (admitted + configuration.sharedKeys(for: policy)).filter {
            $0.isUsable(at: now) && policy.lanes(on: $0).first == .flex
        }.map(\.name)
        disabled = admitted.filter { !$0.enabled }.map(\.name)
        expired = admitted.filter { $0.enabled && $0.isExpired(at: now) }.map(\.name)
    }

    var text: String {
        var parts = [keysInWords]
        if let lanes { parts.append(lanes) }
        parts += failures
        parts.append(platform)
        parts.append(attempts)
        if let budget { parts.append(budget) }
        switch policy.retain {
        case nil: break
        case .results: parts.append("of a job that has ended only the hash of its prompt is kept")
        case .nothing:
            parts.append(
                "of a job that has ended only the hash of its prompt is kept, and of its answer once `results -o` has "
                    + "delivered it")
        }
        if let window { parts.append(window) }
        if let deadline = policy.deadline {
            parts.append(
                "work due soonest goes first, and a batch is due \(deadline.durationText) after it is submitted")
        }
        if policy.priority != 0 {
            parts.append(
                "it goes \(policy.priority > 0 ? "before" : "after") classes of priority 0, at \(policy.priority)")
        }
        if policy.weight != 1 { parts.append("its share beside classes of the same priority is \(policy.weight)") }
        return parts.joined(separator: "; ") + "."
    }

    // MARK: Keys

    private var keysInWords: String {
        let closed = policy.isClosed ? " and through no other key, whatever happens" : ""
        var without: [String] = []
        if !disabled.isEmpty { without.append("\(disabled.listed()) \(disabled.count == 1 ? "is" : "are") disabled") }
        if !expired.isEmpty {
            without.append(
                "the \(expired.count == 1 ? "secret of \(expired[0]) has" : "secrets of \(expired.listed()) have") expired"
            )
        }
        let left = without.isEmpty ? "" : " (\(without.listed()))"
        switch keys.count {
        case 0 where !shared.isEmpty:
            return
                "Sends through \(shared.listed("or")), billed by a platform, since no key of your own may serve it\(left)"
        case 0:
            let why =
                expired.isEmpty
                ? disabled.isEmpty ? "no key may serve it" : "all its keys are disabled: \(disabled.listed())"
                : without.listed()
            return "Can send nothing now, since \(why)\(closed)"
        case 1: return "Sends through \(keys[0])\(left)\(closed)"
        default: break
        }
        switch policy.objective {
        case .speed: return "Sends through whichever of \(keys.listed()) has room and answers fastest\(left)\(closed)"
        case .cost: return "Sends through whichever of \(keys.listed()) has room and is cheapest\(left)\(closed)"
        case .order: break
        }
        return "Sends through \(keys[0]) while it has room, then \(keys.dropFirst().joined(separator: ", then "))"
            + "\(left)\(closed)"
    }

    private var lanes: String? {
        guard !flex.isEmpty else { return nil }
        let otherwise =
            policy.lanes.contains(.sync)
            ? "by lane sync where that has no room for long or would be too late for a deadline"
            : "and waits where that has no room"
        return "on \(flex.listed()) it goes by the cheaper lane flex, \(otherwise)"
    }

    private var platform: String {
        if policy.shared == .never || policy.isClosed { return "nothing billed by a platform may serve it" }
        guard !shared.isEmpty else { return "there is no platform-billed key that could serve it" }
        if keys.isEmpty { return "so all of it is billed by a platform" }
        let who = "\(shared.listed()), billed by a platform, \(shared.count == 1 ? "serves" : "serve")"
        return switch policy.shared {
        case .never, .spill: "\(who) only what would else miss the deadline"
        case .whenExhausted: "\(who) only what its own keys cannot"
        case .always: "\(who) it too, after its own keys"
        }
    }

    private var budget: String? {
        guard let budget = policy.budget else { return nil }
        let most = "it costs at most \(budget.limit.text) US dollars a \(budget.per.rawValue), both bills together, and"
        return switch budget.then {
        case .park where budget.per == .batch: "\(most) a job that does not fit any more is parked until you raise that"
        case .park:
            "\(most) a job that does not fit any more is parked until you raise that, or for the first run of the next "
                + budget.per.rawValue
        case .defer: "\(most) a job that does not fit any more waits for the next \(budget.per.rawValue)"
        case .fail: "\(most) a job that does not fit any more ends as failed"
        }
    }

    // MARK: Failures

    /// The usual failures, and any other that the class treats otherwise than its posture; equal fates in one part.
    private var failures: [String] {
        let events: [(classes: [FailureClass], words: String)] = [
            ([.rateLimited], "hits a limit"), ([.quotaExhausted], "finds a quota used up"),
            ([.keyRejected], "has its key rejected"), ([.overloaded, .unavailable], "finds the provider down or full"),
        ]
        var fates: [(events: [String], fate: String)] = []
        func add(_ event: String, _ ladder: [LadderStep], _ failure: FailureClass) {
            let fate = fate(ladder, failure)
            if let index = fates.firstIndex(where: { $0.fate == fate }) {
                fates[index].events.append(event)
            } else {
                fates.append(([event], fate))
            }
        }
        for (classes, words) in events {
            // Two classes that people see as one are told apart where the policy does.
            let ladders = classes.map { policy.ladders[$0] ?? [.fail] }
            if ladders.allSatisfy({ $0 == ladders[0] }) {
                add(words, ladders[0], classes[0])
            } else {
                for (failure, ladder) in zip(classes, ladders) { add(Self.event(failure), ladder, failure) }
            }
        }
        let told = Set(events.flatMap(\.classes))
        let usual = policy.posture.ladders
        for failure in FailureClass.allCases where !told.contains(failure) {
            if let ladder = policy.ladders[failure], ladder != usual[failure] {
                add(Self.event(failure), ladder, failure)
            }
        }
        return fates.map { "a job that \($0.events.listed("or")) \($0.fate)" }
    }

    private static func event(_ failure: FailureClass) -> String {
        switch failure {
        case .rateLimited: "hits a limit"
        case .quotaExhausted: "finds a quota used up"
        case .keyRejected: "has its key rejected"
        case .overloaded: "finds the provider without capacity"
        case .unavailable: "cannot reach the provider"
        case .timedOut: "gets no answer in time"
        case .modelUnavailable: "asks a key for a model it does not have"
        case .invalidRequest: "is wrong in itself"
        case .refused: "is refused for its content"
        case .invalidOutput: "gets an unusable answer"
        case .unknownOutcome: "may have been answered though the answer is lost"
        }
    }

    /// What becomes of a job, step by step.
    private func fate(_ ladder: [LadderStep], _ failure: FailureClass) -> String {
        let steps = ladder.filter {
            switch $0 {
            case .nextKey: keys.count > 1
            case .nextModel: policy.models.values.contains { $0.count > 1 }
            case .shared: !shared.isEmpty
            case .retry, .defer, .park, .fail: true
            }
        }
        var words = steps.map { step in
            switch step {
            case .retry: "is tried again after a pause"
            case .nextKey: "goes to another of these keys"
            case .nextModel: "goes to the next model of its chain"
            case .defer:
                failure == .quotaExhausted || failure == .rateLimited
                    ? "waits for the reset" : "waits for it to recover"
            case .park: "is parked for a person"
            case .fail: "ends as failed"
            case .shared: "goes to \(shared.listed("or"))"
            }
        }
        // A ladder with no other end waits: `JobLadder` defers a job that no step can help.
        if let last = steps.last, [.nextKey, .shared, .nextModel].contains(last) { words.append("waits") }
        if steps.isEmpty { words.append("waits") }
        return words.joined(separator: ", then ")
    }

    // MARK: Attempts and times

    private var attempts: String {
        let count = policy.attempts == 1 ? "one attempt" : "\(policy.attempts) attempts"
        let each = policy.attempts == 1 ? "" : " each"
        let (sync, slower) = (policy.timeout.durationText + each, policy.flexTimeout.durationText + each)
        let longest =
            if flex.isEmpty {
                " of at most \(sync)"
            } else if !policy.lanes.contains(.sync) {
                " of at most \(slower) in lane flex"
            } else if sync == slower {
                " of at most \(sync) in either lane"
            } else {
                ", of at most \(sync) in lane sync and \(slower) in lane flex"
            }
        return "a job has \(count)\(longest), and waiting uses up none"
    }

    private var window: String? {
        guard let window = policy.window else { return nil }
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        let days = window.days.sorted().map { names[$0 - 1] }
        let on = days.count == 7 ? "" : " on nights and days that begin on \(days.listed())"
        if window.open == window.close && days.count == 7 { return "its window is never closed" }
        return "sends only from \(clock(window.open)) to \(clock(window.close)) \(configuration.timeZoneName) time\(on)"
    }

    private func clock(_ minute: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(two(minute / 60)):\(two(minute % 60))"
    }
}
