import Foundation
import Glibc
import Synchronization

/// A server that does to each connection, byte by byte, what its script says: all the things that a decent server does
/// not do. One thread per connection.
final class WireServer: Sendable {
    let port: Int
    private let listening: Int32
    private let state = Mutex(State())

    private struct State {
        var open: Set<Int32> = []
        var accepted = 0
        var requests: [WireRequest] = []
        var peers: [Int] = []
        var hasStopped = false
    }

    init(_ script: @escaping @Sendable (Wire) -> Void) throws {
        (listening, port) = try Self.listen()
        let thread = Thread { [self] in
            while true {
                let descriptor = accept(listening, nil, nil)
                guard descriptor >= 0 else { break }
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                let index = state.withLock { state in
                    state.open.insert(descriptor)
                    state.accepted += 1
                    return state.accepted - 1
                }
                let wire = Wire(descriptor, index: index, server: self)
                state.withLock { $0.peers.append(wire.peerPort) }
                let connection = Thread {
                    script(wire)
                    wire.close()
                }
                connection.stackSize = 512 << 10
                connection.start()
            }
            Glibc.close(listening)
        }
        thread.start()
    }

    /// Takes no more connections and ends all.
    func stop() {
        state.withLock { state in
            guard !state.hasStopped else { return }
            state.hasStopped = true
            shutdown(listening, Int32(SHUT_RDWR))
            for descriptor in state.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    var url: String { "http://127.0.0.1:\(port)" }
    /// Connections so far.
    var accepted: Int { state.withLock { $0.accepted } }
    /// The clients' ports, in the order of the connections.
    var peers: [Int] { state.withLock { $0.peers } }
    /// Requests read so far, in the order of their ends.
    var requests: [WireRequest] { state.withLock { $0.requests } }

    fileprivate func note(_ request: WireRequest) { state.withLock { $0.requests.append(request) } }
    /// Under the lock: the number may belong to another connection as soon as it is closed.
    fileprivate func close(_ descriptor: Int32) {
        state.withLock { state in
            state.open.remove(descriptor)
            _ = Glibc.close(descriptor)
        }
    }

    /// A listening socket on a free port of the loopback interface.
    static func listen(backlog: Int32 = 4_096) throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var name = loopback(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &name) { pointer in
            // SAFETY: a socket address of any family starts as `sockaddr` does; its true size goes with it.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && Glibc.listen(descriptor, backlog) == 0
                    ? getsockname(descriptor, $0, &size) : -1
            }
        }
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return (descriptor, Int(UInt16(bigEndian: name.sin_port)))
    }

    static func loopback(port: Int) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = UInt16(port).bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return name
    }

    /// A port on which nobody listens: bound by this test, so that nobody else takes it.
    static func closedPort() throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var name = loopback(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &name) { pointer in
            // SAFETY: as above.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
            }
        }
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return (descriptor, Int(UInt16(bigEndian: name.sin_port)))
    }
}

/// One request as it came.
struct WireRequest: Sendable {
    var connection: Int
    var head: String
    var body: [UInt8]

    /// The first line.
    var line: String { String(head.prefix { $0 != "\r\n" }) }

    func header(_ name: String) -> String? {
        for line in head.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts[0].lowercased() == name {
                return parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
            }
        }
        return nil
    }
}

/// One connection to a `WireServer`, for the thread that serves it.
final class Wire: Sendable {
    let descriptor: Int32
    /// 0 for the server's first connection.
    let index: Int
    private let server: WireServer
    private let state = Mutex((buffer: [UInt8](), isClosed: false))

    fileprivate init(_ descriptor: Int32, index: Int, server: WireServer) {
        (self.descriptor, self.index, self.server) = (descriptor, index, server)
        // A test that waits for ever is worse than one that fails.
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    var peerPort: Int {
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &name) { pointer in
            // SAFETY: a socket address of any family starts as `sockaddr` does; its true size goes with it.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &size) }
        }
        return Int(UInt16(bigEndian: name.sin_port))
    }

    /// Passes everything on to a port of this machine, and back, until one side ends.
    func relay(to port: Int) {
        let other = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var name = WireServer.loopback(port: port)
        let code = withUnsafePointer(to: &name) { pointer in
            // SAFETY: as above.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(other, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        defer { Glibc.close(other) }
        guard code == 0 else { return }
        var ends = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: other, events: Int16(POLLIN), revents: 0),
        ]
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while poll(&ends, 2, 30_000) > 0 {
            for (from, to) in [(0, 1), (1, 0)] where ends[from].revents != 0 {
                let count = recv(ends[from].fd, &chunk, chunk.count, 0)
                guard count > 0, Glibc.send(ends[to].fd, chunk, count, Int32(MSG_NOSIGNAL)) == count else { return }
            }
        }
    }

    /// The head of the next request, without its empty line; nil when the client has left.
    func readHead() -> String? {
        while true {
            let end = state.withLock { $0.buffer.firstRange(of: Array("\r\n\r\n".utf8)) }
            if let end {
                return state.withLock { state in
                    defer { state.buffer.removeSubrange(..<end.upperBound) }
                    return String(decoding: state.buffer[..<end.lowerBound], as: UTF8.self)
                }
            }
            guard fill() else { return nil }
        }
    }

    /// The whole next request, which is then in the server's list; nil when the client has left.
    func readRequest() -> WireRequest? {
        guard let head = readHead() else { return nil }
        var request = WireRequest(connection: index, head: head, body: [])
        let length = request.header("content-length").flatMap { Int($0) } ?? 0
        guard let body = readBytes(length) else { return nil }
        request.body = body
        server.note(request)
        return request
    }

    func readBytes(_ count: Int) -> [UInt8]? {
        while state.withLock({ $0.buffer.count }) < count { guard fill() else { return nil } }
        return state.withLock { state in
            defer { state.buffer.removeFirst(count) }
            return Array(state.buffer[..<count])
        }
    }

    /// Whatever is there next, at most 64 KiB; empty when the client has left.
    func readSome() -> [UInt8] {
        if state.withLock({ $0.buffer.isEmpty }) { _ = fill() }
        return state.withLock { state in
            defer { state.buffer = [] }
            return state.buffer
        }
    }

    /// Waits until the client leaves.
    func waitForEnd() { while fill() {} }

    private func fill() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        state.withLock { $0.buffer.append(contentsOf: chunk[..<count]) }
        return true
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// False when the client has left.
    @discardableResult func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// An answer with a content-length.
    func answer(_ status: Int = 200, _ body: String = "ok", fields: String = "") {
        send("HTTP/1.1 \(status) Status\r\n\(fields)content-length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// Answers every request that comes, until the client leaves.
    func serve() { while readRequest() != nil { answer() } }

    /// Ends the connection with a reset instead of an end.
    func reset() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        close()
    }

    func close() {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return }
        server.close(descriptor)
    }
}

/// Opens once; everyone who waits goes on then.
final class Gate: Sendable {
    private let condition = NSCondition()
    private let isOpen = Mutex(false)

    func open() {
        condition.lock()
        isOpen.withLock { $0 = true }
        condition.broadcast()
        condition.unlock()
    }

    func pass() {
        condition.lock()
        while !isOpen.withLock({ $0 }) { condition.wait() }
        condition.unlock()
    }

    /// Waits, but no longer than some seconds.
    func pass(within seconds: Double) {
        let end = Date(timeIntervalSinceNow: seconds)
        condition.lock()
        while !isOpen.withLock({ $0 }), condition.wait(until: end) {}
        condition.unlock()
    }
}
