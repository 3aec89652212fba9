import Foundation
import Glibc
import Testing

/// Pausing, cancelling, retrying: what a person does to a queue.
@Suite(.turns) struct ControlTests {
    private static let slow = #"{ latency: "100ms", keys: { "test-key-one": {}, "test-key-two": {} } }"#

    /// What is paused, and what `status` says of it.
    static let pauses: [(arguments: [String], done: String, reason: String)] = [
        (["b1"], "b1", "the batch is paused"),
        (["--class", "nightly"], "class nightly", "class nightly is paused"),
        (["--key", "one"], "key one", "key one: it is paused"),
    ]

    @Test(arguments: pauses)
    func `a pause during a run holds the work back until it is resumed`(
        arguments: [String], done: String, reason: String
    ) async throws {
        let (place, provider) = try await Workplace.rehearsed(Self.slow)
        try await place.submit(400)
        let run = try place.start("run")
        try await provider.until("answers") { $0["answers"].int >= 8 }
        let paused = try await place.run(["pause"] + arguments)
        #expect(paused.err == "\(done) paused\n" && paused.out == "" && paused.status == 0)
        try await place.until("nothing is in flight, and the reason is known") {
            $0["jobs"]["in_flight"].int == 0 && $0["waiting_for"].list.contains { $0["reason"].text == reason }
        }
        let batch = try await place.status()
        let sent = try await provider.ledger()["requests"].int
        #expect(batch["jobs"]["succeeded"].int == sent && batch["jobs"]["waiting"].int == 400 - sent)
        #expect(batch["state"].text == (arguments == ["b1"] ? "paused" : "open"))
        #expect(batch["next_due"].isNull)
        let keys = try await place.run("keys", "--json").document()["keys"]
        #expect(keys[0]["health"].text == (arguments.contains("--key") ? "paused" : "ok"))
        #expect(keys[0]["used"]["requests_today"].int == sent, "what was offered and not sent counts nowhere")
        let resumed = try await place.run(["resume"] + arguments + ["--json"])
        #expect(try resumed.document()["resumed"].text == done)
        #expect(try await place.status()["waiting_for"].list.isEmpty, "the pause is forgotten at once")
        #expect(await run.wait() == 0)
        #expect(try await provider.ledger()["requests"].int == 400)
    }

    @Test func `cancelling or pausing what is done changes nothing, and says so`() async throws {
        let (place, _) = try await Workplace.rehearsed()
        try await place.submit(3)
        try await place.ok("run")
        #expect(try await place.run("cancel", "b1").err == "b1 is done: there is nothing to cancel\n")
        for name in ["pause", "resume"] {
            #expect(try await place.run(name, "b1").err == "b1 is done: there is nothing to \(name)\n")
            #expect(try await place.ok(name, "b1", "--json") == "{\"\(name)d\":null}\n")
        }
        #expect(try await place.status()["state"].text == "done")
    }

