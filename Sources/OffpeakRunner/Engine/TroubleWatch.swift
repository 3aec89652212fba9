import Foundation
import OffpeakCore
import OffpeakStore

/// Something that people were told to wait for.
struct Telling {
    private let at: Timestamp
    private let until: Timestamp?
    private let distance: Interval

    private static let first = Interval.minutes(2)
    private static let longest = Interval.minutes(32)

    /// `until`: when it was said to be over, or tried again. Each telling of the same keeps twice the distance of the last.
    init(at now: Timestamp, until: Timestamp?, after last: Telling?) {
        (at, self.until) = (now, until)
        distance = last.map { min($0.distance * 2, Self.longest) } ?? Self.first
    }

    /// Whether the moment that was told has passed, long enough after it was told to be worth another word.
    func isStale(at now: Timestamp) -> Bool { until.map { now > $0 && now - at >= distance } ?? false }
}

/// Providers that fail while nothing else moves: a run that stands still for them says so.
struct TroubleWatch {
    private struct Trouble {
        var failureClass: FailureClass
        var message: String
    }

    /// How long nothing may move before it is worth a word.
    private static let patience = Interval.seconds(10)
    /// What came, went and came again is told again no sooner than this.
    private static let pause = Interval.minutes(10)
    private var troubles: [String: Trouble] = [:]
    /// By key and failure class, since a provider's words may differ each time.
    private var told: [String: Timestamp] = [:]
    /// The first failure since something moved.
    private var since: Timestamp?
    /// What was told of the present standstill last.
    private var telling: Telling?
    /// A standstill that was told and is over: the key that moved, and when it had begun.
    private var end: (key: String, since: Timestamp)?

    /// An attempt has ended.
    mutating func ended(key: String, _ outcome: AttemptOutcome, at now: Timestamp) {
        if case .failure(let failure) = outcome,
            [.unavailable, .overloaded, .timedOut, .unknownOutcome].contains(failure.failureClass)
        {
            troubles[key] = Trouble(failureClass: failure.failureClass, message: failure.message)
            since = since ?? now
            return
        }
        troubles[key] = nil
        if let since, telling != nil { end = (key, since) }
        (since, telling) = (nil, nil)
    }

    /// Whether providers have failed for some time and nothing else has moved.
    func standsStill(at now: Timestamp) -> Bool { since.map { now - $0 >= Self.patience } ?? false }

    /// What has not been told yet of a standstill, by key, and all of it again when the moment that was told has passed; empty
    /// when there is none. `again`: when something is tried next.
    mutating func news(at now: Timestamp, again: Timestamp) -> [(key: String, text: String)] {
        guard let since, standsStill(at: now) else { return [] }
        let repeats = telling?.isStale(at: now) ?? false
        var news: [(key: String, text: String)] = []
        for (key, trouble) in troubles.sorted(by: { $0.key < $1.key }) {
            let reason = "\(key) \(trouble.failureClass.rawValue)"
            if !repeats, let last = told[reason], last >= since || now - last < Self.pause { continue }
            told[reason] = now
            news.append((key, "key \(key): \(Self.clause(trouble.message))"))
        }
        if !news.isEmpty { telling = Telling(at: now, until: again, after: telling) }
        return news
    }

    /// A provider's sentence as a part of ours, which goes on.
    private static func clause(_ message: String) -> Substring {
        var clause = Substring(message)
        while let last = clause.last, last == "." || last.isWhitespace { clause.removeLast() }
        return clause
    }

    /// The key that has ended a standstill that was told, and when that had begun; once.
    mutating func takeEnd() -> (key: String, since: Timestamp)? {
        defer { end = nil }
        return end
    }
}

extension Engine {
    /// Says why nothing moves, and when it is tried again; and when it moves again. `isLast`: the run does not wait for it.
    func tellTrouble(at now: Timestamp, isLast: Bool = false) {
        if let end = troubles.takeEnd(), drainCause == nil {
            onNote("going on: key \(end.key) answers again; nothing had moved since \(Self.clock(end.since))")
        }
        let waiting = flows.values.reduce(0) { $0 + $1.counts.waiting }
        guard drainCause == nil, waiting > 0 else { return }
        let moments = flows.keys.compactMap { scheduler.hold(on: $0)?.until } + [nextDue].compactMap { $0 }
        // While it is being tried there is none, and the next look tells.
        let again = moments.filter { $0 > now }.min()
        guard again != nil || isLast else { return }
        for (key, reason) in troubles.news(at: now, again: again ?? now) {
            // What may go by several keys waits for each of them.
            let jobs = flows.keys.reduce(0) { sum, flow in
                sum + (scheduler.mayUse(key, flow) ? flows[flow]?.counts.waiting ?? 0 : 0)
            }
            let what = jobs == 0 ? reason : "\(jobs.of("job")); \(reason)"
            // Each key has a moment of its own, unless it is a job's.
            let moment = scheduler.nextTry(of: key, after: now) ?? again ?? now
            onNote(
                isLast
                    ? "not waited for: \(what)" : "waiting: \(what), tried again at \(Self.clock(moment))")
        }
    }
}
