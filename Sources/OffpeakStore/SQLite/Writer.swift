import CSQLite
import OffpeakCore

/// A connection that may write. Every write transaction and every checkpoint of every process happens under one
/// lock of our own: it keeps writers fair, and it closes the window of SQLite 3.40's checkpoint defect.
///
/// Used from one thread at a time; nothing in it is synchronised.
final class Writer {
    let location: QueueLocation
    let connection: Connection
    let lock: SideFile
    /// Set when a failure left it open what is on disk; nothing may be written through this connection any more.
    private(set) var isBroken = false
    /// Frames from which the next checkpoint is tried.
    private var checkpointAt = Writer.checkpointFrames
    /// Checkpoints that this connection completed or tried.
    private(set) var checkpoints = 0

    /// 16 MiB of frames of one page and a 24-byte header.
    static let checkpointFrames = 16 * 1_048_576 / (8_192 + 24)

    private enum SQL {
        static let begin: StaticString = "BEGIN IMMEDIATE"
        static let commit: StaticString = "COMMIT"
        static let rollback: StaticString = "ROLLBACK"
    }

    /// Takes over an opened and configured connection.
    init(location: QueueLocation, connection: Connection, lock: SideFile) {
        self.location = location
        self.connection = connection
        self.lock = lock
    }

    deinit { close() }

    /// One transaction under the lock: all of the body or nothing. After a failure that leaves the outcome open
    /// (`full`, `ioError`, `corrupt`, or any failed commit) the writer is broken.
    func transaction<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        guard !isBroken, !isClosed else {
            throw StoreError(.broken, message: "the queue's connection failed earlier, or is closed")
        }
        try lock.lock()
        defer { lock.unlock() }
        try begin()
        let value: Value
        do throws(StoreError) {
            value = try body()
        } catch {
            abandon(after: error)
            throw error
        }
        do throws(StoreError) {
            try connection.run(SQL.commit)
        } catch {
            // The commit record may have reached the file although an error came back.
            isBroken = true
            if connection.isInTransaction { _ = try? connection.run(SQL.rollback) }
            throw error
        }
        checkpointIfLarge()
        return value
    }

    /// Starts the transaction. We hold the lock, so only a foreign program or a recovery can be in the way.
    private func begin() throws(StoreError) {
        for attempt in 1... {
            do throws(StoreError) {
                try connection.run(SQL.begin)
                return
            } catch {
                guard error.reason == .busy, attempt < 5 else { throw error }
            }
        }
    }

    private func abandon(after error: StoreError) {
        switch error.reason {
        case .full, .ioError, .corrupt: isBroken = true
        default: break
        }
        // SQLite has ended the transaction by itself after some errors; statements after that would autocommit.
        guard connection.isInTransaction else {
            isBroken = true
            return
        }
        do { try connection.run(SQL.rollback) } catch { isBroken = true }
    }

    // MARK: Checkpoints, only ever under the lock and never PASSIVE

    private func checkpointIfLarge() {
        guard connection.walFrames >= checkpointAt else { return }
        // RESTART keeps the file allocated, so that later syncs touch less metadata.
        if checkpoint(SQLITE_CHECKPOINT_RESTART) {
            checkpointAt = Self.checkpointFrames
        } else {
            // A reader is in the way; do not try at every commit.
            checkpointAt = connection.walFrames + Self.checkpointFrames / 2
        }
    }

    /// Moves the WAL into the database and empties the file. False when a reader was in the way.
    @discardableResult
    func truncateWAL() throws(StoreError) -> Bool {
        guard !isBroken, !isClosed else { return false }
        try lock.lock()
        defer { lock.unlock() }
        return checkpoint(SQLITE_CHECKPOINT_TRUNCATE)
    }

    private func checkpoint(_ mode: Int32) -> Bool {
        checkpoints += 1
        // Wait only shortly for readers: everybody who wants to write waits with us.
        sqlite3_busy_timeout(connection.handle, 100)
        defer { sqlite3_busy_timeout(connection.handle, Connection.patience) }
        let result = sqlite3_wal_checkpoint_v2(connection.handle, nil, mode, nil, nil)
        if result == SQLITE_OK { connection.walFrames = 0 }
        // BUSY is a reader. Any other failure leaves the WAL as it was: the next commit reports a sick disk.
        return result == SQLITE_OK
    }

    /// Ends the connection, after giving the WAL back unless the connection is broken.
    func close() {
        guard !isClosed else { return }
        _ = try? truncateWAL()
        isClosed = true
        connection.close()
    }

    private var isClosed = false
}
