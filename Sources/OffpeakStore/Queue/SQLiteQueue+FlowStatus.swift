import OffpeakCore

/// A flow with its counters.
package struct FlowStatus: Sendable, Equatable {
    package var flow: Flow
    package var ready = 0
    package var scheduled = 0
    package var inFlight = 0
    package var parked = 0
    package var succeeded = 0
    package var failed = 0
    /// When the first of its scheduled jobs is due.
    package var nextDue: Timestamp?

    package init(flow: Flow) { self.flow = flow }

    /// Jobs that have neither an outcome nor a person to wait for.
    package var waiting: Int { ready + scheduled }
}

extension SQLiteQueue {
    private enum SQL {
        static let flowStatuses: StaticString = """
            SELECT flow.id, flow.batch, flow.class, flow.model, flow.endpoint, batch.priority, batch.deadline, batch.paused,
                flow.ready, flow.scheduled, flow.in_flight, flow.parked, flow.succeeded, flow.failed,
                (SELECT due FROM job WHERE state = 4 AND job.flow = flow.id ORDER BY due LIMIT 1)
            FROM flow JOIN batch ON batch.id = flow.batch
            WHERE batch.state = 1 AND flow.ready + flow.in_flight + flow.parked + flow.scheduled > 0
            ORDER BY flow.id
            """
        static let waiting: StaticString = """
            SELECT id, state FROM job WHERE state = 0 AND flow = ?1
            UNION ALL SELECT id, state FROM job WHERE state = 4 AND flow = ?1 LIMIT ?2
            """
        static let park: StaticString = "UPDATE job SET state = 3, due = NULL WHERE id = ? AND state = ?"
        static let fail: StaticString = """
            INSERT OR REPLACE INTO failure (job, failure_class, code, message, status_code) VALUES (?, ?, ?, ?, ?)
            """
    }

    /// Open flows with their counters.
    package func flowStatuses() throws(StoreError) -> [FlowStatus] {
        var statuses: [FlowStatus] = []
        try connection.query(SQL.flowStatuses) { (row) throws(StoreError) in
            var status = FlowStatus(
                flow: Flow(
                    id: row.int64(0), batch: row.int64(1), className: row.string(2), model: row.string(3),
                    endpoint: try row.endpoint(4), priority: row.optionalInt(5), deadline: row.optionalTime(6),
                    paused: row.int(7) != 0))
            status.ready = row.int(8)
            status.scheduled = row.int(9)
            status.inFlight = row.int(10)
            status.parked = row.int(11)
            status.succeeded = row.int(12)
            status.failed = row.int(13)
            status.nextDue = row.optionalTime(14)
            statuses.append(status)
        }
        return statuses
    }

    /// Parks all waiting jobs of a flow, with the failure that keeps every key from serving them; in slices, so that
    /// other processes can write in between. Returns how many.
    package func park(flow: FlowID, failure: Failure, at now: Timestamp) throws(StoreError) -> Int {
        var total = 0
        while true {
            let count = try transaction { (connection) throws(StoreError) in
                var found: [(id: JobID, state: JobState)] = []
                try connection.query(SQL.waiting, flow, Sweep.slice) { (row) throws(StoreError) in
                    found.append((row.int64(0), try row.jobState(1)))
                }
                var changes = FlowChanges()
                for (id, state) in found where try connection.run(SQL.park, id, state.rawValue) == 1 {
                    try connection.run(
                        SQL.fail, id, failure.failureClass.rawValue, failure.code, failure.message, failure.statusCode)
                    changes.move(flow, from: state, to: .parked)
                }
                _ = try changes.apply(to: connection, at: now)
                return found.count
            }
            total += count
            if count < Sweep.slice { return total }
        }
    }
}
