import OffpeakCore

private enum SQL {
    static let batches: StaticString = """
        SELECT id, name, class, state, paused, priority, deadline, created, sealed, finished, source_path,
            erased, erased_at
        FROM batch WHERE ?1 IS NULL OR id = ?1 ORDER BY id
        """
    static let flows: StaticString = """
        SELECT flow.id, flow.batch, flow.class, flow.model, flow.endpoint, flow.held_reason, flow.held_until,
            flow.ready, flow.in_flight, flow.succeeded, flow.parked, flow.scheduled, flow.failed, flow.cancelled,
            flow.input_tokens, flow.cached_tokens, flow.output_tokens,
            CASE WHEN flow.scheduled > 0 THEN
                (SELECT due FROM job WHERE state = 4 AND flow = flow.id ORDER BY due LIMIT 1) END
        FROM flow WHERE ?1 IS NULL OR flow.batch = ?1 ORDER BY flow.id
        """
    static let keepsNothing: StaticString = """
        SELECT EXISTS (SELECT 1 FROM flow JOIN retain ON retain.class = flow.class
            WHERE flow.batch = ? AND retain.answers = 0)
        """
    static let jobByCustomID: StaticString =
        "SELECT id FROM job WHERE id > ? AND id <= ? AND custom_id = ? ORDER BY id LIMIT 1"
    static let oneJob: StaticString = """
        SELECT job.id, job.flow, flow.class, flow.model, flow.endpoint, job.custom_id, job.line, job.state, job.due,
            job.lease, job.attempts_used, job.bytes, failure.failure_class, failure.code, failure.message,
            failure.status_code
        FROM job JOIN flow ON flow.id = job.flow LEFT JOIN failure ON failure.job = job.id WHERE job.id = ?
        """
    static let attempts: StaticString = """
        SELECT lease, key, model, started, ended, outcome, failure_class, code, message, disposition, reason,
            passed_over, reserved_tokens, input_tokens, cached_tokens, output_tokens, status_code, bill, lane,
            worst_provider, worst_platform, 0, worst_list
        FROM attempt WHERE job = ? ORDER BY lease
        """
    static let rejections: StaticString = "SELECT line, reason FROM rejection WHERE batch = ? ORDER BY line LIMIT ?"
    static let dataVersion: StaticString = "PRAGMA data_version"
}

