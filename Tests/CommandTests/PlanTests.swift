import Foundation
import Testing

/// What a batch will cost, before anything is sent: the real program, with rehearsed providers where something runs.
@Suite(.turns) struct PlanTests {
    private static let cost = Shape.object(["provider_usd": .text, "platform_usd": .text])
    /// The document that the contract promises.
    private static let contract = Shape.object([
        "jobs": .int, "finish": .orNull(.time), "deadline": .orNull(.time), "deadline_met": .orNull(.bool),
        "budget_held": .bool, "cost": cost,
        "by_key": .list(
            .object(["key": .text, "lane": .oneOf(["sync", "flex", "batch"]), "jobs": .int, "cost": cost])),
        "deferred": .list(.object(["jobs": .int, "until": .time, "reason": .text])),
        "spill": .object(["jobs": .int, "cost": cost]),
        "alternatives": .list(.object(["name": .text, "finish": .orNull(.time), "cost": cost])),
        "assumptions": .list(.text),
        "batches": .list(
            .object(["jobs": .int, "finish": .orNull(.time), "deadline_met": .orNull(.bool), "cost": cost])),
    ])

    /// A cheap key of one's own, a router's and shared capacity; nothing listens there.
    private static let configuration = """
        { timezone: "Europe/Berlin",
          providers: { "far": { kind: "openai", base_url: "http://127.0.0.1:9/v1" } },
          keys: {
            "own": { provider: "far", secret: "none", limits: { rpm: 600, concurrent: 50 }, lanes: ["batch", "sync"],
                     prices: { "m": { input: 1, output: 4, batch: 0.5 } } },
            "router": { provider: "far", secret: "none", limits: { rpm: 600, concurrent: 50 }, billing: "router-byok",
                        fee: { percent: 5 }, prices: { "m": { input: 2, output: 8 } } },
            "shared": { provider: "far", secret: "none", limits: { rpm: 600, concurrent: 50 }, billing: "platform",
                        prices: { "m": { input: 3, output: 12 } } },
          },
          classes: {
            "nightly": { posture: "cost" },
            "hurried": { posture: "cost", deadline: "3m" },
            "sensitive": { posture: "strict", keys: { only: ["own"] } },
            "poor": { posture: "cost", keys: { only: ["own"] }, budget: { usd: 0.1, per: "batch" } },
          } }
        """

    /// Bodies of 100 bytes with answers of 50 tokens at most.
    private static func lines(_ count: Int) -> String {
        (1...count).map { number in
            let head = #"{"model":"m","max_tokens":50,"messages":[{"role":"user","content":""#
            let tail = #""}]}"#
            let filler = String(repeating: "x", count: 100 - head.utf8.count - tail.utf8.count)
            return #"{"custom_id":"p-\#(number)","method":"POST","url":"/v1/chat/completions","body":"#
                + head + filler + tail + "}\n"
        }.joined()
    }

    private static func place(_ count: Int) throws -> Workplace {
        let place = try Workplace()
        try place.write(configuration, to: "offpeak.json5")
        try place.write(lines(count), to: "in.jsonl")
        return place
    }

    private static func plan(_ place: Workplace, _ arguments: String...) async throws -> Document {
        let outcome = try await place.run(["plan"] + arguments + ["--json"])
        #expect(outcome.status == 0, "\(outcome)")
        let document = try outcome.document()
        expect(document, is: contract)
        return document
    }

    private static func names(_ document: Document) -> [String] {
        document["alternatives"].list.map { $0["name"].text }
    }

    // MARK: A file

