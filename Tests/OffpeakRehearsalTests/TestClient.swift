import Glibc
import HTTPServer

/// One blocking connection that speaks just enough HTTP to look at a server from outside.
final class TestClient {
    struct Answer: Equatable {
        var status: Int
        var head: String
        var body: String
        /// The connection ended before the promised length had come.
        var isCut = false
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []

    init(port: Int, address: LoopbackAddress = .ipv4) throws {
        descriptor = socket(address == .ipv4 ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        var result: Int32 = -1
        if address == .ipv4 {
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = UInt16(port).bigEndian
            name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            result = connect(to: &name)
        } else {
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = UInt16(port).bigEndian
            name.sin6_addr = in6addr_loopback
            result = connect(to: &name)
        }
        guard result == 0 else { throw ListenFailureInTest(code: errno) }
        // A test that waits for ever is worse than one that fails.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    struct ListenFailureInTest: Error { var code: Int32 }

    deinit { close(descriptor) }

    private func connect<Name>(to name: inout Name) -> Int32 {
        withUnsafeMutablePointer(to: &name) { pointer in
            // SAFETY: a socket address of any family starts as `sockaddr` does; its true size goes with it.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Name>.size))
            }
        }
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
                return Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Sends a POST with a body.
    func post(_ path: String, _ body: String, key: String = "k") {
        let fields = "host: a\r\nauthorization: Bearer \(key)\r\ncontent-length: \(body.utf8.count)\r\n"
        send("POST \(path) HTTP/1.1\r\n\(fields)\r\n\(body)")
    }

    func get(_ path: String) -> Answer? {
        send("GET \(path) HTTP/1.1\r\nhost: a\r\n\r\n")
        return receive()
    }

    /// The next answer; nil when the connection ends without one.
    func receive() -> Answer? {
        while true {
            let text = String(decoding: buffer, as: UTF8.self)
            if let end = text.firstRange(of: "\r\n\r\n") {
                let head = String(text[..<end.lowerBound])
                let start = text.utf8.distance(from: text.startIndex, to: end.upperBound)
                let status = Int(head.split(separator: " ")[1]) ?? 0
                let fields = head.split(separator: "\r\n")
                let length =
                    fields.first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
                while buffer.count < start + length {
                    guard fill() else {
                        return Answer(
                            status: status, head: head, body: String(decoding: buffer[start...], as: UTF8.self),
                            isCut: true)
                    }
                }
                let body = String(decoding: buffer[start..<start + length], as: UTF8.self)
                buffer.removeSubrange(..<(start + length))
                return Answer(status: status, head: head, body: body)
            }
            guard fill() else { return nil }
        }
    }

    /// Whether the server ended the connection, waiting for it to.
    func isClosed() -> Bool { buffer.isEmpty && !fill() }

    private func fill() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        buffer.append(contentsOf: chunk[..<count])
        return true
    }
}
