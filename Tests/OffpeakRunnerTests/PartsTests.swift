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

@Suite struct `The runner's clock` {
    @Test func `puts a moment of the wall clock at the same place each time`() {
        let clock = RunnerClock()
        let places = Set((0..<20_000).map { _ in clock.steady(at(0)) })
        // Whoever looks again must not see a day end later than before. A wall clock that is being slewed may move it once.
        #expect(places.count <= 2, "\(places)")
        #expect(places.allSatisfy { abs(($0 - at(0)).milliseconds) <= 1 })
    }
}
