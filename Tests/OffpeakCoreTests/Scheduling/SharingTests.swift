import OffpeakCore
import Testing

/// Whose turn it is: weights, priorities, deadlines.
@Suite struct `Scheduler: sharing` {
    /// Two classes with more work than one key can do; how many jobs of each left.
    private static func share(
        weights: (Int, Int), limits: Limits, sizes: (Int, Int) = (400, 400), minutes: Int64 = 10,
        refreshEvery: Interval? = nil
    ) -> (Int, Int) {
        var bench = Bench(
            keys: [key("k", limits: limits)],
            classes: [policy("a", weight: weights.0), policy("b", weight: weights.1)])
        // Tokens follow the sizes: four bytes each, and one of output.
        bench.answer = { start in
            let size = start.flow == 1 ? sizes.0 : sizes.1
            return Bench.Answer(
                after: .milliseconds(200), report: answered(Usage(inputTokens: size / 4, outputTokens: 1)))
        }
        bench.submit(6_000, to: 1, class: "a", bytes: sizes.0, maxOutput: 1)
        bench.submit(6_000, to: 2, class: "b", bytes: sizes.1, maxOutput: 1)
        bench.tell()
        if let refreshEvery {
            let end = bench.now + .minutes(minutes)
            while bench.now < end {
                bench.run(for: refreshEvery)
                bench.tell()
            }
        } else {
            bench.run(for: .minutes(minutes))
        }
        return (bench.starts(of: 1), bench.starts(of: 2))
    }

    @Test(arguments: [(1, 1), (2, 1), (1, 5), (3, 7), (100, 1)])
    func `classes share a key by their weights`(_ a: Int, _ b: Int) {
        let (first, second) = Self.share(weights: (a, b), limits: Limits(rpm: 300, concurrent: 16))
        let all = first + second
        #expect(all >= 2_900)
        #expect(abs(first * (a + b) - all * a) <= all * (a + b) / 100, "\(first) to \(second)")
    }

    @Test func `looks at the queue do not disturb the shares`() {
        // One job at a time, and a look before each: levelling the classes then would give every turn to the same one.
        let (first, second) = Self.share(
            weights: (1, 4), limits: Limits(concurrent: 1), minutes: 5, refreshEvery: .milliseconds(90))
        #expect(first + second >= 1_450)
        #expect(abs(first * 4 - second) <= 20, "\(first) to \(second)")
    }

    /// Tokens that left for each of two classes, one of many small jobs and one of large ones, in so many minutes.
    private static func tokens(
        tpm: Int, small: Int, large: Int, largeJobs: Int = 1_000, isOneClass: Bool = false, minutes: Int64 = 20
    ) -> (small: Int, large: Int) {
        var bench = Bench(
            keys: [key("k", limits: Limits(tpm: tpm, concurrent: 50))], classes: [policy("a"), policy("b")])
        bench.answer = { start in
            let size = start.flow == 2 ? small : large
            return Bench.Answer(
                after: .milliseconds(200), report: answered(Usage(inputTokens: size - 1, outputTokens: 1)))
        }
        // In one class what is due first goes first.
        bench.submit(
            largeJobs, to: 1, class: "a", bytes: 4 * large - 8, maxOutput: 1,
            deadline: isOneClass ? second(86_400) : nil)
        bench.submit(9_000, to: 2, class: isOneClass ? "a" : "b", bytes: 4 * small - 8, maxOutput: 1)
        bench.tell()
        bench.run(for: .minutes(minutes))
        return (bench.starts(of: 2) * small, bench.starts(of: 1) * large)
    }

    @Test
    func `large jobs get their half of a minute's tokens beside many small ones, and next to nothing is left unused`() {
        let (small, large) = Self.tokens(tpm: 10_000, small: 50, large: 6_000)
        #expect(large >= 90_000 && small >= 75_000, "\(small) and \(large) tokens of 200,000")
        #expect(small + large >= 180_000)
    }

