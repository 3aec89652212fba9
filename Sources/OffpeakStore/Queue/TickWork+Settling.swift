import OffpeakCore

private enum SQL {
    static let succeedAttempt: StaticString = """
        UPDATE attempt SET outcome = 1, ended = ?3, status_code = ?4, input_tokens = ?5, cached_tokens = ?6,
            output_tokens = ?7, reason = ?8, lane = coalesce(?9, lane)
        WHERE job = ?1 AND lease = ?2 AND outcome = 0
        """
    static let failAttempt: StaticString = """
        UPDATE attempt SET outcome = ?12, ended = ?3, status_code = ?4, input_tokens = ?5, cached_tokens = ?6,
            output_tokens = ?7, reason = ?8, disposition = ?9, failure_class = ?10, code = ?11, message = ?13,
            lane = coalesce(?14, lane)
        WHERE job = ?1 AND lease = ?2 AND outcome = 0
        """
    static let findAttempt: StaticString =
        "SELECT outcome, input_tokens, cached_tokens, output_tokens FROM attempt WHERE job = ? AND lease = ?"
    /// A late answer takes the place of the failure or the unknown outcome that was recorded for its attempt.
    static let succeedLateAttempt: StaticString = """
        UPDATE attempt SET outcome = 1, ended = ?3, status_code = ?4, input_tokens = ?5, cached_tokens = ?6,
            output_tokens = ?7, reason = ?8, disposition = NULL, failure_class = NULL, code = NULL, message = NULL,
            request_id = ?9, lane = coalesce(?10, lane)
        WHERE job = ?1 AND lease = ?2
        """
    static let failLateAttempt: StaticString = """
        UPDATE attempt SET outcome = 2, ended = ?3, status_code = ?4, input_tokens = ?5, cached_tokens = ?6,
            output_tokens = ?7, failure_class = ?8, code = ?9, message = ?10, lane = coalesce(?11, lane)
        WHERE job = ?1 AND lease = ?2
        """
    static let succeedJob: StaticString =
        "UPDATE job SET state = 2, attempts_used = ?3 WHERE id = ?1 AND lease = ?2 AND state = 1"
    static let moveJob: StaticString = """
        UPDATE job SET state = ?3, due = ?4, attempts_used = ?5 WHERE id = ?1 AND lease = ?2 AND state = 1
        """
    static let insertResult: StaticString =
        "INSERT INTO result (job, lease, status_code, request_id, body) VALUES (?, ?, ?, ?, ?)"
    static let findJob: StaticString =
        "SELECT state, flow, EXISTS (SELECT 1 FROM result WHERE job = ?1) FROM job WHERE id = ?1"
    static let succeedLateJob: StaticString =
        "UPDATE job SET state = 2, due = NULL WHERE id = ?"
    static let deleteFailure: StaticString = "DELETE FROM failure WHERE job = ?"
    static let recordFailure: StaticString = """
        INSERT INTO failure (job, failure_class, code, message, status_code) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (job) DO UPDATE SET failure_class = excluded.failure_class, code = excluded.code,
            message = excluded.message, status_code = excluded.status_code
        """
}

/// How an attempt ended, as the `attempt` table has it.
enum RecordedOutcome: Int {
    case begun = 0
    case succeeded = 1
    case failed = 2
    case unknown = 3

    init(_ failure: Failure) { self = failure.failureClass == .unknownOutcome ? .unknown : .failed }
}

extension TickWork {
    mutating func settle(_ settlement: Settlement) throws(StoreError) {
        switch settlement.outcome {
        case .success(let answer): try succeed(settlement, answer)
        case .failure(let failure): try fail(settlement, failure)
        }
    }

    // MARK: Answers

