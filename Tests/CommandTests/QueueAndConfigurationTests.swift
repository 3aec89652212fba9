import Foundation
import Glibc
import Testing

/// Queues and configurations that are missing, broken, locked or not what they should be.
@Suite(.turns) struct QueueAndConfigurationTests {
    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.configure(nil)
        return place
    }

    /// Every command that needs a queue.
    static let needsQueue: [[String]] = [
        ["status"], ["status", "b1"], ["run"], ["results", "b1"], ["explain", "b1", "x"], ["cancel", "b1"],
        ["pause", "b1"], ["resume", "b1"], ["pause", "--class", "nightly"], ["retry", "b1"], ["backup", "copy.db"],
        ["prune"],
    ]

    @Test(arguments: needsQueue)
    func `without a queue each command says where it looked, and makes none`(call: [String]) async throws {
        let place = try place()
        let outcome = try await place.run(call)
        #expect(outcome.err.hasPrefix("error: there is no queue at "))
        #expect(outcome.err.hasSuffix("/offpeak.db\nhint: `offpeak submit` makes a queue; --queue names another\n"))
        #expect(outcome.status == 1 && outcome.out == "")
        #expect(place.names == ["offpeak.json5"])
    }

    @Test(arguments: needsQueue + [["submit", "in.jsonl", "--model", "m"], ["keys"]])
    func `a file that is no queue is left alone`(call: [String]) async throws {
        let place = try place()
        try place.write(Workplace.prompts(1), to: "in.jsonl")
        let notes = String(repeating: "these are my notes, not a database\n", count: 500)
        try place.write(notes, to: "notes.txt")
        let outcome = try await place.run(["--queue", "notes.txt"] + call)
        #expect(outcome.err.contains("/notes.txt is not an offpeak queue\n"), "\(outcome)")
        #expect(outcome.err.hasSuffix("hint: name the queue's own file with --queue\n"))
        #expect(outcome.status == 1 && outcome.out == "")
        #expect(try place.read("notes.txt") == notes)
    }

    @Test func `another program's database is no queue either`() async throws {
        let place = try place()
        let sqlite = try Child(
            "sqlite3", ["other.db", "CREATE TABLE t (x); INSERT INTO t VALUES (1)"], in: place.path,
            environment: ["PATH": "/usr/bin:/bin"])
        #expect(await sqlite.wait() == 0)
        for call in [["status"], ["run"], ["prune"]] {
            let outcome = try await place.run(["--queue", "other.db"] + call)
            #expect(outcome.err.contains("/other.db is not an offpeak queue\n"), "\(outcome)")
            #expect(outcome.status == 1)
        }
    }

    @Test func `a queue of a newer program is refused with what to do`() async throws {
        let place = try place()
        try await place.submit(1)
        let sqlite = try Child(
            "sqlite3", ["offpeak.db", "PRAGMA user_version = 99"], in: place.path,
            environment: ["PATH": "/usr/bin:/bin"])
        #expect(await sqlite.wait() == 0)
        for call in [["status"], ["run"], ["submit", "in.jsonl", "--model", "m"], ["cancel", "b1"]] {
            let outcome = try await place.run(call)
            #expect(outcome.err.contains("schema 99, and this offpeak knows schemas up to "), "\(outcome)")
            #expect(outcome.err.hasSuffix("hint: use the newer offpeak\n"))
            #expect(outcome.status == 1)
        }
    }

    @Test(arguments: [
        ("missing/q.db", "make the folder first, or name another file with --queue"),
        (".", "keep the queue on a local disk that you can write"),
        ("link.db", "keep the queue on a local disk that you can write"),
    ])
    func `a path that cannot hold a queue says why`(path: String, hint: String) async throws {
        let place = try place()
        try place.write(Workplace.prompts(1), to: "in.jsonl")
        symlink("elsewhere.db", place.file("link.db"))
        let outcome = try await place.run("--queue", path, "submit", "in.jsonl", "--model", "m")
        #expect(outcome.err.hasSuffix("hint: \(hint)\n"), "\(outcome)")
        #expect(outcome.status == 1 && outcome.out == "")
        #expect(!place.exists("elsewhere.db"))
    }

    @Test func `a folder that may not be written is the user's to mend`() async throws {
        let place = try place()
        try place.write(Workplace.prompts(1), to: "in.jsonl")
        // Nobody may write to /proc, not even root.
        for (call, start) in [
            (["--queue", "/proc/q.db", "submit", "in.jsonl", "--model", "m"], "error: cannot "),
            (["--config", "/proc/c.json5", "init"], "error: cannot write /proc/c.json5: "),
        ] {
            let outcome = try await place.run(call)
            #expect(outcome.err.hasPrefix(start), "\(outcome)")
            #expect(outcome.status == 1)
        }
    }

    // MARK: Configuration

    /// Every command that needs a configuration.
    static let needsConfiguration: [[String]] = [
        ["check"], ["submit", "in.jsonl"], ["run"], ["keys"], ["pause", "--class", "nightly"],
    ]

    @Test(arguments: needsConfiguration)
    func `without a configuration each command says where it looked and who writes one`(call: [String]) async throws {
        let place = try Workplace()
        let outcome = try await place.run(call)
        let all = outcome.out + outcome.err
        #expect(
            all.contains(
                "there is no configuration at offpeak.json5 (looked in the working directory; neither --config nor "
                    + "OFFPEAK_CONFIG names another)"), "\(outcome)")
        #expect(all.contains("hint: `offpeak init` writes one for the keys it finds\n"))
        #expect(outcome.status == 1)
        #expect(place.names.isEmpty)
    }

    @Test(arguments: needsConfiguration)
    func `a wrong configuration is refused with every problem, its line and a hint`(call: [String]) async throws {
        let place = try Workplace()
        try place.write(Workplace.prompts(1), to: "in.jsonl")
        try place.write(
            """
            {
              keys: {
                "one": { provider: "openay", secret: "none" },
              },
              classes: {
                "nightly": { postur: "cost" },
              },
            }
            """, to: "offpeak.json5")
        let outcome = try await place.run(call)
        let all = outcome.out + outcome.err
        #expect(all.contains("offpeak.json5:3: keys.one.provider: "), "\(outcome)")
        #expect(all.contains("offpeak.json5:6: classes.nightly.postur: "), "\(outcome)")
        #expect(call == ["check"] ? all.contains("\"posture\"") : all.contains("`offpeak check` lists them"))
        #expect(outcome.status == 1)
    }

    @Test func `work of a class that is not configured any more says so, and goes on when the class is back`()
        async throws
    {
        let (place, provider) = try await Workplace.rehearsed()
        try await place.submit(5)
        try place.configure(provider, classes: #""weekly": { posture: "cost" }"#)
        let told = try await place.run("run", "--no-wait")
        #expect(
            told.status == 4 && told.err.contains("class nightly, which the configuration does not have"), "\(told)")
        let wait = try await place.status()["waiting_for"].list
        #expect(wait.map { $0["jobs"].int } == [5])
        #expect(
            wait[0]["reason"].text == "class nightly is not in the configuration: put it there, or cancel the batch")
        #expect(
            try await place.ok("status").contains(
                "    5 jobs waiting: class nightly is not in the configuration: put it there, or cancel the batch\n"))
        // Without a configuration nobody can say so.
        try FileManager.default.removeItem(atPath: place.file("offpeak.json5"))
        #expect(try await place.ok("status").contains("5 jobs: 5 waiting\n"))
        try place.configure(provider)
        #expect(try await place.status()["waiting_for"].list.isEmpty)
        #expect(try await place.run("run").status == 0)
    }

    @Test func `check says ok, problems and each class's sentence, in words and as a document`() async throws {
        let place = try place()
        let shape = Shape.object([
            "ok": .bool, "problems": .list(.object(["path": .text, "message": .text, "hint": .orNull(.text)])),
            "notices": .list(.object(["path": .text, "message": .text])),
            "classes": .list(.object(["class": .text, "sentence": .text])),
            "overview": .list(.object(["topic": .text, "sentence": .text])),
        ])
        let good = try await place.run(["check", "--json"], with: ["TEST_KEY_ONE": "test-key-one"])
        expect(try good.document(), is: shape)
        #expect(try good.document()["ok"].bool)
        #expect(try good.document()["classes"].list.map { $0["class"].text } == ["nightly", "default"])
        #expect(good.status == 0)
        let words = try await place.run(["check"], with: ["TEST_KEY_ONE": "test-key-one"])
        #expect(words.out.contains("class nightly: Sends through one"))
        let topics = ["keys", "fallback", "objective", "strict", "usage"]
        #expect(try good.document()["overview"].list.map { $0["topic"].text } == topics)
        #expect(Array(words.out.split(separator: "\n").map { String($0.prefix { $0 != ":" }) }.prefix(5)) == topics)
        #expect(words.err == "offpeak.json5 is valid\n")
        let missing = try await place.run("check", "--json")
        expect(try missing.document(), is: shape)
        #expect(try !missing.document()["ok"].bool)
        #expect(try missing.document()["problems"][0]["path"].text == "keys.one.secret")
        #expect(missing.status == 1)
    }

    @Test func `check --live tries each key once and tells which does not work`() async throws {
        let (place, provider) = try await Workplace.rehearsed(
            more: #""two": { provider: "rehearsed", secret: { env: "BAD_KEY" }, models: ["m"] },"#)
        var text = try place.read("offpeak.json5")
        text = text.replacing("limits: { concurrent: 8 }", with: #"models: ["m"]"#)
        try place.write(text, to: "offpeak.json5")
        let outcome = try await place.run(["check", "--live"], with: ["BAD_KEY": "test-key-wrong"])
        #expect(outcome.err.contains("key one: works, with m\n"), "\(outcome)")
        #expect(outcome.out.contains("keys.two: the tiny request, with m, failed: key_rejected: "))
        #expect(!(outcome.out + outcome.err).contains("test-key-wrong"))
        #expect(outcome.status == 1)
        #expect(try await provider.ledger()["requests"].int == 2)
    }

    @Test
    func `check --live tries a key without models with one of a class's chain, and tells of a key that it cannot try`()
        async throws
    {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ seed: 1, latency: "5ms", models: ["m"], keys: { "test-key-one": {}, "test-key-two": {} } }"#,
            classes: #""nightly": { posture: "cost", keys: { only: ["one"] }, models: { "m": ["m", "n"] } }"#)
        let one = try await place.run("check", "--live")
        #expect(one.err.contains("key one: works, with m\n") && one.status == 0, "\(one)")
        #expect(try await provider.ledger()["requests"].int == 1)
        try place.configure(
            provider, more: #""two": { provider: "rehearsed", secret: { env: "TEST_KEY_TWO" }, models: ["m"] },"#)
        let both = try await place.run("check", "--live", "--json")
        #expect(both.status == 0)
        let notices = try both.document()["notices"].list.map { "\($0["path"].text): \($0["message"].text)" }
        #expect(notices.last == "keys.one: was not tried: neither it nor a class names a model for it")
        #expect(try await provider.ledger()["requests"].int == 2)
    }

    @Test func `init writes a valid configuration for the keys it finds, and never overwrites`() async throws {
        let place = try Workplace(environment: [
            "OPENAI_API_KEY": "test-secret-1", "ANTHROPIC_API_KEY": "test-secret-2",
        ])
        let outcome = try await place.run("init")
        #expect(outcome.err == "wrote offpeak.json5; look it over, then `offpeak check`\n")
        #expect(outcome.out == "" && outcome.status == 0)
        let text = try place.read("offpeak.json5")
        #expect(text.contains(#"secret: { env: "OPENAI_API_KEY" }"#) && !text.contains("test-secret-1"))
        #expect(text.contains(#"secret: { env: "ANTHROPIC_API_KEY" }"#) && !text.contains("test-secret-2"))
        try await place.ok("check")
        let again = try await place.run("init")
        #expect(
            again.err
                == "error: offpeak.json5 exists already and is left as it is\nhint: edit it, or name another file with --config\n"
        )
        #expect(again.status == 1)
        #expect(try place.read("offpeak.json5") == text)
        #expect(try Document(try await place.ok("--config", "b.json5", "--json", "init"))["config"].text == "b.json5")
        #expect(try place.read("b.json5") == text)
    }

    // MARK: Backup and prune

    @Test func `a backup is a usable queue, and never overwrites`() async throws {
        let (place, _) = try await Workplace.rehearsed()
        try await place.submit(5)
        try await place.ok("run")
        try await place.submit(3, as: "second.jsonl")
        let outcome = try await place.run("backup", "copy.db")
        #expect(outcome.err == "the queue is copied to copy.db\n" && outcome.status == 0)
        #expect(try await place.ok("--queue", "copy.db", "results", "b1") == place.ok("results", "b1"))
        #expect(try await place.ok("--queue", "copy.db", "status", "--json") == place.ok("status", "--json"))
        let before = try Data(contentsOf: URL(filePath: place.file("copy.db")))
        let again = try await place.run("backup", "copy.db")
        #expect(
            again.err.hasSuffix(
                "copy.db exists; a backup never overwrites a file\nhint: choose another name; nothing is overwritten\n")
        )
        #expect(again.status == 1)
        #expect(try Data(contentsOf: URL(filePath: place.file("copy.db"))) == before)
        try await place.ok("--queue", "copy.db", "run")
        #expect(try await place.ok("--queue", "copy.db", "status", "b2").contains("3 succeeded"))
        #expect(try await place.status(of: "b2")["jobs"]["waiting"].int == 3, "the copy is a queue of its own")
        #expect(try Document(try await place.ok("backup", "two.db", "--json"))["backup"].text == "two.db")
    }

    @Test func `prune deletes finished batches of a certain age and no others`() async throws {
        let (place, _) = try await Workplace.rehearsed()
        try await place.submit(4)
        try await place.ok("run")
        try await place.submit(2, as: "second.jsonl")
        let young = try await place.run("prune")
        #expect(young.err == "0 batches with 0 jobs deleted\n" && young.out == "" && young.status == 0)
        try await eventually("the batch is older than a millisecond") {
            try await place.run("prune", "--older-than", "1ms", "--json").out
                == "{\"batches\":[\"b1\"],\"jobs\":4,\"submits\":[],\"lines\":0}\n"
        }
        let gone = try await place.run("results", "b1")
        #expect(gone.err == "error: there is no batch \"b1\" in offpeak.db\nhint: `offpeak status` lists the batches\n")
        #expect(try await place.status(of: "b2")["jobs"]["total"].int == 2)
        #expect(try await place.submit(1, as: "third.jsonl") == "b3", "an id is never given twice")
    }
}
