import Foundation
import Glibc
import OffpeakProviders
import OffpeakTransport
import Testing

/// What the transport costs. Measured in a process of its own, since processor time and descriptors are the process's.
@Suite(.timeLimit(.minutes(2))) struct ResourceTests {
    private static func processorMilliseconds() -> Int {
        var use = rusage()
        getrusage(RUSAGE_SELF.rawValue, &use)
        return [use.ru_utime, use.ru_stime].reduce(0) { $0 + Int($1.tv_sec) * 1_000 + Int($1.tv_usec) / 1_000 }
    }

    /// What this process has open, such as `socket:[4711]`.
    private static func descriptors() -> Set<String> {
        var open: Set<String> = []
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + name)
            if let target { open.insert(target) }
        }
        return open
    }

    private static func descriptorCount() -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
    }

    @Test func `two hundred requests that wait cost no processor time`() async {
        await #expect(processExitsWith: .success) {
            let server = try SlowServer()
            let client = try Client()
            let numbers = client.start((0..<200).map { _ in post(server.url + "/delay/3000") })
            while server.requests < 200 { try await Task.sleep(for: .milliseconds(10)) }
            let before = Self.processorMilliseconds()
            try await Task.sleep(for: .seconds(2))
            let used = Self.processorMilliseconds() - before
            #expect(used < 100, "\(used) ms of processor time in 2 s")
            #expect(await client.ends(of: numbers).filter(\.isResponse).count == 200)
        }
    }

    @Test func `a TLS connection does not read the system's authorities anew`() async {
        await #expect(processExitsWith: .success) {
            let nginx = try Nginx([.init(name: "site", certificate: "right")])
            let client = try Client()
            let url = nginx.url("site")
            _ = try await client.failure(post(url))
            let before = Self.processorMilliseconds()
            for _ in 0..<50 {
                let failure = try await client.failure(post(url))
                #expect(failure.kind == .tls)
            }
            // To read them takes some 17 ms, everything else less than 1 ms.
            let used = Self.processorMilliseconds() - before
            #expect(used < 400, "\(used) ms of processor time for 50 connections")
        }
    }

    @Test func `descriptors are given back`() async {
        await #expect(processExitsWith: .success) {
            let (bound, port) = try WireServer.closedPort()
            defer { close(bound) }
            let broken = try WireServer { wire in
                _ = wire.readRequest()
                wire.reset()
            }
            let server = try SlowServer()
            do {
                // Whatever is opened once and for all, such as by the resolver, is open after this.
                let client = try Client()
                _ = try await client.response(post(server.url))
                client.transport.stop()
            }
            let before = Self.descriptors()
            for _ in 0..<3 {
                let client = try Client()
                for url in ["http://127.0.0.1:\(port)/", "https://127.0.0.1:\(port)/", broken.url] {
                    let ends = await client.ends(of: client.start((0..<200).map { _ in post(url) }))
                    #expect(ends.allSatisfy { !$0.isResponse })
                }
                _ = await client.ends(
                    of: client.start((0..<100).map { _ in post(server.url + "/delay/100", timeout: 20) }))
                _ = client.start((0..<100).map { _ in post(server.url + "/delay/60000", timeout: 60_000) })
                client.transport.stop()
            }
            // The servers' own ends close when they read of it.
            var left = Self.descriptors().subtracting(before)
            for _ in 0..<500 where !left.isEmpty {
                try await Task.sleep(for: .milliseconds(10))
                left = Self.descriptors().subtracting(before)
            }
            #expect(left.isEmpty)
            // An epoll or eventfd has no name of its own. Dispatch makes some when it likes, hence not exactly none.
            let unnamed = Self.descriptorCount()
            for _ in 0..<50 { try Client().transport.stop() }
            #expect(Self.descriptorCount() < unnamed + 25)
        }
    }

    @Test func `stopping closes everything before it returns`() async {
        await #expect(processExitsWith: .success) {
            let server = try WireServer { $0.serve() }
            for _ in 0..<50 {
                let accepted = server.accepted
                let client = try Client()
                _ = try await client.response(post(server.url))
                client.transport.stop()
                let own = server.peers[accepted...].filter { Self.isOpen(localPort: $0) }
                #expect(own.isEmpty)
            }
        }
    }

    /// Whether a socket of this process has a local port.
    private static func isOpen(localPort port: Int) -> Bool {
        (Int32(0)..<1_024).contains { descriptor in
            var name = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let code = withUnsafeMutablePointer(to: &name) { pointer in
                // SAFETY: the size given is the structure's; a longer address is cut.
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
            }
            return code == 0 && name.sin_family == sa_family_t(AF_INET) && Int(UInt16(bigEndian: name.sin_port)) == port
        }
    }
}
