import OffpeakCore
import OffpeakStore

/// What the store's thread does for one turn of the engine, and what it does when the disk fails.
final class StoreWork: @unchecked Sendable {
    // SAFETY: made on one thread and handed to the store's, which alone uses it from then on.
    private let queue: SQLiteQueue
    private let note: @Sendable (String) -> Void
    private var version: Int?
    /// How often a failed transaction is tried again, a second apart: a full disk may be cleared meanwhile.
    private static let tries = 30

    init(queue: SQLiteQueue, note: @escaping @Sendable (String) -> Void) {
        self.queue = queue
        self.note = note
    }

    /// In good order, and with the log written back: what was erased must not stay readable there.
    func close() { queue.close() }

    func perform(_ pending: PendingTick, at now: Timestamp, day: Int) -> StoreReply {
        var reply = StoreReply()
        var tick = pending.tick(day: day)
        do {
            let result = try commit(&tick, at: now)
            reply.begun = result.begun
            reply.refused = result.refused
            reply.promoted = result.promoted.map(\.flow)
            (reply.parked, reply.failed) = (result.parked, result.failed)
            for (flow, state, failure) in pending.flowStops {
                let count = try queue.stop(flow: flow, as: state, failure: failure, at: now)
                if state == .parked { reply.parked += count } else { reply.failed += count }
            }
            if pending.looksForMoney { reply.parkedForMoney = try queue.parkedForMoney() }
            for (flow, reason) in pending.takeUps {
                let count = try queue.takeUp(flow: flow, parkedFor: reason, at: now)
                if count > 0 { reply.takenUp.append(FlowCount(flow: flow, jobs: count)) }
            }
            for flow in Set(pending.fetches).sorted() {
                let tickets = try queue.peek(flow: flow, limit: Scheduler.pageSize)
                reply.fetched.append((flow, tickets, tickets.count < Scheduler.pageSize))
            }
            reply.nextDue = try queue.nextDue()
            if pending.refreshes { reply.refresh = try view(force: pending.forcesRefresh) }
        } catch {
            reply.failure = spill(tick.settlements, after: error)
            // What has begun is durable and will be sent, whatever failed after it.
            let begun = Set(reply.begun.map(\.job))
            reply.refused = pending.starts.map(\.job).filter { !begun.contains($0) }
        }
        return reply
    }

    /// Commits a tick; after a failure that may pass, its settlements alone, again and again: nothing new is begun on
    /// a disk that fails. `tick` is left holding what has not been recorded.
    private func commit(_ tick: inout Tick, at now: Timestamp) throws(StoreError) -> TickResult {
        do {
            let result = try queue.commit(tick, at: now)
            tick.settlements = []
            return result
        } catch {
            note(
                "the queue cannot be written: \(error.description); trying again for \(Self.tries) s, nothing new is sent"
            )
            if let done = try settleAfterAll(tick) { return done }
        }
        let refused = tick.starts.map(\.job)
        tick.starts = []
        for attempt in 1... {
            do {
                var result = try queue.commit(tick, at: now)
                tick.settlements = []
                result.refused += refused
                note("the queue can be written again")
                return result
            } catch {
                guard attempt < Self.tries else { throw error }
                Pause.seconds(1)
                if var done = try? settleAfterAll(tick) {
                    done.refused += refused
                    return done
                }
            }
        }
        return TickResult()
    }

    /// A COMMIT that failed may have taken effect: then its result stands.
    private func settleAfterAll(_ tick: Tick) throws(StoreError) -> TickResult? {
        queue.isBroken ? try queue.recover() : nil
    }

    /// The last resort: answers that are paid for go to the spill file, from which the next run records them.
    func keep(_ settlements: [Settlement], after error: StoreError) -> StoreReply {
        var reply = StoreReply()
        reply.failure = spill(settlements, after: error)
        return reply
    }

    private func spill(_ settlements: [Settlement], after error: StoreError) -> StoreError {
        guard !settlements.isEmpty else { return error }
        do {
            try queue.spill(settlements)
            return error
        } catch {
            var worse = error
            worse.message += "; \(settlements.count) answers could not be kept"
            return worse
        }
    }

    private func view(force: Bool) throws(StoreError) -> QueueView? {
        let current = try queue.dataVersion()
        let isForeign = current != version
        guard isForeign || force else { return nil }
        version = current
        return QueueView(flows: try queue.flowStatuses(), pauses: try queue.pauses(), isForeign: isForeign)
    }
}
