import OffpeakCore

extension Failure {
    /// The failure that an answer with an error status is. The message never contains `secret`.
    package init(_ response: HTTPResponse, headers: RateLimitHeaders, secret: Secret?) {
        self.init(
            FailureEvidence(response, headers: headers), status: response.status, headers: headers, secret: secret)
    }

    /// The failure that some evidence amounts to; `status` is the HTTP status it came with.
    init(_ evidence: FailureEvidence, status: Int, headers: RateLimitHeaders, secret: Secret?, usage: Usage = Usage()) {
        let verdict = FailureTable.judge(evidence)
        let scrubber = Scrubber(secret: secret)
        let said = evidence.message.isEmpty ? "" : ": " + evidence.message
        let fallback = evidence.status == 0 ? "error_in_answer" : "http_\(evidence.status)"
        self.init(
            verdict.failureClass,
            code: verdict.code.flatMap(scrubber.word) ?? evidence.words.lazy.compactMap(scrubber.word).first
                ?? fallback,
            message: scrubber.line("\(verdict.says) (HTTP \(status))\(said)"), statusCode: status,
            retryAfter: Self.wait(verdict.failureClass, evidence: evidence, headers: headers), usage: usage)
    }

    /// A failure found in an answer whose status was a success.
    init(
        inSuccess failureClass: FailureClass, code: String, message: String, status: Int, secret: Secret?,
        usage: Usage = Usage()
    ) {
        self.init(
            failureClass, code: code, message: Scrubber(secret: secret).line("\(message) (HTTP \(status))"),
            statusCode: status, usage: usage)
    }

    /// The wait, for the classes where waiting helps. Only a quota may take longer than a day.
    private static func wait(
        _ failureClass: FailureClass, evidence: FailureEvidence, headers: RateLimitHeaders
    ) -> Interval? {
        let named = headers.retryAfter ?? evidence.retryAfter
        switch failureClass {
        case .quotaExhausted: return named ?? headers.exhaustedUntil
        case .rateLimited: return (named ?? headers.exhaustedUntil).map { min($0, .days(1)) }
        case .overloaded, .unavailable: return named.map { min($0, .days(1)) }
        default: return nil
        }
    }
}
