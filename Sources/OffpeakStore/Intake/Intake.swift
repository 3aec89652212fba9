import OffpeakCore

/// One submit: fills a batch chunk by chunk and seals it. Killed at any moment, the next submit of the same source goes
/// on at the last committed offset. Used from one thread at a time.
package final class Intake {
    /// What the batch was when this submit began.
    package enum Beginning: Sendable, Equatable {
        case new
        /// Some of the source is in already: go on at `committedOffset`.
        case resumed
        /// All of it was sealed by a submit that died before it could say so: only acknowledge it.
        case adopted
    }

    package let batch: BatchID
    package let beginning: Beginning
    /// Bytes of the source that are recorded.
    package private(set) var committedOffset: Int64
    /// Lines of the source that are recorded or rejected.
    package private(set) var committedLines: Int
    let writer: Writer
    /// The number of the batch's last job.
    private var lastNumber: Int64
    private var flows: [FlowKey: FlowID] = [:]

    private enum SQL {
        static let find: StaticString = """
            SELECT id, state, committed_offset, committed_lines, last_number FROM batch
            WHERE state IN (0, 1) AND acknowledged = 0 AND source_path = ? AND source_size = ? AND source_mtime_ns = ?
                AND source_inode = ? AND source_device = ? AND source_head_hash = ? AND options = ? AND class = ?
                AND name = ? AND priority IS ?
            ORDER BY id DESC LIMIT 1
            """
        static let insert: StaticString = """
            INSERT INTO batch (name, class, state, created, priority, deadline, options, source_path, source_size,
                source_mtime_ns, source_inode, source_device, source_head_hash)
            VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        static let flows: StaticString = "SELECT id, class, model, endpoint FROM flow WHERE batch = ?"
        static let insertFlow: StaticString =
            "INSERT INTO flow (batch, class, model, endpoint) VALUES (?, ?, ?, ?)"
        static let countReady: StaticString = "UPDATE flow SET ready = ready + ?2 WHERE id = ?1"
        static let reject: StaticString =
            "INSERT INTO rejection (batch, line, reason) VALUES (?, ?, ?) ON CONFLICT (batch, line) DO NOTHING"
        static let advance: StaticString = """
            UPDATE batch SET committed_offset = ?2, committed_lines = ?3, last_number = ?4 WHERE id = ?1 AND state = 0
            """
        static let rejections: StaticString = "SELECT line, reason FROM rejection WHERE batch = ? ORDER BY line LIMIT ?"
        static let countRejections: StaticString = "SELECT count(*) FROM rejection WHERE batch = ?"
        static let giveBackID: StaticString =
            "UPDATE sqlite_sequence SET seq = seq - 1 WHERE name = 'batch' AND seq = ?"
        static let acknowledge: StaticString = "UPDATE batch SET acknowledged = 1 WHERE id = ?"
    }

    private init(
        writer: Writer, batch: BatchID, beginning: Beginning, offset: Int64 = 0, lines: Int = 0, lastNumber: Int64 = 0
    ) {
        self.writer = writer
        self.batch = batch
        self.beginning = beginning
        committedOffset = offset
        committedLines = lines
        self.lastNumber = lastNumber
    }

    /// Begins a batch, or goes on with one that was left: made from the very same source with the same options, and
    /// not acknowledged. Makes the queue if there is none. Throws `intakeInProgress` when a living process is at it.
    package static func begin(_ request: IntakeRequest, queue path: String) throws(StoreError) -> Intake {
        let writer = try Writer.open(try QueueLocation(path), for: .intake, .createIfMissing)
        let intake = try writer.transaction { () throws(StoreError) in
            let left = try find(request, writer)
            let intake = if let left { left } else { try insert(request, writer) }
            // Held until this intake is gone, by whatever death: liveness needs no clock.
            guard try writer.lock.tryLockByte(intake.batch) else {
                throw StoreError(
                    .intakeInProgress(batch: intake.batch),
                    message: "another process is submitting the same file just now, as batch b\(intake.batch)")
            }
            return intake
        }
        try writer.connection.query(SQL.flows, intake.batch) { (row) throws(StoreError) in
            let key = FlowKey(className: row.string(1), model: row.string(2), endpoint: try row.endpoint(3))
            intake.flows[key] = row.int64(0)
        }
        return intake
    }

    private static func find(_ request: IntakeRequest, _ writer: Writer) throws(StoreError) -> Intake? {
        guard let source = request.source else { return nil }
        return try writer.connection.first(
            SQL.find, source.path, source.size, source.modified, source.inode, source.device, source.headHash,
            request.options, request.className, request.name, request.priority
        ) { row in
            Intake(
                writer: writer, batch: row.int64(0), beginning: row.int(1) == 0 ? .resumed : .adopted,
                offset: row.int64(2), lines: row.int(3), lastNumber: row.int64(4))
        }
    }

    private static func insert(_ request: IntakeRequest, _ writer: Writer) throws(StoreError) -> Intake {
        let source = request.source
        try writer.connection.run(
            SQL.insert, request.name, request.className, request.created, request.priority, request.deadline,
            request.options, source?.path, source?.size, source?.modified, source?.inode, source?.device,
            source?.headHash)
        return Intake(writer: writer, batch: writer.connection.lastInsertedID, beginning: .new)
    }

    /// Records a chunk and the new offset in one transaction.
    package func append(_ chunk: IntakeChunk) throws(StoreError) {
        precondition(chunk.newOffset >= committedOffset, "a chunk ends before what is recorded already")
        let first = JobRange(batch).start + lastNumber + 1
        let number = lastNumber + Int64(chunk.lines.count)
        precondition(number < 1 << 32, "a batch has at most 2^32 - 1 lines")
        do throws(StoreError) {
            try writer.transaction { () throws(StoreError) in
                let ids = try flowIDs(of: chunk)
                try ChunkRows(chunk: chunk, flows: ids, firstID: first).insert(through: writer.connection)
                try countJobs(of: chunk, ids)
                for rejected in chunk.rejected {
                    try writer.connection.run(SQL.reject, batch, rejected.line, rejected.reason)
                }
                let advanced = try writer.connection.run(
                    SQL.advance, batch, chunk.newOffset, chunk.newLineCount, number)
                guard advanced == 1 else { throw Self.wrongState(batch) }
            }
        } catch {
            // Flows that were made in the failed transaction do not exist.
            flows = [:]
            throw error
        }
        committedOffset = chunk.newOffset
        committedLines = chunk.newLineCount
        lastNumber = number
    }

    private func flowIDs(of chunk: IntakeChunk) throws(StoreError) -> [FlowID] {
        var ids: [FlowID] = []
        for key in chunk.flows {
            if let known = flows[key] {
                ids.append(known)
            } else {
                try writer.connection.run(SQL.insertFlow, batch, key.className, key.model, key.endpoint.rawValue)
                let id = writer.connection.lastInsertedID
                flows[key] = id
                ids.append(id)
            }
        }
        return ids
    }

    private func countJobs(of chunk: IntakeChunk, _ ids: [FlowID]) throws(StoreError) {
        var counts = [Int](repeating: 0, count: ids.count)
        for line in chunk.lines { counts[line.flow] += 1 }
        for (id, count) in zip(ids, counts) where count > 0 { try writer.connection.run(SQL.countReady, id, count) }
    }

    /// The lines that were left out so far, in order, over all submits of this batch; at most `limit`.
    package func rejectedLines(limit: Int) throws(StoreError) -> [RejectedLine] {
        var lines: [RejectedLine] = []
        try writer.connection.query(SQL.rejections, batch, limit) { row in
            lines.append(RejectedLine(line: row.int(0), reason: row.string(1)))
        }
        return lines
    }

    /// How many lines were left out so far, over all submits of this batch.
    package func rejectedCount() throws(StoreError) -> Int {
        try writer.connection.first(SQL.countRejections, batch) { row in row.int(0) } ?? 0
    }

    /// Notes that the user has been told the batch's id: from now on the same source makes a new batch.
    package func acknowledge() throws(StoreError) {
        try writer.transaction { () throws(StoreError) in _ = try writer.connection.run(SQL.acknowledge, batch) }
    }

    /// Takes back everything of this batch, in slices, and its id if no later one was given out since: nobody has been told of
    /// it, and no job of it has begun. (The ids of batches that were are never given twice: the ledger outlives them.)
    package func abandon() throws(StoreError) {
        try BatchDeletion(writer).delete(batch) { () throws(StoreError) in
            try writer.connection.run(SQL.giveBackID, batch)
            // The next batch may have this id as soon as the transaction is over, and its submit needs the byte.
            try writer.lock.unlockByte(batch)
        }
    }

    /// Ends the connection and lets go of the batch.
    package func close() { writer.close() }

    static func wrongState(_ batch: BatchID) -> StoreError {
        StoreError(.wrongBatchState(batch), message: "batch b\(batch) is not being submitted any more")
    }
}
