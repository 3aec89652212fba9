import Glibc
import OffpeakProviders
import OffpeakTransport
import Synchronization
import Testing

/// Whether a request without an answer had left entirely decides whether it may have been billed.
@Suite(.timeLimit(.minutes(2))) struct SentTests {
    /// More than the kernel's socket buffers of both ends take.
    private static let large = [UInt8](repeating: 0x61, count: 16 << 20)

    @Test func `a refused connection has sent nothing`() async throws {
        let (descriptor, port) = try WireServer.closedPort()
        defer { close(descriptor) }
        let failure = try await Client().failure(post("http://127.0.0.1:\(port)/v1"))
        #expect(failure.kind == .connect)
        #expect(!failure.requestFullySent)
        #expect(!failure.answerStarted)
    }

    @Test func `a name that does not exist has sent nothing`() async throws {
        let failure = try await Client().failure(post("https://no-such-name.invalid/v1"))
        #expect(failure.kind == .connect)
        #expect(!failure.requestFullySent)
    }

    @Test func `a reset before the server took the body is not sent`() async throws {
        let server = try WireServer { wire in
            _ = wire.readHead()
            wire.reset()
        }
        defer { server.stop() }
        let failure = try await Client().failure(post(server.url, Self.large))
        #expect(failure.kind == .broken)
        #expect(!failure.requestFullySent)
        #expect(!failure.answerStarted)
    }

    @Test(arguments: [false, true])
    func `a connection that ends after the request is sent without an answer`(_ resets: Bool) async throws {
        let server = try WireServer { wire in
            _ = wire.readRequest()
            if resets { wire.reset() }
        }
        defer { server.stop() }
        let failure = try await Client().failure(post(server.url))
        #expect(failure.kind == .broken)
        #expect(failure.requestFullySent)
        #expect(!failure.answerStarted)
        #expect(server.requests.count == 1)
    }

    static let cutAnswers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n50\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense",
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\n",
    ]

    @Test(arguments: cutAnswers)
    func `an answer that is cut or garbled is no answer`(_ answer: String) async throws {
        let server = try WireServer { wire in
            _ = wire.readRequest()
            wire.send(answer)
        }
        defer { server.stop() }
        let failure = try await Client().failure(post(server.url))
        #expect(failure.kind == .broken)
        #expect(failure.requestFullySent)
        #expect(failure.answerStarted)
        #expect(server.requests.count == 1)
    }

    @Test func `an interim answer is not the beginning of an answer`() async throws {
        let server = try WireServer { wire in
            _ = wire.readRequest()
            wire.send("HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n")
        }
        defer { server.stop() }
        let failure = try await Client().failure(post(server.url))
        #expect(failure.kind == .broken)
        #expect(failure.requestFullySent)
        #expect(!failure.answerStarted)
    }

    @Test func `an answer that begins before the request has left and is cut leaves it not sent`() async throws {
        let server = try WireServer { wire in
            _ = wire.readHead()
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nearly")
            // Reading on a little lets the client see the answer before it sees the reset.
            _ = wire.readBytes(1 << 20)
            wire.reset()
        }
        defer { server.stop() }
        let failure = try await Client().failure(post(server.url, Self.large))
        #expect(failure.kind == .broken)
        #expect(!failure.requestFullySent)
    }

    // MARK: Connections that were used before

    @Test func `a connection that the server has closed since is not used again`() async throws {
        let closed = Gate()
        let server = try WireServer { wire in
            _ = wire.readRequest()
            wire.answer()
            if wire.index == 0 {
                wire.close()
                closed.open()
            } else {
                wire.serve()
            }
        }
        defer { server.stop() }
        let client = try Client()
        #expect(try await client.response(post(server.url, "1")).status == 200)
        closed.pass()
        #expect(try await client.response(post(server.url, "2")).status == 200)
        #expect(server.requests.map { String(decoding: $0.body, as: UTF8.self) } == ["1", "2"])
        #expect(server.accepted == 2)
    }

    @Test(arguments: [false, true])
    func `a used connection that ends after the request does not send it again`(_ resets: Bool) async throws {
        let server = try WireServer { wire in
            guard wire.index == 0 else { return wire.serve() }
            _ = wire.readRequest()
            wire.answer()
            _ = wire.readRequest()
            if resets { wire.reset() }
        }
        defer { server.stop() }
        let client = try Client()
        #expect(try await client.response(post(server.url, "1")).status == 200)
        let failure = try await client.failure(post(server.url, "2"))
        #expect(failure.kind == .broken)
        #expect(failure.requestFullySent)
        #expect(!failure.answerStarted)
        // A third shows that the transport is in order, and that nothing of the second comes late.
        #expect(try await client.response(post(server.url, "3")).status == 200)
        #expect(server.requests.map { String(decoding: $0.body, as: UTF8.self) } == ["1", "2", "3"])
    }

    @Test func `a server that takes a request and dies entirely leaves it sent`() async throws {
        let place = Mutex<WireServer?>(nil)
        let server = try WireServer { wire in
            _ = wire.readRequest()
            wire.answer()
            _ = wire.readRequest()
            // No other connection is possible from here on.
            place.withLock { $0 }?.stop()
        }
        place.withLock { $0 = server }
        defer { server.stop() }
        let client = try Client()
        #expect(try await client.response(post(server.url, "1")).status == 200)
        let failure = try await client.failure(post(server.url, "2"))
        #expect(failure.kind == .broken)
        #expect(failure.requestFullySent)
        #expect(failure.message.hasPrefix("no other could be made: "), "not as if nothing had left: \(failure.message)")
        #expect(server.requests.count == 2)
    }

    @Test func `a used connection that breaks within the body may send it again, since no server had all of it`()
        async throws
    {
        let server = try WireServer { wire in
            guard wire.index == 0 else { return wire.serve() }
            _ = wire.readRequest()
            wire.answer()
            _ = wire.readHead()
            _ = wire.readBytes(1 << 16)
            wire.reset()
        }
        defer { server.stop() }
        let client = try Client()
        #expect(try await client.response(post(server.url, "1")).status == 200)
        // Whether the sending or the reading end sees the reset first decides which of the two happens.
        switch await client.exchange(post(server.url, Self.large)) {
        case .failure(let failure):
            #expect(failure.kind == .broken)
            #expect(!failure.requestFullySent)
            #expect(server.requests.count == 1)
        case .response(let response):
            #expect(response.status == 200)
            #expect(server.requests.count == 2)
            #expect(server.requests.last?.body == Self.large)
        }
    }

    @Test func `many requests on connections that end at random moments come once each`() async throws {
        let server = try WireServer { wire in
            var count = 0
            while wire.readRequest() != nil {
                count += 1
                if (wire.index + count) % 7 == 0 { return }
                wire.answer()
                // Keep-alive was promised, and the connection ends all the same: what comes next meets its end.
                if (wire.index + count) % 5 == 0 { return }
            }
        }
        defer { server.stop() }
        let client = try Client()
        var unknown = 0
        for round in 0..<15 {
            for end in await client.ends(of: client.start((0..<20).map { post(server.url, "\(round)-\($0)") })) {
                if case .failure(let failure) = end, failure.requestFullySent { unknown += 1 }
            }
        }
        let bodies = server.requests.map { String(decoding: $0.body, as: UTF8.self) }
        #expect(Set(bodies).count == bodies.count, "a body came twice")
        #expect(unknown > 0)
        #expect(client.surplus == 0)
    }

    @Test func `a connection idle for four seconds is not used again`() async throws {
        // Many model servers close after five seconds; to send at that moment loses the answer.
        let server = try WireServer { $0.serve() }
        defer { server.stop() }
        let client = try Client()
        for _ in 0..<2 { _ = try await client.response(post(server.url)) }
        #expect(server.accepted == 1)
        try await Task.sleep(for: .milliseconds(4_200))
        _ = try await client.response(post(server.url))
        #expect(server.accepted == 2)
    }
}
