import JSONLines
import OffpeakCore

/// The OpenAI wire format, as OpenAI and most others speak it.
package struct OpenAIAdapter: ProviderAdapter {
    package init() {}

    package func request(
        endpoint: Endpoint, body: [UInt8], model: String, secret: Secret?, provider: ProviderDescriptor,
        timeout: Interval, mostOutput: Int?
    ) -> HTTPRequest {
        var headers = [(name: "content-type", value: "application/json"), (name: "accept", value: "application/json")]
        if let secret, !secret.isEmpty {
            headers.append(
                (name: "authorization", value: "Bearer " + String(decoding: secret.headerBytes, as: UTF8.self)))
        }
        return HTTPRequest(
            url: provider.url(of: endpoint.path.dropFirst("/v1".count)), headers: headers,
            body: Self.naming(model, in: body),
            timeoutMilliseconds: Int(timeout.milliseconds), allowsInsecure: provider.insecure)
    }

    package func expectation(endpoint: Endpoint, body: [UInt8]) -> JobExpectation {
        JobExpectation(endpoint: endpoint, wantsJSON: Self.wantsJSON(endpoint, body: body))
    }

    package func report(
        for exchange: HTTPExchange, job: JobExpectation, provider: ProviderDescriptor, secret: Secret?
    ) -> AttemptReport {
        switch exchange {
        case .failure(let failure): return AttemptReport(outcome: .failure(Failure(failure, secret: secret)))
        case .response(let response):
            let headers = RateLimitHeaders(response.headers, requestsArePerDay: provider.requestHeadersArePerDay)
            guard (200...299).contains(response.status) else {
                var failure = Failure(response, headers: headers, secret: secret)
                if job.lane == .flex { failure.judgeTier() }
                return AttemptReport(outcome: .failure(failure), feedback: headers.feedback)
            }
            let answer = OpenAIAnswer(response: response, job: job, headers: headers, secret: secret)
            return answer.report()
        }
    }

    /// The body with this model's name; the very same bytes when it has it already.
    static func naming(_ model: String, in body: [UInt8]) -> [UInt8] {
        if let named = JSONSlice(body)?["model"]?.string, named == model { return body }
        // Not a JSON object: intake lets none through, and the provider would say so.
        return JSONSplice.replacing(member: "model", with: model, in: body) ?? body
    }

    package func body(_ body: [UInt8], in lane: Lane) -> [UInt8] {
        guard lane == .flex, let root = JSONSlice(body), root["service_tier"] == nil else { return body }
        return JSONSplice.replacing(member: "service_tier", with: "flex", in: body) ?? body
    }

    /// Whether a request asks for JSON: `response_format`, or `text.format` of the Responses API.
    static func wantsJSON(_ endpoint: Endpoint, body: [UInt8]) -> Bool {
        // Most bodies never mention it; reading those twice is saved.
        guard endpoint != .embeddings, body.firstIndex(of: Array("json".utf8)) != nil, let root = JSONSlice(body) else {
            return false
        }
        let format = endpoint == .responses ? root["text"]?["format"] : root["response_format"]
        let type = format?["type"]?.string
        return type == "json_object" || type == "json_schema"
    }
}
