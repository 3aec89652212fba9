import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct TransportFailureTests {
    static let cases: [(TransportFailure.Kind, Bool, Bool, FailureClass, String, Bool)] = [
        (.connect, false, false, .unavailable, "connection_failed", false),
        (.tls, false, false, .unavailable, "tls_failed", false),
        (.insecure, false, false, .keyRejected, "insecure_url", false),
        (.timedOut, true, false, .timedOut, "timed_out", true),
        (.timedOut, false, false, .timedOut, "timed_out", false),
        (.timedOut, true, true, .timedOut, "timed_out", true),
        (.broken, false, false, .unavailable, "connection_broken", false),
        (.broken, false, true, .unavailable, "connection_broken", true),
        (.broken, true, false, .unknownOutcome, "answer_lost", true),
        (.broken, true, true, .unknownOutcome, "answer_cut_short", true),
        (.other, false, false, .unavailable, "connection_broken", false),
        (.other, true, false, .unknownOutcome, "answer_lost", true),
        (.tooLarge, true, true, .invalidOutput, "answer_too_large", true),
        (.cancelled, false, false, .unavailable, "cancelled", false),
        (.cancelled, true, false, .unknownOutcome, "cancelled_in_flight", false),
        (.cancelled, true, true, .unknownOutcome, "cancelled_in_flight", false),
    ]

    @Test(arguments: cases)
    func `no answer has a class too`(
        _ kind: TransportFailure.Kind, _ sent: Bool, _ started: Bool, _ failureClass: FailureClass, _ code: String,
        _ judged: Bool
    ) throws {
        let exchange = HTTPExchange.failure(
            TransportFailure(kind: kind, requestFullySent: sent, answerStarted: started, message: "the wire\nwas cut"))
        let report = OpenAIAdapter().report(
            for: exchange, job: JobExpectation(endpoint: .chatCompletions, wantsJSON: false), provider: anyProvider,
            secret: nil)
        let failure = try #require(report.failure)
        #expect(failure.failureClass == failureClass)
        #expect(failure.code == code)
        #expect(failure.judged == judged)
        #expect(failure.statusCode == 0)
        #expect(failure.message.hasSuffix(": the wire was cut"))
        #expect(!report.usageReported)
    }

    @Test func `what was sent in full is never taken for not sent`() {
        for (_, sent, _, failureClass, _, _) in Self.cases where sent {
            #expect(failureClass != .unavailable)
        }
    }

    @Test func `a refused plain address says how to allow it`() {
        let failure = Failure(TransportFailure(kind: .insecure, requestFullySent: false, message: ""), secret: nil)
        #expect(failure.message.contains("insecure: true"))
    }
}
