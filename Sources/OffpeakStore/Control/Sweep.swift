import OffpeakCore

/// The range of job ids that belong to one batch.
struct JobRange {
    /// One below the first id.
    var start: JobID
    /// The last possible id.
    var end: JobID

    init(_ batch: BatchID) {
        start = batch << 32
        end = (batch + 1) << 32 - 1
    }

    /// The batch that a job belongs to.
    static func batch(of job: JobID) -> BatchID { job >> 32 }
}

/// Changes of many jobs of one batch in slices, so that the queue's other writers get their turn in between.
struct Sweep {
    let writer: Writer
    /// Jobs per transaction.
    static let slice = 2_000

    private enum SQL {
        static let cancelledWithOpenJobs: StaticString = """
            SELECT DISTINCT batch.id FROM batch JOIN flow ON flow.batch = batch.id
            WHERE batch.state = 2 AND flow.ready + flow.parked + flow.scheduled > 0 ORDER BY batch.id
            """
        static let flows: StaticString = "SELECT id FROM flow WHERE batch = ? ORDER BY id"
        static let cancelReady: StaticString = """
            UPDATE job SET state = 6
            WHERE id IN (SELECT id FROM job WHERE state = 0 AND flow = ?1 ORDER BY id LIMIT ?2)
            """
        static let cancelScheduled: StaticString = """
            UPDATE job SET state = 6, due = NULL
            WHERE id IN (SELECT id FROM job WHERE state = 4 AND flow = ?1 ORDER BY due LIMIT ?2)
            """
        static let parked: StaticString =
            "SELECT id, flow, state FROM job WHERE id > ? AND id <= ? AND state = 3 ORDER BY id LIMIT ?"
        static let parkedCount: StaticString = "SELECT total(parked) FROM flow WHERE batch = ?"
        static let move: StaticString = """
            UPDATE job SET state = ?3, attempts_used = CASE ?3 WHEN 0 THEN 0 ELSE attempts_used END
            WHERE id = ?1 AND state = ?2
            """
        static let deleteFailure: StaticString = "DELETE FROM failure WHERE job = ?"
    }

    init(_ writer: Writer) { self.writer = writer }

    private var connection: Connection { writer.connection }

    /// A job as a sweep found it.
    struct Found {
        var id: JobID
        var flow: FlowID
        var state: JobState
    }

    /// Goes on with cancellations that were interrupted.
    func finishCancellations(at now: Timestamp) throws(StoreError) {
        var batches: [BatchID] = []
        try connection.query(SQL.cancelledWithOpenJobs) { row in batches.append(row.int64(0)) }
        for batch in batches { try cancelJobs(of: batch, at: now) }
    }

    /// Cancels the ready, scheduled and parked jobs of a batch whose state is cancelled already; returns how many.
    @discardableResult
    func cancelJobs(of batch: BatchID, at now: Timestamp) throws(StoreError) -> Int {
        var flows: [FlowID] = []
        try connection.query(SQL.flows, batch) { row in flows.append(row.int64(0)) }
        var total = 0
        for flow in flows {
            total += try cancel(SQL.cancelReady, flow, from: .ready, at: now)
            total += try cancel(SQL.cancelScheduled, flow, from: .scheduled, at: now)
        }
        guard try connection.first(SQL.parkedCount, batch, row: { row in row.int(0) }) ?? 0 > 0 else { return total }
        return total
            + (try move(to: .cancelled, at: now) { (cursor) throws(StoreError) in
                try found(SQL.parked, max(cursor, JobRange(batch).start), JobRange(batch).end, Self.slice)
            })
    }

    private func cancel(
        _ statement: StaticString, _ flow: FlowID, from state: JobState, at now: Timestamp
    ) throws(StoreError) -> Int {
        var total = 0
        while true {
            let count = try writer.transaction { () throws(StoreError) in
                let count = try connection.run(statement, flow, Self.slice)
                var changes = FlowChanges()
                changes.move(flow, from: state, to: .cancelled, count: count)
                _ = try changes.apply(to: connection, at: now)
                return count
            }
            total += count
            if count < Self.slice { return total }
        }
    }

    /// Moves what the closure finds after a job, slice by slice, and takes its failure away. A job that has left the
    /// state it was found in stays as it is.
    func move(
        to target: JobState, at now: Timestamp, finding page: (JobID) throws(StoreError) -> [Found]
    ) throws(StoreError) -> Int {
        var cursor: JobID = 0
        var total = 0
        while true {
            // Looking happens outside the transaction: it may pass over many jobs.
            let jobs = try page(cursor)
            guard let last = jobs.last else { return total }
            cursor = last.id
            total += try writer.transaction { () throws(StoreError) in
                var changes = FlowChanges()
                var count = 0
                for job in jobs
                where try connection.run(SQL.move, job.id, job.state.rawValue, target.rawValue) == 1 {
                    try connection.run(SQL.deleteFailure, job.id)
                    changes.move(job.flow, from: job.state, to: target)
                    count += 1
                }
                _ = try changes.apply(to: connection, at: now)
                return count
            }
        }
    }

    /// Runs a statement that selects id, flow and state.
    func found(_ statement: StaticString, _ values: (any Bindable)?...) throws(StoreError) -> [Found] {
        var jobs: [Found] = []
        let statement = try connection.statement(statement)
        statement.bindAll(values)
        defer { statement.reset() }
        while try statement.step() {
            jobs.append(Found(id: statement.int64(0), flow: statement.int64(1), state: try statement.jobState(2)))
        }
        return jobs
    }
}
