import Foundation
import Glibc
import Testing

/// How commands are called, and what they say when they cannot be meant.
@Suite(.turns) struct UsageTests {
    private static let commands = [
        "init", "check", "submit", "plan", "run", "status", "results", "explain", "cancel", "pause", "resume", "retry",
        "keys",
        "report", "prices", "rehearse", "backup", "prune",
    ]

    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.configure(nil)
        return place
    }

    @Test func `help lists every command, and each has its own`() async throws {
        let place = try Workplace()
        let help = try await place.ok("help")
        #expect(try await place.ok("--help") == help)
        #expect(try await place.ok("-h") == help)
        for command in Self.commands {
            #expect(help.contains("\n  \(command) ") || help.contains("\n  \(command)\n"), "\(command)")
            let own = try await place.ok("help", command)
            #expect(own.hasPrefix("usage: offpeak \(command)"))
            #expect(try await place.ok(command, "--help") == own)
        }
        #expect(try await place.ok("--version").wholeMatch(of: /offpeak \d+\.\d+\.\d+\n/) != nil)
        #expect(place.names.isEmpty, "help leaves nothing behind: \(place.names)")
    }

    /// Calls that cannot be meant, each with its message and hint.
    static let wrong: [(call: [String], message: String, hint: String)] = [
        ([], "no command given", "run `offpeak help` for the commands and options"),
        (["sumbit"], "offpeak has no command \"sumbit\"", "did you mean `offpeak submit`?"),
        (["frobnicate"], "offpeak has no command \"frobnicate\"", "run `offpeak help` for the commands and options"),
        (["--frobnicate"], "offpeak has no option --frobnicate", "run `offpeak help` for the commands and options"),
        (["status", "--jsn"], "`offpeak status` has no option --jsn", "did you mean --json?"),
        (["--jsn", "status"], "`offpeak status` has no option --jsn", "did you mean --json?"),
        (["run", "--nowait"], "`offpeak run` has no option --nowait", "did you mean --no-wait?"),
        (
            ["run", "--frobnicate"], "`offpeak run` has no option --frobnicate",
            "run `offpeak help run` for its options"
        ),
        (["run", "--watch=yes"], "--watch takes no value", "run `offpeak help run` for how to call it"),
        (["status", "--queue"], "--queue needs a value: --queue FILE", "run `offpeak help status` for how to call it"),
        (["submit"], "`offpeak submit` needs FILE|-", "run `offpeak help submit` for how to call it"),
        (["explain", "b1"], "`offpeak explain` needs CUSTOM_ID", "run `offpeak help explain` for how to call it"),
        (["results"], "`offpeak results` needs BATCH", "run `offpeak help results` for how to call it"),
        (
            ["report", "--by", "colour"], "--by takes one of key, class, model, batch, day, bill, lane, not \"colour\"",
            "run `offpeak help report` for how to call it"
        ),
        (["cancel"], "`offpeak cancel` needs BATCH", "run `offpeak help cancel` for how to call it"),
        (["backup"], "`offpeak backup` needs FILE", "run `offpeak help backup` for how to call it"),
        (
            ["keys", "extra"], "`offpeak keys`: unexpected argument \"extra\"",
            "run `offpeak help keys` for how to call it"
        ),
        (
            ["pause"], "`offpeak pause` needs a BATCH, --class C or --key K, one of them",
            "run `offpeak help pause` for how to call it"
        ),
        (
            ["resume", "b1", "--key", "one"], "`offpeak resume` needs a BATCH, --class C or --key K, one of them",
            "run `offpeak help resume` for how to call it"
        ),
        (
            ["retry", "b1", "--failed", "--parked"], "choose one of --failed, --parked",
            "run `offpeak help retry` for how to call it"
        ),
        (
            ["prune", "--older-than", "yesterday"],
            "--older-than takes a duration such as 90s, 30m, 12h or 1h30m, not \"yesterday\"",
            "run `offpeak help prune` for how to call it"
        ),
        (
            ["rehearse", "--port", "70000"], "--port takes a whole number from 0 to 65535, not \"70000\"",
            "run `offpeak help rehearse` for how to call it"
        ),
        (
            ["rehearse", "--profile", "none.json5"], "the profile none.json5 does not exist or cannot be read",
            "give the path of a JSON5 file"
        ),
        (["pause", "--class", "nightli"], "the configuration has no class \"nightli\"", "did you mean \"nightly\"?"),
        (["pause", "--key", "two"], "the configuration has no key \"two\"", "it has: one"),
    ]

    @Test(arguments: wrong)
    func `a call that cannot be meant is the user's error, with a hint`(
        call: [String], message: String, hint: String
    ) async throws {
        let place = try place()
        let outcome = try await place.run(call)
        #expect(outcome.err == "error: \(message)\nhint: \(hint)\n")
        #expect(outcome.out == "")
        #expect(outcome.status == 1)
        let document = try Document(try await place.run(["--json"] + call).err)
        expect(
            document,
            is: .object(["error": .object(["code": .text, "message": .text, "hint": .text])]))
        #expect(document["error"]["message"].text == message)
        #expect(!place.exists("offpeak.db"), "nothing is made by mistake")
    }

    @Test func `options go before and after the command, with a space or an equals sign`() async throws {
        let place = try place()
        try place.write(Workplace.prompts(2), to: "in.jsonl")
        try await place.ok("--queue", "other.db", "submit", "in.jsonl", "--model=m")
        let expected = try await place.ok("status", "--queue", "other.db", "--json")
        #expect(try await place.ok("--json", "--queue=other.db", "status") == expected)
        #expect(try await place.ok("--queue=other.db", "status", "--json", "b1").contains("\"total\":2"))
        #expect(try await place.ok("--config", "offpeak.json5", "--no-color", "keys").hasPrefix("one  provider"))
        #expect(!place.exists("offpeak.db"))
    }

    @Test func `the environment names queue and configuration, and options win over it`() async throws {
        let place = try Workplace()
        try place.configure(nil)
        try FileManager.default.moveItem(atPath: place.file("offpeak.json5"), toPath: place.file("my.json5"))
        try place.write(Workplace.prompts(1), to: "in.jsonl")
        let settings = ["OFFPEAK_QUEUE": "env.db", "OFFPEAK_CONFIG": "my.json5"]
        let submitted = try await place.run(["submit", "in.jsonl", "--model", "m"], with: settings)
        #expect(submitted.out == "b1\n", "\(submitted)")
        #expect(place.exists("env.db") && !place.exists("offpeak.db"))
        let other = try await place.run(["status", "--queue", "x.db"], with: settings)
        #expect(other.err.contains("x.db\nhint"))
        let empty = try await place.run(["status"], with: ["OFFPEAK_QUEUE": ""])
        #expect(empty.err.contains("/offpeak.db\n"), "an empty variable names nothing")
    }

    @Test func `data goes to stdout and everything else to stderr, in quiet mode only what matters`() async throws {
        let place = try place()
        try place.write(Workplace.prompts(1), to: "in.jsonl")
        let loud = try await place.run("submit", "in.jsonl", "--model", "m")
        #expect(loud.out == "b1\n" && loud.err == "1 job queued as b1\n")
        let quiet = try await place.run("--quiet", "submit", "in.jsonl", "--model", "m")
        #expect(quiet.out == "b2\n" && quiet.err == "")
        let paused = try await place.run("pause", "b1")
        #expect(paused.out == "" && paused.err == "b1 paused\n")
        let resumed = try await place.run("resume", "b1", "-q")
        #expect(resumed.out == "" && resumed.err == "")
        let wrong = try await place.run("--quiet", "status", "b9")
        #expect(wrong.err.hasPrefix("error: there is no batch \"b9\""), "errors are heard in quiet mode, too")
        for call in [["status"], ["keys"], ["status", "b1"]] {
            let outcome = try await place.run(call)
            #expect(outcome.err == "" && !outcome.out.isEmpty)
            #expect(!outcome.out.contains("\u{1B}"), "no colours in a file")
        }
    }

    @Test func `colours come only on a terminal that wants them`() async throws {
        let place = try place()
        // `script` gives the program a terminal.
        func onTerminal(_ arguments: String, _ more: [String: String] = [:]) async throws -> String {
            var environment = ["PATH": "/usr/bin:/bin", "HOME": place.path]
            environment.merge(more) { $1 }
            let child = try Child(
                "script", ["-qec", "'\(try Workplace.binary())' \(arguments)", "/dev/null"], in: place.path,
                environment: environment)
            #expect(await child.wait() == 1)
            return await child.out.whole()
        }
        #expect(try await onTerminal("status").contains("\u{1B}[31merror:\u{1B}[0m there is no queue"))
        for text in [
            try await onTerminal("--no-color status"), try await onTerminal("status --no-color"),
            try await onTerminal("status", ["NO_COLOR": "1"]),
        ] { #expect(text.hasPrefix("error: there is no queue"), "\(text)") }
    }

    @Test func `data that cannot be written is not passed over`() async throws {
        let place = try place()
        try place.write(Workplace.prompts(1), to: "in.jsonl")
        let lost = try await place.run(["submit", "in.jsonl", "--model", "m"], output: "/dev/full")
        #expect(
            lost.err.hasSuffix(
                "error: cannot write to standard output: No space left on device\n"
                    + "hint: make room and run the same command again\n"), "\(lost)")
        #expect(lost.status == 2)
        let again = try await place.run("submit", "in.jsonl", "--model", "m")
        #expect(again.out == "b1\n", "the id that nobody got is given again")
        #expect(again.err == "1 job queued as b1 (an interrupted submit was completed)\n")
        for call in [["status"], ["keys"], ["status", "--json"], ["help"], ["results", "b1", "--partial"]] {
            let outcome = try await place.run(call, output: "/dev/full")
            // Partial results of a batch without any are no data at all.
            #expect(outcome.status == (call[0] == "results" ? 0 : 2), "\(call) \(outcome)")
        }
    }
}
