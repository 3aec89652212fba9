import Foundation
import Glibc
import OffpeakProviders
import OffpeakTransport
import Testing

/// A proxy named by the environment is used for the world outside, never for this machine. Each test is a process of
/// its own, because the environment is the process's.
@Suite(.timeLimit(.minutes(2))) struct ProxyTests {
    @Test func `https goes through the proxy that the environment names, and this machine is reached without`() async {
        await #expect(processExitsWith: .success) {
            let proxy = try WireServer { wire in
                _ = wire.readRequest()
                wire.answer(502, "no")
            }
            let server = try WireServer { $0.serve() }
            for name in ["https_proxy", "http_proxy", "all_proxy"] { setenv(name, proxy.url, 1) }
            let client = try Client()
            #expect(try await client.response(post(server.url)).status == 200)
            #expect(proxy.accepted == 0)
            let failure = try await client.failure(post("https://api.example.invalid/v1"))
            // The proxy refused the tunnel: nothing of the request, least of all the key, has left.
            #expect(failure.kind == .connect, "\(failure)")
            #expect(!failure.requestFullySent)
            #expect(!failure.answerStarted)
            #expect(proxy.requests.map(\.line) == ["CONNECT api.example.invalid:443 HTTP/1.1"])
            #expect(proxy.requests.allSatisfy { !$0.head.contains(testSecret) })
        }
    }

    @Test func `no_proxy is honoured`() async {
        await #expect(processExitsWith: .success) {
            let proxy = try WireServer { $0.serve() }
            setenv("https_proxy", proxy.url, 1)
            setenv("no_proxy", "example.invalid", 1)
            let failure = try await Client().failure(post("https://api.example.invalid/v1"))
            #expect(failure.kind == .connect)
            #expect(proxy.accepted == 0)
        }
    }

    @Test func `a proxy that wants a password, hangs up or is not there has sent nothing on`() async {
        await #expect(processExitsWith: .success) {
            let proxy = try WireServer { wire in
                _ = wire.readRequest()
                if wire.index == 0 {
                    wire.answer(407, "", fields: "proxy-authenticate: Basic realm=\"x\"\r\nconnection: close\r\n")
                }
            }
            setenv("https_proxy", proxy.url, 1)
            let client = try Client()
            for _ in 0..<2 {
                let failure = try await client.failure(post("https://api.example.invalid/v1"))
                #expect(failure.kind == .connect, "\(failure)")
                #expect(!failure.requestFullySent)
            }
            let (descriptor, port) = try WireServer.closedPort()
            defer { close(descriptor) }
            setenv("https_proxy", "http://user:proxy-word-1@127.0.0.1:\(port)", 1)
            let failure = try await client.failure(post("https://api.example.invalid/v1"))
            #expect(failure.kind == .connect)
            #expect(!failure.requestFullySent)
            #expect(!failure.message.contains("proxy-word-1"))
        }
    }
}
