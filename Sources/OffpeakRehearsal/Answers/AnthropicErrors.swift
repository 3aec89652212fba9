import JSONLines

/// The same errors as Anthropic's API words them (provider-apis.md sections 3.2 and 3.3).
extension ProviderError {
    /// An empty balance is no 429 there, but a request that is not valid.
    var anthropicStatus: Int { isOutOfCredit ? 400 : status }

    /// `{"type":"error","error":{"type","message"}}`
    var anthropicBody: [UInt8] {
        JSONWriter.object {
            $0.member("type", "error")
            $0.object("error") {
                $0.member("type", anthropicType)
                $0.member("message", anthropicMessage)
            }
        }
    }

    private var isOutOfCredit: Bool { code == "insufficient_quota" }

    private var anthropicType: String {
        switch anthropicStatus {
        case 401: "authentication_error"
        case 404: "not_found_error"
        case 429: "rate_limit_error"
        case 529: "overloaded_error"
        case 500...: "api_error"
        default: "invalid_request_error"
        }
    }

    private var anthropicMessage: String {
        switch code {
        case "invalid_api_key": "invalid x-api-key"
        case "insufficient_quota": "Your credit balance is too low to access the API."
        case "model_not_found": "model: it does not exist, or this key has no access to it"
        case "context_length_exceeded": "prompt is too long: " + message
        default: message
        }
    }
}
