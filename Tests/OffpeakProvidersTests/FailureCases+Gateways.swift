import JSONLines
import OffpeakCore

@testable import OffpeakProviders

/// OpenRouter, LiteLLM, local servers, and what stands in front of any of them.
let gatewayFailures: [FailureCase] = [
    .init(
        "openrouter: in flight", 402,
        #"{"error":{"code":402,"message":"x","metadata":{"reason":"in_flight_budget_exhausted"}}}"#,
        [("retry-after", "2")], is: .rateLimited, "in_flight_budget_exhausted", wait: .seconds(2)),
    .init(
        "openrouter: no credit", 402, #"{"error":{"code":402,"message":"Insufficient credits"}}"#,
        is: .quotaExhausted, "insufficient_quota"),
    .init(
        "openrouter: too dear for the balance", 402,
        #"{"error":{"code":402,"message":"x","metadata":{"reason":"weight_exceeds_budget"}}}"#, is: .quotaExhausted,
        "weight_exceeds_budget"),
    .init(
        "openrouter: moderation", 403,
        #"{"error":{"code":403,"message":"flagged","metadata":{"reasons":["violence"],"flagged_input":"a prompt"}}}"#,
        is: .refused, "moderation"),
    .init(
        "openrouter: key limit", 403, #"{"error":{"code":403,"message":"Key limit exceeded (monthly limit)."}}"#,
        is: .quotaExhausted, "insufficient_quota"),
    .init(
        "openrouter: free models' day", 429, #"{"error":{"code":429,"message":"free-models-per-day"}}"#,
        is: .quotaExhausted, "long_period_quota"),
    .init(
        "openrouter: shared upstream", 429,
        #"{"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"X","is_byok":false,"retry_after_seconds":7}}}"#,
        is: .overloaded, "upstream_rate_limited", wait: .seconds(7)),
    .init(
        "openrouter: own key's upstream", 429,
        #"{"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"X","is_byok":true}}}"#,
        is: .rateLimited, "http_429"),
    .init(
        "openrouter: upstream's body as text", 429,
        #"{"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"X","is_byok":true,"raw":"{\"error\":{\"message\":\"x\",\"type\":\"insufficient_quota\"}}"}}}"#,
        is: .quotaExhausted, "insufficient_quota"),
    .init(
        "openrouter: no endpoint", 404,
        #"{"error":{"code":404,"message":"x","availability":{"code":"no_endpoints","retryable":false}}}"#,
        is: .modelUnavailable, "no_endpoints"),
    .init(
        "openrouter: capacity", 429,
        #"{"error":{"code":429,"message":"x","availability":{"code":"capacity_exhausted","retry_after":4}}}"#,
        is: .overloaded, "capacity_exhausted", wait: .seconds(4)),
    .init("openrouter: 524", 524, #"{"error":{"code":524,"message":"Timed out"}}"#, is: .unavailable, "http_524"),
    .init(
        "openrouter: 502", 502,
        #"{"error":{"code":502,"message":"Down","metadata":{"error_type":"provider_unavailable"}}}"#,
        is: .unavailable, "provider_unavailable"),
    .init(
        "litellm: budget", 400, openAI("Budget has been exceeded!", type: "budget_exceeded", code: "400"),
        is: .quotaExhausted, "budget_exceeded"),
    .init(
        "litellm: model name", 400, openAI("Invalid model name passed in model=x", type: "None", code: "400"),
        is: .modelUnavailable, "model_not_found"),
    .init(
        "litellm: key", 400, openAI("Authentication Error, no such token", code: "400"), is: .keyRejected,
        "invalid_api_key"),
    .init(
        "litellm: key without the model", 401, openAI("No.", type: "key_model_access_denied", code: "401"),
        is: .modelUnavailable, "key_model_access_denied"),
    .init(
        "litellm: cooldown", 429, openAI("No deployments available, Try again in 60 seconds."), is: .rateLimited,
        "http_429", wait: .minutes(1)),
    .init(
        "vllm: context", 400,
        #"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}"#,
        is: .invalidRequest, "context_length_exceeded"),
    .init(
        "vllm: model", 404,
        #"{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}}"#,
        is: .modelUnavailable, "model_not_found"),
    .init("vllm: wrong path", 404, #"{"detail":"Not Found"}"#, is: .modelUnavailable, "endpoint_not_found"),
    .init(
        "llama.cpp: loading", 503, #"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
        is: .overloaded, "overloaded"),
    .init(
        "llama.cpp: malformed", 500,
        #"{"error":{"code":500,"message":"[json.exception.parse_error.101] parse error at line 1","type":"server_error"}}"#,
        is: .invalidRequest, "malformed_request"),
    .init(
        "llama.cpp: context", 400,
        #"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}"#,
        is: .invalidRequest, "context_length_exceeded"),
    .init(
        "llama.cpp: batch", 500,
        #"{"error":{"code":500,"message":"input is too large to process. increase the physical batch size","type":"server_error"}}"#,
        is: .invalidRequest, "context_length_exceeded"),
    .init(
        "llama.cpp: no embeddings", 501,
        #"{"error":{"code":501,"message":"This server does not support embeddings.","type":"not_supported_error"}}"#,
        is: .modelUnavailable, "endpoint_not_supported"),
    .init(
        "llama.cpp: path", 404, #"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#,
        is: .modelUnavailable, "endpoint_not_found"),
    .init("ollama: model", 404, #"{"error":"model 'x' not found"}"#, is: .modelUnavailable, "model_not_found"),
    .init(
        "ollama: queue", 503, #"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
        is: .overloaded, "overloaded"),
    .init(
        "ollama: memory", 500, #"{"error":"model requires more system memory (9 GiB) than is available"}"#,
        is: .modelUnavailable, "model_does_not_fit"),
    .init("cloudflare: 1010", 403, "error code: 1010", type: "text/plain", is: .unavailable, "refused_by_gateway"),
    .init(
        "cloudflare: page", 403, "<!DOCTYPE html><title>Attention Required!</title>", type: "text/html",
        is: .unavailable, "refused_by_gateway"),
    .init(
        "cloudflare: 413", 413, "<html><title>413 Request Entity Too Large</title></html>", type: "text/html",
        is: .invalidRequest, "request_too_large"),
    .init(
        "cloudflare: 522", 522, "<html><title>Timed out</title></html>", type: "text/html", is: .unavailable,
        "http_522"),
    .init(
        "cloudflare: 429 page", 429, "<html><title>Slow</title></html>", [("retry-after", "10")], type: "text/html",
        is: .rateLimited, "http_429", wait: .seconds(10)),
    .init(
        "nginx: 502", 502, "<html><title>502 Bad Gateway</title></html>", type: "text/html", is: .unavailable,
        "http_502"),
    .init(
        "nginx: 404", 404, "<html><title>404 Not Found</title></html>", type: "text/html", is: .modelUnavailable,
        "endpoint_not_found"),
    .init("nginx: 401", 401, "<html><title>401</title></html>", type: "text/html", is: .keyRejected, "http_401"),
    .init(
        "a proxy's policy page", 403, "<html><title>Content filtering policy</title>", type: "text/html",
        is: .unavailable, "refused_by_gateway"),
    .init(
        "envoy: text", 503, "upstream connect error or disconnect/reset before headers", type: "text/plain",
        is: .overloaded, "http_503"),
]

/// Statuses alone, with bodies that say nothing.
let statusFailures: [FailureCase] = [
    .init("301", 301, "", is: .modelUnavailable, "redirected"),
    .init("307", 307, "<html></html>", type: "text/html", is: .modelUnavailable, "redirected"),
    .init("304", 304, "", is: .modelUnavailable, "redirected"),
    .init("400 empty", 400, "", is: .invalidRequest, "http_400"),
    .init("401 empty", 401, "", is: .keyRejected, "http_401"),
    .init("402 empty", 402, "", is: .quotaExhausted, "http_402"),
    .init("403 empty", 403, "{}", is: .keyRejected, "http_403"),
    .init("404 empty", 404, "", is: .modelUnavailable, "endpoint_not_found"),
    .init("405", 405, #"{"detail":"Method Not Allowed"}"#, is: .modelUnavailable, "endpoint_not_found"),
    .init("407", 407, "", is: .keyRejected, "proxy_authentication_required"),
    .init("408 empty", 408, "", is: .unavailable, "http_408"),
    .init("409", 409, "", is: .unavailable, "http_409"),
    .init("410", 410, "", is: .modelUnavailable, "endpoint_not_found"),
    .init("413 empty", 413, "", is: .invalidRequest, "request_too_large"),
    .init("418", 418, "{}", is: .invalidRequest, "http_418"),
    .init("422 empty", 422, "", is: .invalidRequest, "http_422"),
    .init("425", 425, "", is: .unavailable, "http_425"),
    .init("429 empty", 429, "", is: .rateLimited, "http_429"),
    .init(
        "429 with a wait of days is no quota's", 429, "", [("retry-after", "900000")], is: .rateLimited, "http_429",
        wait: .days(1)),
    .init("451", 451, "", is: .modelUnavailable, "unavailable_for_legal_reasons"),
    .init("498 empty", 498, "", is: .overloaded, "http_498"),
    .init("500 empty", 500, "", is: .unavailable, "http_500"),
    .init("503 with a wait", 503, "", [("retry-after", "30")], is: .overloaded, "http_503", wait: .seconds(30)),
    .init("529 empty", 529, "", is: .overloaded, "http_529"),
    .init("599", 599, "", is: .unavailable, "http_599"),
]

/// The error object of an answer of the cases below.
func errorObject(_ body: String) -> JSONSlice { JSONSlice(Array(body.utf8))!["error"]! }

/// Errors that come with a status of success.
let insideSuccess: [FailureCase] = [
    .init(
        "200: with a code", 200, #"{"error":{"code":502,"message":"Upstream failed"}}"#, is: .unavailable, "http_502"),
    .init(
        "200: 429 within", 200, #"{"error":{"code":429,"message":"Slow","metadata":{"retry_after_seconds":3}}}"#,
        is: .rateLimited, "http_429", wait: .seconds(3)),
    .init(
        "200: quota", 200, #"{"error":{"message":"x","type":"insufficient_quota"}}"#, is: .quotaExhausted,
        "insufficient_quota"),
    .init(
        "200: rate word", 200, #"{"error":{"message":"x","code":"rate_limit_exceeded"}}"#, is: .rateLimited,
        "rate_limit_exceeded"),
    .init(
        "200: a string", 200, #"{"error":"model overloaded, try again in 2s"}"#, is: .overloaded, "overloaded",
        wait: .seconds(2)),
    .init("200: nothing known", 200, #"{"error":{"message":"oops"}}"#, is: .unavailable, "error_in_answer"),
    .init("200: an empty error", 200, #"{"error":{}}"#, is: .unavailable, "error_in_answer"),
    .init("200: true", 200, #"{"error":true}"#, is: .unavailable, "error_in_answer"),
    .init(
        "200: responses' own", 200, #"{"status":"failed","error":{"code":"server_error","message":"x"}}"#,
        is: .unavailable, "server_error"),
]
