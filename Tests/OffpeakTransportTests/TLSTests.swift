import OffpeakProviders
import OffpeakTransport
import Testing

/// Real certificates, checked against a real server: nothing may leave before the server is known.
@Suite(.timeLimit(.minutes(2))) struct TLSTests {
    private let certificates: Certificates
    private let nginx: Nginx

    init() throws {
        certificates = try Certificates.shared()
        nginx = try Nginx([
            .init(name: "right", certificate: "right"), .init(name: "wrong-name", certificate: "wrong-name"),
            .init(name: "expired", certificate: "expired"),
            .init(name: "old", certificate: "right", extra: "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;"),
        ])
    }

    private func client(_ authority: [UInt8]) throws -> Client {
        try Client(TransportOptions(extraAuthorities: authority))
    }

    @Test func `a certificate of a known authority is accepted`() async throws {
        let client = try client(certificates.authority)
        #expect(try await client.response(post(nginx.url("right"))).body == Array("plain".utf8))
        let name = nginx.url("right").replacing("127.0.0.1", with: "localhost")
        #expect(try await client.response(post(name)).status == 200)
        #expect(try nginx.accesses().map(\.status) == [200, 200])
    }

    @Test func `several authorities can be given together`() async throws {
        let client = try client(certificates.otherAuthority + [10] + certificates.authority)
        #expect(try await client.response(post(nginx.url("right"))).status == 200)
    }

    /// Refusals, and that the server never saw a request.
    private func expectRefusal(_ site: String, _ client: Client) async throws {
        for url in [nginx.url(site), nginx.url(site).replacing("127.0.0.1", with: "localhost")] {
            let failure = try await client.failure(post(url))
            #expect(failure.kind == .tls, "\(failure)")
            #expect(!failure.requestFullySent)
            #expect(!failure.answerStarted)
            #expect(!failure.message.isEmpty && !failure.message.contains(testSecret))
        }
        #expect(try nginx.accesses().isEmpty)
    }

    @Test func `an unknown authority is refused before anything is sent`() async throws {
        try await expectRefusal("right", client([]))
    }

    @Test func `another authority is refused before anything is sent`() async throws {
        try await expectRefusal("right", client(certificates.otherAuthority))
    }

    @Test func `a certificate for another name is refused before anything is sent`() async throws {
        try await expectRefusal("wrong-name", client(certificates.authority))
    }

    @Test func `an expired certificate is refused before anything is sent`() async throws {
        try await expectRefusal("expired", client(certificates.authority))
    }

    @Test func `TLS before 1.2 is refused before anything is sent`() async throws {
        try await expectRefusal("old", client(certificates.authority))
    }

    @Test func `an authority that is no certificate leaves every server refused`() async throws {
        let failure = try await client(Array("no certificate".utf8)).failure(post(nginx.url("right")))
        #expect(failure.kind == .tls)
        #expect(!failure.requestFullySent)
    }

    @Test func `a server that speaks no TLS is refused before anything is sent`() async throws {
        let server = try WireServer { wire in
            _ = wire.readSome()
            wire.send("HTTP/1.1 400 Bad Request\r\n\r\n")
        }
        defer { server.stop() }
        let failure = try await client(certificates.authority).failure(post("https://127.0.0.1:\(server.port)/"))
        #expect(failure.kind == .tls)
        #expect(!failure.requestFullySent)
    }

    @Test func `a connection that ends within the handshake has sent nothing`() async throws {
        let server = try WireServer { wire in _ = wire.readSome() }
        defer { server.stop() }
        let failure = try await client(certificates.authority).failure(post("https://127.0.0.1:\(server.port)/"))
        #expect(failure.kind == .tls)
        #expect(!failure.requestFullySent)
    }
}
