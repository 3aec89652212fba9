import OffpeakCore

/// The durable queue as its one runner uses it. Holds the run lock for life. Synchronous and blocking (locks, syncs):
/// it belongs on a thread of its own, and is used from one thread at a time.
package final class SQLiteQueue: JobQueue {
    package let location: QueueLocation
    private var runLock: RunLock?
    private(set) var writer: Writer
    private let spillFile: SpillFile
    /// The number of the last tick that is known to be committed.
    private var lastTick = 0
    /// A tick whose commit failed: it may have taken effect.
    private var pending: (number: Int, result: TickResult)?
    /// No scheduled job is due before this; never later than the truth.
    private var dueBound = Timestamp.distantPast
    /// Some class keeps no prompts: what is deleted is overwritten.
    private var erases = false
    /// When the log is to be written back, since it and the database still have what was erased; nil when they do not.
    private var writeBackAt: Timestamp?

    /// How long after an erasure that is. The log is written back anyway as it grows, so a busy queue notices nothing.
    private static let writeBackDelay = Interval.seconds(10)
    /// And again after an attempt that a reader was in the way of, since all writers wait for one.
    private static let writeBackPause = Interval.seconds(5)

    private enum SQL {
        static let lastTick: StaticString = "SELECT number FROM tick WHERE id = 1"
        static let setTick: StaticString = "UPDATE tick SET number = ? WHERE id = 1"
    }

    /// Opens an existing queue and takes the right to run it; throws `runLocked` when another process has it. Finishes
    /// what an interrupted process left: half-done cancellations, and answers in the spill file.
    package init(path: String, now: Timestamp) throws(StoreError) {
        location = try QueueLocation(path)
        guard try location.exists() else { throw .noQueue(at: location) }
        runLock = try RunLock(location, at: now)
        writer = try Writer.open(location, for: .runner, .existing)
        spillFile = try SpillFile(path: location.spill)
        lastTick = try writer.connection.integer(SQL.lastTick)
        try Sweep(writer).finishCancellations(at: now)
        try replaySpill(at: now)
    }

    /// The connection, for reading within this target and its tests.
    var connection: Connection { writer.connection }

    /// One transaction of the runner's own, besides the ticks.
    func transaction<Value>(_ body: (Connection) throws(StoreError) -> Value) throws(StoreError) -> Value {
        try writer.transaction { () throws(StoreError) in try body(writer.connection) }
    }

    /// Whether prompts are erased from now on; sweeps once if so.
    func erasesPrompts(_ erases: Bool) throws(StoreError) {
        self.erases = erases
        guard erases else { return }
        try writer.connection.overwriteDeleted()
        try Erasure.sweep(writer)
        // Also what a run that was killed had erased.
        writeBackAt = .distantPast
    }

    /// The same for a batch of which jobs have ended without an answer.
    func sweepPrompts(of batch: BatchID, at now: Timestamp) throws(StoreError) {
        try Erasure.sweep(writer, batch: batch)
        if erases { hasErased(at: now) }
    }

    private func hasErased(at now: Timestamp) { writeBackAt = writeBackAt ?? now + Self.writeBackDelay }

    /// Erased bytes are gone only when the log that overwrites them is in the database, and the log's file is empty.
    private func writeBackErased(at now: Timestamp) {
        guard let due = writeBackAt, now >= due else { return }
        // A lock that cannot be had is reported by the next transaction.
        let isDone = (try? writer.truncateWAL()) ?? false
        writeBackAt = isDone ? nil : now + Self.writeBackPause
    }

    // MARK: Ticks

    package func commit(_ tick: Tick, at now: Timestamp) throws(StoreError) -> TickResult {
        if tick.isEmpty && now < dueBound {
            writeBackErased(at: now)
            return TickResult()
        }
        // The tick in doubt must stay the one that `recover` is asked about.
        guard !writer.isBroken else { throw StoreError(.broken, message: "the queue has to be recovered first") }
        let number = lastTick + 1
        var result = TickResult()
        do throws(StoreError) {
            try writer.transaction { () throws(StoreError) in
                var work = TickWork(connection: writer.connection, now: now, dueBound: dueBound)
                try work.perform(tick)
                try writer.connection.run(SQL.setTick, number)
                result = work.result
                dueBound = work.dueBound
                if work.erasure.hasErased { hasErased(at: now) }
            }
        } catch {
            dueBound = .distantPast
            if writer.isBroken { pending = (number, result) }
            throw error
        }
        lastTick = number
        writeBackErased(at: now)
        return result
    }

    package func recover() throws(StoreError) -> TickResult? {
        writer.close()
        writer = try Writer.open(location, for: .runner, .existing)
        if erases { try writer.connection.overwriteDeleted() }
        lastTick = try writer.connection.integer(SQL.lastTick)
        defer { pending = nil }
        guard let pending, pending.number == lastTick else { return nil }
        return pending.result
    }

    /// True after a failure that `recover` has to clear up.
    package var isBroken: Bool { writer.isBroken }

    /// Ends the connection in good order and lets go of the run lock.
    package func close() {
        writer.close()
        runLock = nil
    }

    // MARK: Spill

    /// Keeps bought answers when they cannot be committed: appended to a preallocated file and synced. They are
    /// recorded when the queue is opened next.
    package func spill(_ settlements: [Settlement]) throws(StoreError) { try spillFile.append(settlements) }

    private func replaySpill(at now: Timestamp) throws(StoreError) {
        let settlements = try spillFile.read()
        guard !settlements.isEmpty else { return }
        var tick = Tick()
        tick.settlements = settlements
        _ = try commit(tick, at: now)
        try spillFile.clear()
    }
}
