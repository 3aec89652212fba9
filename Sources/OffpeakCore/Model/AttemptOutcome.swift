/// How one attempt ended: a value, never a thrown error.
package enum AttemptOutcome: Sendable {
    case success(Answer)
    case failure(Failure)
}

/// A provider's answer to one job, with its body exactly as it came.
package struct Answer: Sendable {
    /// HTTP status, 2xx.
    package var statusCode: Int
    /// The provider's id for the request; empty when it sent none.
    package var requestID: String
    /// The body's bytes, untouched; one JSON document.
    package var body: [UInt8]
    package var usage: Usage

    package init(statusCode: Int, requestID: String, body: [UInt8], usage: Usage) {
        self.statusCode = statusCode
        self.requestID = requestID
        self.body = body
        self.usage = usage
    }
}

/// Why an attempt gave no answer.
package struct Failure: Sendable, Equatable {
    package var failureClass: FailureClass
    /// The provider's own code if it gave one, else ours; a short machine-readable word.
    package var code: String
    /// One line for people; contains neither secret nor prompt.
    package var message: String
    /// HTTP status, or 0 when there was no complete HTTP answer.
    package var statusCode: Int
    /// How long the provider asked us to wait.
    package var retryAfter: Interval?
    /// True when the provider looked at the request and judged it (any HTTP answer); false when it never got that
    /// far (no connection, refused before sending). Only judged attempts use up one of the job's attempts.
    package var judged: Bool
    /// Tokens that a failed answer reported as used all the same (a refusal, unusable output).
    package var usage: Usage

    package init(
        _ failureClass: FailureClass, code: String, message: String, statusCode: Int = 0, retryAfter: Interval? = nil,
        judged: Bool = true, usage: Usage = Usage()
    ) {
        self.failureClass = failureClass
        self.code = code
        self.message = message
        self.statusCode = statusCode
        self.retryAfter = retryAfter
        self.judged = judged
        self.usage = usage
    }
}

extension Failure {
    /// Not sent: the provider's wire format cannot express this one request. Says nothing of the key's other jobs.
    package static func inexpressible(_ what: String) -> Failure {
        Failure(.modelUnavailable, code: inexpressibleCode, message: "not sent: \(what)", judged: false)
    }

    package static let inexpressibleCode = "not_expressible"

    /// The run died before the attempt had an end.
    package static let runnerDiedCode = "runner_died"

    package var isInexpressible: Bool { code == Self.inexpressibleCode && !judged }

    /// The same without the provider's own words, which may quote the prompt.
    package var inOurWords: Failure {
        var failure = self
        failure.message = Self.ownWords(of: message, statusCode: statusCode)
        return failure
    }

    /// What is ours of a failure's message: our words come first and end in the HTTP status, what the provider said follows.
    /// Without an HTTP answer there is nothing that it could have said.
    package static func ownWords(of message: String, statusCode: Int) -> String {
        if let status = message.firstRange(of: "(HTTP "),
            let end = message[status.upperBound...].firstIndex(where: { !$0.isNumber }), message[end] == ")"
        {
            return String(message[...end])
        }
        return statusCode == 0 ? message : "the provider's answer is an error (HTTP \(statusCode))"
    }
}

/// What an answer's headers said about the room left on the key.
package struct RateFeedback: Sendable, Equatable {
    /// One dimension's headers; each field is nil when the header was absent or unreadable.
    package struct Dimension: Sendable, Equatable {
        /// Allowed per window.
        package var limit: Int?
        /// Left in the current window, after this request.
        package var remaining: Int?
        /// Until the window is whole again.
        package var reset: Interval?

        package init(limit: Int? = nil, remaining: Int? = nil, reset: Interval? = nil) {
            self.limit = limit
            self.remaining = remaining
            self.reset = reset
        }
    }

    package var requests = Dimension()
    package var tokens = Dimension()
    /// True when the `requests` group counts per day instead of per minute (Groq).
    package var requestsArePerDay = false

    package init() {}
}

/// Everything that one attempt told us.
package struct AttemptReport: Sendable {
    package var outcome: AttemptOutcome
    package var feedback: RateFeedback
    /// Whether the answer said what it used. If not, its usage of zero is ignorance and no measurement: a
    /// reservation made for it stands.
    package var usageReported: Bool
    /// What the answer said that it cost, if it did.
    package var reportedCost: ReportedCost?
    /// The lane whose tier the answer says served it; nil when it does not say, or names a tier that is no lane.
    package var servedLane: Lane?

    package init(
        outcome: AttemptOutcome, feedback: RateFeedback = RateFeedback(), usageReported: Bool = false,
        reportedCost: ReportedCost? = nil, servedLane: Lane? = nil
    ) {
        self.outcome = outcome
        self.feedback = feedback
        self.usageReported = usageReported
        self.reportedCost = reportedCost
        self.servedLane = servedLane
    }
}