    @Test func `paused work makes --no-wait end with 4`() async throws {
        let (place, _) = try await Workplace.rehearsed()
        try await place.submit(3)
        try await place.ok("pause", "b1")
        let outcome = try await place.run("run", "--no-wait")
        #expect(
            outcome.status == 4
                && outcome.err.hasPrefix(
                    "waiting for a person: batch b1 is paused\n0 jobs succeeded, 0 failed, 0 parked, 3 still waiting\n"),
            "\(outcome)")
        try await place.ok("resume", "b1")
        try await place.ok("run")
    }

    @Test func `cancelling during a run ends what has not begun, and what is in flight finishes`() async throws {
        let (place, provider) = try await Workplace.rehearsed(Self.slow)
        try await place.submit(200)
        let run = try place.start("run")
        try await provider.until("answers") { $0["answers"].int >= 8 }
        let cancelled = try await place.run("cancel", "b1", "--json").document()
        #expect(cancelled["batch"].text == "b1")
        #expect(await run.wait() == 0)
        let ledger = try await provider.ledger()
        let batch = try await place.status()
        #expect(batch["state"].text == "cancelled")
        #expect(batch["jobs"]["succeeded"].int == ledger["answers"].int)
        #expect(batch["jobs"]["cancelled"].int == cancelled["cancelled"].int)
        #expect(batch["jobs"]["succeeded"].int + batch["jobs"]["cancelled"].int == 200)
        #expect(ledger["requests"].int == ledger["answers"].int)
        let results = try Document.lines(try await place.ok("results", "b1"))
        #expect(results.count == 200)
        #expect(
            results.count { !$0["error"].isNull && $0["error"]["code"].text == "batch_cancelled" }
                == cancelled["cancelled"].int)
        for call in ["retry", "pause", "resume"] {
            let outcome = try await place.run(call, "b1")
            #expect(outcome.err == "error: batch b1 is cancelled, which is final\n", "\(outcome)")
            #expect(outcome.status == 1)
        }
        #expect(try await place.run("cancel", "b1").err == "b1: 0 jobs cancelled\n", "cancelling twice is no mistake")
    }

    @Test func `what was in flight when its batch was cancelled and its run was killed is told as it was`() async throws
    {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ latency: "30s", keys: { "test-key-one": {} } }"#, limits: "concurrent: 1")
        try await place.submit(2)
        let run = try place.start("run")
        try await provider.until("a request") { $0["in_flight"].int == 1 }
        #expect(try await place.run("cancel", "b1").err == "b1: 1 job cancelled\n")
        run.signal(SIGKILL)
        #expect(await run.wait() == 137)
        let next = try await place.run("run")
        #expect(
            next.err == "an earlier run ended with 1 request in flight: its outcome is unknown; it is cancelled\n"
                + "0 jobs succeeded, 0 failed, 0 parked\n" && next.status == 0, "\(next)")
        let messages = try Document.lines(try await place.ok("results", "b1")).map { $0["error"]["message"].text }
        #expect(
            messages == [
                "the batch was cancelled after this job was sent; its answer was lost, and may have been charged",
                "the batch was cancelled before this job was sent",
            ])
        let sent = try await place.ok("explain", "b1", "p-1")
        #expect(sent.contains("\n     → unknown_outcome: its batch was cancelled\n"), "\(sent)")
        #expect(!sent.contains("park") && !sent.contains("then its batch"), "\(sent)")
        #expect(sent.contains(": unknown\n"), "nobody knows how long it took: \(sent)")
        let attempt = try await place.run("explain", "b1", "p-1", "--json").document()["attempts"][0]
        #expect(attempt["disposition"].isNull && attempt["outcome"].text == "unknown")
        #expect(attempt["ended"].text > attempt["started"].text)
        #expect(try await place.ok("explain", "b1", "p-2").hasSuffix(": cancelled\n  never sent\n"))
    }

    @Test func `a run whose parked jobs were cancelled meanwhile ends well`() async throws {
        let (place, provider) = try await Workplace.rehearsed(
            """
            { latency: "100ms", keys: { "test-key-one": {}, "test-key-two": {} },
              faults: [{ what: "revoked", key: "test-key-one", after_requests: 0 }] }
            """,
            classes: #""a": { posture: "strict", keys: { only: ["one"] } }, "#
                + #""b": { posture: "strict", keys: { only: ["two"] } }"#,
            more:
                #""two": { provider: "rehearsed", secret: { env: "TEST_KEY_TWO" }, limits: { concurrent: 1 } },"#)
        try await place.submit(2, class: "a")
        try await place.submit(40, class: "b")
        let run = try place.start("run", "--json")
        try await place.until("the first batch is parked") { $0["jobs"]["parked"].int == 2 }
        #expect(try await place.run("cancel", "b1").err == "b1: 2 jobs cancelled\n")
        #expect(await run.wait() == 0)
        #expect(await run.err.whole().contains("40 jobs succeeded, 0 failed, 0 parked\n"))
        let end = try Document(await run.out.whole())
        #expect(end["parked"].int == 0 && end["succeeded"].int == 40 && end["ended"].text == "finished")
        #expect(try await provider.ledger()["answers"].int == 40)
    }

    @Test func `a parked job whose batch is cancelled later keeps the story of its attempts`() async throws {
        let (place, _) = try await Workplace.rehearsed(
            #"{ latency: "5ms", keys: { "test-key-one": {} }, faults: [{ what: "revoked", after_requests: 0 }] }"#)
        try await place.submit(1)
        #expect(try await place.run("run").status == 3)
        #expect(try await place.run("cancel", "b1").err == "b1: 1 job cancelled\n")
        let story = try await place.ok("explain", "b1", "p-1")
        #expect(
            story.contains("\n     → park: key_rejected: waits for a person\n")
                && story.hasSuffix("\n  then its batch was cancelled\n"), "\(story)")
        #expect(
            try Document(try await place.ok("results", "b1"))["error"]["message"].text
                == "the batch was cancelled after this job was sent, and before it was answered")
    }

    @Test func `retry gives the chosen jobs a new start`() async throws {
        // The key is revoked after four requests; two of those are refused as wrong.
        let (place, provider) = try await Workplace.rehearsed(
            """
            { latency: "5ms", keys: { "test-key-one": {}, "test-key-two": {} }, faults: [
              { what: "bad-request", key: "test-key-one", at: [2, 4] },
              { what: "revoked", key: "test-key-one", after_requests: 4 },
            ] }
            """, limits: "concurrent: 1", classes: #""nightly": { posture: "strict", keys: { only: ["one"] } }"#)
        try await place.submit(7)
        #expect(try await place.run("run").status == 3)
        var jobs = try await place.status()["jobs"]
        #expect(jobs["succeeded"].int == 2 && jobs["failed"].int == 2 && jobs["parked"].int == 3)
        #expect(try await place.run("keys", "--json").document()["keys"][0]["health"].text == "rejected")
        let told = try await place.ok("status", "b1")
        #expect(
            told.contains("    3 jobs parked: invalid_api_key: key one: ")
                && told.contains(
                    "\n        mend the key's secret, or let another key serve the class, then `offpeak retry b1 --parked`\n"
                ),
            "\(told)")
        #expect(
            told.contains("    2 jobs failed: ")
                && told.hasSuffix(
                    "\n        correct these lines (`offpeak results b1` has them), and submit them again\n"),
            "\(told)")
        #expect(
            try await place.run("retry", "b1", "--unknown").err
                == "b1: 0 jobs will be tried again by `offpeak run`; 3 are parked: --parked; 2 failed: --failed\n")
        let failed = try await place.run("retry", "b1", "--failed", "--json").document()
        #expect(failed["batch"].text == "b1" && failed["retried"].int == 2)
        jobs = try await place.status()["jobs"]
        #expect(jobs["failed"].int == 0 && jobs["waiting"].int == 2 && jobs["parked"].int == 3)
        #expect(
            try await place.run("retry", "b1", "--parked").err == "b1: 3 jobs will be tried again by `offpeak run`\n")
        #expect(try await place.status()["jobs"]["waiting"].int == 5)
        let run = try await place.run(["run"], with: ["TEST_KEY_ONE": "test-key-two"])
        #expect(run.status == 0, "\(run)")
        #expect(try await place.answered().count == 7)
        #expect(try await provider.ledger()["answers"].int == 7)
        #expect(try await place.run("retry", "b1").err == "b1: 0 jobs will be tried again by `offpeak run`\n")
    }

    /// Five jobs under a budget, at a cent a token and 30 of them in every answer; the budget can be changed.
    private static func costly(
        usd: String, _ terms: String
    ) async throws -> (place: Workplace, configure: (String) throws -> Void) {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ latency: "5ms", answer: { tokens: { min: 30, max: 30 } }, keys: { "test-key-one": {} } }"#)
        func configure(_ usd: String) throws {
            try place.write(
                """
                { providers: { "r": { kind: "openai", base_url: "\(provider.url)" } },
                  keys: { "one": { provider: "r", secret: { env: "TEST_KEY_ONE" }, limits: { concurrent: 1 },
                                   prices: { "m": { input: 0, output: 10000 } } } },
                  classes: { "nightly": { posture: "cost", budget: { usd: \(usd), \(terms) } } } }
                """, to: "offpeak.json5")
        }
        try configure(usd)
        let lines = (1...5).map {
            #"{"custom_id":"p-\#($0)","method":"POST","url":"/v1/chat/completions","body":"#
                + #"{"model":"m","max_tokens":30,"messages":[{"role":"user","content":"say \#($0)"}]}}"# + "\n"
        }
        try place.write(lines.joined(), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        return (place, configure)
    }

    @Test func `retry says which jobs the lack of money will stop again, and why`() async throws {
        // Three answers are the budget.
        let (place, configure) = try await Self.costly(usd: "0.9", #"per: "batch""#)
        #expect(try await place.run("run").status == 3)
        #expect(try await place.status()["jobs"]["parked"].int == 2)
        let reason =
            "the budget of 0.90 USD per batch of class nightly is used up: 0.90 USD are spent, and one more job may cost up "
            + "to 0.30 USD"
        #expect(
            try await place.run("retry", "b1", "--parked").err
                == "b1: 2 jobs will be tried again by `offpeak run`; 2 jobs of them will stop again: budget_exhausted: \(reason)\n"
        )
        #expect(try await place.run("run").status == 3)
        let document = try await place.run("retry", "b1", "--json").document()
        #expect(document["retried"].int == 2 && document["stops_again"].list.count == 1)
        let stop = document["stops_again"][0]
        #expect(stop["code"].text == "budget_exhausted" && stop["reason"].text == reason && stop["jobs"].int == 2)
        // Once there is money, nothing stands in the way.
        #expect(try await place.run("run").status == 3)
        try configure("9")
        #expect(
            try await place.run("retry", "b1", "--parked").err == "b1: 2 jobs will be tried again by `offpeak run`\n")
        try await place.ok("run")
    }

    @Test(arguments: [("0.2", "exceeds_budget", 5), ("0.9", "budget_exhausted", 2)])
    func `retry says so, too, of jobs that the lack of money has ended as failed`(
        usd: String, code: String, count: Int
    ) async throws {
        let (place, configure) = try await Self.costly(usd: usd, #"per: "day", then: "fail""#)
        #expect(try await place.run("run").status == 3)
        #expect(try await place.status()["jobs"]["failed"].int == count)
        let told = try await place.run("retry", "b1", "--failed", "--json").document()
        #expect(told["retried"].int == count && told["stops_again"].list.count == 1)
        #expect(told["stops_again"][0]["code"].text == code && told["stops_again"][0]["jobs"].int == count)
        #expect(try await place.run("run").status == 3, "and so it is")
        #expect(try await place.status()["jobs"]["failed"].int == count)
        try configure("9")
        #expect(
            try await place.run("retry", "b1").err == "b1: \(count) jobs will be tried again by `offpeak run`\n",
            "once there is money, nothing stands in the way")
        try await place.ok("run")
    }

    @Test func `retry says which jobs cannot be tried again, since their prompts are not kept`() async throws {
        let (place, _) = try await Workplace.rehearsed(
            #"{ latency: "5ms", keys: { "test-key-one": {} }, faults: [{ what: "bad-request", at: [2, 4] }] }"#,
            limits: "concurrent: 1", classes: #""nightly": { posture: "cost", retain: "results" }"#)
        try await place.submit(5)
        #expect(try await place.run("run").status == 3)
        #expect(
            try await place.run("retry", "b1").err
                == "b1: 0 jobs will be tried again by `offpeak run`; 2 failed jobs cannot be: the prompts are not kept (`retain` of the class), so submit them again\n"
        )
        let document = try await place.run("retry", "b1", "--failed", "--json").document()
        #expect(document["retried"].int == 0 && document["not_kept"].int == 2)
        #expect(try await place.answered().count == 3, "answers are kept")
    }

    @Test func `a batch is named by its id, its number or its name`() async throws {
        let place = try Workplace()
        try place.configure(nil)
        try await place.submit(1)
        try await place.submit(1, as: "other.jsonl")
        let document = try await place.ok("status", "b2", "--json")
        #expect(try await place.ok("status", "2", "--json") == document)
        #expect(try await place.ok("status", "other.jsonl", "--json") == document)
        try await place.submit(1, as: "other.jsonl")
        let twice = try await place.run("status", "other.jsonl")
        #expect(twice.err == "error: several batches are named \"other.jsonl\": b2, b3\nhint: use an id\n")
        #expect(twice.status == 1)
    }
}
