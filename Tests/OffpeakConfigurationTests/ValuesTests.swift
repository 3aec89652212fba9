import Foundation
import OffpeakCore
import OffpeakProviders
import Testing

@testable import OffpeakConfiguration

@Suite struct `A valid configuration` {
    /// Every field of the contract at once.
    static func everything(prices: String) -> String {
        """
        {
          timezone: "Europe/Berlin",
          providers: {
            "local": { kind: "openai", base_url: "http://127.0.0.1:8000/v1/" },
            "lan": { base_url: "http://gpu.example/v1", insecure: true, limit_model: "slices", token_counting: "reserved" },
          },
          pools: { "openai-org": { rpm: 500, tpm: 200000 } },
          keys: {
            "openai-main": {
              provider: "openai", secret: { env: "OPENAI_API_KEY" }, billing: "provider", pool: "openai-org",
              models: ["gpt-5-mini"], lanes: ["sync", "flex", "batch"],
              limits: { rpm: 500, tpm: 200000, rpd: 10000, tpd: 2000000, concurrent: 64 },
              quota: { usd: 40, requests: 50000, per: "day" }, credit: { usd: 300, expires: "2027-01-31" },
              provisioned: { tpm: 50000 }, prices: { "*": { discount: 0.2 } }, tags: ["eu", "zdr", "approved"], enabled: true,
            },
            "router-own": {
              provider: "openrouter", secret: { command: ["pass", "show", "router"], refresh: "50m" }, billing: "router-byok",
              fee: { percent: 5, allowance_usd: 25000, per: "month" },
              models: { "gpt-5-mini": "openai/gpt-5-mini", "claude-haiku-4-5": "anthropic/claude-haiku-4.5" },
            },
            "router-shared": {
              provider: "openrouter", secret: { file: "router.secret" }, billing: "platform",
              models: { "gpt-5-mini": "openai/gpt-5-mini", "claude-haiku-4-5": "anthropic/claude-haiku-4.5" },
            },
            "lan": { provider: "lan", secret: "none", models: { "fast": "llama-3" }, enabled: false },
          },
          classes: {
            "nightly": {
              posture: "cost", keys: { order: ["router-own", "openai-main"], only: [], exclude: [] }, require_tags: [],
              shared: "spill", models: { "gpt-5-mini": ["gpt-5-mini", "claude-haiku-4-5"] }, lanes: ["batch", "sync"],
              objective: "cost", deadline: "12h",
              window: { open: "22:00", close: "24:00", days: ["mon", "sun"] },
              budget: { usd: 20, per: "day", then: "park" }, weight: 2, priority: -3, attempts: 7,
              backoff: { base: "500ms", cap: "90s" }, timeout: "2m",
              on: { rate_limited: ["next-key", "defer"], unknown_outcome: ["park"] }, dedupe: true,
            },
            "sensitive": { posture: "strict", require_tags: ["eu", "zdr"] },
          },
          prices: "\(prices)",
        }
        """
    }

