import OffpeakCore

/// A guess of a job's tokens before anything is known of its model: what to reserve for the first answers of a
/// flow. Later ones are scaled by what was learned, which is the limiter's part; here is only where it starts.
///
/// Input: English prose and JSON come to about four bytes per token in today's vocabularies, so four it is, after
/// the envelope (`{"model":…,"messages":[{"role":…,"content":…}]}`, some 80 bytes that are hardly any tokens). Code
/// and other languages are denser (three bytes and less), so a first guess can be a third too low; it is a limit on
/// a rate, which reported usage corrects within a few answers, and not on money.
///
/// Output: what the request allows, since that is also what strict servers reserve; a request that names no maximum
/// is taken for a middling answer. Embeddings have no output.
package struct TokenEstimate: Sendable, Equatable {
    package var inputTokens: Int
    package var outputTokens: Int

    /// Output tokens of an answer to a request that sets no maximum.
    package static let unboundedOutput = 500

    /// The guess for a request body of that many bytes. Never negative, input at least 1.
    package init(bodyBytes: Int, maxOutputTokens: Int?, endpoint: Endpoint) {
        let envelope =
            switch endpoint {
            case .chatCompletions: 80
            case .responses: 60
            case .completions, .embeddings: 40
            }
        let content = max(bodyBytes, 0) - envelope
        inputTokens = max(1, content / 4 + (content % 4 > 0 ? 1 : 0))
        outputTokens = endpoint == .embeddings ? 0 : max(0, maxOutputTokens ?? Self.unboundedOutput)
    }

    /// Input and output together.
    package var totalTokens: Int { inputTokens + outputTokens }
}
