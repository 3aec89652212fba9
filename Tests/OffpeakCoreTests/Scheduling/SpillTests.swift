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
