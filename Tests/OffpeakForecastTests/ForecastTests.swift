import OffpeakCore
import OffpeakForecast
import Testing

/// What a forecast tells of small worlds whose course can be reckoned by hand.
@Suite struct ForecastTests {
    private static func policy(_ name: String, _ posture: Posture = .fallback) -> ClassPolicy {
        var policy = ClassPolicy(name: name, posture: posture)
        if policy.isClosed { policy.keyOnly = ["own"] }
        return policy
    }

    private static func bench(_ limits: Limits, posture: Posture = .fallback) -> Bench {
        var bench = Bench()
        bench.add(Bench.key("own", limits))
        bench.classes = [policy("c", posture)]
        bench.learn("c", "own", latency: .seconds(2))
        return bench
    }

    @Test func `a limit of requests is used entirely, and tells when the work is done`() {
        var bench = Self.bench(Limits(rpm: 60))
        bench.add(600, of: "c", batch: 1)
        let result = bench.run().result
        #expect(result.answered == 600 && result.left == 0 && result.stops.isEmpty)
        // Ten windows of a minute, the first at once: the last burst goes 9 minutes and some slack later.
        #expect(540_000...560_000 ~= result.length, "\(result.length) ms")
    }

    @Test func `a few jobs that wait for a limit's next minute are told apart: chance decides whether they have to`()
        throws
    {
        var bench = Self.bench(Limits(rpm: 60))
        bench.add(603, of: "c", batch: 1)
        let burst = try #require(bench.run().result.lastBurst)
        #expect(burst.jobs == 3 && burst.isUncertain(since: Bench.start))
        #expect(540_000...560_000 ~= (burst.after - Bench.start).milliseconds)
        #expect(55_000...65_000 ~= (burst.finish - burst.after).milliseconds)
        // Of many no chance takes the place.
        bench.work = []
        bench.add(630, of: "c", batch: 1)
        let large = try #require(bench.run().result.lastBurst)
        #expect(large.jobs == 30 && !large.isUncertain(since: Bench.start))
        // Where answers come all the time nothing stands apart.
        var steady = Self.bench(Limits(concurrent: 4))
        steady.add(603, of: "c", batch: 1)
        #expect(steady.run().result.lastBurst == nil)
    }

    @Test(arguments: [false, true]) func `what is in flight tells when the work is done, however coarse the steps`(
        isCoarse: Bool
    ) {
        var bench = Self.bench(Limits(concurrent: 4))
        bench.history = AnswerHistory()
        bench.learn("c", "own", latency: .milliseconds(1_777))
        bench.add(20_000, of: "c", batch: 1)
        // 5,000 rounds of 1.777 s.
        // As of a million jobs.
        let result = bench.run(isCoarse: isCoarse, crowd: 1_000).result
        #expect(abs(result.length - 8_885_000) < 8_885, "\(result.length) ms")
    }

    @Test func `the cost is that of the answers, on the key's bill`() throws {
        var bench = Self.bench(Limits(concurrent: 4))
        bench.add(100, of: "c", batch: 1)
        let result = bench.run().result
        // 150 tokens each, at a dollar per million.
        #expect(result.charge.provider == Money(nanodollars: 15_000_000) && result.charge.platform == .zero)
        let share = try #require(result.shares.first)
        #expect(result.shares.count == 1 && share.route.key == "own" && share.jobs == 100)
        #expect(share.usage == Usage(inputTokens: 10_000, outputTokens: 5_000))
        #expect(result.batches.map(\.answered) == [100])
    }

    @Test func `a closed window defers the work until it opens, and a second night takes the rest`() {
        var bench = Self.bench(Limits(rpm: 60))
        bench.windows = ["c": (opens: .hours(2), closes: .hours(3))]
        bench.add(5_000, of: "c", batch: 1)
        let result = bench.run().result
        #expect(result.answered == 5_000)
        #expect(result.waits.map(\.until) == [Bench.start + .hours(2), Bench.start + .hours(26)])
        #expect(result.waits.first?.jobs == 5_000)
        let second = result.waits.last?.jobs ?? 0
        #expect(1_400...1_460 ~= second, "an hour takes some 3,570 of them, \(second) are left")
        #expect(Interval.hours(26).milliseconds...Interval.hours(27).milliseconds ~= result.length)
    }

