import Foundation
import OffpeakConfiguration
import OffpeakCore
import OffpeakStore

extension Engine {
    /// Whether the run is over.
    func end(at now: Timestamp) -> RunEnd? {
        guard scheduler.inFlightCount == 0, !isStoring, pending.isQuiet, hasView, failure == nil else { return nil }
        if let cause = drainCause, !isViewStale { return summary(cause) }
        let left = flows.values.filter { $0.counts.waiting > 0 }
        if !options.watch, drainCause == nil {
            if !isViewStale, left.isEmpty { return summary(.finished) }
            if options.noWait, !isViewStale, isAllDeferred(left, at: now) {
                tellTrouble(at: now, isLast: true)
                return summary(.workLeft)
            }
        }
        // Nothing is in flight: what is left is held, or gone. The counts tell, and they are as old as our last change.
        if isViewStale { askAgain() }
        return nil
    }

    /// Nothing can go now, and nothing will within the normal pace of a minute's limit.
    private func isAllDeferred(_ left: [FlowStatus], at now: Timestamp) -> Bool {
        let soon = now + RunOptions.longestPace
        // A provider that is down is tried again and again, each time soon; after a while that is no pace any more.
        let isGettingNowhere = now - lastAnswer > RunOptions.longestPace
        let standsStill = troubles.standsStill(at: now)
        return left.allSatisfy { status in
            if standsStill, scheduler.waitsForProviders(status.flow.id, until: soon) { return true }
            if isGettingNowhere, scheduler.hold(on: status.flow.id) != nil || status.counts.ready == 0 { return true }
            if status.counts.scheduled > 0, let due = status.nextDue, due <= soon { return false }
            if status.counts.ready == 0 { return true }
            if configuration.policy(of: status.flow.className) == nil { return true }
            guard let hold = scheduler.hold(on: status.flow.id) else { return false }
            return hold.until.map { $0 > soon } ?? !hold.isPassing
        }
    }

    func askAgain() {
        pending.refreshes = true
        pending.forcesRefresh = true
    }

    private func summary(_ cause: RunEnd.Cause) -> RunEnd {
        var end = RunEnd(cause: cause)
        end.succeeded = snapshot.succeeded
        end.failed = snapshot.failed
        end.money = snapshot.money
        // Parked jobs keep their flow open, so those of earlier runs are counted, too; and those that somebody has cancelled or
        // retried since are not.
        let stillParked = flows.values.reduce(0) { $0 + $1.counts.parked }
        end.parked = min(snapshot.parked, stillParked)
        end.unfinished = snapshot.failed + stillParked
        let parked = flows.values.filter { $0.counts.parked > 0 }.map(\.flow.batch)
        end.stoppedBatches = stoppedBatches.union(parked).sorted()
        end.waiting = flows.values.reduce(0) { $0 + $1.counts.waiting }
        return end
    }

    /// Tells the display how things stand.
    func publish(at now: Timestamp) {
        snapshot.now = now
        // Those that are chosen but not begun are among the waiting ones still, and those that are answered and go on
        // not yet again: so every job counts once.
        let chosen = pending.starts.count + beginning.count
        let answered = pending.settlements.count { $0.disposition.goesOn } + (isStoring ? returning : 0)
        snapshot.inFlight = max(0, scheduler.inFlightCount - chosen) + answered
        snapshot.milliPerSecond = rates.milliPerSecond(at: now)
        onProgress(snapshot)
        // A run that does not wait is about to end, and says so then.
        let isEnding =
            options.noWait && troubles.standsStill(at: now)
            && isAllDeferred(flows.values.filter { $0.counts.waiting > 0 }, at: now)
        if !isEnding { tellTrouble(at: now) }
    }
}

extension Engine {
    func noteStop(of flow: FlowID) {
        if let batch = flows[flow]?.flow.batch { stoppedBatches.insert(batch) }
    }

    /// Says what is waited for: whoever looks at a run that stands still wants to know why. Each thing once, whatever its amounts,
    /// and again when the moment that was told has passed and it is waited for still.
    func tell(_ hold: Hold, at now: Timestamp) {
        let text: String
        if let until = hold.until {
            guard until - now > RunOptions.longestPace else { return }
            text = "waiting until \(Self.clock(until)): \(hold.reason)"
        } else {
            text = hold.isPassing ? "waiting: \(hold.reason)" : "waiting for a person: \(hold.reason)"
        }
        let kind = hold.reason.withoutAmounts
        if let told = toldHolds[kind], !told.isStale(at: now) { return }
        toldHolds[kind] = Telling(at: now, until: hold.until, after: toldHolds[kind])
        onNote(text)
    }

    /// Says that a provider rejects a key, once until it works again.
    func tell(_ memory: KeyMemory) {
        guard memory.health == "rejected" else {
            toldRejections.remove(memory.key)
            return
        }
        if toldRejections.insert(memory.key).inserted { onNote("key \(memory.key): \(memory.reason)") }
    }

    /// To the nearest second: the runner's timeline may lie beside the wall clock by some milliseconds, and what opens at three
    /// does not open at one second to three.
    static func clock(_ moment: Timestamp) -> String {
        ISO8601DateFormatter().string(from: Date(timeIntervalSince1970: Double((moment.milliseconds + 500) / 1_000)))
    }
}

/// Answers a second, over the last ten seconds.
struct RateMeter {
    private var seconds: [(second: Int64, count: Int)] = []

    mutating func count(at now: Timestamp) {
        let second = now.milliseconds / 1_000
        if seconds.last?.second == second {
            seconds[seconds.count - 1].count += 1
        } else {
            seconds.append((second, 1))
            seconds.removeAll { $0.second <= second - 11 }
        }
    }

    /// The rate over the last ten whole seconds, in thousandths of an answer a second.
    func milliPerSecond(at now: Timestamp) -> Int {
        let second = now.milliseconds / 1_000
        let recent = seconds.filter { $0.second < second && $0.second >= second - 10 }
        guard let first = recent.first else { return 0 }
        return recent.reduce(0) { $0 + $1.count } * 1_000 / Int(second - first.second)
    }
}

extension Disposition {
    /// Whether the job waits for another attempt.
    var goesOn: Bool {
        switch self {
        case .retry, .defer, .nextKey, .shared, .nextModel: true
        case .complete, .fail, .park: false
        }
    }
}
