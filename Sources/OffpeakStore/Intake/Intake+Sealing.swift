import OffpeakCore

private enum SQL {
    static let page: StaticString =
        "SELECT id, custom_id, line, flow FROM job WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
    static let one: StaticString = "SELECT custom_id, line FROM job WHERE id = ?"
    static let count: StaticString = """
        SELECT total(ready + in_flight + succeeded + parked + scheduled + failed + cancelled) FROM flow WHERE batch = ?
        """
    static let deleteJob: StaticString = "DELETE FROM job WHERE id = ?"
    static let deletePayload: StaticString = "DELETE FROM payload WHERE job = ?"
    static let reject: StaticString =
        "INSERT INTO rejection (batch, line, reason) VALUES (?, ?, ?) ON CONFLICT (batch, line) DO NOTHING"
    static let seal: StaticString = """
        UPDATE batch SET state = 1, sealed = ?2,
            finished = CASE WHEN (SELECT total(ready) FROM flow WHERE batch = ?1) = 0 THEN ?2 END
        WHERE id = ?1 AND state = 0
        """
}

extension Intake {
    /// How many duplicates are listed; the others are counted.
    package static let duplicateReportLimit = 1_000
    /// Jobs read in one go: short read transactions keep no checkpoint waiting.
    private static let pageSize = 20_000

    /// Checks that no two jobs have the same id, and opens the batch for running. With `droppingDuplicates`, later jobs
    /// with an id that was there before are removed and listed among the rejected lines; else they prevent sealing.
    ///
    /// Memory stays below 32 MiB whatever the size: ids are hashed, in as many passes as their table needs.
    package func seal(droppingDuplicates: Bool, at now: Timestamp) throws(StoreError) -> SealResult {
        guard beginning != .adopted else { return .sealed(jobs: try countJobs(), dropped: [], droppedCount: 0) }
        var found = Duplicates()
        let passes = CustomIDTable.passes(for: try countJobs())
        let table = CustomIDTable(expecting: try countJobs())
        for pass in 0..<passes {
            table.clear()
            try findDuplicates(table, pass: pass, of: passes, into: &found, dropping: droppingDuplicates)
        }
        if found.count > 0 && !droppingDuplicates {
            return .duplicates(found.first.sorted { $0.line < $1.line }, count: found.count)
        }
        try writer.transaction { () throws(StoreError) in
            guard try writer.connection.run(SQL.seal, batch, now) == 1 else { throw Self.wrongState(batch) }
        }
        return .sealed(
            jobs: try countJobs(), dropped: found.first.sorted { $0.line < $1.line }, droppedCount: found.count)
    }

    /// Each recorded job's id, as UTF-8, and its line, in order.
    package func forEachID(_ body: (UnsafeRawBufferPointer, Int) -> Void) throws(StoreError) {
        let range = JobRange(batch)
        var cursor = range.start
        var rows = Self.pageSize
        while rows == Self.pageSize {
            rows = 0
            try writer.connection.query(SQL.page, cursor, range.end, Self.pageSize) { row in
                rows += 1
                cursor = row.int64(0)
                body(row.buffer(1), row.int(2))
            }
        }
    }

    private struct Duplicates {
        var first: [DuplicateID] = []
        var count = 0
    }

    /// A duplicate, as it is removed.
    private struct Duplicate {
        var job: JobID
        var flow: FlowID
        var entry: DuplicateID
    }

    private func countJobs() throws(StoreError) -> Int {
        try writer.connection.first(SQL.count, batch) { row in row.int(0) } ?? 0
    }

    private func findDuplicates(
        _ table: CustomIDTable, pass: Int, of passes: Int, into found: inout Duplicates, dropping: Bool
    ) throws(StoreError) {
        let range = JobRange(batch)
        var cursor = range.start
        while true {
            var page: [Duplicate] = []
            var rows = 0
            let statement = try writer.connection.statement(SQL.page)
            statement.bindAll([cursor, range.end, Self.pageSize])
            defer { statement.reset() }
            while try statement.step() {
                rows += 1
                cursor = statement.int64(0)
                let hash = ContentHash.of(statement.buffer(1))
                guard passes == 1 || Int((hash >> 40) % UInt64(passes)) == pass else { continue }
                let entry = CustomIDTable.Entry(hash: hash, number: UInt32(truncatingIfNeeded: cursor - range.start))
                let first = try table.insert(entry) { (number) throws(StoreError) in
                    try line(of: range.start + Int64(number), ifEqual: statement.buffer(1))
                }
                guard let first else { continue }
                page.append(
                    Duplicate(
                        job: cursor, flow: statement.int64(3),
                        entry: DuplicateID(line: statement.int(2), customID: statement.string(1), firstLine: first)))
            }
            statement.reset()
            found.count += page.count
            found.first += page.prefix(max(0, Self.duplicateReportLimit - found.first.count)).map(\.entry)
            if dropping && !page.isEmpty { try drop(page) }
            if rows < Self.pageSize { return }
        }
    }

    /// The line of a job if its id is these bytes; else nil.
    private func line(of job: JobID, ifEqual bytes: UnsafeRawBufferPointer) throws(StoreError) -> Int? {
        let line = try writer.connection.first(SQL.one, job) { row in
            row.buffer(0).elementsEqual(bytes) ? row.int(1) : nil
        }
        return line ?? nil
    }

    private func drop(_ duplicates: [Duplicate]) throws(StoreError) {
        try writer.transaction { () throws(StoreError) in
            var changes = FlowChanges()
            for duplicate in duplicates {
                try writer.connection.run(SQL.deleteJob, duplicate.job)
                try writer.connection.run(SQL.deletePayload, duplicate.job)
                let reason = "custom_id is the same as in line \(duplicate.entry.firstLine)"
                try writer.connection.run(SQL.reject, batch, duplicate.entry.line, reason)
                changes.move(duplicate.flow, from: .ready, to: nil)
            }
            // The batch is not sealed yet, so no batch finishes and the time is not used.
            _ = try changes.apply(to: writer.connection, at: .distantPast)
        }
    }
}
