import JSONLines
import OffpeakCore

/// An answer with a status of success, which is not yet a result: it may be a gateway's page, cut short, an error all
/// the same, a refusal, or not what the job asked for.
struct OpenAIAnswer {
    let response: HTTPResponse
    let job: JobExpectation
    let headers: RateLimitHeaders
    let secret: Secret?

    /// Why an answer is no result.
    enum Flaw {
        /// The class, a code, and what to say.
        case plain(FailureClass, code: String, says: String)
        /// An error object, for the table to judge.
        case error(JSONSlice)
    }

    func report() -> AttemptReport {
        do throws(JSONSyntaxError) {
            let root = try JSONSlice(validating: response.body)
            let reading = UsageReading(root["usage"], endpoint: job.endpoint)
            let outcome: AttemptOutcome
            if let flaw = flaw(of: root) {
                outcome = .failure(failure(flaw, usage: reading.usage))
            } else {
                outcome = .success(
                    Answer(
                        statusCode: response.status, requestID: requestID, body: response.body, usage: reading.usage))
            }
            return AttemptReport(
                outcome: outcome, feedback: headers.feedback, usageReported: reading.reported,
                reportedCost: CostReading.cost(in: root["usage"]), servedLane: Self.lane(of: root))
        } catch {
            let flaw = unreadable(error)
            return AttemptReport(outcome: .failure(failure(flaw, usage: Usage())), feedback: headers.feedback)
        }
    }

    /// The lane whose tier an answer says served it (OpenAI's `service_tier`, OpenRouter's and Groq's likewise).
    /// A tier that is none of our lanes counts as the usual one: it is not the cheap one at least. `fast` is OpenRouter's other
    /// name for priority, and `ultrafast` OpenAI's for something dearer still.
    static func lane(of root: JSONSlice) -> Lane? {
        guard let tier = root["service_tier"], !tier.isNull, tier.string != "" else { return nil }
        return switch tier.string {
        case "flex": .flex
        case "priority", "fast", "ultrafast": .priority
        default: .sync
        }
    }

    private func failure(_ flaw: Flaw, usage: Usage) -> Failure {
        switch flaw {
        case .plain(let failureClass, let code, let says):
            Failure(
                inSuccess: failureClass, code: code, message: says, status: response.status, secret: secret,
                usage: usage)
        case .error(let error):
            Failure(
                FailureEvidence(error: error, in: response, headers: headers), status: response.status,
                headers: headers, secret: secret, usage: usage)
        }
    }

    /// The provider's id of the request, without anything that resembles a credential.
    private var requestID: String {
        let names = ["x-request-id", "request-id", "apim-request-id", "x-amzn-requestid"]
        return names.lazy.compactMap { response.header($0) }.compactMap(Scrubber(secret: secret).word).first ?? ""
    }

    /// A body that is not one JSON document. None of these is quoted: it may be a part of the answer.
    private func unreadable(_ error: JSONSyntaxError) -> Flaw {
        let start = response.body.first { $0 > 0x20 }
        let type = response.header("content-type") ?? ""
        if start == nil {
            // A model that has nothing to say sends JSON around it; nothing at all comes from something in between.
            return .plain(.unavailable, code: "empty_answer", says: "the answer is empty")
        }
        if FailureEvidence.isPage(response.body, contentType: type) {
            return .plain(.unavailable, code: "gateway_page", says: "a gateway answered with a page")
        }
        if type.hasPrefix("text/event-stream") || response.body.starts(with: "data:".utf8)
            || response.body.starts(with: "event:".utf8)
        {
            return .plain(
                .invalidRequest, code: "event_stream",
                says: "the answer is a stream of events; leave \"stream\" out of the request")
        }
        if error.isTruncation {
            return .plain(.invalidOutput, code: "answer_cut_short", says: "the answer's JSON is cut short")
        }
        return .plain(.invalidOutput, code: "answer_not_json", says: "the answer is not JSON")
    }

    private func flaw(of root: JSONSlice) -> Flaw? {
        guard root.kind == .object else {
            if let error = root[0]?["error"], !error.isNull { return .error(error) }
            return Self.shape("an object")
        }
        if let error = root["error"], !error.isNull { return .error(error) }
        // The whole body is the error object: older vLLM and Mistral, Anthropic.
        if root["object"]?.string == "error" || root["type"]?.string == "error" { return .error(root) }
        switch job.endpoint {
        case .chatCompletions: return chatFlaw(root)
        case .completions: return completionFlaw(root)
        case .embeddings:
            guard let first = root["data"]?[0], let vector = first["embedding"], !vector.isNull else {
                return Self.shape("data with an embedding")
            }
            return nil
        case .responses: return responseFlaw(root)
        // No provider of this format has it.
        case .messages: return Self.shape("a message")
        }
    }

    static func shape(_ expected: String) -> Flaw {
        .plain(
            .invalidOutput, code: "unexpected_answer", says: "the answer lacks what the endpoint promises: \(expected)")
    }

    static let notJSON = Flaw.plain(
        .invalidOutput, code: "output_not_json", says: "the request asks for JSON and the model's text is not JSON")
    static let cutJSON = Flaw.plain(
        .invalidOutput, code: "output_cut_short", says: "the model's JSON ends at the output limit; allow more tokens")
}
