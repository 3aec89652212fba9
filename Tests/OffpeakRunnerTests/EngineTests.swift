import Foundation
import OffpeakConfiguration
import OffpeakCore
import OffpeakProviders
import OffpeakStore
import Testing

@testable import OffpeakRunner

/// Answers every request at once, by a closure over its secret.
final class InstantTransport: HTTPTransport {
    private let deliver: @Sendable ([HTTPCompletion]) -> Void
    private let answer: @Sendable (String) -> HTTPExchange
    private let queue = DispatchQueue(label: "instant-transport")

    init(
        answer: @escaping @Sendable (String) -> HTTPExchange, deliver: @escaping @Sendable ([HTTPCompletion]) -> Void
    ) {
        (self.answer, self.deliver) = (answer, deliver)
    }

    func send(_ requests: [(id: UInt64, request: HTTPRequest)]) {
        let completions = requests.map { id, request in
            let secret = request.headers.first { $0.name.lowercased() == "authorization" }?.value ?? ""
            return HTTPCompletion(id: id, exchange: answer(String(secret.dropFirst("Bearer ".count))))
        }
        queue.async { self.deliver(completions) }
    }

    func cancelAll() {}
    func stop() {}
}

func answer(_ status: Int, _ body: String) -> HTTPExchange {
    .response(HTTPResponse(status: status, headers: [("content-type", "application/json")], body: Array(body.utf8)))
}

let good = answer(
    200,
    #"{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#
)
let revoked = answer(401, #"{"error":{"message":"this key was revoked","code":"invalid_api_key"}}"#)

/// One batch in a queue of its own, and a run over it.
struct Bed {
    let folder: URL
    let configuration: Configuration

    /// `files` are put beside the configuration, by name.
    init(_ text: String, files: [String: String] = [:]) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "offpeak-engine-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, text) in files { try Data(text.utf8).write(to: folder.appending(path: name)) }
        configuration = try Configuration.parse(text, path: folder.appending(path: "offpeak.json5").path).get()
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    func submit(
        _ count: Int, url: String = "/v1/chat/completions",
        body: String = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
    ) throws {
        let lines = (1...count).map {
            #"{"custom_id":"c\#($0)","method":"POST","url":"\#(url)","body":\#(body)}"#
        }
        let input = folder.appending(path: "in.jsonl")
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: input)
        let request = SubmissionRequest(
            path: input.path, name: "test", className: "x", model: nil, priority: nil, deadline: nil, deadlineText: "",
            skipsBadLines: false, knownClasses: ["x"])
        var accepted = 0
        try Submission(request, queue: queuePath, clock: RunnerClock()).run(progress: { _ in }) {
            accepted = $0.accepted
        }
        #expect(accepted == count)
    }

    private var queuePath: String { folder.appending(path: "q.db").path }

    /// Runs until the queue is worked off; the whole of it may take so long, or the run is stopped and says so.
    func run(
        environment: [String: String], limit: Interval = .seconds(60), clock: RunnerClock = RunnerClock(),
        watch: Bool = false, onProgress: @escaping (RunSnapshot) -> Void = { _ in },
        onNote: @escaping (String) -> Void = { _ in },
        answer: @escaping @Sendable (String) -> HTTPExchange
    ) throws -> RunEnd {
        let queue = try SQLiteQueue(path: queuePath, now: clock.now)
        var options = RunOptions(seed: 1)
        options.until = clock.now + limit
        options.watch = watch
        var secrets = KeyRing(configuration: configuration, environment: environment)
        #expect(secrets.load(configuration.keys.map(\.name), at: clock.now).isEmpty)
        let engine = try Engine(
            configuration: configuration, secrets: secrets, queue: queue, options: options, clock: clock,
            makeTransport: { InstantTransport(answer: answer, deliver: $0) }, onProgress: onProgress, onNote: onNote)
        return try engine.run()
    }
}

@Suite struct `The engine` {
    @Test func `sends a small batch through the next key when the first is revoked`() throws {
        let bed = try Bed(
            """
            { keys: { a: { provider: "openai", secret: { env: "A" } }, b: { provider: "openai", secret: { env: "B" } } },
              classes: { x: { posture: "cost" } } }
            """)
        defer { bed.remove() }
        try bed.submit(3)
        let end = try bed.run(environment: ["A": "test-secret-1", "B": "test-secret-2"]) {
            $0 == "test-secret-2" ? good : revoked
        }
        #expect(end.cause == .finished && end.succeeded == 3 && end.unfinished == 0)
    }

