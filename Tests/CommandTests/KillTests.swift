import Foundation
import Glibc
import Testing

/// Kill -9 at any moment: nothing is lost, nothing is recorded twice, and every repeat is accounted for.
///
/// `OFFPEAK_KILLS` and `OFFPEAK_KILL_JOBS` make it longer; `OFFPEAK_KILL_SEED` repeats where the kills fall.
@Suite(.turns) struct KillTests {
    private static func number(_ name: String, _ standard: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? standard
    }

    @Test func `a run that is killed again and again ends with one result for every line`() async throws {
        let kills = Self.number("OFFPEAK_KILLS", 12)
        let jobs = Self.number("OFFPEAK_KILL_JOBS", 600)
        let seed = UInt64(Self.number("OFFPEAK_KILL_SEED", Int(getpid())))
        print("kills: OFFPEAK_KILLS=\(kills) OFFPEAK_KILL_JOBS=\(jobs) OFFPEAK_KILL_SEED=\(seed)")
        var random = Lottery(state: seed)
        let (place, provider) = try await Workplace.rehearsed(
            #"{ seed: 5, latency: { min: "20ms", max: "120ms" }, keys: { "test-key-one": {} } }"#,
            limits: "concurrent: 32")
        try await place.submit(jobs)
        var killed = 0
        var inFlight = 0
        while killed < kills {
            let answered = try await provider.ledger()["answers"].int
            if answered >= jobs - 64 { break }
            let run = try place.start("--quiet", "run")
            // Early kills meet the start and recovery, later ones the middle of the work.
            let share = max(4, (jobs - answered) / max(1, kills - killed))
            let goal = answered + random.below(share + 1)
            await provider.kill(run, atAnswers: goal)
            #expect(await run.wait() == 137)
            killed += 1
            let open = try await place.status()["jobs"]["in_flight"].int
            #expect(open <= 32, "the queue knows at most what may be in flight")
            inFlight += open
        }
        #expect(killed >= kills / 2, "most of the kills happened before the work was over: \(killed) of \(kills)")
        let last = try await place.run(["run"], limit: .seconds(180))
        #expect(last.status == 0, "\(last)")

        #expect(try await place.answered() == (1...jobs).map { "p-\($0)" }, "every line once, in order")
        let ledger = try await provider.ledger()
        let repeats = ledger["requests_repeated"]["extra"].int
        #expect(ledger["requests"].int == jobs + repeats)
        print("kills: \(killed), in flight then: \(inFlight), sent again: \(repeats)")

        // Each attempt that was cut off is listed as unknown, and its job was answered by a later one.
        let totals = try await place.run("keys", "--json").document()["keys"][0]["used"]
        let unknown = totals["unknown"].int
        #expect(repeats <= unknown, "\(repeats) requests came again, and \(unknown) are listed as unknown")
        // A run that is killed before it has looked at what the one before left shows the same requests once more.
        #expect(unknown <= inFlight && unknown >= inFlight / 2)
        #expect(totals["succeeded"].int == jobs)
        #expect(totals["attempts"].int == jobs + unknown)
        let database = try Child(
            "sqlite3",
            [
                "-readonly", "offpeak.db",
                "SELECT custom_id FROM job WHERE id IN (SELECT job FROM attempt WHERE outcome = 3) ORDER BY random() LIMIT 60",
            ], in: place.path, environment: ["PATH": "/usr/bin:/bin"])
        #expect(await database.wait() == 0)
        let cut = await database.out.whole().split(separator: "\n").map(String.init)
        #expect(!cut.isEmpty == (inFlight > 0))
        for id in cut {
            let outcomes = try await place.run("explain", "b1", id, "--json").document()["attempts"].list.map {
                $0["outcome"].text
            }
            #expect(outcomes.last == "succeeded" && outcomes.count > 1, "\(id): \(outcomes)")
            #expect(outcomes.dropLast().allSatisfy { $0 == "unknown" }, "\(id): \(outcomes)")
        }
    }

