import OffpeakConfiguration
import OffpeakRehearsal
import Testing

@Suite struct ProfileTests {
    @Test func `a full profile reads as written`() throws {
        let profile = try RehearsalProfile.read(
            """
            {
              seed: 7, latency: { median: "800ms", p95: "3s" }, models: ["m", "n"], context: 8192,
              answer: { tokens: { min: 10, max: 20 } },
              keys: {
                "test-key-one": { name: "one", rpm: 300, tpm: 20000, rpd: 10, tpd: 20, concurrent: 4, window: "10s",
                                  day: "1h", model: "bucket", counts: "reserved", count_rejected: true, headers: false,
                                  retry_after: false },
                "two": { pool: "p" }, "three": { pool: "p", rpm: 5 },
                "*": { rpm: 1 },
              },
              faults: [ { what: "502-html", rate: 0.01 }, { what: "revoked", key: "one", after_requests: 9 },
                        { what: "429", at: [1, 2], headers: false, delay: "2s", count: 1 },
                        { what: "hang", from: 1.5, until: "1m" } ],
            }
            """)
        #expect(profile.seed == 7)
        #expect(profile.latency == .logNormal(median: 800_000, p95: 3_000_000))
        #expect(profile.models == ["m", "n"])
        #expect(profile.context == 8_192)
        #expect(profile.answerTokens == 10...20)
        let limits = KeyLimits(
            rpm: 300, tpm: 20_000, rpd: 10, tpd: 20, concurrent: 4, window: 10_000_000, day: 3_600_000_000,
            model: .bucket,
            counts: .reserved, countsRejected: true)
        #expect(
            profile.keys == [
                KeyProfile(text: "test-key-one", name: "one", limits: limits, headers: false, retryAfter: false),
                KeyProfile(text: "two", limits: KeyLimits(rpm: 5), pool: "p"),
                KeyProfile(text: "three", limits: KeyLimits(rpm: 5), pool: "p"),
            ])
        #expect(profile.otherKeys?.limits == KeyLimits(rpm: 1))
        #expect(
            profile.faults == [
                FaultRule(.badGateway, rate: 10_000), FaultRule(.revoked, afterRequests: 9, key: "one"),
                FaultRule(.rateLimit, at: [1, 2], count: 1, headers: false, delay: 2_000_000),
                FaultRule(.hang, from: 1_500_000, until: 60_000_000),
            ])
    }

    @Test func `what is left out has its default`() throws {
        let empty = try RehearsalProfile.read("{}")
        #expect(empty.otherKeys != nil && empty.keys.isEmpty && empty.latency == .fixed(50_000))
        #expect(try RehearsalProfile.read(#"{keys: {a: {}}}"#).otherKeys == nil)
        #expect(try RehearsalProfile.read(#"{latency: "5ms", answer: {tokens: 3}}"#).answerTokens == 3...3)
        #expect(
            try RehearsalProfile.read(#"{latency: {min: "1s", max: "2s"}}"#).latency
                == .range(min: 1_000_000, max: 2_000_000))
    }

    static let wrong: [(String, [String])] = [
        ("{", ["line 1"]),
        ("[]", ["expected an object"]),
        ("{ sed: 1 }", ["sed: unknown field", "did you mean \"seed\"?"]),
        (#"{ keys: { a: { rpn: 1 } } }"#, ["keys.a.rpn: unknown field", "\"rpm\""]),
        (#"{ keys: { a: { rpm: 0, model: "slide" } } }"#, ["keys.a.rpm: 0 is too small", "keys.a.model", "sliding"]),
        (#"{ keys: { a: { window: 10 } } }"#, ["keys.a.window", "duration"]),
        (#"{ keys: { a: { name: "x" }, b: { name: "x" } } }"#, ["keys.b: another key has the name \"x\""]),
        (#"{ keys: { a: { pool: "p", rpm: 1 }, b: { pool: "p", rpm: 2 } } }"#, ["keys.b.pool"]),
        (#"{ keys: { a: { tpm: 900000000000, window: "366d" } } }"#, ["keys.a.tpm: is too large for its window"]),
        (#"{ latency: { median: "2s", p95: "1s" } }"#, ["latency.p95: is shorter than the median"]),
        (#"{ latency: { min: "2s" } }"#, ["latency: needs"]),
        (#"{ answer: { tokens: { min: 5, max: 1 } } }"#, ["answer.tokens.max: is less than min"]),
        (#"{ faults: [ {} ] }"#, ["faults[0].what: is missing"]),
        (#"{ faults: [ { what: "592" } ] }"#, ["faults[0].what", "529"]),
        (#"{ faults: [ { what: 429 } ] }"#, ["faults[0].what", "quotes"]),
        (#"{ faults: [ { what: "429", rate: 2 } ] }"#, ["faults[0].rate: 2.0 is too large"]),
        (#"{ faults: [ { what: "429", at: [0] } ] }"#, ["faults[0].at[0]"]),
        (
            #"{ keys: { one: {} }, faults: [ { what: "429", key: "oen" } ] }"#,
            ["faults[0].key", "did you mean \"one\"?"]
        ),
    ]

    @Test(arguments: wrong) func `every mistake is told with its place`(text: String, fragments: [String]) {
        do throws(ProfileProblems) {
            _ = try RehearsalProfile.read(text)
            Issue.record("read without a problem")
        } catch {
            for fragment in fragments { #expect(error.description.contains(fragment), "\(error)") }
        }
    }

    @Test func `all mistakes are told at once`() {
        do throws(ProfileProblems) {
            _ = try RehearsalProfile.read("{ seed: -1,\n context: 0,\n keys: 5,\n faults: 5 }")
            Issue.record("read without a problem")
        } catch {
            #expect(error.problems.map(\.line) == [1, 2, 3, 4])
        }
    }
}