    private mutating func succeed(_ settlement: Settlement, _ answer: Answer) throws(StoreError) {
        let attempt = try connection.statement(SQL.succeedAttempt)
        bindEnd(attempt, settlement, statusCode: answer.statusCode, usage: answer.usage)
        bindText(attempt, 8, settlement.reason)
        bindLane(attempt, 9, settlement)
        if try attempt.run() == 1 {
            changes.add(settlement.flow, answer.usage)
            if let entry = settlement.entry {
                try ledger.add(entry, of: settlement, answered: true, to: connection, at: now)
            }
        } else {
            guard try recordLate(settlement, answer) else { return }
        }
        let job = try connection.statement(SQL.succeedJob)
        job.bind(1, settlement.job)
        job.bind(2, settlement.lease)
        job.bind(3, settlement.attemptsUsed)
        if try job.run() == 1 {
            try insertResult(settlement, answer)
            changes.move(settlement.flow, from: .inFlight, to: .succeeded)
            try erasure.ended(settlement.job, of: settlement.flow, in: connection)
        } else {
            try succeedLate(settlement, answer)
        }
    }

    /// Records an answer in an attempt that has an end already; false when there is nothing to record.
    private mutating func recordLate(_ settlement: Settlement, _ answer: Answer) throws(StoreError) -> Bool {
        guard let earlier = try recorded(settlement), earlier.outcome != .succeeded else { return false }
        let attempt = try connection.statement(SQL.succeedLateAttempt)
        bindEnd(attempt, settlement, statusCode: answer.statusCode, usage: answer.usage)
        bindText(attempt, 8, settlement.reason)
        bindText(attempt, 9, answer.requestID)
        bindLane(attempt, 10, settlement)
        try attempt.run()
        changes.add(settlement.flow, answer.usage - earlier.usage)
        if let entry = settlement.entry {
            try ledger.correct(entry, of: settlement, answered: true, to: connection, at: now)
        }
        return true
    }

    /// The job is not in flight under this lease any more. A paid answer is kept all the same if it has none yet.
    private mutating func succeedLate(_ settlement: Settlement, _ answer: Answer) throws(StoreError) {
        let found = try connection.first(SQL.findJob, settlement.job) { (row) throws(StoreError) in
            (state: try row.jobState(0), flow: row.int64(1), hasResult: row.int(2) != 0)
        }
        guard let found, !found.hasResult else { return }
        try connection.run(SQL.succeedLateJob, settlement.job)
        try connection.run(SQL.deleteFailure, settlement.job)
        try insertResult(settlement, answer)
        changes.move(found.flow, from: found.state, to: .succeeded)
        try erasure.ended(settlement.job, of: found.flow, in: connection)
    }

    private func insertResult(_ settlement: Settlement, _ answer: Answer) throws(StoreError) {
        let insert = try connection.statement(SQL.insertResult)
        insert.bind(1, settlement.job)
        insert.bind(2, settlement.lease)
        insert.bind(3, answer.statusCode)
        insert.bind(4, answer.requestID)
        try insert.run(binding: 5, to: answer.body)
    }

    // MARK: Failures

    private mutating func fail(_ settlement: Settlement, _ failure: Failure) throws(StoreError) {
        let outcome = RecordedOutcome(failure)
        let attempt = try connection.statement(SQL.failAttempt)
        bindEnd(attempt, settlement, statusCode: failure.statusCode, usage: failure.usage)
        // Whatever the scheduler wanted, nothing of a cancelled batch goes on or waits for a person: that is no disposition.
        let isCancelled = try target(of: settlement).0 == .cancelled
        bindText(
            attempt, 8,
            isCancelled ? "\(failure.failureClass.rawValue): its batch was cancelled" : settlement.reason)
        bindText(attempt, 9, isCancelled ? "" : settlement.disposition.word)
        attempt.bind(10, failure.failureClass.rawValue)
        attempt.bind(11, failure.code)
        attempt.bind(12, outcome.rawValue)
        attempt.bind(13, failure.message)
        bindLane(attempt, 14, settlement)
        if try attempt.run() == 1 {
            changes.add(settlement.flow, failure.usage)
            if let entry = settlement.entry {
                try ledger.add(entry, of: settlement, answered: false, to: connection, at: now)
            }
            try moveAfterFailure(settlement, failure)
        } else if outcome == .failed, let earlier = try recorded(settlement), earlier.outcome == .unknown {
            // What had been lost is known now; what became of the job then stays.
            let late = try connection.statement(SQL.failLateAttempt)
            bindEnd(late, settlement, statusCode: failure.statusCode, usage: failure.usage)
            late.bind(8, failure.failureClass.rawValue)
            late.bind(9, failure.code)
            late.bind(10, failure.message)
            bindLane(late, 11, settlement)
            try late.run()
            changes.add(settlement.flow, failure.usage - earlier.usage)
            if let entry = settlement.entry {
                try ledger.correct(entry, of: settlement, answered: false, to: connection, at: now)
            }
        }
    }

