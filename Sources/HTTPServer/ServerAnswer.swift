/// What a handler wants sent back, when, and how wholly.
package struct ServerAnswer: Sendable {
    /// What becomes of the answer on the wire.
    package enum Delivery: Sendable, Equatable {
        /// Sent entirely.
        case whole
        /// The head promises the whole body, this many bytes of the body follow, and the connection ends.
        case cut(after: Int)
        /// The connection ends without a byte.
        case close
        /// Nothing ever comes; the connection stays open until the client leaves.
        case never
    }

    package var status: Int
    /// Content-length and connection are added by the listener, and date where it is not here.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// How long after the request was read, in microseconds; not used with `.never`.
    package var delay: Int64
    package var delivery: Delivery
    /// The handler's own number for this exchange, given back when it ends; 0 asks for no report.
    package var ticket: UInt64

    package init(
        status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = [], delay: Int64 = 0,
        delivery: Delivery = .whole, ticket: UInt64 = 0
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.delay = delay
        self.delivery = delivery
        self.ticket = ticket
    }

    /// A short plain-text answer.
    package static func text(_ status: Int, _ text: String) -> ServerAnswer {
        ServerAnswer(
            status: status, headers: [("content-type", "text/plain; charset=utf-8")], body: Array((text + "\n").utf8))
    }

    /// The answer's bytes as HTTP/1.1. `headOnly` leaves the body out but keeps its length, as HEAD wants it.
    func serialized(keepsAlive: Bool, headOnly: Bool, date: [UInt8]) -> [UInt8] {
        let sent =
            switch delivery {
            case .cut(let bytes): body.prefix(max(0, bytes))
            default: body[...]
            }
        var out: [UInt8] = []
        out.reserveCapacity(256 + sent.count)
        out.append(contentsOf: "HTTP/1.1 ".utf8)
        out.append(contentsOf: String(status).utf8)
        out.append(0x20)
        out.append(contentsOf: Self.reason(status).utf8)
        if !headers.contains(where: { $0.name == "date" }) {
            out.append(contentsOf: "\r\ndate: ".utf8)
            out.append(contentsOf: date)
        }
        for header in headers {
            out.append(contentsOf: "\r\n".utf8)
            out.append(contentsOf: header.name.utf8)
            out.append(contentsOf: ": ".utf8)
            out.append(contentsOf: header.value.utf8)
        }
        out.append(contentsOf: "\r\ncontent-length: ".utf8)
        out.append(contentsOf: String(body.count).utf8)
        out.append(contentsOf: keepsAlive ? "\r\n\r\n".utf8 : "\r\nconnection: close\r\n\r\n".utf8)
        if !headOnly { out.append(contentsOf: sent) }
        return out
    }

    /// The phrase beside a status; clients ignore it, people read it.
    static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 204: "No Content"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 413: "Content Too Large"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}

/// Decides answers. The listener calls it on its own thread only, one call at a time.
package protocol RequestHandler: AnyObject, Sendable {
    /// The answer to a request; `now` is in microseconds since the listener was made, on the monotonic clock.
    func answer(_ request: ServerRequest, at now: Int64) -> ServerAnswer
    /// The exchange with this ticket is over; `delivered` when every byte of a whole answer went to the kernel.
    func ended(ticket: UInt64, delivered: Bool, at now: Int64)
    /// The number of open connections changed.
    func connections(open: Int)
}

extension RequestHandler {
    package func ended(ticket: UInt64, delivered: Bool, at now: Int64) {}
    package func connections(open: Int) {}
}
