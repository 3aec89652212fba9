import CSQLite
import Glibc
import OffpeakCore

private enum SQL {
    static let prunable: StaticString = """
        SELECT id, state FROM batch WHERE state = 3 OR (finished IS NOT NULL AND finished < ?1)
            OR (state = 0 AND created < ?1) ORDER BY id
        """
    static let isPrunable: StaticString = """
        SELECT 1 FROM batch WHERE id = ?2
            AND (state = 3 OR (finished IS NOT NULL AND finished < ?1) OR (state = 0 AND created < ?1))
        """
    static let isIntake: StaticString = "SELECT 1 FROM batch WHERE id = ? AND state = 0"
    static let freePages: StaticString = "PRAGMA freelist_count"
    static let vacuumSlice: StaticString = "PRAGMA incremental_vacuum(1000)"
    static let copy: StaticString = "VACUUM INTO ?"
    static let writeAhead: StaticString = "PRAGMA journal_mode = WAL"
    static let check: StaticString = "PRAGMA quick_check(1)"
}

/// What `prune` removed.
package struct Pruned: Sendable, Equatable {
    package var batches: [BatchID] = []
    package var jobs = 0
    /// Submits that had been interrupted, and their lines: nothing of them had been accepted.
    package var submits: [BatchID] = []
    package var lines = 0
}

extension QueueControl {
    /// Removes batches that finished before a moment, and submits begun before it that nobody is working on, with all
    /// their prompts, answers and attempts; then gives the space back. In slices: the queue can run meanwhile.
    package func prune(finishedBefore moment: Timestamp) throws(StoreError) -> Pruned {
        var candidates: [(batch: BatchID, isIntake: Bool)] = []
        try writer.connection.query(SQL.prunable, moment) { row in candidates.append((row.int64(0), row.int(1) == 0)) }
        var pruned = Pruned()
        for (batch, isIntake) in candidates {
            // A lock file of its own: it holds the batch's byte for as long as the deletion lasts.
            let claim = try SideFile(path: writer.location.lock)
            guard try claim.tryLockByte(batch) else { continue }
            let still = try writer.connection.first(SQL.isPrunable, moment, batch) { _ in true }
            guard still == true else { continue }
            let count = try BatchDeletion(writer).delete(batch)
            if isIntake {
                pruned.lines += count
                pruned.submits.append(batch)
            } else {
                pruned.jobs += count
                pruned.batches.append(batch)
            }
        }
        try giveSpaceBack()
        return pruned
    }

    /// Removes what an interrupted submit has left; returns the number of its lines, none of which had been accepted. Throws
    /// when a living process is at it, and for a batch that is submitted.
    package func discardSubmit(_ batch: BatchID) throws(StoreError) -> Int {
        let claim = try SideFile(path: writer.location.lock)
        guard try claim.tryLockByte(batch) else {
            throw StoreError(.intakeInProgress(batch: batch), message: "batch b\(batch) is just being submitted")
        }
        guard try writer.connection.first(SQL.isIntake, batch, row: { _ in true }) == true else {
            throw try wrongState(batch)
        }
        let count = try BatchDeletion(writer).delete(batch)
        try giveSpaceBack()
        return count
    }

    private func giveSpaceBack() throws(StoreError) {
        var free = try writer.connection.integer(SQL.freePages)
        while free > 0 {
            try writer.transaction { () throws(StoreError) in try writer.connection.execute(SQL.vacuumSlice) }
            let left = try writer.connection.integer(SQL.freePages)
            guard left < free else { break }
            free = left
        }
        try writer.truncateWAL()
    }

    /// Writes a consistent copy of the queue while it runs: to a temporary name beside the target, checked, synced, and
    /// only then under its name. Throws `alreadyExists` rather than overwrite anything.
    package func backup(to path: String) throws(StoreError) {
        let target = try QueueLocation(path).database
        guard access(target, F_OK) != 0 else {
            throw StoreError(.alreadyExists, message: "\(target) exists; a backup never overwrites a file")
        }
        let temporary = "\(target).partial-\(getpid())"
        let descriptor = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system("create", path: temporary) }
        Glibc.close(descriptor)
        do throws(StoreError) {
            try writer.connection.run(SQL.copy, temporary)
            try Self.check(copy: temporary)
            // SQLite does not sync what VACUUM INTO writes.
            try Self.sync(temporary)
            guard link(temporary, target) == 0 else { throw .system("name the backup", path: target) }
            unlink(temporary)
            try Self.sync(
                target.lastIndex(of: "/").map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? ".")
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Makes the copy a queue again (a vacuumed copy is not in write-ahead mode) and looks whether it is sound.
    private static func check(copy path: String) throws(StoreError) {
        let connection = try Connection(path: path)
        defer { connection.close() }
        try connection.execute(SQL.writeAhead)
        try connection.checkFileSettings()
        try Migrator.verify(connection)
        let verdict = try connection.first(SQL.check) { row in row.string(0) }
        guard verdict == "ok" else {
            throw StoreError(.corrupt, message: "the backup is not sound: \(verdict ?? "no answer")")
        }
    }

    private static func sync(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", path: path) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .system("sync", path: path) }
    }
}
