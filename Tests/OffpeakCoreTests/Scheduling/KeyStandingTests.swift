import Testing

@testable import OffpeakCore

/// How a key stands for people, by what the scheduler itself would say.
@Suite struct KeyStandingTests {
    private static let worth = nano(15_000)

    /// What `count` answers of 15 tokens have left in the ledger on a day.
    private static func spent(_ count: Int, key: String = "k", day: Int = 0) -> SpendRow {
        SpendRow(
            route: LedgerRoute(key: key, bill: .provider, lane: .sync, model: "m"), className: "x", batch: 1,
            day: calendar(day).day, attempts: count, answers: count, requests: count, tokens: count * 15,
            charge: Charge(provider: nano(Int64(count) * 15_000)))
    }

    private static func scheduler(
        _ descriptors: [KeyDescriptor], pools: [PoolDescriptor] = [], spent: [SpendRow] = [],
        classes: [ClassPolicy] = []
    ) -> Scheduler {
        let classes = classes.isEmpty ? [policy("x")] : classes
        let names = descriptors.map(\.name)
        var scheduler = Scheduler(
            keys: descriptors, pools: pools, classes: classes.map { ($0, names) },
            prices: prices(Dictionary(uniqueKeysWithValues: names.map { ($0, (1, 1)) })), seed: 1)
        scheduler.recall(spent, calendar(0))
        return scheduler
    }

    private static func standing(
        _ scheduler: Scheduler, _ memory: KeyMemory? = nil, of name: String = "k", isRun: Bool = false,
        waiting: [WaitingJob] = [], at now: Timestamp = at(1_000)
    ) -> KeyStanding {
        var scheduler = scheduler
        return scheduler.standing(of: name, memory, isRun: isRun, waiting: waiting, at: now)
    }

    /// A job of 400 bytes and `output` tokens at most: at its worst 400 + `output` tokens, and 1,000 nano-dollars for each.
    private static func waiting(
        _ output: Int, flow id: FlowID = 1, class name: String = "x", hold: Hold? = nil
    ) -> WaitingJob {
        WaitingJob(
            ticket: JobTicket(id: 1, flow: id, lease: 0, attemptsUsed: 0, bodyBytes: 400, maxOutputTokens: output),
            flow: Flow(id: id, batch: 1, className: name, model: "m", endpoint: .chatCompletions), hold: hold)
    }

    private static func limited(_ quota: Quota?, pool: String? = nil) -> KeyDescriptor {
        var key = key("k", pool: pool)
        key.quota = quota
        return key
    }

    // MARK: Quotas

