import Foundation
import Glibc
import Testing

/// What `results`, `status`, `explain` and `keys` give to programs.
@Suite(.turns) struct ResultsTests {
    private static let usage = Shape.object(["input_tokens": .int, "cached_tokens": .int, "output_tokens": .int])
    private static let cost = Shape.object([
        "provider_usd": .text, "platform_usd": .text, "credit_usd": .text,
        "unknown": .object(["attempts": .int, "provider_usd": .text, "platform_usd": .text]),
    ])
    private static let batch = Shape.object([
        "batch": .text, "name": .text, "class": .text, "state": .oneOf(["open", "done", "cancelled", "paused"]),
        "jobs": .object([
            "total": .int, "waiting": .int, "deferred": .int, "parked": .int, "in_flight": .int, "succeeded": .int,
            "failed": .int, "cancelled": .int,
        ]),
        "cut_off": .int, "deadline": .orNull(.time), "deadline_missed": .orNull(.bool),
        "next_due": .orNull(.time),
        "waiting_for": .list(.object(["reason": .text, "jobs": .int, "until": .orNull(.time)])),
        "stopped": .list(
            .object([
                "state": .oneOf(["parked", "failed"]), "failure_class": .text, "code": .text, "jobs": .int,
                "at_least": .bool,
                "reason": .text, "first_line": .int, "hint": .orNull(.text),
            ])),
        "usage": usage, "cost": cost,
    ])
    private static let explanation = Shape.object([
        "job": .object(["batch": .text, "custom_id": .text, "class": .text, "state": .text]),
        "attempts": .list(
            .object([
                "n": .int, "key": .text, "model": .text, "lane": .text, "bill": .text, "started": .time,
                "ended": .orNull(.time), "outcome": .text, "failure_class": .orNull(.text),
                "disposition": .orNull(.text), "reason": .text,
                "passed_over": .list(.object(["key": .text, "reason": .text])), "usage": usage, "cost": cost,
            ])),
    ])
    private static let key = Shape.object([
        "key": .text, "provider": .text, "billing": .text, "pool": .orNull(.text), "enabled": .bool,
        "health": .oneOf(["ok", "cooling", "rejected", "exhausted", "paused"]), "until": .orNull(.time),
        "reason": .orNull(.text), "limits": .object([:]),
        "used": .object(["requests_today": .int, "tokens_today": .int, "answered_tokens_today": .int]),
        "quota": .object([:]), "credit": .object([:]),
        "fee": .object([:]),
    ])

