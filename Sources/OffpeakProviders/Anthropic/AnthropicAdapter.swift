import JSONLines
import OffpeakCore

/// Anthropic's Messages API: chat requests go out in its form, and its answers come back as chat completions.
///
/// The form is that of Anthropic's own SDK (package `anthropic` 2.12.0, `types/message_create_params.py` and
/// `types/message.py`) and of platform.claude.com/docs/en/api/messages.
package struct AnthropicAdapter: ProviderAdapter {
    /// The last version that takes sampling parameters from the models that have them; 2026-10-21 refuses them all
    /// (platform.claude.com/docs/en/api/versioning).
    static let version = "2023-06-01"

    package init() {}

    package func objection(endpoint: Endpoint, body: [UInt8], model: String) -> String? {
        guard endpoint == .chatCompletions else { return "it has nothing like \(endpoint.path)" }
        // Not a JSON object: intake lets none through, and the provider would say so.
        guard let root = JSONSlice(body), root.kind == .object else { return nil }
        do throws(Inexpressible) {
            _ = try AnthropicRequest(root, model: model, mostOutput: nil).written()
            return nil
        } catch {
            return error.what
        }
    }

    package func request(
        endpoint: Endpoint, body: [UInt8], model: String, secret: Secret?, provider: ProviderDescriptor,
        timeout: Interval, mostOutput: Int?
    ) -> HTTPRequest {
        var headers = [
            (name: "content-type", value: "application/json"), (name: "accept", value: "application/json"),
            (name: "anthropic-version", value: Self.version),
        ]
        if let secret, !secret.isEmpty {
            headers.append((name: "x-api-key", value: String(decoding: secret.headerBytes, as: UTF8.self)))
        }
        return HTTPRequest(
            url: provider.url(of: "/messages"), headers: headers,
            body: Self.translated(body, model: model, mostOutput: mostOutput),
            timeoutMilliseconds: Int(timeout.milliseconds), allowsInsecure: provider.insecure)
    }

    /// What has an objection is never sent; should it be all the same, the provider refuses the untranslated body.
    private static func translated(_ body: [UInt8], model: String, mostOutput: Int?) -> [UInt8] {
        guard let root = JSONSlice(body), root.kind == .object else { return body }
        return (try? AnthropicRequest(root, model: model, mostOutput: mostOutput).written()) ?? body
    }

    package func expectation(endpoint: Endpoint, body: [UInt8]) -> JobExpectation {
        JobExpectation(endpoint: endpoint, wantsJSON: OpenAIAdapter.wantsJSON(endpoint, body: body))
    }

    package func report(
        for exchange: HTTPExchange, job: JobExpectation, provider: ProviderDescriptor, secret: Secret?
    ) -> AttemptReport {
        guard case .response(var response) = exchange, (200...299).contains(response.status),
            let message = JSONSlice(response.body), message["type"]?.string != "error"
        else {
            // Failures, pages and broken answers are alike everywhere.
            return OpenAIAdapter().report(for: exchange, job: job, provider: provider, secret: secret)
        }
        guard let completion = AnthropicAnswer(message, in: response).completion else {
            let failure = Failure(
                inSuccess: .invalidOutput, code: "unexpected_answer",
                message: "the answer lacks what the endpoint promises: a message with its content",
                status: response.status, secret: secret)
            let headers = RateLimitHeaders(response.headers)
            return AttemptReport(outcome: .failure(failure), feedback: headers.feedback)
        }
        // From here on it is an answer like any other: refusals, JSON that was asked for, and usage are read in one place.
        response.body = completion
        return OpenAIAdapter().report(for: .response(response), job: job, provider: provider, secret: secret)
    }
}

/// Something that a request asks for and the format cannot say.
struct Inexpressible: Error {
    /// For people; names members and kinds, and never what stands in them.
    let what: String

    init(_ what: String) { self.what = what }

    /// Refuses a member by its name, which is shown only if it looks like one.
    init(member name: String) {
        let isWord = (1...40).contains(name.utf8.count) && name.utf8.allSatisfy { $0 == 0x5F || $0.isASCIIWord }
        self.init("Anthropic's API has nothing like \(isWord ? "`\(name)`" : "a member of the request")")
    }
}

extension UInt8 {
    fileprivate var isASCIIWord: Bool { (0x61...0x7A).contains(self | 0x20) || (0x30...0x39).contains(self) }
}
