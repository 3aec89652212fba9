/// A request's head, read: its line, its fields, and how its body is framed.
struct RequestHead {
    /// How long the body is.
    enum Framing: Equatable {
        case none
        case fixed(Int)
        case chunked
    }

    var request: ServerRequest
    var framing = Framing.none
    var expectsContinue = false

    /// Reads a head that ends with its blank line.
    init(_ slice: ArraySlice<UInt8>) throws(RequestFailure) {
        let head = Array(slice)
        var lines = Lines(bytes: head)
        guard let first = lines.next() else { throw .requestLine }
        request = try Self.requestLine(head, first)
        var fields: [ServerRequest.Field] = []
        fields.reserveCapacity(12)
        while let line = lines.next(), !line.isEmpty {
            fields.append(try Self.field(head, line))
        }
        request.head = head
        request.fields = fields
        try readFraming()
    }

    private mutating func readFraming() throws(RequestFailure) {
        let hosts = request.headers("host")
        guard hosts.count == 1 || (hosts.isEmpty && request.minorVersion == 0) else { throw .host }

        let codings = request.headers("transfer-encoding")
        let lengths = request.headers("content-length")
        if !codings.isEmpty {
            guard lengths.isEmpty else { throw .lengthAndCoding }
            guard codings.count == 1, codings[0].lowercased() == "chunked" else { throw .coding }
            framing = .chunked
        } else if let length = lengths.first {
            guard lengths.allSatisfy({ $0 == length }) else { throw .length }
            framing = .fixed(try Self.length(length))
        }
        if let connection = request.header("connection") {
            let options = connection.lowercased()
            if options.contains("close") {
                request.keepsAlive = false
            } else if options.contains("keep-alive") {
                request.keepsAlive = true
            }
        }
        if framing != .none, request.minorVersion == 1, let expected = request.header("expect") {
            expectsContinue = expected.lowercased() == "100-continue"
        }
    }

    private static func length(_ text: String) throws(RequestFailure) -> Int {
        guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(text)
        else { throw .length }
        return length
    }

    private static func requestLine(_ head: [UInt8], _ line: Range<Int>) throws(RequestFailure) -> ServerRequest {
        guard let first = line.first(where: { head[$0] == 0x20 }),
            let last = line.last(where: { head[$0] == 0x20 }), first < last
        else { throw .requestLine }
        let method = line.lowerBound..<first
        let target = first + 1..<last
        guard !method.isEmpty, method.allSatisfy({ isToken(head[$0]) }),
            !target.isEmpty, target.allSatisfy({ head[$0] > 0x20 && head[$0] != 0x7F })
        else { throw .requestLine }

        let version = String(decoding: head[last + 1..<line.upperBound], as: UTF8.self)
        guard version == "HTTP/1.1" || version == "HTTP/1.0" else {
            throw version.hasPrefix("HTTP/") ? .version : .requestLine
        }
        let (path, query) = try split(head[target])
        return ServerRequest(
            method: String(decoding: head[method], as: UTF8.self), path: path, query: query,
            minorVersion: version == "HTTP/1.1" ? 1 : 0, keepsAlive: version == "HTTP/1.1", head: [], fields: [])
    }

    private static func split(_ target: ArraySlice<UInt8>) throws(RequestFailure) -> (String, String?) {
        var rest = target
        if rest.first != 0x2F {
            let text = String(decoding: target, as: UTF8.self)
            guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
                // `OPTIONS *` is the one other form that a server of our kind can meet.
                guard text == "*" else { throw .requestLine }
                return (text, nil)
            }
            let host = text.hasPrefix("https://") ? target.dropFirst(8) : target.dropFirst(7)
            rest = host.firstIndex(of: 0x2F).map { host[$0...] } ?? [0x2F]
        }
        guard let mark = rest.firstIndex(of: 0x3F) else { return (String(decoding: rest, as: UTF8.self), nil) }
        return (String(decoding: rest[..<mark], as: UTF8.self), String(decoding: rest[(mark + 1)...], as: UTF8.self))
    }

    private static func field(_ head: [UInt8], _ line: Range<Int>) throws(RequestFailure) -> ServerRequest.Field {
        guard let colon = line.first(where: { head[$0] == 0x3A }), colon > line.lowerBound else { throw .field }
        let name = line.lowerBound..<colon
        // A blank before the colon, or at the line's start (an obsolete fold), is how requests get smuggled.
        guard name.allSatisfy({ isToken(head[$0]) }) else { throw .field }
        var from = colon + 1
        var to = line.upperBound
        while from < to, head[from] == 0x20 || head[from] == 0x09 { from += 1 }
        while from < to, head[to - 1] == 0x20 || head[to - 1] == 0x09 { to -= 1 }
        for index in from..<to where head[index] < 0x20 && head[index] != 0x09 || head[index] == 0x7F {
            throw .field
        }
        return ServerRequest.Field(name: name, value: from..<to)
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E, 0x5F, 0x60, 0x7C, 0x7E: true
        default: false
        }
    }
}

/// The lines of a head, without their ends.
private struct Lines {
    let bytes: [UInt8]
    var at = 0

    mutating func next() -> Range<Int>? {
        guard at < bytes.count else { return nil }
        let from = at
        while at < bytes.count, bytes[at] != 0x0A { at += 1 }
        let end = at > from && bytes[at - 1] == 0x0D ? at - 1 : at
        at += 1
        return from..<end
    }
}
