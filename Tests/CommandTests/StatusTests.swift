import Foundation
import Glibc
import Synchronization
import Testing

/// What `status` and `keys` say of a queue while it is worked and while it is not.
@Suite(.turns) struct StatusTests {
    /// A cent a token of output, and 30 of them in every answer: each job costs 0.30 dollars, and never more.
    private static func priced(_ provider: String, _ classes: String, concurrent: Int = 8) -> String {
        func key(_ name: String, _ secret: String) -> String {
            """
            "\(name)": { provider: "r", secret: { env: "\(secret)" }, limits: { concurrent: \(concurrent) },
              prices: { "m": { input: 0, output: 10000 } } }
            """
        }
        return """
            { timezone: "\(Workplace.quietZone)", providers: { "r": { kind: "openai", base_url: "\(provider)" } },
              keys: { \(key("one", "TEST_KEY_ONE")), \(key("two", "TEST_KEY_TWO")) }, classes: { \(classes) } }
            """
    }

    private static func batch(_ models: [String]) -> String {
        models.enumerated().map { number, model in
            #"{"custom_id":"p-\#(number + 1)","method":"POST","url":"/v1/chat/completions","body":"#
                + #"{"model":"\#(model)","max_tokens":30,"messages":[{"role":"user","content":"say \#(number + 1)"}]}}"#
                + "\n"
        }.joined()
    }

    private static func place(
        _ profile: String, _ classes: String, _ models: [String], concurrent: Int = 8
    ) async throws -> (Workplace, Provider) {
        let (place, provider) = try await Workplace.rehearsed(profile)
        try place.write(priced(provider.url, classes, concurrent: concurrent), to: "offpeak.json5")
        try place.write(batch(models), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        return (place, provider)
    }

    private static let moment = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    private static let exact = "answer: { tokens: { min: 30, max: 30 } }"
    private static let two = #"keys: { "test-key-one": { name: "one" }, "test-key-two": { name: "two" } }"#

    // MARK: Why jobs stopped

    @Test func `jobs that stopped with one code for different reasons are told apart, in text and JSON`() async throws {
        let models = ["a", "a", "a", "b", "b", "c", "d", "e", "f", "g", "g"]
        let (place, provider) = try await Self.place(
            #"{ latency: "5ms", \#(Self.two) }"#,
            #""nightly": { posture: "strict", keys: { only: ["one"] }, budget: { usd: 1, per: "day" } }"#, models)
        let run = try await place.run("run")
        #expect(run.status == 3)
        #expect(
            run.err.hasSuffix(
                "failed or parked: 11 jobs (11 parked: unknown_cost); `offpeak status` tells why, and what to do about it\n"
            ), "\(run)")
        func reason(_ model: String) -> String {
            "the price of \(model) on key one is unknown, and without it no budget or quota can be kept"
        }
        let text = try await place.ok("status", "b1")
        let lines = text.split(separator: "\n").map(String.init)
        let first = try #require(lines.firstIndex { $0.contains("parked: unknown_cost") })
        #expect(
            Array(lines[first...]) == [
                "    3 jobs parked: unknown_cost: \(reason("a"))", "    2 jobs parked: unknown_cost: \(reason("b"))",
                "    2 jobs parked: unknown_cost: \(reason("g"))", "    1 job parked: unknown_cost: \(reason("c"))",
                "    1 job parked: unknown_cost: \(reason("d"))",
                "    and 2 more parked: unknown_cost, for 2 other reasons",
                "        state the price in that key's `prices`, or in the price list: the next `offpeak run` takes them up by itself",
            ], "\(text)")
        let stopped = try await place.status()["stopped"].list
        #expect(stopped.map { $0["jobs"].int } == [3, 2, 2, 1, 1, 2])
        #expect(stopped.map { $0["reason"].text }.first == reason("a"))
        #expect(stopped.last?["reason"].text == "2 other reasons")
        #expect(stopped.allSatisfy { $0["code"].text == "unknown_cost" && $0["state"].text == "parked" })
        #expect(try await provider.ledger()["requests"].int == 0)
    }

    // MARK: Budgets

