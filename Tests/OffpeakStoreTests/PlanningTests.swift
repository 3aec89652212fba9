import OffpeakCore
import Testing

@testable import OffpeakStore

/// What forecasts read of a queue, and what they keep in it.
@Suite struct PlanningTests {
    private static func recorded(_ batch: BatchID, jobs: Int = 7, finish: Timestamp? = nil) -> RecordedForecast {
        RecordedForecast(
            batch: batch, made: at(3), jobs: jobs, finish: finish, charge: charge(11, 13, 15),
            spent: charge(17, 19, 21), answers: 5, answersBefore: 2)
    }

    private static func charge(_ provider: Int64, _ platform: Int64, _ credit: Int64) -> Charge {
        Charge(
            provider: Money(nanodollars: provider), platform: Money(nanodollars: platform),
            credit: Money(nanodollars: credit))
    }

    @Test func `open jobs are read in flight first, then ready, then deferred`() throws {
        let harness = try SQLiteHarness()
        _ = try harness.submit((1...5).map { Prompt(customID: String(repeating: "x", count: $0)) }, at: at(1))
        let tickets = try harness.queue.peek(flow: 1, limit: 9)
        let begun = try harness.queue.start([tickets[2], tickets[0]], at: at(2)).begun
        let first = try #require(begun.first { $0.job == tickets[0].id })
        var tick = Tick()
        tick.settlements = [settling(first, failure(.overloaded), .defer(until: at(900)), at: at(4))]
        _ = try harness.queue.commit(tick, at: at(4))
        let reader = try QueueReader(queue: harness.folder.queue)
        defer { reader.close() }
        var jobs: [PlannedJob] = []
        try reader.openJobs(of: 1) { jobs.append($0) }
        // A body is its id and nine bytes.
        #expect(jobs.map(\.bodyBytes) == [12, 11, 13, 14, 10])
        #expect(jobs.map(\.due) == [nil, nil, nil, nil, at(900)])
        #expect(jobs.allSatisfy { $0.maxOutputTokens == 100 })
    }

    @Test func `what a run takes up is read among the ready jobs, in input order, and nothing else that is parked`()
        throws
    {
        let harness = try SQLiteHarness()
        _ = try harness.submit((1...4).map { Prompt(customID: String(repeating: "x", count: $0)) }, at: at(1))
        let tickets = try harness.queue.peek(flow: 1, limit: 9)
        let codes = [MoneyStop.budgetExhausted.rawValue, "ready", MoneyStop.unknownCost.rawValue, "timed_out"]
        var tick = Tick()
        tick.stops = zip(tickets, codes).filter { $0.1 != "ready" }.map { ticket, code in
            JobStop(
                job: ticket.id, flow: 1, lease: ticket.lease, state: .parked,
                failure: Failure(.quotaExhausted, code: code, message: "m"))
        }
        _ = try harness.queue.commit(tick, at: at(4))
        let reader = try QueueReader(queue: harness.folder.queue)
        defer { reader.close() }
        for (reasons, expected) in [
            ([], [11]), ([.budgetExhausted], [10, 11]), ([.unknownCost], [11, 12]),
            ([.unknownCost, .budgetExhausted], [10, 11, 12]), ([.exceedsQuota], [11]),
        ] as [([MoneyStop], [Int])] {
            var jobs: [PlannedJob] = []
            try reader.openJobs(of: 1, takingUp: reasons) { jobs.append($0) }
            #expect(jobs.map(\.bodyBytes) == expected, "\(reasons)")
            #expect(jobs.allSatisfy { $0.maxOutputTokens == 100 && $0.due == nil })
        }
    }

