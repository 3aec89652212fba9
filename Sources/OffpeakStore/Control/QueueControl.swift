import OffpeakCore

/// What a person may pause.
package enum PauseTarget: Sendable, Equatable {
    case batch(BatchID)
    case workloadClass(String)
    case key(String)
}

/// What people do to a queue while it runs or rests: cancel, pause, resume, retry, prune, back up. Used from one thread
/// at a time; the runner notices by `dataVersion`.
package final class QueueControl {
    let writer: Writer

    private enum SQL {
        static let state: StaticString = "SELECT state FROM batch WHERE id = ?"
        static let cancel: StaticString = "UPDATE batch SET state = 2 WHERE id = ? AND state IN (1, 2)"
        static let pauseBatch: StaticString = "UPDATE batch SET paused = ?2 WHERE id = ?1"
        static let pause: StaticString = "INSERT INTO pause (kind, name) VALUES (?, ?) ON CONFLICT DO NOTHING"
        static let resume: StaticString = "DELETE FROM pause WHERE kind = ? AND name = ?"
        /// What a runner noted of a pause has no end of its own.
        static let unholdBatch: StaticString =
            "UPDATE flow SET held_reason = NULL WHERE batch = ? AND held_reason IS NOT NULL AND held_until IS NULL"
        static let unholdClass: StaticString =
            "UPDATE flow SET held_reason = NULL WHERE class = ? AND held_reason IS NOT NULL AND held_until IS NULL"
        static let unholdAll: StaticString =
            "UPDATE flow SET held_reason = NULL WHERE held_reason IS NOT NULL AND held_until IS NULL"
        static let retryable: StaticString = """
            SELECT job.id, job.flow, job.state FROM job LEFT JOIN failure ON failure.job = job.id
            WHERE job.id > ?1 AND job.id <= ?2 AND ((?3 AND job.state = 5) OR (?4 AND job.state = 3))
                AND (NOT ?5 OR failure.failure_class = 'unknown_outcome')
                AND NOT EXISTS (SELECT 1 FROM payload WHERE payload.job = job.id AND payload.erased = 1)
            ORDER BY job.id LIMIT ?6
            """
        static let unretryable: StaticString = """
            SELECT count(*) FROM job JOIN payload ON payload.job = job.id LEFT JOIN failure ON failure.job = job.id
            WHERE job.id > ?1 AND job.id <= ?2 AND job.state = 5 AND payload.erased = 1
                AND (NOT ?3 OR failure.failure_class = 'unknown_outcome')
            """
    }

    /// Opens an existing queue; throws `notFound` when there is none.
    package init(queue path: String) throws(StoreError) {
        writer = try Writer.open(try QueueLocation(path), for: .control, .existing)
    }

    private var connection: Connection { writer.connection }

    package func close() { writer.close() }

    /// Cancels a batch: no attempt of it begins any more from the first moment on; then its ready, scheduled and parked
    /// jobs become cancelled, in slices. What is in flight ends as it will. Returns the number of jobs cancelled here.
    package func cancel(_ batch: BatchID, at now: Timestamp) throws(StoreError) -> Int {
        try writer.transaction { () throws(StoreError) in
            guard try connection.run(SQL.cancel, batch) == 1 else { throw try wrongState(batch) }
        }
        let count = try Sweep(writer).cancelJobs(of: batch, at: now)
        try Erasure.sweep(writer, batch: batch)
        // A batch whose jobs had all ended needs no sweep to be finished.
        try writer.transaction { () throws(StoreError) in _ = try FlowChanges.finish(batch, connection, at: now) }
        return count
    }

    /// No attempt of the target begins any more; what is in flight goes on.
    package func pause(_ target: PauseTarget) throws(StoreError) { try setPaused(true, target) }

    /// The target goes on. What a run noted of the pause is forgotten at once; a run notes again what still holds.
    package func resume(_ target: PauseTarget) throws(StoreError) { try setPaused(false, target) }

    private func setPaused(_ paused: Bool, _ target: PauseTarget) throws(StoreError) {
        try writer.transaction { () throws(StoreError) in
            switch target {
            case .batch(let batch):
                guard try connection.run(SQL.pauseBatch, batch, paused ? 1 : 0) == 1 else {
                    throw try wrongState(batch)
                }
                if !paused { try connection.run(SQL.unholdBatch, batch) }
            case .workloadClass(let name):
                try connection.run(paused ? SQL.pause : SQL.resume, 0, name)
                if !paused { try connection.run(SQL.unholdClass, name) }
            case .key(let name):
                try connection.run(paused ? SQL.pause : SQL.resume, 1, name)
                if !paused { try connection.run(SQL.unholdAll) }
            }
        }
    }

    /// Makes ended jobs ready again, with none of their attempts used. Returns how many. Not for cancelled batches.
    package func retry(_ batch: BatchID, _ which: RetrySelection, at now: Timestamp) throws(StoreError) -> Int {
        guard try state(of: batch) == 1 else { throw try wrongState(batch) }
        let range = JobRange(batch)
        return try Sweep(writer).move(to: .ready, at: now) { (cursor) throws(StoreError) in
            try Sweep(writer).found(
                SQL.retryable, max(cursor, range.start), range.end, which.includesFailed ? 1 : 0,
                which.includesParked ? 1 : 0, which == .unknown ? 1 : 0, Sweep.slice)
        }
    }

    /// How many failed jobs of a selection cannot be tried again, since their class keeps no prompts.
    package func unretryable(_ batch: BatchID, _ which: RetrySelection) throws(StoreError) -> Int {
        guard which.includesFailed else { return 0 }
        let range = JobRange(batch)
        return try connection.first(SQL.unretryable, range.start, range.end, which == .unknown ? 1 : 0) { row in
            row.int(0)
        } ?? 0
    }

    private func state(of batch: BatchID) throws(StoreError) -> Int? {
        try connection.first(SQL.state, batch) { row in row.int(0) }
    }

    func wrongState(_ batch: BatchID) throws(StoreError) -> StoreError {
        switch try state(of: batch) {
        case nil, 3: StoreError(.unknownBatch(batch), message: "there is no batch b\(batch) in this queue")
        case 0: StoreError(.wrongBatchState(batch), message: "the submit of batch b\(batch) is not complete")
        case 2: StoreError(.wrongBatchState(batch), message: "batch b\(batch) is cancelled, which is final")
        default: StoreError(.wrongBatchState(batch), message: "batch b\(batch) is not in a state that allows this")
        }
    }
}
