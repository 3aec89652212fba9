import OffpeakCore
import Testing

@testable import OffpeakStore

/// One job of a test's batch.
struct Prompt {
    var customID: String
    var className = "nightly"
    var model = "small"
    /// What the body has instead of the id, which stays in the queue.
    var text = ""
    var body: String { text.isEmpty ? "{\"id\":\"\(customID)\"}" : "{\"text\":\"\(text)\"}" }
}

/// A queue under test together with what other processes do to it.
protocol Harness: AnyObject {
    var queue: any JobQueue { get }
    func submit(_ prompts: [Prompt], at now: Timestamp) throws -> BatchID
    func cancel(_ batch: BatchID, at now: Timestamp) throws
    func setPaused(_ paused: Bool, _ target: PauseTarget) throws
    func retry(_ batch: BatchID, _ which: RetrySelection, at now: Timestamp) throws
    func snapshot() throws -> Snapshot
    /// The runner dies and another one starts.
    func restart(at now: Timestamp) throws
}

enum QueueKind: String, CaseIterable, Sendable {
    case memory
    case sqlite

    func harness() throws -> any Harness {
        switch self {
        case .memory: MemoryHarness()
        case .sqlite: try SQLiteHarness()
        }
    }
}

/// All that is visible of a queue's jobs, attempts and holds, as lines that compare well.
struct Snapshot: Equatable {
    struct JobLine: Equatable {
        var id: JobID
        var flow: FlowID
        var state: JobState
        var due: Int64?
        var lease: Int
        var attemptsUsed: Int
        var failure: String?
        var result: String?
    }

    struct AttemptLine: Equatable {
        var job: JobID
        var lease: Int
        var key: String
        var outcome: Int
        var ended: Int64?
        var tokens: Int
    }

    var jobs: [JobLine] = []
    var attempts: [AttemptLine] = []
    var holds: [String] = []
    var finished: [String] = []
}

final class MemoryHarness: Harness {
    let memory = MemoryQueue()
    var queue: any JobQueue { memory }

    func submit(_ prompts: [Prompt], at now: Timestamp) -> BatchID {
        let batch = memory.addBatch()
        var flows: [FlowKey: FlowID] = [:]
        for prompt in prompts {
            let key = FlowKey(className: prompt.className, model: prompt.model, endpoint: .chatCompletions)
            let flow = flows[key] ?? memory.addFlow(batch: batch, className: key.className, model: key.model)
            flows[key] = flow
            memory.addJob(flow: flow, customID: prompt.customID, body: Array(prompt.body.utf8), maxOutputTokens: 100)
        }
        return batch
    }

    func cancel(_ batch: BatchID, at now: Timestamp) { memory.cancel(batch, at: now) }

    func setPaused(_ paused: Bool, _ target: PauseTarget) {
        switch target {
        case .batch(let id): memory.setPaused(paused, batch: id)
        case .workloadClass(let name): memory.setPaused(paused, className: name)
        case .key(let name): memory.setPaused(paused, key: name)
        }
    }

    func retry(_ batch: BatchID, _ which: RetrySelection, at now: Timestamp) { memory.retry(batch, which) }
    func restart(at now: Timestamp) {}

    func snapshot() -> Snapshot {
        var snapshot = Snapshot()
        for (id, job) in memory.jobs.sorted(by: { $0.key < $1.key }) {
            snapshot.jobs.append(
                .init(
                    id: id, flow: job.flow, state: job.state, due: job.due?.milliseconds, lease: job.lease,
                    attemptsUsed: job.attemptsUsed,
                    failure: job.failure.map { "\($0.failureClass.rawValue) \($0.code)" },
                    result: job.result.map {
                        "\($0.lease) \($0.statusCode) \(String(decoding: $0.body, as: UTF8.self))"
                    }))
        }
        snapshot.attempts = memory.attempts.map {
            .init(
                job: $0.start.job, lease: $0.start.lease, key: $0.start.key, outcome: $0.outcome,
                ended: $0.ended?.milliseconds, tokens: $0.usage.totalTokens)
        }
        snapshot.holds = memory.holds.sorted { $0.key < $1.key }.map {
            "\($0.key) \($0.value.reason) \($0.value.until?.milliseconds ?? -1)"
        }
        snapshot.finished = memory.batches.sorted { $0.key < $1.key }.map {
            "\($0.key) \($0.value.state) \($0.value.finished?.milliseconds ?? -1)"
        }
        return snapshot
    }
}

