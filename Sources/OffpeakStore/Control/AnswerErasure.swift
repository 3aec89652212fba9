import OffpeakCore

/// Jobs whose answers were written to a file, in ascending order.
package struct DeliveredJobs: Sendable, Equatable {
    /// Neighbours lie together, so that whole batches take little memory.
    private(set) var ranges: [ClosedRange<JobID>] = []

    package init() {}

    package mutating func add(_ job: JobID) {
        if let last = ranges.last, last.upperBound + 1 == job {
            ranges[ranges.count - 1] = last.lowerBound...job
        } else {
            ranges.append(job...job)
        }
    }
}

/// What was erased after a delivery.
package struct ErasedAnswers: Sendable, Equatable {
    package var count = 0
    /// The queue's log is written back, too, so that nothing of them is left in any file.
    package var isOverwritten = true
}

extension QueueControl {
    private enum SQL {
        static let page: StaticString = """
            SELECT result.job, result.body FROM result JOIN job ON job.id = result.job JOIN flow ON flow.id = job.flow
                JOIN retain ON retain.class = flow.class
            WHERE result.job >= ? AND result.job <= ? AND result.erased = 0 AND retain.answers = 0
            ORDER BY result.job LIMIT ?
            """
        static let erase: StaticString = "UPDATE result SET erased = 1, body = ?2 WHERE job = ?1"
        static let count: StaticString = "UPDATE batch SET erased = erased + ?2, erased_at = ?3 WHERE id = ?1"
    }

    /// Answers per transaction: they are read and hashed in it.
    private static let slice = 200

    /// Erases the answers that have been delivered, of classes that keep nothing; a hash takes the place of each. In
    /// slices: what an interrupted one leaves, the next delivery erases.
    package func erase(
        _ delivered: DeliveredJobs, of batch: BatchID, at now: Timestamp
    ) throws(StoreError) -> ErasedAnswers {
        var erased = ErasedAnswers()
        for range in delivered.ranges {
            var cursor = range.lowerBound
            while cursor <= range.upperBound {
                let hashes = try writer.transaction { () throws(StoreError) in
                    try erase(from: cursor, to: range.upperBound, of: batch, at: now)
                }
                guard let last = hashes.last?.job else { break }
                cursor = last + 1
                erased.count += hashes.count
            }
        }
        if erased.count > 0 { erased.isOverwritten = try writer.truncateWAL() }
        return erased
    }

    private func erase(
        from first: JobID, to last: JobID, of batch: BatchID, at now: Timestamp
    ) throws(StoreError) -> [(job: JobID, hash: [UInt8])] {
        var hashes: [(job: JobID, hash: [UInt8])] = []
        try writer.connection.query(SQL.page, first, last, Self.slice) { row in
            hashes.append((row.int64(0), SHA256.hash(of: row.bytes(1))))
        }
        for (job, hash) in hashes {
            let statement = try writer.connection.statement(SQL.erase)
            statement.bind(1, job)
            try statement.run(binding: 2, to: hash)
        }
        if !hashes.isEmpty { try writer.connection.run(SQL.count, batch, hashes.count, now) }
        return hashes
    }
}