    @Test func `past attempts come latest first, answered or failed, with what they used`() throws {
        let harness = try SQLiteHarness()
        _ = try harness.submit((1...4).map { Prompt(customID: "\($0)") }, at: at(1))
        let tickets = try harness.queue.peek(flow: 1, limit: 9)
        let begun = try harness.queue.start(Array(tickets[0..<3]), at: at(2)).begun.sorted { $0.job < $1.job }
        var tick = Tick()
        tick.settlements = [
            settling(begun[0], answer("a"), .complete, at: at(5)),
            settling(begun[1], failure(.overloaded), .retry(at: at(9)), at: at(7)),
        ]
        tick.settlements[0].entry = LedgerEntry(
            kind: .settled, route: LedgerRoute(key: "main", bill: .provider, lane: .sync, model: "m"),
            charge: Charge(),
            usage: Usage(inputTokens: 3, cacheWriteTokens: 2, outputTokens: 5, reasoningTokens: 4), day: 20_261_124)
        _ = try harness.queue.commit(tick, at: at(7))
        let reader = try QueueReader(queue: harness.folder.queue)
        defer { reader.close() }
        var past: [PastAttempt] = []
        try reader.pastAttempts(among: 100) { past.append($0) }
        #expect(past.map(\.failure) == [.overloaded, nil])
        #expect(past.map(\.duration) == [.milliseconds(5), .milliseconds(3)])
        #expect(past.allSatisfy { $0.className == "nightly" && $0.endpoint == .chatCompletions && $0.bodyBytes == 10 })
        // What the attempts' own table has not is in the ledger.
        #expect(past[1].usage.cacheWriteTokens == 2 && past[1].usage.reasoningTokens == 4)
        var latest: [PastAttempt] = []
        try reader.pastAttempts(among: 1) { latest.append($0) }
        #expect(latest.isEmpty, "the latest attempt is still open")
    }

    @Test func `a forecast is kept with its batch, in the place of the one before, and goes with it`() throws {
        let harness = try SQLiteHarness()
        let batch = try harness.submit([Prompt(customID: "a")], at: at(1))
        let control = try QueueControl(queue: harness.folder.queue)
        defer { control.close() }
        let reader = try QueueReader(queue: harness.folder.queue)
        defer { reader.close() }
        #expect(try reader.forecasts().isEmpty)
        try control.keep([Self.recorded(batch), Self.recorded(batch + 1)])
        #expect(try reader.forecasts() == [Self.recorded(batch)], "what is of no batch is not kept")
        try control.keep([Self.recorded(batch, jobs: 8, finish: at(9))])
        #expect(try reader.forecasts() == [Self.recorded(batch, jobs: 8, finish: at(9))])
        try harness.cancel(batch, at: at(10))
        #expect(try control.prune(finishedBefore: at(20)).batches == [batch])
        #expect(try reader.forecasts().isEmpty)
        try checkIntegrity(harness.sqlite.connection)
    }

    @Test func `a reader recalls to a scheduler what the next run would`() throws {
        let harness = try SQLiteHarness()
        _ = try harness.submit((1...3).map { Prompt(customID: "\($0)") }, at: at(1))
        let tickets = try harness.queue.peek(flow: 1, limit: 9)
        let begun = try harness.queue.start(tickets, at: at(2)).begun
        var tick = Tick()
        tick.settlements = begun.map { settling($0, answer("a"), .complete, at: at(5)) }
        tick.keyMemories = [KeyMemory(key: "main", learnedRequests: 5, learnedWindow: .seconds(10))]
        tick.dayUse = [KeyDayUse(key: "main", day: 20_261_124, requests: 3, tokens: 30)]
        _ = try harness.queue.commit(tick, at: at(5))
        let reader = try QueueReader(queue: harness.folder.queue)
        defer { reader.close() }
        let calendar = CalendarPosition(
            day: 20_261_124, ends: PeriodEnds(day: at(99_000), week: at(99_000), month: at(99_000)), began: [:])
        let memory = try reader.runMemory(calendar, at: at(10))
        #expect(memory.keys == tick.keyMemories && memory.dayUse == tick.dayUse)
        #expect(memory.attempts.map(\.ended) == [at(5), at(5), at(5)])
        #expect(try reader.runMemory(calendar, at: at(5) + .minutes(2)).attempts.isEmpty)
    }
}
