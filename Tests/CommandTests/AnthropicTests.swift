import Foundation
import Synchronization
import Testing

/// One body in and out, whichever format the provider speaks: chat requests over keys of OpenAI's and of Anthropic's API.
@Suite(.turns) struct AnthropicTests {
    private static let profile = """
        { seed: 3, latency: "5ms", answer: { tokens: { min: 5, max: 40 } },
          keys: { "test-key-one": { name: "open" }, "test-key-two": { name: "claude" } } }
        """

    /// A key at each of two kinds of provider, which are one rehearsed one.
    private func place(
        _ profile: String = profile, claude terms: String = "", classes: String = #""nightly": { posture: "cost" }"#
    ) async throws -> (Workplace, Provider) {
        let place = try Workplace(environment: ["KEY_OPEN": "test-key-one", "KEY_CLAUDE": "test-key-two"])
        let provider = try await Provider(profile, in: place)
        place.providers.withLock { $0.append(provider) }
        try place.write(
            """
            { providers: { "open": { kind: "openai", base_url: "\(provider.url)" },
                           "claude": { kind: "anthropic", base_url: "\(provider.url)" } },
              keys: {
                "open": { provider: "open", secret: { env: "KEY_OPEN" }, limits: { concurrent: 3 },
                          prices: { "m": { input: 0.2, output: 1.6 } } },
                "claude": { provider: "claude", secret: { env: "KEY_CLAUDE" }, limits: { concurrent: 3 },
                            prices: { "*": { input: 0.3, output: 2 } }\(terms) },
              },
              classes: { \(classes) } }
            """, to: "offpeak.json5")
        return (place, provider)
    }

    private static func line(_ id: String, _ members: String, url: String = "/v1/chat/completions") -> String {
        #"{"custom_id":"\#(id)","method":"POST","url":"\#(url)","body":{"model":"m",\#(members)}}"# + "\n"
    }

    private static func hello(_ id: String) -> String {
        #""messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"say \#(id)"}]"#
    }

    private static let schema =
        #""response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{"word":{"type":"string"}},"required":["word"],"additionalProperties":false}}}"#

    private func attempts(_ place: Workplace, _ id: String) async throws -> [Document] {
        try await place.run("explain", "b1", id, "--json").document()["attempts"].list
    }

