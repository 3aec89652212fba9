import OffpeakCore

private enum SQL {
    static let gate: StaticString = """
        SELECT batch.state, batch.paused OR EXISTS (SELECT 1 FROM pause WHERE kind = 0 AND name = flow.class)
        FROM flow JOIN batch ON batch.id = flow.batch WHERE flow.id = ?
        """
    static let keyPaused: StaticString = "SELECT 1 FROM pause WHERE kind = 1 AND name = ?"
    static let begin: StaticString =
        "UPDATE job SET state = 1, lease = ?2 WHERE id = ?1 AND lease = ?2 - 1 AND state = 0 AND flow = ?3"
    static let stop: StaticString = "UPDATE job SET state = ?3 WHERE id = ?1 AND lease = ?2 AND state = 0"
    static let insertAttempt: StaticString = """
        INSERT INTO attempt (job, lease, key, model, started, reserved_tokens, passed_over, bill, lane, day,
            worst_provider, worst_platform, worst_list, worst_tokens, outcome)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
        """
    static let body: StaticString = "SELECT body FROM payload WHERE job = ?"
    static let dueFlows: StaticString = """
        SELECT id FROM flow WHERE scheduled > 0
            AND (SELECT due FROM job WHERE state = 4 AND flow = flow.id ORDER BY due LIMIT 1) <= ? ORDER BY id
        """
    static let promote: StaticString = """
        UPDATE job SET state = 0, due = NULL
        WHERE id IN (SELECT id FROM job WHERE state = 4 AND flow = ?1 AND due <= ?2 ORDER BY due, id LIMIT ?3)
        """
    static let hold: StaticString = "UPDATE flow SET held_reason = ?2, held_until = ?3 WHERE id = ?1"
    static let remember: StaticString = """
        INSERT INTO key_memory (key, health, reason, blocked_until, learned_requests, learned_window, use_of_limit)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (key) DO UPDATE SET health = excluded.health, reason = excluded.reason,
            blocked_until = excluded.blocked_until, learned_requests = excluded.learned_requests,
            learned_window = excluded.learned_window, use_of_limit = excluded.use_of_limit
        """
    static let addDayUse: StaticString = """
        INSERT INTO key_day (key, day, requests, tokens) VALUES (?, ?, ?, ?)
        ON CONFLICT (key, day) DO UPDATE SET requests = requests + excluded.requests, tokens = tokens + excluded.tokens
        """
}

/// The statements of one tick; lives within one transaction, so what it has read of pauses and batches stays true.
struct TickWork {
    /// Whether a flow's jobs may begin.
    struct Gate {
        var cancelled: Bool
        var open: Bool
    }

    let connection: Connection
    let now: Timestamp
    /// No scheduled job is due before this.
    var dueBound: Timestamp
    var result = TickResult()
    var changes = FlowChanges()
    var ledger = LedgerWriting()
    var erasure = Erasure()
    /// Jobs that settlements and promotion made ready.
    private var madeReady: [FlowID: Int] = [:]
    private var earliestNewDue = Timestamp.distantFuture
    private var gates: [FlowID: Gate] = [:]
    private var pausedKeys: [String: Bool] = [:]

    init(connection: Connection, now: Timestamp, dueBound: Timestamp) {
        self.connection = connection
        self.now = now
        self.dueBound = dueBound
    }

    mutating func perform(_ tick: Tick) throws(StoreError) {
        for settlement in tick.settlements { try settle(settlement) }
        if dueBound <= now { try promote(limit: tick.promotionLimit) }
        result.promoted = madeReady.sorted { $0.key < $1.key }.map { FlowCount(flow: $0.key, jobs: $0.value) }
        for stop in tick.stops { try self.stop(stop) }
        for start in tick.starts { try begin(start) }
        for hold in tick.holds {
            try connection.run(SQL.hold, hold.flow, hold.hold?.reason, hold.hold?.until)
        }
        for memory in tick.keyMemories {
            try connection.run(
                SQL.remember, memory.key, memory.health, memory.reason, memory.blockedUntil, memory.learnedRequests,
                memory.learnedWindow?.milliseconds, memory.useOfLimit)
        }
        for use in tick.dayUse { try connection.run(SQL.addDayUse, use.key, use.day, use.requests, use.tokens) }
        try ledger.apply(to: connection)
        result.finished = try changes.apply(to: connection, at: now)
    }

