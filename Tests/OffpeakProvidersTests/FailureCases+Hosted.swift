import OffpeakCore

@testable import OffpeakProviders

/// A Gemini answer with its details.
private func gemini(_ status: Int, _ word: String, _ message: String, _ details: String = "") -> String {
    #"{"error":{"code":\#(status),"message":"\#(message)","status":"\#(word)","details":[\#(details)]}}"#
}

private func quota(_ id: String) -> String {
    #"{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"\#(id)"}]}"#
}
private let retryInfo = #"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"18.2s"}"#

/// Answers of the hosted providers, written after their documentation.
let hostedFailures: [FailureCase] = openAIFailures + azureFailures + geminiFailures + otherHostedFailures

private let openAIFailures: [FailureCase] = [
    .init(
        "openai: quota as 429", 429,
        openAI(
            "You exceeded your current quota, please check your plan.", type: "insufficient_quota",
            code: "insufficient_quota"), is: .quotaExhausted, "insufficient_quota"),
    .init(
        "openai: credit balance", 429,
        openAI("No credit.", type: "insufficient_quota", code: "credit_balance_exhausted"),
        is: .quotaExhausted, "credit_balance_exhausted"),
    .init(
        "openai: organisation's spend limit", 429, openAI("Limit.", code: "organization_spend_limit_exceeded"),
        is: .quotaExhausted, "organization_spend_limit_exceeded"),
    .init(
        "openai: project's spend limit", 429, openAI("Limit.", code: "project_spend_limit_exceeded"),
        is: .quotaExhausted, "project_spend_limit_exceeded"),
    .init(
        "openai: usage limit", 429, openAI("Limit.", code: "organization_usage_limit_exceeded"), is: .quotaExhausted,
        "organization_usage_limit_exceeded"),
    .init(
        "openai: hard limit", 429, openAI("Billing hard limit", code: "billing_hard_limit_reached"),
        is: .quotaExhausted, "billing_hard_limit_reached"),
    .init(
        "openai: rate", 429,
        openAI(
            "Rate limit reached on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.",
            type: "requests", code: "rate_limit_exceeded"), is: .rateLimited, "rate_limit_exceeded", wait: .seconds(20)),
    .init(
        "openai: rate, header before text", 429,
        openAI("Please try again in 20s.", type: "rate_limit_error", code: "rate_limit_exceeded"),
        [("retry-after-ms", "1250"), ("retry-after", "2")], is: .rateLimited, "rate_limit_exceeded", wait: .ms(1_250)),
    .init(
        "openai: rate, reset header only", 429, openAI("Rate limit reached.", code: "rate_limit_exceeded"),
        [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "6m0s")], is: .rateLimited,
        "rate_limit_exceeded", wait: .minutes(6)),
    .init(
        "openai: requests per day", 429,
        openAI(
            "Rate limit reached on requests per day (RPD): Limit 200, Used 200, Requested 1. Try again in 7m12s.",
            type: "requests", code: "rate_limit_exceeded"), is: .quotaExhausted, "long_period_quota",
        wait: .seconds(432)),
    .init(
        "openai: larger than the limit", 429,
        openAI(
            "Request too large for gpt-5 on tokens per min (TPM): Limit 30000, Requested 50000.", type: "tokens",
            code: "rate_limit_exceeded"), is: .invalidRequest, "request_exceeds_limit"),
    .init(
        "openai: ramp", 429, openAI("Slow down.", code: "slow_down"), is: .rateLimited, "slow_down"),
    .init(
        "openai: slow down as 503", 503, openAI("Slow down.", code: "slow_down"), [("retry-after", "3")],
        is: .rateLimited, "slow_down", wait: .seconds(3)),
    .init(
        "openai: flex has no room", 429, openAI("Resource unavailable.", code: "resource_unavailable"),
        is: .overloaded, "resource_unavailable"),
    .init(
        "openai: bad key", 401,
        openAI("Incorrect API key provided: sk-****abcd.", type: "invalid_request_error", code: "invalid_api_key"),
        is: .keyRejected, "invalid_api_key"),
    .init("openai: address", 401, openAI("IP.", code: "ip_not_authorized"), is: .keyRejected, "ip_not_authorized"),
    .init(
        "openai: country", 403, openAI("Country.", code: "unsupported_country_region_territory"), is: .keyRejected,
        "unsupported_country_region_territory"),
    .init(
        "openai: model not found", 404,
        openAI("The model `gpt-9` does not exist or you do not have access to it.", code: "model_not_found"),
        is: .modelUnavailable, "model_not_found"),
    .init(
        "openai: project without the model", 403,
        openAI("Project `p` does not have access to model `gpt-5`", code: "model_not_found"), is: .modelUnavailable,
        "model_not_found"),
    .init(
        "openai: wrong path", 404, openAI("Invalid URL (POST /chat/completions)", type: "invalid_request_error"),
        is: .modelUnavailable, "endpoint_not_found"),
    .init(
        "openai: previous response", 400,
        openAI("Previous response with id 'resp_1' not found.", code: "previous_response_not_found"),
        is: .invalidRequest, "previous_response_not_found"),
    .init(
        "openai: file", 404, openAI("No such File object: file-1", type: "invalid_request_error"), is: .invalidRequest,
        "invalid_request_error"),
    .init(
        "openai: context", 400,
        openAI("This model's maximum context length is 8192 tokens.", code: "context_length_exceeded"),
        is: .invalidRequest, "context_length_exceeded"),
    .init(
        "openai: one field's length", 400,
        openAI("Expected a string with maximum length 64, input is too long", code: "string_above_max_length"),
        is: .invalidRequest, "string_above_max_length"),
    .init(
        "openai: parameter", 400, openAI("Unsupported.", type: "invalid_request_error", code: "unsupported_parameter"),
        is: .invalidRequest, "unsupported_parameter"),
    .init(
        "openai: unknown 400", 400, openAI("Something else.", type: "invalid_request_error"), is: .invalidRequest,
        "invalid_request_error"),
    .init(
        "openai: policy", 400, openAI("Rejected.", code: "content_policy_violation"), is: .refused,
        "content_policy_violation"),
    .init("openai: prompt flagged", 400, openAI("Flagged.", code: "invalid_prompt"), is: .refused, "invalid_prompt"),
    .init("openai: 500", 500, openAI("Sorry.", type: "server_error"), is: .unavailable, "server_error"),
    .init(
        "openai: overloaded", 503, openAI("Busy.", type: "server_error", code: "server_is_overloaded"),
        is: .overloaded, "server_is_overloaded"),
]

