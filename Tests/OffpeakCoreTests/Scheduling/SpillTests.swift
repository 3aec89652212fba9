import Testing

@testable import OffpeakCore

/// What becomes of work with a deadline, and without one, when the cheap key cannot have it.
@Suite struct `Scheduler: spill` {
    /// `cheap` is one's own and `dear`, unless it is to be own too, a platform's.
    private static func bench(
        quota: Quota? = nil, isOwn: Bool = false, jobs: Int = 20, deadline: Timestamp?,
        cheap: @escaping (Timestamp) -> AttemptReport = { _ in answered() }
    ) -> Bench {
        var own = key("cheap", limits: Limits(concurrent: 4))
        own.quota = quota
        var other = key("dear", limits: Limits(concurrent: 8))
        if !isOwn { other.billing = .platform }
        var bench = Bench(
            keys: [own, other], classes: [policy("x", .cost)], prices: prices(["cheap": (1, 1), "dear": (10, 10)]))
        bench.answer = { start in
            .init(after: .milliseconds(100), report: start.key == "cheap" ? cheap(start.started) : answered())
        }
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(jobs, to: 1, class: "x", deadline: deadline)
        for i in bench.flows.indices { bench.flows[i].waiting = jobs }
        bench.tell()
        return bench
    }

    @Test(arguments: [true, false])
    func `what was planned for a key that is rejected goes to the other one, and nothing parks`(_ isOwn: Bool) {
        var bench = Self.bench(isOwn: isOwn, deadline: second(3_600)) { _ in failed(failure(.keyRejected)) }
        bench.run(for: .minutes(1))
        #expect(bench.count(.succeeded) == 20 && bench.parkings.isEmpty)
        #expect(bench.startsByKey["dear"] == 20)
    }

    @Test func `without a deadline nothing spills to a platform, whatever becomes of the own key`() {
        var rejected = Self.bench(deadline: nil) { _ in failed(failure(.keyRejected)) }
        rejected.run(for: .minutes(1))
        #expect(rejected.startsByKey["dear"] == nil && rejected.parkings.count == 1)
        var paused = Self.bench(deadline: nil)
        paused.handle(.pausesChanged(classes: [], keys: ["cheap"]))
        paused.run(for: .hours(1))
        #expect(paused.starts.isEmpty && paused.parkings.isEmpty)
    }

    @Test func `a quota's later days are counted on before a platform is`() {
        var bench = Self.bench(
            quota: Quota(requests: 3, per: .day), jobs: 20, deadline: second(5 * 86_400))
        bench.run(for: .minutes(1))
        // Three today and on each of the days that begin in time; the platform has the rest at once.
        let days = 1 + (1...5).count { calendar(0).ends.day + .days(Int64($0) - 1) < second(5 * 86_400) - .minutes(15) }
        #expect(bench.startsByKey["cheap"] == 3)
        #expect(bench.startsByKey["dear"] == 20 - 3 * days, "\(days) days")
    }

    /// The stages of a file in which a job stands that the cheap key's quota can never take: `places` of 20 jobs.
    private static func mixed(
        _ places: Set<Int>, dear: Limits = Limits(concurrent: 8), isOwn: Bool = true, quota: Quota? = nil
    ) -> Bench {
        var cheap = key("cheap", limits: Limits(concurrent: 4))
        cheap.quota = quota ?? Quota(money: nano(3_000_000), per: .day)
        var other = key("dear", limits: dear)
        if !isOwn { other.billing = .platform }
        var bench = Bench(
            keys: [cheap, other], classes: [policy("x", .cost)], prices: prices(["cheap": (1, 1), "dear": (10, 10)]))
        bench.handle(.periodsTurned(calendar(0)))
        for place in 0..<20 {
            bench.submit(
                1, to: 1, class: "x", maxOutput: places.contains(place) ? 5_000 : 20, deadline: second(3_600))
        }
        bench.flows[0].waiting = 20
        bench.tell()
        return bench
    }

