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
    /// What all of them say; empty where they say nothing.
    package var message: String
    /// The number of reasons that this stands for, each for few jobs; 1 where it is told itself.
    package var reasons = 1
    /// The first of them, and its line and flow.
    fileprivate var first: JobID
    package var firstLine: Int
    package var firstFlow: Flow

    /// The same stop as far as codes tell.
    fileprivate func isAkin(to other: StopReason) -> Bool {
        state == other.state && failureClass == other.failureClass && code == other.code
    }
}

/// Why jobs are parked or have failed, by batch. Looks through so many in all, so that whoever asks need not wait for
/// millions: 5 ms for 10,000, and 15 where each says something else.
package struct StopReasons {
    private let reader: QueueReader
    private var left = 100_000
    /// Of one flow and state; those that come last are looked at a little, too.
    private static let (most, least) = (10_000, 1_000)
    /// So many reasons are told of one code.
    package static let toldReasons = 5

    /// With its one `min`, SQLite takes the line from the row that has it.
    private enum SQL {
        static let parked: StaticString = """
            SELECT failure.failure_class, failure.code, count(*), min(failure.job), failure.message, stopped.line
            FROM (SELECT id, line FROM job WHERE state = 3 AND flow = ? ORDER BY id LIMIT ?) AS stopped
                JOIN failure ON failure.job = stopped.id GROUP BY 1, 2, 5
            """
        static let failed: StaticString = """
            SELECT failure.failure_class, failure.code, count(*), min(failure.job), failure.message, stopped.line
            FROM (SELECT id, line FROM job WHERE state = 5 AND flow = ? ORDER BY id LIMIT ?) AS stopped
                JOIN failure ON failure.job = stopped.id GROUP BY 1, 2, 5
            """
    }

    package init(_ reader: QueueReader) { self.reader = reader }

    /// Those of a batch: parked ones first, the most frequent code first, and of one code the most frequent reasons, with
    /// the rest of them together at its end.
    package mutating func of(_ batch: BatchStatus) throws(StoreError) -> [StopReason] {
        var found: [Place: StopReason] = [:]
        for flow in batch.flows {
            try look(.parked, SQL.parked, flow.flow, flow.counts.parked, into: &found)
            try look(.failed, SQL.failed, flow.flow, flow.counts.failed, into: &found)
        }
        let codes = Self.grouped(found.values.sorted { $0.first < $1.first })
        return codes.flatMap(Self.capped)
    }

    private struct Place: Hashable {
        var state: JobState
        var failureClass: String
        var code: String
        var message: String
    }

    private static func grouped(_ reasons: [StopReason]) -> [[StopReason]] {
        let codes = reasons.grouped { $0.isAkin(to: $1) }
        func jobs(_ code: [StopReason]) -> Int { code.reduce(0) { $0 + $1.jobs } }
        return codes.sorted { a, b in
            if a[0].state != b[0].state { return a[0].state == .parked }
            return (jobs(b), a[0].first) < (jobs(a), b[0].first)
        }
    }

    /// The most frequent reasons of a code, and the others as one.
    private static func capped(_ reasons: [StopReason]) -> [StopReason] {
        let sorted = reasons.sorted { (-$0.jobs, $0.first) < (-$1.jobs, $1.first) }
        guard sorted.count > toldReasons + 1 else { return sorted }
        let others = sorted[toldReasons...]
        var rest = others[toldReasons]
        (rest.jobs, rest.reasons, rest.message) = (others.reduce(0) { $0 + $1.jobs }, others.count, "")
        rest.isAtLeast = others.contains(where: \.isAtLeast)
        return sorted.prefix(toldReasons) + [rest]
    }

    private mutating func look(
        _ state: JobState, _ statement: StaticString, _ flow: Flow, _ count: Int,
        into found: inout [Place: StopReason]
    ) throws(StoreError) {
        guard count > 0 else { return }
        let limit = max(Self.least, min(Self.most, left))
        left -= min(limit, count)
        try reader.connection.query(statement, flow.id, limit) { row in
            let place = Place(state: state, failureClass: row.string(0), code: row.string(1), message: row.string(4))
            var reason =
                found[place]
                ?? StopReason(
                    state: state, failureClass: place.failureClass, code: place.code, jobs: 0, message: place.message,
                    first: row.int64(3), firstLine: row.int(5), firstFlow: flow)
            reason.jobs += row.int(2)
            if row.int64(3) < reason.first {
                (reason.first, reason.firstLine, reason.firstFlow) = (row.int64(3), row.int(5), flow)
            }
            if count > limit { reason.isAtLeast = true }
            found[place] = reason
        }
    }
}
