import Synchronization
import Testing

/// Lines in the form of Anthropic's Message Batches, alone and beside the other two forms.
@Suite(.turns) struct MessageBatchTests {
    private static let profile = """
        { seed: 5, latency: "5ms", answer: { tokens: { min: 5, max: 40 } },
          keys: { "test-key-one": { name: "open" }, "test-key-two": { name: "claude" } }, faults: [FAULTS] }
        """

    /// A key at each of two kinds of provider, which are one rehearsed one. Both have the model `m`, the second under another
    /// name and beside one that only it has.
    private func place(
        faults: String = "", classes: String = #""nightly": { posture: "fallback" }"#
    ) async throws -> (Workplace, Provider) {
        let place = try Workplace(environment: ["KEY_OPEN": "test-key-one", "KEY_CLAUDE": "test-key-two"])
        let provider = try await Provider(Self.profile.replacing("FAULTS", with: faults), in: place)
        place.providers.withLock { $0.append(provider) }
        try place.write(
            """
            { providers: { "open": { kind: "openai", base_url: "\(provider.url)" },
                           "claude": { kind: "anthropic", base_url: "\(provider.url)" } },
              keys: {
                "open": { provider: "open", secret: { env: "KEY_OPEN" }, limits: { concurrent: 3 }, models: ["m"],
                          prices: { "m": { input: 0.2, output: 1.6 } } },
                "claude": { provider: "claude", secret: { env: "KEY_CLAUDE" }, limits: { concurrent: 3 },
                            models: { "m": "claude-haiku-4-5", "claude-haiku-4-5": "claude-haiku-4-5" },
                            prices: { "*": { input: 0.3, output: 2 } } },
              },
              classes: { \(classes) } }
            """, to: "offpeak.json5")
        return (place, provider)
    }

    private static func params(_ id: String, model: String = "claude-haiku-4-5", _ members: String = "") -> String {
        #"{"custom_id":"\#(id)","params":\#(body(id, model: model, members))}"# + "\n"
    }

    private static func body(_ id: String, model: String = "claude-haiku-4-5", _ members: String = "") -> String {
        #"{"model":"\#(model)","max_tokens":30,"system":"Be brief.","messages":[{"role":"user","content":"say \#(id)"}]\#(members)}"#
    }

    private func attempts(_ place: Workplace, _ id: String) async throws -> [Document] {
        try await place.run("explain", "b1", id, "--json").document()["attempts"].list
    }

    @Test func `lines of all three forms are answered in their own, counted to the last token`() async throws {
        let (place, provider) = try await place()
        let lines = (1...60).map { number in
            switch number % 4 {
            case 0:
                #"{"custom_id":"p-\#(number)","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"say \#(number)"}]}}"#
                    + "\n"
            case 1: #"{"custom_id":"p-\#(number)","prompt":"say \#(number)","model":"m","max_tokens":30}"# + "\n"
            case 2: Self.params("p-\(number)")
            default: Self.params("p-\(number)", model: "m")
            }
        }
        try place.write(lines.joined(), to: "in.jsonl")
        let plan = try await place.run("plan", "--file", "in.jsonl", "--class", "nightly", "--json")
        #expect(plan.status == 0, "\(plan)")
        #expect(try plan.document()["jobs"].int == 60)
        let planned = try plan.document()["by_key"].list.filter { $0["key"].text == "claude" }
        #expect(planned.reduce(0) { $0 + $1["jobs"].int } >= 30)

        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        let run = try await place.run("run", "--json")
        #expect(run.status == 0, "\(run)")
        let results = try Document.lines(try await place.ok("results", "b1", "--receipts"))
        #expect(results.map { $0["custom_id"].text } == (1...60).map { "p-\($0)" })
        var tokens: [String: (input: Int, output: Int, jobs: Int, cost: Int)] = [:]
        for (index, result) in results.enumerated() {
            let (key, body) = (result["offpeak"]["key"].text, result["response"]["body"])
            #expect(result["response"]["status_code"].int == 200 && result["error"].isNull)
            let used: (input: Int, output: Int)
            if (index + 1) % 4 < 2 {
                #expect(body["object"].text == "chat.completion")
                used = (body["usage"]["prompt_tokens"].int, body["usage"]["completion_tokens"].int)
            } else {
                #expect(key == "claude" && body["type"].text == "message" && body["role"].text == "assistant")
                #expect(body["model"].text == "claude-haiku-4-5" && body["id"].text.hasPrefix("msg_"))
                #expect(!body["content"][0]["text"].text.isEmpty)
                #expect(["end_turn", "max_tokens"].contains(body["stop_reason"].text))
                used = (body["usage"]["input_tokens"].int, body["usage"]["output_tokens"].int)
            }
            let cost = Amounts(result["offpeak"]["cost"]).provider
            let rates = key == "claude" ? (input: 300, output: 2_000) : (input: 200, output: 1_600)
            #expect(cost == used.input * rates.input + used.output * rates.output)
            let sum = tokens[key] ?? (0, 0, 0, 0)
            tokens[key] = (sum.0 + used.input, sum.1 + used.output, sum.2 + 1, sum.3 + cost)
        }
        #expect(tokens.keys.sorted() == ["claude", "open"])
        let ledger = try await provider.ledger()["by_key"]
        let report = try await place.run("report", "--by", "key", "--json").document()["rows"].list
        for (key, sum) in tokens {
            #expect(ledger[key]["input_tokens"].int == sum.input && ledger[key]["output_tokens"].int == sum.output)
            #expect(ledger[key]["requests"].int == sum.jobs && ledger[key]["answers"].int == sum.jobs)
            let row = try #require(report.first { $0["key"].text == key })
            #expect(row["jobs"].int == sum.jobs && Amounts(row["cost"]).provider == sum.cost)
        }

        let told = try await attempts(place, "p-3")
        #expect(told.map { $0["key"].text } == ["claude"])
        #expect(told[0]["passed_over"][0]["key"].text == "open")
        #expect(told[0]["passed_over"][0]["reason"].text == "its provider has nothing like /v1/messages")
    }

