import OffpeakCore

extension SQLiteQueue {
    private enum SQL {
        static let flowStatuses: StaticString = """
            SELECT flow.id, flow.batch, flow.class, flow.model, flow.endpoint, batch.priority, batch.deadline, batch.paused,
                flow.ready, flow.in_flight, flow.succeeded, flow.parked, flow.scheduled, flow.failed, flow.cancelled,
                (SELECT due FROM job WHERE state = 4 AND job.flow = flow.id ORDER BY due LIMIT 1)
            FROM flow JOIN batch ON batch.id = flow.batch
            WHERE batch.state = 1 AND flow.ready + flow.in_flight + flow.parked + flow.scheduled > 0
            ORDER BY flow.id
            """
        static let waiting: StaticString = """
            SELECT id, state FROM job WHERE state = 0 AND flow = ?1
            UNION ALL SELECT id, state FROM job WHERE state = 4 AND flow = ?1 LIMIT ?2
            """
        static let batch: StaticString = "SELECT batch FROM flow WHERE id = ?"
        static let stop: StaticString = "UPDATE job SET state = ?3, due = NULL WHERE id = ?1 AND state = ?2"
    }

    /// Open flows with their counters.
    package func flowStatuses() throws(StoreError) -> [FlowStatus] {
        var statuses: [FlowStatus] = []
        try connection.query(SQL.flowStatuses) { (row) throws(StoreError) in
            let flow = Flow(
                id: row.int64(0), batch: row.int64(1), className: row.string(2), model: row.string(3),
                endpoint: try row.endpoint(4), priority: row.optionalInt(5), deadline: row.optionalTime(6),
                paused: row.int(7) != 0, waiting: row.int(8) + row.int(12))
            var counts = JobCounts()
            counts.ready = row.int(8)
            counts.inFlight = row.int(9)
            counts.succeeded = row.int(10)
            counts.parked = row.int(11)
            counts.scheduled = row.int(12)
            counts.failed = row.int(13)
            counts.cancelled = row.int(14)
            statuses.append(
                FlowStatus(flow: flow, counts: counts, usage: Usage(), hold: nil, nextDue: row.optionalTime(15)))
        }
        return statuses
    }

    package func stop(
        flow: FlowID, as state: JobState, failure: Failure, at now: Timestamp
    ) throws(StoreError) -> Int {
        var total = 0
        while true {
            let count = try transaction { (connection) throws(StoreError) in
                var found: [(id: JobID, state: JobState)] = []
                try connection.query(SQL.waiting, flow, Sweep.slice) { (row) throws(StoreError) in
                    found.append((row.int64(0), try row.jobState(1)))
                }
                var changes = FlowChanges()
                for (id, earlier) in found
                where try connection.run(SQL.stop, id, earlier.rawValue, state.rawValue) == 1 {
                    try connection.recordFailure(failure, of: id)
                    changes.move(flow, from: earlier, to: state)
                }
                _ = try changes.apply(to: connection, at: now)
                return found.count
            }
            total += count
            if count < Sweep.slice { break }
        }
        if state.isFinal, let batch = try connection.first(SQL.batch, flow, row: { row in row.int64(0) }) {
            try sweepPrompts(of: batch, at: now)
        }
        return total
    }
}

extension JobCounts {
    /// Jobs that have neither an outcome nor a person to wait for.
    package var waiting: Int { ready + scheduled }
}
