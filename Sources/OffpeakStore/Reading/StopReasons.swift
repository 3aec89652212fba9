import OffpeakCore

/// Jobs of one batch that are parked or have failed for the same reason.
package struct StopReason: Sendable, Equatable {
    /// `parked` or `failed`.
    package var state: JobState
    package var failureClass: String
    package var code: String
    package var jobs: Int
    /// There may be more: only the first of many were looked through.
    package var isAtLeast = false
    /// What the first of them says.
    package var message: String
    fileprivate var first: JobID
}

/// Why jobs are parked or have failed, by batch. Looks through so many in all, so that whoever asks need not wait for
/// millions: 5 ms for 10,000.
package struct StopReasons {
    private let reader: QueueReader
    private var left = 100_000
    /// Of one flow and state; those that come last are looked at a little, too.
    private static let (most, least) = (10_000, 1_000)

    private enum SQL {
        static let parked: StaticString = """
            SELECT failure.failure_class, failure.code, count(*), min(failure.job)
            FROM (SELECT id FROM job WHERE state = 3 AND flow = ? ORDER BY id LIMIT ?) AS stopped
                JOIN failure ON failure.job = stopped.id GROUP BY 1, 2
            """
        static let failed: StaticString = """
            SELECT failure.failure_class, failure.code, count(*), min(failure.job)
            FROM (SELECT id FROM job WHERE state = 5 AND flow = ? ORDER BY id LIMIT ?) AS stopped
                JOIN failure ON failure.job = stopped.id GROUP BY 1, 2
            """
        static let message: StaticString = "SELECT message FROM failure WHERE job = ?"
    }

    package init(_ reader: QueueReader) { self.reader = reader }

    /// Those of a batch: parked ones first, the most frequent first.
    package mutating func of(_ batch: BatchStatus) throws(StoreError) -> [StopReason] {
        var reasons: [StopReason] = []
        for flow in batch.flows {
            try look(.parked, SQL.parked, flow.flow.id, flow.counts.parked, into: &reasons)
            try look(.failed, SQL.failed, flow.flow.id, flow.counts.failed, into: &reasons)
        }
        for i in reasons.indices {
            let message = try reader.connection.first(SQL.message, reasons[i].first) { row in row.string(0) }
            reasons[i].message = message ?? ""
        }
        return reasons.sorted { a, b in
            if a.state != b.state { return a.state == .parked }
            return (b.jobs, a.first) < (a.jobs, b.first)
        }
    }

    private mutating func look(
        _ state: JobState, _ statement: StaticString, _ flow: FlowID, _ count: Int, into reasons: inout [StopReason]
    ) throws(StoreError) {
        guard count > 0 else { return }
        let limit = max(Self.least, min(Self.most, left))
        left -= min(limit, count)
        try reader.connection.query(statement, flow, limit) { row in
            let (failureClass, code) = (row.string(0), row.string(1))
            let place = reasons.firstIndex {
                $0.state == state && $0.failureClass == failureClass && $0.code == code
            }
            if let place {
                reasons[place].jobs += row.int(2)
                reasons[place].first = min(reasons[place].first, row.int64(3))
            } else {
                reasons.append(
                    StopReason(
                        state: state, failureClass: failureClass, code: code, jobs: row.int(2), message: "",
                        first: row.int64(3)))
            }
            if count > limit { reasons[place ?? reasons.count - 1].isAtLeast = true }
        }
    }
}
