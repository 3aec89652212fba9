import Foundation
import OffpeakCore
import OffpeakProviders
import OffpeakTransport
import Synchronization
import Testing

/// Every request ends in exactly one completion, whatever happens.
@Suite(.timeLimit(.minutes(2))) struct LifecycleTests {
    @Test func `five thousand requests at once are all answered`() async throws {
        let server = try SlowServer()
        defer { server.stop() }
        let options = TransportOptions(expectedConcurrency: 5_000)
        #expect(options.raiseDescriptorLimit() == 5_000)
        let client = try Client(options)
        let ends = await client.ends(of: client.start((0..<5_000).map { post(server.url, "\($0)", timeout: 60_000) }))
        #expect(ends.filter(\.isResponse).count == 5_000)
        for (number, end) in ends.enumerated() { #expect(try end.response().body == Array("\(number)".utf8)) }
        #expect(server.requests == 5_000)
        #expect(client.surplus == 0)
    }

    @Test func `cancelling ends everything under way, once`() async throws {
        let server = try SlowServer()
        defer { server.stop() }
        let client = try Client()
        let slow = client.start((0..<300).map { _ in post(server.url + "/delay/60000", timeout: 60_000) })
        while server.requests < 300 { try await Task.sleep(for: .milliseconds(2)) }
        client.transport.cancelAll()
        for end in await client.ends(of: slow) {
            let failure = try end.failure()
            #expect(failure.kind == .cancelled)
            #expect(failure.requestFullySent)
        }
        // The transport goes on.
        #expect(try await client.response(post(server.url)).status == 200)
        #expect(client.surplus == 0)
        #expect(client.endedCount == 301)
    }

    @Test func `what was cancelled before it began is not sent`() async throws {
        let server = try SlowServer()
        defer { server.stop() }
        let ends = Mutex<[UInt64: HTTPExchange]>([:])
        let held = Gate()
        let done = Gate()
        let transport = try CurlTransport { completions in
            let count = ends.withLock { ends in
                for completion in completions { ends[completion.id] = completion.exchange }
                return ends.count
            }
            if count == 1 { held.pass(within: 20) }
            if count == 3 { done.open() }
        }
        defer { transport.stop() }
        transport.send([(0, post(server.url))])
        while server.requests == 0 || ends.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(2)) }
        // The thread is busy delivering, so it finds all of this together: on a handle that has been used before, too.
        transport.send([(1, post(server.url)), (2, post(server.url, "another"))])
        transport.cancelAll()
        held.open()
        done.pass(within: 20)
        for number in [UInt64(1), 2] {
            let failure = try #require(ends.withLock { $0[number] }).failure()
            #expect(failure.kind == .cancelled)
            #expect(!failure.requestFullySent)
            #expect(!failure.answerStarted)
        }
        #expect(server.requests == 1)
    }

    @Test func `stopping ends everything under way, once, before it returns`() async throws {
        let server = try SlowServer()
        defer { server.stop() }
        let client = try Client()
        _ = client.start((0..<100).map { post(server.url + "/delay/\($0)") })
        _ = client.start((0..<200).map { _ in post(server.url + "/delay/60000", timeout: 60_000) })
        client.transport.stop()
        #expect(client.endedCount == 300)
        #expect(client.surplus == 0)
    }

    @Test func `what comes after the end is refused, not lost`() async throws {
        let server = try SlowServer()
        defer { server.stop() }
        let client = try Client()
        client.transport.stop()
        let failure = try await client.failure(post(server.url))
        #expect(failure.kind == .cancelled)
        #expect(!failure.requestFullySent)
        client.transport.cancelAll()
        client.transport.stop()
        #expect(server.requests == 0)
        #expect(client.surplus == 0)
    }

    @Test func `whoever stops and sends at once loses nothing`() async throws {
        let server = try SlowServer()
        defer { server.stop() }
        for _ in 0..<20 {
            let client = try Client()
            await withTaskGroup { group in
                for _ in 0..<4 { group.addTask { _ = client.start((0..<10).map { _ in post(server.url) }) } }
                for _ in 0..<2 { group.addTask { client.transport.stop() } }
            }
            #expect(await client.ends(of: 0..<40).count == 40)
            #expect(client.surplus == 0)
        }
    }

    @Test(arguments: [
        "", "no url", "ftp://127.0.0.1/", "http://", "https://user:pass@127.0.0.1/", "file:///etc/passwd",
    ])
    func `an address that is none is refused`(_ url: String) async throws {
        let failure = try await Client().failure(post(url))
        #expect(failure.kind == .other)
        #expect(!failure.requestFullySent)
    }

    @Test func `plain http to another machine is refused unless allowed`() async throws {
        let client = try Client()
        var request = post("http://api.example.invalid/v1")
        let refused = try await client.failure(request)
        #expect(refused.kind == .insecure)
        #expect(!refused.requestFullySent)
        request.allowsInsecure = true
        // Allowed, it gets as far as asking for the name.
        #expect(try await client.failure(request).kind == .connect)
    }

    @Test func `no failure shows the secret`() async throws {
        let server = try WireServer { wire in
            guard let request = wire.readRequest() else { return }
            switch wire.index % 4 {
            case 0: wire.send("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + request.head)
            case 1: wire.send(request.header("authorization") ?? "")
            case 2: wire.send("HTTP/1.1 200 OK\r\ncontent-encoding: \(testSecret)\r\ncontent-length: 1\r\n\r\nx")
            default: wire.reset()
            }
        }
        defer { server.stop() }
        let client = try Client()
        for _ in 0..<8 {
            let failure = try await client.failure(post(server.url))
            #expect(!"\(failure)".contains(testSecret), "\(failure)")
            #expect(!"\(failure)".contains("Bearer"))
            let judged = Failure(failure, secret: Secret(testSecret))
            #expect(!judged.message.contains(testSecret))
        }
    }
}
