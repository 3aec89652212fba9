import OffpeakCore

extension ConfigurationReader {
    /// Where a key's secret is. Nothing that stands in this field is ever shown: it may be the secret itself.
    func secret(_ fields: FieldReader) -> SecretSource {
        let forms = "{ env: \"NAME\" }, { file: \"PATH\" }, { command: [\"PROGRAM\", …] } or \"none\""
        guard let value = fields.value("secret") else {
            fields.problem("secret", "is missing", hint: "say where it is: \(forms)")
            return .none
        }
        switch value.kind {
        case .string("none"): return .none
        case .string:
            fields.problem(
                "secret", "a secret never stands in the configuration itself",
                hint: "put it in the environment or a file and say where: \(forms)")
            return .none
        case .object: break
        default:
            fields.mismatch("secret", value, expected: forms)
            return .none
        }
        let aliases = ["environment": "env", "variable": "env", "path": "file", "cmd": "command", "exec": "command"]
        let reader = self.fields(
            value, path: fields.path(to: "secret"), known: ["env", "file", "command", "refresh"], aliases: aliases)
        guard let source = reader else { return .none }
        let given = ["env", "file", "command"].filter(source.has)
        if given.isEmpty && !source.members.contains(where: { $0.name != "refresh" }) {
            fields.problem("secret", "does not say where the secret is", hint: forms)
        } else if given.count > 1 {
            fields.problem("secret", "names several places: \(given.joined(separator: ", "))", hint: "keep one")
        }
        let refresh = source.duration("refresh", in: .seconds(10)...(.days(30)))
        if source.has("refresh") && given != ["command"] {
            source.problem("refresh", "belongs to a command", hint: "a variable or a file is read at the start")
        }
        switch given.first {
        case "env": return environment(source)
        case "file": return source.string("file").map { .file(resolve($0)) } ?? .none
        case "command": return command(source, refresh: refresh)
        default: return .none
        }
    }

    private func environment(_ source: FieldReader) -> SecretSource {
        guard let name = source.string("env") else { return .none }
        let isName =
            name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
                default: false
                }
            } && !("0"..."9").contains(name.unicodeScalars.first!)
        // A long word with small letters is more likely a secret than a variable's name.
        guard isName, name.utf8.count <= 28 || name == name.uppercased() else {
            source.problem(
                "env", "does not look like the name of a variable",
                hint: "the name goes here, such as \"OPENAI_API_KEY\"")
            return .none
        }
        return .environment(name)
    }

    private func command(_ source: FieldReader, refresh: Interval?) -> SecretSource {
        guard let value = source.value("command") else { return .none }
        guard case .array(let elements) = value.kind else {
            source.mismatch(
                "command", value, expected: "a list: the program, then its arguments",
                hint: "no shell is involved: [\"pass\", \"show\", \"openai\"]")
            return .none
        }
        var arguments: [String] = []
        for (index, element) in elements.enumerated() {
            if case .string(let text) = element.kind, !text.utf8.contains(0), index > 0 || !text.isEmpty {
                arguments.append(text)
            } else {
                let path = "\(source.path(to: "command"))[\(index)]"
                let isString = if case .string = element.kind { true } else { false }
                let message =
                    isString ? "cannot be an argument" : "expected a string, found \(element.typeInWords)"
                findings.problem(.init(path: path, line: element.line, message: message))
            }
        }
        if elements.isEmpty { source.problem("command", "is empty", hint: "the program, then its arguments") }
        return arguments.isEmpty ? .none : .command(arguments, refresh: refresh)
    }
}
