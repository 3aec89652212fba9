import OffpeakCore
import Testing

@testable import OffpeakConfiguration

/// What `check --live` asks of each key.
@Suite struct `Probes` {
    private static func model(of key: String, keys: String, classes: String = "") throws -> String? {
        let text = "{ keys: { \(keys) }, classes: { \(classes) } }"
        let read = try Configuration.parse(text, path: "c.json5").get()
        let found = try #require(read.key(key))
        return read.probe(of: found)?.model
    }

    private static let chain = #"c: { posture: "cost", models: { "gpt-5-mini": ["gpt-5-mini", "claude-haiku-4-5"] } }"#
    private static let both =
        #"o: { provider: "openai", secret: "none" }, a: { provider: "anthropic", secret: "none" },"#
    private static let local = #"l: { provider: "vllm", secret: "none" }"#

    @Test func `a key's own models come first, under the provider's name`() throws {
        let key = #"o: { provider: "openai", secret: "none", models: { "fast": "gpt-5-nano" } }"#
        #expect(try Self.model(of: "o", keys: key, classes: Self.chain) == "gpt-5-nano")
    }

    @Test func `a key that serves any model is asked for the one of a chain that is meant for it`() throws {
        #expect(try Self.model(of: "o", keys: Self.both, classes: Self.chain) == "gpt-5-mini")
        #expect(try Self.model(of: "a", keys: Self.both, classes: Self.chain) == "claude-haiku-4-5")
        // Nobody knows a price of what runs on one's own machine.
        let own = #"c: { posture: "cost", models: { "m": ["m"] } }"#
        #expect(try Self.model(of: "l", keys: Self.local, classes: own) == "m")
    }

    @Test func `a chain of a class that may not use the key says nothing of it`() throws {
        let strict = #"c: { posture: "strict", keys: { only: ["o"] }, models: { "m": ["m"] } }"#
        #expect(try Self.model(of: "l", keys: Self.both + Self.local, classes: strict) == nil)
        #expect(try Self.model(of: "o", keys: Self.both + Self.local, classes: strict) == "m")
    }

    @Test func `without a chain the cheapest of its provider's in the built-in table is asked, if there is one`() throws
    {
        let keys = """
            \(Self.both) \(Self.local), g: { provider: "groq", secret: "none" }, r: { provider: "openrouter", secret: "none", billing: "platform" }
            """
        let expected = [
            "o": "gpt-5-nano", "a": "claude-haiku-5-5", "g": "openai/gpt-oss-20b", "l": nil, "r": nil,
        ]
        for (key, model) in expected { #expect(try Self.model(of: key, keys: keys) == model, "\(key)") }
    }

    @Test func `OpenAI's own models are told the longest answer by the name that all of them take`() throws {
        let read = try Configuration.parse("{ keys: { \(Self.both) } }", path: "c.json5").get()
        func body(_ key: String) throws -> String {
            let found = try #require(read.key(key))
            return String(decoding: try #require(read.probe(of: found)).body, as: UTF8.self)
        }
        #expect(try body("o").contains(#""max_completion_tokens":500"#) && !body("o").contains(#""max_tokens""#))
        #expect(try body("a").contains(#""max_tokens":16"#))
    }
}