    @Test func `parks all when every key is revoked, and ends`() throws {
        let bed = try Bed(
            """
            { keys: { a: { provider: "openai", secret: { env: "A" }, limits: { concurrent: 3 } },
                      b: { provider: "openai", secret: { env: "B" }, limits: { concurrent: 1 } } },
              classes: { x: { posture: "cost" } } }
            """)
        defer { bed.remove() }
        try bed.submit(3)
        let end = try bed.run(environment: ["A": "test-secret-1", "B": "test-secret-2"]) { _ in revoked }
        #expect(end.cause == .finished && end.succeeded == 0 && end.unfinished == 3)
    }

    @Test func `counts every job once at every moment of a run, whatever is under way`() throws {
        let bed = try Bed(
            """
            { keys: { a: { provider: "openai", secret: { env: "A" }, limits: { concurrent: 7 } },
                      b: { provider: "openai", secret: { env: "B" }, limits: { concurrent: 5 } } },
              classes: { x: { posture: "fallback" } } }
            """)
        defer { bed.remove() }
        try bed.submit(200)
        var totals: [Int: Int] = [:]
        let end = try bed.run(
            environment: ["A": "test-secret-1", "B": "test-secret-2"],
            onProgress: { run in
                let total = run.succeeded + run.failed + run.parked + run.waiting + run.inFlight
                // Before the first look at the queue nothing is known.
                if total > 0 { totals[total, default: 0] += 1 }
            },
            answer: { $0 == "test-secret-2" ? good : revoked })
        #expect(end.succeeded == 200)
        #expect(totals.count == 1 && totals[200, default: 0] > 20, "\(totals)")
    }

    @Test func `loads a revoked key's secret again and goes on with the new one`() throws {
        let bed = try Bed(
            """
            { keys: { a: { provider: "openai", secret: { file: "secret" } } },
              classes: { x: { posture: "strict", keys: { only: ["a"] } } } }
            """)
        defer { bed.remove() }
        try bed.submit(20)
        let file = bed.folder.appending(path: "secret")
        try Data("test-secret-1\n".utf8).write(to: file)
        let end = try bed.run(environment: [:]) { secret in
            if secret == "test-secret-2" { return good }
            // Whoever revokes a key puts the new one in its place.
            try? Data("test-secret-2\n".utf8).write(to: file)
            return revoked
        }
        #expect(end.cause == .finished && end.succeeded == 20)
    }

    /// What the files of the queue hold, after a run in which the only key is refused.
    private func filesAfterRefusal(retain: String) throws -> String {
        let bed = try Bed(
            """
            { keys: { a: { provider: "openai", secret: { env: "A" }, limits: { concurrent: 3 } } },
              classes: { x: { posture: "strict", keys: { only: ["a"] }\(retain) } } }
            """)
        defer { bed.remove() }
        try bed.submit(9)
        #expect(try bed.run(environment: ["A": "test-secret-1"]) { _ in revoked }.unfinished == 9)
        return try FileManager.default.contentsOfDirectory(at: bed.folder, includingPropertiesForKeys: nil)
            .filter { $0.lastPathComponent.hasPrefix("q.db") }
            .map { String(decoding: try Data(contentsOf: $0), as: UTF8.self) }.joined()
    }

    @Test func `writes nothing that a provider said about a failure where the class keeps no prompts`() throws {
        let ours = "the provider refuses the key (HTTP 401)"
        let all = try filesAfterRefusal(retain: "")
        #expect(all.contains("\(ours): this key was revoked"))
        // Not with the job, which is parked, nor with the key or what waits for it.
        let kept = try filesAfterRefusal(retain: #", retain: "results""#)
        #expect(kept.contains(ours) && !kept.contains("this key was revoked"))
    }

    @Test func `parks a strict class's work when loading the secret again brings nothing new`() throws {
        let bed = try Bed(
            """
            { keys: { a: { provider: "openai", secret: { command: ["echo", "test-secret-1"] } } },
              classes: { x: { posture: "strict", keys: { only: ["a"] } } } }
            """)
        defer { bed.remove() }
        try bed.submit(20)
        let end = try bed.run(environment: ["PATH": "/usr/bin:/bin"]) { _ in revoked }
        #expect(end.cause == .finished && end.succeeded == 0 && end.unfinished == 20)
    }
}
