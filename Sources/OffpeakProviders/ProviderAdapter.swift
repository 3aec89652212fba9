import OffpeakCore

/// What a job's answer is held against.
package struct JobExpectation: Sendable, Equatable {
    package var endpoint: Endpoint
    /// The request asks for JSON, so an answer whose text is not JSON is of no use.
    package var wantsJSON: Bool
    /// The lane in which it was sent.
    package var lane = Lane.sync

    package init(endpoint: Endpoint, wantsJSON: Bool) {
        self.endpoint = endpoint
        self.wantsJSON = wantsJSON
    }
}

/// One wire format: turns a dispatch into an HTTP request and what came of it into a report. Pure; an adapter has no
/// state, and neither method fails: trouble is part of the report.
package protocol ProviderAdapter: Sendable {
    /// What in a request this format cannot express, for people; nil when there is nothing. Such a request is not sent:
    /// what would be left out of it might change the answer.
    func objection(endpoint: Endpoint, body: [UInt8], model: String) -> String?

    /// The request that sends one job. The body travels as it is, but for what routing must change: `model`, under
    /// the provider's name for it, or all of it where the format is another one. The secret enters here and nowhere else.
    /// `mostOutput` is the longest answer that money is reserved for: where the format demands one, no longer one is asked
    /// for.
    func request(
        endpoint: Endpoint, body: [UInt8], model: String, secret: Secret?, provider: ProviderDescriptor,
        timeout: Interval, mostOutput: Int?
    ) -> HTTPRequest

    /// The body as it travels in a lane: with the tier that stands for it, unless it names one itself.
    func body(_ body: [UInt8], in lane: Lane) -> [UInt8]

    /// What to hold an answer to this body against; `lane` is set by whoever sends it in another than sync.
    func expectation(endpoint: Endpoint, body: [UInt8]) -> JobExpectation

    /// Reads what came of the request. `secret` is what was sent, so that no message repeats it.
    func report(
        for exchange: HTTPExchange, job: JobExpectation, provider: ProviderDescriptor, secret: Secret?
    ) -> AttemptReport
}

extension ProviderAdapter {
    package func objection(endpoint: Endpoint, body: [UInt8], model: String) -> String? { nil }

    /// A request for which nothing is reserved.
    package func request(
        endpoint: Endpoint, body: [UInt8], model: String, secret: Secret?, provider: ProviderDescriptor,
        timeout: Interval
    ) -> HTTPRequest {
        request(
            endpoint: endpoint, body: body, model: model, secret: secret, provider: provider, timeout: timeout,
            mostOutput: nil)
    }

    /// A format without tiers.
    package func body(_ body: [UInt8], in lane: Lane) -> [UInt8] { body }
}

extension ProviderKind {
    /// The adapter that speaks this format.
    package var adapter: any ProviderAdapter {
        switch self {
        case .openai: OpenAIAdapter()
        case .anthropic: AnthropicAdapter()
        }
    }
}
