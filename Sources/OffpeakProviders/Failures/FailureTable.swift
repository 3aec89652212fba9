import OffpeakCore

/// The one table from what providers say to what it means. The first row that matches decides, so the order is the
/// argument: what a word says goes before what a text says, and both before what the status says; and what stops a
/// key (money, credentials) is told apart from what is wrong with one request before either can be mistaken.
enum FailureTable {
    /// Class, code and opening words for an answer. Always finds one: the last row matches anything.
    static func judge(
        _ evidence: FailureEvidence
    ) -> (failureClass: FailureClass, code: String?, says: String) {
        for row in rows {
            guard let word = row.match(evidence) else { continue }
            return (row.failureClass, row.code ?? (word.isEmpty ? nil : word), row.says)
        }
        return (.unavailable, nil, "the request failed")
    }

    static let rows: [FailureRow] =
        money + content + context + capacity + model + key + rate + oneRequest + gateway + status

    private static let anyClientError = [400...412, 414...428, 430...499]

    /// Used-up money and quotas that count longer than a minute. Many of them come as 429, and waiting a minute helps
    /// none of them.
    private static let money: [FailureRow] = [
        // A hold on credit for what is in flight; ends as soon as something finishes (OpenRouter).
        FailureRow(
            .rateLimited, "the platform's budget for requests in flight is full", words: ["in_flight_budget_exhausted"]),
        FailureRow(
            .invalidRequest, "this one request needs more tokens than the key's limit allows",
            code: "request_exceeds_limit", statuses: [413...413, 429...429], texts: ["request too large for"]),
        FailureRow(
            .invalidRequest, "this one request needs more tokens than the key's limit allows",
            code: "request_exceeds_limit", statuses: [413...413, 429...429], signs: [.largerThanLimit]),
        FailureRow(
            .quotaExhausted, "credit or spending limit used up",
            words: [
                "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
                "project_spend_limit_exceeded", "organization_usage_limit_exceeded", "billing_hard_limit_reached",
                "enforced_spend_limit_reached", "contract_spend_limit_reached", "billing_error", "billing_not_active",
                "organization_on_hold", "quota_exceeded", "payment_required", "weight_exceeds_budget",
                "openrouter_key_limit", "insufficient_balance", "insufficient_credits", "budget_exceeded",
                "servicequotaexceededexception",
            ]),
        FailureRow(
            .quotaExhausted, "the account has no access to this model on its plan (its limit is 0)",
            code: "limit_is_zero", statuses: [429...429], signs: [.limitIsZero]),
        FailureRow(
            .quotaExhausted, "the account has no access to this model on its plan (its limit is 0)",
            code: "limit_is_zero", statuses: [429...429], texts: ["limit: 0,"]),
        FailureRow(
            .quotaExhausted, "daily or monthly quota used up", code: "long_period_quota",
            statuses: [429...429],
            texts: [
                "perday", "per day", "per-day", "(rpd)", "(tpd)", "/ day", "daily", "per month", "permonth", "/ month",
                "monthly",
            ]),
        // Gemini says "exceeded your current quota" of a minute's quota too; then it names the wait.
        FailureRow(
            .rateLimited, "rate limited", statuses: [429...429], words: ["resource_exhausted"],
            texts: ["quota exceeded for metric"], signs: [.namesWait]),
        FailureRow(
            .quotaExhausted, "credit or spending limit used up", code: "insufficient_quota",
            statuses: [400...400, 402...403, 412...412, 429...429],
            heads: [
                "exceeded your current quota", "credit balance is too low", "api usage limits", "insufficient balance",
                "insufficient credit", "not enough credit", "out of credits", "spend limit", "spending limit",
                "spend cap", "spending cap", "key limit exceeded", "budget exceeded", "budget has been exceeded",
                "billing hard limit", "used all available credits", "requires more credits",
            ]),
        FailureRow(.quotaExhausted, "the account is suspended or without credit", statuses: [402...402]),
        FailureRow(
            .quotaExhausted, "the account is suspended or at its limit", code: "account_suspended",
            statuses: [412...412]),
    ]

    /// What a content filter stopped. Before the keys: moderation also comes as 403.
    private static let content: [FailureRow] = [
        FailureRow(
            .refused, "refused by a content filter",
            words: [
                "content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation", "refusal",
                "invalid_prompt", "content_blocked", "prompt_blocked", "data_inspection_failed",
            ]),
        FailureRow(
            .refused, "refused by a content filter", code: "content_filter",
            statuses: [400...400, 403...403, 422...422],
            texts: [
                "content_policy_violation", "responsibleaipolicyviolation", "content management policy",
                "rejected as a result of our safety system", "content filtering policy", "violating our usage policy",
            ]),
        // Cohere's 498 is a blocked text, Groq's is missing capacity.
        FailureRow(
            .refused, "refused by a content filter", code: "content_filter", statuses: [498...498], texts: ["blocked"]),
    ]

