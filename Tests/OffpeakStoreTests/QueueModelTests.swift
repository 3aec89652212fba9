import Glibc
import OffpeakCore
import Testing

@testable import OffpeakStore

/// A small generator that a seed fixes; the same on every machine.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    mutating func chance(_ one: Int, in many: Int) -> Bool { Int.random(in: 0..<many, using: &self) < one }
}

/// Where the two queues part.
private struct Difference: Error {
    var what: String
    var model: String
    var sqlite: String
}

/// Random operations on both queues at once; after each, everything that can be seen of them must be equal.
private struct Duel {
    let model = MemoryHarness()
    let sqlite: SQLiteHarness
    var numbers: SeededNumbers
    var now = Int64(1_000)
    var batches: [BatchID] = []
    var cancelled: Set<BatchID> = []
    /// Every attempt that ever began: also the old ones get answers.
    var begun: [BegunAttempt] = []

    init(seed: UInt64) throws {
        sqlite = try SQLiteHarness()
        numbers = SeededNumbers(seed: seed)
    }

    mutating func step() throws {
        now += Int64.random(in: 0...20, using: &numbers)
        switch Int.random(in: 0..<20, using: &numbers) {
        case 0...1: try submit()
        case 2: try pauseOrResume()
        case 3 where numbers.chance(1, in: 4): try cancel()
        case 4: try retry()
        case 6 where numbers.chance(1, in: 3): try park()
        case 7 where numbers.chance(1, in: 3): try takeUp()
        case 5 where numbers.chance(1, in: 3): try sqlite.restart(at: at(now))
        default: try tick()
        }
        let (expected, found) = (model.snapshot(), try sqlite.snapshot())
        try same(expected, found, "snapshots")
        try same(model.queue.openFlows(), sqlite.queue.openFlows(), "openFlows")
        try same(statuses(model.queue), statuses(sqlite.queue), "flowStatuses")
        try same(model.queue.openAttempts(), sqlite.queue.openAttempts(), "openAttempts")
        try same(model.queue.nextDue(), sqlite.queue.nextDue(), "nextDue")
        try same(model.queue.pauses(), sqlite.queue.pauses(), "pauses")
        let since = at(now - 30)
        try same(model.queue.recentAttempts(since: since), sqlite.queue.recentAttempts(since: since), "recentAttempts")
        try same(model.queue.dayUse(day: 1), sqlite.queue.dayUse(day: 1), "dayUse")
        try same(Set(model.queue.spend()), Set(sqlite.queue.spend()), "spend")
        try same(model.queue.parkedForMoney(), sqlite.queue.parkedForMoney(), "parkedForMoney")
        try same([], faults(in: sqlite.sqlite.connection), "invariants")
    }

    private func statuses(_ queue: any JobQueue) throws -> [String] {
        try queue.flowStatuses().map { "\($0.flow.id) \($0.counts) \($0.nextDue?.milliseconds ?? -1)" }
    }

    private mutating func park() throws {
        guard let flow = try model.queue.openFlows().randomElement(using: &numbers)?.id else { return }
        let why =
            numbers.chance(1, in: 2)
            ? Failure(.keyRejected, code: "invalid_api_key", message: "revoked", statusCode: 401)
            : Failure(.quotaExhausted, code: "budget_exhausted", message: "used up")
        let state = numbers.chance(2, in: 3) ? JobState.parked : .failed
        try same(
            model.queue.stop(flow: flow, as: state, failure: why, at: at(now)),
            sqlite.queue.stop(flow: flow, as: state, failure: why, at: at(now)), "stopped")
    }

    private mutating func takeUp() throws {
        guard let parked = try model.queue.parkedForMoney().randomElement(using: &numbers) else { return }
        try same(
            model.queue.takeUp(flow: parked.flow.id, parkedFor: parked.reason, at: at(now)),
            sqlite.queue.takeUp(flow: parked.flow.id, parkedFor: parked.reason, at: at(now)), "taken up")
    }

    private func same<Value: Equatable>(_ model: Value, _ sqlite: Value, _ what: String) throws {
        if model != sqlite { throw Difference(what: what, model: "\(model)", sqlite: "\(sqlite)") }
    }

    private mutating func submit() throws {
        guard batches.count < 4 else { return }
        let prompts = (0..<Int.random(in: 1...8, using: &numbers)).map { index in
            Prompt(
                customID: "p\(index)", className: numbers.chance(1, in: 2) ? "nightly" : "urgent",
                model: numbers.chance(2, in: 3) ? "small" : "large")
        }
        let batch = model.submit(prompts, at: at(now))
        try same(batch, sqlite.submit(prompts, at: at(now)), "batch id")
        batches.append(batch)
    }

    private mutating func pauseOrResume() throws {
        var targets: [PauseTarget] = [.workloadClass("urgent"), .key("a")]
        if let batch = batches.randomElement(using: &numbers) { targets.append(.batch(batch)) }
        let target = targets[Int.random(in: 0..<targets.count, using: &numbers)]
        let paused = numbers.chance(1, in: 3)
        model.setPaused(paused, target)
        try sqlite.setPaused(paused, target)
    }

    private mutating func cancel() throws {
        guard let batch = batches.randomElement(using: &numbers) else { return }
        cancelled.insert(batch)
        model.cancel(batch, at: at(now))
        try sqlite.cancel(batch, at: at(now))
    }