    /// A batch of eight of which two are refused as wrong and one has to be asked twice.
    private func finished() async throws -> (Workplace, Provider) {
        let (place, provider) = try await Workplace.rehearsed(
            """
            { latency: "5ms", keys: { "test-key-one": {} }, faults: [
              { what: "bad-request", at: [1, 2] }, { what: "503", at: [3] },
            ] }
            """, limits: "concurrent: 1",
            classes:
                #""nightly": { posture: "strict", keys: { only: ["one"] }, backoff: { base: "10ms", cap: "20ms" } }"#)
        try await place.submit(8)
        #expect(try await place.run("run").status == 3)
        return (place, provider)
    }

    @Test func `results overwrite neither the queue nor the configuration nor the input`() async throws {
        let (place, _) = try await Workplace.rehearsed()
        try await place.submit(3, as: "in.jsonl")
        try await place.ok("run")
        for (file, what) in [
            ("offpeak.db", "the queue"), ("./offpeak.db-lock", "the queue"), ("offpeak.json5", "the configuration"),
            ("in.jsonl", "the batch's own input"),
        ] {
            for option in ["-o", "--errors"] {
                let outcome = try await place.run("results", "b1", option, file)
                #expect(outcome.status == 1, "\(outcome)")
                #expect(outcome.err == "error: \(file) is \(what) and is not overwritten\nhint: name another file\n")
            }
        }
        #expect(try await place.status()["jobs"]["succeeded"].int == 3)
    }

    @Test func `results are one line per job in input order, in OpenAI's format`() async throws {
        let (place, _) = try await finished()
        let outcome = try await place.run("results", "b1")
        #expect(outcome.err == "b1: 6 answers, 2 errors\n" && outcome.status == 0)
        let lines = try Document.lines(outcome.out)
        #expect(lines.map { $0["custom_id"].text } == (1...8).map { "p-\($0)" })
        #expect(Set(lines.map { $0["id"].text }).count == 8)
        for line in lines {
            #expect(line.keys == ["id", "custom_id", "response", "error"])
            #expect(line["response"].isNull != line["error"].isNull, "one of the two: \(line)")
            if line["error"].isNull {
                expect(
                    line["response"],
                    is: .object([
                        "status_code": .int, "request_id": .text,
                        "body": .object([
                            "object": .oneOf(["chat.completion"]),
                            "choices": .list(.object(["message": .object(["content": .text])])),
                        ]),
                    ]))
            } else {
                expect(line["error"], is: .object(["code": .oneOf(["unsupported_parameter"]), "message": .text]))
            }
        }
        #expect(lines.count { $0["response"].isNull } == 2)
        // Failed lines have their receipt, too.
        let receipts = try Document.lines(try await place.ok("results", "b1", "--receipts")).map { $0["offpeak"] }
        #expect(receipts.allSatisfy { $0["key"].text == "one" && $0["bill"].text == "provider" })
        #expect(receipts.map { $0["attempts"].int }.sorted() == [1, 1, 1, 1, 1, 1, 1, 2])
    }

    @Test func `files appear whole, and errors go to their own if wished`() async throws {
        let (place, _) = try await finished()
        let all = try await place.ok("results", "b1")
        let outcome = try await place.run("results", "b1", "-o", "out.jsonl")
        #expect(outcome.out == "" && outcome.err == "b1: 6 answers, 2 errors\n" && outcome.status == 0)
        #expect(try place.read("out.jsonl") == all)
        try await place.ok("results", "b1", "--output=good.jsonl", "--errors", "bad.jsonl")
        let good = try place.read("good.jsonl").split(separator: "\n")
        let bad = try place.read("bad.jsonl").split(separator: "\n")
        #expect(good.count == 6 && bad.count == 2)
        #expect(Set(good + bad) == Set(all.split(separator: "\n")))
        #expect(try await place.run("results", "b1", "--errors", "bad2.jsonl").out.split(separator: "\n") == good)
        #expect(try await place.run("results", "b1", "-o", "-").out == all)
        let summary = try Document(try await place.ok("results", "b1", "-o", "x.jsonl", "--json"))
        #expect(summary["answers"].int == 6 && summary["errors"].int == 2 && summary["open"].int == 0)
        #expect(!place.names.contains { $0.contains(".part") }, "no temporary file stays: \(place.names)")
    }

    @Test func `links are followed, pipes and devices are written as they are`() async throws {
        let (place, _) = try await finished()
        let all = try await place.ok("results", "b1")
        try place.write("old", to: "real.jsonl")
        chmod(place.file("real.jsonl"), 0o640)
        symlink("real.jsonl", place.file("link.jsonl"))
        try await place.ok("results", "b1", "-o", "link.jsonl")
        #expect(try place.read("real.jsonl") == all)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: place.file("link.jsonl")) == "real.jsonl")
        var status = stat()
        #expect(stat(place.file("real.jsonl"), &status) == 0 && status.st_mode & 0o777 == 0o640)
        mkfifo(place.file("pipe"), 0o600)
        let reader = try Child("cat", ["pipe"], in: place.path, environment: ["PATH": "/usr/bin:/bin"])
        try await place.ok("results", "b1", "-o", "pipe")
        #expect(await reader.wait() == 0)
        #expect(await reader.out.whole() == all)
        #expect(stat(place.file("pipe"), &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
        try await place.ok("results", "b1", "-o", "/dev/null")
        #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    }

    @Test func `results that cannot be written say so, and leave what was there`() async throws {
        let (place, _) = try await finished()
        for (arguments, message, status) in [
            (["-o", "no/such/file"], "cannot write no/such/file: No such file or directory", Int32(1)),
            (["-o", "."], "cannot write .: it is a folder", 1),
            (["--errors", "offpeak.json5/x"], "cannot write offpeak.json5/x: Not a directory", 1),
            (["-o", "/dev/full"], "cannot write /dev/full: No space left on device", 2),
        ] {
            let outcome = try await place.run(["results", "b1"] + arguments)
            #expect(outcome.err.hasPrefix("error: \(message)\nhint: "), "\(outcome)")
            #expect(outcome.status == status && outcome.out == "")
        }
        let same = try await place.run("results", "b1", "-o", "same", "--errors", "./same")
        #expect(same.err.contains("answers and errors cannot go to the same file") && same.status == 1)
        #expect(!place.exists("same"))
        let full = try await place.run(["results", "b1"], output: "/dev/full")
        #expect(
            full.err.hasPrefix("error: cannot write standard output: No space left on device\n") && full.status == 2)
    }

    @Test func `a reader that has enough ends it quietly`() async throws {
        let (place, _) = try await Workplace.rehearsed(
            #"{ latency: "1ms", keys: { "test-key-one": {} } }"#, limits: "concurrent: 64")
        try await place.submit(600)
        try await place.ok("run")
        let binary = try Workplace.binary()
        let shell = try Child(
            "bash", ["-c", "'\(binary)' results b1 | head -n 1; echo ${PIPESTATUS[0]}"], in: place.path,
            environment: ["PATH": "/usr/bin:/bin", "HOME": place.path])
        #expect(await shell.wait() == 0)
        let lines = await shell.out.whole().split(separator: "\n")
        #expect(lines.count == 2 && lines[0].contains(#""custom_id":"p-1""#) && lines[1] == "0")
        #expect(await shell.err.whole() == "")
    }

    @Test func `an unfinished batch gives results only with --partial`() async throws {
        let (place, _) = try await Workplace.rehearsed()
        try await place.submit(3)
        try await place.ok("run")
        try await place.submit(5, as: "second.jsonl")
        let outcome = try await place.run("results", "b2")
        #expect(
            outcome.err
                == "error: batch b2 is not finished: 5 jobs without an outcome yet\n"
                + "hint: `offpeak run` finishes it; --partial gives what there is\n")
        #expect(outcome.status == 1 && outcome.out == "")
        let refused = try await place.run("results", "b2", "-o", "out.jsonl")
        #expect(refused.status == 1 && !place.exists("out.jsonl"))
        let partial = try await place.run("results", "b2", "--partial")
        #expect(partial.out == "" && partial.status == 0)
        #expect(partial.err == "b2: 0 answers, 0 errors, 5 jobs without an outcome left out\n")
    }

    @Test func `the documents of status, explain and keys are what was promised`() async throws {
        let (place, provider) = try await finished()
        try await place.submit(2, as: "second.jsonl")
        try await place.ok("pause", "b2")
        let all = try await place.run("status", "--json").document()
        expect(all, is: .object(["batches": .list(Self.batch)]))
        #expect(all["batches"].list.map { $0["state"].text } == ["done", "paused"])
        let first = try await place.status()
        expect(first, is: Self.batch)
        #expect(
            first.keys == all["batches"][0].keys.union(["run", "keys"]) && first["run"].isNull && all["run"].isNull)
        #expect(first["jobs"]["succeeded"].int == 6 && first["jobs"]["failed"].int == 2)
        let ledger = try await provider.ledger()["by_key"]["test-key-one"]
        #expect(first["usage"]["input_tokens"].int == ledger["input_tokens"].int)
        #expect(first["usage"]["output_tokens"].int == ledger["output_tokens"].int)
        // Nobody knows this model's price: its tokens are counted, and not as if they were free.
        #expect(first["cost"]["provider_usd"].text == "0.00")
        #expect(first["unpriced_tokens"].int == ledger["input_tokens"].int + ledger["output_tokens"].int)

        let keys = try await place.run("keys", "--json").document()
        expect(keys, is: .object(["keys": .list(Self.key)]))
        #expect(keys["keys"][0]["limits"]["concurrent"].int == 1)
        #expect(keys["keys"][0]["used"]["attempts"].int == 9 && keys["keys"][0]["used"]["succeeded"].int == 6)

        // One job was asked for twice.
        var attempts: [Int] = []
        for n in 1...8 {
            let explained = try await place.run("explain", "b1", "p-\(n)", "--json").document()
            expect(explained, is: Self.explanation)
            let list = explained["attempts"].list
            #expect(list.map { $0["n"].int } == Array(1...list.count))
            attempts.append(list.count)
            if list.count == 2 {
                #expect(list[0]["outcome"].text == "failed" && list[0]["disposition"].text == "retry")
                #expect(list[0]["failure_class"].text == "overloaded", "\(list[0])")
                #expect(list[1]["outcome"].text == "succeeded" && list[1]["disposition"].text == "complete")
            }
            let words = try await place.ok("explain", "b1", "p-\(n)")
            #expect(words.hasPrefix("p-\(n) of b1, line \(n), class nightly, model m: "))
            #expect(words.contains("  1. 20"))
        }
        #expect(attempts.sorted() == [1, 1, 1, 1, 1, 1, 1, 2])
        let waiting = try await place.run("explain", "b2", "p-1")
        #expect(waiting.out == "p-1 of b2, line 1, class nightly, model m: waiting\n  not sent yet\n")
        let unknown = try await place.run("explain", "b2", "p-99")
        #expect(
            unknown.err
                == "error: batch b2 has no job \"p-99\"\nhint: ids are the lines' custom_id, exactly as written\n")
    }

    @Test func `what is parked makes results end with 3, and say that they are not final`() async throws {
        let (place, _) = try await Workplace.rehearsed(
            #"{ latency: "5ms", keys: { "test-key-one": {} }, faults: [{ what: "revoked", key: "test-key-one", after_requests: 3 }] }"#,
            limits: "concurrent: 1", classes: #""nightly": { posture: "strict", keys: { only: ["one"] } }"#)
        try await place.submit(5)
        #expect(try await place.run("run").status == 3)
        #expect(try await place.status()["jobs"]["parked"].int == 2)
        let told = "b1: 3 answers, 2 errors\n"
        let whole = try await place.run("results", "b1", "-o", "out.jsonl")
        #expect(whole.status == 3 && whole.out == "")
        #expect(
            whole.err == told + "not final: 2 jobs parked, which may still be answered; `offpeak status b1` tells why, "
                + "and what to do about it\n", "\(whole)")
        #expect(try place.read("out.jsonl").split(separator: "\n").count == 5)
        let document = try await place.run("results", "b1", "-o", "out.jsonl", "--json")
        #expect(try document.status == 3 && document.document()["parked"].int == 2)
        let partial = try await place.run("results", "b1", "--partial")
        #expect(partial.status == 0 && partial.err == told)
    }

    @Test func `keys tells what a pool's keys share`() async throws {
        let (place, _) = try await Workplace.rehearsed(limits: "concurrent: 8")
        try await place.submit(4)
        try await place.ok("run")
        let text = try place.read("offpeak.json5")
        try place.write(
            text.replacing("keys: {", with: "pools: { org: { rpm: 90, rpd: 700 } },\nkeys: {", maxReplacements: 1)
                .replacing("secret: {", with: "pool: \"org\", secret: {"), to: "offpeak.json5")
        let used = try await place.run("keys", "--json").document()["keys"][0]
        #expect(used["pool_limits"]["rpm"].int == 90 && used["pool_limits"]["rpd"].int == 700)
        #expect(used["pool_used"]["requests_today"].int == 4)
        #expect(used["pool_used"]["tokens_today"].int == used["used"]["tokens_today"].int)
        let words = try await place.ok("keys")
        #expect(words.contains("\n    pool org: 90 rpm, 700 rpd; today: 4 requests, "), "\(words)")
    }

    @Test func `ids come back as they were, whatever they are`() async throws {
        let (place, _) = try await Workplace.rehearsed()
        let ids = ["ünïcode-🦉", "with \"quotes\" and \\", "-starts-with-a-dash", " spaces ", "emoji 👩‍👩‍👧", "b1", "/slash"]
        var text = ""
        for id in ids {
            let line = try JSONSerialization.data(withJSONObject: ["custom_id": id, "prompt": "x"])
            text += String(decoding: line, as: UTF8.self) + "\n"
        }
        text += #"{"custom_id":"escaped \u00e9\ud83d\ude00","prompt":"x"}"# + "\n"
        try place.write(text, to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly", "--model", "m")
        try await place.ok("run")
        #expect(try await place.answered() == ids + ["escaped é😀"])
        for id in ids + ["escaped é😀"] {
            let job = try await place.run("explain", "--json", "--", "b1", id).document()["job"]
            #expect(job["custom_id"].text == id && job["state"].text == "succeeded")
        }
    }
}
