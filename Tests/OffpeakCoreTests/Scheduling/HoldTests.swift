import OffpeakCore
import Testing

/// What the queue is told about waiting: windows, pauses, limits.
@Suite struct `Scheduler: holds` {
    private static func bench(_ limits: Limits, _ posture: Posture = .cost) -> Bench {
        Bench(keys: [key("k", limits: limits)], classes: [policy("x", posture, only: ["k"])])
    }

    @Test func `waits below three seconds are pace and are not told`() {
        var bench = Self.bench(Limits(rpm: 60, concurrent: 4))
        // From the second minute on, each send waits about a second for the one a minute before.
        bench.answer = { _ in .init(after: .milliseconds(900), report: answered()) }
        bench.submit(40, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(2))
        #expect(bench.count(.succeeded) == 40)
        #expect(bench.holds.isEmpty)
    }

    @Test func `a wait of three seconds and more is told once with its end, and taken back by the next start`() {
        var bench = Self.bench(Limits(rpm: 5, concurrent: 5))
        bench.submit(8, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(2))
        #expect(bench.count(.succeeded) == 8)
        let told = bench.holds.map(\.hold)
        #expect(told.count == 2 && told[1] == nil)
        #expect(told[0]?.reason == "key k: its limit of 5 requests a minute is in use")
        // All five left at once and were counted by their answers at 100 ms.
        #expect(told[0]?.until == at(60_105))
        #expect(bench.holds[1].at == at(60_105))
    }

