import Foundation
import Glibc
import Testing

/// `run` from beginning to end, and what may happen beside it.
@Suite(.turns) struct RunTests {
    /// Answers so slow that a run can be met in the middle.
    private static let slow = #"{ latency: "150ms", keys: { "test-key-one": {}, "test-key-two": {} } }"#

    @Test func `a run answers everything once and ends with 0`() async throws {
        let (place, provider) = try await Workplace.rehearsed()
        try await place.submit(40)
        let outcome = try await place.run("run")
        #expect(
            outcome.err.wholeMatch(
                of:
                    /40 jobs succeeded, 0 failed, 0 parked\ncost of this run: unknown, for the price of its \d+ tokens is unknown\n/
            )
                != nil, "\(outcome)")
        #expect(outcome.out == "" && outcome.status == 0)
        #expect(try await place.answered() == (1...40).map { "p-\($0)" })
        let ledger = try await provider.ledger()
        #expect(ledger["answers"].int == 40 && ledger["requests"].int == 40)
        #expect(ledger["by_key"]["test-key-one"]["peak_concurrent"].int <= 8)
        let idle = try await place.run("run", "--json")
        let nothing =
            #"{"provider_usd":"0.00","platform_usd":"0.00","credit_usd":"0.00","#
            + #""unknown":{"attempts":0,"provider_usd":"0.00","platform_usd":"0.00"}}"#
        #expect(
            idle.out == #"{"succeeded":0,"failed":0,"parked":0,"waiting":0,"cost":"# + nothing
                + #","unpriced_tokens":0,"ended":"finished"}"# + "\n" && idle.status == 0)
    }

    @Test func `a run with failed jobs ends with 3 and says where to look`() async throws {
        let (place, _) = try await Workplace.rehearsed(
            #"{ latency: "5ms", keys: { "test-key-one": {} }, faults: [{ what: "bad-request", at: [2, 4] }] }"#)
        try await place.submit(6)
        let outcome = try await place.run("run")
        #expect(
            outcome.err.replacing(/cost of this run: .*\n/, with: "")
                == "4 jobs succeeded, 2 failed, 0 parked\n"
                + "failed or parked: 2 jobs (2 failed: unsupported_parameter); `offpeak status` tells why, and what to do about it\n",
            "\(outcome)")
        #expect(outcome.status == 3)
    }

    @Test func `a later run over parked jobs says for what they are parked, and with --no-wait too`() async throws {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ latency: "5ms", keys: { "test-key-one": {} }, faults: [{ what: "revoked", after_requests: 0 }] }"#,
            classes: #""nightly": { posture: "strict", keys: { only: ["one"] } }"#)
        try await place.submit(3)
        #expect(try await place.run("run").status == 3)
        let sent = try await provider.ledger()["requests"].int
        for call in [["run"], ["run", "--no-wait"]] {
            let outcome = try await place.run(call)
            #expect(
                outcome.err
                    == "0 jobs succeeded, 0 failed, 0 parked\n"
                    + "failed or parked: 3 jobs (3 parked: invalid_api_key); `offpeak status` tells why, and what to do about it\n",
                "\(outcome)")
            #expect(outcome.status == 3)
        }
        #expect(try await provider.ledger()["requests"].int == sent)
    }

    @Test func `a standstill that was told is told to be over, and each key is told with its own next try`()
        async throws
    {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ latency: "5ms", keys: { "test-key-one": {} } }"#,
            more: #""two": { provider: "rehearsed", secret: { env: "TEST_KEY_TWO" }, limits: { concurrent: 1 } },"#)
        try await place.submit(30)
        provider.child.signal(SIGKILL)
        _ = await provider.child.wait()
        let run = try place.start("run")
        #expect(await run.err.until(contains: "key two: "))
        let port = try #require(provider.url.firstMatch(of: /:(\d+)\//)).1
        let again = try place.start("--quiet", "rehearse", "--port", String(port), "--profile", "profile.json5")
        #expect(await run.wait() == 0)
        again.signal(SIGTERM)
        _ = await again.wait()
        let text = await run.err.whole()
        #expect(
            text.firstMatch(
                of: /going on: key (one|two) answers again; nothing had moved since 20[-0-9T:]+Z\n30 jobs succ/)
                != nil, "\(text)")
        let waits = text.matches(
            of: /waiting: 30 jobs; key (one|two): no connection.*, tried again at (20[-0-9T:]+Z)\n/)
        #expect(Set(waits.map { String($0.1) }) == ["one", "two"], "\(text)")
    }

    @Test func `--no-wait does not wait for a provider that is down, and says which, with what waits for each key`()
        async throws
    {
        let (place, provider) = try await Workplace.rehearsed(
            classes: #""one": { posture: "strict", keys: { only: ["one"] } }, "#
                + #""two": { posture: "strict", keys: { only: ["two"] } }"#,
            more: #""two": { provider: "rehearsed", secret: { env: "TEST_KEY_TWO" } },"#)
        try await place.submit(3, class: "one")
        try await place.submit(5, class: "two")
        provider.child.signal(SIGKILL)
        _ = await provider.child.wait()
        let start = ContinuousClock.now
        let outcome = try await place.run("run", "--no-wait")
        #expect(outcome.status == 4 && ContinuousClock.now - start < .seconds(30), "\(outcome)")
        #expect(
            outcome.err.contains(
                /^not waited for: 3 jobs; key one: no connection.*\nnot waited for: 5 jobs; key two: no connection.*\n0 jobs succeeded, 0 failed, 0 parked, 8 still waiting\n/
            ),
            "\(outcome)")
    }

    @Test func `what several batches wait for is told once, though each would cost another amount`() async throws {
        // A cent a token, and 30 of them in every answer: one answer, and the day's budget has no room for another.
        let (place, provider) = try await Workplace.rehearsed(
            #"{ latency: "5ms", answer: { tokens: { min: 30, max: 30 } }, keys: { "test-key-one": {} } }"#)
        try place.write(
            """
            { providers: { "r": { kind: "openai", base_url: "\(provider.url)" } },
              keys: { "one": { provider: "r", secret: { env: "TEST_KEY_ONE" }, limits: { concurrent: 1 },
                               prices: { "m": { input: 0, output: 10000 } } } },
              classes: { "nightly": { posture: "cost", budget: { usd: 0.45, per: "day", then: "defer" } } } }
            """, to: "offpeak.json5")
        for most in [30, 40] {
            let body = #"{"model":"m","max_tokens":\#(most),"messages":[{"role":"user","content":"x"}]}"#
            try place.write(
                (1...3).map {
                    #"{"custom_id":"p-\#($0)","method":"POST","url":"/v1/chat/completions","body":\#(body)}"# + "\n"
                }.joined(), to: "\(most).jsonl")
            try await place.ok("submit", "\(most).jsonl", "--class", "nightly")
        }
        let run = try await place.run("run", "--no-wait")
        let waits = run.err.split(separator: "\n").filter { $0.hasPrefix("waiting until ") }
        #expect(waits.count == 1 && waits[0].contains("the budget of 0.45 USD per day of class nightly"), "\(run)")
        #expect(run.status == 4 && run.err.contains("\n1 job succeeded, 0 failed, 0 parked, 5 still waiting\n"))
    }

    @Test func `a run without its secret sends nothing`() async throws {
        let (place, provider) = try await Workplace.rehearsed()
        try await place.submit(2)
        let outcome = try await place.run(["run"], with: ["TEST_KEY_ONE": ""])
        #expect(outcome.err.hasPrefix("error: key one: "), "\(outcome)")
        #expect(outcome.err.contains("TEST_KEY_ONE") && outcome.err.contains("\nhint: "))
        #expect(outcome.status == 1)
        #expect(try await provider.ledger()["requests"].int == 0)
    }

    @Test func `a run that stands still for a provider says which, why and until when, once`() async throws {
        let (place, provider) = try await Workplace.rehearsed()
        try await place.submit(3)
        provider.child.signal(SIGKILL)
        _ = await provider.child.wait()
        let run = try place.start("run")
        #expect(await run.err.until(contains: "waiting: "))
        run.signal(SIGTERM)
        #expect(await run.wait() == 143)
        let lines = await run.err.whole().split(separator: "\n").filter { $0.hasPrefix("waiting: ") }
        #expect(lines.count == 1 && lines[0].hasPrefix("waiting: 3 jobs; key one: "), "\(lines)")
        #expect(lines[0].contains("onnect") && lines[0].contains(/, tried again at 20[-0-9T:]+Z$/), "\(lines)")
    }

    // MARK: Signals

    @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143))])
    func `the first signal lets what is in flight finish`(signal: Int32, status: Int32) async throws {
        let (place, provider) = try await Workplace.rehearsed(Self.slow)
        try await place.submit(400)
        let run = try place.start("run")
        try await provider.until("answers") { $0["answers"].int >= 10 }
        run.signal(signal)
        #expect(await run.wait() == status)
        let text = await run.err.whole()
        #expect(text.hasPrefix("stopping: what is in flight is awaited; again to stop at once\n"), "\(text)")
        #expect(text.contains(" still waiting\ncost of this run: "))
        let ledger = try await provider.ledger()
        let jobs = try await place.status()["jobs"]
        #expect(ledger["requests"].int == ledger["answers"].int, "nothing was cut off")
        #expect(jobs["succeeded"].int == ledger["answers"].int && jobs["in_flight"].int == 0)
        #expect(jobs["waiting"].int == 400 - ledger["answers"].int)
    }

    @Test func `the second signal stops at once, and what was in flight is sent again`() async throws {
        let (place, provider) = try await Workplace.rehearsed(#"{ latency: "20s", keys: { "test-key-one": {} } }"#)
        try await place.submit(20)
        let run = try place.start("run")
        try await provider.until("requests") { $0["in_flight"].int == 8 }
        let start = ContinuousClock.now
        run.signal(SIGINT)
        #expect(await run.err.until(contains: "stopping: "))
        run.signal(SIGINT)
        #expect(await run.wait() == 130)
        #expect(ContinuousClock.now - start < .seconds(10), "nobody waited for the answers")
        #expect(await run.err.whole().contains("stopping at once\n"))
        let jobs = try await place.status()["jobs"]
        #expect(jobs["in_flight"].int == 0 && jobs["waiting"].int + jobs["deferred"].int == 20, "\(jobs)")
        let attempts = try await place.run("explain", "b1", "p-1", "--json").document()["attempts"].list
        #expect(
            attempts.count == 1 && attempts[0]["outcome"].text == "failed" || attempts[0]["outcome"].text == "unknown")
    }

    // MARK: One run, many others

    @Test func `a second run is refused with the process id of the first`() async throws {
        let (place, provider) = try await Workplace.rehearsed(Self.slow)
        try await place.submit(1)
        let run = try place.start("run", "--watch")
        try await provider.until("a request") { $0["requests"].int > 0 }
        for call in [["run"], ["run", "--watch"]] {
            let second = try await place.run(call)
            #expect(
                second.err
                    == "error: process \(run.pid) runs this queue already\n"
                    + "hint: one run works a queue; submit, status, pause and all others work beside it\n")
            #expect(second.status == 1)
        }
        run.signal(SIGTERM)
        #expect(await run.wait() == 143)
    }

    @Test func `submit, status, results, explain and cancel work beside a run, many at once`() async throws {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ latency: "20ms", keys: { "test-key-one": {} } }"#, limits: "concurrent: 16")
        try await place.submit(300)
        let run = try place.start("run", "--watch")
        try await provider.until("a request") { $0["requests"].int > 0 }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for n in 1...6 {
                group.addTask {
                    let id = try await place.submit(50, as: "more-\(n).jsonl")
                    if n % 3 == 0 { try await place.ok("cancel", id) }
                    try await place.ok("explain", id, "p-1")
                }
                group.addTask {
                    for _ in 1...4 {
                        let jobs = try await place.status()["jobs"]
                        let parts = ["waiting", "deferred", "parked", "in_flight", "succeeded", "failed", "cancelled"]
                        #expect(parts.reduce(0) { $0 + jobs[$1].int } == 300, "\(jobs)")
                        try await place.ok("results", "b1", "--partial")
                        try await place.ok("keys")
                    }
                }
            }
            try await group.waitForAll()
        }
        for n in 1...7 { try await place.until("the batch is over", of: "b\(n)") { $0["state"].text != "open" } }
        run.signal(SIGTERM)
        #expect(await run.wait() == 143)
        let batches = try await place.run("status", "--json").document()["batches"].list
        #expect(batches.count == 7)
        #expect(batches.count { $0["state"].text == "cancelled" } == 2)
        for batch in batches {
            let jobs = batch["jobs"]
            #expect(jobs["succeeded"].int + jobs["cancelled"].int == jobs["total"].int, "\(batch)")
        }
        let sent = batches.reduce(0) { $0 + $1["jobs"]["succeeded"].int }
        #expect(try await provider.ledger()["answers"].int == sent, "nothing was sent twice")
    }

    // MARK: Ends that are asked for

    @Test func `--for ends in time with 4, and the next run goes on`() async throws {
        let (place, provider) = try await Workplace.rehearsed(Self.slow)
        try await place.submit(80)
        let outcome = try await place.run("run", "--for", "1s")
        #expect(outcome.status == 4, "\(outcome)")
        #expect(
            outcome.err.hasSuffix(
                "stopped with work left; `offpeak run` goes on, `offpeak status` tells what it waits for\n"))
        let jobs = try await place.status()["jobs"]
        #expect(jobs["succeeded"].int > 0 && jobs["waiting"].int > 0 && jobs["in_flight"].int == 0)
        #expect(try await place.run("run", "--for", "1m").status == 0)
        #expect(try await provider.ledger()["requests"].int == 80)
    }

    @Test func `--until takes a time of day in the configured zone, and nothing else`() async throws {
        let (place, _) = try await Workplace.rehearsed()
        try await place.submit(3)
        for text in ["25:00", "6", "06:60", "6:5:4", "noon"] {
            let outcome = try await place.run("run", "--until", text)
            #expect(
                outcome.err
                    == "error: --until takes a time of day such as 06:30, not \"\(text)\"\n"
                    + "hint: run `offpeak help run` for how to call it\n")
            #expect(outcome.status == 1)
        }
        // A moment some hours from now, whatever the time is.
        let hour = (Calendar(identifier: .gregorian).component(.hour, from: Date()) + 5) % 24
        #expect(try await place.run("run", "--until", "\(hour):30").status == 0)
    }

    @Test func `--no-wait ends with 4 when all that is left waits for a window`() async throws {
        // A window that is some hours away at any time of day.
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let hour = (calendar.component(.hour, from: Date()) + 6) % 24
        let window =
            "window: { open: \"\(hour < 10 ? "0" : "")\(hour):00\", close: \"\(hour < 10 ? "0" : "")\(hour):30\" }"
        let (place, provider) = try await Workplace.rehearsed(
            classes: #""nightly": { posture: "cost" }, "later": { posture: "cost", \#(window) }"#)
        try await place.submit(5)
        try await place.submit(7, class: "later", as: "later.jsonl")
        let outcome = try await place.run("run", "--no-wait")
        #expect(outcome.status == 4)
        #expect(
            outcome.err.hasPrefix("waiting until ") && outcome.err.contains("the window of class later is closed\n"))
        #expect(outcome.err.contains("\n5 jobs succeeded, 0 failed, 0 parked, 7 still waiting\n"), "\(outcome)")
        let later = try await place.status(of: "b2")
        #expect(later["jobs"]["deferred"].int == 7 && later["jobs"]["waiting"].int == 0)
        #expect(later["waiting_for"][0]["reason"].text == "the window of class later is closed")
        #expect(later["waiting_for"][0]["until"].text == later["next_due"].text)
        #expect(try await provider.ledger()["requests"].int == 5)
        let other = try await place.run("run", "--no-wait", "--json")
        #expect(try other.document()["ended"].text == "work_left" && other.status == 4)
    }

    @Test func `--class works that class only`() async throws {
        let (place, provider) = try await Workplace.rehearsed(
            classes: #""nightly": { posture: "cost" }, "other": { posture: "cost" }"#)
        try await place.submit(5)
        try await place.submit(6, class: "other", as: "other.jsonl")
        #expect(try await place.run("run", "--class", "other").status == 0)
        #expect(try await place.status(of: "b2")["state"].text == "done")
        #expect(try await place.status(of: "b1")["jobs"]["waiting"].int == 5)
        #expect(try await provider.ledger()["requests"].int == 6)
        let outcome = try await place.run("run", "--class", "othr")
        #expect(outcome.err == "error: the configuration has no class \"othr\"\nhint: did you mean \"other\"?\n")
    }

    @Test func `--watch goes on when all is done, and takes what comes`() async throws {
        let (place, _) = try await Workplace.rehearsed()
        try await place.submit(3)
        let run = try place.start("run", "--watch")
        try await place.until("the first batch is done") { $0["state"].text == "done" }
        try await place.submit(4, as: "second.jsonl")
        try await place.until("the second batch is done", of: "b2") { $0["state"].text == "done" }
        #expect(run.isRunning)
        run.signal(SIGTERM)
        #expect(await run.wait() == 143)
    }

    @Test func `a job held for the pace of a limit is waiting, not deferred`() async throws {
        let (place, provider) = try await Workplace.rehearsed(limits: "rpm: 5")
        try await place.submit(8)
        let run = try place.start("run")
        try await provider.until("the minute's requests") { $0["answers"].int == 5 }
        try await place.until("the wait is noted") { !$0["waiting_for"].list.isEmpty }
        let batch = try await place.status()
        #expect(batch["jobs"]["waiting"].int == 3 && batch["jobs"]["deferred"].int == 0)
        #expect(batch["waiting_for"][0]["reason"].text == "key one: its limit of 5 requests a minute is in use")
        #expect(batch["waiting_for"][0]["jobs"].int == 3)
        expect(batch["waiting_for"][0]["until"], is: .time)
        run.signal(SIGTERM)
        #expect(await run.wait() == 143)
        #expect(try await provider.ledger()["requests"].int == 5)
    }
}
