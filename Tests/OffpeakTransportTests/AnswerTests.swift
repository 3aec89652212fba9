import Foundation
import OffpeakProviders
import OffpeakTransport
import Testing

/// Answers as decent and other servers give them.
@Suite(.timeLimit(.minutes(2))) struct AnswerTests {
    /// What the transport makes of an answer, byte by byte as given, after which the connection ends.
    private func exchange(
        _ answer: [UInt8], options: TransportOptions = TransportOptions(), method: String = "POST"
    ) async throws -> HTTPExchange {
        let server = try WireServer { wire in
            _ = wire.readRequest()
            wire.send(answer)
        }
        defer { server.stop() }
        let client = try Client(options)
        return await client.exchange(method == "GET" ? get(server.url) : post(server.url))
    }

    private func response(_ answer: String) async throws -> HTTPResponse {
        try await exchange(Array(answer.utf8)).response()
    }

    @Test func `status, headers and body arrive as they are`() async throws {
        let answer = try await response(
            "HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nX-RateLimit-Limit-Requests:   500  \t\r\n"
                + "Set-Cookie: a\r\nset-cookie: b\r\nx-empty:\r\nx-colons: a:b: c\r\ncontent-length: 4\r\n\r\nbody")
        #expect(answer.status == 429)
        #expect(answer.header("retry-after") == "7")
        #expect(answer.header("x-ratelimit-limit-requests") == "500")
        #expect(answer.headers.filter { $0.name == "set-cookie" }.map(\.value) == ["a", "b"])
        #expect(answer.header("x-empty") == "")
        #expect(answer.header("x-colons") == "a:b: c")
        #expect(answer.body == Array("body".utf8))
    }

    @Test func `lines that are no headers do not disturb those that are`() async throws {
        let answer = try await response(
            "HTTP/1.1 200 OK\r\nx-first: 1\r\n  folded: on\r\n: nameless\r\nx-last: 2\r\n"
                + "content-length: 2\r\n\r\nok")
        #expect(answer.header("x-first")?.hasPrefix("1") == true)
        #expect(answer.header("x-last") == "2")
        #expect(!answer.headers.contains { $0.name.isEmpty || $0.name.hasPrefix(" ") })
        #expect(answer.body == Array("ok".utf8))
    }

    @Test func `header bytes that are no UTF-8 do no harm`() async throws {
        let head = Array("HTTP/1.1 200 OK\r\nx-odd: a".utf8) + [0xff, 0xc3, 0x28] + Array("b\r\n".utf8)
        let answer = try await exchange(head + Array("content-length: 2\r\n\r\nok".utf8)).response()
        #expect(answer.header("x-odd")?.hasPrefix("a") == true)
        #expect(answer.body == Array("ok".utf8))
    }

    @Test func `interim answers are passed over`() async throws {
        let answer = try await response(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nretry-after: 9\r\n\r\n"
                + "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        #expect(answer.status == 200)
        #expect(answer.header("retry-after") == nil)
        #expect(answer.body == Array("ok".utf8))
    }

    @Test func `chunked bodies are put together, and trailers are no headers`() async throws {
        let answer = try await response(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0a\r\n0123456789\r\n0\r\n"
                + "retry-after: 9\r\n\r\n")
        #expect(answer.body == Array("abc0123456789".utf8))
        #expect(answer.header("retry-after") == nil)
    }

    @Test func `a body without a length ends with the connection`() async throws {
        #expect(try await response("HTTP/1.0 200 OK\r\n\r\nto the end").body == Array("to the end".utf8))
        #expect(try await response("HTTP/1.1 200 OK\r\n\r\nto the end").body == Array("to the end".utf8))
    }

    @Test func `an empty body is empty`() async throws {
        #expect(try await response("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").body.isEmpty)
        let answer = try await response("HTTP/1.1 204 No Content\r\n\r\n")
        #expect(answer.status == 204)
        #expect(answer.body.isEmpty)
    }

    @Test func `every byte value arrives`() async throws {
        let body = (0..<2_048).map { UInt8(truncatingIfNeeded: $0) }
        let answer = try await exchange(Array("HTTP/1.1 200 OK\r\ncontent-length: 2048\r\n\r\n".utf8) + body).response()
        #expect(answer.body == body)
    }

    @Test func `a gzipped body is unpacked`() async throws {
        // "offpeak" three times, as gzip writes it.
        let packed = Data(base64Encoded: Self.gzipped)!
        let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: \(packed.count)\r\n\r\n"
        #expect(try await exchange(Array(head.utf8) + packed).response().body == Array("offpeak offpeak offpeak".utf8))
    }

    private static let gzipped = "H4sIAAAAAAACA8tPSytITcxWyEelASORIQMXAAAA"

    @Test func `an answer larger than allowed is refused`() async throws {
        let options = TransportOptions(largestAnswer: 1_000)
        func answer(_ count: Int) -> [UInt8] {
            Array("HTTP/1.1 200 OK\r\ncontent-length: \(count)\r\n\r\n".utf8) + [UInt8](repeating: 0x78, count: count)
        }
        #expect(try await exchange(answer(1_000), options: options).response().body.count == 1_000)
        let failure = try await exchange(answer(1_001), options: options).failure()
        #expect(failure.kind == .tooLarge)
        #expect(failure.requestFullySent)
    }

    @Test func `an answer that unpacks to more than allowed is refused`() async throws {
        let packed = Data(base64Encoded: Self.gzipped)!
        let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: \(packed.count)\r\n\r\n"
        let failure = try await exchange(
            Array(head.utf8) + packed, options: TransportOptions(largestAnswer: 20)
        ).failure()
        #expect(failure.kind == .tooLarge)
    }

    @Test func `headers without end are refused`() async throws {
        let line = "x-filler: " + String(repeating: "y", count: 1_000) + "\r\n"
        let server = try WireServer { wire in
            _ = wire.readRequest()
            wire.send("HTTP/1.1 200 OK\r\n")
            while wire.send(Array(line.utf8)) {}
        }
        defer { server.stop() }
        let failure = try await Client().failure(post(server.url))
        #expect(failure.kind == .tooLarge)
        #expect(failure.requestFullySent)
    }

    @Test func `many large headers are taken`() async throws {
        let fields = (0..<60).map { "x-\($0): " + String(repeating: "y", count: 2_000) + "\r\n" }.joined()
        let answer = try await response("HTTP/1.1 200 OK\r\n\(fields)content-length: 2\r\n\r\nok")
        #expect(answer.headers.count == 61)
        #expect(answer.header("x-59")?.count == 2_000)
    }

    @Test func `a redirect is an answer, and the key goes nowhere else`() async throws {
        let elsewhere = try WireServer { $0.serve() }
        let server = try WireServer { wire in
            while wire.readRequest() != nil {
                wire.answer(307, "moved", fields: "location: \(elsewhere.url)/v1\r\n")
            }
        }
        defer {
            server.stop()
            elsewhere.stop()
        }
        let client = try Client()
        let answer = try await client.response(post(server.url))
        #expect(answer.status == 307)
        #expect(answer.header("location") == "\(elsewhere.url)/v1")
        #expect(answer.body == Array("moved".utf8))
        #expect(try await client.response(get(server.url)).status == 307)
        #expect(elsewhere.accepted == 0)
        #expect(server.requests.count == 2)
    }

    @Test(arguments: [
        "\u{16}\u{3}\u{1}\0\0", "SSH-2.0-OpenSSH\r\n", "<html>no head</html>",
        "HTTP/1.1 200 OK\r\nno colon\r\ncontent-length: 2\r\n\r\nok", "HTTP/9.9 200 OK\r\n\r\n",
    ])
    func `what is not HTTP is a failure`(_ garbage: String) async throws {
        let failure = try await exchange(Array(garbage.utf8)).failure()
        #expect(failure.kind == .broken || failure.kind == .other)
        #expect(failure.requestFullySent)
    }

    @Test func `an error that comes before the body was taken is an answer`() async throws {
        let done = Gate()
        let server = try WireServer { wire in
            _ = wire.readHead()
            wire.answer(413, "too large", fields: "connection: close\r\n")
            done.pass(within: 20)
        }
        defer {
            done.open()
            server.stop()
        }
        let body = [UInt8](repeating: 0x61, count: 32 << 20)
        let answer = try await Client().response(post(server.url, body))
        #expect(answer.status == 413)
        #expect(answer.body == Array("too large".utf8))
    }

    @Test func `a success that comes before the body was taken waits for the body`() async throws {
        let server = try WireServer { wire in
            _ = wire.readHead()
            wire.answer(200, "early")
            wire.waitForEnd()
        }
        defer { server.stop() }
        let answer = try await Client().response(post(server.url, [UInt8](repeating: 0x61, count: 4 << 20)))
        #expect(answer.body == Array("early".utf8))
    }

    // MARK: Requests

    @Test func `a request arrives as it was given`() async throws {
        let server = try WireServer { $0.serve() }
        defer { server.stop() }
        let client = try Client(TransportOptions(userAgent: "offpeak/test"))
        _ = try await client.response(post(server.url + "/v1/chat/completions", "{\"a\":\"\u{e9}\0\"}"))
        _ = try await client.response(get(server.url + "/v1/models?x=y"))
        let first = try #require(server.requests.first)
        #expect(first.line == "POST /v1/chat/completions HTTP/1.1")
        #expect(first.header("authorization") == "Bearer \(testSecret)")
        #expect(first.header("content-type") == "application/json")
        #expect(first.header("user-agent") == "offpeak/test")
        #expect(first.header("expect") == nil)
        #expect(first.header("transfer-encoding") == nil)
        #expect(first.body == Array("{\"a\":\"\u{e9}\0\"}".utf8))
        let second = try #require(server.requests.last)
        #expect(second.line == "GET /v1/models?x=y HTTP/1.1")
        // The handle is used again: nothing of the first request may cling to it.
        #expect(second.header("authorization") == nil)
        #expect(second.header("content-type") == nil)
        #expect(second.header("content-length") == nil)
    }

    @Test func `a body of eight megabytes arrives byte for byte`() async throws {
        let server = try WireServer { $0.serve() }
        defer { server.stop() }
        var state: UInt32 = 1
        let body = (0..<8 << 20).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: state >> 24)
        }
        let client = try Client()
        // Twice, so that it also goes over a connection that was used.
        for _ in 0..<2 { #expect(try await client.response(post(server.url, body)).status == 200) }
        #expect(server.requests.map(\.body) == [body, body])
        #expect(server.accepted == 1)
    }
}