    /// Too long for the model; its own code, since a person can shorten it or choose another model.
    private static let context: [FailureRow] = [
        // Speaks of a length as well, but of one field's.
        FailureRow(
            .invalidRequest, "the request is not valid", words: ["string_above_max_length"], texts: ["invalid 'user'"]),
        FailureRow(
            .invalidRequest, "too long for the model's context", code: "context_length_exceeded",
            words: [
                "context_length_exceeded", "exceed_context_size_error", "max_tokens_exceeded", "token_limit_exceeded",
                "model_context_window_exceeded",
            ]),
        FailureRow(
            .invalidRequest, "too long for the model's context", code: "context_length_exceeded",
            statuses: [400...400, 403...403, 413...413, 422...422, 500...500],
            texts: [
                "maximum context length", "model's maximum context limit", "longer than the model's context length",
                "input tokens exceed the configured limit", "exceed context limit",
                "`inputs` tokens + `max_new_tokens` must be", "exceeds the available context size",
                "exceeds the maximum number of tokens allowed", "prompt is too long", "input is too long",
                "too many input tokens", "must be less than the context length", "input length exceeds the context",
                "exceeds the context length", "too large to process", "current length is", "maximum input length is",
            ]),
        // Elsewhere these words mean a rate; Cohere sends them with a 400.
        FailureRow(
            .invalidRequest, "too long for the model's context", code: "context_length_exceeded", statuses: [400...400],
            texts: ["too many tokens"]),
    ]

    /// No room at the provider, which is not the key's limit: another wait, and nothing learned of the limit.
    private static let capacity: [FailureRow] = [
        FailureRow(
            .overloaded, "the provider is overloaded",
            words: [
                "server_is_overloaded", "overloaded_error", "engine_overloaded_error", "resource_unavailable",
                "capacity_exceeded", "capacity_exhausted", "provider_overloaded", "temporarily_unavailable",
                "service_tier_capacity_exceeded", "insufficient_system_resource", "modelnotreadyexception",
                "serviceunavailableexception",
            ]),
        FailureRow(
            .overloaded, "the provider is overloaded", code: "overloaded", statuses: [429...429, 498...503, 529...529],
            texts: [
                "high demand", "service tier capacity exceeded", "overloaded", "server busy", "loading model",
                "resource unavailable", "maximum pending requests exceeded",
            ]),
        FailureRow(
            .overloaded, "the platform's shared upstream is rate limited", code: "upstream_rate_limited",
            statuses: [429...429], signs: [.sharedUpstream]),
    ]

    /// This key and this model do not go together; the requests are not to blame.
    private static let model: [FailureRow] = [
        FailureRow(
            .invalidRequest, "the request refers to something that does not exist",
            statuses: [400...400, 404...404],
            words: ["previous_response_not_found", "file_not_found", "invalid_file_id"],
            heads: ["no such file", "previous response with id", "item with id"]),
        FailureRow(
            .modelUnavailable, "the key cannot use this model",
            words: [
                "model_not_found", "deploymentnotfound", "model_not_available", "invalid_model", "model_decommissioned",
                "model_deprecated", "model_unavailable_upstream", "no_endpoints", "wrong_endpoint",
                "region_restricted", "privacy_restricted", "constraint_filtered", "free_variant_ended",
                "key_model_access_denied", "unsupported_model", "model_terms_required", "operationnotsupported",
            ]),
        FailureRow(
            .modelUnavailable, "the key cannot use this model", code: "model_not_found",
            statuses: [400...400, 401...401, 403...404, 422...422],
            heads: [
                "model not found", "does not exist or you do not have access", "does not exist or your team",
                "no endpoints found", "invalid model", "not a valid model", "unknown model", "no such model",
                "is not found for api version", "not deployed", "unable to access model", "model does not exist",
                "has been decommissioned", "does not have access to model", "unsupported model",
                "does not work with the specified model",
            ]),
        FailureRow(
            .modelUnavailable, "the key cannot use this model", code: "model_not_found", statuses: [404...404],
            heads: ["model"]),
        FailureRow(
            .modelUnavailable, "the server cannot load this model", code: "model_does_not_fit", statuses: [500...500],
            texts: ["requires more system memory"]),
        FailureRow(
            .modelUnavailable, "the server does not offer this endpoint for this model", code: "endpoint_not_supported",
            statuses: [501...501]),
    ]