private let azureFailures: [FailureCase] = [
    .init(
        "azure: own limit", 429, openAI("Please retry after 20 seconds.", code: "429"), is: .rateLimited, "http_429",
        wait: .seconds(20)),
    .init(
        "azure: high demand", 429, openAI("The system is experiencing high demand."), [("retry-after", "5")],
        is: .overloaded, "overloaded", wait: .seconds(5)),
    .init(
        "azure: deployment", 404, openAI("No deployment.", code: "DeploymentNotFound"), is: .modelUnavailable,
        "DeploymentNotFound"),
    .init(
        "azure: filter", 400,
        #"{"error":{"message":"filtered","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
        is: .refused, "content_filter"),
    .init(
        "azure: filter by text", 400, openAI("The prompt triggered our content management policy.", code: "BadRequest"),
        is: .refused, "content_filter"),
    .init(
        "azure: wrong operation", 400, openAI("No.", code: "OperationNotSupported"), is: .modelUnavailable,
        "OperationNotSupported"),
    .init("azure: 401", 401, openAI("Access denied.", code: "401"), is: .keyRejected, "http_401"),
    .init("azure: 408", 408, openAI("Timed out.", code: "Timeout"), is: .unavailable, "Timeout"),
]

private let geminiFailures: [FailureCase] = [
    .init(
        "gemini: per minute", 429,
        gemini(
            429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", quota("TokensPerMinute") + "," + retryInfo),
        is: .rateLimited, "RESOURCE_EXHAUSTED", wait: .ms(18_200)),
    .init(
        "gemini: per day", 429,
        gemini(
            429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", quota("RequestsPerDay") + "," + retryInfo),
        is: .quotaExhausted, "long_period_quota"),
    .init(
        "gemini: in an array", 429, "[" + gemini(429, "RESOURCE_EXHAUSTED", "Slower.", retryInfo) + "]",
        is: .rateLimited, "RESOURCE_EXHAUSTED", wait: .ms(18_200)),
    .init(
        "gemini: not on the plan", 429,
        gemini(429, "RESOURCE_EXHAUSTED", "Quota exceeded for metric: x, limit: 0, model: y. Please retry in 45.5s."),
        is: .quotaExhausted, "limit_is_zero"),
    .init(
        "gemini: minute without details", 429,
        openAI("You exceeded your current quota. * Quota exceeded for metric: x, limit: 20. Please retry in 33.6s."),
        is: .rateLimited, "http_429", wait: .ms(33_600)),
    .init(
        "gemini: spend cap", 429, gemini(429, "RESOURCE_EXHAUSTED", "You reached the spending cap."),
        is: .quotaExhausted, "insufficient_quota"),
    .init(
        "gemini: shared capacity", 429, gemini(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted."),
        is: .rateLimited, "RESOURCE_EXHAUSTED"),
    .init(
        "gemini: prepaid gone", 402, gemini(402, "RESOURCE_EXHAUSTED", "Credits are used up."), is: .quotaExhausted,
        "RESOURCE_EXHAUSTED"),
    .init(
        "gemini: bad key as 400", 400,
        gemini(400, "INVALID_ARGUMENT", "API key not valid.", #"{"reason":"API_KEY_INVALID"}"#), is: .keyRejected,
        "API_KEY_INVALID"),
    .init(
        "gemini: region", 400, gemini(400, "FAILED_PRECONDITION", "User location is not supported."),
        is: .keyRejected, "FAILED_PRECONDITION"),
    .init(
        "gemini: bad argument", 400, gemini(400, "INVALID_ARGUMENT", "Unknown name."), is: .invalidRequest,
        "INVALID_ARGUMENT"),
    .init(
        "gemini: context", 400,
        gemini(400, "INVALID_ARGUMENT", "The input token count (2000000) exceeds the maximum number of tokens allowed"),
        is: .invalidRequest, "context_length_exceeded"),
    .init(
        "gemini: leaked key", 403, gemini(403, "PERMISSION_DENIED", "Reported as leaked."), is: .keyRejected,
        "PERMISSION_DENIED"),
    .init(
        "gemini: model", 404, gemini(404, "NOT_FOUND", "models/x is not found for API version v1beta"),
        is: .modelUnavailable, "model_not_found"),
    .init("gemini: 503", 503, gemini(503, "UNAVAILABLE", "Try later."), is: .overloaded, "UNAVAILABLE"),
    .init("gemini: 504", 504, gemini(504, "DEADLINE_EXCEEDED", "Slow."), is: .unavailable, "DEADLINE_EXCEEDED"),
]

private let otherHostedFailures: [FailureCase] = [
    .init(
        "anthropic: enforced spend limit", 429,
        #"{"type":"error","error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
        is: .quotaExhausted, "enforced_spend_limit_reached"),
    .init(
        "anthropic: balance as 400", 400,
        #"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low."}}"#,
        is: .quotaExhausted, "insufficient_quota"),
    .init(
        "anthropic: own usage limit", 400,
        #"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits."}}"#,
        is: .quotaExhausted, "insufficient_quota"),
    .init(
        "anthropic: overloaded", 529, #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        is: .overloaded, "overloaded_error"),
    .init(
        "anthropic: too long", 400,
        #"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens"}}"#,
        is: .invalidRequest, "context_length_exceeded"),
    .init(
        "bedrock: day's tokens", 429, #"{"message":"Too many tokens per day, please wait before trying again."}"#,
        [("x-amzn-errortype", "ThrottlingException:http://internal.example.com/")], is: .quotaExhausted,
        "long_period_quota"),
    .init(
        "bedrock: throttled", 429, #"{"message":"Too many requests"}"#, [("x-amzn-errortype", "ThrottlingException")],
        is: .rateLimited, "ThrottlingException"),
    .init(
        "bedrock: service quota as 400", 400, #"{"__type":"ServiceQuotaExceededException","message":"x"}"#,
        is: .quotaExhausted, "ServiceQuotaExceededException"),
    .init(
        "bedrock: model not ready", 429, #"{"__type":"ModelNotReadyException","message":"x"}"#, is: .overloaded,
        "ModelNotReadyException"),
    .init(
        "mistral: limit 0", 429,
        #"{"object":"error","message":"Requests rate limit exceeded","type":"rate","code":"1300"}"#,
        [("x-ratelimit-limit-req-minute", "0"), ("x-ratelimit-remaining-req-minute", "0")], is: .quotaExhausted,
        "limit_is_zero"),
    .init(
        "mistral: month", 429, #"{"object":"error","message":"Monthly token limit reached"}"#, is: .quotaExhausted,
        "long_period_quota"),
    .init(
        "mistral: tier capacity", 429,
        #"{"object":"error","message":"Service tier capacity exceeded for this model."}"#,
        is: .overloaded, "overloaded"),
    .init("mistral: bad key", 401, #"{"detail":"Invalid API Key"}"#, is: .keyRejected, "http_401"),
    .init(
        "mistral: 422 array", 422, #"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]}"#,
        is: .invalidRequest, "http_422"),
    .init(
        "mistral: model", 400, #"{"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}"#,
        is: .modelUnavailable, "invalid_model"),
    .init(
        "groq: minute", 429,
        openAI(
            "Rate limit reached on tokens per minute (TPM): Limit 6000, Used 5914, Requested 1822. Please try again in 17.359s.",
            type: "tokens", code: "rate_limit_exceeded"), is: .rateLimited, "rate_limit_exceeded", wait: .ms(17_359)),
    .init(
        "groq: day", 429,
        openAI(
            "Rate limit reached on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s.",
            type: "tokens", code: "rate_limit_exceeded"), is: .quotaExhausted, "long_period_quota", wait: .ms(578_016)),
    .init(
        "groq: requested more than the limit", 429,
        openAI("Rate limit reached (TPM): Limit 7000, Used 0, Requested ~12903.", code: "rate_limit_exceeded"),
        is: .invalidRequest, "request_exceeds_limit"),
    .init(
        "groq: 413", 413, openAI("Request too large for model `x`", type: "tokens", code: "rate_limit_exceeded"),
        is: .invalidRequest, "request_exceeds_limit"),
    .init(
        "groq: flex capacity", 498, openAI("No.", code: "capacity_exceeded"), is: .overloaded, "capacity_exceeded"),
    .init("groq: 499", 499, openAI("Cancelled."), is: .unavailable, "http_499"),
    .init("groq: 424", 424, openAI("Failed dependency."), is: .invalidRequest, "http_424"),
    .init(
        "groq: decommissioned", 400, openAI("The model has been decommissioned.", code: "model_decommissioned"),
        is: .modelUnavailable, "model_decommissioned"),
    .init(
        "together: context as 403", 403,
        openAI("Input token count + max_tokens must be less than the context length of the model."),
        is: .invalidRequest, "context_length_exceeded"),
    .init(
        "together: context, tgi's words", 422, openAI("`inputs` tokens + `max_new_tokens` must be <= 4097."),
        is: .invalidRequest, "context_length_exceeded"),
    .init("together: 402", 402, openAI("Spending limit."), is: .quotaExhausted, "insufficient_quota"),
    .init(
        "together: model", 404, openAI("Unable to access x.", code: "model_not_available"), is: .modelUnavailable,
        "model_not_available"),
    .init("fireworks: bad key as 403", 403, openAI("No.", code: "UNAUTHORIZED"), is: .keyRejected, "UNAUTHORIZED"),
    .init("fireworks: suspended", 412, openAI("Account is suspended."), is: .quotaExhausted, "account_suspended"),
    .init(
        "deepseek: no balance", 402, openAI("Insufficient Balance", type: "unknown_error"), is: .quotaExhausted,
        "insufficient_quota"),
    .init(
        "cohere: month's trial", 429, #"{"message":"Trial keys have 1000 API calls / month."}"#, is: .quotaExhausted,
        "long_period_quota"),
    .init(
        "cohere: minute's trial", 429, #"{"message":"Trial keys have 20 API calls / minute."}"#, is: .rateLimited,
        "http_429"),
    .init("cohere: blocked", 498, #"{"message":"The text was blocked."}"#, is: .refused, "content_filter"),
    .init(
        "cohere: too many tokens", 400, #"{"message":"too many tokens: 9000"}"#, is: .invalidRequest,
        "context_length_exceeded"),
    .init(
        "xai: bad key as 400", 400,
        #"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***."}"#,
        is: .keyRejected, "invalid_api_key"),
    .init(
        "xai: bad request", 400, #"{"code":"invalid-argument","error":"temperature is out of range"}"#,
        is: .invalidRequest, "invalid-argument"),
    .init(
        "xai: credits", 403, #"{"code":"x","error":"Your team has used all available credits."}"#,
        is: .quotaExhausted, "insufficient_quota"),
    .init(
        "xai: model", 404, #"{"error":"The model x does not exist or your team has no access to it."}"#,
        is: .modelUnavailable, "model_not_found"),
]
