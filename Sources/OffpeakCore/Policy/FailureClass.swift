/// Why an attempt failed, in the terms that policy is written in. Policy never reads a status code.
package enum FailureClass: String, CaseIterable, Sendable {
    /// The key's limit is hit; a reset time is known or guessed.
    case rateLimited = "rate_limited"
    /// Credit, daily quota or our own quota is used up.
    case quotaExhausted = "quota_exhausted"
    /// Bad, revoked or unpermitted key.
    case keyRejected = "key_rejected"
    /// The provider has no capacity now (503, 529).
    case overloaded
    /// Network failure or 5xx, before or without an answer.
    case unavailable
    /// Our own deadline for one attempt passed.
    case timedOut = "timed_out"
    /// This key cannot serve this model.
    case modelUnavailable = "model_unavailable"
    /// The request itself is wrong, or its context too long.
    case invalidRequest = "invalid_request"
    /// Content filter or refusal.
    case refused
    /// The answer is not what the job asked for.
    case invalidOutput = "invalid_output"
    /// Sent in full, and the answer was lost.
    case unknownOutcome = "unknown_outcome"
}