    private mutating func promote(limit: Int) throws(StoreError) {
        var flows: [FlowID] = []
        try connection.query(SQL.dueFlows, now) { row in flows.append(row.int64(0)) }
        var left = limit
        for flow in flows where left > 0 {
            let count = try connection.run(SQL.promote, flow, now, left)
            guard count > 0 else { continue }
            changes.move(flow, from: .scheduled, to: .ready, count: count)
            becameReady(flow, count: count)
            left -= count
        }
        // Counters of this transaction are not written yet: a flow without scheduled jobs may be looked at in vain, and
        // one that has its first ones is not found, hence the second term.
        dueBound = min(try connection.nextDue() ?? .distantFuture, earliestNewDue)
    }

    /// Notes that jobs may be taken again: whoever holds pages of the flow has to read it anew.
    mutating func becameReady(_ flow: FlowID, count: Int = 1) { madeReady[flow, default: 0] += count }

    /// Notes that a job has been scheduled.
    mutating func scheduled(for due: Timestamp) {
        earliestNewDue = min(earliestNewDue, due)
        dueBound = min(dueBound, due)
    }

    private mutating func stop(_ stop: JobStop) throws(StoreError) {
        guard try connection.run(SQL.stop, stop.job, stop.lease, stop.state.rawValue) == 1 else { return }
        try connection.recordFailure(stop.failure, of: stop.job)
        changes.move(stop.flow, from: .ready, to: stop.state)
        if stop.state == .parked { result.parked += 1 } else { result.failed += 1 }
        if stop.state.isFinal { try erasure.ended(stop.job, of: stop.flow, in: connection) }
    }

    private mutating func begin(_ start: AttemptStart) throws(StoreError) {
        guard try gate(start.flow).open, try !isPaused(key: start.key) else {
            result.refused.append(start.job)
            return
        }
        let update = try connection.statement(SQL.begin)
        update.bind(1, start.job)
        update.bind(2, start.lease)
        update.bind(3, start.flow)
        guard try update.run() == 1 else {
            result.refused.append(start.job)
            return
        }
        let insert = try connection.statement(SQL.insertAttempt)
        insert.bind(1, start.job)
        insert.bind(2, start.lease)
        insert.bind(3, start.key)
        insert.bind(4, start.model)
        insert.bind(5, start.started)
        insert.bind(6, start.reservedTokens)
        if start.passedOver.isEmpty { insert.bindNull(7) } else { insert.bind(7, start.passedOver) }
        insert.bind(8, start.bill.rawValue)
        insert.bind(9, start.lane.rawValue)
        insert.bind(10, start.day)
        insert.bind(11, start.worst.provider.nanodollars)
        insert.bind(12, start.worst.platform.nanodollars)
        insert.bind(13, start.worst.list.nanodollars)
        insert.bind(14, start.worstTokens)
        try insert.run()
        let payload = try connection.statement(SQL.body)
        payload.bind(1, start.job)
        defer { payload.reset() }
        guard try payload.step() else {
            throw StoreError(.corrupt, message: "job \(start.job) has no payload", statement: "\(SQL.body)")
        }
        changes.move(start.flow, from: .ready, to: .inFlight)
        result.begun.append(
            BegunAttempt(job: start.job, flow: start.flow, lease: start.lease, body: payload.bytes(0)))
    }

    mutating func gate(_ flow: FlowID) throws(StoreError) -> Gate {
        if let known = gates[flow] { return known }
        let found = try connection.first(SQL.gate, flow) { row in
            Gate(cancelled: row.int(0) >= 2, open: row.int(0) == 1 && row.int(1) == 0)
        }
        let gate = found ?? Gate(cancelled: true, open: false)
        gates[flow] = gate
        return gate
    }

    private mutating func isPaused(key: String) throws(StoreError) -> Bool {
        if let known = pausedKeys[key] { return known }
        let paused = try connection.first(SQL.keyPaused, key) { _ in true } ?? false
        pausedKeys[key] = paused
        return paused
    }
}