    @Test func `a job that is larger than a whole minute's tokens has its turn beside small ones`() {
        let (small, large) = Self.tokens(tpm: 1_000, small: 50, large: 2_250, largeJobs: 2, minutes: 10)
        #expect(large == 2 * 2_250 && small >= 6_000, "\(small) and \(large) tokens")
    }

    @Test func `what the minute of a job that goes first leaves is used by smaller ones`() {
        let (small, large) = Self.tokens(tpm: 1_300, small: 50, large: 920, isOneClass: true)
        #expect(large >= 18 * 920 && small >= 18 * 350, "\(small) and \(large) tokens in 20 minutes")
    }

    @Test func `a class of many small jobs and one of few large ones get equal halves of what binds them`() {
        // 600 requests and 60,000 tokens a minute: small jobs of 11 tokens are bound by requests, large ones of 1001 by
        // tokens. Each class gets the same fraction of the limit that binds it: dominant resource fairness.
        let (small, large) = Self.share(
            weights: (1, 1), limits: Limits(rpm: 600, tpm: 60_000, concurrent: 200), sizes: (40, 4_000))
        let requestShare = small * 1_000 / 600
        let tokenShare = large * 1_001 * 1_000 / 60_000
        #expect(abs(requestShare - tokenShare) * 100 <= max(requestShare, tokenShare) * 6, "\(small) and \(large) jobs")
        #expect(requestShare + tokenShare > 9_000)
    }

    @Test func `a class that comes late gets no credit for the time before`() {
        var bench = Bench(
            keys: [key("k", limits: Limits(rpm: 60, concurrent: 16))], classes: [policy("a"), policy("b")])
        bench.submit(3_000, to: 1, class: "a")
        bench.tell()
        bench.run(for: .minutes(20))
        let before = bench.starts(of: 1)
        bench.submit(3_000, to: 2, class: "b")
        bench.tell(foreign: true)
        bench.run(for: .minutes(10))
        #expect(abs((bench.starts(of: 1) - before) - bench.starts(of: 2)) <= 4)
    }

    @Test func `nor does one whose window was closed, or that was paused`() {
        for isWindow in [true, false] {
            var bench = Bench(
                keys: [key("k", limits: Limits(rpm: 60, concurrent: 16))], classes: [policy("a"), policy("b")])
            bench.submit(3_000, to: 1, class: "a")
            bench.submit(3_000, to: 2, class: "b")
            bench.tell()
            if isWindow {
                bench.handle(.windowChanged(className: "b", isOpen: false, until: second(1_200)))
            } else {
                bench.handle(.pausesChanged(classes: ["b"], keys: []))
            }
            bench.run(until: second(1_200))
            #expect(bench.starts(of: 2) == 0)
            let before = bench.starts(of: 1)
            bench.handle(.windowChanged(className: "b", isOpen: true, until: .distantFuture))
            bench.handle(.pausesChanged(classes: [], keys: []))
            bench.run(for: .minutes(10))
            #expect(abs((bench.starts(of: 1) - before) - bench.starts(of: 2)) <= 4, "window: \(isWindow)")
        }
    }

    @Test func `a class that waited for its own key does not take everything afterwards`() {
        var bench = Bench(
            keys: [
                key("own", limits: Limits(rpm: 60, concurrent: 16)),
                key("both", limits: Limits(rpm: 60, concurrent: 16)),
            ],
            classes: [policy("a", only: ["own"]), policy("b")])
        var isExhausted = true
        bench.answer = { start in
            let isOut = isExhausted && start.flow == 1
            let report = isOut ? failed(failure(.quotaExhausted, retryAfter: .hours(2))) : answered()
            return Bench.Answer(after: .milliseconds(100), report: report)
        }
        bench.submit(3_000, to: 1, class: "a")
        bench.submit(20_000, to: 2, class: "b")
        bench.tell()
        bench.run(for: .hours(2))
        isExhausted = false
        let before = (bench.starts(of: 1), bench.starts(of: 2))
        bench.run(for: .minutes(20))
        // The own key serves both classes, and the other only `b`: nobody stands still.
        #expect(bench.starts(of: 1) - before.0 > 300)
        #expect(bench.starts(of: 2) - before.1 > 1_100)
    }