    @Test(arguments: [1, 3])
    func `in a governance class what was in flight waits for a person`(count: Int) async throws {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ latency: "10s", keys: { "test-key-one": {} } }"#,
            classes: #""careful": { posture: "governance", keys: { only: ["one"] } }"#)
        try await place.submit(count, class: "careful")
        let run = try place.start("run")
        try await provider.until("requests") { $0["in_flight"].int == count }
        run.signal(SIGKILL)
        #expect(await run.wait() == 137)
        let next = try await place.run("run")
        let words =
            count == 1
            ? "1 request in flight: its outcome is unknown; it is parked"
            : "3 requests in flight: their outcome is unknown; they are parked"
        #expect(next.err.hasPrefix("an earlier run ended with \(words)\n"), "\(next)")
        #expect(next.status == 3)
        #expect(try await place.status()["jobs"]["parked"].int == count)
        #expect(try await provider.ledger()["requests"].int == count)
        let jobs = count == 1 ? "1 job" : "3 jobs"
        let plan = try await place.ok("plan", "b1")
        #expect(plan.hasPrefix("nothing waits; \(count) parked \(count == 1 ? "job is" : "jobs are") not forecast: "))
        let keys = try await place.ok("keys")
        #expect(keys.contains("; in all \(count) \(count == 1 ? "attempt" : "attempts"), 0 succeeded, "), "\(keys)")
        #expect(
            try await place.run("retry", "b1", "--unknown").err
                == "b1: \(jobs) will be tried again by `offpeak run`\n")
    }

    @Test(arguments: ["", "12h"])
    func `a submit that is killed again and again ends with one batch of exactly its lines`(deadline: String)
        async throws
    {
        let place = try Workplace()
        try place.configure(nil)
        let count = 120_000
        try place.write(Workplace.prompts(count, padding: 60), to: "in.jsonl")
        let call = ["submit", "in.jsonl", "--model", "m"] + (deadline.isEmpty ? [] : ["--deadline", deadline])
        var interrupted = 0
        for growth in [1, 2_500_000, 2_500_000, 2_500_000] {
            let goal = place.queueBytes + growth
            let submit = try place.start(call)
            await place.kill(submit, atBytes: goal)
            if await submit.wait() == 137 { interrupted += 1 }
        }
        #expect(interrupted >= 2, "the kills met the submit in its middle")
        let half = try await place.run("status", "--json").document()["batches"]
        #expect(half.list.count == 1)
        if half[0]["state"].text == "submitting" {
            #expect(half[0]["waiting_for"][0]["reason"].text.hasPrefix("its submit is not complete"))
            let early = try await place.run("run")
            #expect(
                early.status == 0 && early.err.hasPrefix("0 jobs succeeded"),
                "what is not accepted is not sent: \(early)")
        }
        let last = try await place.run(call)
        #expect(last.out == "b1\n" && last.status == 0, "\(last)")
        #expect(last.err == "120000 jobs queued as b1 (an interrupted submit was completed)\n")
        let batches = try await place.run("status", "--json").document()["batches"]
        #expect(batches.list.count == 1 && batches[0]["jobs"]["total"].int == count)
        #expect(batches[0]["state"].text == "open" && batches[0]["deadline"].isNull == deadline.isEmpty)
        for n in [1, 59_999, count] {
            let job = try await place.run("explain", "b1", "p-\(n)", "--json").document()["job"]
            #expect(job["line"].int == n)
        }
        // Acknowledged: the same file is a new batch from now on.
        #expect(try await place.run(call).out == "b2\n")
    }

    @Test func `what a killed submit has left is named, is no batch, and can be deleted`() async throws {
        let place = try Workplace()
        try place.configure(nil)
        try place.write(Workplace.prompts(120_000, padding: 60), to: "in.jsonl")
        func half() async throws -> Int {
            let submit = try place.start("submit", "in.jsonl", "--model", "m")
            await place.kill(submit, atBytes: place.queueBytes + 2_500_000)
            #expect(await submit.wait() == 137)
            let batches = try await place.run("status", "--json").document()["batches"].list
            #expect(batches.count == 1 && batches[0]["state"].text == "submitting", "the kill met it in its middle")
            return batches[0]["jobs"]["total"].int
        }
        let lines = try await half()
        let refusal =
            "error: the submit of batch b1 was interrupted: none of its lines is accepted\nhint: repeat that `offpeak submit`, "
            + "which goes on where it was; or `offpeak cancel b1` deletes what it has left\n"
        for call in [["results", "b1"], ["results", "b1", "--partial"], ["plan", "b1"], ["retry", "b1"]] {
            let outcome = try await place.run(call)
            #expect(outcome.err == refusal && outcome.status == 1 && outcome.out == "", "\(outcome)")
        }
        let cancelled = try await place.run("cancel", "b1")
        #expect(
            cancelled.err
                == "b1: its submit was interrupted, and is deleted with \(lines) lines, none of which had been accepted\n"
                && cancelled.status == 0, "\(cancelled)")
        #expect(try await place.run("status", "--json").document()["batches"].list.isEmpty)
        let more = try await half()
        // Its age counts from its beginning.
        let pruned = try await place.run("prune", "--older-than", "1ms")
        #expect(
            pruned.err == "0 batches with 0 jobs deleted, and what 1 interrupted submit had left: \(more) lines\n",
            "\(pruned)")
        #expect(try await place.run("status", "--json").document()["batches"].list.isEmpty)
    }

    @Test func `a killed submit is completed by the same call, though its deadline's moment has passed since`()
        async throws
    {
        let place = try Workplace()
        try place.configure(nil)
        try place.write(Workplace.prompts(120_000, padding: 60), to: "in.jsonl")
        let moment = Date(timeIntervalSince1970: (Date().timeIntervalSince1970 + 3).rounded(.up))
        let call = ["submit", "in.jsonl", "--model", "m", "--deadline", ISO8601DateFormatter().string(from: moment)]
        let submit = try place.start(call)
        await place.kill(submit, atBytes: 2_500_000)
        #expect(await submit.wait() == 137)
        try await eventually("the moment to pass") { Date() > moment }
        let other = try await place.run(call + ["--name", "other"])
        #expect(other.status == 1 && other.err.contains("is in the past"), "\(other)")
        let last = try await place.run(call)
        #expect(last.out == "b1\n" && last.status == 0, "\(last)")
        #expect(last.err == "120000 jobs queued as b1 (an interrupted submit was completed)\n")
        // Acknowledged: what would be a new batch now has its deadline behind it.
        let again = try await place.run(call)
        #expect(again.status == 1 && again.out == "" && again.err.contains("is in the past"), "\(again)")
        let batches = try await place.run("status", "--json").document()["batches"].list
        #expect(batches.count == 1 && batches[0]["jobs"]["total"].int == 120_000 && !batches[0]["deadline"].isNull)
    }
}

extension Workplace {
    /// What the queue's files hold so far.
    var queueBytes: Int {
        ["offpeak.db", "offpeak.db-wal"].reduce(0) { sum, name in
            var status = stat()
            return stat(file(name), &status) == 0 ? sum + Int(status.st_size) : sum
        }
    }

    /// Kills a submit as soon as the queue's files hold so much, on a thread that nothing else keeps busy.
    func kill(_ submit: Child, atBytes goal: Int) async {
        await withCheckedContinuation { continuation in
            Thread { [self] in
                while submit.isRunning, queueBytes < goal { usleep(500) }
                submit.signal(SIGKILL)
                continuation.resume()
            }.start()
        }
    }
}

/// Chance that a seed repeats.
struct Lottery {
    var state: UInt64

    /// A number from 0 up to, and without, a limit.
    mutating func below(_ limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ z >> 31) % UInt64(limit))
    }
}
