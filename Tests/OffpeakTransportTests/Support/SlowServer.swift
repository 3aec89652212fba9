import HTTPServer
import Synchronization

/// A decent HTTP/1.1 server with any number of connections, that answers `/delay/N` after N ms and echoes bodies.
final class SlowServer: Sendable {
    private final class Handler: RequestHandler {
        struct Counts {
            var requests = 0
            var open = 0
            var peak = 0
            var bodies: [[UInt8]] = []
        }
        let counts = Mutex(Counts())

        func answer(_ request: ServerRequest, at now: Int64) -> ServerAnswer {
            counts.withLock { counts in
                counts.requests += 1
                counts.bodies.append(request.body)
            }
            let parts = request.path.split(separator: "/")
            let delay = parts.count == 2 && parts[0] == "delay" ? Int64(parts[1]) ?? 0 : 0
            return ServerAnswer(status: 200, body: request.body, delay: delay * 1_000)
        }

        func connections(open: Int) {
            counts.withLock { counts in
                counts.open = open
                counts.peak = max(counts.peak, open)
            }
        }
    }

    private let handler = Handler()
    private let listener: HTTPListener

    init() throws {
        listener = try HTTPListener(handler: handler)
        listener.start()
    }

    func stop() { listener.stop() }

    var port: Int { listener.port }
    var url: String { "http://127.0.0.1:\(port)" }
    var requests: Int { handler.counts.withLock { $0.requests } }
    var bodies: [[UInt8]] { handler.counts.withLock { $0.bodies } }
    /// The most connections that were open at once.
    var peak: Int { handler.counts.withLock { $0.peak } }
}
