import OffpeakConfiguration
import OffpeakCore
import OffpeakProviders
import Testing

@testable import OffpeakRunner

private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: 1_700_000_000_000 + milliseconds) }

@Suite struct `The rate meter` {
    @Test func `tells the answers a second over the last ten whole seconds`() {
        var meter = RateMeter()
        #expect(meter.milliPerSecond(at: at(0)) == 0)
        // Forty answers in each of twenty seconds.
        for i in 0..<800 { meter.count(at: at(Int64(i) * 25)) }
        #expect(meter.milliPerSecond(at: at(20_000)) == 40_000)
        // The second that is under way does not count.
        for _ in 0..<500 { meter.count(at: at(20_010)) }
        #expect(meter.milliPerSecond(at: at(20_020)) == 40_000)
    }

    @Test func `reckons from the first answer, and forgets those of long ago`() {
        var meter = RateMeter()
        for _ in 0..<6 { meter.count(at: at(100)) }
        #expect(meter.milliPerSecond(at: at(900)) == 0)
        #expect(meter.milliPerSecond(at: at(1_000)) == 6_000)
        #expect(meter.milliPerSecond(at: at(3_000)) == 2_000)
        #expect(meter.milliPerSecond(at: at(11_000)) == 0)
    }
}

@Suite struct `The key ring` {
    private static func ring(_ environment: [String: String]) throws -> KeyRing {
        let text = """
            { keys: {
              plain: { provider: "openai", secret: { env: "A" } },
              none: { provider: "openai", secret: "none" },
              file: { provider: "openai", secret: { file: "/nowhere/secret" } },
              command: { provider: "openai", secret: { command: ["echo", "test-secret-1"], refresh: "1m" } },
            } }
            """
        return KeyRing(configuration: try Configuration.parse(text, path: "c").get(), environment: environment)
    }

    @Test func `loads what it can and names what it cannot`() throws {
        var ring = try Self.ring(["A": "test-secret-2", "PATH": "/usr/bin:/bin"])
        let problems = ring.load(["plain", "none", "file", "command"], at: at(0))
        #expect(problems.map(\.key) == ["file"])
        #expect(ring.secret(of: "plain")?.exposed { $0 } == "test-secret-2")
        #expect(ring.secret(of: "command")?.exposed { $0 } == "test-secret-1")
        // A server that needs none gets none.
        #expect(ring.secret(of: "none") == nil && ring.secret(of: "file") == nil)
    }

    @Test func `knows which secrets another loading may change`() throws {
        #expect(try Self.ring([:]).refreshable == ["file", "command"])
    }

    @Test func `names a key that is due once per period`() throws {
        var ring = try Self.ring(["A": "test-secret-2", "PATH": "/usr/bin:/bin"])
        _ = ring.load(["plain", "command"], at: at(0))
        #expect(ring.dueForRefresh(at: at(59_999)).isEmpty)
        #expect(ring.dueForRefresh(at: at(60_000)) == ["command"])
        #expect(ring.dueForRefresh(at: at(60_001)).isEmpty)
        #expect(ring.dueForRefresh(at: at(120_000)) == ["command"])
    }

    @Test func `tells whether a secret is another`() throws {
        var ring = try Self.ring(["A": "test-secret-2"])
        _ = ring.load(["plain"], at: at(0))
        let replacements = [("test-secret-2", false), ("test-secret-3", true), ("test-secret-3", false)]
        for (secret, isNew) in replacements {
            let replaced = ring.replace("plain", with: Secret(secret), at: at(1))
            #expect(replaced == isNew)
        }
    }
}

@Suite struct `The watch for trouble` {
    private static let down = AttemptOutcome.failure(
        Failure(.unavailable, code: "connection_failed", message: "no connection", judged: false))
    private static let up = AttemptOutcome.success(Answer(statusCode: 200, requestID: "", body: [], usage: Usage()))

    private static func seconds(_ n: Int64) -> Timestamp { at(n * 1_000) }

    /// The seconds at which something is told of a provider that fails every minute from the beginning on, and is said each
    /// time to be tried again in a minute.
    private static func told(_ watch: inout TroubleWatch, from start: Int64 = 0, until end: Int64) -> [Int64] {
        var told: [Int64] = []
        for second in start...end {
            if (second - start) % 60 == 0 { watch.ended(key: "k", down, at: seconds(second)) }
            if !watch.news(at: seconds(second), again: seconds(second + 60)).isEmpty { told.append(second) }
        }
        return told
    }

