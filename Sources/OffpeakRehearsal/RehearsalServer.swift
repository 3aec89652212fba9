import HTTPServer
import Synchronization

/// The rehearsal provider on a local port, until it is stopped.
package struct RehearsalServer: Sendable {
    private let handler: RehearsalHandler
    private let listener: HTTPListener

    /// Takes the port at once; port 0 takes a free one. Answers begin with `start`.
    package init(profile: RehearsalProfile = .standard, port: Int = 0) throws(ListenFailure) {
        handler = RehearsalHandler(profile: profile)
        listener = try HTTPListener(handler: handler, port: port)
    }

    /// The port on 127.0.0.1 (and on ::1, where there is one).
    package var port: Int { listener.port }

    /// Begins to answer, on a thread of its own.
    package func start() { listener.start() }

    /// Ends all connections and frees the port; blocks until that is done.
    package func stop() { listener.stop() }

    /// The ledger so far, the document that `GET /_rehearse/ledger` gives. An answer that a client has only just read may
    /// not be in it yet; over HTTP it is, since the same thread writes the one and then the other.
    package func ledgerJSON() -> [UInt8] { handler.ledger.json() }

    /// The ledger so far.
    package var ledger: Ledger { handler.ledger }
}

/// The core behind a lock: the listener's thread asks it, and other threads read its ledger.
private final class RehearsalHandler: RequestHandler {
    private let core: Mutex<RehearsalCore>

    init(profile: RehearsalProfile) { core = Mutex(RehearsalCore(profile: profile)) }

    var ledger: Ledger { core.withLock { $0.ledger } }

    func answer(_ request: ServerRequest, at now: Int64) -> ServerAnswer {
        let request = RehearsalRequest(
            method: request.method, path: request.path, key: Self.key(of: request), body: request.body)
        return core.withLock { $0.answer(request, at: now) }
    }

    func ended(ticket: UInt64, delivered: Bool, at now: Int64) {
        core.withLock { $0.ended(ticket: ticket, delivered: delivered, at: now) }
    }

    func connections(open: Int) { core.withLock { $0.connections(open: open) } }

    /// Anthropic's own header, or the bearer.
    private static func key(of request: ServerRequest) -> String {
        if let key = request.header("x-api-key") { return key }
        guard let value = request.header("authorization") else { return "" }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return "" }
        return String(parts[1])
    }
}
