import JSONLines
import OffpeakCore

/// Anthropic's Messages API: requests of it travel as they are, and so do their answers; chat requests go out in its form, and
/// their answers come back as chat completions.
///
/// The form is that of Anthropic's own SDK (package `anthropic` 2.12.0, `types/message_create_params.py` and
/// `types/message.py`) and of platform.claude.com/docs/en/api/messages.
package struct AnthropicAdapter: ProviderAdapter {
    /// The last version that takes sampling parameters from the models that have them; 2026-10-21 refuses them all
    /// (platform.claude.com/docs/en/api/versioning).
    static let version = "2023-06-01"

    package init() {}

    package func objection(endpoint: Endpoint, body: [UInt8], model: String) -> String? {
        if endpoint == .messages { return nil }
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
            body: endpoint == .messages
                ? OpenAIAdapter.naming(model, in: body) : Self.translated(body, model: model, mostOutput: mostOutput),
            timeoutMilliseconds: Int(timeout.milliseconds), allowsInsecure: provider.insecure)
    }

    /// What has an objection is never sent; should it be all the same, the provider refuses the untranslated body.
    private static func translated(_ body: [UInt8], model: String, mostOutput: Int?) -> [UInt8] {
        guard let root = JSONSlice(body), root.kind == .object else { return body }
        return (try? AnthropicRequest(root, model: model, mostOutput: mostOutput).written()) ?? body
    }

    package func expectation(endpoint: Endpoint, body: [UInt8]) -> JobExpectation {
        guard endpoint == .messages else { return OpenAIAdapter().expectation(endpoint: endpoint, body: body) }
        // Most bodies never mention it; reading those twice is saved.
        let mayWantJSON = body.firstIndex(of: Array("json".utf8)) != nil
        let format = mayWantJSON ? JSONSlice(body)?["output_config"]?["format"]?["type"]?.string : nil
        return JobExpectation(endpoint: endpoint, wantsJSON: format == "json_schema")
    }

    package func report(
        for exchange: HTTPExchange, job: JobExpectation, provider: ProviderDescriptor, secret: Secret?
    ) -> AttemptReport {
        guard case .response(let response) = exchange, (200...299).contains(response.status),
            let message = JSONSlice(response.body), message["type"]?.string != "error"
        else {
            // Failures, pages and broken answers are alike everywhere.
            return OpenAIAdapter().report(for: exchange, job: job, provider: provider, secret: secret)
        }
        let isOwn = job.endpoint == .messages
        guard let completion = AnthropicAnswer(message, in: response, takesAll: isOwn).completion else {
            let failure = Failure(
                inSuccess: .invalidOutput, code: "unexpected_answer",
                message: "the answer lacks what the endpoint promises: a message with its content",
                status: response.status, secret: secret)
            let headers = RateLimitHeaders(response.headers)
            return AttemptReport(outcome: .failure(failure), feedback: headers.feedback)
        }
        // From here on it is an answer like any other: refusals, JSON that was asked for, and usage are read in one place.
        var (chat, chatJob) = (response, job)
        chat.body = completion
        chatJob.endpoint = .chatCompletions
        var report = OpenAIAdapter().report(for: .response(chat), job: chatJob, provider: provider, secret: secret)
        if isOwn, case .success(var answer) = report.outcome {
            answer.body = response.body
            report.outcome = .success(answer)
        }
        return report
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