    @Test func `where no key speaks Anthropic's format, such lines are parked with the reason`() async throws {
        let (place, provider) = try await place(classes: #""nightly": { posture: "strict", keys: { only: ["open"] } }"#)
        let lines = Self.params("a", model: "m") + #"{"custom_id":"b","prompt":"x","model":"m"}"# + "\n"
        try place.write(lines, to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        #expect(try await place.run("run").status == 3)
        #expect(try await place.answered(isPartial: true) == ["b"])
        let stopped = try await place.status()["stopped"].list
        #expect(stopped.map { $0["code"].text } == ["no_key_for_endpoint"] && stopped[0]["first_line"].int == 1)
        #expect(stopped[0]["hint"].text.contains("`kind: \"anthropic\"`, serve the class, then"), "\(stopped[0])")
        let told = try await place.ok("status")
        #expect(told.contains(" with /v1/messages for the model (line 1)\n        let a key of provider `anthropic`"))
        #expect(try await provider.ledger()["requests"].int == 1)
    }

    @Test func `a model that no key serves is named, with the first line that asks for it`() async throws {
        let (place, _) = try await place(classes: #""nightly": { posture: "strict", keys: { only: ["open"] } }"#)
        let lines = ["m", "other", "third", "other"].enumerated().map { number, model in
            #"{"custom_id":"\#(number)","prompt":"x","model":"\#(model)"}"# + "\n"
        }
        try place.write(lines.joined(), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        #expect(try await place.run("run").status == 3)
        let told = try await place.ok("status")
        #expect(
            told.contains(
                """
                    2 jobs parked: no_key_for_model: no key of the class serves the model other (first on line 2)
                    1 job parked: no_key_for_model: no key of the class serves the model third (line 3)
                        let a key of the class serve the model, then `offpeak retry b1 --parked`

                """), "\(told)")
    }

    @Test
    func `its worst case is what it states, though the price list knows shorter answers, and what has none is parked`()
        async throws
    {
        let (place, provider) = try await place(
            faults: #"{ what: "cut", at: [1] }"#,
            classes: #""nightly": { posture: "strict", keys: { only: ["claude"] }, budget: { usd: 1, per: "day" } }"#)
        let stated = Self.body("a").replacing(#""max_tokens":30"#, with: #""max_tokens":100000"#)
        let search = #","tools":[{"type":"web_search_20250305","name":"web_search"}]"#
        let geo = #","inference_geo":"us""#
        try place.write(
            #"{"custom_id":"a","params":\#(stated)}"# + "\n" + Self.params("b", search) + Self.params("c", geo),
            to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        #expect(try await place.run("run").status == 3)
        let lost = try await attempts(place, "a")[0]
        #expect(lost["cost_is"].text == "assumed")
        let worst = stated.utf8.count * 300 + 100_000 * 2_000
        #expect(Amounts(lost["cost"]) == Amounts(provider: worst, unknown: worst))
        #expect(try await place.answered(isPartial: true) == ["a"])
        let stopped = try await place.status()["stopped"].list
        #expect(stopped.map { $0["code"].text } == ["unbounded_cost", "unbounded_cost"], "\(stopped)")
        #expect(stopped.map { $0["jobs"].int } == [1, 1])
        #expect(try await provider.ledger()["requests"].int == 2)
    }

    @Test(arguments: [
        ("429", "rate_limited", true), ("529", "overloaded", true), ("bad-request", "invalid_request", false),
        ("refusal", "refused", false), ("invalid-json", "invalid_output", true), ("close", "unknown_outcome", true),
    ]) func `trouble with such a line is the same trouble`(
        _ fault: String, _ failureClass: String, _ passes: Bool
    ) async throws {
        let (place, _) = try await place(
            faults: #"{ what: "\#(fault)", key: "claude", at: [1] }"#,
            classes: #""nightly": { posture: "fallback", backoff: { base: "10ms", cap: "20ms" } }"#)
        try place.write(Self.params("a"), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        let run = try await place.run("run", "--for", "30s")
        let attempts = try await attempts(place, "a")
        #expect(attempts[0]["failure_class"].text == failureClass, "\(attempts[0]) \(run)")
        #expect(attempts.allSatisfy { $0["key"].text == "claude" })
        #expect(run.status == (passes ? 0 : 3), "\(run)")
    }
}
