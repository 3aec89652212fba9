/// How price lists name one provider's models. A plain name counts only when the price is this provider's: the same open
/// model costs differently wherever it is served.
struct PriceProvider: Sendable {
    /// A name to look for, and whose price may stand under it.
    struct Name {
        var text: String
        /// Nil: whoever's.
        var owners: [String]?

        func accepts(_ owner: String?) -> Bool {
            owner == nil || owners == nil || owners?.contains(owner ?? "") == true
        }
    }

    /// What stands before the slash; the first is the usual one.
    private var prefixes: [String]
    /// The list's words for the provider; nil: plain names count whosever they are.
    private var owners: [String]?
    /// Models are named `author/slug`, and a list may have them under their author only.
    private var namesAuthors = false

    private init(_ prefixes: [String], owners: [String]?, namesAuthors: Bool = false) {
        (self.prefixes, self.owners, self.namesAuthors) = (prefixes, owners, namesAuthors)
    }

    /// A provider by the name of a built-in one. Of any other, prices under its own name count, and then plain names.
    init(_ name: String) { self = Self.known[name] ?? Self([name], owners: nil) }

    private static let known: [String: PriceProvider] = [
        "openai": .init(["openai"], owners: ["openai", "text-completion-openai"]),
        "anthropic": .init(["anthropic"], owners: ["anthropic"]),
        "azure": .init(["azure", "azure_ai"], owners: ["azure", "azure_ai"]),
        "openrouter": .init(["openrouter"], owners: ["openrouter"], namesAuthors: true),
        "mistral": .init(["mistral"], owners: ["mistral"]),
        "groq": .init(["groq"], owners: ["groq"]),
        "together": .init(["together_ai"], owners: ["together_ai"]),
        "fireworks": .init(["fireworks_ai"], owners: ["fireworks_ai", "fireworks_ai-embedding-models"]),
        "deepseek": .init(["deepseek"], owners: ["deepseek"]),
        "xai": .init(["xai"], owners: ["xai"]),
        "gemini": .init(["gemini"], owners: ["gemini"]),
        "cohere": .init(["cohere", "cohere_chat"], owners: ["cohere", "cohere_chat"]),
        "cerebras": .init(["cerebras"], owners: ["cerebras"]),
        "perplexity": .init(["perplexity"], owners: ["perplexity"]),
        // One's own machines: a price of the same model elsewhere says nothing.
        "ollama": .init(["ollama", "ollama_chat"], owners: ["ollama"]),
        "vllm": .init(["hosted_vllm"], owners: ["hosted_vllm"]),
        "llamacpp": .init(["llamacpp"], owners: ["llamacpp"]),
        "lmstudio": .init(["lm_studio"], owners: ["lm_studio"]),
    ]

    /// Authors in OpenRouter's names → the provider whose list price it is.
    private static let authors: [String: String] = [
        "openai": "openai", "anthropic": "anthropic", "google": "gemini", "mistralai": "mistral",
        "deepseek": "deepseek", "x-ai": "xai", "cohere": "cohere", "perplexity": "perplexity",
    ]

    /// The provider's own name for an entry of a list; nil for one that is surely not its.
    func model(named name: String, owner: String?) -> String? {
        guard let owner, owners?.contains(owner) == true else { return nil }
        let prefix = prefixes.first { name.hasPrefix($0 + "/") }
        return prefix.map { String(name.dropFirst($0.utf8.count + 1)) } ?? (name.contains("/") ? nil : name)
    }

    /// The names under which a list may have a model, the surest first.
    func names(for model: String) -> [Name] {
        var names = prefixes.map { Name(text: "\($0)/\(model)", owners: nil) }
        names.append(Name(text: model, owners: owners))
        // Google's OpenAI layer takes `models/NAME` too.
        if prefixes.first == "gemini", model.hasPrefix("models/") {
            names += self.names(for: String(model.dropFirst("models/".count)))
        }
        guard namesAuthors, let slash = model.firstIndex(of: "/"), let author = Self.authors[String(model[..<slash])]
        else { return names }
        let slug = String(model[model.index(after: slash)...])
        names += PriceProvider(author).names(for: slug)
        // Version numbers have a dot there and a hyphen at the author (claude-haiku-4.5).
        if author == "anthropic", slug.contains(".") {
            names += PriceProvider(author).names(for: String(slug.map { $0 == "." ? "-" : $0 }))
        }
        return names
    }
}
