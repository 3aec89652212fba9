import OffpeakCore
import Testing

/// What failures do to keys, flows and the jobs in flight.
@Suite struct `Scheduler: failures` {
    @Test func `a rejected key is not tried again, and its jobs go on with the next`() {
        var bench = Bench(keys: [key("a", limits: Limits(concurrent: 4)), key("b")], classes: [policy("x")])
        bench.answer = { start in
            .init(
                after: .milliseconds(100),
                report: start.key == "a" ? failed(failure(.keyRejected, message: "revoked")) : answered())
        }
        bench.submit(100, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.count(.succeeded) == 100)
        #expect(bench.startsByKey["a"] == 4)
        #expect(bench.jobs.values.allSatisfy { $0.ticket.attemptsUsed == 1 })
        #expect(bench.memories.last { $0.key == "a" }?.health == "rejected")
        let later = bench.starts.last { $0.key == "b" }!
        #expect(later.passedOver == #"[{"key":"a","reason":"the provider rejects it: revoked"}]"#)
    }

    @Test(arguments: [Posture.strict, .governance])
    func `a closed class parks everything when its key is rejected`(_ posture: Posture) {
        var bench = Bench(
            keys: [key("own", limits: Limits(concurrent: 4)), key("other")],
            classes: [policy("x", posture, only: ["own"])])
        bench.answer = { _ in .init(after: .milliseconds(100), report: failed(failure(.keyRejected))) }
        bench.submit(5_000, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.startsByKey == ["own": 4])
        #expect(bench.count(.parked) == 5_000)
        #expect(bench.parkings.count == 1 && bench.parkings[0].failure.failureClass == .keyRejected)
    }

    @Test(arguments: Posture.allCases, [1, 3, 40])
    func `when all keys are rejected, all jobs end parked`(_ posture: Posture, _ count: Int) {
        let names = ["a", "b", "c"]
        var bench = Bench(
            keys: names.map { key($0, limits: Limits(concurrent: 2)) }, classes: [policy("x", posture, only: names)])
        bench.answer = { _ in .init(after: .milliseconds(100), report: failed(failure(.keyRejected))) }
        bench.submit(count, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.count(.parked) == count)
        #expect(bench.starts.count <= 6)
    }

    @Test func `jobs that all failed before are parked too when the last key falls`() {
        // Five jobs go to `a` at once and are rejected there; the first of them then takes `b` with it.
        var bench = Bench(
            keys: [key("a", limits: Limits(concurrent: 5)), key("b", limits: Limits(concurrent: 1))],
            classes: [policy("x")])
        bench.answer = { _ in .init(after: .milliseconds(100), report: failed(failure(.keyRejected))) }
        bench.submit(5, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.startsByKey == ["a": 5, "b": 1])
        #expect(bench.count(.parked) == 5)
    }

    @Test func `a small batch goes to the next key entirely though all of it was read at once`() {
        var bench = Bench(keys: [key("a", limits: Limits(concurrent: 8)), key("b")], classes: [policy("x")])
        bench.answer = { start in
            .init(
                after: .milliseconds(100),
                report: start.key == "a" ? failed(failure(.rateLimited, retryAfter: .minutes(30))) : answered())
        }
        let ids = bench.submit(3, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(ids.allSatisfy { bench.jobs[$0]!.story == ["next-key", "complete"] })
    }

    @Test func `an exhausted key waits until its provider's moment, and the flow tells it`() {
        var bench = Bench(keys: [key("a", limits: Limits(concurrent: 2))], classes: [policy("x", .strict, only: ["a"])])
        var isOut = true
        bench.answer = { _ in
            let report =
                isOut ? failed(failure(.quotaExhausted, retryAfter: .hours(3), message: "no credit")) : answered()
            return .init(after: .milliseconds(100), report: report)
        }
        bench.submit(10, to: 1, class: "x")
        bench.tell()
        bench.run(for: .hours(2))
        #expect(bench.starts.count == 2)
        let until = at(100) + .hours(3)
        #expect(bench.hold(on: 1) == Hold(reason: "key a: no credit", until: until))
        #expect(bench.jobs.values.count { $0.story == ["defer"] } == 2)
        #expect(
            bench.memories.last == KeyMemory(key: "a", health: "exhausted", reason: "no credit", blockedUntil: until))
        isOut = false
        bench.run(for: .hours(2))
        #expect(bench.count(.succeeded) == 10)
        #expect(bench.starts[2].started >= until && bench.starts[2].started <= until + .seconds(1))
        #expect(bench.hold(on: 1) == nil)
        #expect(bench.memories.last?.health != "exhausted")
        #expect(bench.jobs.values.allSatisfy { $0.ticket.attemptsUsed == 1 })
    }

