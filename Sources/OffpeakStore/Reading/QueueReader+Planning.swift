import OffpeakCore

/// A job as forecasts need it.
package struct PlannedJob: Sendable, Equatable {
    package var bodyBytes: Int
    package var maxOutputTokens: Int?
    package var beyond = BeyondBytes.none
    /// When it may go; nil: now.
    package var due: Timestamp?
}

/// An attempt of the past, with what its answer depended on.
package struct PastAttempt: Sendable, Equatable {
    package var className: String
    package var endpoint: Endpoint
    package var key: String
    /// The provider's name of it.
    package var model: String
    package var bodyBytes: Int
    package var usage: Usage
    package var duration: Interval
    /// Nil when it was answered.
    package var failure: FailureClass?
    package var statusCode: Int
}

private enum SQL {
    static let next: StaticString = """
        SELECT id, lease, attempts_used, bytes, max_output, beyond, names_tier FROM job
        WHERE state = 0 AND flow = ? ORDER BY id LIMIT 1
        """
    // In input order, which for ready jobs is the index's own.
    static let ready: StaticString =
        "SELECT bytes, max_output, beyond FROM job WHERE state = 0 AND flow = ? ORDER BY id"
    /// The same with what a run takes up as it begins: parked jobs whose failure has one of six codes.
    static let readyOrTakenUp: StaticString = """
        SELECT bytes, max_output, beyond, id FROM job WHERE state = 0 AND flow = ?1
        UNION ALL
        SELECT bytes, max_output, beyond, id FROM job WHERE state = 3 AND flow = ?1 AND EXISTS (
            SELECT 1 FROM failure WHERE failure.job = job.id AND code IN (?2, ?3, ?4, ?5, ?6, ?7))
        ORDER BY id
        """
    static let scheduled: StaticString =
        "SELECT bytes, max_output, beyond, due FROM job WHERE state = 4 AND flow = ? ORDER BY due, id"
    static let inFlight: StaticString = """
        SELECT job.bytes, job.max_output, job.beyond FROM attempt CROSS JOIN job ON job.id = attempt.job
        WHERE attempt.outcome = 0 AND job.flow = ? AND job.state = 1 ORDER BY job.id
        """
    /// Backwards through the attempts, whatever else there is to look at.
    static let past: StaticString = """
        SELECT flow.class, flow.endpoint, attempt.key, attempt.model, job.bytes, attempt.input_tokens,
            attempt.cached_tokens, attempt.output_tokens, attempt.ended - attempt.started, attempt.failure_class,
            attempt.status_code, attempt.outcome,
            (SELECT sum(cache_write_tokens) FROM ledger WHERE ledger.job = attempt.job AND ledger.lease = attempt.lease),
            (SELECT sum(reasoning_tokens) FROM ledger WHERE ledger.job = attempt.job AND ledger.lease = attempt.lease)
        FROM (SELECT * FROM attempt ORDER BY id DESC LIMIT ?) AS attempt
            CROSS JOIN job ON job.id = attempt.job CROSS JOIN flow ON flow.id = job.flow
        WHERE attempt.outcome IN (1, 2)
        """
    static let forecasts: StaticString = """
        SELECT batch, made, jobs, finish, provider, platform, credit, spent_provider, spent_platform, spent_credit,
            answers, answers_before
        FROM forecast ORDER BY batch
        """
}

extension PlannedJob {
    fileprivate init(_ row: Statement, due: Timestamp? = nil) {
        self.init(
            bodyBytes: row.int(0), maxOutputTokens: row.optionalInt(1), beyond: BeyondBytes(code: row.int(2)), due: due)
    }
}

extension QueueReader {
    /// What a run would recall if it began now.
    package func runMemory(_ calendar: CalendarPosition, at now: Timestamp) throws(StoreError) -> RunMemory {
        try connection.snapshot { () throws(StoreError) in
            let keys = try connection.keyMemories()
            return RunMemory(
                keys: keys, attempts: try connection.recentAttempts(since: RunMemory.begin(keys, at: now)),
                dayUse: try connection.dayUse(day: calendar.day))
        }
    }

    /// The ledger's sums, as a run starts from them.
    package func spend() throws(StoreError) -> [SpendRow] { try connection.spend() }

    /// A flow's jobs that are in flight, ready or deferred, in this order: about a million a second. Those that are parked
    /// for some of the `reasons` count as ready, as in a run that takes them up.
    package func openJobs(
        of flow: FlowID, takingUp reasons: [MoneyStop] = [], _ take: (PlannedJob) -> Void
    ) throws(StoreError) {
        try connection.snapshot { () throws(StoreError) in
            try connection.query(SQL.inFlight, flow) { row in take(PlannedJob(row)) }
            if reasons.isEmpty {
                try connection.query(SQL.ready, flow) { row in take(PlannedJob(row)) }
            } else {
                let codes = MoneyStop.allCases.map { reasons.contains($0) ? $0.rawValue : nil }
                try connection.query(
                    SQL.readyOrTakenUp, flow, codes[0], codes[1], codes[2], codes[3], codes[4], codes[5]
                ) { row in take(PlannedJob(row)) }
            }
            try connection.query(SQL.scheduled, flow) { row in take(PlannedJob(row, due: row.time(3))) }
        }
    }