    @Test func `the soonest of several keys is named`() {
        var bench = Bench(
            keys: [key("a", limits: Limits(rpm: 1, concurrent: 9)), key("b", limits: Limits(rpm: 1, concurrent: 9))],
            classes: [policy("x")])
        bench.answer = { start in .init(after: .milliseconds(start.key == "a" ? 400 : 100), report: answered()) }
        bench.submit(9, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(20))
        #expect(
            bench.hold(on: 1) == Hold(reason: "key b: its limit of 1 request a minute is in use", until: at(60_105)))
    }

    @Test func `while answers are awaited, nothing is told`() {
        var bench = Self.bench(Limits(concurrent: 2))
        bench.answer = { _ in .init(after: .minutes(5), report: answered()) }
        bench.submit(9, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(4))
        #expect(bench.starts.count == 2 && bench.holds.isEmpty)
    }

    @Test func `a closed window is told with its opening, and nothing leaves before`() {
        var bench = Self.bench(Limits(rpm: 600, concurrent: 4))
        bench.submit(9, to: 1, class: "x")
        bench.submit(9, to: 2, class: "x")
        bench.handle(.windowChanged(className: "x", isOpen: false, until: second(3_600)))
        bench.tell()
        bench.run(for: .minutes(59))
        #expect(bench.starts.isEmpty)
        for flow in [1, 2] as [FlowID] {
            #expect(bench.hold(on: flow) == Hold(reason: "the window of class x is closed", until: second(3_600)))
        }
        bench.run(until: second(3_600))
        bench.handle(.windowChanged(className: "x", isOpen: true, until: second(7_200)))
        bench.run(for: .minutes(1))
        #expect(bench.count(.succeeded) == 18)
        #expect(bench.holds.count == 4 && bench.hold(on: 1) == nil && bench.hold(on: 2) == nil)
    }

    @Test func `a window that closes lets what is in flight finish`() {
        var bench = Self.bench(Limits(concurrent: 3))
        bench.answer = { _ in .init(after: .seconds(30), report: answered()) }
        bench.submit(9, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(5))
        bench.handle(.windowChanged(className: "x", isOpen: false, until: second(9_000)))
        bench.run(for: .minutes(10))
        #expect(bench.count(.succeeded) == 3 && bench.count(.ready) == 6)
    }

    @Test func `classes, keys and batches are paused and resumed, and each says so`() {
        var bench = Self.bench(Limits(rpm: 600, concurrent: 4))
        bench.submit(5, to: 1, class: "x")
        bench.submit(5, to: 2, class: "x")
        bench.handle(.pausesChanged(classes: ["x"], keys: []))
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.hold(on: 1) == Hold(reason: "class x is paused", until: nil))
        #expect(bench.hold(on: 2) == Hold(reason: "class x is paused", until: nil))
        bench.handle(.pausesChanged(classes: [], keys: ["k"]))
        bench.run(for: .minutes(1))
        #expect(bench.hold(on: 1) == Hold(reason: "key k: it is paused", until: nil))
        #expect(bench.starts.isEmpty && bench.parkings.isEmpty)
        bench.handle(.pausesChanged(classes: [], keys: []))
        bench.setPaused(true, batch: 1)
        bench.run(for: .minutes(1))
        #expect(bench.hold(on: 1) == Hold(reason: "batch b1 is paused", until: nil))
        #expect(bench.count(.succeeded, in: 2) == 5 && bench.starts(of: 1) == 0)
        #expect(bench.hold(on: 2) == nil)
        bench.setPaused(false, batch: 1)
        bench.run(for: .minutes(1))
        #expect(bench.count(.succeeded) == 10 && bench.hold(on: 1) == nil)
    }

    @Test func `a paused key is told, whatever ails those beside it`() {
        var bench = Bench(
            keys: [key("a"), key("b", models: .only(["other": "other"])), key("c")], classes: [policy("x", .fallback)])
        bench.answer = { _ in .init(after: .milliseconds(100), report: failed(failure(.keyRejected))) }
        bench.handle(.pausesChanged(classes: [], keys: ["a"]))
        bench.submit(9, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.hold(on: 1) == Hold(reason: "key a: it is paused", until: nil))
        #expect(bench.parkings.isEmpty)
    }

    @Test func `a resumed batch is not said to be paused any more, even if it cannot start at once`() {
        var bench = Self.bench(Limits(concurrent: 1))
        bench.answer = { _ in .init(after: .minutes(30), report: answered()) }
        bench.submit(1, to: 1, class: "x")
        bench.submit(1, to: 2, class: "x")
        bench.tell()
        bench.run(for: .seconds(1))
        bench.setPaused(true, batch: 2)
        bench.run(for: .seconds(1))
        #expect(bench.hold(on: 2)?.reason == "batch b2 is paused")
        bench.setPaused(false, batch: 2)
        bench.run(for: .seconds(1))
        #expect(bench.holds.last?.flow == 2 && bench.hold(on: 2) == nil)
        #expect(bench.scheduler.hold(on: 2) == nil)
    }

    @Test func `a paused key beside a rejected one parks nothing`() {
        var bench = Bench(keys: [key("a"), key("b", limits: Limits(concurrent: 2))], classes: [policy("x")])
        bench.answer = { _ in .init(after: .zero, report: failed(failure(.keyRejected))) }
        bench.submit(9, to: 1, class: "x")
        bench.handle(.pausesChanged(classes: [], keys: ["a"]))
        bench.tell()
        bench.run(for: .minutes(1))
        // Those that `b` itself rejected are parked; for the rest `a` may be resumed.
        #expect(bench.count(.parked) <= 2 && bench.count(.ready) >= 7 && bench.parkings.isEmpty)
        #expect(bench.hold(on: 1)?.until == nil && bench.hold(on: 1) != nil)
    }

    @Test func `a wait that becomes a short one is not told on`() {
        // The class's own wait of an hour ends early, since the key gets another secret.
        var bench = Bench(
            keys: [key("k", limits: Limits(rpm: 60, concurrent: 1))], classes: [policy("x", .strict, only: ["k"])])
        var isOut = true
        bench.answer = { _ in
            .init(after: .milliseconds(100), report: isOut ? failed(failure(.quotaExhausted)) : answered())
        }
        bench.submit(5, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(1))
        #expect(bench.hold(on: 1) != nil)
        isOut = false
        bench.handle(.secretChanged(key: "k"))
        bench.run(for: .seconds(1))
        #expect(bench.hold(on: 1) == nil)
    }

    @Test func `a long wait that turned into waiting for answers is taken back`() {
        var bench = Bench(
            keys: [key("k", limits: Limits(concurrent: 2))], classes: [policy("x"), policy("y", priority: 1)])
        bench.answer = { start in
            start.flow == 1
                ? .init(after: .milliseconds(100), report: failed(failure(.quotaExhausted)))
                : .init(after: .minutes(30), report: answered())
        }
        bench.submit(5, to: 1, class: "x")
        bench.submit(1, to: 2, class: "y")
        bench.tell()
        bench.run(for: .seconds(1))
        #expect(bench.hold(on: 1) != nil)
        // The account is topped up, and the class that goes first takes the place.
        bench.submit(1, to: 2, class: "y")
        bench.tell(foreign: true)
        bench.run(for: .seconds(1))
        bench.handle(.secretChanged(key: "k"))
        bench.run(for: .seconds(1))
        #expect(bench.starts(of: 2) == 2 && bench.starts(of: 1) == 1)
        #expect(bench.holds.last?.flow == 1 && bench.hold(on: 1) == nil)
    }

    @Test func `a start that the queue refuses takes no room and no part of the day`() {
        var bench = Self.bench(Limits(rpm: 10, rpd: 10, concurrent: 2))
        bench.handle(.dayStarted(used: [:], ends: second(90_000)))
        var isOpen = false
        bench.accepts = { _ in isOpen }
        bench.submit(10, to: 1, class: "x")
        bench.tell()
        bench.run(for: .seconds(1))
        #expect(bench.refusedStarts == 10 && bench.starts.isEmpty)
        #expect(bench.dayUse["k"]! == (0, 0))
        isOpen = true
        bench.tell(foreign: true)
        bench.run(for: .seconds(30))
        #expect(bench.starts.count == 10)
        #expect(bench.dayUse["k"]!.requests == 10)
    }
}
