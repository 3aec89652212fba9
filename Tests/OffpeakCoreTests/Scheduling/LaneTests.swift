import Testing

@testable import OffpeakCore

/// The lane flex: cheaper, slower, and not always there.
@Suite struct `Scheduler: lanes` {
    /// Two dollars a million tokens on every key, half of it in flex.
    private static func book(_ names: [String], flex: Bool = true) -> PriceBook {
        let rates = TokenRates(input: 2_000_000_000, output: 2_000_000_000)
        let terms = ModelTerms(rates: rates, lanes: flex ? [.flex: .share(millionths: 500_000)] : [:])
        return PriceBook(
            lists: [], terms: Dictionary(uniqueKeysWithValues: names.map { ($0, .terms(["*": terms])) }))
    }

    private static func laned(_ name: String, _ lanes: [Lane] = [.flex, .sync], rpm: Int = 600) -> KeyDescriptor {
        var own = key(name, limits: Limits(rpm: rpm, concurrent: 8))
        own.lanes = lanes
        return own
    }

    private static func bench(
        _ keys: [KeyDescriptor], _ lanes: [Lane]? = nil, jobs: Int = 40, deadline: Timestamp? = nil,
        posture: Posture = .cost, flex: Bool = true, edit: (inout ClassPolicy) -> Void = { _ in }
    ) -> Bench {
        let own = policy("x", posture, only: posture == .strict ? keys.map(\.name) : []) {
            $0.lanes = lanes ?? $0.lanes
            edit(&$0)
        }
        var bench = Bench(keys: keys, classes: [own], prices: book(keys.map(\.name), flex: flex))
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(jobs, to: 1, class: "x", deadline: deadline)
        for i in bench.flows.indices { bench.flows[i].waiting = jobs }
        bench.tell()
        return bench
    }

    private static func lanes(_ bench: Bench) -> [String: Int] {
        bench.starts.reduce(into: [:]) { $0[$1.lane.rawValue, default: 0] += 1 }
    }

    /// Sync answers in a tenth of a second, flex after a time of its own.
    private static func slowFlex(_ time: Interval) -> (AttemptStart) -> Bench.Answer {
        { start in .init(after: start.lane == .flex ? time : .milliseconds(100), report: answered()) }
    }

    @Test func `a key whose lane flex rests for long is remembered with it, and as well once flex answers`() throws {
        var bench = Self.bench([Self.laned("a", [.flex])], jobs: 6)
        var isFull = true
        bench.answer = { start in
            let isRefused = start.lane == .flex && isFull
            return .init(
                after: .milliseconds(100),
                report: isRefused ? failed(failure(.overloaded, message: "full")) : answered())
        }
        bench.run(for: .minutes(2))
        let memory = try #require(bench.memories.last)
        #expect(memory.health == "resting" && memory.reason == "lane flex: the provider had no room there")
        #expect(try #require(memory.blockedUntil) > bench.now)
        isFull = false
        bench.run(for: .minutes(10))
        #expect(bench.count(.succeeded) == 6)
        #expect(bench.memories.last == KeyMemory(key: "a"))
    }

    @Test(arguments: [true, false])
    func `a deadline does not count on a key that has flex alone, while that has no room or is slow`(_ isFull: Bool) {
        var own = Self.laned("b", [.sync])
        own.limits = Limits(concurrent: 1)
        var flex = Self.laned("a", [.flex])
        flex.limits = Limits(concurrent: 1)
        var bench = Self.bench([flex, own], jobs: 60, deadline: second(100))
        bench.answer = { start in
            if start.lane == .sync { return .init(after: .milliseconds(950), report: answered()) }
            return isFull
                ? .init(after: .milliseconds(10), report: failed(failure(.overloaded, message: "full")))
                : .init(after: .seconds(50), report: answered())
        }
        bench.run(for: .seconds(100))
        #expect(bench.count(.succeeded) >= (isFull ? 60 : 59), "\(Self.lanes(bench))")
    }

    // MARK: Which lane