    @Test func `a batch over keys of both formats comes back as chat completions, counted to the last token`()
        async throws
    {
        let (place, provider) = try await place(classes: #""nightly": { posture: "fallback" }"#)
        let lines = (1...60).map { number in
            let members =
                Self.hello("\(number)") + [#","max_tokens":30"#, #","temperature":0"#, "," + Self.schema][number % 3]
            return Self.line("p-\(number)", members)
        }
        try place.write(lines.joined(), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        let run = try await place.run("run", "--json")
        #expect(run.status == 0, "\(run)")
        let results = try Document.lines(try await place.ok("results", "b1", "--receipts"))
        #expect(results.map { $0["custom_id"].text } == (1...60).map { "p-\($0)" })
        var tokens: [String: (input: Int, output: Int, jobs: Int)] = [:]
        for (index, result) in results.enumerated() {
            let body = result["response"]["body"]
            #expect(body["object"].text == "chat.completion" && body["model"].text == "m")
            let choice = body["choices"][0]
            #expect(["stop", "length"].contains(choice["finish_reason"].text))
            #expect(choice["message"]["role"].text == "assistant" && !choice["message"]["content"].text.isEmpty)
            if (index + 1) % 3 == 2 { _ = try Document(choice["message"]["content"].text + "\n")["word"].text }
            let usage = body["usage"]
            #expect(usage["total_tokens"].int == usage["prompt_tokens"].int + usage["completion_tokens"].int)
            let key = result["offpeak"]["key"].text
            #expect(body["id"].text.hasPrefix(key == "claude" ? "msg_" : "chatcmpl-"))
            let sum = tokens[key] ?? (0, 0, 0)
            tokens[key] = (sum.0 + usage["prompt_tokens"].int, sum.1 + usage["completion_tokens"].int, sum.2 + 1)
        }
        let ledger = try await provider.ledger()["by_key"]
        #expect(tokens.keys.sorted() == ["claude", "open"])
        for (key, sum) in tokens {
            #expect(ledger[key]["input_tokens"].int == sum.input && ledger[key]["output_tokens"].int == sum.output)
            #expect(ledger[key]["requests"].int == sum.jobs && ledger[key]["answers"].int == sum.jobs)
        }
        func cost(_ key: String, _ input: Int, _ output: Int) -> Int {
            ledger[key]["input_tokens"].int * input + ledger[key]["output_tokens"].int * output
        }
        let expected = Amounts(provider: cost("open", 200, 1_600) + cost("claude", 300, 2_000))
        #expect(Amounts(try run.document()["cost"]) == expected)
        #expect(Amounts(try await place.status()["cost"]) == expected)
        let output = try await place.run("results", "b1", "--receipts")
        #expect(!output.out.contains("test-key-two"))
        #expect(try await !place.ok("explain", "b1", "p-1").contains("test-key-two"))
    }

    @Test func `what a rejected key leaves goes to one of the other format, under the model's name there`() async throws
    {
        let (place, provider) = try await place(
            #"{ seed: 3, latency: "5ms", keys: { "test-key-two": { name: "claude" } } }"#,
            claude: #", models: { "m": "claude-haiku-4-5" }"#,
            classes: #""nightly": { posture: "fallback", keys: { order: ["open", "claude"] } }"#)
        try place.write((1...9).map { Self.line("p-\($0)", Self.hello("\($0)")) }.joined(), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        let run = try await place.run("run")
        #expect(run.status == 0, "\(run)")
        let results = try Document.lines(try await place.ok("results", "b1", "--receipts"))
        #expect(results.count == 9)
        for result in results {
            #expect(result["offpeak"]["key"].text == "claude" && result["offpeak"]["model"].text == "claude-haiku-4-5")
            #expect(result["response"]["body"]["object"].text == "chat.completion")
        }
        let first = try await attempts(place, "p-1")
        #expect(first.map { $0["key"].text } == ["open", "claude"])
        #expect(first[0]["failure_class"].text == "key_rejected" && first[0]["disposition"].text == "next-key")
        #expect(try await provider.ledger()["by_key"]["claude"]["answers"].int == 9)
    }

    @Test func `a line that only one format can express goes there, and explain says why`() async throws {
        let (place, provider) = try await place(
            classes: #""nightly": { posture: "cost", objective: "order", keys: { order: ["claude", "open"] } }"#)
        try place.write(
            Self.line("chat", Self.hello("a")) + Self.line("two", Self.hello("b") + #","n":2"#)
                + Self.line("vector", #""input":"c""#, url: "/v1/embeddings")
                + Self.line("object", Self.hello("d") + #","response_format":{"type":"json_object"}"#), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        let run = try await place.run("run")
        #expect(run.status == 0, "\(run)")
        #expect(try await attempts(place, "chat").map { $0["key"].text } == ["claude"])
        let vector = try await attempts(place, "vector")
        #expect(vector.map { $0["key"].text } == ["open"])
        #expect(vector[0]["passed_over"][0]["key"].text == "claude")
        #expect(vector[0]["passed_over"][0]["reason"].text == "its provider has nothing like /v1/embeddings")
        for (id, says) in [
            ("two", "one answer a request, and `n` asks for more"), ("object", "json_object; it takes json_schema"),
        ] {
            let attempts = try await attempts(place, id)
            #expect(attempts.map { $0["key"].text } == ["claude", "open"])
            #expect(attempts[0]["code"].text == "not_expressible" && attempts[0]["disposition"].text == "next-key")
            #expect(attempts[0]["message"].text.hasPrefix("not sent: ") && attempts[0]["message"].text.hasSuffix(says))
            #expect(Amounts(attempts[0]["cost"]) == Amounts() && attempts[0]["status_code"].int == 0)
        }
        let ledger = try await provider.ledger()
        #expect(ledger["by_key"]["claude"]["requests"].int == 1, "what cannot be expressed was never sent")
        #expect(ledger["by_key"]["open"]["requests"].int == 3)
    }

    @Test func `where no key can express a line, it is parked with the reason, and the others are answered`()
        async throws
    {
        let (place, provider) = try await place(
            classes: #""nightly": { posture: "strict", keys: { only: ["claude"] } }"#)
        try place.write(
            Self.line("two", Self.hello("b") + #","n":2"#) + Self.line("chat", Self.hello("a"))
                + Self.line("vector", #""input":"c""#, url: "/v1/embeddings"), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        #expect(try await place.run("run").status == 3)
        #expect(try await place.answered(isPartial: true) == ["chat"])
        let reasons = try await place.status()["stopped"].list
        #expect(reasons.map { $0["code"].text }.sorted() == ["no_key_for_endpoint", "not_expressible"])
        let hints = reasons.map { $0["hint"].text }.joined(separator: "\n")
        #expect(hints.contains("let a key whose provider can express them serve the class"), "\(hints)")
        #expect(reasons.allSatisfy { $0["state"].text == "parked" && $0["failure_class"].text == "model_unavailable" })
        #expect(try await provider.ledger()["requests"].int == 1)
    }

    @Test func `no longer answer is asked for than the worst case has`() async throws {
        // A lost answer counts its worst case: as many input tokens as the body has bytes, and the longest answer asked for.
        let (place, _) = try await place(
            #"{ seed: 3, latency: "5ms", keys: { "test-key-two": { name: "claude" } }, faults: [{ what: "cut", at: [1] }] }"#,
            classes: #""nightly": { posture: "strict", keys: { only: ["claude"] }, budget: { usd: 1, per: "day" } }"#)
        let body = #"{"model":"m",\#(Self.hello("a"))}"#
        try place.write(Self.line("a", Self.hello("a")), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        #expect(try await place.run("run").status == 0)
        let lost = try await attempts(place, "a")[0]
        #expect(lost["cost_is"].text == "assumed")
        let worst = body.utf8.count * 300 + 4_096 * 2_000
        #expect(Amounts(lost["cost"]) == Amounts(provider: worst, unknown: worst))
    }

    @Test(arguments: [
        ("429", "rate_limited"), ("500", "unavailable"), ("502-html", "unavailable"), ("503", "overloaded"),
        ("529", "overloaded"), ("quota", "quota_exhausted"), ("revoked", "key_rejected"),
        ("bad-request", "invalid_request"), ("refusal", "refused"), ("invalid-json", "invalid_output"),
        ("error-in-200", "unavailable"), ("cut", "unknown_outcome"), ("close", "unknown_outcome"),
    ]) func `trouble in Anthropic's words is the same trouble`(_ fault: String, _ failureClass: String) async throws {
        let (place, _) = try await place(
            #"{ seed: 3, latency: "5ms", keys: { "test-key-one": { name: "open" }, "test-key-two": { name: "claude" } }, faults: [{ what: "\#(fault)", key: "claude", at: [1] }] }"#,
            classes:
                #""nightly": { posture: "fallback", keys: { order: ["claude", "open"] }, backoff: { base: "10ms", cap: "20ms" } }"#
        )
        try place.write(Self.line("a", Self.hello("a")), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        let run = try await place.run("run", "--for", "30s")
        let first = try await attempts(place, "a")[0]
        #expect(first["key"].text == "claude")
        #expect(first["failure_class"].text == failureClass, "\(first) \(run)")
        let fails = failureClass == "refused" || failureClass == "invalid_request"
        #expect(run.status == (fails ? 3 : 0), "\(run)")
    }

    @Test(arguments: [true, false]) func `its limits are kept and learned from its own headers`(
        _ namesWait: Bool
    ) async throws {
        let (place, provider) = try await place(
            #"{ seed: 3, latency: "5ms", keys: { "test-key-two": { name: "claude", rpm: 5, window: "2s", retry_after: \#(namesWait) } } }"#,
            classes: #""nightly": { posture: "strict", keys: { only: ["claude"] } }"#)
        try place.write((1...20).map { Self.line("p-\($0)", Self.hello("\($0)")) }.joined(), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        #expect(try await place.run("run").status == 0)
        let claude = try await provider.ledger()["by_key"]["claude"]
        #expect(claude["answers"].int == 20 && claude["peak_in_window"].int <= 5)
    }
}
