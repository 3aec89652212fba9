import OffpeakCore

/// Classes that keep no prompts: when one of their jobs has ended, its prompt gives way to its hash, and what providers said
/// of its failures, which may quote the prompt, to our own words.
///
/// Which classes these are is in the queue, so that whoever ends a job knows it, with or without the configuration.
struct Erasure {
    /// Jobs per transaction of a sweep.
    static let slice = 1_000

    private enum SQL {
        static let clear: StaticString = "DELETE FROM retain"
        static let add: StaticString = "INSERT INTO retain (class, answers) VALUES (?, ?)"
        static let hasAny: StaticString = "SELECT EXISTS (SELECT 1 FROM retain)"
        static let concerns: StaticString =
            "SELECT 1 FROM flow JOIN retain ON retain.class = flow.class WHERE flow.id = ?"
        static let body: StaticString = "SELECT body FROM payload WHERE job = ? AND erased = 0"
        static let erase: StaticString = "UPDATE payload SET erased = 1, body = ?2 WHERE job = ?1"
        static let attempts: StaticString =
            "SELECT id, message, coalesce(status_code, 0) FROM attempt WHERE job = ? AND message IS NOT NULL"
        static let rewordAttempt: StaticString = "UPDATE attempt SET message = ?2 WHERE id = ?1"
        static let failure: StaticString = "SELECT job, message, status_code FROM failure WHERE job = ?"
        static let rewordFailure: StaticString = "UPDATE failure SET message = ?2 WHERE job = ?1"
        static let ended: StaticString = """
            SELECT job.id FROM job JOIN payload ON payload.job = job.id JOIN flow ON flow.id = job.flow
                JOIN retain ON retain.class = flow.class
            WHERE job.id > ? AND job.id <= ? AND job.state IN (2, 5, 6) AND payload.erased = 0 ORDER BY job.id LIMIT ?
            """
    }

    private var flows: [FlowID: Bool] = [:]
    /// Something was erased: the log has to be written back.
    private(set) var hasErased = false

    /// A job of a flow has ended, for good.
    mutating func ended(_ job: JobID, of flow: FlowID, in connection: Connection) throws(StoreError) {
        if flows[flow] == nil { flows[flow] = try connection.first(SQL.concerns, flow) { _ in true } ?? false }
        guard flows[flow] == true else { return }
        try Self.erase(job, connection)
        hasErased = true
    }

    private static func erase(_ job: JobID, _ connection: Connection) throws(StoreError) {
        guard let body = try connection.first(SQL.body, job, row: { row in row.bytes(0) }) else { return }
        let statement = try connection.statement(SQL.erase)
        statement.bind(1, job)
        try statement.run(binding: 2, to: SHA256.hash(of: body))
        // A run tells us only our own words in the first place; these are from before the class was told to keep no prompts.
        try reword(SQL.attempts, SQL.rewordAttempt, job, connection)
        try reword(SQL.failure, SQL.rewordFailure, job, connection)
    }

    /// Leaves our own words of the messages that the first statement selects by job, with their rows' ids and HTTP statuses.
    private static func reword(
        _ messages: StaticString, _ update: StaticString, _ job: JobID, _ connection: Connection
    ) throws(StoreError) {
        var changed: [(id: Int64, message: String)] = []
        try connection.query(messages, job) { row in
            let message = row.string(1)
            let own = Failure.ownWords(of: message, statusCode: row.int(2))
            if own != message { changed.append((row.int64(0), own)) }
        }
        for (id, message) in changed { try connection.run(update, id, message) }
    }

    /// Says what classes keep of a job that has ended; those that are not named keep all of it.
    static func set(_ classes: [String: Retention], in connection: Connection) throws(StoreError) {
        try connection.run(SQL.clear)
        for (name, retention) in classes.sorted(by: { $0.key < $1.key }) {
            try connection.run(SQL.add, name, retention == .nothing ? 0 : 1)
        }
    }

    /// Erases the prompts of jobs that have ended otherwise than by an answer: cancelled, or all at once; or before their
    /// class was told to keep none.
    static func sweep(_ writer: Writer, batch: BatchID? = nil) throws(StoreError) {
        guard try writer.connection.integer(SQL.hasAny) == 1 else { return }
        var cursor = batch.map { JobRange($0).start } ?? 0
        let end = batch.map { JobRange($0).end } ?? .max
        while true {
            var jobs: [JobID] = []
            try writer.connection.query(SQL.ended, cursor, end, slice) { row in jobs.append(row.int64(0)) }
            guard let last = jobs.last else { return }
            cursor = last
            try writer.transaction { () throws(StoreError) in
                for job in jobs { try erase(job, writer.connection) }
            }
        }
    }
}

extension SQLiteQueue {
    /// Sets the classes that do not keep all of a job that has ended, and erases the prompts of what ended before.
    package func retain(_ classes: [String: Retention]) throws(StoreError) {
        try transaction { (connection) throws(StoreError) in try Erasure.set(classes, in: connection) }
        try erasesPrompts(!classes.isEmpty)
    }
}