    private mutating func retry() throws {
        guard let batch = batches.randomElement(using: &numbers), !cancelled.contains(batch) else { return }
        let which = RetrySelection.allCases[Int.random(in: 0..<4, using: &numbers)]
        model.retry(batch, which, at: at(now))
        try sqlite.retry(batch, which, at: at(now))
    }

    private mutating func tick() throws {
        var tick = Tick()
        tick.promotionLimit = Int.random(in: 1...3, using: &numbers)
        for _ in 0..<Int.random(in: 0...4, using: &numbers) {
            guard let attempt = pick() else { break }
            tick.settlements.append(settlement(of: attempt))
        }
        for flow in try model.queue.openFlows() where numbers.chance(2, in: 3) {
            var tickets = try model.queue.peek(flow: flow.id, limit: 3)
            try same(tickets, sqlite.queue.peek(flow: flow.id, limit: 3), "peek")
            // Now and then a stale one.
            if numbers.chance(1, in: 6), !tickets.isEmpty { tickets[0].lease += numbers.chance(1, in: 2) ? 1 : -1 }
            // Some of them also begin in the same tick: whichever comes first counts.
            tick.stops += tickets.filter { _ in numbers.chance(1, in: 8) }.map {
                JobStop(
                    job: $0.id, flow: $0.flow, lease: $0.lease, state: numbers.chance(2, in: 3) ? .parked : .failed,
                    failure: Failure(.quotaExhausted, code: "exceeds_quota", message: "too large"))
            }
            tick.starts += tickets.map { starting($0, key: numbers.chance(1, in: 2) ? "a" : "b", at: at(now)) }
        }
        if numbers.chance(1, in: 4), let flow = try model.queue.openFlows().first?.id {
            let hold = numbers.chance(1, in: 2) ? Hold(reason: "full", until: at(now + 9)) : nil
            tick.holds = [FlowHold(flow: flow, hold: hold)]
        }
        if numbers.chance(1, in: 4) { tick.dayUse = [KeyDayUse(key: "a", day: 1, requests: 1, tokens: 40)] }
        let expected = try model.queue.commit(tick, at: at(now))
        let found = try sqlite.queue.commit(tick, at: at(now))
        try same(expected, found, "tick result")
        begun += found.begun
    }

    /// Mostly a recent attempt, sometimes any.
    private mutating func pick() -> BegunAttempt? {
        if numbers.chance(1, in: 5) { return begun.randomElement(using: &numbers) }
        return begun.suffix(6).randomElement(using: &numbers)
    }

    private mutating func settlement(of attempt: BegunAttempt) -> Settlement {
        let used = Int.random(in: 0...3, using: &numbers)
        if numbers.chance(1, in: 2) {
            let tokens = Int.random(in: 0...50, using: &numbers)
            return paid(settling(attempt, answer("t\(tokens)", input: tokens), used: used, at: at(now)))
        }
        let classes: [FailureClass] = [.rateLimited, .unknownOutcome, .unknownOutcome, .refused]
        let failureClass = classes[Int.random(in: 0..<classes.count, using: &numbers)]
        let dispositions: [Disposition] = [
            .retry(at: at(now + Int64.random(in: -5...40, using: &numbers))), .nextKey, .nextModel, .park, .fail,
            .defer(until: at(now + Int64.random(in: 0...40, using: &numbers))),
        ]
        let usage = Usage(inputTokens: Int.random(in: 0...9, using: &numbers))
        return paid(
            settling(
                attempt, failure(failureClass, usage: usage),
                dispositions[Int.random(in: 0..<dispositions.count, using: &numbers)], used: used, at: at(now)))
    }

    /// With what the attempt cost; on one route and day for all that is ever said of it.
    private mutating func paid(_ settlement: Settlement) -> Settlement {
        func some(_ most: Int) -> Int { numbers.chance(1, in: 3) ? 0 : Int.random(in: 0...most, using: &numbers) }
        var settlement = settlement
        let number = Int(settlement.job % 5) + settlement.lease
        settlement.entry = LedgerEntry(
            kind: .settled,
            route: LedgerRoute(
                key: number % 2 == 0 ? "a" : "b", bill: Billing.allCases[number % 3], lane: .sync, model: "m"),
            charge: Charge(
                provider: Money(nanodollars: Int64(some(1 << 40))), platform: Money(nanodollars: Int64(some(99))),
                credit: Money(nanodollars: Int64(some(99))), list: Money(nanodollars: Int64(some(1 << 40)))),
            usage: Usage(inputTokens: some(9), cachedTokens: some(9), outputTokens: some(9), reasoningTokens: some(9)),
            requests: some(1), tokens: some(99), day: 20_261_124 + number % 3)
        return settlement
    }
}

@Suite struct QueueModelTests {
    /// More with `OFFPEAK_SEEDS=10000`.
    static var seeds: Int { getenv("OFFPEAK_SEEDS").flatMap { Int(String(cString: $0)) } ?? 400 }

    @Test(arguments: 0..<4)
    func `Random operations leave both queues the same`(part: Int) throws {
        for seed in 0..<Self.seeds where seed % 4 == part {
            var duel = try Duel(seed: UInt64(seed))
            for step in 0..<60 {
                do {
                    try duel.step()
                } catch {
                    Issue.record("seed \(seed), step \(step): \(error)")
                    return
                }
            }
            try checkIntegrity(duel.sqlite.sqlite.connection)
        }
    }
}
