import Testing

@testable import OffpeakCore

/// Quotas of keys and pools, worst cases, and what a restart knows.
@Suite struct `Scheduler: quotas` {
    private static func limited(_ name: String, quota: Quota?, pool: String? = nil) -> KeyDescriptor {
        var key = key(name, pool: pool)
        key.quota = quota
        return key
    }

    @Test(arguments: [
        // Each lets exactly 5 of the jobs through: at 15,000 nano-dollars, one request and 15 tokens apiece.
        Quota(requests: 5, per: .day), Quota(money: nano(4 * 15_000 + 420_000), per: .day),
        Quota(tokens: 4 * 15 + 420, per: .day),
    ])
    func `a key's quota is used up entirely and not passed; the rest waits for the next period`(_ quota: Quota) {
        var bench = Bench(
            keys: [Self.limited("k", quota: quota)], classes: [policy("x", .strict, only: ["k"])],
            prices: prices(["k": (1, 1)]))
        bench.submit(12, to: 1, class: "x")
        bench.tell()
        for day in 0..<3 {
            bench.now = max(bench.now, at(Int64(day) * 86_400_000))
            bench.handle(.periodsTurned(calendar(day)))
            bench.run(for: .minutes(5))
            #expect(bench.count(.succeeded) == min(12, 5 * (day + 1)), "day \(day)")
            if day < 2 {
                #expect(bench.hold(on: 1)?.until == calendar(day).ends.day)
                #expect(bench.hold(on: 1)?.reason == "key k: its quota of \(quota.text) is used up")
            }
        }
    }

    @Test func `a pool's quota is shared by its keys`() {
        var bench = Bench(
            keys: [Self.limited("a", quota: nil, pool: "org"), Self.limited("b", quota: nil, pool: "org")],
            pools: [PoolDescriptor(name: "org", limits: Limits(), quota: Quota(requests: 7, per: .day))],
            classes: [policy("x", .fallback)])
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(20, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 7)
        #expect(bench.hold(on: 1)?.reason.contains("pool org: quota of 7 requests a day is used up") == true)
    }

    @Test func `when one key's quota is used up, the class's next key takes over`() {
        for posture in [Posture.fallback, .cost, .resilience] {
            var bench = Bench(
                keys: [Self.limited("a", quota: Quota(requests: 5, per: .day)), key("b")],
                classes: [policy("x", posture)])
            bench.handle(.periodsTurned(calendar(0)))
            bench.submit(20, to: 1, class: "x")
            bench.tell()
            bench.run(for: .minutes(5))
            #expect(bench.startsByKey["a"]! <= 5 && bench.count(.succeeded) == 20, "\(posture)")
        }
    }

    @Test func `refusals take up no quota, lost answers do`() {
        var bench = Bench(
            keys: [Self.limited("k", quota: Quota(requests: 6, per: .day))], classes: [policy("x") { $0.attempts = 20 }]
        )
        var sent = 0
        bench.answer = { _ in
            sent += 1
            let report: AttemptReport =
                switch sent {
                case 1...4: failed(failure(.overloaded))
                case 5, 6: failed(failure(.unknownOutcome, judged: false))
                default: answered()
                }
            return .init(after: .milliseconds(100), report: report)
        }
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(20, to: 1, class: "x")
        bench.tell()
        bench.run(for: .hours(2))
        #expect(bench.count(.succeeded) == 4)
    }

