import OffpeakCore

/// Jobs of one flow that are parked, or have failed, for one and the same lack of money.
package struct MoneyParked: Sendable, Equatable {
    package var flow: Flow
    package var reason: MoneyStop
    package var jobs: Int
    /// The first of them in input order.
    package var first: JobTicket
    /// As small as the smallest, in all that a worst case depends on: what is too much for this one is for all of them.
    package var least: JobTicket

    /// The one by which they are judged: a budget parks in input order, so the first of those that it parked decides; what is
    /// too much for itself is judged as if it were the smallest of its kind.
    package var decisive: JobTicket { reason == .budgetExhausted ? first : least }
}

extension Connection {
    private enum SQL {
        /// 0.5 s per million parked jobs of the flow.
        static let reasons: StaticString = """
            SELECT failure.code, count(*), min(job.id), min(job.bytes), min(job.max_output), min(job.beyond)
            FROM job JOIN failure ON failure.job = job.id
            WHERE job.state = 3 AND job.flow = ?1 AND failure.failure_class = 'quota_exhausted'
            GROUP BY failure.code
            """
        /// The same of those that have failed, but for what cannot be retried since its prompt is gone.
        static let failedReasons: StaticString = """
            SELECT failure.code, count(*), min(job.id), min(job.bytes), min(job.max_output), min(job.beyond)
            FROM job JOIN failure ON failure.job = job.id
            WHERE job.state = 5 AND job.flow = ?1 AND failure.failure_class = 'quota_exhausted'
                AND NOT EXISTS (SELECT 1 FROM payload WHERE payload.job = job.id AND payload.erased = 1)
            GROUP BY failure.code
            """
        static let ticket: StaticString = "SELECT lease, attempts_used, bytes, max_output, beyond FROM job WHERE id = ?"
    }

    /// What the lack of money has parked of some flows, by reason.
    func parkedForMoney(of flows: [Flow]) throws(StoreError) -> [MoneyParked] {
        try stoppedForMoney(SQL.reasons, of: flows)
    }

    /// What has failed for it and could be tried again.
    func failedForMoney(of flows: [Flow]) throws(StoreError) -> [MoneyParked] {
        try stoppedForMoney(SQL.failedReasons, of: flows)
    }

    private func stoppedForMoney(_ reasons: StaticString, of flows: [Flow]) throws(StoreError) -> [MoneyParked] {
        var parked: [MoneyParked] = []
        for flow in flows {
            try query(reasons, flow.id) { row in
                guard let reason = MoneyStop(rawValue: row.string(0)) else { return }
                let ticket = JobTicket(
                    id: row.int64(2), flow: flow.id, lease: 0, attemptsUsed: 0, bodyBytes: row.int(3),
                    maxOutputTokens: row.optionalInt(4), beyond: BeyondBytes(code: row.int(5)))
                parked.append(MoneyParked(flow: flow, reason: reason, jobs: row.int(1), first: ticket, least: ticket))
            }
        }
        for i in parked.indices {
            try query(SQL.ticket, parked[i].first.id) { row in
                parked[i].first.lease = row.int(0)
                parked[i].first.attemptsUsed = row.int(1)
                parked[i].first.bodyBytes = row.int(2)
                parked[i].first.maxOutputTokens = row.optionalInt(3)
                parked[i].first.beyond = BeyondBytes(code: row.int(4))
            }
        }
        return parked
    }
}

extension SQLiteQueue {
    private enum SQL {
        static let parkedFlows: StaticString = """
            SELECT flow.id FROM flow JOIN batch ON batch.id = flow.batch WHERE batch.state = 1 AND flow.parked > 0
            ORDER BY flow.id
            """
        static let sliceEnd: StaticString = """
            SELECT max(id) FROM (SELECT id FROM job WHERE state = 3 AND flow = ?1 AND id > ?2 ORDER BY id LIMIT ?3)
            """
        static let takeUp: StaticString = """
            UPDATE job SET state = 0 WHERE state = 3 AND flow = ?1 AND id > ?2 AND id <= ?3
                AND EXISTS (SELECT 1 FROM failure WHERE failure.job = job.id AND code = ?4)
            """
        /// A ready job has no failure, but for those that were parked a moment ago.
        static let forget: StaticString = """
            DELETE FROM failure WHERE job IN
                (SELECT id FROM job WHERE state = 0 AND flow = ?1 AND id > ?2 AND id <= ?3)
            """
    }

    /// Jobs per transaction.
    private static let slice = 10_000

    package func parkedForMoney() throws(StoreError) -> [MoneyParked] {
        var ids: Set<FlowID> = []
        try connection.query(SQL.parkedFlows) { row in ids.insert(row.int64(0)) }
        guard !ids.isEmpty else { return [] }
        return try connection.parkedForMoney(of: try openFlows().filter { ids.contains($0.id) })
    }

    package func takeUp(flow: FlowID, parkedFor reason: MoneyStop, at now: Timestamp) throws(StoreError) -> Int {
        var cursor: JobID = 0
        var total = 0
        while true {
            let end = try connection.first(SQL.sliceEnd, flow, cursor, Self.slice) { row in row.optionalInt(0) }
            guard let last = end ?? nil else { return total }
            total += try transaction { (connection) throws(StoreError) in
                let count = try connection.run(SQL.takeUp, flow, cursor, last, reason.rawValue)
                guard count > 0 else { return 0 }
                try connection.run(SQL.forget, flow, cursor, last)
                var changes = FlowChanges()
                changes.move(flow, from: .parked, to: .ready, count: count)
                _ = try changes.apply(to: connection, at: now)
                return count
            }
            cursor = JobID(last)
        }
    }
}
