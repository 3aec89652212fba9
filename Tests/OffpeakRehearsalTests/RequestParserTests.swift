import HTTPServer
import OffpeakRehearsal
import Testing

/// What a parser made of some bytes, short enough to compare.
struct Outcome: Equatable, CustomStringConvertible {
    var requests: [String] = []
    var failure: RequestFailure?

    var description: String { "\(requests)\(failure.map { " then \($0)" } ?? "")" }

    /// Feeds the pieces one after the other and takes out every request as soon as it is there.
    init(_ pieces: [[UInt8]], limits: RequestLimits = RequestLimits()) {
        var parser = RequestParser(limits: limits)
        for piece in pieces {
            parser.append(piece)
            taking: while true {
                switch parser.next() {
                case .request(let request):
                    let body = String(decoding: request.body, as: UTF8.self)
                    let query = request.query.map { "?" + $0 } ?? ""
                    requests.append("\(request.method) \(request.path)\(query) \(body)|\(request.keepsAlive)")
                case .incomplete: break taking
                case .failed(let failure):
                    self.failure = failure
                    return
                }
            }
        }
    }

    init(requests: [String] = [], failure: RequestFailure? = nil) {
        self.requests = requests
        self.failure = failure
    }
}

private let host = "Host: a\r\n"

@Suite struct RequestParserTests {
    static let good: [(String, [String])] = [
        ("GET / HTTP/1.1\r\n\(host)\r\n", ["GET / |true"]),
        ("GET /v1/models?a=b?c HTTP/1.1\r\n\(host)\r\n", ["GET /v1/models?a=b?c |true"]),
        ("GET http://a.test/x?y HTTP/1.1\r\n\(host)\r\n", ["GET /x?y |true"]),
        ("GET http://a.test HTTP/1.1\r\n\(host)\r\n", ["GET / |true"]),
        ("OPTIONS * HTTP/1.1\r\n\(host)\r\n", ["OPTIONS * |true"]),
        ("GET / HTTP/1.1\nhost: a\n\n", ["GET / |true"]),
        ("\r\n\r\nGET / HTTP/1.1\r\n\(host)\r\n", ["GET / |true"]),
        ("GET / HTTP/1.0\r\n\r\n", ["GET / |false"]),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", ["GET / |true"]),
        ("GET / HTTP/1.1\r\n\(host)Connection: close\r\n\r\n", ["GET / |false"]),
        ("POST /a HTTP/1.1\r\n\(host)Content-Length: 3\r\n\r\nabc", ["POST /a abc|true"]),
        ("POST /a HTTP/1.1\r\n\(host)content-length:3\r\nCONTENT-LENGTH: 3 \r\n\r\nabc", ["POST /a abc|true"]),
        ("POST /a HTTP/1.1\r\n\(host)Content-Length: 0\r\n\r\n", ["POST /a |true"]),
        (
            "POST /a HTTP/1.1\r\n\(host)Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n",
            ["POST /a abc0123456789|true"]
        ),
        (
            "POST /a HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\nGET / HTTP/1.1\r\n"
                + "\(host)\r\n", ["POST /a a|true", "GET / |true"]
        ),
        (
            "POST /a HTTP/1.1\r\n\(host)Content-Length: 2\r\n\r\nabPOST /b HTTP/1.1\r\n\(host)Content-Length: 1\r\n\r\nc"
                + "GET /c HTTP/1.1\r\n\(host)\r\n", ["POST /a ab|true", "POST /b c|true", "GET /c |true"]
        ),
    ]

    @Test(arguments: good) func `a well-formed stream gives its requests`(text: String, requests: [String]) {
        #expect(Outcome([Array(text.utf8)]) == Outcome(requests: requests))
    }

