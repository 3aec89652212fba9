import OffpeakCore

/// What a run does before its first decision: it settles what a dead run left open, recalls what limits must know, and
/// takes up again what was parked for money that is there now.
package enum RunRecovery {
    package struct Report: Sendable, Equatable {
        /// Attempts that a dead run had left open, and how many of their jobs are parked for it, have failed, or end with a
        /// batch that was cancelled meanwhile.
        package var open = 0
        package var parked = 0
        package var failed = 0
        package var cancelled = 0
        /// Jobs that the lack of money had parked, and that go on now.
        package var takenUp = 0
    }

    package static func perform(
        on queue: some JobQueue, scheduler: inout Scheduler, calendar: CalendarPosition, at now: Timestamp
    ) throws(StoreError) -> Report {
        let keys = try queue.keyMemories()
        let memory = RunMemory(
            keys: keys, attempts: try queue.recentAttempts(since: RunMemory.begin(keys, at: now)),
            dayUse: try queue.dayUse(day: calendar.day))
        memory.recall(in: &scheduler, calendar: calendar, at: now)
        // First the dead run's attempts: what they may have cost is spent.
        var report = try settleAbandoned(on: queue, scheduler: &scheduler, at: now)
        scheduler.recall(try queue.spend(), calendar)
        report.takenUp = try takeUpParked(on: queue, scheduler: &scheduler, at: now)
        return report
    }

    /// What does not fit after all is parked again.
    private static func takeUpParked(
        on queue: some JobQueue, scheduler: inout Scheduler, at now: Timestamp
    ) throws(StoreError) -> Int {
        var total = 0
        for parked in try queue.parkedForMoney() {
            guard scheduler.hasMoney(for: parked.decisive, of: parked.flow, at: now) else { continue }
            total += try queue.takeUp(flow: parked.flow.id, parkedFor: parked.reason, at: now)
        }
        return total
    }

    /// The caller holds the run lock, so whatever is open belongs to a run that has died.
    private static func settleAbandoned(
        on queue: some JobQueue, scheduler: inout Scheduler, at now: Timestamp
    ) throws(StoreError) -> Report {
        let open = try queue.openAttempts()
        guard !open.isEmpty else { return Report() }
        let classNames = Dictionary(uniqueKeysWithValues: try queue.openFlows().map { ($0.id, $0.className) })
        var tick = Tick()
        tick.settlements = open.map {
            var settlement = scheduler.abandoned($0.ticket, className: classNames[$0.ticket.flow] ?? "", at: now)
            settlement.entry = $0.assumed
            return settlement
        }
        _ = try queue.commit(tick, at: now)
        var report = Report(open: open.count)
        for settlement in tick.settlements {
            switch settlement.disposition {
            case .fail: report.failed += 1
            // The queue cancels them, since no flow of a cancelled batch is open.
            case _ where classNames[settlement.flow] == nil: report.cancelled += 1
            case .park: report.parked += 1
            default: break
            }
        }
        return report
    }
}

/// What earlier runs have left that limits must know of.
package struct RunMemory: Sendable {
    package var keys: [KeyMemory]
    /// Newest first.
    package var attempts: [RecentAttempt]
    /// Of the present calendar day.
    package var dayUse: [KeyDayUse]

    /// Attempts further back than this cannot matter to any window that is learned or configured.
    private static let longest = Interval.hours(1)

    package init(keys: [KeyMemory], attempts: [RecentAttempt], dayUse: [KeyDayUse]) {
        (self.keys, self.attempts, self.dayUse) = (keys, attempts, dayUse)
    }

    /// The moment from which attempts may still count.
    package static func begin(_ keys: [KeyMemory], at now: Timestamp) -> Timestamp {
        let learned = keys.compactMap(\.learnedWindow).max() ?? .zero
        return now - min(longest, max(.seconds(61), learned + .seconds(1)))
    }

    /// Tells a scheduler that has not begun yet.
    package func recall(in scheduler: inout Scheduler, calendar: CalendarPosition, at now: Timestamp) {
        // A clock that was put back leaves attempts in the future; they cannot have been sent after now.
        let latest = now + AccountLimiter.wayThere
        let counted = attempts.reversed().map { attempt in
            let arrived = attempt.started + AccountLimiter.wayThere
            return (attempt: attempt, at: min(attempt.ended.map { min($0, arrived) } ?? arrived, latest))
        }
        for (attempt, at) in counted.sorted(by: { $0.at < $1.at }) {
            let used = attempt.isUnknown ? nil : attempt.usedTokens.flatMap { $0 > 0 ? $0 : nil }
            scheduler.recall(key: attempt.key, countedAt: at, tokens: used ?? attempt.reservedTokens)
        }
        for key in keys { scheduler.recall(key, at: now) }
        var used: [String: (requests: Int, tokens: Int)] = [:]
        for key in dayUse { used[key.key] = (key.requests, key.tokens) }
        var effects = SchedulerEffects()
        scheduler.handle(.dayStarted(used: used, ends: calendar.ends.day), at: now, into: &effects)
    }
}