    /// Attempts that have ended, among the latest so many; the latest first.
    package func pastAttempts(among count: Int, _ take: (PastAttempt) -> Void) throws(StoreError) {
        try connection.query(SQL.past, count) { (row) throws(StoreError) in
            var usage = row.usage(5)
            (usage.cacheWriteTokens, usage.reasoningTokens) = (row.int(12), row.int(13))
            let failure = row.int(11) == 1 ? nil : FailureClass(rawValue: row.string(9))
            guard row.int(11) == 1 || failure != nil else { return }
            take(
                PastAttempt(
                    className: row.string(0), endpoint: try row.endpoint(1), key: row.string(2), model: row.string(3),
                    bodyBytes: row.int(4), usage: usage, duration: .milliseconds(max(0, row.int64(8))),
                    failure: failure, statusCode: row.int(10)))
        }
    }

    /// What the lack of money has parked of some flows.
    package func parkedForMoney(of flows: [Flow]) throws(StoreError) -> [MoneyParked] {
        try connection.snapshot { () throws(StoreError) in try connection.parkedForMoney(of: flows) }
    }

    /// What has failed of some flows for the lack of money, and could be tried again.
    package func failedForMoney(of flows: [Flow]) throws(StoreError) -> [MoneyParked] {
        try connection.snapshot { () throws(StoreError) in try connection.failedForMoney(of: flows) }
    }

    /// The first ready job of a flow in input order; nil when it has none.
    package func nextJob(of flow: FlowID) throws(StoreError) -> JobTicket? {
        try connection.first(SQL.next, flow) { row in
            JobTicket(
                id: row.int64(0), flow: flow, lease: row.int(1), attemptsUsed: row.int(2), bodyBytes: row.int(3),
                maxOutputTokens: row.optionalInt(4), beyond: BeyondBytes(code: row.int(5)), namesTier: row.int(6) != 0)
        }
    }

    /// What was foreseen of batches, by batch.
    package func forecasts() throws(StoreError) -> [RecordedForecast] {
        var forecasts: [RecordedForecast] = []
        try connection.query(SQL.forecasts) { row in
            func charge(_ column: Int32) -> Charge {
                func money(_ column: Int32) -> Money { Money(nanodollars: row.int64(column)) }
                return Charge(provider: money(column), platform: money(column + 1), credit: money(column + 2))
            }
            forecasts.append(
                RecordedForecast(
                    batch: row.int64(0), made: row.time(1), jobs: row.int(2), finish: row.optionalTime(3),
                    charge: charge(4), spent: charge(7), answers: row.optionalInt(10),
                    answersBefore: row.optionalInt(11)))
        }
        return forecasts
    }
}

/// What was foreseen of a batch.
package struct RecordedForecast: Sendable, Equatable {
    package var batch: BatchID
    package var made: Timestamp
    /// Jobs that had not ended then.
    package var jobs: Int
    /// Nil: some would have waited for ever.
    package var finish: Timestamp?
    /// What they would cost from then on.
    package var charge: Charge
    /// What the batch had cost until then.
    package var spent: Charge
    /// Answers that were foreseen, and those that the batch had then; nil where an earlier version has kept the forecast.
    package var answers: Int?
    package var answersBefore: Int?

    package init(
        batch: BatchID, made: Timestamp, jobs: Int, finish: Timestamp?, charge: Charge, spent: Charge, answers: Int?,
        answersBefore: Int?
    ) {
        self.batch = batch
        self.made = made
        self.jobs = jobs
        self.finish = finish
        self.charge = charge
        self.spent = spent
        self.answers = answers
        self.answersBefore = answersBefore
    }
}

extension QueueControl {
    private enum SQL {
        static let keep: StaticString = """
            INSERT OR REPLACE INTO forecast (batch, made, jobs, finish, provider, platform, credit, spent_provider,
                spent_platform, spent_credit, answers, answers_before)
            SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 FROM batch WHERE id = ?1
            """
    }

    /// Keeps forecasts, each in the place of the batch's earlier one; those of batches that are gone are passed over.
    package func keep(_ forecasts: [RecordedForecast]) throws(StoreError) {
        try writer.transaction { () throws(StoreError) in
            for forecast in forecasts {
                try writer.connection.run(
                    SQL.keep, forecast.batch, forecast.made, forecast.jobs, forecast.finish,
                    forecast.charge.provider.nanodollars, forecast.charge.platform.nanodollars,
                    forecast.charge.credit.nanodollars, forecast.spent.provider.nanodollars,
                    forecast.spent.platform.nanodollars, forecast.spent.credit.nanodollars, forecast.answers,
                    forecast.answersBefore)
            }
        }
    }
}