    private static func read() throws -> Configuration {
        let prices = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).json").path
        defer { try? FileManager.default.removeItem(atPath: prices) }
        let model = #"{ "house-model": { "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06 } }"#
        try Data(model.utf8).write(to: URL(filePath: prices))
        return try Configuration.parse(everything(prices: prices), path: "/nowhere/c.json5").get()
    }

    @Test func `has the contract's fields as values`() throws {
        let read = try Self.read()
        #expect(read.timeZoneName == "Europe/Berlin" && read.timeZone.identifier == "Europe/Berlin")
        #expect(read.pools == [PoolDescriptor(name: "openai-org", limits: Limits(rpm: 500, tpm: 200_000))])
        #expect(read.keys.map(\.name) == ["openai-main", "router-own", "router-shared", "lan"])
        var main = KeyDescriptor(
            name: "openai-main", provider: "openai", pool: "openai-org", models: .only(["gpt-5-mini": "gpt-5-mini"]),
            limits: Limits(rpm: 500, tpm: 200_000, rpd: 10_000, tpd: 2_000_000, concurrent: 64),
            tags: ["eu", "zdr", "approved"], tokenCounting: .reserved)
        main.quota = Quota(money: .dollars(40), requests: 50_000, per: .day)
        main.credit = Credit(amount: .dollars(300), expires: utc("2027-01-31T23:00:00Z"))
        main.provisionedTPM = 50_000
        main.lanes = [.sync, .flex, .batch]
        main.endpoints = ProviderKind.openai.endpoints
        #expect(read.keys[0] == main)
        #expect(read.priceBook.price(of: main, model: "gpt-5-mini")?.rates.input == 200_000_000)
        #expect(read.priceBook.price(of: read.keys[3], model: "house-model")?.rates.output == 2_000_000_000)
        #expect(
            read.keys[1].fee == PlatformFee(shareMillionths: 50_000, allowance: .money(.dollars(25_000)), per: .month))
        #expect(read.keys[1].billing == .routerBYOK && read.keys[2].billing == .platform)
        var lan = KeyDescriptor(
            name: "lan", provider: "lan", models: .only(["fast": "llama-3"]), enabled: false, limitModel: .slices,
            tokenCounting: .reserved)
        lan.endpoints = ProviderKind.openai.endpoints
        #expect(read.keys[3] == lan)
        #expect(read.provider(of: read.keys[3]).baseURL == "http://gpu.example/v1")
        #expect(read.providers.first { $0.name == "local" }?.baseURL == "http://127.0.0.1:8000/v1")
        #expect(read.secretSource(of: "openai-main") == .environment("OPENAI_API_KEY"))
        #expect(read.secretSource(of: "router-own") == .command(["pass", "show", "router"], refresh: .minutes(50)))
        // A relative path starts at the configuration's folder.
        #expect(read.secretSource(of: "router-shared") == .file("/nowhere/router.secret"))
        #expect(read.secretSource(of: "lan") == .none)
        #expect(read.classes.map(\.name) == ["nightly", "sensitive", "default"])
    }

    @Test func `has classes that are their posture with what they say laid over it`() throws {
        let nightly = try #require(try Self.read().policy(of: "nightly"))
        #expect(nightly.posture == .cost && nightly.keyOrder == ["router-own", "openai-main"] && nightly.keyOnly == [])
        #expect(nightly.shared == .spill && nightly.objective == .cost)
        #expect(nightly.budget == Budget(limit: .dollars(20), per: .day, then: .park))
        #expect(nightly.models == ["gpt-5-mini": ["gpt-5-mini", "claude-haiku-4-5"]])
        #expect(nightly.deadline == .hours(12) && nightly.timeout == .minutes(2))
        #expect(nightly.window == WindowRule(open: 1_320, close: 0, days: [1, 7]))
        #expect(nightly.weight == 2 && nightly.priority == -3 && nightly.attempts == 7)
        #expect(nightly.backoffBase == .milliseconds(500) && nightly.backoffCap == .seconds(90))
        var ladders = Posture.cost.ladders
        ladders[.rateLimited] = [.nextKey, .defer]
        ladders[.unknownOutcome] = [.park]
        #expect(nightly.ladders == ladders)
        let sensitive = try #require(try Self.read().policy(of: "sensitive"))
        #expect(
            sensitive.isClosed && sensitive.requireTags == ["eu", "zdr"] && sensitive.ladders == Posture.strict.ladders)
    }

    @Test func `names each class's keys in its order`() throws {
        let read = try Self.read()
        func names(_ name: String) throws -> [String] {
            read.keys(for: try #require(read.policy(of: name))).map(\.name)
        }
        // Shared capacity comes last.
        #expect(try names("nightly") == ["router-own", "openai-main", "lan", "router-shared"])
        #expect(try names("sensitive") == ["openai-main"])
        #expect(try names("default") == ["openai-main", "router-own", "lan", "router-shared"])
        let open = try #require(read.policy(of: "default"))
        #expect(read.sharedKeys(for: open).map(\.name) == ["router-shared"])
    }

    @Test(arguments: [
        "http://localhost:8000/v1", "http://127.0.0.1/v1", "http://127.1.2.3:1/v1", "http://[::1]:8000/v1",
        "http://api.localhost/v1",
        "https://h.example", "HTTPS://h.example/v1/", "https://[2001:db8::1]/v1",
        "http://h.example/v1\", insecure: true, ca_file: \"/dev/null",
    ])
    func `has addresses that are safe or said to be`(_ url: String) {
        #expect(problems(configuration(top: "providers: { p: { base_url: \"\(url)\" } },")) == [])
    }

    @Test(arguments: ["UTC", "GMT", "CET", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/UTC"])
    func `has a time zone of the zone database`(_ name: String) throws {
        #expect(
            try Configuration.parse(configuration(top: "timezone: \"\(name)\","), path: "c").get().timeZoneName == name)
    }

    @Test func `fills one half of a backoff so that base and cap fit`() throws {
        for (text, base, cap) in [
            ("base: \"10m\"", Interval.minutes(10), Interval.minutes(10)),
            ("cap: \"200ms\"", .milliseconds(200), .milliseconds(200)),
            ("base: \"2s\"", .seconds(2), .minutes(2)), ("cap: \"1h\"", .seconds(1), .hours(1)),
        ] {
            let read = try Configuration.parse(configuration(class: "backoff: { \(text) },"), path: "c").get()
            let policy = try #require(read.policy(of: "x"))
            #expect(policy.backoffBase == base && policy.backoffCap == cap, "\(text)")
        }
    }
}

@Suite struct `The report of check` {
    private static func report(_ text: String, environment: [String: String] = [:]) -> CheckReport {
        CheckReport(Configuration.parse(text, path: "c.json5"), environment: environment, at: today)
    }

    @Test func `finds secrets that are not there, with the lines of their keys`() {
        let text = """
            { keys: {
              a: { provider: "openai", secret: { env: "KEY_A" } },
              b: { provider: "openai", secret: { file: "/nowhere/secret" } },
              off: { provider: "openai", secret: { env: "KEY_OFF" }, enabled: false },
            } }
            """
        let report = Self.report(text)
        #expect(!report.isOK)
        #expect(
            report.problems.map(\.description) == [
                "line 2: keys.a.secret: variable KEY_A is not set (export KEY_A, or change the key's secret)",
                "line 3: keys.b.secret: file /nowhere/secret cannot be read (does it exist, and may this user read it?)",
            ])
        // A key that serves nothing may lack its secret.
        #expect(report.notices.map(\.path) == ["keys.off.secret"])
        #expect(report.classes.map(\.name) == ["default"])
    }

    @Test(arguments: ["exit 3", "kill -9 $$"])
    func `quotes nothing of what a failing command said, which may hold the secret`(_ end: String) {
        let script = "echo test-secret-1; echo 'token test-secret-1-and-more is unknown' >&2; \(end)"
        let text = #"{ keys: { a: { provider: "openai", secret: { command: ["sh", "-c", "\#(script)"] } } } }"#
        let report = Self.report(text, environment: ["PATH": "/usr/bin:/bin"])
        let cause = end.hasPrefix("exit") ? "failed with status 3" : "was ended by signal 9"
        #expect(
            report.problems.map(\.description) == [
                "line 1: keys.a.secret: command \"sh\" \(cause) (run it by hand to see what it says)"
            ])
        #expect(!"\(report)".contains("test-secret"))
    }

    @Test func `is well when every secret is there, and never shows one`() {
        let report = Self.report(configuration(), environment: ["A": "test-secret-1"])
        #expect(report.isOK && report.problems.isEmpty && report.notices.isEmpty)
        #expect(report.classes.map(\.name) == ["x", "default"])
        #expect(!"\(report)".contains("test-secret-1"))
        let bad = Self.report(configuration(), environment: ["A": "test secret 1"])
        #expect(bad.problems.count == 1 && !"\(bad)".contains("test secret 1"))
    }

    @Test func `tells what has expired, and counts on none of it`() throws {
        let text = """
            { timezone: "Europe/Berlin", keys: {
              a: { provider: "openai", secret: "none",
                   credit: { usd: 4, expires: "2020-01-01" } },
              b: { provider: "openai", secret: "none", valid_until: "2026-11-24" },
              c: { provider: "openai", secret: "none", valid_until: "2026-11-25", credit: { usd: 4, expires: "2026-11-25" } },
              },
              classes: { x: { posture: "cost" }, y: { posture: "strict", keys: { only: ["b"] } } } }
            """
        let report = Self.report(text)
        #expect(report.isOK)
        #expect(
            report.notices.filter { !$0.path.hasSuffix(".secret") && !$0.message.contains("different providers") }
                .map(\.description) == [
                    "line 2: keys.a.credit: expired after 2020-01-01: nothing is prepaid any more, and all costs its price (take it out, or state the new credit)",
                    "line 4: keys.b.valid_until: 2026-11-24 is past: nothing is sent through this key (give it a new secret and its last day)",
                ])
        let overview = Dictionary(uniqueKeysWithValues: report.overview.map { ($0.name, $0.sentence) })
        for part in [
            "(4.00 US dollars prepaid expired after 2020-01-01)", "(its secret expired after 2026-11-24)",
            "(4.00 US dollars prepaid until 2026-11-25, its secret valid until 2026-11-25)",
        ] { #expect(try #require(overview["keys"]).contains(part), "\(report.overview)") }
        #expect(overview["objective"]?.contains("the lowest cost, the prepaid credit of c first") == true)
        #expect(
            overview["fallback"]?.contains("x may fall back from one of a and c to another; y has no key now") == true)
        let classes = Dictionary(uniqueKeysWithValues: report.classes.map { ($0.name, $0.sentence) })
        let start = "Sends through whichever of a and c has room and is cheapest (the secret of b has expired);"
        #expect(classes["x"]?.hasPrefix(start) == true, "\(report.classes)")
        #expect(classes["y"]?.hasPrefix("Can send nothing now, since the secret of b has expired") == true)
    }

    @Test func `of a file that cannot be read has its problems and no classes`() {
        let report = Self.report("{ keys: 3 }")
        #expect(!report.isOK && report.classes.isEmpty && report.path == "c.json5")
        #expect(report.problems.map(\.path) == ["keys"])
    }
}
