import JSONLines

/// An error as OpenAI's API words it (provider-apis.md section 3): status, type, code and a message for people.
struct ProviderError: Sendable {
    var status: Int
    var type: String
    var code: String?
    var message: String
    var parameter: String?

    /// `{"error":{"message","type","param","code"}}`
    var body: [UInt8] {
        JSONWriter.object {
            $0.object("error") {
                $0.member("message", message)
                $0.member("type", type)
                $0.member("param", parameter)
                $0.member("code", code)
            }
        }
    }

    static let invalidKey = ProviderError(
        status: 401, type: "invalid_request_error", code: "invalid_api_key",
        message: "The API key of this request is missing or not valid.")

    static let insufficientQuota = ProviderError(
        status: 429, type: "insufficient_quota", code: "insufficient_quota",
        message: "The credit of this account is used up; check the plan and billing details.")

    static let rateLimit = ProviderError(
        status: 429, type: "requests", code: "rate_limit_exceeded", message: "Too many requests; slow down.")

    /// Flex has no room; nothing is charged (OpenAI's guide to flex processing).
    static let resourceUnavailable = ProviderError(
        status: 429, type: "requests", code: "resource_unavailable",
        message: "There is no capacity for this tier now; try again later, or in another tier.")

    static let serverError = ProviderError(
        status: 500, type: "server_error", code: nil,
        message: "The server had an error while processing the request.")

    static let unavailable = ProviderError(
        status: 503, type: "server_error", code: "server_is_overloaded",
        message: "The server is overloaded or not ready yet.")

    static let overloaded = ProviderError(
        status: 529, type: "overloaded_error", code: nil, message: "Overloaded")

    static let badRequest = ProviderError(
        status: 400, type: "invalid_request_error", code: "unsupported_parameter",
        message: "A parameter of this request is not supported by this model.")

    static func malformed(_ error: Prompt.Malformed) -> ProviderError {
        ProviderError(
            status: 400, type: "invalid_request_error", code: nil, message: error.message, parameter: error.parameter)
    }

    static func noModel(_ model: String) -> ProviderError {
        ProviderError(
            status: 404, type: "invalid_request_error", code: "model_not_found",
            message: "The model `\(model)` does not exist or you do not have access to it.", parameter: "model")
    }

    static func noPath(_ method: String, _ path: String) -> ProviderError {
        ProviderError(
            status: 404, type: "invalid_request_error", code: "unknown_url",
            message: "Unknown request URL: \(method) \(path).")
    }

    static func contextLength(_ limit: Int, input: Int, output: Int) -> ProviderError {
        ProviderError(
            status: 400, type: "invalid_request_error", code: "context_length_exceeded",
            message: "This model's maximum context length is \(limit) tokens, but the request asks for "
                + "\(input + output): \(input) in the prompt and \(output) for the answer.", parameter: "messages")
    }

    static func limit(_ refusal: Limiter.Refusal, model: String) -> ProviderError {
        let advice: String =
            if refusal.neverFits {
                "The request is too large for this limit."
            } else if let wait = refusal.wait {
                "Please try again in \(goDuration(wait))."
            } else {
                "Please try again later."
            }
        return ProviderError(
            status: 429, type: refusal.dimension.countsTokens ? "tokens" : "requests", code: "rate_limit_exceeded",
            message: "Rate limit reached for \(model) on \(refusal.dimension.rawValue): limit \(refusal.limit), "
                + "used \(refusal.limit - refusal.remaining), requested \(refusal.requested). \(advice)")
    }

    /// What a gateway in front of a provider says when it gets no answer from it.
    static let gatewayPage = Array(
        """
        <!DOCTYPE html>
        <html><head><title>502 Bad Gateway</title></head>
        <body><h1>Bad Gateway</h1><p>The upstream server did not answer.</p></body></html>

        """.utf8)
}