    @Test func `a class that saves takes flex where a key has it, for half the price, and reserves the whole`() throws {
        var bench = Self.bench([Self.laned("a")])
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 40)
        #expect(Self.lanes(bench) == ["flex": 40])
        for settlement in bench.settlements {
            // 15 tokens at one nano-dollar each for a thousandth of a dollar.
            let entry = try #require(settlement.entry)
            #expect(entry.route.lane == .flex && entry.charge.provider == Money(nanodollars: 15_000))
        }
        // 400 bytes and 20 tokens in the ordinary tier, in which flex may be answered.
        #expect(bench.starts.allSatisfy { $0.worst.provider == Money(nanodollars: 840_000) })
    }

    @Test(arguments: [
        ([Lane.sync], [Lane.flex, .sync]), ([.flex, .sync], [.sync]), ([.sync, .flex], [.sync, .flex]),
        ([.batch, .sync], [.batch, .flex, .sync]),
    ])
    func `only a lane of class and key is used, the class's first`(ofKey: [Lane], ofClass: [Lane]) {
        var bench = Self.bench([Self.laned("a", ofKey)], ofClass)
        bench.run(for: .minutes(5))
        #expect(Self.lanes(bench) == ["sync": 40] && bench.count(.succeeded) == 40)
    }

    @Test func `a strict class knows no flex, and a price that nobody knows is not taken for a low one`() {
        var strict = Self.bench([Self.laned("a")], posture: .strict)
        strict.run(for: .minutes(5))
        #expect(Self.lanes(strict) == ["sync": 40])
        var unknown = Self.bench([Self.laned("a")], flex: false)
        unknown.run(for: .minutes(5))
        #expect(Self.lanes(unknown) == ["sync": 40])
    }

    @Test func `a request that names its tier goes by lane sync, the others of its flow by flex`() {
        var bench = Self.bench([Self.laned("a")], jobs: 4)
        for id in [JobID(2), 3] { bench.jobs[id]!.ticket.namesTier = true }
        bench.run(for: .minutes(1))
        #expect(bench.count(.succeeded) == 4)
        #expect(Set(bench.starts.filter { $0.lane == .sync }.map(\.job)) == [2, 3])
    }

    @Test func `keys are compared by what they cost in the lane that they offer`() {
        // The second is dearer by half in lane sync, and the cheapest in flex.
        let rates = TokenRates(input: 3_000_000_000, output: 3_000_000_000)
        var book = Self.book(["a"], flex: false)
        book.terms["b"] = .terms(["*": ModelTerms(rates: rates, lanes: [.flex: .share(millionths: 500_000)])])
        var bench = Bench(
            keys: [Self.laned("a", [.sync]), Self.laned("b")], classes: [policy("x")], prices: book)
        bench.handle(.periodsTurned(calendar(0)))
        bench.submit(30, to: 1, class: "x")
        bench.tell()
        bench.run(for: .minutes(2))
        #expect(bench.startsByKey == ["b": 30] && Self.lanes(bench) == ["flex": 30])
    }

    @Test func `what is billed is the tier that answered`() throws {
        var bench = Self.bench([Self.laned("a")], jobs: 1)
        bench.answer = { _ in
            var report = answered()
            report.servedLane = .sync
            return .init(after: .milliseconds(50), report: report)
        }
        bench.run(for: .minutes(1))
        let entry = try #require(bench.settlements.first?.entry)
        #expect(bench.starts[0].lane == .flex && entry.route.lane == .sync)
        #expect(entry.charge.provider == Money(nanodollars: 30_000))
    }

    // MARK: No room

    @Test func `where flex has no room the key's lane sync takes the job, and nothing is held against key or job`()
        throws
    {
        var bench = Self.bench([Self.laned("a")], jobs: 2_000) { $0.attempts = 1 }
        var refused = 0
        bench.answer = { start in
            guard start.lane == .flex, start.started < second(4) else {
                return .init(after: .milliseconds(100), report: answered())
            }
            refused += 1
            return .init(after: .milliseconds(20), report: failed(failure(.overloaded)))
        }
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 2_000 && refused > 0)
        // One attempt each, since a refusal uses up none.
        let failures = bench.settlements.filter { if case .failure = $0.outcome { true } else { false } }
        #expect(failures.count == refused)
        #expect(failures.allSatisfy { $0.attemptsUsed == 0 && $0.disposition == .retry(at: $0.ended) })
        #expect(failures.allSatisfy { $0.entry?.charge == Charge() })
        // People are told that the lane rests, and otherwise the key stays well.
        #expect(bench.memories.allSatisfy { $0.health == "ok" || ($0.health == "resting" && $0.blockedUntil != nil) })
        #expect(bench.memories.contains { $0.health == "resting" } && bench.memories.last == KeyMemory(key: "a"))
        // The lane rests for longer each time, and is used again once it has room.
        #expect(refused <= 8 * 3, "\(refused)")
        let afterwards = bench.starts.filter { $0.started > second(12) }
        #expect(!afterwards.isEmpty && afterwards.allSatisfy { $0.lane == .flex })
        let passed = try #require(bench.starts.first { $0.lane == .sync }?.passedOver)
        #expect(passed.contains(#"{"key":"a","reason":"lane flex: the provider had no room there"}"#))
    }

    @Test(arguments: [nil, second(7_200)])
    func `what is to be cheap waits for room in flex that is missing for a moment, while there is time`(
        deadline: Timestamp?
    ) {
        var bench = Self.bench([Self.laned("a")], jobs: 300, deadline: deadline)
        bench.answer = { start in
            start.lane == .flex && (start.started - second(0)).milliseconds % 5_000 < 1_000
                ? .init(after: .milliseconds(20), report: failed(failure(.overloaded)))
                : .init(after: .milliseconds(100), report: answered())
        }
        bench.run(for: .hours(2))
        #expect(bench.count(.succeeded) == 300 && Self.lanes(bench)["sync"] == nil)
        #expect(bench.settlements.contains { $0.disposition == .retry(at: $0.ended) })
        // Where speed counts, the other lane takes them.
        var fast = Self.bench([Self.laned("a")], [.flex, .sync], jobs: 300, deadline: deadline, posture: .resilience)
        fast.answer = bench.answer
        fast.run(for: .hours(2))
        #expect(fast.count(.succeeded) == 300 && Self.lanes(fast)["sync", default: 0] > 0)
    }

    @Test func `without another lane a job waits until flex is tried again`() {
        var bench = Self.bench([Self.laned("a")], [.flex], jobs: 20) { $0.attempts = 1 }
        bench.answer = { start in
            start.started < second(30)
                ? .init(after: .milliseconds(20), report: failed(failure(.overloaded)))
                : .init(after: .milliseconds(100), report: answered())
        }
        bench.run(for: .minutes(10))
        #expect(bench.count(.succeeded) == 20)
        #expect(Self.lanes(bench)["sync"] == nil)
        let words = Set(bench.settlements.map { $0.disposition.word })
        #expect(words == ["defer", "complete"])
        // A rest twice as long each time, then single tries: no hammering.
        #expect(bench.starts.count { $0.started < second(30) } <= 40, "\(bench.starts.count)")
    }

    @Test func `a wait that the provider names for flex is kept, and is none for lane sync`() {
        var bench = Self.bench([Self.laned("a")], jobs: 1_500)
        bench.answer = { start in
            start.lane == .flex && start.started < second(1)
                ? .init(after: .milliseconds(20), report: failed(failure(.overloaded, retryAfter: .seconds(60))))
                : .init(after: .milliseconds(100), report: answered())
        }
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 1_500)
        let flex = bench.starts.filter { $0.lane == .flex && $0.started > second(1) }
        #expect(flex.map(\.started).min()! >= second(60))
        #expect(bench.starts.contains { $0.lane == .sync && $0.started < second(2) })
    }

    @Test func `a model that flex does not have is asked for there once`() {
        var bench = Self.bench([Self.laned("a")])
        bench.answer = { start in
            start.lane == .flex
                ? .init(after: .milliseconds(20), report: failed(failure(.modelUnavailable)))
                : .init(after: .milliseconds(100), report: answered())
        }
        bench.run(for: .minutes(5))
        #expect(bench.count(.succeeded) == 40)
        #expect(bench.starts.count { $0.lane == .flex } <= 8, "what was in flight at once")
        #expect(bench.settlements.allSatisfy { $0.attemptsUsed <= 1 })
    }

    @Test func `an answer that flex does not give in time is taken for lost, and lane sync takes the job`() {
        var bench = Self.bench([Self.laned("a")], jobs: 1)
        bench.answer = { start in
            start.lane == .flex
                ? .init(after: .minutes(15), report: failed(failure(.timedOut)))
                : .init(after: .milliseconds(100), report: answered())
        }
        bench.run(for: .minutes(20))
        #expect(bench.count(.succeeded) == 1)
        #expect(bench.starts.map(\.lane) == [.flex, .sync])
        #expect(bench.settlements.first?.entry?.kind == .assumed)
    }

    // MARK: Deadlines

    @Test func `work goes by flex as long as lane sync could still do all of it in time`() {
        // 10 minutes of work for lane sync.
        var bench = Self.bench([Self.laned("a", rpm: 60)], jobs: 600, deadline: second(3_600)) {
            $0.flexTimeout = .minutes(5)
        }
        bench.answer = Self.slowFlex(.seconds(120))
        bench.run(for: .hours(2))
        #expect(bench.count(.succeeded) == 600)
        #expect(bench.settlements.map(\.ended).max()! <= second(3_600))
        let lanes = Self.lanes(bench)
        // 4 a minute in flex, for the 35 minutes or so in which there is time.
        #expect(lanes["flex"]! > 100 && lanes["sync", default: 0] > 0, "\(lanes)")
    }

    @Test func `a deadline that is nearer than an answer of flex may take is for lane sync`() {
        var bench = Self.bench([Self.laned("a")], deadline: second(600))
        bench.run(for: .minutes(10))
        #expect(bench.count(.succeeded) == 40 && Self.lanes(bench) == ["sync": 40])
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6])
    func `no deadline that lane sync meets is missed because of flex`(seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        for round in 0..<12 {
            let jobs = Int.random(in: 20...400, using: &chance)
            let rpm = [30, 60, 240].randomElement(using: &chance)!
            let deadline = second(Int64.random(in: 120...3_000, using: &chance))
            let slow = Interval.seconds(Int64.random(in: 5...400, using: &chance))
            let limit = Interval.minutes(Int64.random(in: 1...8, using: &chance))
            // Some of flex never answers in time, some is refused.
            let moods = (0..<2_000).map { _ in Int.random(in: 0..<10, using: &chance) }
            func play(_ lanes: [Lane]) -> (late: Int, flex: Int) {
                var bench = Self.bench([Self.laned("a", rpm: rpm)], lanes, jobs: jobs, deadline: deadline) {
                    ($0.flexTimeout, $0.attempts) = (limit, 20)
                }
                bench.answer = { start in
                    guard start.lane == .flex else { return .init(after: .seconds(1), report: answered()) }
                    switch moods[Int(start.job) % moods.count] {
                    case 0: return .init(after: .milliseconds(50), report: failed(failure(.overloaded)))
                    case 1: return .init(after: limit, report: failed(failure(.timedOut)))
                    default:
                        return slow < limit
                            ? .init(after: slow, report: answered())
                            : .init(after: limit, report: failed(failure(.timedOut)))
                    }
                }
                bench.run(for: .hours(8))
                let late = bench.settlements.count { $0.disposition == .complete && $0.ended > deadline }
                return (late + jobs - bench.count(.succeeded), bench.starts.count { $0.lane == .flex })
            }
            guard play([.sync]).late == 0 else { continue }
            let both = play([.flex, .sync])
            #expect(
                both.late == 0,
                "round \(round): \(jobs) jobs, \(rpm) a minute; \(rerun("no deadline that lane sync meets", seed: seed))"
            )
        }
    }
}
