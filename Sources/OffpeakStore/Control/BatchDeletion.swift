import OffpeakCore

/// Removes a batch and everything of it, in slices; goes on where an interrupted one stopped.
struct BatchDeletion {
    let writer: Writer
    /// Jobs per transaction, each with its payload, result, failure and attempts.
    static let slice = 1_000

    private enum SQL {
        static let mark: StaticString = "UPDATE batch SET state = 3 WHERE id = ?"
        static let sliceEnd: StaticString = """
            SELECT max(id) FROM (SELECT id FROM job WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)
            """
        static let attempts: StaticString = "DELETE FROM attempt WHERE job > ? AND job <= ?"
        static let results: StaticString = "DELETE FROM result WHERE job > ? AND job <= ?"
        static let failures: StaticString = "DELETE FROM failure WHERE job > ? AND job <= ?"
        static let payloads: StaticString = "DELETE FROM payload WHERE job > ? AND job <= ?"
        static let jobs: StaticString = "DELETE FROM job WHERE id > ? AND id <= ?"
        static let rejections: StaticString = """
            DELETE FROM rejection WHERE batch = ?1 AND line IN
                (SELECT line FROM rejection WHERE batch = ?1 ORDER BY line LIMIT ?2)
            """
        static let flows: StaticString = "DELETE FROM flow WHERE batch = ?"
        static let forecast: StaticString = "DELETE FROM forecast WHERE batch = ?"
        static let batch: StaticString = "DELETE FROM batch WHERE id = ?"
    }

    init(_ writer: Writer) { self.writer = writer }

    private var connection: Connection { writer.connection }

    /// Returns the number of jobs removed. `finally` is part of the transaction that removes the batch itself.
    @discardableResult
    func delete(
        _ batch: BatchID, finally: () throws(StoreError) -> Void = {}
    ) throws(StoreError) -> Int {
        try writer.transaction { () throws(StoreError) in _ = try connection.run(SQL.mark, batch) }
        let range = JobRange(batch)
        var total = 0
        while let end = try sliceEnd(range) {
            total += try writer.transaction { () throws(StoreError) in
                for statement in [SQL.attempts, SQL.results, SQL.failures, SQL.payloads] {
                    try connection.run(statement, range.start, end)
                }
                return try connection.run(SQL.jobs, range.start, end)
            }
        }
        while try writer.transaction({ () throws(StoreError) in
            try connection.run(SQL.rejections, batch, Self.slice)
        }) == Self.slice {}
        try writer.transaction { () throws(StoreError) in
            try connection.run(SQL.flows, batch)
            try connection.run(SQL.forecast, batch)
            try connection.run(SQL.batch, batch)
            try finally()
        }
        return total
    }

    private func sliceEnd(_ range: JobRange) throws(StoreError) -> JobID? {
        let end = try connection.first(SQL.sliceEnd, range.start, range.end, Self.slice) { row in row.optionalInt(0) }
        return (end ?? nil).map(JobID.init)
    }
}
