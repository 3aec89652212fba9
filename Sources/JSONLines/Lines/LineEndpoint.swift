/// The API call that a line asks for. The raw values are those of OffpeakCore's `Endpoint`, which this target cannot see.
package enum LineEndpoint: Int, CaseIterable, Sendable {
    case chatCompletions = 0
    case embeddings = 1
    case responses = 2
    case completions = 3
    /// Anthropic's.
    case messages = 4

    /// The path as batch lines write it.
    package var path: String { staticPath.description }

    var staticPath: StaticString {
        switch self {
        case .chatCompletions: "/v1/chat/completions"
        case .embeddings: "/v1/embeddings"
        case .responses: "/v1/responses"
        case .completions: "/v1/completions"
        case .messages: "/v1/messages"
        }
    }
}
