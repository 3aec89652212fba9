import OffpeakCore

/// A day's sums of entries that are alike, with what reports need besides.
package struct SpendLine: Sendable, Equatable {
    package var row: SpendRow
    /// Attempts whose answers were lost and have not come since, and what was assumed for them; a part of the row's sums.
    package var unknownAttempts = 0
    package var unknown = Charge()
    /// The attempt that left the first entry, and the moments of the first and the last; nil when none has left one.
    package var first: Mark?
    package var last: Timestamp?

    /// An attempt's entry.
    package struct Mark: Sendable, Equatable {
        package var job: JobID
        package var lease: Int
        package var recorded: Timestamp
    }
}

/// What attempts that are in flight may cost at most, of one class, batch and day: it is in no ledger yet.
package struct Reservation: Sendable, Equatable {
    package var className: String
    package var batch: BatchID
    /// The calendar day whose budgets it is held from.
    package var day: Int
    package var attempts: Int
    /// On both bills.
    package var billed: Money
}

private enum SQL {
    static let reservations: StaticString = """
        SELECT flow.class, flow.batch, attempt.day, count(*), sum(attempt.worst_provider + attempt.worst_platform)
        FROM attempt CROSS JOIN job ON job.id = attempt.job CROSS JOIN flow ON flow.id = job.flow
        WHERE attempt.outcome = 0 GROUP BY flow.class, flow.batch, attempt.day ORDER BY 1, 2, 3
        """
    static let lines: StaticString = """
        SELECT account.key, account.bill, account.lane, account.model, account.class, account.batch, spend.day,
            spend.attempts, spend.answers, spend.input_tokens, spend.cached_tokens, spend.cache_write_tokens,
            spend.output_tokens, spend.reasoning_tokens, spend.provider, spend.platform, spend.credit, spend.list,
            spend.account, spend.first_job, spend.first_lease, spend.first_recorded, spend.last_recorded,
            spend.requests, spend.tokens
        FROM spend JOIN account ON account.id = spend.account ORDER BY spend.account, spend.day
        """
    static let unknown: StaticString = """
        SELECT account, day, count(*), sum(provider), sum(platform), sum(credit), sum(list) FROM ledger
        WHERE kind = 1 AND NOT EXISTS (
            SELECT 1 FROM ledger AS later
            WHERE later.job = ledger.job AND later.lease = ledger.lease AND later.kind = 2)
        GROUP BY account, day
        """
    static let ofJob: StaticString = """
        SELECT lease, max(kind), sum(provider), sum(platform), sum(credit), sum(list)
        FROM ledger WHERE job = ? GROUP BY lease
        """
    static let passedOver: StaticString = "SELECT passed_over FROM attempt WHERE job = ? AND lease = ?"
    static let attemptsOfRange: StaticString = """
        SELECT job, lease, key, bill, lane, model FROM attempt WHERE job > ? AND job <= ? ORDER BY job, lease
        """
    static let entriesOfRange: StaticString = """
        SELECT job, max(kind), sum(input_tokens), sum(cached_tokens), sum(cache_write_tokens), sum(output_tokens),
            sum(reasoning_tokens), sum(provider), sum(platform), sum(credit), sum(list)
        FROM ledger WHERE job > ? AND job <= ? GROUP BY job, lease
        """
}

extension QueueReader {
    /// The ledger's sums by everything that reports tell apart, and by day.
    package func spending() throws(StoreError) -> [SpendLine] {
        try connection.snapshot { () throws(StoreError) in
            var lines: [SpendLine] = []
            var places: [[Int64]: Int] = [:]
            try connection.query(SQL.lines) { (row) throws(StoreError) in
                places[[row.int64(18), row.int64(6)]] = lines.count
                lines.append(try row.spendLine())
            }
            try connection.query(SQL.unknown) { row in
                guard let place = places[[row.int64(0), row.int64(1)]] else { return }
                lines[place].unknownAttempts = row.int(2)
                lines[place].unknown = row.charge(3)
            }
            return lines
        }
    }

    /// What is in flight, at its worst case.
    package func reservations() throws(StoreError) -> [Reservation] {
        var reservations: [Reservation] = []
        try connection.query(SQL.reservations) { row in
            reservations.append(
                Reservation(
                    className: row.string(0), batch: row.int64(1), day: row.int(2), attempts: row.int(3),
                    billed: Money(nanodollars: row.int64(4))))
        }
        return reservations
    }

    /// The keys that were passed over when an attempt began, as JSON text; nil when there were none, or when the attempt is
    /// no longer kept.
    package func passedOver(job: JobID, lease: Int) throws(StoreError) -> String? {
        try connection.first(SQL.passedOver, job, lease) { row in row.optionalString(0) } ?? nil
    }

    /// What a job's attempts cost, by their lease numbers.
    func attemptCosts(of job: JobID) throws(StoreError) -> [Int: AttemptCost] {
        var costs: [Int: AttemptCost] = [:]
        try connection.query(SQL.ofJob, job) { (row) throws(StoreError) in
            costs[row.int(0)] = AttemptCost(kind: try row.entryKind(1), charge: row.charge(2))
        }
        return costs
    }
}

extension Connection {
    /// The receipts of a range of jobs; `answered` is the attempt that brought a job's answer.
    func receipts(
        after: JobID, to last: JobID, answered: (JobID) -> Int?
    ) throws(StoreError) -> [JobID: Receipt] {
        var receipts: [JobID: Receipt] = [:]
        try query(SQL.attemptsOfRange, after, last) { (row) throws(StoreError) in
            let job = row.int64(0)
            let count = (receipts[job]?.attempts ?? 0) + 1
            // In order: the last one stays, unless an earlier one brought the answer.
            if let wanted = answered(job), row.int(1) > wanted, receipts[job] != nil {
                receipts[job]?.attempts = count
                return
            }
            let route = LedgerRoute(
                key: row.string(2), bill: try row.billing(3), lane: try row.lane(4), model: row.string(5))
            receipts[job] = Receipt(route: route, attempts: count)
        }
        try query(SQL.entriesOfRange, after, last) { (row) throws(StoreError) in
            let job = row.int64(0)
            guard var receipt = receipts[job] else { return }
            receipt.usage = receipt.usage + row.fullUsage(2)
            receipt.charge = receipt.charge + row.charge(7)
            if try row.entryKind(1) == .assumed {
                receipt.unknownAttempts += 1
                receipt.unknown = receipt.unknown + row.charge(7)
            }
            receipts[job] = receipt
        }
        return receipts
    }
}

extension Statement {
    fileprivate func spendLine() throws(StoreError) -> SpendLine {
        let route = LedgerRoute(key: string(0), bill: try billing(1), lane: try lane(2), model: string(3))
        let row = SpendRow(
            route: route, className: string(4), batch: int64(5), day: int(6), attempts: int(7), answers: int(8),
            requests: int(23), tokens: int(24), usage: fullUsage(9), charge: charge(14))
        var line = SpendLine(row: row)
        if let recorded = optionalTime(21) {
            line.first = SpendLine.Mark(job: int64(19), lease: int(20), recorded: recorded)
        }
        line.last = optionalTime(22)
        return line
    }

    fileprivate func entryKind(_ column: Int32) throws(StoreError) -> LedgerEntry.Kind {
        guard let kind = LedgerEntry.Kind(rawValue: int(column)) else {
            throw StoreError(.corrupt, message: "unknown kind of ledger entry in the queue", statement: "\(text)")
        }
        return kind
    }
}
