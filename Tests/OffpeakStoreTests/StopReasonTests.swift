import OffpeakCore
import Testing

@testable import OffpeakStore

@Suite struct StopReasonTests {
    private static func why(_ code: String) -> Failure {
        Failure(.quotaExhausted, code: code, message: "it is \(code)", judged: false)
    }

    private static func read(_ harness: SQLiteHarness, _ batch: BatchID) throws -> [StopReason] {
        let reader = try QueueReader(queue: harness.folder.queue)
        defer { reader.close() }
        var reasons = StopReasons(reader)
        return try reasons.of(try #require(try reader.batch(batch)))
    }

    @Test func `Parked and failed jobs are counted by their reasons, over all of a batch's flows`() throws {
        let harness = try SQLiteHarness()
        let batch = try harness.submit(prompts(6) + prompts(4, model: "large"), at: at(1))
        #expect(try Self.read(harness, batch).isEmpty)
        var tick = Tick()
        for (index, flow) in try harness.queue.openFlows().enumerated() {
            for (place, ticket) in try harness.queue.peek(flow: flow.id, limit: 4).enumerated() {
                tick.stops.append(
                    JobStop(
                        job: ticket.id, flow: flow.id, lease: 0, state: place == 3 ? .failed : .parked,
                        failure: Self.why(place == 0 && index == 0 ? "rare" : "common")))
            }
        }
        _ = try harness.queue.commit(tick, at: at(2))
        let found = try Self.read(harness, batch)
        #expect(found.map(\.state) == [.parked, .parked, .failed])
        #expect(found.map(\.code) == ["common", "rare", "common"] && found.map(\.jobs) == [5, 1, 2])
        #expect(found.map(\.message) == ["it is common", "it is rare", "it is common"])
        #expect(found.allSatisfy { !$0.isAtLeast && $0.failureClass == "quota_exhausted" })
        // Another batch has nothing to do with it.
        #expect(try Self.read(harness, try harness.submit(prompts(2), at: at(3))).isEmpty)
    }

    @Test func `Reasons of one code are told apart, the frequent ones by themselves and the rest together`() throws {
        let harness = try SQLiteHarness()
        let batch = try harness.submit(prompts(20) + prompts(20, model: "large"), at: at(1))
        var tick = Tick()
        for flow in try harness.queue.openFlows() {
            // In each flow reason 0 three times, reason 1 twice, and eight others once.
            for (place, ticket) in try harness.queue.peek(flow: flow.id, limit: 13).enumerated() {
                let number = place < 3 ? 0 : place < 5 ? 1 : place - 3
                let failure = Failure(.quotaExhausted, code: "used", message: "reason \(number)", judged: false)
                tick.stops.append(JobStop(job: ticket.id, flow: flow.id, lease: 0, state: .parked, failure: failure))
            }
        }
        _ = try harness.queue.commit(tick, at: at(2))
        let found = try Self.read(harness, batch)
        #expect(found.map(\.message) == ["reason 0", "reason 1", "reason 2", "reason 3", "reason 4", ""])
        #expect(found.map(\.jobs) == [6, 4, 2, 2, 2, 10] && found.map(\.reasons) == [1, 1, 1, 1, 1, 5])
        #expect(found.allSatisfy { $0.code == "used" && $0.state == .parked && !$0.isAtLeast })
    }

    @Test func `Of very many, the first are looked through, by an index, and the numbers say so`() throws {
        let harness = try SQLiteHarness()
        let batch = try harness.submit(prompts(12_000), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        #expect(try harness.queue.stop(flow: flow, as: .parked, failure: Self.why("used"), at: at(2)) == 12_000)
        let found = try Self.read(harness, batch)
        #expect(found.map(\.jobs) == [10_000] && found[0].isAtLeast)
        var plan = ""
        for (index, state) in [("job_parked", 3), ("job_failed", 5)] {
            let statement: StaticString =
                state == 3
                ? "EXPLAIN QUERY PLAN SELECT id FROM job WHERE state = 3 AND flow = 1 ORDER BY id LIMIT 10"
                : "EXPLAIN QUERY PLAN SELECT id FROM job WHERE state = 5 AND flow = 1 ORDER BY id LIMIT 10"
            try harness.sqlite.connection.query(statement) { row in plan += row.string(3) }
            #expect(plan.contains("USING INDEX \(index) (flow=?)"), "\(plan)")
        }
        #expect(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "\(plan)")
    }
}
