import OffpeakConfiguration

/// What a command's arguments may be.
struct CommandSyntax: Sendable {
    struct Option: Sendable {
        let name: String
        /// What stands for its value in the help; nil for a flag.
        let value: String?
        let help: String

        static func flag(_ name: String, _ help: String) -> Option { Option(name: name, value: nil, help: help) }
        static func value(_ name: String, _ value: String, _ help: String) -> Option {
            Option(name: name, value: value, help: help)
        }
    }

    let name: String
    /// The positional arguments as the help shows them; a trailing `…` allows any number.
    let positionals: [String]
    let help: String
    var options: [Option] = []
    /// Positional arguments that must be there.
    var required: Int

    init(_ name: String, _ positionals: [String] = [], required: Int? = nil, help: String, options: [Option] = []) {
        self.name = name
        self.positionals = positionals
        self.help = help
        self.options = options
        self.required = required ?? positionals.count
    }
}

/// Arguments taken apart.
struct ParsedArguments: Sendable {
    var positionals: [String] = []
    private var values: [String: [String]] = [:]

    subscript(_ name: String) -> String? { values[name]?.last }
    func has(_ name: String) -> Bool { values[name] != nil }
    func all(_ name: String) -> [String] { values[name] ?? [] }

    /// Takes arguments apart by a command's syntax and the options that every command has.
    static func parse(_ arguments: some Sequence<String>, syntax: CommandSyntax) throws(CommandFailure)
        -> ParsedArguments
    {
        let known = syntax.options + GlobalOptions.all
        var parsed = ParsedArguments()
        var rest = Array(arguments)[...]
        var onlyPositionals = false
        while let argument = rest.popFirst() {
            if onlyPositionals || argument == "-" || !argument.hasPrefix("-") {
                parsed.positionals.append(argument)
                continue
            }
            if argument == "--" {
                onlyPositionals = true
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard
                let option = known.first(where: {
                    $0.name == name || GlobalOptions.short[name] == $0.name || (name == "-o" && $0.name == "--output")
                })
            else {
                let near = Spelling.nearest(to: name, among: known.map(\.name))
                throw .usage(
                    "`offpeak \(syntax.name)` has no option \(name)",
                    hint: near.map { "did you mean \($0)?" } ?? "run `offpeak help \(syntax.name)` for its options")
            }
            if option.value == nil {
                if parts.count > 1 { throw .usage("\(name) takes no value") }
                parsed.values[option.name, default: []].append("")
            } else if parts.count > 1 {
                parsed.values[option.name, default: []].append(String(parts[1]))
            } else if let value = rest.popFirst() {
                parsed.values[option.name, default: []].append(value)
            } else {
                throw .usage("\(name) needs a value: \(name) \(option.value!)")
            }
        }
        try parsed.check(syntax)
        return parsed
    }

    private func check(_ syntax: CommandSyntax) throws(CommandFailure) {
        if has("--help") { return }
        if positionals.count < syntax.required {
            let missing = syntax.positionals[positionals.count]
            throw .usage(
                "`offpeak \(syntax.name)` needs \(missing)",
                hint: "run `offpeak help \(syntax.name)` for how to call it")
        }
        let takesMany = syntax.positionals.last?.hasSuffix("…") == true
        if !takesMany && positionals.count > syntax.positionals.count {
            throw .usage("`offpeak \(syntax.name)`: unexpected argument \"\(positionals[syntax.positionals.count])\"")
        }
    }
}

/// Options that every command takes, before or after its name.
enum GlobalOptions {
    static let all: [CommandSyntax.Option] = [
        .value("--queue", "FILE", "the queue's file; default: OFFPEAK_QUEUE, else offpeak.db here"),
        .value("--config", "FILE", "the configuration; default: OFFPEAK_CONFIG, else offpeak.json5 here"),
        .flag("--json", "print one JSON document on stdout"),
        .flag("--quiet", "only data, warnings and errors"),
        .flag("--verbose", "say more about what happens"),
        .flag("--no-color", "no colour, whatever stderr is"),
        .flag("--help", "show this help"),
    ]
    static let short = ["-h": "--help", "-q": "--quiet", "-v": "--verbose"]

    /// Whether a word is one of them, with or without `=value`.
    static func isKnown(_ word: String) -> Bool {
        let name = String(word.prefix { $0 != "=" })
        return short[name] != nil || all.contains { $0.name == name }
    }
}