/// Looks at a queue that others may be changing. Its transactions are short, so it never keeps a checkpoint waiting
/// for long. Used from one thread at a time.
package final class QueueReader {
    let connection: Connection
    package let location: QueueLocation

    /// Opens an existing queue; throws `notFound` when there is none.
    package init(queue path: String) throws(StoreError) {
        location = try QueueLocation(path)
        connection = try Connection.openReader(location)
    }

    package func close() { connection.close() }

    /// The run that works the queue now; nil when there is none.
    package func liveRun() throws(StoreError) -> LiveRun? { try LiveRun(of: location) }

    /// Whether a living process is submitting a batch.
    package func isBeingSubmitted(_ batch: BatchID) throws(StoreError) -> Bool {
        try location.isBeingSubmitted(batch)
    }

    // MARK: Batches

    /// All batches, by id; those being removed are left out.
    package func batches() throws(StoreError) -> [BatchStatus] {
        try connection.snapshot { () throws(StoreError) in try batches(nil) }
    }

    /// One batch; nil when there is none of this id.
    package func batch(_ id: BatchID) throws(StoreError) -> BatchStatus? {
        try connection.snapshot { () throws(StoreError) in try batches(id) }.first
    }

    private func batches(_ id: BatchID?) throws(StoreError) -> [BatchStatus] {
        var batches: [BatchStatus] = []
        try connection.query(SQL.batches, id) { row in
            guard let state = BatchState(rawValue: row.int(3)), state != .deleting else { return }
            batches.append(
                BatchStatus(
                    id: row.int64(0), name: row.string(1), className: row.string(2), state: state,
                    paused: row.int(4) != 0, priority: row.optionalInt(5), deadline: row.optionalTime(6),
                    created: row.time(7), sealed: row.optionalTime(8), finished: row.optionalTime(9),
                    sourcePath: row.optionalString(10), erased: row.int(11), erasedAt: row.optionalTime(12), flows: []))
        }
        var places: [BatchID: Int] = [:]
        for (index, batch) in batches.enumerated() { places[batch.id] = index }
        try connection.query(SQL.flows, id) { (row) throws(StoreError) in
            guard let place = places[row.int64(1)] else { return }
            batches[place].flows.append(try Self.flow(row, of: batches[place]))
        }
        return batches
    }

    private static func flow(_ row: Statement, of batch: BatchStatus) throws(StoreError) -> FlowStatus {
        let flow = Flow(
            id: row.int64(0), batch: batch.id, className: row.string(2), model: row.string(3),
            endpoint: try row.endpoint(4), priority: batch.priority, deadline: batch.deadline, paused: batch.paused)
        var counts = JobCounts()
        counts.ready = row.int(7)
        counts.inFlight = row.int(8)
        counts.succeeded = row.int(9)
        counts.parked = row.int(10)
        counts.scheduled = row.int(11)
        counts.failed = row.int(12)
        counts.cancelled = row.int(13)
        let hold = row.optionalString(5).map { Hold(reason: $0, until: row.optionalTime(6)) }
        return FlowStatus(
            flow: flow, counts: counts, usage: row.usage(14), hold: hold, nextDue: row.optionalTime(17))
    }

    /// Whether some class of a batch keeps no answers that have been delivered.
    package func keepsNothing(_ batch: BatchID) throws(StoreError) -> Bool {
        try connection.first(SQL.keepsNothing, batch) { row in row.int(0) } == 1
    }

    /// The lines that were left out at submit, in order, at most `limit`.
    package func rejectedLines(of batch: BatchID, limit: Int) throws(StoreError) -> [RejectedLine] {
        var lines: [RejectedLine] = []
        try connection.query(SQL.rejections, batch, limit) { row in
            lines.append(RejectedLine(line: row.int(0), reason: row.string(1)))
        }
        return lines
    }

    // MARK: Jobs

    /// The job of this id in a batch; nil when there is none. Passes over the batch's jobs: about 0.1 s per million.
    package func job(batch: BatchID, customID: String) throws(StoreError) -> JobRecord? {
        let range = JobRange(batch)
        let id = try connection.first(SQL.jobByCustomID, range.start, range.end, customID) { row in row.int64(0) }
        guard let id else { return nil }
        return try connection.first(SQL.oneJob, id) { (row) throws(StoreError) in
            JobRecord(
                id: id, batch: batch, flow: row.int64(1), className: row.string(2), model: row.string(3),
                endpoint: try row.endpoint(4), customID: row.string(5), line: row.int(6), state: try row.jobState(7),
                due: row.optionalTime(8), lease: row.int(9), attemptsUsed: row.int(10), bodyBytes: row.int(11),
                failure: row.failure(12))
        }
    }

    /// A job's attempts, in order.
    package func attempts(of job: JobID) throws(StoreError) -> [AttemptRecord] {
        try connection.snapshot { () throws(StoreError) in try readAttempts(of: job) }
    }

    private func readAttempts(of job: JobID) throws(StoreError) -> [AttemptRecord] {
        let costs = try attemptCosts(of: job)
        var attempts: [AttemptRecord] = []
        try connection.query(SQL.attempts, job) { (row) throws(StoreError) in
            guard let outcome = AttemptRecord.Outcome(rawValue: row.int(5)) else {
                throw StoreError(.corrupt, message: "unknown attempt outcome in the queue")
            }
            attempts.append(
                AttemptRecord(
                    number: row.int(0), key: row.string(1), model: row.string(2), started: row.time(3),
                    ended: row.optionalTime(4), outcome: outcome, failureClass: row.optionalString(6),
                    code: row.optionalString(7), message: row.optionalString(8),
                    disposition: outcome == .succeeded ? Disposition.complete.word : row.optionalString(9),
                    reason: row.string(10), passedOver: row.string(11), reservedTokens: row.int(12),
                    usage: row.usage(13), statusCode: row.optionalInt(16), bill: try row.billing(17),
                    lane: try row.lane(18), worst: row.charge(19), cost: costs[row.int(0)]))
        }
        return attempts
    }

    /// The batch's jobs with their answers and failures, in input order.
    package func results(of batch: BatchID, receipts: Bool = false) -> ResultCursor {
        ResultCursor(connection: connection, batch: batch, receipts: receipts)
    }

    // MARK: Keys

    /// What keys have used on a calendar day (numbered by the caller), by key.
    package func dayUse(day: Int) throws(StoreError) -> [KeyDayUse] { try connection.dayUse(day: day) }
    /// By key.
    package func keyMemories() throws(StoreError) -> [KeyMemory] { try connection.keyMemories() }
    /// What a person has paused, batches aside.
    package func pauses() throws(StoreError) -> Pauses { try connection.pauses() }
    /// A number that changes when another connection has committed something.
    package func dataVersion() throws(StoreError) -> Int { try connection.integer(SQL.dataVersion) }
}

extension Statement {
    /// Four columns of the `failure` table; nil when they are NULL.
    func failure(_ first: Int32) -> RecordedFailure? {
        guard !isNull(first) else { return nil }
        return RecordedFailure(
            failureClass: string(first), code: string(first + 1), message: string(first + 2), statusCode: int(first + 3)
        )
    }
}
