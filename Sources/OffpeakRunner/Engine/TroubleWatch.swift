import Foundation
import OffpeakCore
import OffpeakStore

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

    /// An attempt has ended.
    mutating func ended(key: String, _ outcome: AttemptOutcome, at now: Timestamp) {
        if case .failure(let failure) = outcome, [.unavailable, .overloaded, .timedOut].contains(failure.failureClass) {
            troubles[key] = Trouble(failureClass: failure.failureClass, message: failure.message)
            since = since ?? now
        } else {
            troubles[key] = nil
            since = nil
        }
    }

    /// What has not been told yet of a standstill, by key; empty when there is none.
    mutating func news(at now: Timestamp) -> [String] {
        guard let since, now - since >= Self.patience else { return [] }
        var news: [String] = []
        for (key, trouble) in troubles.sorted(by: { $0.key < $1.key }) {
            let reason = "\(key) \(trouble.failureClass.rawValue)"
            if let last = told[reason], last >= since || now - last < Self.pause { continue }
            told[reason] = now
            news.append("key \(key): \(trouble.message)")
        }
        return news
    }
}

extension Engine {
    /// Says why nothing moves, and when it is tried again.
    func tellTrouble(at now: Timestamp) {
        let waiting = flows.values.reduce(0) { $0 + $1.counts.waiting }
        guard drainCause == nil, waiting > 0 else { return }
        let moments = flows.keys.compactMap { scheduler.hold(on: $0)?.until } + [nextDue].compactMap { $0 }
        // While it is being tried there is none, and the next look tells.
        guard let again = moments.filter({ $0 > now }).min() else { return }
        for reason in troubles.news(at: now) {
            let jobs = waiting == 1 ? "1 job" : "\(waiting) jobs"
            onNote("waiting: \(jobs); \(reason), tried again at \(Self.clock(again))")
        }
    }
}
