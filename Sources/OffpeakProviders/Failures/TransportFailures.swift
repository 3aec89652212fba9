import OffpeakCore

extension Failure {
    /// What no answer means. Two things matter: whether the provider may have done, and billed, the work; and whether
    /// the attempt tells anything about the job. `secret` is kept out of the message.
    package init(_ transport: TransportFailure, secret: Secret?) {
        let scrubber = Scrubber(secret: secret)
        let verdict = Self.verdict(transport)
        let detail = transport.message.isEmpty ? "" : ": " + transport.message
        self.init(
            verdict.failureClass, code: verdict.code, message: scrubber.line(verdict.says + detail),
            judged: verdict.judged)
    }

    private struct Verdict {
        var failureClass: FailureClass
        var code: String
        var says: String
        var judged: Bool

        init(_ failureClass: FailureClass, _ code: String, _ says: String, judged: Bool) {
            self.failureClass = failureClass
            self.code = code
            self.says = says
            self.judged = judged
        }
    }

    private static func verdict(_ transport: TransportFailure) -> Verdict {
        switch transport.kind {
        case .connect:
            return Verdict(.unavailable, "connection_failed", "no connection", judged: false)
        case .tls:
            return Verdict(.unavailable, "tls_failed", "no trustworthy connection", judged: false)
        case .insecure:
            // Waiting never mends a configuration: of the classes that wait for a person, the one that stops the
            // whole key, since none of its models can be reached.
            return Verdict(
                .keyRejected, "insecure_url",
                "not sent: plain http to another machine needs insecure: true at the provider", judged: false)
        case .timedOut:
            // Not sent in full: the server was slow to take it, and the job is not to blame.
            return Verdict(
                .timedOut, "timed_out", "no answer within the timeout", judged: transport.requestFullySent)
        case .tooLarge:
            return Verdict(.invalidOutput, "answer_too_large", "the answer is larger than accepted", judged: true)
        case .cancelled:
            // Our own doing, so it never uses up an attempt; what was sent in full may still be done and billed.
            return transport.requestFullySent
                ? Verdict(.unknownOutcome, "cancelled_in_flight", "stopped while waiting for the answer", judged: false)
                : Verdict(.unavailable, "cancelled", "stopped before it was sent", judged: false)
        case .broken, .other:
            return broken(transport)
        }
    }

    private static func broken(_ transport: TransportFailure) -> Verdict {
        guard transport.requestFullySent else {
            // A provider cannot have worked on a request that it does not have. One that answers early and hangs up
            // (a body too large for it) will do so again, which has to use up attempts.
            return Verdict(
                .unavailable, "connection_broken", "the connection broke while sending",
                judged: transport.answerStarted)
        }
        // An answer that began is one that was computed, and no API takes back the bill for a connection that broke;
        // one that had not begun may be under way still. So both are unknown, and count as spent.
        return transport.answerStarted
            ? Verdict(.unknownOutcome, "answer_cut_short", "the connection broke within the answer", judged: true)
            : Verdict(.unknownOutcome, "answer_lost", "the connection broke before the answer", judged: true)
    }
}
