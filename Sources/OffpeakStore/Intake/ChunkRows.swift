import OffpeakCore

private enum SQL {
    // Many rows per statement: starting and ending a statement costs as much as inserting a row. "Or rollback" spares
    // the statement journal; a failure ends the whole transaction anyway.
    static let payload: StaticString = "INSERT OR ROLLBACK INTO payload (job, body) VALUES (?, ?)"
    static let payloads: StaticString = """
        INSERT OR ROLLBACK INTO payload (job, body) VALUES
        (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?),
        (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?),
        (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?),
        (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?), (?, ?)
        """
    static let job: StaticString = """
        INSERT OR ROLLBACK INTO job
            (id, flow, line, custom_id, bytes, max_output, beyond, names_tier, state, due, lease, attempts_used)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0)
        """
    static let jobs: StaticString = """
        INSERT OR ROLLBACK INTO job
            (id, flow, line, custom_id, bytes, max_output, beyond, names_tier, state, due, lease, attempts_used)
        VALUES
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0), (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0),
        (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0, 0)
        """
    static let rowsPerStatement = 40
}

/// The rows of one chunk, bound by pointer into its buffer: nothing is copied or allocated per line.
struct ChunkRows {
    let chunk: IntakeChunk
    /// The durable ids of the chunk's flows.
    let flows: [FlowID]
    let firstID: JobID

    func insert(through connection: Connection) throws(StoreError) {
        try chunk.buffer.withUnsafeBufferPointer { (buffer) throws(StoreError) in
            let bytes = UnsafeRawBufferPointer(buffer)
            // Table by table, so that each one's last page stays at hand.
            try insert(SQL.payload, SQL.payloads, width: 2, connection) { statement, row, place in
                bindPayload(statement, row, place, bytes)
            }
            try insert(SQL.job, SQL.jobs, width: 8, connection) { statement, row, place in
                bindJob(statement, row, place, bytes)
            }
        }
    }

    /// Runs the statement for many rows as often as it is filled, and the one for a single row for the rest.
    @inline(__always)
    private func insert(
        _ single: StaticString, _ many: StaticString, width: Int32, _ connection: Connection,
        bind: (Statement, Int, Int32) -> Void
    ) throws(StoreError) {
        var row = 0
        if chunk.lines.count >= SQL.rowsPerStatement {
            let statement = try connection.statement(many)
            while row + SQL.rowsPerStatement <= chunk.lines.count {
                for offset in 0..<SQL.rowsPerStatement { bind(statement, row + offset, Int32(offset) * width) }
                try statement.run()
                row += SQL.rowsPerStatement
            }
        }
        let statement = try connection.statement(single)
        while row < chunk.lines.count {
            bind(statement, row, 0)
            try statement.run()
            row += 1
        }
    }

    @inline(__always)
    private func bindPayload(_ statement: Statement, _ row: Int, _ place: Int32, _ bytes: UnsafeRawBufferPointer) {
        let body = UnsafeRawBufferPointer(rebasing: bytes[chunk.lines[row].body])
        statement.bind(place + 1, firstID + Int64(row))
        statement.bindBlob(place + 2, at: body.baseAddress, count: body.count)
    }

    @inline(__always)
    private func bindJob(_ statement: Statement, _ row: Int, _ place: Int32, _ bytes: UnsafeRawBufferPointer) {
        let line = chunk.lines[row]
        let customID = UnsafeRawBufferPointer(rebasing: bytes[line.customID])
        statement.bind(place + 1, firstID + Int64(row))
        statement.bind(place + 2, flows[line.flow])
        statement.bind(place + 3, line.line)
        statement.bindText(place + 4, at: customID.baseAddress, count: customID.count)
        statement.bind(place + 5, line.body.count)
        statement.bind(place + 6, line.maxOutputTokens)
        statement.bind(place + 7, line.beyond.code)
        statement.bind(place + 8, line.namesTier ? 1 : 0)
    }
}
