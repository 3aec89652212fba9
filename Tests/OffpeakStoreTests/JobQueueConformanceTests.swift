import OffpeakCore
import Testing

@testable import OffpeakStore

func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

func answer(_ text: String, input: Int = 10, output: Int = 5) -> AttemptOutcome {
    .success(
        Answer(
            statusCode: 200, requestID: "req-\(text)", body: Array("{\"text\":\"\(text)\"}".utf8),
            usage: Usage(inputTokens: input, outputTokens: output)))
}

func failure(_ failureClass: FailureClass, _ code: String = "code", usage: Usage = Usage()) -> AttemptOutcome {
    .failure(Failure(failureClass, code: code, message: "it failed", statusCode: 500, usage: usage))
}

/// Short ways to the ticks that the tests need.
extension JobQueue {
    func start(_ tickets: [JobTicket], key: String = "main", at now: Timestamp) throws -> TickResult {
        var tick = Tick()
        tick.starts = tickets.map { starting($0, key: key, at: now) }
        return try commit(tick, at: now)
    }

    func settle(
        _ begun: BegunAttempt, _ outcome: AttemptOutcome, _ disposition: Disposition = .complete, used: Int = 1,
        at now: Timestamp
    ) throws -> TickResult {
        var tick = Tick()
        tick.settlements = [settling(begun, outcome, disposition, used: used, at: now)]
        return try commit(tick, at: now)
    }

    func onlyFlow() throws -> Flow { try #require(try openFlows().first) }
}

func starting(_ ticket: JobTicket, key: String = "main", at now: Timestamp) -> AttemptStart {
    AttemptStart(
        job: ticket.id, flow: ticket.flow, lease: ticket.lease + 1, key: key, model: "small-v1", started: now,
        reservedTokens: 120, passedOver: "")
}

func settling(
    _ begun: BegunAttempt, _ outcome: AttemptOutcome, _ disposition: Disposition = .complete, used: Int = 1,
    at now: Timestamp
) -> Settlement {
    Settlement(
        job: begun.job, flow: begun.flow, lease: begun.lease, ended: now, outcome: outcome, disposition: disposition,
        reason: "because", attemptsUsed: used)
}

func prompts(_ count: Int, className: String = "nightly", model: String = "small") -> [Prompt] {
    (1...count).map { Prompt(customID: "\(model)-\($0)", className: className, model: model) }
}

@Suite struct JobQueueConformanceTests {
    @Test(arguments: QueueKind.allCases)
    func `A batch runs from ready to succeeded`(kind: QueueKind) throws {
        let harness = try kind.harness()
        let batch = try harness.submit(prompts(3), at: at(1))
        let flow = try harness.queue.onlyFlow()
        #expect(flow.batch == batch && flow.className == "nightly" && flow.model == "small")
        let tickets = try harness.queue.peek(flow: flow.id, limit: 10)
        #expect(tickets.map(\.id) == tickets.map(\.id).sorted() && tickets.count == 3)
        #expect(tickets[0].lease == 0 && tickets[0].attemptsUsed == 0 && tickets[0].maxOutputTokens == 100)
        let begun = try harness.queue.start(tickets, at: at(2)).begun
        #expect(begun.map(\.lease) == [1, 1, 1])
        #expect(begun.map { String(decoding: $0.body, as: UTF8.self) } == prompts(3).map(\.body))
        #expect(begun[0].body.count == tickets[0].bodyBytes)
        #expect(try harness.queue.peek(flow: flow.id, limit: 10).isEmpty)
        #expect(try harness.queue.openAttempts().map(\.ticket.id) == tickets.map(\.id))
        for (index, attempt) in begun.enumerated() {
            let result = try harness.queue.settle(attempt, answer("a\(index)"), at: at(3))
            #expect(result.finished == (index == 2 ? [batch] : []))
        }
        #expect(try harness.queue.openFlows().isEmpty)
        #expect(try harness.queue.openAttempts().isEmpty)
        #expect(try harness.snapshot().jobs.allSatisfy { $0.state == .succeeded && $0.attemptsUsed == 1 })
    }