    @Test func `a key whose provider keeps failing is remembered with its next try, and as well once it works`() throws
    {
        var bench = Bench(keys: [key("a", limits: Limits(concurrent: 1))], classes: [policy("x", .strict, only: ["a"])])
        var isDown = true
        bench.answer = { _ in
            let report = isDown ? failed(failure(.unavailable, judged: false, message: "no connection")) : answered()
            return .init(after: .milliseconds(100), report: report)
        }
        bench.submit(9, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(3))
        let memory = try #require(bench.memories.last)
        #expect(memory.health == "failing" && memory.reason == "its provider keeps failing: no connection")
        #expect(memory.blockedUntil == bench.hold(on: 1)?.until, "the key and what waits for it tell one moment")
        #expect(try #require(memory.blockedUntil) > bench.now)
        #expect(bench.memories.count < 12, "it is written when the key is tried, and not with each request")
        isDown = false
        bench.run(for: .minutes(3))
        #expect(bench.count(.succeeded) == 9)
        #expect(bench.memories.last == KeyMemory(key: "a"))
    }

    @Test(arguments: ["failing", "resting"])
    func `what a run kept away from for a while, the next one tries at once`(health: String) {
        var bench = Bench(
            keys: [key("k", pool: "org")], pools: [PoolDescriptor(name: "org", limits: Limits())],
            classes: [policy("x")])
        bench.scheduler.recall(KeyMemory(key: "k", health: health, reason: "no", blockedUntil: second(50)), at: at(0))
        bench.submit(5, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(1))
        #expect(bench.count(.succeeded) == 5)
        #expect(bench.memories.first == KeyMemory(key: "k"), "and is not said to be unwell before it fails")
    }

    @Test func `refusals of what was in flight do not move the moment at which a used-up key is asked again`() {
        var bench = Bench(keys: [key("a", limits: Limits(concurrent: 4))], classes: [policy("x", .strict, only: ["a"])])
        bench.answer = { start in
            .init(after: .seconds(Int64(start.job) * 5), report: failed(failure(.quotaExhausted)))
        }
        bench.submit(4, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.jobs.values.allSatisfy { $0.story == ["defer"] })
        #expect(Set(bench.due.values) == [second(5) + .hours(1)])
        #expect(bench.memories.last?.blockedUntil == second(5) + .hours(1))
    }

    @Test func `without a moment, an exhausted key is asked again after an hour, or when the day ends`() {
        for (ends, expected) in [(Interval.hours(9), Interval.hours(1)), (.minutes(20), .minutes(20))] {
            var bench = Bench(
                keys: [key("a", limits: Limits(concurrent: 1))], classes: [policy("x", .strict, only: ["a"])])
            bench.answer = { _ in .init(after: .zero, report: failed(failure(.quotaExhausted))) }
            bench.handle(.dayStarted(used: [:], ends: at(0) + ends))
            bench.submit(5, to: 1, class: "x")
            bench.tell()
            bench.run(for: .minutes(10))
            #expect(bench.hold(on: 1)?.until == at(0) + expected)
        }
    }

    @Test func `requests that never reached the provider use up no limit`() {
        var bench = Bench(
            keys: [key("a", limits: Limits(rpd: 10, concurrent: 4))], classes: [policy("x", .strict, only: ["a"])])
        bench.answer = { start in
            let isDown = start.started < second(300)
            return .init(
                after: .milliseconds(5), report: isDown ? failed(failure(.unavailable, judged: false)) : answered())
        }
        bench.submit(10, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(20))
        #expect(bench.count(.succeeded) == 10)
        #expect(bench.starts.count > 20)
    }

    @Test func `a rate-limited key keeps still for as long as its provider asks`() {
        var bench = Bench(
            keys: [key("a", limits: Limits(rpm: 600, concurrent: 4))], classes: [policy("x", .strict, only: ["a"])])
        bench.answer = { start in
            .init(
                after: .milliseconds(100),
                report: start.started < second(5) ? failed(failure(.rateLimited, retryAfter: .seconds(40))) : answered()
            )
        }
        bench.submit(20, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(3))
        #expect(bench.count(.succeeded) == 20)
        let late = bench.starts.filter { $0.started > at(0) }
        #expect(late.allSatisfy { $0.started >= at(100) + .seconds(40) })
        #expect(bench.holds.contains { $0.hold?.reason == "key a: the server asked to wait" })
    }