    @Test(arguments: [
        Quota(requests: 5, per: .day), Quota(money: nano(5 * 15_000), per: .week), Quota(tokens: 5 * 15, per: .month),
    ])
    func `a quota that is used up to the last makes a key exhausted until its period ends, and one less does not`(
        _ quota: Quota
    ) {
        let ends = calendar(0).ends[quota.per]
        let own = [Self.limited(quota)]
        #expect(Self.standing(Self.scheduler(own, spent: [Self.spent(4)])) == KeyStanding())
        #expect(
            Self.standing(Self.scheduler(own, spent: [Self.spent(5)]))
                == KeyStanding(
                    health: .exhausted, until: ends, reason: "its quota of \(quota.text) is used up", cause: .ownQuota))
        // A pool's is used up by all of its keys.
        let shared = [Self.limited(nil, pool: "org"), key("other", pool: "org")]
        let pools = [PoolDescriptor(name: "org", limits: Limits(), quota: quota)]
        let most = Self.scheduler(shared, pools: pools, spent: [Self.spent(2), Self.spent(2, key: "other")])
        #expect(Self.standing(most) == KeyStanding())
        let all = Self.scheduler(shared, pools: pools, spent: [Self.spent(2), Self.spent(3, key: "other")])
        let expected = KeyStanding(
            health: .exhausted, until: ends, reason: "pool org: quota of \(quota.text) is used up", cause: .ownQuota)
        #expect(Self.standing(all) == expected && Self.standing(all, of: "other") == expected)
    }

    @Test func `a quota of an earlier period is no matter`() {
        var scheduler = Self.scheduler([Self.limited(Quota(requests: 5, per: .day))], spent: [Self.spent(5)])
        #expect(Self.standing(scheduler).health == .exhausted)
        var effects = SchedulerEffects()
        scheduler.handle(.periodsTurned(calendar(1)), at: calendar(0).ends.day, into: &effects)
        #expect(Self.standing(scheduler, at: calendar(0).ends.day) == KeyStanding())
    }

    @Test func `a quota with less left than any waiting job may take is used up for them, as the scheduler has it`() {
        // 450 tokens are left.
        let scheduler = Self.scheduler([Self.limited(Quota(tokens: 525, per: .day))], spent: [Self.spent(5)])
        #expect(Self.standing(scheduler, waiting: [Self.waiting(50)]) == KeyStanding(), "it fits to the token")
        let full = Self.standing(scheduler, waiting: [Self.waiting(51)])
        #expect(full.health == .exhausted && full.until == calendar(0).ends.day && full.cause == .ownQuota)
        #expect(
            full.reason == "its quota of 525 tokens a day is used up but for less than a waiting job may take")
        #expect(Self.standing(scheduler, waiting: [Self.waiting(51), Self.waiting(50, flow: 2)]).health == .ok)
        // What is more than the whole quota is parked for itself, and says nothing of the key; nor does another class's.
        #expect(Self.standing(scheduler, waiting: [Self.waiting(126)]) == KeyStanding())
        let others = Self.scheduler(
            [Self.limited(Quota(tokens: 525, per: .day)), key("other")], spent: [Self.spent(5)],
            classes: [policy("x"), policy("y", .strict, only: ["other"])])
        #expect(Self.standing(others, waiting: [Self.waiting(51, class: "y")]) == KeyStanding())
    }

    @Test func `a class without money makes no key exhausted`() {
        let poor = policy("x") { $0.budget = Budget(limit: nano(1), per: .day, then: .defer) }
        let scheduler = Self.scheduler(
            [Self.limited(Quota(requests: 6, per: .day))], spent: [Self.spent(5)], classes: [poor])
        #expect(Self.standing(scheduler, waiting: [Self.waiting(50)]) == KeyStanding())
    }

    // MARK: Days

    @Test func `limits of a day, own and pool's, make a key exhausted until the day's end`() {
        let ends = calendar(0).ends.day
        func used(_ requests: Int, _ tokens: Int, _ limits: Limits, inPool: Bool = false) -> Scheduler {
            var scheduler = Self.scheduler(
                [key("k", pool: "org", limits: inPool ? Limits() : limits)],
                pools: [PoolDescriptor(name: "org", limits: inPool ? limits : Limits())])
            var effects = SchedulerEffects()
            scheduler.handle(.dayStarted(used: ["k": (requests, tokens)], ends: ends), at: at(0), into: &effects)
            return scheduler
        }
        func expected(_ reason: String) -> KeyStanding {
            KeyStanding(health: .exhausted, until: ends, reason: reason, cause: .dayLimit)
        }
        let (requests, tokens) = (Limits(rpd: 3), Limits(tpd: 90))
        #expect(Self.standing(used(2, 0, requests)) == KeyStanding())
        #expect(Self.standing(used(3, 0, requests)) == expected("its limit of 3 requests a day is used up"))
        #expect(
            Self.standing(used(3, 0, requests, inPool: true))
                == expected("pool org: its limit of 3 requests a day is used up"))
        #expect(Self.standing(used(1, 90, tokens)) == expected("its limit of 90 tokens a day is used up"))
        // A run has found that what waits is larger than what is left.
        let told = "its limit of 90 tokens a day is used up"
        let hold = Hold(reason: "key k: \(told)", until: ends)
        #expect(Self.standing(used(1, 89, tokens)) == KeyStanding())
        #expect(Self.standing(used(1, 89, tokens), waiting: [Self.waiting(20, hold: hold)]) == expected(told))
        #expect(
            Self.standing(used(1, 89, tokens), waiting: [Self.waiting(20, hold: hold)], at: ends) == KeyStanding(),
            "that was so then")
    }

    // MARK: Persons and providers

    @Test func `a pause comes before a rejection, and that before an ended secret and all that passes`() {
        var ended = Self.limited(Quota(requests: 5, per: .day))
        ended.validUntil = at(1_000)
        var scheduler = Self.scheduler([ended], spent: [Self.spent(5)])
        #expect(Self.standing(scheduler, at: at(999)).health == .exhausted)
        #expect(
            Self.standing(scheduler)
                == KeyStanding(health: .rejected, reason: "the key's secret has expired", cause: .expiredSecret))
        let memory = KeyMemory(key: "k", health: "rejected", reason: "revoked")
        #expect(
            Self.standing(scheduler, memory)
                == KeyStanding(health: .rejected, reason: "revoked", cause: .rejection))
        var effects = SchedulerEffects()
        scheduler.handle(.pausesChanged(classes: [], keys: ["k"]), at: at(0), into: &effects)
        #expect(Self.standing(scheduler, memory) == KeyStanding(health: .paused))
    }

    @Test func `of several waits the longest is told`() {
        let scheduler = Self.scheduler([Self.limited(Quota(requests: 5, per: .day))], spent: [Self.spent(5)])
        let soon = KeyMemory(key: "k", health: "cooling", reason: "asked", blockedUntil: second(60))
        #expect(Self.standing(scheduler, soon).cause == .ownQuota)
        let late = KeyMemory(
            key: "k", health: "exhausted", reason: "no credit", blockedUntil: calendar(0).ends.week)
        #expect(
            Self.standing(scheduler, late)
                == KeyStanding(
                    health: .exhausted, until: calendar(0).ends.week, reason: "no credit", cause: .providersQuota))
    }

    @Test(arguments: ["failing", "resting"])
    func `what a run notes for itself is told while it lasts, and without a moment only while the run does`(
        health: String
    ) {
        let scheduler = Self.scheduler([key("k")])
        let memory = KeyMemory(key: "k", health: health, reason: "no", blockedUntil: second(50))
        let cooling = KeyStanding(health: .cooling, until: second(50), reason: "no")
        #expect(Self.standing(scheduler, memory, isRun: true) == cooling)
        #expect(Self.standing(scheduler, memory) == cooling)
        #expect(
            Self.standing(scheduler, memory, isRun: true, at: second(50))
                == KeyStanding(health: .cooling, reason: "no"))
        #expect(Self.standing(scheduler, memory, at: second(50)) == KeyStanding())
    }

    @Test func `a refusal of one key rests its whole pool`() {
        var scheduler = Self.scheduler(
            [key("k", pool: "org"), key("other", pool: "org")], pools: [PoolDescriptor(name: "org", limits: Limits())])
        let memory = KeyMemory(key: "other", health: "cooling", reason: "asked", blockedUntil: second(50))
        scheduler.recall(memory, at: at(0))
        #expect(
            Self.standing(scheduler)
                == KeyStanding(health: .cooling, until: second(50), reason: "pool org: the server asked to wait"))
        #expect(Self.standing(scheduler, at: second(50)) == KeyStanding())
    }

    // MARK: The server's own words

    /// Answers say that `remaining` of some dimension is left, and when it is whole again.
    private static func bench(remaining: @escaping () -> RateFeedback) -> Bench {
        var bench = Bench(keys: [key("k", limits: Limits(concurrent: 1))], classes: [policy("x")])
        bench.answer = { _ in
            var report = answered()
            report.feedback = remaining()
            return .init(after: .milliseconds(100), report: report)
        }
        return bench
    }

    @Test(arguments: [true, false])
    func `a server's word that nothing is left is remembered until its reset, also over a restart`(isOfTokens: Bool)
        throws
    {
        var isFull = true
        var bench = Self.bench {
            var feedback = RateFeedback()
            let dimension = RateFeedback.Dimension(remaining: isFull ? 0 : 1_000_000, reset: .hours(5))
            if isOfTokens { feedback.tokens = dimension } else { feedback.requests = dimension }
            return feedback
        }
        bench.submit(3, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(30))
        let until = at(100) + .hours(5)
        let memory = KeyMemory(
            key: "k", health: "full", reason: "the server says that nothing is left of its limit", blockedUntil: until)
        #expect(bench.starts.count == 1 && bench.memories == [memory])
        #expect(bench.hold(on: 1)?.until == until)
        #expect(
            Self.standing(bench.scheduler, memory, at: bench.now)
                == KeyStanding(health: .cooling, until: until, reason: memory.reason))
        // A run that begins anew keeps away as well.
        var next = Self.bench { RateFeedback() }
        next.scheduler.recall(memory, at: at(0))
        next.submit(1, to: 1, class: "x")
        next.tell()
        next.run(for: .hours(6))
        #expect(next.starts.map(\.started) == [until])
        isFull = false
        bench.run(for: .hours(6))
        #expect(bench.count(.succeeded) == 3)
        #expect(bench.memories.last == KeyMemory(key: "k"))
    }

    @Test func `a server's word of a second is a matter of pace, and not remembered`() {
        var bench = Self.bench {
            var feedback = RateFeedback()
            feedback.requests = .init(remaining: 0, reset: .seconds(2))
            return feedback
        }
        bench.submit(5, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.count(.succeeded) == 5 && bench.memories.isEmpty)
    }

    @Test(arguments: [(window: Int64(600), isTold: true), (window: 30, isTold: false)])
    func `a limit that was found out is told of while it is used up, if its windows are longer than a minute`(
        window: Int64, isTold: Bool
    ) {
        var bench = Bench(keys: [key("k", limits: Limits(concurrent: 1))], classes: [policy("x")])
        bench.scheduler.recall(
            KeyMemory(key: "k", learnedRequests: 3, learnedWindow: .seconds(window)), at: at(0))
        bench.submit(5, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(10))
        #expect(bench.starts.count == 3)
        let reason = "the server was found to allow 3 requests per \(window) s, all in use"
        #expect(bench.hold(on: 1)?.reason == "key k: \(reason)")
        let full = bench.memories.filter { $0.health == "full" }
        #expect(full.isEmpty == !isTold)
        guard isTold else { return }
        #expect(
            bench.memories.last
                == KeyMemory(
                    key: "k", health: "full", reason: reason, blockedUntil: bench.hold(on: 1)?.until,
                    learnedRequests: 3,
                    learnedWindow: .seconds(window)))
        bench.run(for: .seconds(window))
        #expect(bench.count(.succeeded) == 5 && bench.memories.last?.health == "ok")
    }

    // MARK: Flows

    @Test func `a flow waits for the first of its keys to recover, and for none as long as one is well`() {
        var shared = key("shared", billing: .platform)
        shared.models = .only(["m": "m"])
        let scheduler = Self.scheduler(
            [key("a"), key("b"), key("c", models: .only(["other": "other"])), shared],
            classes: [policy("x"), policy("y", .resilience), policy("z", .strict, only: ["a"])])
        let tired = KeyStanding(health: .cooling, until: second(9), reason: "asked")
        let gone = KeyStanding(health: .rejected, reason: "revoked", cause: .rejection)
        let flow = Self.waiting(1).flow
        func hold(_ standings: [String: KeyStanding], class name: String = "x") -> Hold? {
            var flow = flow
            flow.className = name
            return scheduler.hold(on: flow, by: standings)
        }
        #expect(hold(["a": tired, "b": gone]) == Hold(reason: "key a: asked", until: second(9)))
        #expect(hold(["a": gone, "b": gone]) == Hold(reason: "key a: revoked", until: nil))
        #expect(hold(["a": tired]) == nil, "b is well")
        // Without a deadline nothing spills; a class that may always use shared capacity does not wait.
        #expect(hold(["a": tired, "b": gone, "shared": KeyStanding()], class: "y") == nil)
        #expect(
            hold(["a": KeyStanding(health: .paused)], class: "z") == Hold(reason: "key a: it is paused", until: nil))
        #expect(hold([:], class: "unknown") == nil)
        #expect(scheduler.keysServing(flow) == ["a", "b", "shared"])
    }
}