    @Test func `what is in flight is told as reserved, and that the rest waits for its answers`() async throws {
        let (place, provider) = try await Self.place(
            #"{ latency: "20s", \#(Self.exact), \#(Self.two) }"#,
            #""nightly": { posture: "strict", keys: { only: ["one"] }, budget: { usd: 2, per: "batch" } }"#,
            [String](repeating: "m", count: 10))
        let run = try place.start("run")
        // Six worst cases fit into the budget.
        try await provider.until("six requests") { $0["in_flight"].int == 6 }
        let batch = try await place.status()
        let budget = batch["budgets"][0]
        #expect(budget["usd"].text == "2.00" && budget["left_usd"].text == "2.00", "\(budget)")
        #expect(budget["reserved_usd"].text == "1.80" && budget["in_flight"].int == 6, "\(budget)")
        let reason =
            "the budget of class nightly has 2.00 USD left, of which 6 requests in flight may take 1.80 USD, and one more "
            + "may cost up to 0.30 USD: answers are awaited"
        #expect(batch["waiting_for"].list.count == 1)
        #expect(batch["waiting_for"][0]["reason"].text == reason && batch["waiting_for"][0]["jobs"].int == 4)
        #expect(batch["waiting_for"][0]["until"].isNull && batch["jobs"]["deferred"].int == 0)
        let text = try await place.ok("status")
        #expect(
            text.contains(
                "    budget of class nightly: 2.00 of 2.00 USD left for this batch; up to 1.80 USD of it for 6 requests in flight\n"
                    + "    4 jobs waiting: \(reason)"), "\(text)")
        run.signal(SIGKILL)
        _ = await run.wait()
        // Nobody awaits those answers any more; they may have been charged all the same.
        let dead = try await place.status()
        #expect(dead["waiting_for"].list.isEmpty && dead["budgets"][0]["reserved_usd"].text == "1.80")
        #expect(try await place.ok("status").contains("; up to 1.80 USD of it for 6 requests cut off\n"))
    }

    @Test func `a deferred job and those behind it wait in one line when the budget keeps them all`() async throws {
        // The first request is refused for its key's quota and waits; the other key uses up the budget.
        let (place, _) = try await Self.place(
            #"{ latency: "50ms", \#(Self.exact), \#(Self.two), faults: [{ what: "quota", key: "one", at: [1] }] }"#,
            #""nightly": { posture: "strict", keys: { only: ["one", "two"] }, budget: { usd: 0.9, per: "day", then: "defer" } }"#,
            [String](repeating: "m", count: 6), concurrent: 1)
        #expect(try await place.run("run", "--no-wait").status == 4)
        let batch = try await place.status()
        let waits = batch["waiting_for"].list
        #expect(waits.count == 1, "\(waits)")
        #expect(waits[0]["jobs"].int == 3 && batch["jobs"]["deferred"].int == 3)
        #expect(
            waits[0]["reason"].text.hasPrefix("the budget of 0.90 USD per day of class nightly is used up: 0.90 USD"))
        #expect(waits[0]["until"].text == batch["budgets"][0]["resets"].text)
        #expect(batch["next_due"].text == batch["budgets"][0]["resets"].text)
    }

    // MARK: Deadlines

    @Test
    func `a deadline is told with what has become of it: to come, missed with open jobs, met, or missed in the end`()
        async throws
    {
        let (place, _) = try await Workplace.rehearsed(
            classes: #""nightly": { posture: "cost", deadline: "12h" }, "plain": { posture: "cost" }"#)
        func line(_ batch: String) async throws -> String? {
            let text = try await place.ok("status", batch)
            return text.split(separator: "\n").first { $0.contains("deadline") }.map(String.init)
        }
        func isMissed(_ batch: String) async throws -> Document { try await place.status(of: batch)["deadline_missed"] }
        #expect(try await place.submit(2, class: "plain") == "b1")
        #expect(try await line("b1") == nil)
        #expect(try await isMissed("b1").isNull)
        // The class's, and one of its own.
        #expect(try await place.submit(2) == "b2")
        let moment = try await place.status(of: "b2")["deadline"].text
        #expect(try await line("b2")?.hasPrefix("    deadline: \(moment), in 11 h 59 min") == true)
        #expect(try await !isMissed("b2").bool)
        try await place.ok(
            "submit", "in.jsonl", "--class", "nightly", "--model", "m", "--name", "c", "--deadline", "1s")
        try await place.ok(
            "submit", "in.jsonl", "--class", "nightly", "--model", "m", "--name", "d", "--deadline", "1s")
        for batch in ["b3", "b4"] {
            try await eventually("the moment has passed") { try await isMissed(batch).bool }
        }
        let early = try await place.status(of: "b3")["deadline"].text
        let open = try #require(try await line("b3"))
        #expect(
            open.hasPrefix("    deadline: \(early), missed: it was ") && open.hasSuffix(" ago, and 2 jobs are not done")
        )
        try await place.ok("cancel", "b4")
        try await place.ok("run")
        #expect(try await line("b2")?.hasPrefix("    deadline: \(moment), met: the last job ended 11 h ") == true)
        #expect(try await !isMissed("b2").bool)
        let late = try #require(try await line("b3"))
        #expect(late.hasPrefix("    deadline: \(early), missed: the last job ended ") && late.hasSuffix(" after it"))
        #expect(try await isMissed("b3").bool)
        let cancelled = try await place.status(of: "b4")["deadline"].text
        #expect(try await line("b4") == "    deadline: \(cancelled)")
        #expect(try await !isMissed("b4").bool)
    }

    // MARK: Waiting

    @Test func `what flows of a batch wait for alike is told in one line, and of their keys what to do`() async throws {
        // Key one is refused, and two has room for one job only.
        let (place, provider) = try await Workplace.rehearsed(
            #"{ latency: "5ms", keys: { "test-key-two": { name: "two" } } }"#)
        try place.write(
            """
            { timezone: "\(Workplace.quietZone)", providers: { "r": { kind: "openai", base_url: "\(provider.url)" } },
              keys: { "one": { provider: "r", secret: { env: "TEST_KEY_ONE" } },
                "two": { provider: "r", secret: { env: "TEST_KEY_TWO" }, limits: { concurrent: 1 },
                         quota: { requests: 1, per: "day" } } },
              classes: { "nightly": { posture: "fallback", keys: { order: ["one", "two"] } } } }
            """, to: "offpeak.json5")
        try place.write(Self.batch(["m", "m", "n", "n", "o"]), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        #expect(try await place.run("run", "--no-wait").status == 4)
        let document = try await place.run("status", "b1", "--json").document()
        let waits = document["waiting_for"].list
        #expect(waits.count == 1 && waits[0]["jobs"].int == 4, "\(waits)")
        let reason = "key two: its quota of 1 request a day is used up"
        #expect(waits[0]["reason"].text == reason)
        let until = waits[0]["until"].text
        let (one, two) = (document["keys"][0], document["keys"][1])
        #expect(document["keys"].list.count == 2)
        #expect(one["key"].text == "one" && one["health"].text == "rejected" && one["until"].isNull)
        #expect(two["key"].text == "two" && two["health"].text == "exhausted" && two["until"].text == until)
        let rejection = one["reason"].text
        #expect(!rejection.isEmpty)
        for call in [["status"], ["status", "b1"]] {
            let lines = try await place.run(call).out.split(separator: "\n").map(String.init)
            #expect(
                lines.filter { $0.contains(reason) } == ["    4 jobs waiting until \(until): \(reason)"], "\(lines)")
            #expect(
                lines.suffix(3) == [
                    "key one is rejected: \(rejection); mend its secret: the next `offpeak run` tries it again",
                    "key two is exhausted until \(until); raise its quota, or wait for the next period",
                    "no run is working this queue; `offpeak run` goes on",
                ], "\(lines)")
        }
        // Of keys that nothing waits for nothing is said.
        try await place.ok("cancel", "b1")
        #expect(!(try await place.ok("status").contains("key ")))
        #expect(try await place.run("status", "--json").document()["keys"].list.isEmpty)
    }

    @Test func `from the first failures on, all that waits for a provider has a reason`() async throws {
        let (place, provider) = try await Workplace.rehearsed(limits: "concurrent: 1")
        try await place.submit(40)
        provider.child.signal(SIGKILL)
        _ = await provider.child.wait()
        let run = try place.start("run")
        try await eventually("the key is said to be cooling") {
            try await place.run("keys", "--json").document()["keys"][0]["health"].text == "cooling"
        }
        for _ in 0..<5 {
            let batch = try await place.status()
            let told = batch["waiting_for"].list.reduce(0) { $0 + $1["jobs"].int }
            #expect(told == batch["jobs"]["waiting"].int + batch["jobs"]["deferred"].int && told >= 39, "\(batch)")
            let reasons = batch["waiting_for"].list.map { $0["reason"].text }
            #expect(Set(reasons).count == reasons.count, "\(reasons)")
            #expect(
                reasons.allSatisfy { $0.hasPrefix("key one: its provider keeps failing: no connection") }, "\(reasons)")
        }
        run.signal(SIGKILL)
        _ = await run.wait()
    }

    // MARK: The run

    @Test func `status says whether a run works the queue, and which`() async throws {
        let (place, provider) = try await Workplace.rehearsed(#"{ latency: "20s", keys: { "test-key-one": {} } }"#)
        let idle = "no run is working this queue; `offpeak run` goes on"
        #expect(try await place.submit(3) == "b1")
        for call in [["status"], ["status", "b1"]] {
            let outcome = try await place.run(call)
            #expect(outcome.out.hasSuffix("\n\(idle)\n"), "\(outcome)")
            #expect(try await place.run(call + ["--json"]).document()["run"].isNull)
        }
        let run = try place.start("run")
        try await provider.until("requests") { $0["in_flight"].int == 3 }
        for call in [["status"], ["status", "b1"]] {
            #expect(!(try await place.run(call).out.contains("no run is working")))
            let alive = try await place.run(call + ["--json"]).document()["run"]
            #expect(alive["pid"].int == Int(run.pid))
            expect(alive["since"], is: .time)
        }
        run.signal(SIGKILL)
        _ = await run.wait()
        let dead = try await place.run("status")
        #expect(!dead.out.contains("in flight") && dead.out.hasSuffix("\n\(idle)\n"), "\(dead)")
        // With nothing to do there is nobody to miss.
        try await place.ok("cancel", "b1")
        try await place.ok("pause", "--key", "one")
        _ = try await place.run("run", "--no-wait")
        #expect(!(try await place.ok("status").contains("no run is working")))
    }

    @Test func `what was in flight when a run was killed is called cut off, with what becomes of it`() async throws {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ latency: "20s", keys: { "test-key-one": {} } }"#,
            classes: #""careful": { posture: "governance", keys: { only: ["one"] } }"#)
        let lines = ["careful", "careful", "other"].enumerated().map { number, name in
            #"{"custom_id":"p-\#(number)","prompt":"x","class":"\#(name == "other" ? "default" : name)"}"#
        }
        try place.write(lines.joined(separator: "\n") + "\n", to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "careful", "--model", "m")
        let run = try place.start("run")
        try await provider.until("requests") { $0["in_flight"].int == 3 }
        let alive = try await place.status()
        #expect(alive["jobs"]["in_flight"].int == 3 && alive["cut_off"].int == 0)
        #expect(try await place.ok("status").contains("    3 jobs: 3 in flight\n"))
        run.signal(SIGKILL)
        _ = await run.wait()
        let dead = try await place.status()
        #expect(dead["jobs"]["in_flight"].int == 3 && dead["cut_off"].int == 3)
        let text = try await place.ok("status", "b1")
        #expect(
            text.contains("    3 jobs: 3 cut off\n")
                && text.contains(
                    "    3 jobs cut off when the run ended: whether they were answered, and charged, is unknown; the next "
                        + "`offpeak run` parks them for a person or sends them again, by their class\n"),
            "\(text)")
        // As told.
        let next = try place.start("run")
        try await provider.until("the third job") { $0["requests"].int == 4 }
        let after = try await place.status()
        #expect(after["jobs"]["parked"].int == 2 && after["jobs"]["in_flight"].int == 1 && after["cut_off"].int == 0)
        next.signal(SIGKILL)
        _ = await next.wait()
        try await place.ok("cancel", "b1")
        let last = try await place.ok("status", "b1")
        #expect(
            last.contains("    1 job cut off when the run ended: whether it was answered, ")
                && last.contains("`offpeak run` ends it as cancelled\n"), "\(last)")
    }

    // MARK: Keys

    @Test func `a key whose provider keeps failing is cooling in a run, and a new run tries it at once`() async throws {
        let (place, provider) = try await Workplace.rehearsed()
        try await place.submit(30)
        provider.child.signal(SIGKILL)
        _ = await provider.child.wait()
        let run = try place.start("run")
        try await eventually("the key is said to be cooling") {
            try await place.run("keys", "--json").document()["keys"][0]["health"].text == "cooling"
        }
        try await place.until("the wait is noted") { !$0["waiting_for"].list.isEmpty }
        try await eventually("both tell one moment") {
            let key = try await place.run("keys", "--json").document()["keys"][0]
            let wait = try await place.status()["waiting_for"].list.first
            return wait != nil && key["until"].optionalText == wait?["until"].optionalText
                && key["health"].text == "cooling"
                && key["reason"].text.hasPrefix("its provider keeps failing: no conn")
        }
        // A pause that is long enough to begin another run in.
        var until = ""
        try await eventually("a long pause") {
            until = try await place.run("keys", "--json").document()["keys"][0]["until"].optionalText ?? ""
            guard let end = try? Date(until, strategy: Self.moment) else { return false }
            return end.timeIntervalSinceNow > 12
        }
        run.signal(SIGTERM)
        #expect(await run.wait() == 143)
        // The key is said to cool for another while, and the next run does not wait for that.
        let again = try await Provider(in: place)
        place.providers.withLock { $0.append(again) }
        try place.configure(again)
        #expect(try await place.run("keys", "--json").document()["keys"][0]["health"].text == "cooling")
        try await place.ok("run")
        let tried = try await place.run("explain", "b1", "p-30", "--json").document()["attempts"].list.last
        #expect(try #require(tried)["started"].text < until, "moments of one form compare as texts do")
        #expect(try await place.run("keys", "--json").document()["keys"][0]["health"].text == "ok")
    }
}