    @Test func `a higher priority goes first, whatever the weights`() {
        var bench = Bench(
            keys: [key("k", limits: Limits(rpm: 60, concurrent: 16))],
            classes: [policy("heavy", weight: 1_000), policy("urgent", priority: 1)])
        bench.submit(500, to: 1, class: "heavy")
        bench.submit(100, to: 2, class: "urgent")
        bench.tell()
        bench.run(for: .minutes(30))
        let flows = bench.starts.map(\.flow)
        #expect(flows.prefix(100).allSatisfy { $0 == 2 })
        #expect(flows.dropFirst(100).count == 500)
    }

    @Test func `a batch's own priority counts instead of its class's`() {
        var bench = Bench(
            keys: [key("k", limits: Limits(rpm: 60, concurrent: 1))],
            classes: [policy("a", priority: 5), policy("b")])
        bench.submit(20, to: 1, class: "a", priority: -1)
        bench.submit(20, to: 2, class: "b")
        bench.submit(20, to: 3, class: "b", priority: 9)
        bench.tell()
        bench.run(for: .minutes(5))
        #expect(
            bench.starts.map(\.flow) == Array(repeating: 3, count: 20) + Array(repeating: 2, count: 20)
                + Array(repeating: 1, count: 20))
    }

    @Test func `within a class, what is due soonest goes first, then what was submitted first`() {
        var bench = Bench(keys: [key("k", limits: Limits(rpm: 600, concurrent: 1))], classes: [policy("a")])
        bench.submit(5, to: 1, class: "a")
        bench.submit(5, to: 2, class: "a", deadline: second(9_000))
        bench.submit(5, to: 3, class: "a", deadline: second(5_000))
        bench.submit(5, to: 4, class: "a")
        bench.submit(5, to: 5, class: "a", priority: 1)
        bench.tell()
        bench.run(for: .minutes(5))
        #expect(bench.starts.map(\.flow) == [5, 3, 2, 1, 4].flatMap { Array(repeating: FlowID($0), count: 5) })
    }

    @Test func `within a flow, jobs go in input order`() {
        var bench = Bench(keys: [key("k", limits: Limits(concurrent: 3))], classes: [policy("a")])
        let ids = bench.submit(6_000, to: 1, class: "a")
        bench.tell()
        bench.drainTime()
        #expect(bench.starts.map(\.job) == ids)
        #expect(bench.count(.succeeded) == 6_000)
    }

    @Test func `work is read by pages, each a few times and none for ever`() {
        var bench = Bench(keys: [key("k", limits: Limits(concurrent: 50))], classes: [policy("a")])
        bench.submit(10_000, to: 1, class: "a")
        bench.tell()
        bench.drainTime()
        #expect(bench.count(.succeeded) == 10_000)
        #expect(bench.largestFetch == Scheduler.pageSize)
        // A page is read when half of the one before is gone.
        #expect((9...14).contains(bench.fetches), "\(bench.fetches) reads")
    }

    @Test func `a small job does not slip past a large one that waits for tokens`() {
        // Otherwise a stream of small jobs would keep a large one waiting for ever.
        var bench = Bench(
            keys: [key("k", limits: Limits(tpm: 10_000, concurrent: 100))], classes: [policy("a"), policy("b")])
        bench.answer = { start in
            Bench.Answer(
                after: .seconds(1), report: answered(Usage(inputTokens: start.reservedTokens, outputTokens: 0)))
        }
        bench.submit(5, to: 1, class: "a", bytes: 36_000, maxOutput: 0)
        bench.submit(2_000, to: 2, class: "b", bytes: 400, maxOutput: 0)
        bench.tell()
        bench.run(for: .minutes(12))
        #expect(bench.starts(of: 1) == 5)
    }
}
