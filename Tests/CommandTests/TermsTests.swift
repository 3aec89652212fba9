import Foundation
import Testing

/// What stops work for lack of money, what lets it go on, and how a user learns of both.
@Suite(.turns) struct TermsTests {
    private static func request(_ id: String, maxTokens: Int?) -> String {
        let limit = maxTokens.map { #""max_tokens":\#($0),"# } ?? ""
        return #"{"custom_id":"\#(id)","method":"POST","url":"/v1/chat/completions","body":{"model":"m",\#(limit)"#
            + #""messages":[{"role":"user","content":"say \#(id)"}]}}"# + "\n"
    }

    private static func key(_ more: String = "") -> String {
        """
        "own": { provider: "rehearsed", secret: { env: "TEST_KEY_ONE" }, limits: { concurrent: 2 },
                 prices: { "m": { input: 1, output: 1 } }, \(more) },
        """
    }

    /// Key `own` costs a dollar per million tokens.
    private static func place(classes: String, key more: String = "") async throws -> (Workplace, Provider) {
        try await Workplace.rehearsed(classes: classes, more: key(more))
    }

    private static func nightly(_ budget: String) -> String {
        #""nightly": { posture: "strict", keys: { only: ["own"] }, budget: { \#(budget) } }"#
    }

    @Test func `a raised budget lets the batch go on by itself, and the same one does not`() async throws {
        let budget = #"usd: 0.0005, per: "batch""#
        let (place, provider) = try await Self.place(classes: Self.nightly(budget))
        try place.write((1...20).map { Self.request("p-\($0)", maxTokens: 60) }.joined(), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        let first = try await place.run("run")
        #expect(first.status == 3, "\(first)")
        let done = try await place.status()["jobs"]["succeeded"].int
        #expect(done > 0 && done < 20)
        let stopped = try await place.status()["stopped"].list
        #expect(stopped.map { $0["code"].text } == ["budget_exhausted"] && stopped[0]["jobs"].int == 20 - done)
        let words = try await place.ok("status")
        #expect(
            words.contains(
                "    \(20 - done) jobs parked: budget_exhausted: the budget of 0.0005 USD per batch of class nightly is used up: "
            )
        )
        #expect(
            words.contains(
                "\n        raise the class's budget: the next `offpeak run` takes them up by itself\n"
            ))

        let same = try await place.run("run")
        #expect(same.status == 3 && !same.err.contains("budgets and quotas have room"), "\(same)")
        #expect(try await place.status()["jobs"]["succeeded"].int == done)

        try place.configure(provider, classes: Self.nightly(#"usd: 1, per: "batch""#), more: Self.key())
        let raised = try await place.run("run")
        #expect(raised.status == 0, "\(raised)")
        #expect(
            raised.err.contains(
                "\(20 - done) jobs that had been parked for lack of money: budgets and quotas have room for them now"))
        #expect(try await place.status()["jobs"]["succeeded"].int == 20)
        #expect(try await provider.ledger()["answers"].int == 20)
    }

    @Test func `a budget that is used up beside a revoked key parks or fails as a budget does, and raising it goes on`()
        async throws
    {
        let second =
            #""spare": { provider: "rehearsed", secret: { env: "TEST_KEY_TWO" }, limits: { concurrent: 2 },"#
            + #" prices: { "m": { input: 1, output: 1 } } },"#
        func classes(_ usd: String, _ then: String) -> String {
            #""nightly": { posture: "resilience", keys: { only: ["own", "spare"] },"#
                + #" budget: { usd: \#(usd), per: "day", then: "\#(then)" } }"#
        }
        for then in ["park", "fail"] {
            let (place, provider) = try await Workplace.rehearsed(
                #"{ keys: { "test-key-one": { name: "one" }, "test-key-two": { name: "two" } }, "#
                    + #"faults: [{ what: "revoked", key: "one", after_requests: 5 }] }"#,
                classes: classes("0.001", then), more: Self.key() + second)
            try place.write((1...40).map { Self.request("p-\($0)", maxTokens: 60) }.joined(), to: "in.jsonl")
            try await place.ok("submit", "in.jsonl", "--class", "nightly")
            #expect(try await place.run("run").status == 3)
            let stopped = try await place.status()["stopped"].list
            #expect(stopped.map { $0["code"].text } == ["budget_exhausted"])
            #expect(stopped.map { $0["state"].text } == [then == "fail" ? "failed" : "parked"])
            try place.configure(provider, classes: classes("1", then), more: Self.key() + second)
            if then == "fail" { try await place.ok("retry", "b1", "--failed") }
            let raised = try await place.run("run")
            #expect(raised.status == 0, "\(raised)")
            #expect(try await place.status()["jobs"]["succeeded"].int == 40)
        }
    }

    @Test func `only the jobs that no budget has room for are parked, and a larger one takes them up`() async throws {
        let (place, provider) = try await Self.place(classes: Self.nightly(#"usd: 0.01, per: "batch""#))
        let large = [3, 7]
        let lines = (1...10).map { Self.request("p-\($0)", maxTokens: large.contains($0) ? 20_000 : 20) }
        try place.write(lines.joined() + Self.request("open", maxTokens: nil), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        #expect(try await place.run("run").status == 3)
        #expect(try await place.answered(isPartial: true) == (1...10).filter { !large.contains($0) }.map { "p-\($0)" })
        let lost = try Document.lines(try await place.ok("results", "b1", "--partial")).filter { !$0["error"].isNull }
        let reasons = lost.map { $0["error"]["message"].text.split(separator: ": ").dropFirst().first }
        #expect(reasons == ["exceeds_budget", "exceeds_budget", "unknown_length"])
        let stopped = try await place.status()["stopped"].list
        #expect(stopped.map { $0["code"].text } == ["exceeds_budget", "unknown_length"])
        #expect(stopped.map { $0["jobs"].int } == [2, 1] && stopped.allSatisfy { !$0["at_least"].bool })
        #expect(
            stopped.map { $0["hint"].text } == [
                "raise the class's budget: the next `offpeak run` takes them up by itself; or submit them again, shorter or with a lower max_tokens",
                "submit them again with max_tokens",
            ])

        try place.configure(provider, classes: Self.nightly(#"usd: 1, per: "batch""#), more: Self.key())
        #expect(try await place.run("run").status == 3)
        #expect(try await place.answered(isPartial: true) == (1...10).map { "p-\($0)" })
        // What leaves its length open fits as soon as nothing needs to know it.
        try place.configure(
            provider, classes: #""nightly": { posture: "strict", keys: { only: ["own"] } }"#, more: Self.key())
        #expect(try await place.run("run").status == 0)
        #expect(try await place.answered().count == 11)
    }

    @Test func `work that is parked for want of a price names the key, and goes on once that is stated`() async throws {
        let (place, provider) = try await Self.place(classes: Self.nightly(#"usd: 1, per: "day""#))
        try place.write(Self.request("known", maxTokens: 20), to: "in.jsonl")
        let other = Self.request("other", maxTokens: 20).replacing(#""model":"m""#, with: #""model":"zz""#)
        try place.write(other, to: "other.jsonl")
        try await place.ok("submit", "other.jsonl", "--class", "nightly")
        #expect(try await place.run("run").status == 3)
        let stopped = try await place.status()["stopped"][0]
        #expect(stopped["code"].text == "unknown_cost" && stopped["jobs"].int == 1)
        #expect(
            stopped["reason"].text
                == "the price of zz on key own is unknown, and without it no budget or quota can be kept")
        #expect(
            stopped["hint"].text
                == "state the price in that key's `prices`, or in the price list: the next `offpeak run` takes them up by itself"
        )
        let key = Self.key().replacing(#""m": {"#, with: #""zz": { input: 1, output: 1 }, "m": {"#)
        try place.configure(provider, classes: Self.nightly(#"usd: 1, per: "day""#), more: key)
        #expect(try await place.run("run").status == 0)
        #expect(try await place.answered() == ["other"])
    }

    private func contents(_ place: Workplace) throws -> String {
        try place.names.filter { $0.hasPrefix("offpeak.db") }.map {
            String(decoding: try Data(contentsOf: URL(filePath: place.file($0))), as: UTF8.self)
        }.joined()
    }

    @Test func `a class that keeps nothing loses its answers when they are safely in a file, and not before`()
        async throws
    {
        let (place, _) = try await Self.place(
            classes: #""nightly": { posture: "strict", keys: { only: ["own"] }, retain: "nothing" }"#)
        try place.write((1...5).map { Self.request("p-\($0)", maxTokens: 20) }.joined(), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        try await place.ok("run")
        #expect(try !contents(place).contains("say p-3"))

        // A pipe, a device, and a file that cannot be written are no delivery.
        let piped = try await place.run("results", "b1")
        #expect(piped.err.contains("nothing is erased: only what `-o FILE` has written counts as delivered"))
        try await place.ok("results", "b1", "-o", "/dev/null")
        #expect(try await place.run("results", "b1", "-o", "none/out.jsonl").status == 1)
        #expect(try await place.ok("results", "b1") == piped.out)
        #expect(try contents(place).contains("chat.completion"))

        let delivered = try await place.run("results", "b1", "-o", "out.jsonl")
        #expect(delivered.status == 0 && delivered.err.contains("the queue keeps only hashes of these answers now"))
        #expect(try place.read("out.jsonl") == piped.out)
        #expect(try !contents(place).contains("chat.completion"))

        let again = try await place.run("results", "b1", "-o", "out.jsonl", "--json")
        #expect(again.status == 1)
        let error = try Document(again.err)["error"]
        #expect(error["code"].text == "erased")
        #expect(
            error["message"].text.hasPrefix(
                "5 of the 5 answers of batch b1 were erased after their delivery to a file at 20"))
        #expect(try place.read("out.jsonl") == piped.out)
        // Money, usage and receipts stay, and so does the rest.
        let status = try await place.status()
        #expect(status["jobs"]["succeeded"].int == 5 && status["usage"]["output_tokens"].int > 0)
        #expect(try await place.ok("results", "b1", "--partial").isEmpty)
        #expect(try await place.ok("explain", "b1", "p-3").contains("succeeded"))
    }

    @Test func `prompts of ended jobs leave the files while the run still waits for a slow answer`() async throws {
        let profile = """
            { seed: 1, latency: "5ms", keys: { "test-key-one": {} }, faults: [{ what: "slow", at: [1], delay: "600s" }] }
            """
        let (place, _) = try await Workplace.rehearsed(
            profile, classes: #""nightly": { posture: "strict", keys: { only: ["own"] }, retain: "results" }"#,
            more: Self.key())
        let ids = (100..<120).map(String.init)
        try place.write(ids.map { Self.request($0, maxTokens: 20) }.joined(), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        let run = try place.start("run")
        try await place.until("all answers but the slow one") { $0["jobs"]["succeeded"].int == 19 }
        try await eventually("one prompt left in the files") {
            let contents = try contents(place)
            return ids.count { contents.contains("say \($0)") } == 1
        }
        #expect(run.isRunning)
        let jobs = try await place.status()["jobs"]
        #expect(jobs["succeeded"].int == 19 && jobs["in_flight"].int == 1)
    }

    @Test func `what a provider said of a failure is nowhere when the class keeps no prompts`() async throws {
        let profile = #"{ seed: 1, latency: "5ms", keys: { "test-key-one": {} }, faults: [{ what: "bad-request" }] }"#
        let said = "A parameter of this request is not supported by this model."
        for (retain, isKept) in [("", true), (#", retain: "results""#, false), (#", retain: "nothing""#, false)] {
            let (place, _) = try await Workplace.rehearsed(
                profile, classes: #""nightly": { posture: "strict", keys: { only: ["own"] }\#(retain) }"#,
                more: Self.key())
            try place.write((1...3).map { Self.request("p-\($0)", maxTokens: 20) }.joined(), to: "in.jsonl")
            try await place.ok("submit", "in.jsonl", "--class", "nightly")
            let run = try await place.run("run")
            #expect(run.status == 3, "\(run)")
            try await place.ok("backup", "copy.db")
            let copy = String(decoding: try Data(contentsOf: URL(filePath: place.file("copy.db"))), as: UTF8.self)
            let explained = try await place.ok("explain", "b1", "p-2")
            let results = try await place.ok("results", "b1")
            for text in [try contents(place), copy, explained, results] {
                #expect(text.contains(said) == isKept)
                #expect(text.contains("the request is not valid (HTTP 400)"), "\(text.suffix(3_000))")
            }
            #expect(!run.err.contains(said) || isKept)
            let errors = try Document.lines(results)
            #expect(errors.map { $0["error"]["code"].text } == Array(repeating: "unsupported_parameter", count: 3))
        }
    }

    @Test func `what a person has to mend is not taken up by itself`() async throws {
        let profile = #"{ seed: 1, latency: "5ms", keys: { "test-key-two": {} } }"#
        let (place, _) = try await Workplace.rehearsed(
            profile, classes: #""nightly": { posture: "strict", keys: { only: ["one"] } }"#)
        try await place.submit(3)
        #expect(try await place.run("run").status == 3)
        #expect(try await place.run("run").status == 3)
        let explained = try await place.run("explain", "b1", "p-1", "--json").document()
        #expect(explained["job"]["state"].text == "parked" && explained["attempts"].list.count <= 1)
    }

    @Test func `traffic that went to two keys of another bill is noticed with both, and with where it came from`()
        async throws
    {
        let (place, _) = try await Workplace.rehearsed(
            #"{ latency: "100ms", keys: { "test-key-one": {} } }"#,
            classes:
                #""nightly": { posture: "fallback", keys: { only: ["first", "second", "shared-a", "shared-b"] } }"#,
            more: ["first", "second", "shared-a", "shared-b"].map { name in
                let terms =
                    name.hasPrefix("shared") ? #"billing: "platform""# : #"quota: { requests: 1, per: "month" }"#
                return
                    #""\#(name)": { provider: "rehearsed", secret: { env: "TEST_KEY_ONE" }, limits: { concurrent: 1 }, \#(terms) }"#
            }.joined(separator: ", "))
        try await place.submit(12)
        try await place.ok("run")
        let rows = try await place.run("report", "--by", "key", "--json").document()
        #expect(rows["rows"].list.map { $0["key"].text } == ["first", "second", "shared-a", "shared-b"])
        let moved = rows["notices"].list.filter { $0["kind"].text == "moved_bill" }
        #expect(moved.count == 1 && moved[0]["class"].text == "nightly")
        let text = moved.first?["message"].text ?? ""
        #expect(text.contains("keys first and second (the provider's bill)"), "\(text)")
        #expect(text.contains("keys shared-a and shared-b (the platform's credits) since 20"), "\(text)")
    }
}
