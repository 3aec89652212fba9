import HTTPServer
import JSONLines
import OffpeakRehearsal
import Synchronization
import Testing

/// Answers by the path: `/delay/20` after 20 ms, `/cut/5`, `/close`, `/never`, `/big/1000000`, anything else at once.
private final class PathHandler: RequestHandler {
    let ends = Mutex<[UInt64: Bool]>([:])
    let tickets = Mutex<UInt64>(0)

    func answer(_ request: ServerRequest, at now: Int64) -> ServerAnswer {
        let parts = request.path.split(separator: "/").map(String.init)
        let number = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let ticket = tickets.withLock { tickets in
            tickets += 1
            return tickets
        }
        var answer = ServerAnswer(
            status: 200, body: Array("\(request.path) \(request.body.count)".utf8), ticket: ticket)
        switch parts.first {
        case "delay": answer.delay = Int64(number) * 1_000
        case "cut": answer.delivery = .cut(after: number)
        case "close": answer.delivery = .close
        case "never": answer.delivery = .never
        case "big": answer.body = [UInt8](repeating: 0x78, count: number)
        default: break
        }
        return answer
    }

    func ended(ticket: UInt64, delivered: Bool, at now: Int64) { ends.withLock { $0[ticket] = delivered } }

    /// Waits until so many exchanges have ended; false after two seconds.
    func waits(for count: Int) async throws -> Bool {
        for _ in 0..<400 {
            if ends.withLock({ $0.count }) >= count { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

@Suite struct ListenerTests {
    private func withListener(_ body: (HTTPListener, PathHandler) async throws -> Void) async throws {
        let handler = PathHandler()
        let listener = try HTTPListener(handler: handler, limits: RequestLimits(head: 4_096, body: 4 << 20))
        listener.start()
        defer { listener.stop() }
        try await body(listener, handler)
    }

    @Test func `one connection carries many requests, also sent all at once`() async throws {
        try await withListener { listener, _ in
            let client = try TestClient(port: listener.port)
            for number in 0..<20 { #expect(client.get("/\(number)")?.body == "/\(number) 0") }
            var text = ""
            for number in 0..<20 {
                text += "POST /delay/\(20 - number) HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc"
            }
            client.send(text)
            // In the order asked, although the later ones are ready sooner.
            for number in 0..<20 { #expect(client.receive()?.body == "/delay/\(20 - number) 3") }
        }
    }

    @Test func `delayed answers come when due, and not before`() async throws {
        try await withListener { listener, _ in
            let clients = try (0..<10).map { _ in try TestClient(port: listener.port) }
            let clock = ContinuousClock()
            let start = clock.now
            for client in clients { client.send("GET /delay/200 HTTP/1.1\r\nhost: a\r\n\r\n") }
            for client in clients { #expect(client.receive()?.status == 200) }
            let took = clock.now - start
            #expect(took >= .milliseconds(199))
            #expect(took < .milliseconds(1_500), "ten at once wait together, not one after the other")
        }
    }

    @Test func `answers can be cut, withheld, or never come`() async throws {
        try await withListener { listener, handler in
            let cut = try TestClient(port: listener.port).get("/cut/3")
            #expect(cut?.isCut == true && cut?.body == "/cu")
            #expect(try TestClient(port: listener.port).get("/close") == nil)
            var hanging: TestClient? = try TestClient(port: listener.port)
            hanging?.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n")
            #expect(try TestClient(port: listener.port).get("/ok")?.status == 200)
            let others = try await handler.waits(for: 3)
            #expect(others)
            hanging = nil
            let all = try await handler.waits(for: 4)
            #expect(all, "a client that leaves ends its exchange")
            let delivered = handler.ends.withLock { ends in ends.values.count { $0 } }
            #expect(delivered == 1)
        }
    }

    @Test func `a client that leaves before its answer is reported as not served`() async throws {
        try await withListener { listener, handler in
            var client: TestClient? = try TestClient(port: listener.port)
            client?.send("GET /delay/60000 HTTP/1.1\r\nhost: a\r\n\r\n")
            #expect(try TestClient(port: listener.port).get("/ok")?.status == 200)
            client = nil
            let both = try await handler.waits(for: 2)
            #expect(both)
        }
    }

    @Test func `large bodies pass in both directions, chunked ones too`() async throws {
        try await withListener { listener, _ in
            let client = try TestClient(port: listener.port)
            client.post("/up", String(repeating: "x", count: 3_000_000))
            #expect(client.receive()?.body == "/up 3000000")
            #expect(client.get("/big/3000000")?.body.utf8.count == 3_000_000)
            client.send("POST /c HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n")
            #expect(client.receive()?.status == 100)
            client.send("3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n")
            #expect(client.receive()?.body == "/c 19")
        }
    }

    @Test func `a malformed or oversized request is answered, and the connection ends`() async throws {
        try await withListener { listener, _ in
            for (text, status) in [
                ("BAD\r\n\r\n", 400), ("GET / HTTP/3.0\r\n\r\n", 505),
                ("GET / HTTP/1.1\r\nhost: a\r\nx: \(String(repeating: "y", count: 5_000))\r\n\r\n", 431),
                ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n", 413),
            ] {
                let client = try TestClient(port: listener.port)
                client.send(text)
                let answer = client.receive()
                #expect(answer?.status == status)
                #expect(answer?.head.contains("connection: close") == true)
                #expect(client.isClosed())
            }
        }
    }

    @Test func `closing is the client's choice, and HEAD has no body`() async throws {
        try await withListener { listener, _ in
            let client = try TestClient(port: listener.port)
            client.send("HEAD /x HTTP/1.1\r\nhost: a\r\n\r\nGET /y HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            var text = ""
            while !text.contains("/y 0"), let part = client.receive() { text += part.head + part.body }
            #expect(text.contains("content-length: 4"))
            #expect(client.isClosed())
        }
    }

    @Test func `both loopback addresses are served`() async throws {
        try await withListener { listener, _ in
            guard let client = try? TestClient(port: listener.port, address: .ipv6) else { return }
            #expect(client.get("/six")?.body == "/six 0")
        }
    }

    @Test func `a port is taken once, and free after the stop`() throws {
        let first = try HTTPListener(handler: PathHandler())
        #expect(throws: ListenFailure.self) { try HTTPListener(handler: PathHandler(), port: first.port) }
        first.start()
        first.stop()
        first.stop()
        let second = try HTTPListener(handler: PathHandler(), port: first.port)
        second.start()
        #expect(try TestClient(port: second.port).get("/again")?.status == 200)
        second.stop()
        #expect((try? TestClient(port: second.port)) == nil)
    }
}

@Suite struct LiveRehearsalTests {
    @Test func `a live run ends with a ledger that adds up`() throws {
        let limits = KeyLimits(rpm: 30, concurrent: 8)
        let profile = RehearsalProfile(
            seed: 3, latency: .range(min: 0, max: 4_000), keys: [KeyProfile(text: "k", limits: limits)],
            faults: [FaultRule(.serverError, at: [5]), FaultRule(.cut, at: [9])])
        let server = try RehearsalServer(profile: profile)
        server.start()
        defer { server.stop() }
        var statuses: [Int: Int] = [:]
        var cut = 0
        var client = try TestClient(port: server.port)
        for number in 0..<40 {
            client.post("/v1/chat/completions", chat("\(number)"))
            let answer = try #require(client.receive())
            if answer.isCut {
                cut += 1
                client = try TestClient(port: server.port)
            } else {
                statuses[answer.status, default: 0] += 1
            }
        }
        #expect(cut == 1)
        #expect(statuses == [200: 28, 500: 1, 429: 10])
        client.post("/v1/chat/completions", chat("x"), key: "other")
        #expect(client.receive()?.status == 401)

        let shown = try #require(JSONSlice(Array(client.get("/_rehearse/ledger")?.body.utf8 ?? "".utf8)))
        #expect(shown["requests"]?.int == 41)
        #expect(shown["answers"]?.int == 28)
        #expect(shown["undelivered"]?.int == 1)
        #expect(shown["by_status"]?["429"]?.int == 10)
        #expect(shown["by_key"]?["k"]?["peak_in_window"]?.int == 30)
        #expect(shown["by_key"]?["k"]?["peak_concurrent"]?.int == 1)
        #expect(shown["in_flight"]?.int == 0)
        #expect(JSONSlice(server.ledgerJSON())?["requests"]?.int == 41)
        client.send("POST /_rehearse/reset HTTP/1.1\r\nhost: a\r\n\r\n")
        #expect(client.receive()?.status == 200)
        #expect(server.ledger.requests == 0)
        client.post("/v1/chat/completions", chat("0"))
        #expect(client.receive()?.status == 200)
    }

    @Test func `hundreds wait together`() throws {
        let server = try RehearsalServer(profile: RehearsalProfile(latency: .fixed(500_000), otherKeys: KeyProfile()))
        server.start()
        defer { server.stop() }
        let clock = ContinuousClock()
        let start = clock.now
        let clients = try (0..<300).map { _ in try TestClient(port: server.port) }
        for (number, client) in clients.enumerated() { client.post("/v1/chat/completions", chat("\(number)")) }
        for client in clients { #expect(client.receive()?.status == 200) }
        #expect(clock.now - start < .seconds(10))
        // Asked over HTTP first: then the server has noted every answer that it sent before.
        #expect(clients[0].get("/_rehearse/health")?.status == 200)
        #expect(server.ledger.answers == 300)
        #expect(server.ledger.keys[0].peakConcurrent > 100)
        #expect(server.ledger.connectionsPeak == 300)
    }

    @Test func `a client that goes away frees its place`() async throws {
        let key = KeyProfile(text: "k", limits: KeyLimits(concurrent: 1))
        let server = try RehearsalServer(profile: RehearsalProfile(keys: [key], faults: [FaultRule(.hang, at: [1])]))
        server.start()
        defer { server.stop() }
        var first: TestClient? = try TestClient(port: server.port)
        first?.post("/v1/chat/completions", chat("a"))
        let second = try TestClient(port: server.port)
        var statuses: [Int] = []
        for attempt in 0..<200 where statuses.last != 200 {
            second.post("/v1/chat/completions", chat("a"))
            statuses.append(second.receive()?.status ?? 0)
            if attempt == 5 { first = nil }
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(second.get("/_rehearse/health")?.status == 200)
        #expect(statuses.first == 429 && statuses.last == 200)
        #expect(server.ledger.duplicates == 0)
        #expect(server.ledger.undelivered == 1)
    }
}
