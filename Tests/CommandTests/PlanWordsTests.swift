import Foundation
import Testing

/// What a forecast says of its own figures: what is guessed, what has no price, what stays parked and why.
@Suite(.turns) struct PlanWordsTests {
    /// Keys with and without a price; nothing listens there.
    private static let configuration = """
        { providers: { "far": { kind: "openai", base_url: "http://127.0.0.1:9/v1" } },
          keys: {
            "own": { provider: "far", secret: "none", limits: { rpm: 600, concurrent: 50 }, lanes: ["flex", "sync"],
                     prices: { "m": { input: 1, output: 4, flex: 0.5 } } },
            "two": { provider: "far", secret: "none", limits: { rpm: 600, concurrent: 50 },
                     prices: { "m": { input: 1, output: 4 } } },
            "bare": { provider: "far", secret: "none", limits: { rpm: 600, concurrent: 50 } },
            "dry": { provider: "far", secret: "none", quota: { requests: 10, per: "day" }, prices: "free" },
            "shared": { provider: "far", secret: "none", billing: "platform", prices: { "m": { input: 3, output: 12 } } },
          },
          classes: {
            "plain": { posture: "strict", keys: { only: ["own", "two"] } },
            "other": { posture: "strict", keys: { only: ["own", "two"] } },
            "unpriced": { posture: "strict", keys: { only: ["bare"] } },
            "half": { posture: "fallback", keys: { only: ["own", "bare"] } },
            "slow": { posture: "strict", keys: { only: ["dry"] } },
            "hurried": { posture: "cost", keys: { only: ["own"] }, deadline: "10m" },
            "poor": { posture: "fallback", keys: { only: ["own"] }, budget: { usd: 0.1, per: "batch" } },
          } }
        """