    @Test func `a provider that fails everybody is tried with single requests, and no job loses its attempts`() {
        var bench = Bench(
            keys: [key("a", limits: Limits(concurrent: 50))], classes: [policy("x", .strict, only: ["a"])])
        let mends = second(600)
        bench.answer = { start in
            .init(
                after: .milliseconds(100),
                report: start.started < mends ? failed(failure(.unavailable, message: "HTTP 502")) : answered())
        }
        bench.submit(200, to: 1, class: "x")
        bench.tell()
        bench.run(until: mends)
        // Fifty went at once; after that, one per pause, which doubles up to a minute.
        #expect(bench.starts.count - 50 <= 20)
        #expect(bench.jobs.values.allSatisfy { $0.ticket.attemptsUsed <= 1 })
        bench.run(for: .minutes(10))
        #expect(bench.count(.succeeded) == 200)
    }

    @Test func `a job that is itself to blame ends after its attempts, and its key goes on`() {
        var bench = Bench(keys: [key("a", limits: Limits(concurrent: 4))], classes: [policy("x", .strict, only: ["a"])])
        let poison: JobID = 3
        bench.answer = { start in
            .init(after: .milliseconds(100), report: start.job == poison ? failed(failure(.unavailable)) : answered())
        }
        bench.submit(500, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(30))
        #expect(bench.jobs[poison]!.state == .failed && bench.jobs[poison]!.ticket.attemptsUsed == 5)
        #expect(bench.jobs[poison]!.story == ["retry", "retry", "retry", "retry", "fail"])
        #expect(bench.count(.succeeded) == 499)
    }

    @Test func `attempts that earlier runs used count`() {
        var bench = Bench(keys: [key("a")], classes: [policy("x", .strict, only: ["a"])])
        bench.answer = { _ in .init(after: .milliseconds(100), report: failed(failure(.invalidOutput))) }
        bench.submit(1, to: 1, class: "x", attemptsUsed: 4)
        bench.tell()
        bench.run(for: .minutes(5))
        #expect(bench.jobs[1]!.story == ["fail"] && bench.jobs[1]!.ticket.attemptsUsed == 5)
    }

    @Test func `attempts that a dead run left open go by the class's ladder, and use up no attempt`() {
        var fails = policy("fails")
        fails.ladders[.unknownOutcome] = [.fail]
        var scheduler = Scheduler(
            keys: [key("a")], pools: [],
            classes: (Posture.allCases.map { policy($0.rawValue, $0, only: ["a"]) } + [fails]).map { ($0, ["a"]) },
            seed: 1)
        let ticket = JobTicket(id: 9, flow: 2, lease: 5, attemptsUsed: 3, bodyBytes: 10, maxOutputTokens: nil)
        let expected: [(String, Disposition)] = [
            ("strict", .retry(at: second(7))), ("fallback", .retry(at: second(7))), ("cost", .retry(at: second(7))),
            ("governance", .park), ("resilience", .retry(at: second(7))), ("fails", .fail),
            // Who may see it again is not known any more.
            ("a class that is gone", .park),
        ]
        for (name, disposition) in expected {
            let settlement = scheduler.abandoned(ticket, className: name, at: second(7))
            #expect(settlement.disposition == disposition, "\(name)")
            #expect(settlement.lease == 5 && settlement.job == 9 && settlement.attemptsUsed == 3)
            guard case .failure(let failure) = settlement.outcome else {
                Issue.record("an abandoned attempt has no answer")
                continue
            }
            #expect(failure.failureClass == .unknownOutcome && !failure.judged)
        }
    }

    @Test func `a drain starts nothing, and what was not sent yet is taken back without an attempt`() {
        var bench = Bench(keys: [key("a", limits: Limits(concurrent: 10))], classes: [policy("x")])
        bench.answer = { start in
            .init(
                after: .seconds(start.job % 2 == 0 ? 5 : 4),
                report: start.job % 2 == 0 ? failed(failure(.unavailable, judged: false)) : answered())
        }
        bench.submit(100, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(1))
        bench.handle(.drain)
        bench.run(for: .minutes(10))
        #expect(bench.starts.count == 10 && bench.scheduler.inFlightCount == 0)
        #expect(bench.count(.succeeded) == 5 && bench.count(.ready) == 95)
        #expect(bench.settlements.filter { $0.disposition != .complete }.allSatisfy { $0.attemptsUsed == 0 })
    }

    @Test func `an answer to a batch that has gone is still settled`() {
        var bench = Bench(keys: [key("a")], classes: [policy("x")])
        bench.answer = { start in
            .init(after: .seconds(3), report: start.job == 1 ? answered() : failed(failure(.overloaded)))
        }
        bench.submit(2, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(1))
        bench.handle(.flowsChanged([], foreign: true))
        bench.run(for: .seconds(5))
        #expect(bench.settlements.map(\.disposition.word) == ["complete", "retry"])
        #expect(bench.settlements[1].attemptsUsed == 0)
    }
}