    @Test func `a daily limit defers the rest to the next day`() {
        var bench = Self.bench(Limits(rpd: 100, concurrent: 10))
        bench.add(250, of: "c", batch: 1)
        let result = bench.run().result
        #expect(result.answered == 250)
        #expect(
            result.waits.map { [$0.jobs, Int(($0.until - Bench.start).milliseconds / Scenario.day)] } == [
                [150, 1], [50, 2],
            ])
        #expect(result.waits.allSatisfy { $0.reason.contains("100 requests a day") })
    }

    @Test(arguments: Budget.End.allCases) func `a budget that is too small does not hold`(end: Budget.End) {
        var bench = Self.bench(Limits(concurrent: 4))
        // A job costs 150 millionths of a dollar, and 500 at most.
        bench.classes[0].budget = Budget(limit: Money(nanodollars: 10_000_000), per: .batch, then: end)
        bench.add(100, of: "c", batch: 1)
        let result = bench.run().result
        #expect(result.exceedsBudget)
        #expect(60...66 ~= result.answered, "\(result.answered)")
        #expect(result.charge.billed <= Money(nanodollars: 10_000_000))
        let expected: ForecastResult.Stop.End = end == .park ? .parked : end == .fail ? .failed : .waiting
        #expect(result.stops.map(\.end) == [expected] && result.stops.first?.jobs == 100 - result.answered)
        #expect((result.finish == nil) == (end == .defer))
    }

    @Test func `a budget that is large enough holds`() {
        var bench = Self.bench(Limits(concurrent: 4))
        bench.classes[0].budget = Budget(limit: .dollars(1), per: .batch)
        bench.add(100, of: "c", batch: 1)
        let result = bench.run().result
        #expect(!result.exceedsBudget && result.answered == 100)
    }

    @Test func `a night in which nothing goes is no wait: what never goes is told as that`() {
        var bench = Self.bench(Limits(concurrent: 4))
        bench.classes[0].budget = Budget(limit: Money(nanodollars: 10_000_000), per: .batch, then: .defer)
        bench.windows = ["c": (opens: .hours(1), closes: .hours(2))]
        bench.add(100, of: "c", batch: 1)
        let result = bench.run().result
        #expect(result.waits.map(\.until) == [Bench.start + .hours(1)])
        #expect(result.stops.map(\.end) == [.waiting] && result.finish == nil)
    }

    @Test func `jobs that no key may serve are parked, with the reason`() {
        var bench = Self.bench(Limits(), posture: .strict)
        bench.keys[0].models = .only(["other": "other"])
        bench.add(100, of: "c", batch: 1, deadline: .hours(1))
        let result = bench.run().result
        #expect(result.answered == 0 && result.batches[0].parked == 100 && result.batches[0].meetsDeadline == false)
        #expect(result.stops.map(\.jobs) == [100] && result.stops[0].end == .parked)
        #expect(result.stops[0].reason == "no key of the class serves the model m")
    }

    @Test(arguments: ["batch", "class"]) func `what a person has paused waits for ever, and the forecast ends`(
        what: String
    ) {
        var bench = Self.bench(Limits(concurrent: 4))
        if what == "class" { bench.pausedClasses = ["c"] }
        bench.add(10, of: "c", batch: 1, paused: what == "batch")
        let result = bench.run().result
        #expect(result.finish == nil && result.left == 10 && result.waits.isEmpty)
        #expect(result.stops.count == 1 && result.stops[0].reason.contains("paused"))
    }

    @Test func `work that competes takes its share of the time and of no figure`() {
        var alone = Self.bench(Limits(rpm: 60))
        alone.add(600, of: "c", batch: 1)
        var beside = alone
        beside.classes.append(Self.policy("d"))
        beside.add(600, of: "d", batch: 2, isAsked: false)
        let (a, b) = (alone.run().result, beside.run().result)
        #expect(b.jobs == 600 && b.answered == 600 && b.charge == a.charge && b.shares.map(\.jobs) == [600])
        #expect(abs(b.length - 2 * a.length) < a.length / 5, "\(a.length) ms alone, \(b.length) ms beside other work")
    }

    @Test func `deferred jobs go when they are due`() {
        var bench = Self.bench(Limits(concurrent: 4))
        bench.add(10, of: "c", batch: 1)
        for minute in 1...5 {
            bench.work[0].addDeferred(
                until: Bench.start + .minutes(Int64(minute * 10)), bodyBytes: 400, maxOutputTokens: 100)
        }
        let result = bench.run().result
        #expect(result.jobs == 15 && result.answered == 15)
        #expect(Interval.minutes(50).milliseconds...Interval.minutes(51).milliseconds ~= result.length)
        #expect(result.waits.map(\.jobs) == [1, 1, 1, 1, 1])
    }

    @Test func `a given-up flow takes its deferred jobs along, and they do not come back`() {
        var bench = Self.bench(Limits(concurrent: 4), posture: .strict)
        bench.keys[0].models = .only(["other": "other"])
        bench.add(10, of: "c", batch: 1)
        bench.work[0].addDeferred(until: Bench.start + .minutes(10), bodyBytes: 400, maxOutputTokens: 100)
        // Something that goes on beyond that.
        bench.add(Bench.key("other", Limits(rpm: 1)))
        bench.classes.append(Self.policy("d"))
        bench.add(30, of: "d", batch: 2)
        let result = bench.run().result
        #expect(result.batches.map(\.parked) == [11, 0] && result.answered == 30 && result.left == 0)
    }

    @Test func `only what cheap keys cannot finish by the deadline spills`() {
        var bench = Bench()
        bench.add(Bench.key("own", Limits(rpm: 60)))
        bench.add(Bench.key("dear", Limits(rpm: 600)), dollarsPerMillion: 5)
        bench.classes = [Self.policy("c", .cost)]
        for key in ["own", "dear"] { bench.learn("c", key, latency: .seconds(2)) }
        bench.add(3_000, of: "c", batch: 1, deadline: .minutes(30))
        let result = bench.run().result
        let own = result.shares.first { $0.route.key == "own" }?.jobs ?? 0
        #expect(result.answered == 3_000 && result.spilledJobs == 3_000 - own)
        #expect(1_600...1_800 ~= own, "half an hour of 60 a minute, of which \(own) are used")
        #expect(result.spillCharge.billed == Money(nanodollars: Int64(result.spilledJobs) * 750_000))
        bench.work[0].flow.deadline = nil
        #expect(bench.run().result.spilledJobs == 0)
    }

    @Test func `failures of the past come again in their share, and jobs go to the next key`() throws {
        var bench = Bench()
        for name in ["own", "other"] { bench.add(Bench.key(name, Limits(concurrent: 4))) }
        bench.classes = [Self.policy("c")]
        bench.learn("c", "own", latency: .seconds(2), failing: 10)
        bench.learn("c", "other", latency: .seconds(2))
        bench.add(1_000, of: "c", batch: 1)
        let (result, sentences) = bench.run()
        #expect(result.answered == 1_000)
        #expect(sentences.contains { $0.contains("key own") && $0.contains("20 of 200 attempts fail as they did") })
        // Failed attempts cost nothing.
        #expect(result.charge.billed == Money(nanodollars: 150_000_000))
    }

    @Test func `the answers of one class and model are told in one sentence, key by key`() throws {
        var bench = Bench()
        for name in ["own", "twin", "other", "third"] { bench.add(Bench.key(name, Limits(concurrent: 4))) }
        bench.classes = [Self.policy("c"), Self.policy("d")]
        bench.learn("c", "own", latency: .seconds(2))
        bench.learn("c", "twin", latency: .seconds(2))
        bench.learn("c", "other", latency: .seconds(3))
        bench.learn("c", "third", latency: .seconds(2))
        bench.add(400, of: "c", batch: 1)
        let average = "answers as the last 200, on average 100 input tokens, 50 output tokens and"
        let sentences = bench.run().sentences
        #expect(
            sentences == [
                "class c, model m, on keys own, twin and third: \(average) 2000 ms an attempt. On key other: \(average) 3000 ms "
                    + "an attempt"
            ], "\(sentences)")
        // What is known of one class says nothing of another.
        bench.add(400, of: "d", batch: 2)
        let (result, all) = bench.run()
        #expect(all.count == 2 && all[0].hasPrefix("class ") && result.guessed == 400, "\(all)")
        #expect(all.contains { $0.hasPrefix("class d, model m, on keys ") && $0.contains("no answers to learn") })
    }

    @Test func `refused jobs end as failed in the share of the past`() {
        var bench = Self.bench(Limits(concurrent: 4))
        bench.history = AnswerHistory()
        bench.learn("c", "own", latency: .seconds(1), failing: 50, as: .refused)
        bench.add(1_000, of: "c", batch: 1, deadline: .hours(1))
        let result = bench.run().result
        #expect(result.batches[0].failed == 20 && result.answered == 980 && result.batches[0].meetsDeadline == true)
    }

    @Test func `an outage of the past is taken to be over`() throws {
        var bench = Self.bench(Limits(concurrent: 4))
        bench.history = AnswerHistory()
        bench.learn("c", "own", latency: .seconds(1), failing: 2)
        bench.add(100, of: "c", batch: 1)
        let (result, sentences) = bench.run()
        #expect(result.answered == 100)
        #expect(try #require(sentences.first).contains("100 failures of a provider that was down"))
    }

    @Test func `without history the assumptions are told, with their units`() throws {
        var bench = Self.bench(Limits(concurrent: 4))
        bench.history = AnswerHistory()
        bench.add(100, of: "c", batch: 1)
        let (result, sentences) = bench.run()
        let sentence = try #require(sentences.first)
        #expect(sentences.count == 1 && sentence.contains("no answers to learn from yet"))
        #expect(sentence.contains("200 output tokens") && sentence.contains("1000 ms"))
        // 400 bytes are 101 tokens, and max_tokens is 100.
        #expect(result.charge.billed == Money(nanodollars: 100 * 201_000))
        // 25 rounds of 1 s and 100 times 10 ms.
        #expect(49_000...51_500 ~= result.length, "\(result.length)")
    }

    @Test func `answers that are too few to go by are told by their number`() throws {
        var bench = Self.bench(Limits(concurrent: 4))
        bench.history = AnswerHistory()
        for _ in 1...19 {
            bench.history.add(
                AnswerSample(
                    bodyBytes: 400, usage: Usage(inputTokens: 100, outputTokens: 50), duration: .seconds(9)),
                at: AnswerHistory.Place(className: "c", key: "own", model: "m", endpoint: .chatCompletions))
        }
        bench.add(100, of: "c", batch: 1)
        let (result, sentences) = bench.run()
        #expect(
            try #require(sentences.first).contains(
                "only 19 answers to learn from yet, and fewer than 20 say too little"))
        #expect(49_000...51_500 ~= result.length, "\(result.length)")
    }

    @Test func `another key's answers of the class are better than none`() throws {
        var bench = Self.bench(Limits(concurrent: 4))
        bench.history = AnswerHistory()
        bench.learn("c", "elsewhere", latency: .seconds(4))
        bench.add(100, of: "c", batch: 1)
        let (result, sentences) = bench.run()
        #expect(try #require(sentences.first).contains("on other keys"))
        #expect(99_000...101_500 ~= result.length, "\(result.length)")
    }

    @Test func `the same inputs give the same forecast`() {
        let scenario = Scenario(seed: 3)
        let all = (0..<2).map { _ in ErrorTests.Trial.forecast(scenario, until: scenario.start + .days(30)) }
        #expect(all[0].finish == all[1].finish && all[0].charge == all[1].charge && all[0].passes == all[1].passes)
    }

    @Test
    func `a forecast decides no more often than there are steps and answers: what a million jobs cost is bounded`() {
        var bench = Bench()
        bench.add(Bench.key("own", Limits(rpm: 3_000, tpm: 1_000_000, concurrent: 128)))
        bench.classes = [Self.policy("c")]
        bench.learn("c", "own", latency: .seconds(2))
        bench.add(30_000, of: "c", batch: 1)
        let fine = bench.run().result
        let coarse = bench.run(isCoarse: true).result
        #expect(fine.answered == 30_000 && coarse.answered == 30_000)
        #expect(fine.passes < 6_000, "\(fine.passes) passes")
        #expect(coarse.passes < 3_000, "\(coarse.passes) passes")
        #expect(abs(fine.length - coarse.length) * 50 < fine.length, "\(fine.length) and \(coarse.length) ms")
    }
}