    /// Bodies that allow answers of 50 tokens; `more` is put into each.
    private static func lines(_ count: Int, class name: String? = nil, from first: Int = 1, _ more: String = "")
        -> String
    {
        (first..<(first + count)).map { number in
            let own = name.map { #","class":"\#($0)""# } ?? ""
            return #"{"custom_id":"p-\#(number)"\#(own),"method":"POST","url":"/v1/chat/completions","body":"#
                + #"{"model":"m",\#(more)"messages":[{"role":"user","content":"say \#(1000 + number)"}]}}"# + "\n"
        }.joined()
    }

    private static let short = #""max_tokens":50,"#

    private static func place(_ lines: String) throws -> Workplace {
        let place = try Workplace()
        try place.write(configuration, to: "offpeak.json5")
        try place.write(lines, to: "in.jsonl")
        return place
    }

    private static func document(_ place: Workplace, _ arguments: String...) async throws -> Document {
        try Document(try await place.run(["plan"] + arguments + ["--json"]).out)
    }

    private static func times(_ part: String, in text: String) -> Int { text.ranges(of: part).count }

    // MARK: Prices

    @Test func `a model that searches by itself is told of, since its searches are in no sum`() async throws {
        let place = try Self.place(Self.lines(10, Self.short).replacing(#""model":"m""#, with: #""model":"sonar""#))
        try place.write(
            Self.configuration.replacing(
                #""bare": { "#, with: #""bare": { prices: { "*": { input: 1, output: 4 } }, "#),
            to: "offpeak.json5")
        let plan = try await place.ok("plan", "--file", "in.jsonl", "--class", "unpriced")
        #expect(
            plan.contains("\n- what sonar searches by itself is charged besides, and is in no sum of money\n"),
            "\(plan)")
        let ordinary = try Self.place(Self.lines(10, Self.short))
        #expect(!(try await ordinary.ok("plan", "--file", "in.jsonl", "--class", "plain")).contains("searches"))
    }

    @Test func `what has no price says so at the top, in the tables and in the document`() async throws {
        let place = try Self.place(Self.lines(100, Self.short))
        let all = try await place.ok("plan", "--file", "in.jsonl", "--class", "unpriced")
        #expect(all.contains("\ncost: unknown: no price is known for any of the 100 jobs\n"), "\(all)")
        #expect(all.contains(#/\nbare +sync +the provider's bill +100 .* unknown +0\.00\n/#), "\(all)")
        #expect(
            all.contains(
                #/\n- no price is known of m on key bare: \d+ tokens are in no sum of money; `prices` of the key can state it\n/#
            ), "\(all)")
        let none = try await Self.document(place, "--file", "in.jsonl", "--class", "unpriced")
        #expect(none["unpriced_jobs"].int == 100 && none["by_key"][0]["unpriced_jobs"].int == 100)

        let some = try await Self.document(place, "--file", "in.jsonl", "--class", "half")
        let jobs = some["unpriced_jobs"].int
        #expect(1...99 ~= jobs && some["by_key"].list.map { $0["unpriced_jobs"].int }.sorted() == [0, jobs])
        let text = try await place.ok("plan", "--file", "in.jsonl", "--class", "half")
        #expect(
            text.contains(", platform 0.00 USD, and the unknown price of \(jobs) of 100 jobs (guessed)\n"), "\(text)")
        #expect(text.contains(#/\nas planned .* > 0\.\d+ +0\.00\n/#), "\(text)")

        let priced = try await Self.document(place, "--file", "in.jsonl", "--class", "plain")
        #expect(priced["unpriced_jobs"].int == 0 && priced["by_key"][0]["unpriced_jobs"].int == 0)
    }

    @Test func `a cost that nobody foresaw is compared with nothing, and seconds are whole ones to the nearest`()
        async throws
    {
        let (place, _) = try await Workplace.rehearsed()
        try await place.submit(3)
        _ = try await Self.document(place, "b1")
        try await place.ok("run")
        let found = try Document(try await place.ok("report", "--json"))["forecasts"][0]
        #expect(found["actual"]["answers"].int == 3 && found["off"]["cost_percent"].isNull)
        let text = try await place.ok("report")
        let row = try #require(text.split(separator: "\n").first { $0.hasPrefix("b1 ") && $0.contains("0.00") })
        #expect(row.hasSuffix(" -"), "\(text)")

        // What was foreseen, so much before what came.
        let sql = "SELECT max(last_recorded) FROM spend"
        func edit(_ statement: String) async throws -> String {
            let child = try Child(
                "sqlite3", ["offpeak.db", statement], in: place.path, environment: ["PATH": "/usr/bin:/bin"])
            let status = await child.wait()
            #expect(status == 0, "\(statement)")
            return await child.out.whole().trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let last = try #require(Int(try await edit(sql)))
        for (late, seconds) in [(1_700, 2), (1_400, 1), (499, 0), (-499, 0), (-500, -1), (-2_600, -3)] {
            _ = try await edit("UPDATE forecast SET finish = \(last - late)")
            let off = try Document(try await place.ok("report", "--json"))["forecasts"][0]["off"]
            #expect(off["finish_seconds"].int == seconds, "\(late) ms")
        }
    }

    // MARK: Guesses

    @Test func `verdicts that rest on no answer of the past say so where they stand, and no others`() async throws {
        let place = try Self.place(Self.lines(30, Self.short))
        let text = try await place.ok("plan", "--file", "in.jsonl", "--class", "hurried")
        #expect(text.contains(#/\ndone: .* from now \(guessed\)\n/#), "\(text)")
        #expect(text.contains(#/\ncost: .* USD \(guessed\)\n/#), "\(text)")
        #expect(text.contains(#/\ndeadline: .*: holds, .* to spare, if answers are as assumed below\n/#), "\(text)")
        let poor = try await place.ok("plan", "--file", "in.jsonl", "--class", "poor")
        #expect(poor.contains("\nbudget: holds, if answers are as assumed below\n"), "\(poor)")
        #expect(try await Self.document(place, "--file", "in.jsonl", "--class", "poor")["guessed_jobs"].int == 30)

        let (past, _) = try await Workplace.rehearsed(
            classes: #""nightly": { posture: "cost", deadline: "1h" }, "fresh": { posture: "cost" }"#)
        try await past.submit(30)
        try await past.ok("run")
        let known = try await past.ok("plan", "--file", "in.jsonl", "--class", "nightly", "--model", "m")
        #expect(
            !known.contains("guessed") && !known.contains("as assumed below") && known.contains("to spare\n"),
            "\(known)")
        let mixed = Workplace.prompts(30) + Self.lines(10, class: "fresh", from: 31)
        try past.write(mixed, to: "mixed.jsonl")
        let arguments = ["--file", "mixed.jsonl", "--class", "nightly", "--model", "m"]
        let part = try await past.run(["plan"] + arguments)
        #expect(part.out.contains(" from now (partly guessed)\n"), "\(part)")
        let document = try Document(try await past.run(["plan"] + arguments + ["--json"]).out)
        #expect(document["guessed_jobs"].int == 10 && document["jobs"].int == 40)
    }

    // MARK: Said once

    @Test func `what is alike for several keys and classes is told in one sentence, with each name once`() async throws
    {
        let place = try Self.place(
            Self.lines(20, class: "plain", Self.short) + Self.lines(20, class: "other", from: 21, Self.short))
        // Few requests at once, so that both keys are needed.
        try place.write(Self.configuration.replacing("concurrent: 50", with: "concurrent: 4"), to: "offpeak.json5")
        let told = try await Self.document(place, "--file", "in.jsonl")["assumptions"].list.map(\.text)
        let answers = told.filter { $0.contains("no answers to learn from yet") }
        #expect(answers.count == 1 && answers[0].contains(", model m, on keys own and two: no answers"), "\(told)")
        #expect(answers[0].hasPrefix("classes plain and other,"), "\(told)")
        #expect(told.contains("prices are from: keys.own.prices for m; keys.two.prices for m"), "\(told)")
        #expect(
            told.contains("classes plain and other are strict: no alternative takes them off their own keys"), "\(told)"
        )
    }

    @Test func `a wait that comes back day by day is one line, and every one is in the document`() async throws {
        let place = try Self.place(Self.lines(95, Self.short))
        let text = try await place.ok("plan", "--file", "in.jsonl", "--class", "slow")
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("deferred:") }
        #expect(lines.count == 1, "\(text)")
        let pattern =
            #/deferred: 85 jobs until .*, and so on 9 times, the last 5 until .*: key dry: its quota of 10 requests a day is used up/#
        #expect(lines.first?.wholeMatch(of: pattern) != nil, "\(text)")
        let plan = try await Self.document(place, "--file", "in.jsonl", "--class", "slow")
        #expect(plan["deferred"].list.map { $0["jobs"].int } == [85, 75, 65, 55, 45, 35, 25, 15, 5])
    }

