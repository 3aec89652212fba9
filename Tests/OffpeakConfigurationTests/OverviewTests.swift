import OffpeakCore
import Testing

@testable import OffpeakConfiguration

/// The five questions that a team must answer, as `check` answers them for a configuration.
@Suite struct `Overview` {
    private static func overview(_ text: String) throws -> [String: String] {
        let read = try Configuration.parse(text, path: "c.json5").get()
        return Dictionary(uniqueKeysWithValues: read.overview(at: today).map { ($0.topic, $0.words) })
    }

    private static let whole = """
        { timezone: "Europe/Berlin",
          pools: { "org": { rpm: 500 } },
          keys: {
            "main": { provider: "openai", secret: "none", models: ["gpt-5-mini"], pool: "org", tags: ["approved"],
                      quota: { usd: 40, per: "day" }, credit: { usd: 300, expires: "2027-01-31" }, valid_until: "2027-03-31",
                      prices: { "*": { discount: 0.2 } } },
            "ptu": { provider: "openai", secret: "none", models: ["gpt-5-mini"], provisioned: { tpm: 50000 } },
            "old": { provider: "openai", secret: "none", models: ["gpt-5-mini"], enabled: false },
            "router-own": { provider: "openrouter", secret: "none", models: ["openai/gpt-5-mini"], billing: "router-byok",
                            fee: { percent: 5 } },
            "router-shared": { provider: "openrouter", secret: "none", models: ["openai/gpt-5-mini"], billing: "platform" },
          },
          classes: {
            "nightly": { posture: "cost", budget: { usd: 20, per: "day", then: "park" },
                         models: { "gpt-5-mini": ["gpt-5-mini", "openai/gpt-5-mini"] } },
            "users": { posture: "fallback", keys: { only: ["main", "router-shared"] } },
            "own-only": { posture: "resilience", shared: "never", keys: { only: ["main"] }, objective: "cost" },
            "sensitive": { posture: "strict", keys: { only: ["main"] } },
            "audited": { posture: "governance", require_tags: ["approved"], budget: { usd: 1, per: "batch", then: "fail" } },
          } }
        """

    @Test func `says of each key whose it is, who bills it and on what terms`() throws {
        #expect(
            try Self.overview(Self.whole)["keys"]
                == "Attached: main is your own at openai, which bills it (in pool org, at most 40.00 USD a day, 300.00 US dollars prepaid until 2027-01-31, prices of its own, its secret valid until 2027-03-31); ptu is your own at openai, which bills it (50000 tokens a minute paid for); old is your own at openai, which bills it (disabled); router-own is your own through openrouter, which takes a fee beside its provider's bill; router-shared is shared capacity of openrouter, billed in its credits."
        )
    }

    @Test func `says of each class where its work may go instead, as it is overridden`() throws {
        let words = try #require(try Self.overview(Self.whole)["fallback"])
        for part in [
            "nightly may fall back from one of main, ptu and router-own to another, to router-shared, billed by a platform, for what would else miss the deadline and to the next model of its chain; ",
            "users may fall back to router-shared, billed by a platform, for what those cannot take; ",
            "own-only does not fall back: main alone may serve it; ",
            "sensitive does not fall back: main alone may serve it, whatever happens; ",
            "audited does not fall back: main alone may serve it, whatever happens; ",
        ] { #expect(words.contains(part), "\(part)\nis not in\n\(words)") }
    }

    @Test func `says what is optimised, with the credit, throughput and rates that count`() throws {
        #expect(
            try Self.overview(Self.whole)["objective"]
                == "nightly, own-only and default: the lowest cost, the prepaid credit of main and the paid-for throughput of ptu first, at the prices agreed for main; users, sensitive and audited: the order of the keys, whatever they cost."
        )
        #expect(
            try Self.overview(
                #"{ keys: { a: { provider: "openai", secret: "none" } }, classes: { x: { posture: "resilience" } } }"#)[
                    "objective"] == "default: the lowest cost; x: the fastest answer, whatever it costs.")
    }

    @Test func `says which work is strict`() throws {
        #expect(
            try Self.overview(Self.whole)["strict"]
                == "sensitive never leaves main, for any reason; audited never leaves main, for any reason; nightly, users, own-only and default may use any key that suits them."
        )
        let open = try Self.overview(#"{ keys: { a: { provider: "openai", secret: "none" } } }"#)
        #expect(open["strict"] == "No class is strict or under governance: each may use any key that suits it.")
        #expect(open["fallback"] == "default does not fall back: a alone may serve it.")
    }

    @Test func `says what stops spending, and where use is seen`() throws {
        let words = try #require(try Self.overview(Self.whole)["usage"])
        #expect(
            words.hasPrefix(
                "nightly spends at most 20.00 US dollars a day, then it parks; audited spends at most 1.00 US dollars a batch, then its jobs fail; users, own-only, sensitive and default have no budget; hard stops: main 40.00 USD a day; `status`"
            ))
    }

    @Test func `a class that only a platform serves says so`() throws {
        let text = """
            { keys: { "shared": { provider: "openrouter", secret: "none", billing: "platform" } },
              classes: { "x": { posture: "fallback" } } }
            """
        let read = try Configuration.parse(text, path: "c").get()
        let sentence = try #require(read.policy(of: "x")).sentence(in: read, at: today)
        #expect(
            sentence.hasPrefix(
                "Sends through shared, billed by a platform, since no key of your own may serve it; "), "\(sentence)")
        #expect(sentence.contains("; so all of it is billed by a platform; "))
        #expect(
            try Self.overview(text)["fallback"]?.hasPrefix("x does not fall back: shared alone may serve it; ") == true)
    }

    @Test(
        arguments: [
            (#"models: ["m"]"#, "", "", 0), ("", "", "", 1), ("", #"keys: { only: ["a"] },"#, "", 0),
            ("", "", "enabled: false,", 0), ("", "", #"provider: "openai","#, 0),
        ] as [(String, String, String, Int)])
    func `keys of different providers that both serve any model are noticed, class by class`(
        _ models: String, _ fields: String, _ more: String, _ count: Int
    ) throws {
        let second = more.contains("provider") ? more : #"provider: "groq", "# + more
        let text = """
            { keys: { "a": { provider: "openai", secret: "none", \(models) },
                      "b": { \(second) secret: { env: "B" } } },
              classes: { "x": { posture: "cost", \(fields) } } }
            """
        let notices = try Configuration.parse(text, path: "c").get().notices.filter { $0.path == "classes.x" }
        #expect(notices.count == count, "\(notices)")
        if count == 1 {
            #expect(
                notices[0].message
                    == "keys \"a\" and \"b\" of different providers both serve any model: a name that only one of them has goes to the other too"
            )
        }
    }
}
