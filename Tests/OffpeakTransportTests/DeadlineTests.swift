import Foundation
import OffpeakProviders
import OffpeakTransport
import Testing

@Suite(.timeLimit(.minutes(2))) struct DeadlineTests {
    /// Far above what the machine's other work costs, far below the servers' own ends.
    private static let late = 15_000

    /// Long enough to be sent on a busy machine.
    private static let enough = 1_500

    @Test func `a server that never answers ends at the deadline`() async throws {
        let server = try WireServer { wire in
            _ = wire.readRequest()
            wire.waitForEnd()
        }
        defer { server.stop() }
        let client = try Client()
        let time = try await milliseconds {
            let failure = try await client.failure(post(server.url, timeout: 150))
            #expect(failure.kind == .timedOut)
        }
        #expect(time >= 150 && time < Self.late, "\(time) ms")
        let failure = try await client.failure(post(server.url, timeout: Self.enough))
        #expect(failure.kind == .timedOut)
        #expect(failure.requestFullySent)
        #expect(!failure.answerStarted)
    }

    @Test func `a body that drips ends at the deadline`() async throws {
        let server = try WireServer { wire in
            _ = wire.readRequest()
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
            while wire.send([0x78]) { usleep(10_000) }
        }
        defer { server.stop() }
        let client = try Client()
        let time = try await milliseconds {
            let failure = try await client.failure(post(server.url, timeout: Self.enough))
            #expect(failure.kind == .timedOut)
            #expect(failure.requestFullySent)
            #expect(failure.answerStarted)
        }
        #expect(time >= Self.enough && time < Self.late, "\(time) ms")
    }

    @Test func `a server that does not take the body ends at the deadline, not sent`() async throws {
        let done = Gate()
        let server = try WireServer { wire in
            _ = wire.readHead()
            done.pass(within: 20)
        }
        defer {
            done.open()
            server.stop()
        }
        let failure = try await Client().failure(
            post(server.url, [UInt8](repeating: 0x61, count: 32 << 20), timeout: 200))
        #expect(failure.kind == .timedOut)
        #expect(!failure.requestFullySent)
    }

    @Test func `each request has its own deadline while the first connection hangs`() async throws {
        // It takes connections and says nothing, so no TLS handshake ends.
        let server = try WireServer { $0.waitForEnd() }
        defer { server.stop() }
        let client = try Client()
        let url = "https://127.0.0.1:\(server.port)/v1"
        let time = try await milliseconds {
            let patient = client.start([post(url, timeout: 60_000)])
            let ends = await client.ends(of: client.start((0..<20).map { _ in post(url, timeout: 200) }))
            for end in ends {
                let failure = try end.failure()
                #expect(failure.kind == .timedOut)
                #expect(!failure.requestFullySent)
            }
            client.transport.cancelAll()
            #expect(try await client.end(of: patient.lowerBound).failure().kind == .cancelled)
        }
        #expect(time < Self.late, "\(time) ms")
    }

    @Test func `deadlines of hundreds of requests that wait are kept`() async throws {
        let server = try SlowServer()
        defer { server.stop() }
        let client = try Client()
        let time = try await milliseconds {
            let ends = await client.ends(
                of: client.start((0..<300).map { post(server.url + "/delay/60000", timeout: 200 + $0) }))
            let kinds = try ends.map { try $0.failure().kind }
            #expect(kinds.filter { $0 == .timedOut }.count == 300)
        }
        #expect(time >= 499 && time < 499 + Self.late, "\(time) ms")
    }
}