    @Test(arguments: good) func `the size of the pieces changes nothing`(text: String, requests: [String]) {
        let bytes = Array(text.utf8)
        #expect(Outcome(bytes.map { [$0] }) == Outcome(requests: requests))
        var random = SeededRandom(seed: 7, purpose: .answer, number: UInt64(bytes.count))
        for _ in 0..<50 {
            var pieces: [[UInt8]] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let size = 1 + random.below(rest.count)
                pieces.append(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            #expect(Outcome(pieces) == Outcome(requests: requests))
        }
    }

    static let bad: [(String, RequestFailure)] = [
        ("GET /\r\n\r\n", .requestLine),
        ("GET  HTTP/1.1\r\n\(host)\r\n", .requestLine),
        (" GET / HTTP/1.1\r\n\(host)\r\n", .requestLine),
        ("G(T / HTTP/1.1\r\n\(host)\r\n", .requestLine),
        ("GET a/b HTTP/1.1\r\n\(host)\r\n", .requestLine),
        ("GET /a b HTTP/1.1\r\n\(host)\r\n", .requestLine),
        ("GET / FTP/1.1\r\n\(host)\r\n", .requestLine),
        ("GET / HTTP/2.0\r\n\(host)\r\n", .version),
        ("GET / HTTP/1.1\r\n\r\n", .host),
        ("GET / HTTP/1.1\r\n\(host)\(host)\r\n", .host),
        ("GET / HTTP/1.1\r\n\(host)no colon\r\n\r\n", .field),
        ("GET / HTTP/1.1\r\n\(host): x\r\n\r\n", .field),
        ("GET / HTTP/1.1\r\n\(host)a : x\r\n\r\n", .field),
        ("GET / HTTP/1.1\r\n\(host)a: x\r\n folded\r\n\r\n", .field),
        ("GET / HTTP/1.1\r\n\(host)a: x\u{0}y\r\n\r\n", .field),
        ("POST / HTTP/1.1\r\n\(host)Content-Length: x\r\n\r\n", .length),
        ("POST / HTTP/1.1\r\n\(host)Content-Length: -1\r\n\r\n", .length),
        ("POST / HTTP/1.1\r\n\(host)Content-Length: +1\r\n\r\n", .length),
        ("POST / HTTP/1.1\r\n\(host)Content-Length: 99999999999999999999\r\n\r\n", .length),
        ("POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nContent-Length: 2\r\n\r\n", .length),
        ("POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthAndCoding),
        ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip\r\n\r\n", .coding),
        ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\nx\r\n", .chunk),
        ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n\r\n", .chunk),
        ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", .chunk),
        ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n7fffffffffffffffff\r\n", .chunk),
    ]

    @Test(arguments: bad) func `a malformed stream is refused for its reason`(text: String, failure: RequestFailure) {
        #expect(Outcome([Array(text.utf8)]) == Outcome(failure: failure))
        #expect(Outcome(text.utf8.map { [$0] }) == Outcome(failure: failure))
    }

    @Test func `limits hold to the byte, and before the bytes have come`() {
        let limits = RequestLimits(head: 60, body: 4)
        func outcome(_ text: String) -> Outcome { Outcome([Array(text.utf8)], limits: limits) }
        let head = "POST / HTTP/1.1\r\n\(host)Content-Length: "
        #expect(outcome(head + "4\r\n\r\nabcd") == Outcome(requests: ["POST / abcd|true"]))
        #expect(outcome(head + "5\r\n\r\n").failure == .bodyTooLarge)
        #expect(outcome("GET / HTTP/1.1\r\n\(host)a: \(String(repeating: "x", count: 28))\r\n\r\n").failure == nil)
        #expect(
            outcome("GET / HTTP/1.1\r\n\(host)a: \(String(repeating: "x", count: 29))\r\n\r\n").failure == .headTooLarge
        )
        #expect(outcome(String(repeating: "x", count: 61)).failure == .headTooLarge)
        let chunked = "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n"
        let wide = RequestLimits(head: 90, body: 4)
        #expect(Outcome([Array((chunked + "3\r\nabc\r\n2\r\n").utf8)], limits: wide).failure == .bodyTooLarge)
        let endless = chunked + "1;" + String(repeating: "x", count: 100)
        #expect(Outcome([Array(endless.utf8)], limits: wide).failure == .chunk)
    }

    @Test func `fields are found whatever their case`() {
        var parser = RequestParser()
        parser.append(Array("GET / HTTP/1.1\r\n\(host)X-One: 1\r\nx-TWO:\t two words \r\nX-One: 3\r\n\r\n".utf8))
        guard case .request(let request) = parser.next() else {
            Issue.record("no request")
            return
        }
        #expect(request.header("x-one") == "1")
        #expect(request.headers("x-one") == ["1", "3"])
        #expect(request.header("x-two") == "two words")
        #expect(request.header("x-three") == nil)
        #expect(parser.bufferedBytes == 0)
    }

    @Test func `a client that waits to be told is told once`() {
        var parser = RequestParser()
        parser.append(Array("POST / HTTP/1.1\r\n\(host)Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n".utf8))
        guard case .incomplete = parser.next() else {
            Issue.record("the body has not come yet")
            return
        }
        let told = [parser.takeContinue(), parser.takeContinue()]
        #expect(told == [true, false])
        parser.append(Array("ab".utf8))
        guard case .request(let request) = parser.next() else {
            Issue.record("no request")
            return
        }
        #expect(request.body == Array("ab".utf8))
    }

    @Test func `random bytes never crash the machine`() {
        var random = SeededRandom(seed: 3, purpose: .answer, number: 1)
        let seeds = Self.good.map(\.0) + Self.bad.map(\.0)
        for _ in 0..<3_000 {
            var bytes = Array(seeds[random.below(seeds.count)].utf8)
            for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            let whole = Outcome([bytes])
            let cut = random.below(bytes.count)
            #expect(Outcome([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole)
        }
    }
}

@Suite struct TimerHeapTests {
    @Test func `what is due comes by time, then by order`() {
        var random = SeededRandom(seed: 5, purpose: .answer, number: 2)
        var heap = TimerHeap<Int>()
        var expected: [(due: Int64, number: Int)] = []
        for number in 0..<2_000 {
            let due = Int64(random.below(300))
            heap.add(number, due: due)
            expected.append((due, number))
        }
        expected.sort { ($0.due, $0.number) < ($1.due, $1.number) }
        var taken: [Int] = []
        for now in Int64(0)..<300 {
            #expect((heap.earliest ?? .max) >= now)
            while let number = heap.takeDue(at: now) { taken.append(number) }
        }
        #expect(taken == expected.map(\.number))
        #expect(heap.count == 0)
    }
}
