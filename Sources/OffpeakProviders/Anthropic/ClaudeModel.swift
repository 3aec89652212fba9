/// What a model's name tells of what it accepts; nothing where the name is not one of Anthropic's own.
struct ClaudeModel {
    private var family: Substring = ""
    /// 405 for 4.5; 0 where the name tells none.
    private var version = 0

    /// `claude-haiku-4-5`, `claude-opus-4-1-20250805`, `claude-sonnet-4-20250514`, `claude-3-5-sonnet-20241022`.
    init(_ name: String) {
        let words = name.split(separator: "-")
        guard words.first == "claude" else { return }
        let numbers = words.dropFirst().compactMap { $0.utf8.count <= 2 ? Int($0) : nil }
        family = words.dropFirst().first { Int($0) == nil } ?? ""
        version = (numbers.first ?? 0) * 100 + (numbers.dropFirst().first ?? 0)
    }

    /// Whether `temperature`, `top_p` and `top_k` are refused with a 400: by Opus from 4.7 on, the fifth generation, Fable
    /// and Mythos (platform.claude.com/docs/en/about-claude/models/migration-guide; models.dev: `temperature: false`).
    var refusesSampling: Bool { family == "fable" || family == "mythos" || version >= 407 }

    /// Whether `output_config.effort` is refused: by all before Opus 4.5 and Sonnet 4.6, and by Haiku 4.5
    /// (platform.claude.com/docs/en/build-with-claude/effort).
    var lacksEffort: Bool {
        guard version > 0 else { return false }
        return version < (family == "opus" ? 405 : family == "haiku" ? 500 : 406)
    }
}
