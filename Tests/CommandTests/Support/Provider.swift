import Foundation
import Glibc
import Synchronization
import Testing

/// A rehearsed provider in a process of its own, and what it saw.
final class Provider: Sendable {
    let child: Child
    /// `http://127.0.0.1:PORT/v1`
    let url: String

    /// Starts one with a profile in JSON5; by default it knows `test-key-one` and `test-key-two` and answers in 5 ms.
    init(
        _ profile: String = #"{ seed: 1, latency: "5ms", keys: { "test-key-one": {}, "test-key-two": {} } }"#,
        in place: Workplace
    ) async throws {
        try place.write(profile, to: "profile.json5")
        child = try place.start("--quiet", "rehearse", "--port", "0", "--profile", "profile.json5")
        guard await child.out.until(contains: "\n") else {
            throw Impossible("the rehearsal did not start: \(await child.err.whole())")
        }
        url = child.out.text.trimmingCharacters(in: .newlines)
    }

    deinit { child.signal(SIGKILL) }

    /// What it has seen so far.
    func ledger() async throws -> Document { try await get("/_rehearse/ledger") }

    /// Waits until the ledger passes a test.
    func until(_ what: String, limit: Duration = .seconds(60), _ test: (Document) -> Bool) async throws {
        try await eventually(what, limit: limit) { test(try await self.ledger()) }
    }

    /// Kills a run as soon as it has got so many answers, on a thread that nothing else keeps busy.
    func kill(_ run: Child, atAnswers goal: Int) async {
        await withCheckedContinuation { continuation in
            Thread { [self] in
                while run.isRunning, ((try? Self.fetch("/_rehearse/ledger", port: port))?["answers"].int ?? 0) < goal {
                    usleep(3_000)
                }
                run.signal(SIGKILL)
                continuation.resume()
            }.start()
        }
    }

    private var port: Int { Int(url.split(separator: ":")[2].prefix { $0 != "/" }) ?? 0 }

    private func get(_ path: String) async throws -> Document {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result { try Self.fetch(path, port: self.port) }) }.start()
        }
    }

    private static func fetch(_ path: String, port: Int) throws -> Document {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = UInt16(port).bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &name) {
            // SAFETY: an address of IPv4 starts as `sockaddr` does; its true size goes with it.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            throw Impossible("cannot reach the rehearsal: \(String(cString: strerror(errno)))")
        }
        let request = Array("GET \(path) HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw Impossible("cannot ask the rehearsal")
        }
        var answer: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &block, block.count, 0)
            if count <= 0 { break }
            answer += block[..<count]
        }
        let text = String(decoding: answer, as: UTF8.self)
        guard let head = text.firstRange(of: "\r\n\r\n") else {
            throw Impossible("no answer of the rehearsal: \(text)")
        }
        return try Document(text[head.upperBound...] + "\n")
    }
}

extension Workplace {
    /// Writes a configuration with key `one` at a rehearsed provider, whose secret the environment has.
    func configure(
        _ provider: Provider?, limits: String = "concurrent: 8", classes: String = #""nightly": { posture: "cost" }"#,
        more keys: String = ""
    ) throws {
        try write(
            """
            {
              providers: { "rehearsed": { kind: "openai", base_url: "\(provider?.url ?? "http://127.0.0.1:9/v1")" } },
              keys: {
                "one": { provider: "rehearsed", secret: { env: "TEST_KEY_ONE" }, limits: { \(limits) } },
                \(keys)
              },
              classes: { \(classes) },
            }
            """, to: "offpeak.json5")
    }

    /// A workplace with a provider and a configuration for it.
    static func rehearsed(
        _ profile: String? = nil, limits: String = "concurrent: 8",
        classes: String = #""nightly": { posture: "cost" }"#, more keys: String = ""
    ) async throws -> (Workplace, Provider) {
        let place = try Workplace(environment: ["TEST_KEY_ONE": "test-key-one", "TEST_KEY_TWO": "test-key-two"])
        let provider =
            if let profile { try await Provider(profile, in: place) } else { try await Provider(in: place) }
        place.providers.withLock { $0.append(provider) }
        try place.configure(provider, limits: limits, classes: classes, more: keys)
        return (place, provider)
    }

    /// The custom ids of a batch's answered lines, in order.
    func answered(_ batch: String = "b1", isPartial: Bool = false) async throws -> [String] {
        let outcome = try await run(["results", batch] + (isPartial ? ["--partial"] : []))
        #expect(outcome.status == 0, "\(outcome)")
        let lines = try Document.lines(outcome.out)
        return lines.filter { !$0["response"].isNull }.map { $0["custom_id"].text }
    }
}
