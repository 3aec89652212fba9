import JSONLines
import OffpeakCore

@testable import OffpeakProviders

/// A generator with a seed, so that a failing case can be had again.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }
    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_f491_4f6c_dd1d
    }
}

func response(
    _ status: Int, _ body: String, _ headers: [(name: String, value: String)] = [], type: String = "application/json"
) -> HTTPResponse {
    HTTPResponse(status: status, headers: [("content-type", type)] + headers, body: Array(body.utf8))
}

let anyProvider = ProviderDescriptor(name: "anyone", baseURL: "https://api.example.com/v1")

/// The report on an answer of the given endpoint.
func report(
    _ response: HTTPResponse, _ endpoint: Endpoint = .chatCompletions, wantsJSON: Bool = false,
    provider: ProviderDescriptor = anyProvider, secret: Secret? = nil
) -> AttemptReport {
    OpenAIAdapter().report(
        for: .response(response), job: JobExpectation(endpoint: endpoint, wantsJSON: wantsJSON), provider: provider,
        secret: secret)
}

extension AttemptReport {
    var failure: Failure? {
        if case .failure(let failure) = outcome { failure } else { nil }
    }
    var answer: Answer? {
        if case .success(let answer) = outcome { answer } else { nil }
    }
}

extension Interval {
    static func ms(_ n: Int64) -> Interval { .milliseconds(n) }
}
