import OffpeakCore

/// Goes through a batch's jobs in input order, page by page. Between two pages no transaction is open, so an export of
/// any length keeps no checkpoint waiting; a page may show a later moment than the one before.
package struct ResultCursor {
    private let connection: Connection
    private var after: JobID
    private let end: JobID
    private let receipts: Bool

    private static let pageRows = 500
    private static let pageBytes = 4 * 1_048_576

    private enum SQL {
        static let page: StaticString = """
            SELECT job.id, job.line, job.custom_id, job.flow, job.state, result.lease, result.status_code,
                result.request_id, result.body, failure.failure_class, failure.code, failure.message,
                failure.status_code, result.erased,
                CASE WHEN job.state = 6 AND job.lease > 0
                    THEN (SELECT max(outcome) FROM attempt WHERE attempt.job = job.id) END
            FROM job LEFT JOIN result ON result.job = job.id LEFT JOIN failure ON failure.job = job.id
            WHERE job.id > ? AND job.id <= ? ORDER BY job.id LIMIT ?
            """
    }

    init(connection: Connection, batch: BatchID, receipts: Bool) {
        self.connection = connection
        self.receipts = receipts
        let range = JobRange(batch)
        after = range.start
        end = range.end
    }

    /// The next jobs, at most some hundreds and some megabytes; empty at the end.
    package mutating func next() throws(StoreError) -> [ResultRow] {
        guard receipts else { return try page() }
        let before = after
        return try connection.snapshot { () throws(StoreError) in
            var rows = try page()
            guard let last = rows.last?.job else { return rows }
            let answered = Dictionary(uniqueKeysWithValues: rows.map { ($0.job, $0.answer?.attempt) })
            let receipts = try connection.receipts(after: before, to: last) { answered[$0] ?? nil }
            for i in rows.indices { rows[i].receipt = receipts[rows[i].job] }
            return rows
        }
    }

    private mutating func page() throws(StoreError) -> [ResultRow] {
        var rows: [ResultRow] = []
        var bytes = 0
        let statement = try connection.statement(SQL.page)
        statement.bindAll([after, end, Self.pageRows])
        defer { statement.reset() }
        while bytes < Self.pageBytes, try statement.step() {
            var answer: RecordedAnswer?
            if !statement.isNull(5) {
                answer = RecordedAnswer(
                    attempt: statement.int(5), statusCode: statement.int(6), requestID: statement.string(7),
                    body: statement.bytes(8), isErased: statement.int(13) != 0)
            }
            bytes += answer?.body.count ?? 0
            after = statement.int64(0)
            rows.append(
                ResultRow(
                    job: after, line: statement.int(1), customID: statement.bytes(2), flow: statement.int64(3),
                    state: try statement.jobState(4), answer: answer, failure: statement.failure(9),
                    sentInVain: statement.optionalInt(14).flatMap { AttemptRecord.Outcome(rawValue: $0) }))
        }
        return rows
    }
}
