import Foundation
import Glibc
import Testing

/// Input that looks odd and is accepted.
struct Unusual: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let jobs: Int

    init(_ name: String, _ bytes: [UInt8], _ jobs: Int) {
        testDescription = name
        self.bytes = bytes
        self.jobs = jobs
    }
}

/// What may be submitted, and what of it is no JSON Lines file.
@Suite(.turns) struct SourceTests {
    private static let line = #"{"custom_id":"a","prompt":"x"}"#
    private static let second = #"{"custom_id":"b","prompt":"y"}"#

    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.configure(nil)
        return place
    }

    /// Unusual inputs that are accepted, with the number of their jobs.
    static let accepted: [Unusual] = [
        Unusual("no line feed at the end", Array("\(line)\n\(second)".utf8), 2),
        Unusual("CRLF", Array("\(line)\r\n\(second)\r\n".utf8), 2),
        Unusual("a byte-order mark at the start", Array("\u{FEFF}\(line)\n".utf8), 1),
        Unusual("blank lines", Array("\n \n\(line)\n\t\n\r\n\(second)\n\n".utf8), 2),
        Unusual("spaces around", Array("  \(line)  \n".utf8), 1),
        Unusual(
            "a line of 10 MB",
            Array((#"{"custom_id":"a","prompt":""# + String(repeating: "x", count: 10_000_000) + "\"}\n").utf8), 1
        ),
        Unusual(
            "nested 100 deep",
            Array(
                (BadInput.chat(
                    BadInput.messages + #","metadata":"# + String(repeating: "[", count: 100)
                        + String(repeating: "]", count: 100)) + "\n").utf8), 1
        ),
        Unusual(
            "numbers like 1e999", Array((BadInput.chat(BadInput.messages + #","temperature":1e999"#) + "\n").utf8), 1),
        Unusual("several choices", Array((BadInput.chat(BadInput.messages + #","n":3"#) + "\n").utf8), 1),
        Unusual("a lone surrogate in the prompt", Array((#"{"custom_id":"a","prompt":"\ud83d"}"# + "\n").utf8), 1),
        Unusual("stream false", Array((BadInput.chat(BadInput.messages + #","stream":false"#) + "\n").utf8), 1),
        Unusual("all four endpoints", Array(endpoints.utf8), 4),
    ]

    private static let endpoints = """
        {"custom_id":"1","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":"x"}]}}
        {"custom_id":"2","url":"/v1/embeddings","body":{"input":"x"}}
        {"custom_id":"3","url":"/v1/responses","body":{"input":"x"}}
        {"custom_id":"4","url":"\\/v1\\/completions","body":{"prompt":"x"}}

        """

    @Test(arguments: accepted)
    func `unusual but sound input is taken whole`(input: Unusual) async throws {
        let place = try place()
        let jobs = input.jobs
        try place.write(input.bytes, to: "in.jsonl")
        let outcome = try await place.run("submit", "in.jsonl", "--model", "m")
        #expect(outcome.out == "b1\n" && outcome.status == 0, "\(outcome)")
        #expect(outcome.err == "\(jobs) job\(jobs == 1 ? "" : "s") queued as b1\n")
        #expect(try await place.status()["jobs"]["total"].int == jobs)
    }

    @Test(arguments: [
        ("", "it has no lines"), ("\n\n \r\n", "it has no lines"), ("\u{FEFF}", "it has no lines"),
    ])
    func `a file without lines is not a batch`(content: String, reason: String) async throws {
        let place = try place()
        try place.write(content, to: "in.jsonl")
        let outcome = try await place.run("submit", "in.jsonl", "--model", "m")
        #expect(
            outcome.err
                == "error: in.jsonl cannot be submitted: \(reason)\nhint: give a JSONL file, or - for standard input\n")
        #expect(outcome.status == 1 && outcome.out == "")
        #expect(try await place.run("status", "--json").document()["batches"].list.isEmpty)
    }

    @Test(arguments: [
        ("missing.jsonl", "there is no such file"), (".", "it is a folder"), ("offpeak.json5/x", "Not a directory"),
    ])
    func `a source that is no file says so`(path: String, reason: String) async throws {
        let place = try place()
        let outcome = try await place.run("submit", path, "--model", "m")
        #expect(
            outcome.err
                == "error: \(path) cannot be submitted: \(reason)\nhint: give a JSONL file, or - for standard input\n")
        #expect(outcome.status == 1 && outcome.out == "")
        #expect(!place.exists("offpeak.db"))
    }

    @Test func `a file that may not be read says so, and root reads it`() async throws {
        let place = try place()
        try place.write(Self.line + "\n", to: "in.jsonl")
        chmod(place.file("in.jsonl"), 0)
        let outcome = try await place.run("submit", "in.jsonl", "--model", "m")
        if geteuid() == 0 {
            #expect(outcome.out == "b1\n" && outcome.status == 0)
        } else {
            #expect(outcome.err.hasPrefix("error: in.jsonl cannot be submitted: you may not read it\n"))
            #expect(outcome.status == 1 && outcome.out == "")
        }
    }

    @Test func `a source that fails while it is read queues nothing`() async throws {
        let place = try place()
        // Reading one's own memory from address 0 is an input/output error.
        let outcome = try await place.run("submit", "/proc/self/mem", "--model", "m")
        #expect(
            outcome.err.hasPrefix("error: the disk failed: cannot read /proc/self/mem: Input/output error\nhint: "))
        #expect(outcome.status == 2 && outcome.out == "")
        #expect(!place.exists("offpeak.db"))
    }

    @Test func `standard input and named pipes are read to their end`() async throws {
        let place = try place()
        let bytes = Array("\(Self.line)\n\(Self.second)\n".utf8)
        let piped = try await place.run(["submit", "-", "--model", "m"], input: .bytes(bytes))
        #expect(piped.out == "b1\n" && piped.err == "2 jobs queued as b1\n")
        #expect(try await place.status()["name"].text == "stdin")
        mkfifo(place.file("pipe"), 0o600)
        let submit = try place.start("submit", "pipe", "--model", "m")
        let writer = try Child(
            "sh", ["-c", "cat >pipe"], in: place.path, environment: ["PATH": "/usr/bin:/bin"], input: .bytes(bytes))
        #expect(await writer.wait() == 0)
        #expect(await submit.wait() == 0)
        #expect(await submit.out.whole() == "b2\n")
        let empty = try await place.run(["submit", "-", "--model", "m"])
        #expect(
            empty.err == "error: standard input cannot be submitted: it has no lines\nhint: pipe JSON Lines into it\n")
        #expect(empty.status == 1)
        let bad = try await place.run(["submit", "-", "--model", "m"], input: .bytes(Array("x\n".utf8)))
        #expect(bad.err.hasPrefix("error: standard input:1: not JSON at column 1: expected a value, found x"))
        #expect(bad.err.contains("error: nothing was queued: standard input has 1 bad line\n"))
    }

    @Test func `a line above the maximum is refused with its number, and the others are kept if wished`() async throws {
        let place = try place()
        let huge = #"{"custom_id":"huge","prompt":""# + String(repeating: "x", count: 64 << 20) + "\"}\n"
        try place.write("\(Self.line)\n\(huge)\(Self.second)\n", to: "in.jsonl")
        let reason =
            "in.jsonl:2: the line is longer than the maximum of 64 MiB; shorten the request, or split it into several lines"
        let outcome = try await place.run("submit", "in.jsonl", "--model", "m")
        #expect(outcome.err.hasPrefix("error: \(reason)\n") && outcome.status == 1)
        let skipped = try await place.run("submit", "in.jsonl", "--model", "m", "--skip-bad-lines")
        #expect(skipped.err.hasPrefix("warning: \(reason)\n2 jobs queued as ") && skipped.status == 0)
    }

    @Test func `ids with lone surrogates are refused, since no result could name them`() async throws {
        let place = try place()
        try place.write(#"{"custom_id":"a\ud800","prompt":"x"}"# + "\n", to: "in.jsonl")
        let outcome = try await place.run("submit", "in.jsonl", "--model", "m")
        #expect(
            outcome.err.hasPrefix(
                #"error: in.jsonl:1: custom_id contains half of a surrogate pair (an escape such as \ud800 alone); remove it"#
            ))
        #expect(outcome.status == 1)
    }

    @Test func `names, priorities and deadlines are kept, and wrong ones are usage errors`() async throws {
        let place = try place()
        try place.write(Self.line + "\n", to: "in.jsonl")
        try await place.ok(
            "submit", "in.jsonl", "--model", "m", "--name", "first", "--deadline", "2030-01-02T03:04:05Z")
        let document = try await place.status(of: "first")
        #expect(document["name"].text == "first" && document["class"].text == "default")
        #expect(document["deadline"].text == "2030-01-02T03:04:05Z")
        func wrong(_ what: String) -> String {
            "--deadline \(what): write how long from now, from 1s to 3650d, such as 12h, or a moment to come, such as "
        }
        for (option, value, message) in [
            (
                "--deadline", "soon",
                "--deadline takes a duration such as 12h, or a moment such as 2026-11-25T06:00:00Z, not \"soon\""
            ),
            ("--deadline", "100000d", wrong("100000d is too long")),
            ("--deadline", "4000d", wrong("4000d is too long")),
            ("--deadline", "2126-01-02T03:04:05Z", wrong("2126-01-02T03:04:05Z is too long")),
            ("--deadline", "0s", wrong("0s is too short")), ("--deadline", "999ms", wrong("999ms is too short")),
            ("--deadline", "2020-01-02T03:04:05Z", wrong("2020-01-02T03:04:05Z is in the past")),
            (
                "--deadline", "-1h",
                "--deadline takes a duration such as 12h, or a moment such as 2026-11-25T06:00:00Z, not \"-1h\""
            ),
            ("--priority", "high", "--priority takes a whole number from -1000000 to 1000000, not \"high\""),
        ] {
            let outcome = try await place.run("submit", "in.jsonl", "--model", "m", option, value)
            #expect(outcome.err.hasPrefix("error: \(message)"), "\(outcome)")
            #expect(outcome.err.hasSuffix("\nhint: run `offpeak help submit` for how to call it\n"), "\(outcome)")
            #expect(outcome.status == 1)
        }
        #expect(try await place.run("status", "--json").document()["batches"].list.count == 1)
        // What it says to write can be written.
        let late = try await place.run("submit", "in.jsonl", "--model", "m", "--deadline", "0s")
        let moment = try #require(late.err.split(separator: "\n")[0].split(separator: " ").last)
        try await place.ok("submit", "in.jsonl", "--model", "m", "--name", "second", "--deadline", String(moment))
        #expect(try await place.status(of: "second")["deadline"].text == moment)
        let unknown = try await place.run("submit", "in.jsonl", "--class", "nigtly")
        #expect(
            unknown.err == "error: the configuration has no class \"nigtly\"\nhint: did you mean \"nightly\"?\n")
        #expect(unknown.status == 1)
    }

    @Test func `a batch of mixed classes, models and endpoints keeps each line's own`() async throws {
        let place = try place()
        try place.write(
            """
            {"custom_id":"1","prompt":"x","class":"nightly","model":"other"}
            {"custom_id":"2","prompt":"x"}
            {"custom_id":"3","url":"/v1/embeddings","body":{"model":"e","input":"x"}}

            """, to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--model", "m")
        for (id, name, model) in [("1", "nightly", "other"), ("2", "default", "m"), ("3", "default", "e")] {
            let job = try await place.run("explain", "b1", id, "--json").document()["job"]
            #expect(job["class"].text == name && job["model"].text == model && job["state"].text == "waiting")
        }
    }
}