    @Test func `a single job above a whole quota is parked with the reason, and those behind it go on`() {
        var bench = Bench(
            keys: [Self.limited("k", quota: Quota(tokens: 419, per: .month))],
            classes: [policy("x", .strict, only: ["k"])])
        bench.submit(2, to: 1, class: "x")
        bench.submit(3, to: 1, class: "x", bytes: 100)
        bench.tell()
        bench.run(for: .minutes(5))
        #expect(bench.starts.map(\.job) == [3, 4, 5] && bench.parkings.isEmpty)
        #expect(
            bench.stops.map(\.job) == [1, 2] && bench.stops.map(\.failure.code) == ["exceeds_quota", "exceeds_quota"])
    }

    @Test func `a job too large for one key waits for the other, and the small ones behind it do not`() {
        var bench = Bench(
            keys: [
                Self.limited("small", quota: Quota(tokens: 10_000, per: .day)),
                Self.limited("large", quota: Quota(requests: 1, per: .day)),
            ], classes: [policy("x", .fallback, order: ["large", "small"])])
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(2, to: 1, class: "x", bytes: 20_000)
        bench.submit(3, to: 1, class: "x", bytes: 100)
        bench.tell()
        bench.run(for: .minutes(5))
        // The second waits for the next day of the key that may take it; that is no reason to park it.
        #expect(bench.startsByKey == ["large": 1, "small": 3] && bench.stops.isEmpty && bench.parkings.isEmpty)
        #expect(bench.jobs[2]!.state == .ready && bench.hold(on: 1)?.until == calendar(0).ends.day)
        bench.now = calendar(0).ends.day
        bench.handle(.periodsTurned(calendar(1)))
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 5)
    }

    @Test func `beside a paused key nothing is parked for its size, and smaller jobs pass`() {
        var bench = Bench(
            keys: [key("paused"), Self.limited("k", quota: Quota(tokens: 419, per: .month))],
            classes: [policy("x", .fallback)])
        bench.handle(.pausesChanged(classes: [], keys: ["paused"]))
        bench.submit(1, to: 1, class: "x")
        bench.submit(3, to: 1, class: "x", bytes: 100)
        bench.tell()
        bench.run(for: .minutes(5))
        #expect(bench.starts.map(\.job) == [2, 3, 4] && bench.stops.isEmpty && bench.count(.ready) == 1)
        bench.handle(.pausesChanged(classes: [], keys: []))
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 4)
    }

    // MARK: Worst case

    private static func worst(
        price: ModelPrice, bytes: Int, maxOutput: Int?, endpoint: Endpoint = .chatCompletions
    ) -> Charge? {
        var bench = Bench(
            keys: [key("k")], classes: [policy("x") { $0.budget = Budget(limit: .dollars(1_000), per: .day) }],
            prices: PriceBook(lists: [PriceList(name: "l", entries: ["m": .init(price: price)])]))
        bench.flows = [Flow(id: 1, batch: 1, className: "x", model: "m", endpoint: endpoint)]
        bench.submit(1, to: 1, class: "x", bytes: bytes, maxOutput: maxOutput)
        bench.tell()
        bench.turn()
        return bench.starts.first?.worst
    }

    @Test func `the worst case takes the dearest rates that the input's length can reach`() {
        let price = ModelPrice(
            rates: TokenRates(input: 1_000_000, cachedInput: 100_000, cacheWrite: 2_000_000, output: 4_000_000),
            longContext: [.init(above: 1_000, rates: TokenRates(input: 10_000_000, output: 40_000_000))],
            maxOutputTokens: 500, source: "")
        // A byte is a token at most, and all of them may be written to the cache.
        #expect(Self.worst(price: price, bytes: 1_000, maxOutput: 10)?.provider == nano(1_000 * 2 + 10 * 4))
        #expect(Self.worst(price: price, bytes: 1_001, maxOutput: 10)?.provider == nano(1_001 * 10 + 10 * 40))
        // Without a maximum in the request, the model's own.
        #expect(Self.worst(price: price, bytes: 100, maxOutput: nil)?.provider == nano(100 * 2 + 500 * 4))
        // Embeddings have no output.
        #expect(
            Self.worst(price: price, bytes: 100, maxOutput: nil, endpoint: .embeddings)?.provider == nano(100 * 2))
    }

    @Test func `both bills are reserved and settled, each by its own price`() {
        var router = key("router", billing: .routerBYOK)
        router.fee = PlatformFee(shareMillionths: 100_000)
        var bench = Bench(keys: [router], classes: [policy("x")], prices: prices(["router": (1, 1)]))
        bench.submit(1, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.starts[0].worst == Charge(provider: nano(420_000), platform: nano(42_000), list: nano(420_000)))
        #expect(
            bench.settlements[0].entry
                == LedgerEntry(
                    kind: .settled,
                    route: LedgerRoute(key: "router", bill: .routerBYOK, lane: .sync, model: "m"),
                    charge: Charge(provider: nano(15_000), platform: nano(1_500), list: nano(15_000)),
                    usage: Usage(inputTokens: 10, outputTokens: 5), day: 0))
    }

    @Test func `an answer that does not say what it used counts at its worst, unless it says what it cost`() {
        for reported in [nil, ReportedCost(platform: nano(77))] {
            var bench = Bench(
                keys: [key("k", billing: .platform)], classes: [policy("x")], prices: prices(["k": (1, 1)]))
            bench.answer = { _ in
                .init(
                    after: .seconds(1),
                    report: AttemptReport(
                        outcome: .success(Answer(statusCode: 200, requestID: "", body: [], usage: Usage())),
                        reportedCost: reported))
            }
            bench.submit(1, to: 1, class: "x")
            bench.tell()
            bench.run(for: .minutes(1))
            let entry = bench.settlements[0].entry
            #expect(entry?.kind == (reported == nil ? .assumed : .settled))
            #expect(entry?.charge.platform == (reported == nil ? nano(420_000) : nano(77)))
            #expect(entry?.tokens == 420 && entry?.requests == 1)
        }
    }

    @Test func `a refusal that was billed all the same is charged, and one that was not is free`() {
        var bench = Bench(keys: [key("k")], classes: [policy("x")], prices: prices(["k": (1, 1)]))
        var sent = 0
        bench.answer = { _ in
            sent += 1
            let usage = sent == 1 ? Usage(inputTokens: 100, outputTokens: 2) : Usage()
            let outcome = AttemptOutcome.failure(failure(.refused, usage: usage))
            return .init(
                after: .milliseconds(10), report: AttemptReport(outcome: outcome, usageReported: usage != Usage()))
        }
        bench.submit(2, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.settlements.map { $0.entry?.charge.provider } == [nano(102_000), .zero])
        #expect(bench.settlements.map { $0.entry?.requests } == [1, 0])
    }

    // MARK: Restart

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `after a crash, every account has the room that it had before`(_ seed: UInt64) {
        for round in 0..<20 {
            var generator = SeededGenerator(seed: seed * 1_000 + UInt64(round))
            let comment = "round \(round), " + rerun("Scheduler: quotas", seed: seed)
            let keys = Self.keys(&generator)
            let pool = PoolDescriptor(
                name: "org", limits: Limits(),
                quota: Quota(money: .dollars(1), requests: 400, tokens: 90_000, per: .week))
            let classes = Budget.Scope.allCases.map { scope in
                policy(scope.rawValue, .fallback) { $0.budget = Budget(limit: nano(30_000_000), per: scope) }
            }
            let book = prices(["a": (1, 1), "b": (1, 2), "c": (3, 2)])
            var bench = Bench(keys: keys, pools: [pool], classes: classes, prices: book, seed: seed)
            for flow in 1...4 as ClosedRange<FlowID> {
                bench.submit(120, to: flow, class: classes[Int(flow) - 1].name)
            }
            bench.answer = Self.answers(seed: seed &+ UInt64(round) &* 31)
            bench.handle(.periodsTurned(calendar(12)))
            bench.tell()
            bench.run(for: .seconds(.random(in: 1...20, using: &generator)))
            bench.handle(.periodsTurned(calendar(13)))
            bench.run(for: .seconds(.random(in: 1...20, using: &generator)))
            #expect(bench.scheduler.inFlightCount > 0, "\(comment)")

            // The crash: what is open counts at its worst, as the queue has it.
            var rows = rows(of: bench.settlements, flows: bench.flows)
            let ended = Set(bench.settlements.map { "\($0.job).\($0.lease)" })
            var lost: [(job: JobID, report: AttemptReport)] = []
            for start in bench.starts where !ended.contains("\(start.job).\(start.lease)") {
                let flow = bench.flows.first { $0.id == start.flow }!
                rows.append(
                    SpendRow(
                        route: start.route, className: flow.className, batch: flow.batch, day: start.day, attempts: 1,
                        requests: 1, tokens: start.worstTokens, charge: start.worst))
                lost.append((start.job, failed(failure(.unknownOutcome, judged: false))))
            }
            bench.handle(.finished(lost))
            var fresh = Scheduler(
                keys: keys, pools: [pool], classes: classes.map { ($0, keys.map(\.name)) }, prices: book, seed: 1)
            fresh.recall(rows.shuffled(using: &generator), calendar(13))
            let before = bench.scheduler
            for i in keys.indices {
                let (old, new) = (before.keys[i].account, fresh.keys[i].account)
                #expect(old.quotaUse.settled == new.quotaUse.settled, "\(keys[i].name), \(comment)")
                #expect(old.quotaUse.reserved == PeriodUse.Amount() && new.quotaUse.reserved == PeriodUse.Amount())
                #expect(old.feeUse.settled == new.feeUse.settled, "\(keys[i].name), \(comment)")
                #expect(old.creditLeft == new.creditLeft, "\(keys[i].name), \(comment)")
            }
            #expect(before.poolQuotas[0]?.use.settled == fresh.poolQuotas[0]?.use.settled, "\(comment)")
            for i in classes.indices {
                for flow in bench.flows {
                    let used = before.classes[i].budget?.used(batch: flow.batch)
                    let same = fresh.classes[i].budget?.used(batch: flow.batch)
                    #expect(
                        used?.spent == same?.spent && used?.reserved == same?.reserved, "\(classes[i].name), \(comment)"
                    )
                }
            }
        }
    }

    private static func keys(_ generator: inout SeededGenerator) -> [KeyDescriptor] {
        var a = limited("a", quota: Quota(money: .dollars(1), requests: 300, tokens: 99_000, per: .day), pool: "org")
        a.credit = Credit(amount: nano(.random(in: 0...900_000, using: &generator)))
        a.provisionedTPM = 200
        var b = limited("b", quota: Quota(requests: 500, per: .week), pool: "org")
        b.billing = .routerBYOK
        b.fee = PlatformFee(
            shareMillionths: 50_000, allowance: Bool.random(using: &generator) ? .requests(20) : .money(nano(300_000)))
        let c = limited("c", quota: Quota(tokens: 99_000, per: .month))
        return [a, b, c]
    }

    private static func answers(seed: UInt64) -> (AttemptStart) -> Bench.Answer {
        var generator = SeededGenerator(seed: seed)
        return { _ in
            let usage = Usage(
                inputTokens: .random(in: 1...300, using: &generator),
                outputTokens: .random(in: 0...20, using: &generator))
            let report: AttemptReport =
                switch Int.random(in: 0..<8, using: &generator) {
                case 0: failed(failure(.unknownOutcome, judged: false))
                case 1: failed(failure(.timedOut))
                case 2: failed(failure(.refused, usage: usage))
                case 3: failed(failure(.rateLimited, retryAfter: .milliseconds(200)))
                default: answered(usage)
                }
            return .init(after: .milliseconds(.random(in: 100...4_000, using: &generator)), report: report)
        }
    }
}