    @Test func `waits and stops whose reasons differ in their amounts alone are one line each`() async throws {
        let place = try Self.place((1...40).map { Self.lines(1, from: $0, #""max_tokens":\#(100 + $0),"#) }.joined())
        func configure(_ budget: String) throws {
            try place.write(
                Self.configuration.replacing(
                    #""poor": { posture: "fallback", keys: { only: ["own"] }, budget: { usd: 0.1, per: "batch" } }"#,
                    with: #""poor": { posture: "fallback", keys: { only: ["own"] }, budget: { \#(budget) } }"#),
                to: "offpeak.json5")
        }
        try configure(#"usd: 0.005, per: "day", then: "defer""#)
        let text = try await place.ok("plan", "--file", "in.jsonl", "--class", "poor")
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("deferred:") }
        #expect(lines.count == 1 && lines[0].contains("the budget of 0.005 USD per day of class poor"), "\(text)")
        let waits = try await Self.document(place, "--file", "in.jsonl", "--class", "poor")["deferred"].list
        #expect(waits.count > 1 && Set(waits.map { $0["until"].text }).count == waits.count, "\(waits)")
        // Each is too dear by itself, by an amount of its own.
        try configure(#"usd: 0.0001, per: "day", then: "park""#)
        let stopped = try await place.ok("plan", "--file", "in.jsonl", "--class", "poor")
        #expect(
            stopped.contains(
                #/\nparked: 40 jobs: this job alone may cost up to .* \(the first; the others' amounts differ\)\n/#),
            "\(stopped)")
    }

    @Test func `what waits longer than a plan looks ahead is told with the wait that it goes on with`() async throws {
        let place = try Self.place(Self.lines(4_000, Self.short))
        let text = try await place.ok("plan", "--file", "in.jsonl", "--class", "slow")
        #expect(text.contains(", and so on more than 200 times: key dry: its quota"), "\(text)")
        #expect(text.contains(#/\nwaiting for ever: 3\d\d jobs: for the same reason\n/#), "\(text)")
        #expect(Self.times("its quota of 10 requests a day is used up", in: text) == 1, "\(text)")
    }

    @Test func `a class that is not configured any more is told once`() async throws {
        let place = try Self.place(Self.lines(5, Self.short))
        try await place.ok("submit", "in.jsonl", "--class", "other")
        try place.write(Self.configuration.replacing(#""other":"#, with: #""gone":"#), to: "offpeak.json5")
        let text = try await place.ok("plan", "b1")
        #expect(text.contains("\nwaiting for ever: 5 jobs: class other is not in the configuration\n"), "\(text)")
        #expect(Self.times("not in the configuration", in: text) == 1, "\(text)")
    }

    // MARK: Parked jobs

    @Test func `what stays parked is told with what keeps it there, once`() async throws {
        let place = try Self.place(
            Self.lines(2, #""tools":[{"type":"web_search"}],"max_tokens":50,"#) + Self.lines(3, from: 3)
                + Self.lines(1, from: 6, #""max_tokens":90000,"#))
        try await place.ok("submit", "in.jsonl", "--class", "poor")
        #expect(try await place.run("run", "--no-wait").status == 3)
        let text = try await place.ok("plan", "b1")
        #expect(text.hasPrefix("nothing waits; 6 parked jobs are not forecast"))
        for (jobs, code, stays, reason) in [
            (2, "unbounded_cost", "stay", "the request uses something that is charged beside its tokens"),
            (3, "unknown_length", "stay", "the most that the answer can take is unknown: set max_tokens"),
            (1, "exceeds_budget", "stays", "this job alone may cost up to 0.36"),
        ] {
            let line =
                "\n- \(jobs) parked job\(jobs == 1 ? "" : "s") of b1 (\(code)) \(stays) parked, in none of these figures: "
            #expect(text.contains(line + reason), "\(text)")
        }
        #expect(!text.contains("no money"))
        // A second batch is going to be parked for what has parked a part of the first.
        try await place.ok("submit", "in.jsonl", "--class", "poor")
        let both = try await place.ok("plan", "b1", "b2")
        #expect(both.contains("\nparked: 3 jobs: the most that the answer can take is unknown"), "\(both)")
        #expect(Self.times("the most that the answer can take is unknown", in: both) == 1, "\(both)")
        #expect(
            both.contains(
                "\n- 3 parked jobs of b1 (unknown_length) stay parked, in none of these figures, for the same reason as those "
                    + "that are parked here\n"), "\(both)")
    }

    @Test func `a larger budget has its parked jobs in every figure, and another batch's compete`() async throws {
        let (place, _) = try await Workplace.rehearsed(
            #"{ seed: 1, latency: "5ms", answer: { tokens: { min: 20, max: 30 } }, keys: { "test-key-one": {} } }"#,
            limits: #"concurrent: 2 }, prices: { "m": { input: 1, output: 4 } "#,
            classes: #""nightly": { posture: "cost", budget: { usd: 0.004, per: "day", then: "park" } }"#)
        try place.write(Self.lines(40, Self.short), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        #expect(try await place.run("run").status == 3)
        let parked = try await [place.status()["jobs"]["parked"].int, place.status(of: "b2")["jobs"]["parked"].int]
        #expect(parked.reduce(0, +) > 20)
        let poor = try await Self.document(place, "b1", "b2")
        #expect(poor["jobs"].int == 0 && poor["cost"]["provider_usd"].text == "0.00")

        let raised = try place.read("offpeak.json5").replacing("usd: 0.004", with: "usd: 4")
        try place.write(raised, to: "offpeak.json5")
        let plan = try await Self.document(place, "b2")
        #expect(plan["jobs"].int == parked[1] && plan["budget_held"].bool && plan["by_key"][0]["jobs"].int == parked[1])
        let told = plan["assumptions"].list.map(\.text)
        #expect(
            told.contains {
                $0.hasPrefix("\(parked[1]) parked jobs of b2 (budget_exhausted) go on with the next run, and ")
            })
        if parked[0] > 0 {
            #expect(told.contains { $0.hasPrefix("\(parked[0]) jobs of b1 are worked at the same time") })
        }
        try await place.ok("run")
        // As many answers as were foreseen, at about the cost.
        let found = try Document(try await place.ok("report", "--by", "batch", "--json"))["forecasts"].list
        let second = try #require(found.first { $0["batch"].text == "b2" })
        #expect(second["answers"].int == parked[1] && second["actual"]["answers"].int == parked[1])
        let off = try #require(Double(second["off"]["cost_percent"].text))
        #expect(abs(off) < 15, "\(off) % off")
    }

    // MARK: Flex

    @Test func `where a deadline leaves no time for flex, plan says why sync serves and what would change that`()
        async throws
    {
        let place = try Self.place(Self.lines(50, Self.short))
        let arguments = ["--file", "in.jsonl", "--class", "hurried"]
        let reason =
            "class hurried: lane sync serves, not flex: an answer there may take 15m, and after that lane sync could not do "
            + "all by the deadline; with a shorter `timeout`, flex may be used"
        let slow = try Document(try await place.run(["plan"] + arguments + ["--json"]).out)
        #expect(slow["by_key"].list.map { $0["lane"].text } == ["sync"])
        #expect(slow["assumptions"].list.contains { $0.text == reason }, "\(slow)")
        try place.write(
            Self.configuration.replacing(#"deadline: "10m""#, with: #"deadline: "10m", timeout: "2m""#),
            to: "offpeak.json5"
        )
        let quick = try Document(try await place.run(["plan"] + arguments + ["--json"]).out)
        #expect(quick["by_key"].list.map { $0["lane"].text } == ["flex"])
        #expect(!quick["assumptions"].list.contains { $0.text.contains("lane sync serves") }, "\(quick)")
    }
}
