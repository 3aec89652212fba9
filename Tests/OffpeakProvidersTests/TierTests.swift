import OffpeakCore
import Testing

@testable import OffpeakProviders

/// The lane flex on the wire: `service_tier`, in the request and in the answer.
@Suite struct TierTests {
    private static func sent(_ body: String, in lane: Lane) -> String {
        String(decoding: OpenAIAdapter().body(Array(body.utf8), in: lane), as: UTF8.self)
    }

    @Test func `flex is asked for in the body, all else of which stays as it was`() {
        #expect(Self.sent(#"{"model":"m", "n":1.0}"#, in: .flex) == #"{"service_tier":"flex","model":"m", "n":1.0}"#)
        #expect(Self.sent(#"{"model":"m", "n":1.0}"#, in: .sync) == #"{"model":"m", "n":1.0}"#)
    }

    @Test(arguments: [
        #"{"model":"m","service_tier":"priority"}"#, #"{"service_tier":null,"model":"m"}"#,
        #"{"service\u005ftier":"auto"}"#,
    ])
    func `a tier that the request names itself is never overwritten`(body: String) {
        #expect(Self.sent(body, in: .flex) == body)
    }

    private static func report(_ status: Int, _ body: String, lane: Lane = .flex) -> AttemptReport {
        var job = JobExpectation(endpoint: .chatCompletions, wantsJSON: false)
        job.lane = lane
        let response = HTTPResponse(
            status: status, headers: [(name: "content-type", value: "application/json")], body: Array(body.utf8))
        return OpenAIAdapter().report(for: .response(response), job: job, provider: anyProvider, secret: nil)
    }

    @Test(arguments: [
        (#""flex""#, Lane.flex), (#""default""#, .sync), (#""standard""#, .sync), (#""priority""#, .priority),
        (#""fast""#, .priority), (#""scale""#, .sync), (#""auto""#, .sync), ("7", .sync), (#""""#, nil), ("null", nil),
    ])
    func `an answer tells which tier served, and what is not flex is no cheaper than usual`(tier: String, lane: Lane?) {
        let body =
            #"{"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"service_tier":\#(tier)}"#
        #expect(Self.report(200, body).servedLane == lane)
    }

    @Test(arguments: [
        (429, #"{"error":{"message":"No capacity.","code":"resource_unavailable"}}"#, FailureClass.overloaded),
        (498, #"{"error":{"message":"No.","code":"capacity_exceeded"}}"#, .overloaded),
        (
            400, #"{"error":{"message":"Bad tier.","param":"service_tier","code":"invalid_service_tier"}}"#,
            .modelUnavailable
        ),
        (
            400, #"{"error":{"message":"Flex is not offered for this model","type":"invalid_request_error"}}"#,
            .modelUnavailable
        ),
        (400, #"{"error":{"message":"Bad temperature","code":"unsupported_parameter"}}"#, .invalidRequest),
        (429, #"{"error":{"message":"Slow down","code":"rate_limit_exceeded"}}"#, .rateLimited),
    ])
    func `a refusal of the tier is told from one of the request`(status: Int, body: String, expected: FailureClass) {
        #expect(Self.report(status, body).failure?.failureClass == expected)
    }

    @Test func `in lane sync the same words are the request's own trouble`() {
        let body = #"{"error":{"message":"Bad tier.","param":"service_tier","code":"invalid_service_tier"}}"#
        #expect(Self.report(400, body, lane: .sync).failure?.failureClass == .invalidRequest)
    }
}