    @Test(arguments: QueueKind.allCases)
    func `Peeking goes on after a job`(kind: QueueKind) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(5), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let first = try harness.queue.peek(flow: flow, limit: 2)
        let next = try harness.queue.peek(flow: flow, after: first.last?.id, limit: 2)
        #expect(first.count == 2 && next.count == 2 && next[0].id > first[1].id)
        #expect(try harness.queue.peek(flow: flow, after: next[1].id, limit: 9).count == 1)
    }

    @Test(arguments: QueueKind.allCases)
    func `A start under a stale lease number is refused`(kind: QueueKind) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(2), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let tickets = try harness.queue.peek(flow: flow, limit: 2)
        let begun = try harness.queue.start(tickets, at: at(2)).begun
        let again = try harness.queue.start(tickets, at: at(2))
        #expect(again.begun.isEmpty && again.refused == tickets.map(\.id))
        _ = try harness.queue.settle(begun[0], failure(.unavailable), .nextKey, used: 1, at: at(3))
        #expect(try harness.queue.start([tickets[0]], at: at(4)).refused == [tickets[0].id])
        let fresh = try harness.queue.peek(flow: flow, limit: 2)
        #expect(fresh.map(\.lease) == [1] && fresh[0].attemptsUsed == 1)
        #expect(try harness.queue.start(fresh, at: at(5)).begun.map(\.lease) == [2])
    }

    @Test(arguments: QueueKind.allCases)
    func `A single job is parked or ends unsent, unless it has begun, and ends its batch if it is the last`(
        kind: QueueKind
    ) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(4), at: at(0))
        let flow = try harness.queue.onlyFlow().id
        let tickets = try harness.queue.peek(flow: flow, limit: 9)
        let begun = try harness.queue.start([tickets[0]], at: at(1)).begun
        let why = Failure(.quotaExhausted, code: "exceeds_quota", message: "too large")
        var tick = Tick()
        tick.stops = zip(tickets, [.parked, .parked, .failed, .failed] as [JobState]).map {
            JobStop(job: $0.id, flow: flow, lease: $0.lease, state: $1, failure: why)
        }
        let result = try harness.queue.commit(tick, at: at(2))
        #expect(result.parked == 1 && result.failed == 2 && result.finished.isEmpty)
        #expect(try harness.snapshot().jobs.map(\.state) == [.inFlight, .parked, .failed, .failed])
        #expect(
            try harness.snapshot().jobs.map(\.failure) == [nil]
                + .init(repeating: "quota_exhausted exceeds_quota", count: 3))
        // A lease number that is not the present one stops nothing.
        try harness.retry(1, .parked, at: at(3))
        tick.stops = [JobStop(job: tickets[1].id, flow: flow, lease: 7, state: .failed, failure: why)]
        #expect(try harness.queue.commit(tick, at: at(4)).failed == 0)
        _ = try harness.queue.settle(begun[0], answer("a"), at: at(5))
        tick.stops[0].lease = 0
        #expect(try harness.queue.commit(tick, at: at(6)).finished == [1])
        #expect(try harness.queue.openFlows().isEmpty)
    }

    @Test(arguments: QueueKind.allCases)
    func `A job can be settled and begun again in one tick`(kind: QueueKind) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(1), at: at(1))
        let ticket = try #require(try harness.queue.peek(flow: try harness.queue.onlyFlow().id, limit: 1).first)
        let begun = try harness.queue.start([ticket], at: at(2)).begun[0]
        var tick = Tick()
        tick.settlements = [settling(begun, failure(.rateLimited), .nextKey, used: 0, at: at(3))]
        var next = ticket
        next.lease = 1
        tick.starts = [starting(next, key: "spare", at: at(3))]
        #expect(try harness.queue.commit(tick, at: at(3)).begun.map(\.lease) == [2])
        #expect(try harness.queue.openAttempts().map(\.key) == ["spare"])
    }

    @Test(arguments: QueueKind.allCases)
    func `Each disposition leads to its state`(kind: QueueKind) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(7), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 7), at: at(2)).begun
        let dispositions: [Disposition] = [
            .retry(at: at(50)), .retry(at: at(3)), .defer(until: at(60)), .nextKey, .nextModel, .park, .fail,
        ]
        var tick = Tick()
        tick.settlements = zip(begun, dispositions).map { begun, disposition in
            settling(begun, failure(.overloaded, "busy"), disposition, used: 1, at: at(3))
        }
        // Whoever holds a page of the flow must hear that it has ready jobs again.
        #expect(try harness.queue.commit(tick, at: at(3)).promoted == [FlowCount(flow: flow, jobs: 3)])
        let jobs = try harness.snapshot().jobs
        #expect(jobs.map(\.state) == [.scheduled, .ready, .scheduled, .ready, .ready, .parked, .failed])
        #expect(jobs.map(\.due) == [50, nil, 60, nil, nil, nil, nil])
        #expect(jobs.map(\.failure) == [nil, nil, nil, nil, nil, "overloaded busy", "overloaded busy"])
        #expect(try harness.queue.nextDue() == at(50))
    }

    @Test(arguments: QueueKind.allCases)
    func `Scheduled jobs become ready when they are due, and not before`(kind: QueueKind) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(3), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 3), at: at(2)).begun
        for (attempt, due) in zip(begun, [Int64(100), 100, 200]) {
            _ = try harness.queue.settle(attempt, failure(.rateLimited), .defer(until: at(due)), used: 0, at: at(3))
        }
        #expect(try harness.queue.commit(Tick(), at: at(99)).promoted.isEmpty)
        var tick = Tick()
        tick.promotionLimit = 1
        #expect(try harness.queue.commit(tick, at: at(100)).promoted == [FlowCount(flow: flow, jobs: 1)])
        #expect(try harness.queue.commit(tick, at: at(100)).promoted == [FlowCount(flow: flow, jobs: 1)])
        #expect(try harness.queue.commit(tick, at: at(150)).promoted.isEmpty)
        #expect(try harness.queue.nextDue() == at(200))
        #expect(try harness.queue.commit(Tick(), at: at(10_000)).promoted == [FlowCount(flow: flow, jobs: 1)])
        #expect(try harness.queue.nextDue() == nil)
        #expect(try harness.queue.peek(flow: flow, limit: 9).count == 3)
    }

    @Test(arguments: QueueKind.allCases)
    func `Nothing begins while its batch, class or key is paused`(kind: QueueKind) throws {
        let harness = try kind.harness()
        let batch = try harness.submit(prompts(1), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let ticket = try harness.queue.peek(flow: flow, limit: 1)
        for target in [PauseTarget.batch(batch), .workloadClass("nightly"), .key("main")] {
            let version = try harness.queue.dataVersion()
            try harness.setPaused(true, target)
            #expect(try harness.queue.dataVersion() != version)
            #expect(try harness.queue.start(ticket, at: at(2)).refused == ticket.map(\.id))
            if target == .batch(batch) { #expect(try harness.queue.onlyFlow().paused) }
            if target == .key("main") {
                #expect(try harness.queue.pauses() == Pauses(keys: ["main"]))
                var tick = Tick()
                tick.starts = ticket.map { starting($0, key: "other", at: at(2)) }
                #expect(try harness.queue.commit(tick, at: at(2)).begun.count == 1)
            }
            try harness.setPaused(false, target)
        }
        #expect(try harness.queue.pauses() == Pauses())
    }

    @Test(arguments: QueueKind.allCases)
    func `Cancelling ends what has not begun, and what is in flight ends as it will`(kind: QueueKind) throws {
        let harness = try kind.harness()
        let batch = try harness.submit(prompts(6), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let tickets = try harness.queue.peek(flow: flow, limit: 6)
        let begun = try harness.queue.start(Array(tickets.prefix(5)), at: at(2)).begun
        _ = try harness.queue.settle(begun[3], failure(.timedOut), .park, at: at(3))
        _ = try harness.queue.settle(begun[4], failure(.timedOut), .defer(until: at(500)), at: at(3))
        try harness.cancel(batch, at: at(4))
        #expect(try harness.queue.openFlows().isEmpty)
        #expect(try harness.queue.start([tickets[5]], at: at(5)).refused == [tickets[5].id])
        _ = try harness.queue.settle(begun[0], answer("paid"), at: at(5))
        _ = try harness.queue.settle(begun[1], failure(.overloaded), .retry(at: at(90)), at: at(5))
        let last = try harness.queue.settle(begun[2], failure(.invalidRequest), .fail, at: at(6))
        #expect(last.finished == [batch])
        let jobs = try harness.snapshot().jobs
        #expect(jobs.map(\.state) == [.succeeded, .cancelled, .failed, .cancelled, .cancelled, .cancelled])
        #expect(try harness.queue.nextDue() == nil)
    }

    @Test(arguments: QueueKind.allCases)
    func `A late answer is kept when the job has none, whatever became of the job`(kind: QueueKind) throws {
        let harness = try kind.harness()
        let batch = try harness.submit(prompts(5), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 5), at: at(2)).begun
        let lost: [Disposition] = [.nextKey, .retry(at: at(900)), .park, .fail, .nextKey]
        for (attempt, disposition) in zip(begun, lost) {
            _ = try harness.queue.settle(attempt, failure(.unknownOutcome), disposition, used: 0, at: at(3))
        }
        // The first is in flight again under a new lease number when the old answer comes.
        let second = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 1), at: at(4)).begun[0]
        for (index, attempt) in begun.prefix(4).enumerated() {
            _ = try harness.queue.settle(attempt, answer("late\(index)"), at: at(5))
        }
        try harness.cancel(batch, at: at(6))
        let result = try harness.queue.settle(begun[4], answer("late4"), at: at(7))
        #expect(result.finished.isEmpty)
        let snapshot = try harness.snapshot()
        #expect(snapshot.jobs.allSatisfy { $0.state == .succeeded && $0.failure == nil && $0.due == nil })
        #expect(snapshot.jobs.map(\.result).allSatisfy { $0?.contains("late") == true })
        // The second answer to the first job is paid for, too, but changes only its attempt.
        _ = try harness.queue.settle(second, answer("twice", input: 1_000), at: at(8))
        let after = try harness.snapshot()
        #expect(after.jobs == snapshot.jobs)
        #expect(after.attempts.last?.tokens == 1_005 && after.attempts.last?.outcome == 1)
    }

    @Test(arguments: QueueKind.allCases)
    func `Settling twice changes nothing the second time`(kind: QueueKind) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(2), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 2), at: at(2)).begun
        let settlements = [
            settling(begun[0], answer("one"), at: at(3)),
            settling(begun[1], failure(.refused, usage: Usage(inputTokens: 7)), .fail, at: at(3)),
        ]
        var tick = Tick()
        tick.settlements = settlements
        _ = try harness.queue.commit(tick, at: at(3))
        let before = try harness.snapshot()
        _ = try harness.queue.commit(tick, at: at(3))
        #expect(try harness.snapshot() == before)
        // An attempt that never was is not made up.
        tick.settlements[0].lease = 9
        _ = try harness.queue.commit(tick, at: at(3))
        #expect(try harness.snapshot() == before)
    }

    @Test(arguments: QueueKind.allCases)
    func `A late failure replaces the unknown outcome and nothing else`(kind: QueueKind) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(1), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 1), at: at(2)).begun[0]
        _ = try harness.queue.settle(begun, failure(.unknownOutcome), .park, used: 0, at: at(3))
        let parked = try harness.snapshot()
        _ = try harness.queue.settle(begun, failure(.overloaded), .fail, used: 1, at: at(4))
        let after = try harness.snapshot()
        #expect(after.jobs == parked.jobs)
        #expect(parked.attempts[0].outcome == 3 && after.attempts[0].outcome == 2)
    }

    @Test(arguments: QueueKind.allCases)
    func `A dead runner's attempts are found and settled as unknown`(kind: QueueKind) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(3), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        _ = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 2), at: at(2))
        try harness.restart(at: at(10))
        let open = try harness.queue.openAttempts()
        #expect(open.map(\.ticket.lease) == [1, 1] && open.map(\.key) == ["main", "main"])
        #expect(open.map(\.reservedTokens) == [120, 120] && open[0].started == at(2))
        var tick = Tick()
        tick.settlements = open.map {
            Settlement(
                job: $0.ticket.id, flow: $0.ticket.flow, lease: $0.ticket.lease, ended: at(10),
                outcome: failure(.unknownOutcome), disposition: .nextKey, reason: "the runner died",
                attemptsUsed: $0.ticket.attemptsUsed)
        }
        _ = try harness.queue.commit(tick, at: at(10))
        #expect(try harness.queue.openAttempts().isEmpty)
        #expect(try harness.snapshot().attempts.map(\.outcome) == [3, 3])
        #expect(try harness.queue.peek(flow: flow, limit: 9).map(\.lease) == [1, 1, 0])
    }

    @Test(arguments: QueueKind.allCases)
    func `What a runner has learned survives a restart`(kind: QueueKind) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(2), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 2), at: at(20)).begun
        var tick = Tick()
        tick.settlements = [settling(begun[0], answer("x", input: 30, output: 4), at: at(25))]
        tick.dayUse = [
            KeyDayUse(key: "main", day: 20_000, requests: 2, tokens: 240),
            KeyDayUse(key: "main", day: 20_000, requests: 0, tokens: -86),
            KeyDayUse(key: "spare", day: 20_001, requests: 1, tokens: 1),
        ]
        let memory = KeyMemory(
            key: "main", health: "cooling", reason: "limit", blockedUntil: at(99), learnedRequests: 60,
            learnedWindow: .minutes(1), useOfLimit: 900)
        tick.keyMemories = [KeyMemory(key: "main"), memory, KeyMemory(key: "spare")]
        tick.holds = [FlowHold(flow: flow, hold: Hold(reason: "key main: limit", until: at(99)))]
        _ = try harness.queue.commit(tick, at: at(30))
        try harness.restart(at: at(40))
        #expect(try harness.queue.keyMemories() == [memory, KeyMemory(key: "spare")])
        #expect(
            try harness.queue.dayUse(day: 20_000) == [KeyDayUse(key: "main", day: 20_000, requests: 2, tokens: 154)])
        #expect(try harness.snapshot().holds == ["\(flow) key main: limit 99"])
        let recent = try harness.queue.recentAttempts(since: at(20))
        #expect(recent.map(\.usedTokens) == [nil, 34] && recent.map(\.ended) == [nil, at(25)])
        #expect(try harness.queue.recentAttempts(since: at(21)).isEmpty)
        tick = Tick()
        tick.holds = [FlowHold(flow: flow, hold: nil)]
        _ = try harness.queue.commit(tick, at: at(41))
        #expect(try harness.snapshot().holds.isEmpty)
    }

    @Test(arguments: QueueKind.allCases)
    func `Retrying gives ended jobs all their attempts back`(kind: QueueKind) throws {
        let harness = try kind.harness()
        let batch = try harness.submit(prompts(4), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 4), at: at(2)).begun
        let ends: [(AttemptOutcome, Disposition)] = [
            (failure(.refused), .fail), (failure(.timedOut), .park), (failure(.unknownOutcome), .park),
            (answer("ok"), .complete),
        ]
        for (attempt, end) in zip(begun, ends) {
            _ = try harness.queue.settle(attempt, end.0, end.1, used: 5, at: at(3))
        }
        try harness.retry(batch, .unknown, at: at(4))
        #expect(try harness.snapshot().jobs.map(\.state) == [.failed, .parked, .ready, .succeeded])
        try harness.retry(batch, .failed, at: at(5))
        #expect(try harness.snapshot().jobs.map(\.state) == [.ready, .parked, .ready, .succeeded])
        try harness.retry(batch, .parked, at: at(6))
        let jobs = try harness.snapshot().jobs
        #expect(jobs.map(\.state) == [.ready, .ready, .ready, .succeeded])
        #expect(jobs.map(\.attemptsUsed) == [0, 0, 0, 5] && jobs.map(\.lease) == [1, 1, 1, 1])
        #expect(jobs.map(\.failure) == [nil, nil, nil, nil])
    }
}