final class SQLiteHarness: Harness {
    let folder: TemporaryFolder
    private(set) var sqlite: SQLiteQueue
    private let control: QueueControl
    var queue: any JobQueue { sqlite }

    init() throws {
        folder = TemporaryFolder()
        try Writer.open(try QueueLocation(folder.queue), for: .intake, .createIfMissing).close()
        sqlite = try SQLiteQueue(path: folder.queue, now: .init(milliseconds: 0))
        control = try QueueControl(queue: folder.queue)
    }

    func submit(_ prompts: [Prompt], at now: Timestamp) throws -> BatchID {
        let intake = try Intake.begin(
            IntakeRequest(name: "test", className: "nightly", created: now, source: nil), queue: folder.queue)
        defer { intake.close() }
        try intake.append(chunk(of: prompts))
        _ = try intake.seal(droppingDuplicates: false, at: now)
        try intake.acknowledge()
        return intake.batch
    }

    func cancel(_ batch: BatchID, at now: Timestamp) throws { _ = try control.cancel(batch, at: now) }

    func setPaused(_ paused: Bool, _ target: PauseTarget) throws {
        if paused { try control.pause(target) } else { try control.resume(target) }
    }

    func retry(_ batch: BatchID, _ which: RetrySelection, at now: Timestamp) throws {
        _ = try control.retry(batch, which, at: now)
    }

    func restart(at now: Timestamp) throws {
        sqlite.close()
        sqlite = try SQLiteQueue(path: folder.queue, now: now)
    }

    func snapshot() throws -> Snapshot { try Snapshot(reading: sqlite.connection) }
}

/// A chunk of these prompts, one line each.
func chunk(of prompts: [Prompt], firstLine: Int = 1, offset: Int64? = nil) -> IntakeChunk {
    var chunk = IntakeChunk()
    for (index, prompt) in prompts.enumerated() {
        let key = FlowKey(className: prompt.className, model: prompt.model, endpoint: .chatCompletions)
        if !chunk.flows.contains(key) { chunk.flows.append(key) }
        let start = chunk.buffer.count
        chunk.buffer += Array(prompt.customID.utf8)
        let middle = chunk.buffer.count
        chunk.buffer += Array(prompt.body.utf8)
        chunk.lines.append(
            IntakeLine(
                customID: start..<middle, body: middle..<chunk.buffer.count, flow: chunk.flows.firstIndex(of: key) ?? 0,
                line: firstLine + index, maxOutputTokens: 100))
    }
    chunk.newLineCount = firstLine - 1 + prompts.count
    chunk.newOffset = offset ?? Int64(chunk.newLineCount * 100)
    return chunk
}

extension Snapshot {
    /// Reads the tables themselves, not through the code under test, and asserts what must always hold.
    init(reading connection: Connection) throws {
        self.init()
        try connection.query(
            """
            SELECT job.id, job.flow, job.state, job.due, job.lease, job.attempts_used,
                failure.failure_class || ' ' || failure.code, result.lease || ' ' || result.status_code || ' ' ||
                CAST(result.body AS TEXT)
            FROM job LEFT JOIN failure ON failure.job = job.id LEFT JOIN result ON result.job = job.id ORDER BY job.id
            """
        ) { (row) throws(StoreError) in
            jobs.append(
                .init(
                    id: row.int64(0), flow: row.int64(1), state: try row.jobState(2),
                    due: row.optionalTime(3)?.milliseconds, lease: row.int(4), attemptsUsed: row.int(5),
                    failure: row.optionalString(6), result: row.optionalString(7)))
        }
        try connection.query(
            """
            SELECT job, lease, key, outcome, ended, coalesce(input_tokens, 0) + coalesce(output_tokens, 0)
            FROM attempt ORDER BY id
            """
        ) { row in
            attempts.append(
                .init(
                    job: row.int64(0), lease: row.int(1), key: row.string(2), outcome: row.int(3),
                    ended: row.optionalTime(4)?.milliseconds, tokens: row.int(5)))
        }
        try connection.query("SELECT id, held_reason, held_until FROM flow WHERE held_reason IS NOT NULL ORDER BY id") {
            row in holds.append("\(row.int(0)) \(row.string(1)) \(row.optionalInt(2) ?? -1)")
        }
        try connection.query("SELECT id, state, finished FROM batch ORDER BY id") { row in
            finished.append("\(row.int(0)) \(row.int(1)) \(row.optionalInt(2) ?? -1)")
        }
    }
}

