import OffpeakCore

/// How one flow's counters change within a transaction.
struct FlowChange {
    private var counts: (Int, Int, Int, Int, Int, Int, Int) = (0, 0, 0, 0, 0, 0, 0)
    var usage = Usage()
    /// Some job that had ended is open again.
    var reopens = false

    subscript(_ state: JobState) -> Int {
        get {
            switch state {
            case .ready: counts.0
            case .inFlight: counts.1
            case .succeeded: counts.2
            case .parked: counts.3
            case .scheduled: counts.4
            case .failed: counts.5
            case .cancelled: counts.6
            }
        }
        set {
            switch state {
            case .ready: counts.0 = newValue
            case .inFlight: counts.1 = newValue
            case .succeeded: counts.2 = newValue
            case .parked: counts.3 = newValue
            case .scheduled: counts.4 = newValue
            case .failed: counts.5 = newValue
            case .cancelled: counts.6 = newValue
            }
        }
    }
}

/// Gathers changes of counters, so that each flow's row is written once per transaction.
struct FlowChanges {
    private var byFlow: [FlowID: FlowChange] = [:]

    private enum SQL {
        static let apply: StaticString = """
            UPDATE flow SET ready = ready + ?2, in_flight = in_flight + ?3, succeeded = succeeded + ?4,
                parked = parked + ?5, scheduled = scheduled + ?6, failed = failed + ?7, cancelled = cancelled + ?8,
                input_tokens = input_tokens + ?9, cached_tokens = cached_tokens + ?10,
                output_tokens = output_tokens + ?11
            WHERE id = ?1 RETURNING batch, ready + in_flight + parked + scheduled
            """
        static let reopen: StaticString = "UPDATE batch SET finished = NULL WHERE id = ? AND finished IS NOT NULL"
        static let finish: StaticString = """
            UPDATE batch SET finished = ?2 WHERE id = ?1 AND finished IS NULL AND state IN (1, 2) AND NOT EXISTS
                (SELECT 1 FROM flow WHERE batch = ?1 AND ready + in_flight + parked + scheduled > 0)
            """
    }

    /// Counts jobs that went from one state to another; nil stands for not existing.
    mutating func move(_ flow: FlowID, from: JobState?, to: JobState?, count: Int = 1) {
        guard from != to else { return }
        if let from { byFlow[flow, default: FlowChange()][from] -= count }
        if let to { byFlow[flow, default: FlowChange()][to] += count }
        if let from, let to, from.isFinal && !to.isFinal { byFlow[flow]?.reopens = true }
    }

    mutating func add(_ flow: FlowID, _ usage: Usage) {
        guard usage != Usage() else { return }
        byFlow[flow, default: FlowChange()].usage = byFlow[flow, default: FlowChange()].usage + usage
    }

    /// Writes the counters and marks batches without open jobs as finished; returns those, by id.
    func apply(to connection: Connection, at now: Timestamp) throws(StoreError) -> [BatchID] {
        var maybeFinished: Set<BatchID> = []
        var reopened: Set<BatchID> = []
        for (flow, change) in byFlow.sorted(by: { $0.key < $1.key }) {
            let statement = try connection.statement(SQL.apply)
            statement.bind(1, flow)
            for state in JobState.allCases { statement.bind(Int32(state.rawValue + 2), change[state]) }
            statement.bind(9, change.usage.inputTokens)
            statement.bind(10, change.usage.cachedTokens)
            statement.bind(11, change.usage.outputTokens)
            defer { statement.reset() }
            // Until the end, so that the update is complete before the statement is reset.
            while try statement.step() {
                if statement.int(1) == 0 { maybeFinished.insert(statement.int64(0)) }
                if change.reopens { reopened.insert(statement.int64(0)) }
            }
        }
        for batch in reopened.sorted() { try connection.run(SQL.reopen, batch) }
        var finished: [BatchID] = []
        for batch in maybeFinished.sorted() where try Self.finish(batch, connection, at: now) {
            finished.append(batch)
        }
        return finished
    }

    /// Marks a sealed batch as finished if it has no open job; false when it has, or was marked already.
    static func finish(_ batch: BatchID, _ connection: Connection, at now: Timestamp) throws(StoreError) -> Bool {
        try connection.run(SQL.finish, batch, now) == 1
    }
}
