import OffpeakConfiguration
import OffpeakCore
import OffpeakStore

/// What a run does before its first decision: it settles what a dead run left open and recalls what limits must know.
enum Recovery {
    /// Attempts further back than this cannot matter to any window that is learned or configured.
    private static let longestMemory = Interval.hours(1)

    static func perform(
        on queue: SQLiteQueue, scheduler: inout Scheduler, calendar: RunCalendar, clock: RunnerClock,
        note: (String) -> Void
    ) throws(StoreError) {
        let now = clock.now
        let memories = try queue.keyMemories()
        let longest = memories.compactMap(\.learnedWindow).max() ?? .zero
        let since = now - min(longestMemory, max(.seconds(61), longest + .seconds(1)))
        for attempt in try queue.recentAttempts(since: since).reversed() {
            let counted = attempt.ended.map { min($0, attempt.started + AccountLimiter.wayThere) }
            let used = attempt.isUnknown ? nil : attempt.usedTokens.flatMap { $0 > 0 ? $0 : nil }
            scheduler.recall(
                key: attempt.key, countedAt: counted ?? attempt.started + AccountLimiter.wayThere,
                tokens: used ?? attempt.reservedTokens)
        }
        for memory in memories { scheduler.recall(memory, at: now) }
        var used: [String: (requests: Int, tokens: Int)] = [:]
        for key in try queue.dayUse(day: calendar.day) { used[key.key] = (key.requests, key.tokens) }
        var effects = SchedulerEffects()
        scheduler.handle(.dayStarted(used: used, ends: calendar.dayEnds), at: now, into: &effects)
        try settleAbandoned(on: queue, scheduler: &scheduler, at: now, note: note)
    }

    /// We hold the run lock, so whatever is open belongs to a run that has died.
    private static func settleAbandoned(
        on queue: SQLiteQueue, scheduler: inout Scheduler, at now: Timestamp, note: (String) -> Void
    ) throws(StoreError) {
        let open = try queue.openAttempts()
        guard !open.isEmpty else { return }
        let classNames = Dictionary(
            uniqueKeysWithValues: try queue.flowStatuses().map { ($0.flow.id, $0.flow.className) })
        var tick = Tick()
        tick.settlements = open.map {
            scheduler.abandoned($0.ticket, className: classNames[$0.ticket.flow] ?? "", at: now)
        }
        _ = try queue.commit(tick, at: now)
        let parked = tick.settlements.filter { $0.disposition == .park }.count
        var text = "an earlier run ended with \(open.count) requests in flight: their outcome is unknown"
        text += parked == open.count ? "; they are parked" : "; they are sent again"
        if parked > 0 && parked < open.count { text += ", \(parked) are parked" }
        note(text)
    }
}