    private mutating func moveAfterFailure(_ settlement: Settlement, _ failure: Failure) throws(StoreError) {
        let (target, due) = try target(of: settlement)
        let job = try connection.statement(SQL.moveJob)
        job.bind(1, settlement.job)
        job.bind(2, settlement.lease)
        job.bind(3, target.rawValue)
        if let due { job.bind(4, due) } else { job.bindNull(4) }
        job.bind(5, settlement.attemptsUsed)
        guard try job.run() == 1 else { return }
        changes.move(settlement.flow, from: .inFlight, to: target)
        if target == .ready { becameReady(settlement.flow) }
        if let due { scheduled(for: due) }
        if target == .parked || target == .failed {
            try connection.recordFailure(failure, of: settlement.job)
        }
        if target.isFinal { try erasure.ended(settlement.job, of: settlement.flow, in: connection) }
    }

    /// Where the job goes, and when it is due there.
    private mutating func target(of settlement: Settlement) throws(StoreError) -> (JobState, Timestamp?) {
        guard let (state, due) = settlement.disposition.targetAfterFailure(at: now) else {
            preconditionFailure("a failed attempt cannot complete job \(settlement.job)")
        }
        if state == .failed { return (state, nil) }
        return try gate(settlement.flow).cancelled ? (.cancelled, nil) : (state, due)
    }

    // MARK: Common

    private func recorded(
        _ settlement: Settlement
    ) throws(StoreError) -> (outcome: RecordedOutcome, usage: Usage)? {
        try connection.first(SQL.findAttempt, settlement.job, settlement.lease) { (row) throws(StoreError) in
            guard let outcome = RecordedOutcome(rawValue: row.int(0)) else {
                throw StoreError(.corrupt, message: "unknown attempt outcome in the queue")
            }
            return (outcome, row.usage(1))
        }
    }

    /// Parameters 1 to 7, which all statements about an attempt's end share.
    private func bindEnd(_ statement: Statement, _ settlement: Settlement, statusCode: Int, usage: Usage) {
        statement.bind(1, settlement.job)
        statement.bind(2, settlement.lease)
        statement.bind(3, settlement.ended)
        statement.bind(4, statusCode)
        statement.bind(5, usage.inputTokens)
        statement.bind(6, usage.cachedTokens)
        statement.bind(7, usage.outputTokens)
    }

    /// The lane whose tier served, where that is entered.
    private func bindLane(_ statement: Statement, _ index: Int32, _ settlement: Settlement) {
        if let entry = settlement.entry {
            statement.bind(index, entry.route.lane.rawValue)
        } else {
            statement.bindNull(index)
        }
    }

    private func bindText(_ statement: Statement, _ index: Int32, _ text: String) {
        if text.isEmpty { statement.bindNull(index) } else { statement.bind(index, text) }
    }
}

extension Connection {
    /// Why a job is parked or has failed.
    func recordFailure(_ failure: Failure, of job: JobID) throws(StoreError) {
        try run(
            SQL.recordFailure, job, failure.failureClass.rawValue, failure.code, failure.message, failure.statusCode)
    }
}

extension Disposition {
    /// The job's state after a failed attempt, and its due time when that state is scheduled; nil for `complete`.
    func targetAfterFailure(at now: Timestamp) -> (JobState, Timestamp?)? {
        switch self {
        case .complete: nil
        case .nextKey, .shared, .nextModel: (.ready, nil)
        case .retry(let moment), .defer(let moment): moment > now ? (.scheduled, moment) : (.ready, nil)
        case .park: (.parked, nil)
        case .fail: (.failed, nil)
        }
    }
}
