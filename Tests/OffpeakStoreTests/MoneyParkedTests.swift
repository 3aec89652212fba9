import OffpeakCore
import Testing

@testable import OffpeakStore

/// What was parked for lack of money goes on by itself when a run begins that has the money, and not before.
@Suite struct MoneyParkedTests {
    private static let price = ModelPrice(
        rates: TokenRates(input: 1_000_000_000, output: 1_000_000_000), source: "test")

    /// A run's scheduler; a job of n bytes and 100 tokens costs at most n + 100 thousandths of a thousandth of a dollar.
    private static func scheduler(
        budget: Int64?, per scope: Budget.Scope = .day, quota: Int? = nil, priced: Bool = true
    ) -> Scheduler {
        var policy = ClassPolicy(name: "nightly", posture: .cost)
        policy.budget = budget.map { Budget(limit: Money(nanodollars: $0 * 1_000), per: scope) }
        var key = KeyDescriptor(name: "main", provider: "p")
        key.quota = quota.map { Quota(tokens: $0, per: .month) }
        let list = PriceList(name: "l", entries: priced ? ["small": .init(price: price)] : [:])
        return Scheduler(
            keys: [key], pools: [], classes: [(policy, ["main"])], prices: PriceBook(lists: [list]), seed: 1)
    }

    private static func calendar(_ day: Int) -> CalendarPosition {
        let end = at(Int64(day + 1) * 86_400_000)
        return CalendarPosition(
            day: day, ends: PeriodEnds(day: end, week: end, month: end), began: [.day: day, .week: day, .month: day])
    }

    /// The beginning of a run; what it takes up.
    private static func begin(_ harness: any Harness, _ scheduler: Scheduler, day: Int = 1) throws -> Int {
        var scheduler = scheduler
        return try RunRecovery.perform(
            on: harness.queue, scheduler: &scheduler, calendar: calendar(day), at: at(Int64(day) * 86_400_000)
        ).takenUp
    }

    private static func park(_ harness: any Harness, _ flow: FlowID, _ reason: MoneyStop) throws -> Int {
        try harness.queue.stop(
            flow: flow, as: .parked, failure: Failure(.quotaExhausted, code: reason.rawValue, message: "no money"),
            at: at(1))
    }

    /// Three jobs, of which the first has cost 80 already.
    private static func spent(_ kind: QueueKind) throws -> (any Harness, FlowID) {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(3), at: at(0))
        let flow = try harness.queue.onlyFlow().id
        let ticket = try #require(try harness.queue.peek(flow: flow, limit: 1).first)
        let begun = try #require(try harness.queue.start([ticket], at: at(1)).begun.first)
        var settlement = settling(begun, answer("a"), at: at(2))
        settlement.entry = LedgerEntry(
            kind: .settled, route: LedgerRoute(key: "main", bill: .provider, lane: .sync, model: "small"),
            charge: Charge(provider: Money(nanodollars: 80_000)), usage: Usage(inputTokens: 80), day: 1)
        var tick = Tick()
        tick.settlements = [settlement]
        _ = try harness.queue.commit(tick, at: at(2))
        return (harness, flow)
    }

    @Test(arguments: QueueKind.allCases)
    func `A raised budget, a new period, or none at all takes its jobs up; the same one does not`(kind: QueueKind)
        throws
    {
        // Bodies have 16 bytes: the worst case is 116.
        for (budget, scope, day, goesOn) in [
            (150, .day, 1, false), (195, .day, 1, false), (196, .day, 1, true), (150, .day, 2, true),
            (150, .batch, 2, false), (196, .batch, 2, true), (nil, .day, 1, true),
        ] as [(Int64?, Budget.Scope, Int, Bool)] {
            let (harness, flow) = try Self.spent(kind)
            #expect(try Self.park(harness, flow, .budgetExhausted) == 2)
            #expect(
                try Self.begin(harness, Self.scheduler(budget: budget, per: scope), day: day) == (goesOn ? 2 : 0),
                "\(budget ?? -1) per \(scope) on day \(day)")
            #expect(
                try harness.snapshot().jobs.map(\.state) == [.succeeded]
                    + .init(repeating: goesOn ? .ready : .parked, count: 2))
            #expect(try harness.snapshot().jobs.allSatisfy { ($0.failure != nil) == ($0.state == .parked) })
        }
    }

    @Test(arguments: QueueKind.allCases)
    func `What is too much for a whole budget or quota, or of unknown cost, goes on when that has changed`(
        kind: QueueKind
    ) throws {
        for (reason, scheduler, goesOn) in [
            (.exceedsBudget, Self.scheduler(budget: 115), false), (.exceedsBudget, Self.scheduler(budget: 116), true),
            (.exceedsQuota, Self.scheduler(budget: nil, quota: 115), false),
            (.exceedsQuota, Self.scheduler(budget: nil, quota: 116), true),
            (.unknownCost, Self.scheduler(budget: 900, priced: false), false),
            (.unknownCost, Self.scheduler(budget: 900), true),
        ] as [(MoneyStop, Scheduler, Bool)] {
            let harness = try kind.harness()
            _ = try harness.submit(prompts(2), at: at(0))
            #expect(try Self.park(harness, try harness.queue.onlyFlow().id, reason) == 2)
            #expect(try Self.begin(harness, scheduler) == (goesOn ? 2 : 0), "\(reason)")
        }
    }

    @Test(arguments: QueueKind.allCases)
    func `What is parked for anything else waits for a person, and attempts that were used stay used`(
        kind: QueueKind
    ) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(3), at: at(0))
        let flow = try harness.queue.onlyFlow().id
        let tickets = try harness.queue.peek(flow: flow, limit: 2)
        let begun = try harness.queue.start(tickets, at: at(1)).begun
        _ = try harness.queue.settle(begun[0], failure(.timedOut), .park, used: 3, at: at(2))
        _ = try harness.queue.settle(begun[1], failure(.overloaded), .nextKey, used: 2, at: at(2))
        #expect(try Self.park(harness, flow, .budgetExhausted) == 2)
        let found = try harness.queue.parkedForMoney()
        #expect(found.map(\.jobs) == [2] && found.map(\.reason) == [.budgetExhausted])
        #expect(found[0].first.id == begun[1].job && found[0].first.lease == 1 && found[0].first.attemptsUsed == 2)
        #expect(try Self.begin(harness, Self.scheduler(budget: 900)) == 2)
        let jobs = try harness.snapshot().jobs
        #expect(jobs.map(\.state) == [.parked, .ready, .ready] && jobs.map(\.attemptsUsed) == [3, 2, 0])
        #expect(try harness.queue.parkedForMoney().isEmpty)
    }

    @Test(arguments: QueueKind.allCases)
    func `A cancelled batch and a class that is not configured stay as they are`(kind: QueueKind) throws {
        let harness = try kind.harness()
        let cancelled = try harness.submit(prompts(2), at: at(0))
        _ = try Self.park(harness, try harness.queue.onlyFlow().id, .budgetExhausted)
        try harness.cancel(cancelled, at: at(2))
        _ = try harness.submit(prompts(2, className: "gone"), at: at(3))
        _ = try Self.park(harness, try harness.queue.onlyFlow().id, .budgetExhausted)
        #expect(try Self.begin(harness, Self.scheduler(budget: nil)) == 0)
        #expect(try harness.snapshot().jobs.map(\.state) == [.cancelled, .cancelled, .parked, .parked])
    }
}
