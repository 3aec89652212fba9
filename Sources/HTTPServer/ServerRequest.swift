/// One complete HTTP/1.x request as the listener read it.
package struct ServerRequest: Sendable {
    /// Where a header field's name and value stand in `head`.
    struct Field: Sendable {
        var name: Range<Int>
        var value: Range<Int>
    }

    /// As sent, such as `POST`; methods are case-sensitive.
    package var method: String
    /// The target without its query; an absolute-form target is reduced to its path.
    package var path: String
    /// What follows the first `?` of the target, if there is one.
    package var query: String?
    /// The minor version of HTTP/1: 0 or 1.
    package var minorVersion: Int
    /// False when the connection ends after this answer.
    package var keepsAlive: Bool
    /// The whole body, with any chunking removed.
    package var body: [UInt8] = []

    /// The bytes of the head, kept once for all fields.
    var head: [UInt8]
    var fields: [Field]

    /// The first value of a header field, without surrounding blanks; `name` in lower case.
    package func header(_ name: String) -> String? {
        guard let field = fields.first(where: { isNamed(name, $0) }) else { return nil }
        return String(decoding: head[field.value], as: UTF8.self)
    }

    /// Every value of a header field, in the order received; `name` in lower case.
    package func headers(_ name: String) -> [String] {
        fields.filter { isNamed(name, $0) }.map { String(decoding: head[$0.value], as: UTF8.self) }
    }

    private func isNamed(_ name: String, _ field: Field) -> Bool {
        let wanted = name.utf8
        guard wanted.count == field.name.count else { return false }
        var at = field.name.lowerBound
        for byte in wanted {
            if lowercased(head[at]) != byte { return false }
            at += 1
        }
        return true
    }
}

/// ASCII letters in lower case, every other byte unchanged.
func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

/// Why a request cannot be served; the connection ends after the answer that says so.
package enum RequestFailure: String, Error, Sendable, CaseIterable {
    case requestLine = "the request line is malformed"
    case version = "only HTTP/1.0 and HTTP/1.1 are spoken here"
    case field = "a header field is malformed"
    case headTooLarge = "the request's head is too large"
    case host = "the host header is missing or repeated"
    case length = "the content-length is malformed or contradicts another one"
    case lengthAndCoding = "a request has either a content-length or a transfer-encoding"
    case coding = "only the chunked transfer-encoding is spoken here"
    case chunk = "a chunk is malformed"
    case bodyTooLarge = "the request's body is too large"

    /// The status of the answer that reports it.
    package var status: Int {
        switch self {
        case .requestLine, .field, .host, .length, .lengthAndCoding, .chunk: 400
        case .bodyTooLarge: 413
        case .headTooLarge: 431
        case .coding: 501
        case .version: 505
        }
    }
}

/// How much of a request is taken in, in bytes.
package struct RequestLimits: Sendable, Equatable {
    /// Request line and header fields together; also the trailers of a chunked body.
    package var head: Int
    /// The body, after chunking is removed.
    package var body: Int

    package init(head: Int = 64 << 10, body: Int = 64 << 20) {
        self.head = head
        self.body = body
    }
}