    /// The credential. A bad key comes as 400 from some (xAI, Gemini), and must not fail the batch line by line.
    private static let key: [FailureRow] = [
        FailureRow(
            .keyRejected, "the provider refuses the key",
            words: [
                "invalid_api_key", "api_key_invalid", "api_key_expired", "api_key_service_blocked",
                "authentication_error", "authentication", "invalid_authentication", "unauthenticated", "unauthorized",
                "ip_not_authorized", "account_deactivated", "permission_error", "permission_denied",
                "unsupported_country_region_territory", "invalid_organization", "mismatched_organization",
                "mismatched_project", "accessdeniedexception", "unrecognizedclientexception", "expiredtokenexception",
            ]),
        // Region or billing not set up (Gemini): every request of the key gets it.
        FailureRow(
            .keyRejected, "the provider refuses the key", statuses: [400...400], words: ["failed_precondition"]),
        // Only where the message begins: a prompt quoted further on may speak of API keys as well.
        FailureRow(
            .keyRejected, "the provider refuses the key", code: "invalid_api_key", statuses: [400...400, 422...422],
            heads: [
                "incorrect api key", "invalid api key", "invalid x-api-key", "api key not valid", "api key not found",
                "api key expired", "no api key", "missing api key", "didn't provide an api key",
                "api key is invalid", "authentication error", "no auth credentials",
            ]),
    ]

    private static let rate: [FailureRow] = [
        FailureRow(
            .rateLimited, "rate limited", statuses: anyClientError + [429...429, 500...599],
            words: [
                "rate_limit_exceeded", "rate_limit_error", "slow_down", "ramp_limit_exceeded", "throttlingexception",
                "too_many_requests",
            ]),
        FailureRow(.rateLimited, "rate limited", statuses: [429...429]),
    ]

    /// The request itself.
    private static let oneRequest: [FailureRow] = [
        FailureRow(.invalidRequest, "the request is too large", code: "request_too_large", statuses: [413...413]),
        // llama.cpp answers a body that it cannot read with a 500.
        FailureRow(
            .invalidRequest, "the server cannot read the request", code: "malformed_request", statuses: [500...500],
            heads: ["json.exception.parse_error", "json.exception.type_error", "parse error at line"]),
        FailureRow(
            .invalidRequest, "the request is not valid", statuses: anyClientError,
            words: ["string_above_max_length", "unsupported_parameter", "invalid_type", "invalid_value"]),
    ]

    /// Answers of something in front of the provider, which judged neither key nor request.
    private static let gateway: [FailureRow] = [
        FailureRow(
            .unavailable, "a gateway in front of the provider refused the connection; the key was not judged",
            code: "refused_by_gateway", statuses: [403...403], texts: ["error code: 10", "cloudflare"]),
        FailureRow(
            .unavailable, "a gateway in front of the provider refused the connection; the key was not judged",
            code: "refused_by_gateway",
            statuses: [400...400, 402...403, 406...406, 409...412, 414...428, 430...499], signs: [.html]),
    ]

    /// The status alone.
    private static let status: [FailureRow] = [
        FailureRow(
            .modelUnavailable, "the server redirects; set base_url to the address that it redirects to",
            code: "redirected", statuses: [300...399]),
        FailureRow(.keyRejected, "the provider refuses the key", statuses: [401...401, 403...403]),
        FailureRow(
            .keyRejected, "a proxy in between wants to be logged in to", code: "proxy_authentication_required",
            statuses: [407...407]),
        // A wrong address answers every job like this; parked, they wait for the corrected configuration.
        FailureRow(
            .modelUnavailable, "no such endpoint: check that base_url ends in the API's version, such as /v1",
            code: "endpoint_not_found", statuses: [404...405, 410...410, 421...421]),
        FailureRow(
            .modelUnavailable, "not available here for legal reasons", code: "unavailable_for_legal_reasons",
            statuses: [451...451]),
        FailureRow(.unavailable, "the provider gave up on the request", statuses: [408...409, 425...425, 499...499]),
        FailureRow(.overloaded, "the provider has no capacity", statuses: [498...498, 503...503, 529...529]),
        FailureRow(.invalidRequest, "the request is not valid", statuses: [400...499]),
        FailureRow(.unavailable, "the provider failed", statuses: [500...599]),
        FailureRow(.unavailable, "the provider's answer is an error"),
    ]
}
