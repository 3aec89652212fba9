import OffpeakCore

/// The providers that need no entry in the configuration. Numbers of limits are not here: they belong to the
/// account and change monthly; only how a server counts is.
package enum BuiltInProviders {
    /// One provider, and where its key is usually found.
    package struct Entry: Sendable, Equatable {
        package var descriptor: ProviderDescriptor
        /// Environment variables that usually hold a key, the most usual first; empty for those that run on the user's own machine.
        package var environment: [String]
    }

    /// All of them, in the order in which `init` offers them.
    package static let all: [Entry] = [
        // Admission counts the larger of max_tokens and the prompt, and does not give it back:
        // developers.openai.com/api/docs/guides/rate-limits.
        entry("openai", "https://api.openai.com/v1", ["OPENAI_API_KEY"], counting: .reserved),
        // A token bucket; what is generated counts and not `max_tokens`: platform.claude.com/docs/en/api/rate-limits.
        entry("anthropic", "https://api.anthropic.com/v1", ["ANTHROPIC_API_KEY"], kind: .anthropic),
        // No rate headers except on its own limits; a money limit on what is in flight: openrouter.ai/docs.
        entry("openrouter", "https://openrouter.ai/api/v1", ["OPENROUTER_API_KEY"]),
        // Requests per second on some plans, so sends are paced evenly: docs.mistral.ai, limits and tiers.
        entry("mistral", "https://api.mistral.ai/v1", ["MISTRAL_API_KEY"], model: .slices),
        // `x-ratelimit-*-requests` counts per day, tokens per minute: console.groq.com/docs/rate-limits.
        entry("groq", "https://api.groq.com/openai/v1", ["GROQ_API_KEY"], requestsPerDay: true),
        // The limit follows recent traffic, and bursts are refused first: docs.together.ai, serverless rate limits.
        entry("together", "https://api.together.ai/v1", ["TOGETHER_API_KEY"], model: .slices),
        // Adaptive token rates, told in headers as they are now: docs.fireworks.ai, rate limits.
        entry("fireworks", "https://api.fireworks.ai/inference/v1", ["FIREWORKS_API_KEY"]),
        // Limits concurrency and nothing else: api-docs.deepseek.com/quick_start/rate_limit.
        entry("deepseek", "https://api.deepseek.com/v1", ["DEEPSEEK_API_KEY"]),
        // Requests per second and tokens per minute: docs.x.ai, rate limits.
        entry("xai", "https://api.x.ai/v1", ["XAI_API_KEY"], model: .slices),
        // The OpenAI layer of AI Studio; no rate headers: ai.google.dev/gemini-api/docs/openai.
        entry(
            "gemini", "https://generativelanguage.googleapis.com/v1beta/openai", ["GEMINI_API_KEY", "GOOGLE_API_KEY"]),
        // The OpenAI layer; trial keys have 20 requests a minute: docs.cohere.com, compatibility API.
        entry("cohere", "https://api.cohere.ai/compatibility/v1", ["CO_API_KEY", "COHERE_API_KEY"]),
        // Estimates the prompt and adds max_completion_tokens before the run: inference-docs.cerebras.ai, rate
        // limits. Its header names say themselves which groups count per day.
        entry("cerebras", "https://api.cerebras.ai/v1", ["CEREBRAS_API_KEY"], counting: .reserved),
        // Local servers, at their default ports. They queue and do not count, so no limit model matters.
        entry("ollama", "http://127.0.0.1:11434/v1", []),
        entry("vllm", "http://127.0.0.1:8000/v1", []),
        entry("llamacpp", "http://127.0.0.1:8080/v1", []),
        entry("lmstudio", "http://127.0.0.1:1234/v1", []),
    ]

    /// The descriptor of a built-in provider; nil when there is none of that name.
    package static func descriptor(_ name: String) -> ProviderDescriptor? {
        all.first { $0.descriptor.name == name }?.descriptor
    }

    private static func entry(
        _ name: String, _ baseURL: String, _ environment: [String], kind: ProviderKind = .openai,
        model: LimitModel = .sliding, counting: TokenCounting = .usage, requestsPerDay: Bool = false
    ) -> Entry {
        Entry(
            descriptor: ProviderDescriptor(
                name: name, kind: kind, baseURL: baseURL, limitModel: model, tokenCounting: counting,
                requestHeadersArePerDay: requestsPerDay),
            environment: environment)
    }
}