    @Test(arguments: [[4], [0], [19], [0, 1, 2], [3, 9, 18], Array(0..<19), Array(0..<20)], [true, false])
    func `a job that the cheap key's quota can never take goes by the other, and nothing waits for it`(
        _ places: [Int], _ isOwn: Bool
    ) {
        var bench = Self.mixed(Set(places), isOwn: isOwn)
        bench.run(for: .seconds(5))
        #expect(bench.count(.succeeded) == 20)
        #expect(bench.startsByKey["dear", default: 0] == places.count, "\(bench.startsByKey)")
        #expect(bench.starts.allSatisfy { !$0.isSpill || !isOwn })
        #expect(bench.holds.allSatisfy { $0.hold == nil })
    }

    @Test func `many jobs that wait for the dear key at the front keep none of those behind from the cheap one`() {
        var cheap = key("cheap", limits: Limits(concurrent: 4))
        cheap.quota = Quota(tokens: 3_000, per: .day)
        var bench = Bench(
            keys: [cheap, key("dear", limits: Limits(rpm: 60, concurrent: 8))], classes: [policy("x", .cost)],
            prices: prices(["cheap": (1, 1), "dear": (10, 10)]))
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(150, to: 1, class: "x", maxOutput: 5_000, deadline: second(3_600))
        bench.submit(40, to: 1, class: "x", bytes: 80, deadline: second(3_600))
        bench.flows[0].waiting = 190
        bench.tell()
        bench.run(for: .seconds(30))
        #expect(bench.startsByKey["cheap"] == 40, "\(bench.startsByKey)")
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 190 && bench.startsByKey["dear"] == 150)
    }

    @Test
    func `in the moment in which the planned key is rejected, nothing goes to a platform that own keys can do in time`()
    {
        var bench = Bench(
            keys: [
                key("a", limits: Limits(concurrent: 4)), key("b", limits: Limits(rpm: 240, concurrent: 4)),
                key("p", limits: Limits(concurrent: 4), billing: .platform),
            ], classes: [policy("x", .cost) { $0.shared = .spill }],
            prices: prices(["a": (1, 1), "b": (2, 2), "p": (3, 3)]))
        var answers = 0
        bench.answer = { start in
            answers += 1
            let report: AttemptReport =
                switch start.key {
                case "a": answers > 60 ? failed(failure(.keyRejected)) : answered()
                case "b":
                    answers < 100 && answers.isMultiple(of: 5)
                        ? failed(failure(.rateLimited, judged: false)) : answered()
                default: answered()
                }
            return .init(after: .milliseconds(50), report: report)
        }
        bench.submit(310, to: 1, class: "x", deadline: second(8 * 3_600))
        bench.flows[0].waiting = 310
        bench.tell()
        bench.run(for: .minutes(20))
        #expect(bench.count(.succeeded) == 310 && bench.startsByKey["p"] == nil, "\(bench.startsByKey)")
    }

    @Test func `jobs that only the dear key takes keep to its pace, and those behind them overtake`() {
        var bench = Self.mixed([0, 1, 2, 3], dear: Limits(rpm: 6, concurrent: 8))
        bench.run(for: .seconds(5))
        #expect(bench.startsByKey["cheap"] == 16, "\(bench.startsByKey)")
        bench.run(for: .seconds(60))
        #expect(bench.count(.succeeded) == 20 && bench.startsByKey["dear"] == 4)
    }

    @Test(arguments: [0, 20], [Limits(concurrent: 2), Limits()])
    func `a cheap key that ceases to answer is found out by what is awaited, and the dear one keeps the deadline`(
        _ good: Int, _ limits: Limits
    ) {
        var bench = Bench(
            keys: [key("cheap", limits: limits), key("dear", limits: Limits(concurrent: 2))],
            classes: [policy("x", .cost)], prices: prices(["cheap": (1, 1), "dear": (2, 2)]))
        var answers = 0
        bench.answer = { start in
            if start.key == "cheap" { answers += 1 }
            let hangs = start.key == "cheap" && answers > good
            return .init(after: hangs ? .minutes(9) : .milliseconds(250), report: answered())
        }
        bench.submit(100, to: 1, class: "x", deadline: second(60))
        bench.flows[0].waiting = 100
        bench.tell()
        bench.run(for: .seconds(60))
        // All but what hangs.
        let hung = bench.startsByKey["cheap"]! - good
        #expect(bench.count(.succeeded) == 100 - hung && hung <= 12, "\(bench.startsByKey)")
    }

    @Test func `work without a deadline takes what is left of a quota for which the others' jobs are too large`() {
        var own = key("k", limits: Limits(concurrent: 2))
        own.quota = Quota(tokens: 8_000, per: .day)
        var bench = Bench(keys: [own], classes: [policy("x", .cost), policy("y", .cost)])
        bench.answer = { start in
            let usage =
                start.flow == 1 ? Usage(inputTokens: 900, outputTokens: 20) : Usage(inputTokens: 30, outputTokens: 20)
            return .init(after: .milliseconds(250), report: answered(usage))
        }
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(12, to: 1, class: "x", bytes: 100, maxOutput: 3_400, deadline: second(600))
        bench.submit(20, to: 2, class: "y", bytes: 100, maxOutput: 50)
        for i in bench.flows.indices { bench.flows[i].waiting = i == 0 ? 12 : 20 }
        bench.tell()
        bench.run(for: .seconds(30))
        #expect(bench.count(.succeeded, in: 1) == 5 && bench.count(.succeeded, in: 2) == 20)
        #expect(bench.hold(on: 1)?.until == calendar(0).ends.day)
    }

    @Test func `what is in flight at its worst makes nobody think that a quota is used up`() {
        // Each job is thought to cost 120,000 nano-dollars and may cost 420,000: of all 100 that makes 12,000,000, and with eight
        // in flight 3,360,000 of the quota are reserved.
        var cheap = key("cheap", limits: Limits(concurrent: 8))
        cheap.quota = Quota(money: nano(13_000_000), per: .day)
        var bench = Bench(
            keys: [cheap, key("dear", limits: Limits(concurrent: 8))], classes: [policy("x", .cost)],
            prices: prices(["cheap": (1, 1), "dear": (10, 10)]))
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(100, to: 1, class: "x", deadline: second(600))
        bench.flows[0].waiting = 100
        bench.tell()
        bench.run(for: .seconds(30))
        #expect(bench.count(.succeeded) == 100 && bench.startsByKey["dear"] == nil, "\(bench.startsByKey)")
    }

    @Test(arguments: [true, false])
    func `a run that does not wait takes the dearer own key while the cheaper one is down, and no platform`(
        _ isImpatient: Bool
    ) {
        var bench = Bench(
            keys: [key("cheap"), key("dear"), key("p", billing: .platform)], classes: [policy("x", .cost)],
            prices: prices(["cheap": (1, 1), "dear": (2, 2), "p": (3, 3)]))
        bench.answer = { start in
            let report = start.key == "cheap" ? failed(failure(.unavailable)) : answered()
            return .init(after: .milliseconds(50), report: report)
        }
        bench.scheduler.isImpatient = isImpatient
        bench.submit(200, to: 1, class: "x", deadline: second(8 * 3_600))
        bench.flows[0].waiting = 200
        bench.tell()
        bench.run(for: .seconds(30))
        #expect((bench.count(.succeeded) == 200) == isImpatient, "\(bench.startsByKey)")
        #expect(bench.startsByKey["p"] == nil)
        guard !isImpatient else { return }
        let reason = bench.hold(on: 1)?.reason
        #expect(reason == "key cheap should be back in time: its provider keeps failing: no")
    }

    @Test func `a flow that waits for a cheaper key beside one with room says so, once`() {
        var bench = Bench(
            keys: [key("cheap", limits: Limits(rpm: 2)), key("dear")], classes: [policy("x", .cost)],
            prices: prices(["cheap": (1, 1), "dear": (10, 10)]))
        bench.submit(6, to: 1, class: "x", deadline: second(3_600))
        bench.flows[0].waiting = 6
        bench.tell()
        bench.run(for: .seconds(29))
        let told = bench.holds.compactMap { $0.hold?.reason }
        #expect(told == ["key cheap is cheaper and has room in time"], "\(bench.starts.count) sent")
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 6 && bench.startsByKey["dear"] == nil && bench.hold(on: 1) == nil)
    }

    @Test(arguments: 0..<UInt64(300))
    func `whatever jobs some keys can never take, no key idles beside work that it takes`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let quotas = [nil, Quota(money: nano(3_000_000), per: .day), Quota(tokens: 3_000, per: .day)]
        var keys = (0..<Int.random(in: 1...3, using: &random)).map { number in
            var own = key("k\(number)", limits: Limits(concurrent: .random(in: 1...8, using: &random)))
            own.quota = quotas.randomElement(using: &random)!
            return own
        }
        // This one takes everything.
        keys.append(key("all", limits: Limits(concurrent: .random(in: 2...8, using: &random))))
        if Bool.random(using: &random) { keys[keys.count - 1].billing = .platform }
        let rates = keys.map { ($0.name, (Int64.random(in: 1...9, using: &random), Int64(1))) }
        var bench = Bench(
            keys: keys, classes: [policy("x", .cost), policy("y", .fallback) { $0.shared = .spill }],
            prices: prices(Dictionary(uniqueKeysWithValues: rates)), seed: seed)
        bench.handle(.periodsTurned(calendar(0)))
        for flow in 1...FlowID.random(in: 1...3, using: &random) {
            // Without a deadline a platform takes nothing.
            let isBound = keys.last!.billing == .platform || Bool.random(using: &random)
            let deadline = isBound ? second(.random(in: 120...7_200, using: &random)) : nil
            let name = Bool.random(using: &random) ? "x" : "y"
            for _ in 0..<Int.random(in: 1...30, using: &random) {
                let odd = Int.random(in: 0..<8, using: &random)
                bench.submit(
                    1, to: flow, class: name, maxOutput: odd == 0 ? nil : odd == 1 ? 5_000 : 20, deadline: deadline,
                    beyond: odd == 2 ? .charges : .none)
            }
        }
        for i in bench.flows.indices { bench.flows[i].waiting = bench.jobsOfFlow[bench.flows[i].id]!.count }
        bench.tell()
        bench.run(for: .seconds(15))
        let left = bench.jobs.values.count { $0.state != .succeeded }
        #expect(left == 0, "\(rerun("no key idles", seed: seed)): \(bench.startsByKey) of \(bench.jobs.count)")
    }

    @Test func `what the own key holds back beyond the deadline spills at once`() {
        for kind in [FailureClass.rateLimited, .quotaExhausted] {
            var bench = Self.bench(jobs: 5, deadline: second(15)) { _ in
                failed(failure(kind, judged: false, retryAfter: .seconds(20)))
            }
            bench.run(for: .seconds(10))
            #expect(bench.count(.succeeded) == 5, "\(kind)")
            #expect(bench.settlements.map(\.ended).max()! < second(5))
        }
    }

    @Test func `a key that is away for a moment is waited for while the deadline is far`() {
        var bench = Self.bench(jobs: 40, deadline: second(3_600)) { now in
            now < second(20) ? failed(failure(.unavailable)) : answered()
        }
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 40)
        #expect(bench.startsByKey["dear", default: 0] == 0, "\(bench.startsByKey)")
    }
}