    @Test func `tells a standstill after ten seconds, and again at growing distances as long as it lasts`() {
        var watch = TroubleWatch()
        // Two minutes, four, eight, sixteen, and never more than half an hour or so.
        let told = Self.told(&watch, until: 3 * 3_600)
        #expect(told == [10, 130, 370, 850, 1_810, 3_730, 5_650, 7_570, 9_490])
    }

    @Test func `says nothing anew before the moment that was told has passed`() {
        var watch = TroubleWatch()
        watch.ended(key: "k", Self.down, at: at(0))
        #expect(watch.news(at: Self.seconds(10), again: Self.seconds(900)).map(\.text) == ["key k: no connection"])
        for second in 11...900 { #expect(watch.news(at: Self.seconds(Int64(second)), again: .distantFuture).isEmpty) }
        #expect(watch.news(at: Self.seconds(901), again: Self.seconds(960)).map(\.text) == ["key k: no connection"])
    }

    @Test func `tells the end of what it told, once, and of nothing else`() {
        var watch = TroubleWatch()
        watch.ended(key: "k", Self.down, at: at(0))
        watch.ended(key: "k", Self.up, at: Self.seconds(5))
        #expect(watch.takeEnd() == nil, "a short trouble was not told")
        #expect(Self.told(&watch, from: 20, until: 40) == [30])
        #expect(watch.takeEnd() == nil)
        watch.ended(key: "k", Self.up, at: Self.seconds(41))
        let end = watch.takeEnd()
        #expect(end?.key == "k" && end?.since == Self.seconds(20))
        #expect(watch.takeEnd() == nil && !watch.standsStill(at: Self.seconds(60)))
        watch.ended(key: "k", Self.up, at: Self.seconds(61))
        #expect(watch.takeEnd() == nil)
    }

    @Test func `takes an answer that was lost for trouble like none at all`() {
        var watch = TroubleWatch()
        let lost = Failure(.unknownOutcome, code: "answer_lost", message: "the connection broke", judged: true)
        watch.ended(key: "k", .failure(lost), at: at(0))
        #expect(watch.standsStill(at: Self.seconds(10)))
        #expect(
            watch.news(at: Self.seconds(10), again: Self.seconds(11)).map(\.text) == ["key k: the connection broke"])
    }
}

@Suite struct `The runner's clock` {
    @Test func `puts a moment of the wall clock at the same place each time`() {
        let clock = RunnerClock()
        let places = Set((0..<20_000).map { _ in clock.steady(at(0)) })
        // Whoever looks again must not see a day end later than before. A wall clock that is being slewed may move it once.
        #expect(places.count <= 2, "\(places)")
        #expect(places.allSatisfy { abs(($0 - at(0)).milliseconds) <= 1 })
    }

    @Test func `has a window open when the clock says so, however late it is looked at`() throws {
        let text = """
            { keys: { a: { provider: "openai", secret: "none" } }, classes: {
              c: { posture: "cost", window: { open: "03:00", close: "03:01" } } } }
            """
        let clock = RunnerClock()
        var calendar = RunCalendar(configuration: try Configuration.parse(text, path: "c").get(), clock: clock)
        // As where a transaction or a debugger lay between the two.
        let events = calendar.windows(at: clock.now - .seconds(5))
        guard events.count == 1, case .windowChanged("c", _, let until) = events[0] else {
            Issue.record("\(events)")
            return
        }
        let off = (until.milliseconds + 30_000) % 60_000 - 30_000
        #expect(abs(off) <= 1, "\(until)")
    }

    @Test func `is told to the nearest second`() {
        func told(_ milliseconds: Int64) -> String { Engine.clock(Timestamp(milliseconds: milliseconds)) }
        #expect(told(10_799_998) == "1970-01-01T03:00:00Z" && told(10_800_000) == "1970-01-01T03:00:00Z")
        #expect(told(10_800_499) == "1970-01-01T03:00:00Z" && told(10_800_500) == "1970-01-01T03:00:01Z")
    }
}