    @Test func `a file is forecast without a queue, and nothing is left behind`() async throws {
        let place = try Self.place(1_000)
        let before = place.names
        let plan = try await Self.plan(place, "--file", "in.jsonl", "--class", "sensitive")
        #expect(place.names == before)
        #expect(plan["jobs"].int == 1_000 && plan["budget_held"].bool && plan["deadline"].isNull)
        // 100 bytes are 26 tokens; without a past, answers are as long as they may be: 26 + 4 · 50 millionths of a dollar.
        #expect(plan["cost"]["provider_usd"].text == "0.226" && plan["cost"]["platform_usd"].text == "0.00")
        #expect(plan["by_key"].list.map { $0["key"].text } == ["own"] && plan["by_key"][0]["jobs"].int == 1_000)
        #expect(plan["batches"][0]["batch"].isNull && plan["batches"][0]["name"].text == "in.jsonl")
        #expect(plan["assumptions"].list.contains { $0.text.contains("no answers to learn from yet") })
        #expect(plan["assumptions"].list.contains { $0.text.contains("keys.own.prices") })
    }

    @Test func `600 requests a minute are a thousand jobs in a little over a minute`() async throws {
        let place = try Self.place(1_000)
        let plan = try await Self.plan(place, "--file", "in.jsonl", "--class", "sensitive")
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        func date(_ name: String) throws -> Date {
            let text = plan[name].text
            return try text.contains(".") ? Date(text, strategy: format) : Date(text, strategy: .iso8601)
        }
        let length = try date("finish").timeIntervalSince(try date("made_at"))
        #expect(60...75 ~= length, "\(length) s")
    }

    @Test func `alternatives stand beside the plan, with their cost`() async throws {
        let place = try Self.place(1_000)
        let plan = try await Self.plan(place, "--file", "in.jsonl", "--class", "nightly")
        #expect(Self.names(plan) == ["all on the platform", "own keys through the platform", "batch lane"])
        let costs = plan["alternatives"].list.map {
            [$0["cost"]["provider_usd"].text, $0["cost"]["platform_usd"].text]
        }
        // Thrice the price; twice the price with 5 % of it besides; half the price.
        #expect(costs == [["0.00", "0.678"], ["0.452", "0.0226"], ["0.113", "0.00"]])
        #expect(plan["spill"]["jobs"].int == 0)
    }

    @Test func `a deadline makes dear keys serve a part, and the alternatives say what it is worth`() async throws {
        let place = try Self.place(4_000)
        let plan = try await Self.plan(place, "--file", "in.jsonl", "--class", "hurried")
        let spilled = plan["spill"]["jobs"].int
        #expect(1_500...2_800 ~= spilled, "own takes 1,800 in 3 min; \(spilled) spill")
        #expect(plan["by_key"].list.reduce(0) { $0 + $1["jobs"].int } == 4_000)
        let calm = plan["alternatives"].list.first { $0["name"].text == "no spill" }
        #expect(try #require(calm)["cost"]["provider_usd"].text == "0.904")
        #expect(calm?["deadline_met"].bool == false)
        #expect(!plan["deadline"].isNull)
    }

