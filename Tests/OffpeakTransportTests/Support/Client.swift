import Dispatch
import OffpeakProviders
import OffpeakTransport
import Synchronization
import Testing

/// A transport whose completions can be awaited, and that notices a completion too many.
final class Client: Sendable {
    private struct Book {
        var next: UInt64 = 0
        var ended: [UInt64: HTTPExchange] = [:]
        var waiting: [UInt64: CheckedContinuation<HTTPExchange, Never>] = [:]
        var surplus = 0
        var hasGivenUp = false
    }

    private final class Ledger: Sendable {
        let book = Mutex(Book())

        func take(_ completions: [HTTPCompletion]) {
            for completion in completions {
                let waiter = book.withLock { book in
                    if book.ended.updateValue(completion.exchange, forKey: completion.id) != nil { book.surplus += 1 }
                    return book.waiting.removeValue(forKey: completion.id)
                }
                waiter?.resume(returning: completion.exchange)
            }
        }
    }

    /// A completion that takes longer is missing. A test that waits for ever is worse than one that fails.
    private static let patience = 60.0
    private let ledger = Ledger()
    let transport: CurlTransport

    init(_ options: TransportOptions = TransportOptions()) throws {
        let ledger = ledger
        transport = try CurlTransport(options: options) { ledger.take($0) }
    }

    deinit { transport.stop() }

    /// Completions that came a second time.
    var surplus: Int { ledger.book.withLock { $0.surplus } }
    var endedCount: Int { ledger.book.withLock { $0.ended.count } }

    /// Hands requests over; the numbers say which completion belongs to which.
    func start(_ requests: [HTTPRequest]) -> Range<UInt64> {
        let numbers = ledger.book.withLock { book in
            defer { book.next += UInt64(requests.count) }
            return book.next..<book.next + UInt64(requests.count)
        }
        transport.send(Array(zip(numbers, requests)).map { (id: $0, request: $1) })
        return numbers
    }

    func end(of number: UInt64) async -> HTTPExchange {
        let ledger = ledger
        return await withCheckedContinuation { continuation in
            let ended = ledger.book.withLock { book in
                let ended = book.ended[number] ?? (book.hasGivenUp ? Self.missing : nil)
                if ended == nil { book.waiting[number] = continuation }
                return ended
            }
            if let ended { return continuation.resume(returning: ended) }
            DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience) {
                let waiter = ledger.book.withLock { book in
                    let waiter = book.waiting.removeValue(forKey: number)
                    if waiter != nil { book.hasGivenUp = true }
                    return waiter
                }
                waiter?.resume(returning: Self.missing)
            }
        }
    }

    private static let missing = HTTPExchange.failure(
        TransportFailure(kind: .other, requestFullySent: false, message: "the test saw no completion"))

    func ends(of numbers: Range<UInt64>) async -> [HTTPExchange] {
        var ends: [HTTPExchange] = []
        for number in numbers { ends.append(await end(of: number)) }
        return ends
    }

    /// What came of one request.
    func exchange(_ request: HTTPRequest) async -> HTTPExchange { await end(of: start([request]).lowerBound) }

    /// The answer to one request, which must be one.
    func response(_ request: HTTPRequest) async throws -> HTTPResponse { try await exchange(request).response() }

    /// The failure of one request, which must fail.
    func failure(_ request: HTTPRequest) async throws -> TransportFailure { try await exchange(request).failure() }
}

/// An exchange was not what the test is about.
struct UnexpectedExchange: Error, CustomStringConvertible { var description: String }

extension HTTPExchange {
    func response() throws -> HTTPResponse {
        switch self {
        case .response(let response): return response
        case .failure(let failure): throw UnexpectedExchange(description: "no answer: \(failure)")
        }
    }

    func failure() throws -> TransportFailure {
        switch self {
        case .failure(let failure): return failure
        case .response(let response): throw UnexpectedExchange(description: "an answer: \(response.status)")
        }
    }

    var isResponse: Bool {
        if case .response = self { true } else { false }
    }
}

/// What every request of these tests carries, and no failure may show.
let testSecret = "test-secret-1-never-to-be-seen"

/// A request like an adapter's. Ten seconds of patience: only a hanging test gets there.
func post(_ url: String, _ body: String = #"{"model":"m"}"#, timeout: Int = 10_000) -> HTTPRequest {
    post(url, Array(body.utf8), timeout: timeout)
}

func post(_ url: String, _ body: [UInt8], timeout: Int = 10_000) -> HTTPRequest {
    HTTPRequest(
        url: url, headers: [("content-type", "application/json"), ("authorization", "Bearer \(testSecret)")],
        body: body, timeoutMilliseconds: timeout)
}

func get(_ url: String, timeout: Int = 10_000) -> HTTPRequest {
    HTTPRequest(method: "GET", url: url, headers: [], body: [], timeoutMilliseconds: timeout)
}

/// Milliseconds that something took.
func milliseconds(_ body: () async throws -> Void) async rethrows -> Int {
    let clock = ContinuousClock()
    let start = clock.now
    try await body()
    return Int((clock.now - start) / .milliseconds(1))
}
