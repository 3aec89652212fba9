import OffpeakCore

private enum SQL {
    static let openFlows: StaticString = """
        SELECT flow.id, flow.batch, flow.class, flow.model, flow.endpoint, batch.priority, batch.deadline, batch.paused
        FROM flow JOIN batch ON batch.id = flow.batch
        WHERE batch.state = 1 AND flow.ready + flow.in_flight + flow.parked + flow.scheduled > 0
        ORDER BY flow.id
        """
    static let peek: StaticString = """
        SELECT id, lease, attempts_used, bytes, max_output, beyond, names_tier FROM job
        WHERE state = 0 AND flow = ? AND id > ? ORDER BY id LIMIT ?
        """
    static let openAttempts: StaticString = """
        SELECT job.id, job.flow, attempt.lease, job.attempts_used, job.bytes, job.max_output,
            attempt.key, attempt.model, attempt.started, attempt.reserved_tokens, attempt.bill, attempt.lane, attempt.day,
            attempt.worst_provider, attempt.worst_platform, 0, attempt.worst_list, attempt.worst_tokens, job.beyond
        FROM attempt JOIN job ON job.id = attempt.job WHERE attempt.outcome = 0 ORDER BY attempt.job, attempt.lease
        """
    /// One look into the index per flow that has scheduled jobs.
    static let nextDue: StaticString = """
        SELECT min((SELECT due FROM job WHERE state = 4 AND flow = flow.id ORDER BY due LIMIT 1))
        FROM flow WHERE scheduled > 0
        """
    static let attemptsBackwards: StaticString = """
        SELECT key, started, ended, reserved_tokens, input_tokens + output_tokens, outcome FROM attempt ORDER BY id DESC
        """
    static let dayUse: StaticString = "SELECT key, requests, tokens FROM key_day WHERE day = ? ORDER BY key"
    static let keyMemories: StaticString = """
        SELECT key, health, reason, blocked_until, learned_requests, learned_window, use_of_limit
        FROM key_memory ORDER BY key
        """
    static let pauses: StaticString = "SELECT kind, name FROM pause"
    static let dataVersion: StaticString = "PRAGMA data_version"
    static let spend: StaticString = """
        SELECT account.key, account.bill, account.lane, account.model, account.class, account.batch, spend.day,
            spend.attempts, spend.answers, spend.input_tokens, spend.cached_tokens, spend.cache_write_tokens,
            spend.output_tokens, spend.reasoning_tokens, spend.provider, spend.platform, spend.credit, spend.list,
            spend.requests, spend.tokens
        FROM spend JOIN account ON account.id = spend.account ORDER BY spend.account, spend.day
        """
}

extension SQLiteQueue {
    package func openFlows() throws(StoreError) -> [Flow] {
        var flows: [Flow] = []
        try connection.query(SQL.openFlows) { (row) throws(StoreError) in
            flows.append(
                Flow(
                    id: row.int64(0), batch: row.int64(1), className: row.string(2), model: row.string(3),
                    endpoint: try row.endpoint(4), priority: row.optionalInt(5), deadline: row.optionalTime(6),
                    paused: row.int(7) != 0))
        }
        return flows
    }

    package func peek(flow: FlowID, after: JobID?, limit: Int) throws(StoreError) -> [JobTicket] {
        var tickets: [JobTicket] = []
        try connection.query(SQL.peek, flow, after ?? 0, limit) { row in
            tickets.append(
                JobTicket(
                    id: row.int64(0), flow: flow, lease: row.int(1), attemptsUsed: row.int(2), bodyBytes: row.int(3),
                    maxOutputTokens: row.optionalInt(4), beyond: BeyondBytes(code: row.int(5)),
                    namesTier: row.int(6) != 0))
        }
        return tickets
    }

    package func openAttempts() throws(StoreError) -> [OpenAttempt] {
        var attempts: [OpenAttempt] = []
        try connection.query(SQL.openAttempts) { (row) throws(StoreError) in
            let ticket = JobTicket(
                id: row.int64(0), flow: row.int64(1), lease: row.int(2), attemptsUsed: row.int(3),
                bodyBytes: row.int(4), maxOutputTokens: row.optionalInt(5), beyond: BeyondBytes(code: row.int(18)))
            attempts.append(
                OpenAttempt(
                    ticket: ticket, key: row.string(6), model: row.string(7), started: row.time(8),
                    reservedTokens: row.int(9), bill: try row.billing(10), lane: try row.lane(11),
                    worst: row.charge(13), worstTokens: row.int(17), day: row.int(12)))
        }
        return attempts
    }

