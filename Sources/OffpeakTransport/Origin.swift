import OffpeakProviders

/// One https server, and the requests that wait until there is a connection to it that they can share.
///
/// Left to itself, libcurl either opens a connection for every request of a burst before it knows that one would carry
/// them all, or (told to wait) makes the connections to a server that speaks only HTTP/1.1 one after another, puts any
/// number of streams on an HTTP/2 connection that is still being made, and forgets the deadlines of those that wait.
struct Origin {
    struct Held {
        var id: UInt64
        var request: HTTPRequest
        var isLoopback: Bool
        /// In ms of the monotonic clock.
        var deadline: Int64
    }

    enum Speech {
        case unknown
        /// One request per connection at a time.
        case http1
        /// Many at a time.
        case http2
    }

    var speech = Speech.unknown
    /// The one request that is under way to a connection while the others wait: it shows what the server speaks, or
    /// takes a place on a connection, or finds all places taken and opens another connection.
    var scout: UInt64?
    private var waiting: [Held] = []
    private var taken = 0

    /// The server of an https address; nil for plain http, where each request has a connection of its own.
    static func name(of url: String) -> String? {
        let scheme = "https://"
        guard url.prefix(scheme.count).lowercased() == scheme else { return nil }
        return String(url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" && $0 != "#" }).lowercased()
    }

    var mustWait: Bool { speech != .http1 && scout != nil }

    mutating func hold(_ held: Held) { waiting.append(held) }

    mutating func takeFirst() -> Held? {
        guard taken < waiting.count else { return nil }
        defer {
            taken += 1
            if taken == waiting.count { (waiting, taken) = ([], 0) }
        }
        return waiting[taken]
    }

    /// Those that wait, or those whose deadline has passed.
    mutating func takeAll(until deadline: Int64 = .max) -> [Held] {
        let all = waiting[taken...]
        waiting = all.filter { $0.deadline > deadline }
        taken = 0
        return all.filter { $0.deadline <= deadline }
    }

    var earliestDeadline: Int64? { waiting[taken...].lazy.map(\.deadline).min() }
}
