import Foundation
import Glibc
import Synchronization
import Testing

/// The shipped walk-through, played by its script or step by step, and what the program says of it afterwards.
struct Walk {
    static let classes = ["contracts", "support", "nightly", "audited", "alerts"]
    static let keys = ["reserved", "router", "shared", "starter", "team-a", "team-b"]

    let place: Workplace

    // MARK: Playing it

    /// Waits until a walk cannot be caught by midnight (UTC, the example's zone), when its day quota and budget begin anew.
    private static func waitForRoomBeforeMidnight() async throws {
        let left = 86_400 - Int(Date().timeIntervalSince1970) % 86_400
        if left < 240 { try await Task.sleep(for: .seconds(left + 1)) }
    }

    /// The script with a folder that it leaves everything in; gives all that it printed, too.
    static func byScript() async throws -> (walk: Walk, out: String, err: String, ledger: Document) {
        try await waitForRoomBeforeMidnight()
        let copy = try Workplace.withExamples()
        let place = try Workplace()
        let script = try copy.script("walkthrough.sh", place.path)
        let status = await script.wait(limit: .seconds(180))
        let (out, err) = (await script.out.whole(), await script.err.whole())
        #expect(status == 0, "\(out)\n\(err)")
        return (Walk(place: place), out, err, try Document(try place.read("ledger.json")))
    }

    /// The same files and a provider, with all batches submitted and nothing run.
    static func prepared() async throws -> (walk: Walk, provider: Provider) {
        try await waitForRoomBeforeMidnight()
        let place = try Workplace()
        let provider = try await Provider(try Project.read("Examples/walkthrough/provider.json5"), in: place)
        place.providers.withLock { $0.append(provider) }
        let configuration = try Project.read("Examples/walkthrough/offpeak.json5")
        try place.write(configuration.replacing("PROVIDER_URL", with: provider.url), to: "offpeak.json5")
        try place.write(try Project.read("Examples/walkthrough/prices.json"), to: "prices.json")
        let walk = Walk(place: place)
        try walk.setSecret("test-team-a")
        let batches = try Child(
            "bash", [Project.root.appending(path: "Examples/walkthrough/batches.sh").path], in: place.path,
            environment: ["PATH": "/usr/bin:/bin"])
        #expect(await batches.wait() == 0)
        for name in classes { try await place.ok("submit", "\(name).jsonl", "--class", name) }
        return (walk, provider)
    }

    func setSecret(_ text: String) throws {
        try place.write(text + "\n", to: "team-a.secret")
        chmod(place.file("team-a.secret"), 0o600)
    }

    /// What is left for a person, done: the revoked secret replaced, and what was lost in the governance class looked at.
    func mend() async throws {
        try setSecret("test-team-a-2")
        for _ in 0..<3 {
            var parked = 0
            for batch in ["b1", "b4"] {
                parked += try await place.status(of: batch)["jobs"]["parked"].int
                try await place.run("retry", batch, "--parked")
            }
            if parked == 0 { return }
            try await place.run(["run"], limit: .seconds(180))
        }
        Issue.record("jobs of b1 or b4 are parked again and again")
    }

    // MARK: Looking at it

    /// The lines of a batch's results, with receipts; those of parked jobs, too.
    func results(_ batch: String) async throws -> [Document] {
        try Document.lines(try await place.ok("--quiet", "results", batch, "--receipts", "--partial"))
    }

    func key(_ name: String) async throws -> Document {
        let keys = try await place.run("keys", "--json").document()["keys"].list
        return try #require(keys.first { $0["key"].text == name })
    }

    func explain(_ batch: String, _ job: String) async throws -> Document {
        try await place.run("explain", batch, job, "--json").document()
    }

    func report(_ grouping: String) async throws -> Document {
        try await place.run("report", "--by", grouping, "--json").document()
    }

    /// Every job of the walk-through: its input line and what `explain` says of it.
    func jobs() async throws -> [WalkJob] {
        var jobs: [WalkJob] = []
        for (index, name) in Self.classes.enumerated() {
            for line in try place.read("\(name).jsonl").split(separator: "\n") {
                let input = try Document(String(line) + "\n")
                let explained = try await explain("b\(index + 1)", input["custom_id"].text)
                jobs.append(try WalkJob(line, input, explained))
            }
        }
        return jobs
    }
}

/// One job of the walk-through.
struct WalkJob {
    let id: String
    let className: String
    let batch: String
    let state: String
    let attempts: [WalkAttempt]

    init(_ line: Substring, _ input: Document, _ explained: Document) throws {
        id = input["custom_id"].text
        let job = explained["job"]
        (className, batch, state) = (job["class"].text, job["batch"].text, job["state"].text)
        // The body as it stands in the line, which ends with it.
        let start = try #require(line.firstRange(of: #""body":"#)).upperBound
        let bytes = line[start...].utf8.count - 1
        let most = input["body"]["max_tokens"].int
        let (batch, className) = (batch, className)
        attempts = explained["attempts"].list.map {
            WalkAttempt($0, batch: batch, className: className, bodyBytes: bytes, mostOutput: most)
        }
    }
}

/// One attempt, as `explain` shows it, with what its request allows.
struct WalkAttempt {
    let batch: String
    let className: String
    let bodyBytes: Int
    let mostOutput: Int
    let key: String
    let bill: String
    let model: String
    let day: String
    let outcome: String
    let isAssumed: Bool
    let input: Int
    let output: Int
    /// What the program says that it cost.
    let cost: Amounts
    let started: String
    let ended: String

    init(_ attempt: Document, batch: String, className: String, bodyBytes: Int, mostOutput: Int) {
        (self.batch, self.className, self.bodyBytes, self.mostOutput) = (batch, className, bodyBytes, mostOutput)
        key = attempt["key"].text
        bill = attempt["bill"].text
        model = attempt["model"].text
        outcome = attempt["outcome"].text
        isAssumed = attempt["cost_is"].text == "assumed"
        input = attempt["usage"]["input_tokens"].int
        output = attempt["usage"]["output_tokens"].int
        cost = Amounts(attempt["cost"])
        started = Self.comparable(attempt["started"].text)
        ended = Self.comparable(attempt["ended"].text)
        day = String(started.prefix(10))
    }

    /// A moment with its milliseconds, so that texts compare as times do.
    private static func comparable(_ moment: String) -> String {
        moment.contains(".") ? moment : moment.replacing("Z", with: ".000Z")
    }
}