    package func nextDue() throws(StoreError) -> Timestamp? { try connection.nextDue() }

    package func recentAttempts(since: Timestamp) throws(StoreError) -> [RecentAttempt] {
        try connection.recentAttempts(since: since)
    }

    package func spend() throws(StoreError) -> [SpendRow] { try connection.spend() }

    package func dayUse(day: Int) throws(StoreError) -> [KeyDayUse] { try connection.dayUse(day: day) }

    package func keyMemories() throws(StoreError) -> [KeyMemory] { try connection.keyMemories() }

    package func pauses() throws(StoreError) -> Pauses { try connection.pauses() }

    package func dataVersion() throws(StoreError) -> Int { try connection.integer(SQL.dataVersion) }
}

extension Connection {
    func nextDue() throws(StoreError) -> Timestamp? {
        try first(SQL.nextDue) { row in row.optionalTime(0) } ?? nil
    }

    func recentAttempts(since: Timestamp) throws(StoreError) -> [RecentAttempt] {
        var attempts: [RecentAttempt] = []
        let statement = try statement(SQL.attemptsBackwards)
        defer { statement.reset() }
        // Ids ascend with time. After a step of the wall clock between two runs this takes more attempts, not fewer.
        while try statement.step(), statement.time(1) >= since {
            let outcome = statement.int(5)
            attempts.append(
                RecentAttempt(
                    key: statement.string(0), started: statement.time(1), ended: statement.optionalTime(2),
                    reservedTokens: statement.int(3), usedTokens: outcome == 0 ? nil : statement.int(4),
                    isUnknown: outcome == 3))
        }
        return attempts
    }

    func dayUse(day: Int) throws(StoreError) -> [KeyDayUse] {
        var uses: [KeyDayUse] = []
        try query(SQL.dayUse, day) { row in
            uses.append(KeyDayUse(key: row.string(0), day: day, requests: row.int(1), tokens: row.int(2)))
        }
        return uses
    }

    func spend() throws(StoreError) -> [SpendRow] {
        var rows: [SpendRow] = []
        try query(SQL.spend) { (row) throws(StoreError) in
            let route = LedgerRoute(
                key: row.string(0), bill: try row.billing(1), lane: try row.lane(2), model: row.string(3))
            rows.append(
                SpendRow(
                    route: route, className: row.string(4), batch: row.int64(5), day: row.int(6), attempts: row.int(7),
                    answers: row.int(8), requests: row.int(18), tokens: row.int(19), usage: row.fullUsage(9),
                    charge: row.charge(14)))
        }
        return rows
    }

    func keyMemories() throws(StoreError) -> [KeyMemory] {
        var memories: [KeyMemory] = []
        try query(SQL.keyMemories) { row in
            memories.append(
                KeyMemory(
                    key: row.string(0), health: row.string(1), reason: row.string(2), blockedUntil: row.optionalTime(3),
                    learnedRequests: row.optionalInt(4),
                    learnedWindow: row.optionalInt(5).map { .milliseconds(Int64($0)) }, useOfLimit: row.int(6)))
        }
        return memories
    }

    func pauses() throws(StoreError) -> Pauses {
        var pauses = Pauses()
        try query(SQL.pauses) { row in
            if row.int(0) == 0 { pauses.classes.insert(row.string(1)) } else { pauses.keys.insert(row.string(1)) }
        }
        return pauses
    }
}

extension Statement {
    func endpoint(_ column: Int32) throws(StoreError) -> Endpoint {
        guard let endpoint = Endpoint(rawValue: int(column)) else {
            throw StoreError(.corrupt, message: "unknown endpoint in the queue", statement: "\(text)")
        }
        return endpoint
    }

    func billing(_ column: Int32) throws(StoreError) -> Billing {
        guard let billing = Billing(rawValue: string(column)) else {
            throw StoreError(.corrupt, message: "unknown bill in the queue", statement: "\(text)")
        }
        return billing
    }

    func lane(_ column: Int32) throws(StoreError) -> Lane {
        guard let lane = Lane(rawValue: string(column)) else {
            throw StoreError(.corrupt, message: "unknown lane in the queue", statement: "\(text)")
        }
        return lane
    }

    func jobState(_ column: Int32) throws(StoreError) -> JobState {
        guard let state = JobState(rawValue: int(column)) else {
            throw StoreError(.corrupt, message: "unknown job state in the queue", statement: "\(text)")
        }
        return state
    }

    /// Three columns: input, cached and output tokens; NULL counts as 0.
    func usage(_ first: Int32) -> Usage {
        Usage(inputTokens: int(first), cachedTokens: int(first + 1), outputTokens: int(first + 2))
    }
}
