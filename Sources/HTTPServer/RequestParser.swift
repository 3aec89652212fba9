import Glibc

/// The HTTP/1.x request machine: bytes in, in pieces of any size; complete requests out, one at a time.
///
/// Pipelined requests wait inside until the caller asks for the next one. The first malformed request ends the
/// machine: after it nothing on the connection can be trusted to start where it seems to start.
package struct RequestParser: Sendable {
    /// What the bytes so far amount to.
    package enum Progress: Sendable {
        case incomplete
        case request(ServerRequest)
        case failed(RequestFailure)
    }

    private enum Phase {
        case head
        case fixed(length: Int)
        case chunkSize
        case chunkData(remaining: Int)
        case chunkEnd
        case trailers(bytes: Int)
    }

    private let limits: RequestLimits
    private var buffer: [UInt8] = []
    /// The first byte not yet consumed.
    private var start = 0
    /// No line ends between `lineStart` and here.
    private var scanned = 0
    private var lineStart = 0
    private var phase = Phase.head
    /// The request whose head is read and whose body is still coming.
    private var pending: ServerRequest?
    private var body: [UInt8] = []
    private var asksToContinue = false
    private var failure: RequestFailure?

    package init(limits: RequestLimits = RequestLimits()) { self.limits = limits }

    /// Bytes taken in and not yet part of a request handed out.
    package var bufferedBytes: Int { buffer.count - start + body.count }

    /// Takes in what arrived.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        // Room for a body whose length is known is made once, not by doubling.
        if case .fixed(let length) = phase { buffer.reserveCapacity(start + length) }
        buffer.append(contentsOf: bytes)
    }

    /// Takes in what arrived.
    package mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    /// The next complete request, if the bytes so far hold one.
    package mutating func next() -> Progress {
        if let failure { return .failed(failure) }
        do throws(RequestFailure) {
            guard let request = try advance() else { return .incomplete }
            return .request(request)
        } catch {
            failure = error
            buffer = []
            body = []
            start = 0
            return .failed(error)
        }
    }

    /// True once per request whose sender holds its body back until it is told to go on (`Expect: 100-continue`).
    package mutating func takeContinue() -> Bool {
        defer { asksToContinue = false }
        return asksToContinue
    }

    // MARK: - Phases

    private mutating func advance() throws(RequestFailure) -> ServerRequest? {
        while true {
            switch phase {
            case .head:
                guard let end = try headEnd() else { return nil }
                try readHead(to: end)
                consume(to: end)
            case .fixed(let length):
                guard buffer.count - start >= length else { return nil }
                body = length == buffer.count && start == 0 ? buffer : Array(buffer[start..<start + length])
                consume(to: start + length)
                return complete()
            case .chunkSize:
                guard let line = try takeLine() else { return nil }
                let size = try chunkSize(line)
                guard body.count + size <= limits.body else { throw .bodyTooLarge }
                phase = size == 0 ? .trailers(bytes: 0) : .chunkData(remaining: size)
            case .chunkData(let remaining):
                let count = min(remaining, buffer.count - start)
                guard count > 0 else { return nil }
                body.append(contentsOf: buffer[start..<start + count])
                consume(to: start + count)
                phase = count == remaining ? .chunkEnd : .chunkData(remaining: remaining - count)
            case .chunkEnd:
                guard let line = try takeLine() else { return nil }
                guard line.isEmpty else { throw .chunk }
                phase = .chunkSize
            case .trailers(let bytes):
                guard let line = try takeLine() else { return nil }
                if line.isEmpty { return complete() }
                guard bytes + line.count <= limits.head else { throw .headTooLarge }
                phase = .trailers(bytes: bytes + line.count + 2)
            }
        }
    }

    private mutating func complete() -> ServerRequest? {
        var request = pending
        request?.body = body
        pending = nil
        body = []
        asksToContinue = false
        phase = .head
        return request
    }

    private mutating func readHead(to end: Int) throws(RequestFailure) {
        let head = try RequestHead(buffer[start..<end])
        switch head.framing {
        case .none:
            phase = .fixed(length: 0)
        case .fixed(let length):
            guard length <= limits.body else { throw .bodyTooLarge }
            phase = .fixed(length: length)
        case .chunked:
            phase = .chunkSize
        }
        asksToContinue = head.expectsContinue
        pending = head.request
    }

    // MARK: - Lines

    /// The index after the blank line that ends the head. Blank lines before a request are skipped, as RFC 9112
    /// section 2.2 asks.
    private mutating func headEnd() throws(RequestFailure) -> Int? {
        while let newline = indexOfNewline() {
            let blank = newline == lineStart || (newline == lineStart + 1 && buffer[lineStart] == 0x0D)
            let atStart = lineStart == start
            scanned = newline + 1
            lineStart = newline + 1
            guard blank else { continue }
            if atStart {
                consume(to: newline + 1)
                continue
            }
            guard newline + 1 - start <= limits.head else { throw .headTooLarge }
            return newline + 1
        }
        guard buffer.count - start <= limits.head else { throw .headTooLarge }
        return nil
    }

    /// The next line without its end, consumed; nil when it is not whole yet.
    private mutating func takeLine() throws(RequestFailure) -> ArraySlice<UInt8>? {
        guard let newline = indexOfNewline() else {
            guard buffer.count - start <= limits.head else { throw .chunk }
            return nil
        }
        let end = newline > start && buffer[newline - 1] == 0x0D ? newline - 1 : newline
        let line = buffer[start..<end]
        consume(to: newline + 1)
        return line
    }

    private mutating func indexOfNewline() -> Int? {
        let from = scanned
        let found: Int? = buffer.withUnsafeBytes { bytes in
            guard from < bytes.count, let base = bytes.baseAddress else { return nil }
            // SAFETY: the search stays within the buffer: `from` is inside and the length is what follows it.
            guard let hit = memchr(base + from, 0x0A, bytes.count - from) else { return nil }
            return UnsafeRawPointer(hit) - base
        }
        if found == nil { scanned = buffer.count }
        return found
    }

    private mutating func consume(to index: Int) {
        start = index
        // An idle connection holds no memory; a busy one moves its bytes rarely.
        if start == buffer.count {
            if buffer.capacity > 16 << 10 { buffer = [] } else { buffer.removeAll(keepingCapacity: true) }
            start = 0
        } else if start > 64 << 10 {
            buffer.removeSubrange(..<start)
            start = 0
        }
        scanned = start
        lineStart = start
    }

    /// Hexadecimal digits, then perhaps extensions after a semicolon, which mean nothing to us.
    private func chunkSize(_ line: ArraySlice<UInt8>) throws(RequestFailure) -> Int {
        var size = 0
        var digits = 0
        for byte in line {
            if byte == 0x3B || byte == 0x20 || byte == 0x09 { break }
            guard let digit = hexDigit(byte), digits < 15 else { throw .chunk }
            size = size << 4 | digit
            digits += 1
        }
        guard digits > 0 else { throw .chunk }
        return size
    }

    private func hexDigit(_ byte: UInt8) -> Int? {
        switch lowercased(byte) {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x61...0x66: Int(lowercased(byte)) - 0x57
        default: nil
        }
    }
}
