import Foundation
import Glibc
import OffpeakProviders
import OffpeakTransport
import Synchronization
import Testing

/// How many connections many requests use.
@Suite(.timeLimit(.minutes(2))) struct ConnectionTests {
    private func client(concurrency: Int = 256) throws -> Client {
        try Client(
            TransportOptions(
                expectedConcurrency: concurrency, extraAuthorities: try Certificates.shared().authority))
    }

    @Test func `HTTP/2 carries two hundred requests at once on a few connections`() async throws {
        let backend = try SlowServer()
        defer { backend.stop() }
        let nginx = try Nginx([.init(name: "h2", certificate: "right")], backend: backend.port)
        let client = try client()
        let ends = await client.ends(
            of: client.start((0..<200).map { post(nginx.url("h2", "/proxy/delay/500"), "\($0)") }))
        #expect(ends.filter(\.isResponse).count == 200)
        #expect(backend.peak >= 150, "only \(backend.peak) at once")
        let accesses = try nginx.accesses()
        #expect(accesses.count == 200)
        #expect(accesses.allSatisfy { $0.protocolName == "HTTP/2.0" && $0.status == 200 })
        let connections = Set(accesses.map(\.connection)).count
        #expect(connections <= 4, "\(connections) connections")
        #expect(Set(backend.bodies).count == 200)
    }

    @Test func `HTTP/2 keeps a thousand requests in flight`() async throws {
        let backend = try SlowServer()
        defer { backend.stop() }
        let nginx = try Nginx([.init(name: "h2", certificate: "right")], backend: backend.port)
        let client = try client(concurrency: 1_000)
        let ends = await client.ends(
            of: client.start((0..<1_000).map { post(nginx.url("h2", "/proxy/delay/3000"), "\($0)") }))
        #expect(ends.filter(\.isResponse).count == 1_000)
        // Streams that wait for each other on a full connection would show here.
        #expect(backend.peak >= 900, "only \(backend.peak) at once")
        let connections = Set(try nginx.accesses().map(\.connection)).count
        #expect(connections <= 20, "\(connections) connections")
    }

    @Test func `HTTP/1.1 over TLS opens what the requests need, and uses it again`() async throws {
        let backend = try SlowServer()
        defer { backend.stop() }
        let nginx = try Nginx([.init(name: "h1", certificate: "right", http2: false)], backend: backend.port)
        let client = try client()
        for _ in 0..<3 {
            let ends = await client.ends(
                of: client.start((0..<50).map { _ in post(nginx.url("h1", "/proxy/delay/500")) }))
            #expect(ends.filter(\.isResponse).count == 50)
        }
        #expect(backend.peak >= 45, "only \(backend.peak) at once")
        let accesses = try nginx.accesses()
        #expect(accesses.allSatisfy { $0.protocolName == "HTTP/1.1" })
        let connections = Set(accesses.map(\.connection)).count
        #expect(connections <= 51, "\(connections) connections")
    }

    @Test func `HTTP/1.1 connections over TLS are made side by side`() async throws {
        let nginx = try Nginx([.init(name: "h1", certificate: "right", http2: false)])
        let port = try #require(nginx.ports["h1"])
        let everyone = Gate()
        let arrived = Mutex(0)
        // A far-away server: no handshake but the first goes on before all the others have begun theirs.
        let relay = try WireServer { wire in
            let count = arrived.withLock { arrived in
                arrived += 1
                return arrived
            }
            if count == 40 { everyone.open() }
            if count > 1 { everyone.pass(within: 30) }
            wire.relay(to: port)
        }
        defer { relay.stop() }
        let client = try client()
        let numbers = client.start((0..<40).map { _ in post("https://127.0.0.1:\(relay.port)/", timeout: 20_000) })
        let answered = await client.ends(of: numbers).filter(\.isResponse).count
        #expect(answered == 40)
        #expect(relay.accepted == 40)
    }

    @Test func `a server that ends HTTP/2 connections now and then gets no request twice`() async throws {
        let backend = try SlowServer()
        defer { backend.stop() }
        let nginx = try Nginx(
            [.init(name: "h2", certificate: "right", extra: "keepalive_requests 50;")], backend: backend.port)
        let client = try client()
        var answers = 0
        for round in 0..<5 {
            let requests = (0..<100).map { post(nginx.url("h2", "/proxy/delay/20"), "\(round)-\($0)") }
            for end in await client.ends(of: client.start(requests)) {
                switch end {
                case .response: answers += 1
                // libcurl does not tell a stream that the server's farewell leaves out from one that it cuts off.
                case .failure(let failure): #expect(failure.kind == .broken && !failure.answerStarted)
                }
            }
        }
        let bodies = backend.bodies
        #expect(Set(bodies).count == bodies.count, "a body came twice")
        #expect(answers >= 250)
        #expect(bodies.count >= answers)
    }

    @Test func `what waits on HTTP/2 when all is cancelled is sent`() async throws {
        let backend = try SlowServer()
        defer { backend.stop() }
        let nginx = try Nginx([.init(name: "h2", certificate: "right")], backend: backend.port)
        let client = try client()
        let numbers = client.start((0..<50).map { _ in post(nginx.url("h2", "/proxy/delay/60000"), timeout: 60_000) })
        while backend.requests < 50 { try await Task.sleep(for: .milliseconds(5)) }
        client.transport.cancelAll()
        for end in await client.ends(of: numbers) {
            let failure = try end.failure()
            #expect(failure.kind == .cancelled && failure.requestFullySent && !failure.answerStarted)
        }
    }

    @Test func `HTTP/1.1 connections are used again, also after errors`() async throws {
        let server = try WireServer { wire in
            while wire.readRequest() != nil { wire.answer(500) }
        }
        defer { server.stop() }
        let client = try client()
        for _ in 0..<20 { #expect(try await client.response(post(server.url)).status == 500) }
        #expect(server.accepted == 1)
    }

    @Test func `every connection is closed to programs that this one starts`() async throws {
        let server = try WireServer { $0.serve() }
        defer { server.stop() }
        let client = try client()
        _ = try await client.response(post(server.url))
        let local = try #require(server.peers.first)
        let mine = Self.descriptor(ofLocalPort: local)
        #expect(mine != nil)
        if let mine { #expect(fcntl(mine, F_GETFD) & FD_CLOEXEC != 0) }
    }

    /// The descriptor of this process whose socket has a local port.
    private static func descriptor(ofLocalPort port: Int) -> Int32? {
        (0..<20_000).first { descriptor in
            var name = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let code = withUnsafeMutablePointer(to: &name) { pointer in
                // SAFETY: the size given is the structure's; a longer address is cut.
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
            }
            return code == 0 && name.sin_family == sa_family_t(AF_INET) && Int(UInt16(bigEndian: name.sin_port)) == port
        }
    }
}