/// What does not hold of a queue; counters are compared with a recount.
func faults(in connection: Connection) throws -> [String] {
    let faults: [(String, StaticString)] = [
        (
            "counters",
            """
            SELECT count(*) FROM flow LEFT JOIN (SELECT flow, sum(state = 0) AS s0, sum(state = 1) AS s1,
                sum(state = 2) AS s2, sum(state = 3) AS s3, sum(state = 4) AS s4, sum(state = 5) AS s5,
                sum(state = 6) AS s6 FROM job GROUP BY flow) AS n ON n.flow = flow.id
            WHERE (ready, in_flight, succeeded, parked, scheduled, failed, cancelled) IS NOT
                (coalesce(s0, 0), coalesce(s1, 0), coalesce(s2, 0), coalesce(s3, 0), coalesce(s4, 0), coalesce(s5, 0),
                coalesce(s6, 0))
            """
        ),
        (
            "usage",
            """
            SELECT count(*) FROM flow WHERE (input_tokens, cached_tokens, output_tokens) IS NOT
                (SELECT coalesce(sum(a.input_tokens), 0), coalesce(sum(a.cached_tokens), 0),
                    coalesce(sum(a.output_tokens), 0)
                FROM job JOIN attempt AS a ON a.job = job.id WHERE job.flow = flow.id)
            """
        ),
        (
            "succeeded without a result, or the reverse",
            "SELECT count(*) FROM job LEFT JOIN result ON result.job = job.id WHERE (state = 2) <> (result.job IS NOT NULL)"
        ),
        (
            "failed or parked without a failure, or the reverse",
            "SELECT count(*) FROM job LEFT JOIN failure ON failure.job = job.id WHERE (state IN (3, 5)) <> (failure.job IS NOT NULL)"
        ),
        (
            "in flight without an open attempt",
            """
            SELECT count(*) FROM job WHERE state = 1 AND NOT EXISTS
                (SELECT 1 FROM attempt WHERE attempt.job = job.id AND attempt.lease = job.lease AND outcome = 0)
            """
        ),
        (
            "lease number without its attempt",
            "SELECT count(*) FROM job WHERE lease <> (SELECT count(*) FROM attempt WHERE attempt.job = job.id)"
        ),
        (
            "finished mark",
            """
            SELECT count(*) FROM batch WHERE state IN (1, 2) AND (finished IS NULL) <> EXISTS
                (SELECT 1 FROM flow WHERE batch = batch.id AND ready + in_flight + parked + scheduled > 0)
            """
        ),
        (
            "sums of the ledger",
            """
            SELECT count(*) FROM spend WHERE (input_tokens, cached_tokens, cache_write_tokens, output_tokens,
                    reasoning_tokens, provider, platform, credit, list, requests, tokens) IS NOT
                (SELECT coalesce(sum(e.input_tokens), 0), coalesce(sum(e.cached_tokens), 0),
                    coalesce(sum(e.cache_write_tokens), 0), coalesce(sum(e.output_tokens), 0),
                    coalesce(sum(e.reasoning_tokens), 0), coalesce(sum(e.provider), 0), coalesce(sum(e.platform), 0),
                    coalesce(sum(e.credit), 0), coalesce(sum(e.list), 0), coalesce(sum(e.requests), 0),
                    coalesce(sum(e.tokens), 0)
                FROM ledger AS e WHERE e.account = spend.account AND e.day = spend.day)
            """
        ),
        (
            "entries without a sum",
            """
            SELECT count(*) FROM ledger WHERE NOT EXISTS
                (SELECT 1 FROM spend WHERE spend.account = ledger.account AND spend.day = ledger.day)
            """
        ),
        ("payload", "SELECT count(*) FROM job LEFT JOIN payload ON payload.job = job.id WHERE payload.job IS NULL"),
    ]
    return try faults.filter { try connection.integer($0.1) != 0 }.map(\.0)
}

func checkIntegrity(_ connection: Connection) throws {
    #expect(try connection.first("PRAGMA integrity_check") { row in row.string(0) } == "ok")
    #expect(try connection.first("PRAGMA foreign_key_check") { row in row.string(0) } == nil)
}
