import OffpeakCore
import Testing

/// A key whose secret can be loaded again.
@Suite struct `Scheduler: secrets` {
    private static func bench(_ keys: [String] = ["k"], concurrent: Int = 4) -> Bench {
        Bench(
            keys: keys.map { key($0, limits: Limits(concurrent: concurrent)) },
            classes: [policy("x", .strict, only: keys)], refreshable: ["k"])
    }

    @Test func `after a rejection the secret is asked for once, and all goes on with the new one`() {
        var bench = Self.bench()
        var isValid = false
        bench.answer = { _ in
            .init(after: .milliseconds(100), report: isValid ? answered() : failed(failure(.keyRejected)))
        }
        bench.submit(50, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(20))
        #expect(bench.staleSecrets.map(\.key) == ["k"])
        // While it is being loaded, nothing is parked and nothing sent.
        #expect(bench.count(.parked) == 0 && bench.starts.count == 4)
        isValid = true
        bench.handle(.secretChanged(key: "k"))
        bench.run(for: .minutes(1))
        #expect(bench.count(.succeeded) == 50)
        #expect(bench.jobs.values.allSatisfy { $0.ticket.attemptsUsed == 1 })
        #expect(bench.memories.last?.health == "ok")
    }

    @Test func `a rejection that an earlier run noted stands until the key works again`() {
        for isMended in [true, false] {
            var bench = Self.bench()
            bench.scheduler.recall(KeyMemory(key: "k", health: "rejected", reason: "revoked"), at: bench.now)
            bench.answer = { _ in
                .init(after: .seconds(1), report: isMended ? answered() : failed(failure(.keyRejected)))
            }
            bench.submit(20, to: 1, class: "x")
            bench.tell()
            bench.run(for: .milliseconds(900))
            #expect(bench.memories.isEmpty, "nothing is known yet")
            bench.run(for: .seconds(10))
            bench.handle(.secretKept(key: "k"))
            bench.run(for: .minutes(1))
            #expect(bench.memories.last?.health == (isMended ? "ok" : "rejected"))
        }
    }

    @Test func `when loading brings nothing new, the class's ladder decides`() {
        for hasOther in [false, true] {
            var bench = Self.bench(hasOther ? ["k", "other"] : ["k"])
            bench.answer = { start in
                .init(after: .milliseconds(100), report: start.key == "k" ? failed(failure(.keyRejected)) : answered())
            }
            bench.submit(50, to: 1, class: "x")
            bench.tell()
            bench.run(for: .seconds(2))
            bench.handle(.secretKept(key: "k"))
            bench.run(for: .minutes(1))
            #expect(bench.count(.parked) == (hasOther ? 0 : 50))
            #expect(bench.count(.succeeded) == (hasOther ? 50 : 0))
            #expect(bench.startsByKey["k"] == 4)
        }
    }

    @Test func `rejections of requests that left with the old secret say nothing about the new one`() {
        var bench = Self.bench()
        let renewed = second(2)
        bench.answer = { start in
            // The old secret's requests come back late, after the new one has been loaded.
            let isOld = start.started < renewed
            return .init(
                after: .seconds(isOld ? Int64(start.job) : 1),
                report: isOld ? failed(failure(.keyRejected)) : answered())
        }
        bench.submit(20, to: 1, class: "x")
        bench.tell()
        bench.run(until: renewed)
        #expect(bench.staleSecrets.count == 1)
        bench.handle(.secretChanged(key: "k"))
        bench.run(for: .minutes(1))
        #expect(bench.staleSecrets.count == 1)
        #expect(bench.count(.succeeded) == 20)
    }

    @Test func `a new secret that is rejected, too, is not asked for again within the minute`() {
        var bench = Self.bench(concurrent: 1)
        bench.answer = { _ in .init(after: .milliseconds(100), report: failed(failure(.keyRejected))) }
        bench.submit(9, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(2))
        bench.handle(.secretChanged(key: "k"))
        bench.run(for: .seconds(20))
        #expect(bench.staleSecrets.count == 1 && bench.starts.count == 2)
        #expect(bench.count(.parked) == 9)
    }

    @Test func `an hour later, when a token has run out once more, it is asked for again`() {
        var bench = Self.bench(concurrent: 1)
        var validFrom = second(0)
        bench.answer = { start in
            // A token lasts for ten minutes.
            let isValid = start.started >= validFrom && start.started < validFrom + .minutes(10)
            return .init(after: .seconds(10), report: isValid ? answered() : failed(failure(.keyRejected)))
        }
        bench.submit(300, to: 1, class: "x")
        bench.tell()
        var answeredAsks = 0
        while bench.count(.succeeded) < 300, bench.now < second(7_200) {
            bench.run(for: .seconds(1))
            if bench.staleSecrets.count > answeredAsks {
                answeredAsks += 1
                validFrom = bench.now
                bench.handle(.secretChanged(key: "k"))
            }
        }
        #expect(bench.count(.succeeded) == 300)
        #expect((4...6).contains(answeredAsks))
    }

    @Test func `a key whose secret is fixed is never asked for`() {
        var bench = Bench(keys: [key("k")], classes: [policy("x")])
        bench.answer = { _ in .init(after: .milliseconds(100), report: failed(failure(.keyRejected))) }
        bench.submit(9, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(5))
        #expect(bench.staleSecrets.isEmpty && bench.count(.parked) == 9)
    }
}
