/// One HTTP request, as a value. The transport sends it; nothing prints it, since a header holds the secret.
package struct HTTPRequest: Sendable {
    /// `GET` or `POST`.
    package var method: String
    /// Absolute, http or https, without credentials.
    package var url: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// Our own deadline for the whole exchange, in milliseconds from the moment it is handed to the transport.
    package var timeoutMilliseconds: Int
    /// Whether plain http to a host other than loopback is allowed.
    package var allowsInsecure: Bool

    package init(
        method: String = "POST", url: String, headers: [(name: String, value: String)], body: [UInt8],
        timeoutMilliseconds: Int, allowsInsecure: Bool = false
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeoutMilliseconds = timeoutMilliseconds
        self.allowsInsecure = allowsInsecure
    }
}

/// One complete HTTP answer.
package struct HTTPResponse: Sendable {
    package var status: Int
    /// Names in lower case, in the order received.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first value of a header; `name` in lower case.
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// Why there is no complete HTTP answer.
package struct TransportFailure: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// The name could not be resolved, or no connection could be made.
        case connect
        /// The server's certificate or the TLS handshake was not acceptable.
        case tls
        /// Our deadline passed.
        case timedOut
        /// The connection broke.
        case broken
        /// The answer was larger than we accept.
        case tooLarge
        /// Plain http to a host other than loopback, without `insecure`.
        case insecure
        /// The run stopped before the answer came.
        case cancelled
        /// Anything else that libcurl reports.
        case other
    }
    package var kind: Kind
    /// True when every byte of the request had left: then the provider may have done, and billed, the work.
    package var requestFullySent: Bool
    /// True when a part of an answer had come.
    package var answerStarted: Bool
    /// One line for people, without secret, header or query.
    package var message: String

    package init(kind: Kind, requestFullySent: Bool, answerStarted: Bool = false, message: String) {
        self.kind = kind
        self.requestFullySent = requestFullySent
        self.answerStarted = answerStarted
        self.message = message
    }
}

/// What came of one request.
package enum HTTPExchange: Sendable {
    case response(HTTPResponse)
    case failure(TransportFailure)
}

/// One finished request, with the number under which it was handed over.
package struct HTTPCompletion: Sendable {
    package var id: UInt64
    package var exchange: HTTPExchange

    package init(id: UInt64, exchange: HTTPExchange) {
        self.id = id
        self.exchange = exchange
    }
}

/// Sends requests. Implementations own their thread; all calls return at once.
package protocol HTTPTransport: AnyObject, Sendable {
    /// Hands over requests, each under a number that is unique among those under way. Each ends in exactly one
    /// completion, delivered in groups to the function given at the transport's start, on the transport's thread.
    func send(_ requests: [(id: UInt64, request: HTTPRequest)])
    /// Ends all requests under way; each completes as `.cancelled` unless its answer came first.
    func cancelAll()
    /// Ends the transport's thread after cancelling what is under way. Blocks until it has ended.
    func stop()
}
