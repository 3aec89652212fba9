/// What an input line asks for: the path of the API call, which also fixes the format of its result.
package enum Endpoint: Int, CaseIterable, Sendable {
    case chatCompletions = 0
    case embeddings = 1
    case responses = 2
    case completions = 3
    /// Anthropic's.
    case messages = 4

    /// The path as batch lines write it.
    package var path: String {
        switch self {
        case .chatCompletions: "/v1/chat/completions"
        case .embeddings: "/v1/embeddings"
        case .responses: "/v1/responses"
        case .completions: "/v1/completions"
        case .messages: "/v1/messages"
        }
    }

    /// The endpoint whose path this is; nil for any other string.
    package init?(path: some StringProtocol) {
        guard let match = Self.allCases.first(where: { path == $0.path }) else { return nil }
        self = match
    }
}