    @Test func `a strict class is shown no way off its own keys`() async throws {
        let place = try Self.place(10)
        let plan = try await Self.plan(place, "--file", "in.jsonl", "--class", "sensitive")
        #expect(Self.names(plan) == ["batch lane"])
        #expect(
            plan["assumptions"].list.contains {
                $0.text == "class sensitive is strict: no alternative takes it off its own keys"
            })
    }

    @Test func `a budget that does not last is told, with what stops`() async throws {
        let place = try Self.place(1_000)
        let plan = try await Self.plan(place, "--file", "in.jsonl", "--class", "poor")
        #expect(!plan["budget_held"].bool)
        #expect(plan["stopped"][0]["state"].text == "parked")
        let answered = plan["by_key"][0]["jobs"].int
        #expect(plan["stopped"][0]["jobs"].int == 1_000 - answered && 300...442 ~= answered, "\(answered)")
    }

    @Test func `the same for people, with times of the configured zone`() async throws {
        let place = try Self.place(1_000)
        let text = try await place.ok("plan", "--file", "in.jsonl", "--class", "hurried")
        for pattern in [
            #/in\.jsonl: 1000 jobs/#, #/\ndone: 20\d\d-\d\d-\d\d \d\d:\d\d UTC\+[12], 1 min \d\d s from now/#,
            #/\ncost: provider 0\.226 USD, platform 0\.00 USD/#, #/\ndeadline: .*: holds, .* to spare/#,
            #/\nkey +lane +billed to +jobs +input tokens/#, #/\nown +sync +the provider's bill +1000 /#,
            #/\nalternative +done +deadline +provider USD +platform USD/#, #/\nas planned /#, #/\nassumed:\n- /#,
        ] { #expect(text.contains(pattern), "\(text)") }
    }

    // MARK: Bad input

    @Test(
        arguments: [
            (["plan"], "`offpeak plan` needs BATCH or --file F"),
            (["plan", "b1", "--file", "in.jsonl"], "`offpeak plan` takes batches or --file, not both"),
            (["plan", "b1", "--class", "nightly"], "--class goes with --file: a queued batch has its own"),
            (["plan", "b1"], "there is no queue at"),
            (["plan", "--file", "missing.jsonl"], "missing.jsonl cannot be planned: there is no such file"),
            (["plan", "--file", "empty.jsonl"], "empty.jsonl cannot be planned: it has no lines"),
            (["plan", "--file", "in.jsonl", "--class", "nigthly"], "nigthly"),
            (["plan", "--file", "in.jsonl", "--deadline", "soon"], "--deadline takes a duration such as 12h"),
        ] as [([String], String)]) func `what cannot be forecast is said, and nothing else happens`(
            arguments: [String], message: String
        ) async throws
    {
        let place = try Self.place(3)
        try place.write("", to: "empty.jsonl")
        let before = place.names
        let outcome = try await place.run(arguments)
        #expect(outcome.status == 1 && outcome.out.isEmpty && outcome.err.contains(message), "\(outcome)")
        let document = try Document(try await place.run(arguments + ["--json"]).err)
        expect(document, is: .object(["error": .object(["code": .text, "message": .text])]))
        #expect(place.names == before)
    }

    @Test func `bad lines are told as submit tells them`() async throws {
        let place = try Self.place(3)
        let text = Self.lines(3) + Self.lines(1) + "nonsense\n" + #"{"custom_id":"q","prompt":"no model"}"# + "\n"
        try place.write(text, to: "in.jsonl")
        func complaints(_ outcome: Outcome) -> [Substring] {
            outcome.err.split(separator: "\n").filter { $0.hasPrefix("error: in.jsonl:") || $0.hasPrefix("warning:") }
        }
        let plan = try await place.run("plan", "--file", "in.jsonl", "--class", "nightly")
        #expect(
            plan.status == 1 && plan.out.isEmpty && plan.err.contains("nothing was forecast: in.jsonl has 3 bad lines"))
        let told = complaints(plan)
        #expect(told.count == 3)
        #expect(told.contains { $0.contains("custom_id \"p-1\" was used before, on line 1") }, "\(plan)")
        let submit = complaints(try await place.run("submit", "in.jsonl", "--class", "nightly"))
        #expect(submit == told)
        let without = try await place.run("plan", "--file", "in.jsonl", "--class", "nightly", "--skip-bad-lines")
        #expect(without.status == 0 && without.out.contains("in.jsonl: 3 jobs"), "\(without)")
        #expect(complaints(without).count == 3)
    }

    // MARK: Batches

    @Test func `a batch that is still competing is told of, and is in no figure`() async throws {
        let place = try Self.place(600)
        try await place.ok("submit", "in.jsonl", "--class", "sensitive", "--name", "first")
        try await place.ok("submit", "in.jsonl", "--class", "sensitive", "--name", "second")
        let one = try await Self.plan(place, "second")
        #expect(one["jobs"].int == 600 && one["cost"]["provider_usd"].text == "0.1356")
        #expect(
            one["assumptions"].list.contains {
                $0.text == "600 jobs of b1 are worked at the same time, and are in none of these figures"
            })
        let both = try await Self.plan(place, "b1", "b2")
        #expect(both["jobs"].int == 1_200 && both["batches"].list.map { $0["batch"].text } == ["b1", "b2"])
        try await place.ok("cancel", "b1")
        let gone = try await place.run("plan", "b1", "--json")
        #expect(gone.status == 1 && gone.err.contains("batch_state"))
    }

    @Test func `what was used of a quota counts, and what is left of a batch is planned`() async throws {
        let (place, _) = try await Workplace.rehearsed(
            #"{ seed: 1, latency: "5ms", keys: { "test-key-one": {} } }"#, limits: "concurrent: 8, rpd: 30",
            classes: #""nightly": { posture: "strict", keys: { only: ["one"] } }"#)
        try await place.submit(50)
        let run = try await place.run("run", "--no-wait")
        #expect(run.status == 4, "\(run)")
        let plan = try await Self.plan(place, "b1")
        #expect(plan["jobs"].int == 20)
        #expect(plan["deferred"].list.map { $0["jobs"].int } == [20])
        #expect(plan["deferred"][0]["reason"].text.contains("30 requests a day"))
        // The answers that came are what the others are taken from.
        #expect(plan["assumptions"].list.contains { $0.text.contains("answers as the last 30") })
    }

    @Test func `after the run, report shows the forecast beside what came`() async throws {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ seed: 1, latency: "60ms", answer: { tokens: { min: 20, max: 30 } }, keys: { "test-key-one": {} } }"#,
            limits: "concurrent: 2", classes: #""nightly": { posture: "cost" }"#)
        try place.write(
            try place.read("offpeak.json5").replacing(
                "concurrent: 2 }", with: #"concurrent: 2 }, prices: { "m": { input: 1, output: 4 } }"#),
            to: "offpeak.json5")
        try await place.submit(40, as: "before.jsonl")
        try await place.ok("run")
        let nothing = try Document(try await place.ok("report", "--json"))
        #expect(nothing["forecasts"].list.isEmpty)
        try await place.submit(60, as: "in.jsonl")
        let plan = try await Self.plan(place, "b2")
        #expect(try Document(try await place.ok("report", "--json"))["forecasts"].list.isEmpty)
        try await place.ok("run")
        _ = try await provider.ledger()

        let report = try Document(try await place.ok("report", "--by", "batch", "--json"))
        let found = report["forecasts"][0]
        expect(
            found,
            is: .object([
                "batch": .text, "made_at": .time, "jobs": .int, "answers": .int, "finish": .time, "cost": Self.cost,
                "actual": .object(["answers": .int, "finish": .time, "left": .int, "cost": Self.cost]),
                "off": .object(["finish_seconds": .int, "finish_percent": .text, "cost_percent": .text]),
            ]))
        #expect(report["forecasts"].list.count == 1 && found["batch"].text == "b2" && found["jobs"].int == 60)
        #expect(found["cost"]["provider_usd"].text == plan["cost"]["provider_usd"].text)
        #expect(found["finish"].text == plan["finish"].text)
        let row = try #require(report["rows"].list.first { $0["batch"].text == "b2" })
        #expect(found["actual"]["cost"]["provider_usd"].text == row["cost"]["provider_usd"].text)
        #expect(row["forecast"]["jobs"].int == 60)
        let off = try #require(Double(found["off"]["cost_percent"].text))
        #expect(abs(off) < 5, "forecast and cost differ by \(off) %")
        let html = try await place.run("report", "--html", "r.html")
        #expect(html.status == 0)
        #expect(try place.read("r.html").contains("<h2>Forecast against actual</h2>"))
        #expect(try await place.ok("report").contains("\nforecast against actual\nbatch  jobs"))
        // What is pruned has no forecast any more.
        try await place.ok("prune", "--older-than", "0s")
        #expect(try Document(try await place.ok("report", "--json"))["forecasts"].list.isEmpty)
    }

    @Test
    func
        `a forecast that stops at its budget is compared by its answers, and a larger budget takes up what was parked`()
        async throws
    {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ seed: 1, latency: "20ms", answer: { tokens: { min: 20, max: 30 } }, keys: { "test-key-one": {} } }"#,
            limits: "concurrent: 2",
            classes: #""nightly": { posture: "cost", budget: { usd: 0.005, per: "batch", then: "park" } }"#)
        try place.write(
            try place.read("offpeak.json5").replacing(
                "concurrent: 2 }", with: #"concurrent: 2 }, prices: { "m": { input: 1, output: 4 } }"#),
            to: "offpeak.json5")
        try place.write(Self.lines(60), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        let plan = try await Self.plan(place, "b1")
        #expect(try await place.run("run").status == 3)
        _ = try await provider.ledger()
        let succeeded = try await place.status()["jobs"]["succeeded"].int
        let found = try Document(try await place.ok("report", "--json"))["forecasts"][0]
        #expect(found["jobs"].int == 60 && found["answers"].int == plan["by_key"][0]["jobs"].int)
        #expect(1...59 ~= succeeded && found["actual"]["answers"].int == succeeded)
        #expect(found["cost"]["credit_usd"].text == "0.00")
        let csv = try await place.ok("report", "--by", "batch", "--csv").split(separator: "\n")
        try #require(csv.count == 3)
        #expect(csv[0].contains(",forecast_jobs,forecast_answers,actual_answers,"))
        #expect(csv[1].contains(",60,\(found["answers"].int),\(succeeded),"))
        #expect(csv[2].hasPrefix("total,") && csv[2].hasSuffix(",,,,,,,,,,,,,"))
        #expect(try await place.ok("report").contains("answers, foreseen"))

        let parked = 60 - succeeded
        func told(_ ending: String) async throws -> Document? {
            let plan = try await Self.plan(place, "b1")
            let start = "\(parked) parked jobs of b1 (budget_exhausted) \(ending)"
            return plan["assumptions"].list.contains { $0.text.hasPrefix(start) } ? plan : nil
        }
        let budget = "the budget of 0.005 USD per batch of class nightly is used up"
        let poor = try await told("stay parked, in none of these figures: \(budget)")
        #expect(try #require(poor)["jobs"].int == 0)
        #expect(try await place.ok("plan", "b1").contains("- \(parked) parked jobs of b1 (budget_exhausted)"))
        try place.write(
            try place.read("offpeak.json5").replacing("usd: 0.005", with: "usd: 5"), to: "offpeak.json5")
        let rich = try #require(try await told("go on with the next run, and are in all of these figures"))
        #expect(rich["jobs"].int == parked && rich["by_key"][0]["jobs"].int == parked)
        #expect(rich["cost"]["provider_usd"].text != "0.00")
        try await place.ok("run")
        #expect(try await place.status()["jobs"]["succeeded"].int == 60)
    }

    @Test func `a plan is made beside a run, of what is left`() async throws {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ seed: 1, latency: "100ms", keys: { "test-key-one": {} } }"#, limits: "concurrent: 2")
        try await place.submit(100)
        let run = try place.start("run")
        try await provider.until("some answers") { $0["answers"].int >= 10 }
        let plan = try await Self.plan(place, "b1")
        #expect(1...90 ~= plan["jobs"].int, "\(plan["jobs"].int)")
        #expect(await run.wait() == 0)
        let over = try await Self.plan(place, "b1")
        #expect(over["jobs"].int == 0 && over["finish"].isNull)
        #expect(try await place.ok("plan", "b1") == "nothing is left to do\n")
        #expect(try await place.status()["jobs"]["succeeded"].int == 100)
    }
}
