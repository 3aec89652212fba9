import JSONLines
import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct CostReadingTests {
    private static func nano(_ n: Int64) -> Money { Money(nanodollars: n) }

    static let cases: [(String, String, ReportedCost?)] = [
        (
            "openrouter, its own key",
            #"{"cost":0.00014925,"is_byok":false,"cost_details":{"upstream_inference_cost":0.00014}}"#,
            ReportedCost(platform: nano(149_250), usedOwnKey: false)
        ),
        (
            "openrouter, the user's key",
            #"{"cost":0.0000074625,"is_byok":true,"cost_details":{"upstream_inference_cost":0.00014925}}"#,
            ReportedCost(platform: nano(7_463), upstream: nano(149_250), usedOwnKey: true)
        ),
        (
            "openrouter, within the allowance",
            #"{"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":1.9e-05}}"#,
            ReportedCost(platform: .zero, upstream: nano(19_000), usedOwnKey: true)
        ),
        (
            "nothing said of the key", #"{"cost":0.5,"cost_details":null}"#, ReportedCost(platform: nano(500_000_000))
        ),
        ("as a string", #"{"cost":"0.25"}"#, ReportedCost(platform: nano(250_000_000))),
        (
            "more digits than can be kept", #"{"cost":0.00012345678901234567890123}"#,
            ReportedCost(platform: nano(123_457))
        ),
        (
            "xai's ticks", #"{"cost_in_usd_ticks":37756000}"#,
            ReportedCost(upstream: nano(3_775_600))
        ),
        (
            "xai's ticks, not a whole nano-dollar", #"{"cost_in_usd_ticks":15}"#,
            ReportedCost(upstream: nano(2))
        ),
        ("nothing", #"{"prompt_tokens":5}"#, nil),
        ("null", #"{"cost":null}"#, nil),
        ("an object", #"{"cost":{"total":1}}"#, nil),
        ("negative", #"{"cost":-0.5}"#, nil),
        ("no number", #"{"cost":"free"}"#, nil),
        ("beyond belief", #"{"cost":1e12}"#, nil),
        ("beyond any number", #"{"cost":1e90}"#, nil),
    ]

    @Test(arguments: cases)
    func `what an answer says that it cost is read exactly, and rounded up where it is finer than a nano-dollar`(
        _ name: String, _ usage: String, _ cost: ReportedCost?
    ) throws {
        #expect(CostReading.cost(in: try JSONSlice(validating: Array(usage.utf8))) == cost)
    }

    private static let usage = #""usage":{"prompt_tokens":3,"completion_tokens":1,"cost":0.25}"#

    @Test(arguments: [
        #"{"choices":[{"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}],\#(usage)}"#,
        #"{"choices":[{"message":{"role":"assistant","refusal":"no"},"finish_reason":"stop"}],\#(usage)}"#,
        #"{"choices":[],\#(usage)}"#,
    ])
    func `an answer's cost is reported whether or not it is a result`(_ body: String) {
        #expect(report(response(200, body)).reportedCost == ReportedCost(platform: .init(nanodollars: 250_000_000)))
    }

    @Test func `an answer without a cost reports none`() {
        #expect(report(response(200, #"{"choices":[],"usage":{"prompt_tokens":3}}"#)).reportedCost == nil)
        #expect(report(response(429, #"{"error":{"message":"slow down"},"usage":{"cost":1}}"#)).reportedCost == nil)
    }
}
