import OffpeakCore

/// Reads the fields of one object and adds everything that is wrong with them to the findings of its file.
///
/// A field that is absent reads as nil, and so does one that is wrong, which is then among the problems: the caller
/// goes on with a default, so that one reading finds all there is to find.
package struct FieldReader {
    /// Where the object stands, for the findings.
    package let path: String
    package let line: Int
    /// The object's members as written.
    package let members: [JSON5Value.Member]
    package let findings: Findings

    /// Nil, with a problem, when the value is no object. Names that are neither `known` nor `tolerated` are problems,
    /// and so are names that stand twice; `known: nil` admits any name. `aliases` says what else people call a field.
    package init?(
        _ value: JSON5Value, path: String, known: [String]?, tolerated: [String] = [], aliases: [String: String] = [:],
        findings: Findings
    ) {
        guard case .object(let members) = value.kind else {
            let message = "expected an object, found \(value.typeInWords)"
            findings.problem(.init(path: path, line: value.line, message: message))
            return nil
        }
        (self.path, line, self.members, self.findings) = (path, value.line, members, findings)
        for (member, firstLine) in value.duplicates {
            let message = "stands twice in the same object, first on line \(firstLine)"
            findings.problem(
                .init(
                    path: Self.path(path, member.name), line: member.line, message: message, hint: "remove one of them")
            )
        }
        guard let known else { return }
        var told = Set(known + tolerated)
        for member in members where told.insert(member.name).inserted {
            let hint =
                aliases[member.name].map { "did you mean \"\($0)\"?" }
                ?? Spelling.nearest(to: member.name, among: known + tolerated).map { "did you mean \"\($0)\"?" }
                ?? "known fields: \(known.joined(separator: ", "))"
            findings.problem(
                .init(path: Self.path(path, member.name), line: member.line, message: "unknown field", hint: hint))
        }
    }

    // MARK: Paths and findings

    /// The path of a field of the object at `path`.
    package static func path(_ path: String, _ name: String) -> String {
        let plain =
            !name.isEmpty
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"): true
                default: false
                }
            }
        if plain { return path.isEmpty ? name : "\(path).\(name)" }
        return "\(path)[\"\(name)\"]"
    }

    /// The path of a field of this object.
    package func path(to name: String) -> String { Self.path(path, name) }

    /// The line of a field, or of the object when it has no such field.
    package func line(of name: String) -> Int { members.first { $0.name == name }?.line ?? line }

    /// Adds a problem with a field, present or not.
    package func problem(_ name: String, _ message: String, hint: String? = nil) {
        findings.problem(.init(path: path(to: name), line: line(of: name), message: message, hint: hint))
    }

    /// Adds a notice about a field.
    package func notice(_ name: String, _ message: String, hint: String? = nil) {
        findings.notice(.init(path: path(to: name), line: line(of: name), message: message, hint: hint))
    }

    /// Adds the problem of a field that has the wrong type.
    func mismatch(_ name: String, _ value: JSON5Value, expected: String, hint: String? = nil) {
        let isNull = value.kind == .null
        findings.problem(
            .init(
                path: path(to: name), line: value.line, message: "expected \(expected), found \(value.typeInWords)",
                hint: hint ?? (isNull ? "leave the field out to mean nothing" : nil)))
    }

    // MARK: Values

    /// A field's value as written; nil when it is absent. Of a name that stands twice, the first.
    package func value(_ name: String) -> JSON5Value? { members.first { $0.name == name }?.value }

    package func has(_ name: String) -> Bool { value(name) != nil }

    package func bool(_ name: String) -> Bool? {
        guard let value = value(name) else { return nil }
        if case .bool(let bool) = value.kind { return bool }
        mismatch(name, value, expected: "true or false")
        return nil
    }

    /// Text that is not empty.
    package func string(_ name: String) -> String? {
        guard let value = value(name) else { return nil }
        guard case .string(let text) = value.kind else {
            mismatch(name, value, expected: "a string", hint: value.isNumber ? "put it in quotes" : nil)
            return nil
        }
        if text.isEmpty {
            problem(name, "is empty")
            return nil
        }
        return text
    }

    /// A whole number within `range`.
    package func integer(_ name: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = value(name) else { return nil }
        guard case .number(let text, let integer, let double) = value.kind else {
            var hint: String?
            if case .string(let text) = value.kind, Int(text) != nil { hint = "write it without quotes" }
            mismatch(name, value, expected: "a whole number", hint: hint)
            return nil
        }
        guard let integer else {
            let message =
                abs(double) >= 9_007_199_254_740_992 ? "\(text) is too large" : "expected a whole number, found \(text)"
            problem(name, message)
            return nil
        }
        return checked(integer, in: range, name) { "\($0)" }
    }

    /// A number within `range`, whole or not.
    package func number(_ name: String, in range: ClosedRange<Double>) -> Double? {
        guard let value = value(name) else { return nil }
        guard case .number(_, _, let double) = value.kind else {
            mismatch(name, value, expected: "a number")
            return nil
        }
        return checked(double, in: range, name) { "\($0)" }
    }

    /// A length of time such as `30s` or `1h30m`.
    package func duration(_ name: String, in range: ClosedRange<Interval>) -> Interval? {
        guard let value = value(name) else { return nil }
        let expected = "a duration such as \"30s\", \"2m\" or \"1h30m\""
        guard case .string(let text) = value.kind else {
            mismatch(name, value, expected: expected, hint: value.isNumber ? "add a unit and quotes" : nil)
            return nil
        }
        switch Interval.reading(duration: text) {
        case .interval(let interval): return checked(interval, in: range, name, \.durationText)
        case .tooLong:
            problem(name, "\(Spelling.shown(text)) is too long", hint: "at most \(range.upperBound.durationText)")
        case .noDuration:
            problem(name, "expected \(expected), found another string", hint: "units: ms, s, m, h, d")
        }
        return nil
    }

    /// One of the raw values of `Choice`.
    package func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ type: Choice.Type, synonyms: [String: Choice] = [:]
    ) -> Choice? {
        guard let text = string(name) else { return nil }
        if let choice = Choice(rawValue: text) ?? synonyms[text] { return choice }
        let all = Choice.allCases.map(\.rawValue)
        problem(
            name, "\(Spelling.shown(text)) is not one of \(all.joined(separator: ", "))",
            hint: Spelling.nearest(to: text, among: all + synonyms.keys.sorted()).map { "did you mean \"\($0)\"?" })
        return nil
    }

    /// A list of strings, none of them empty and none twice, each with its path and line for later findings.
    package func strings(_ name: String) -> [(text: String, path: String, line: Int)]? {
        guard let value = value(name) else { return nil }
        guard case .array(let elements) = value.kind else {
            let isString = if case .string = value.kind { true } else { false }
            mismatch(name, value, expected: "a list of strings", hint: isString ? "put it in [ ]" : nil)
            return nil
        }
        var list: [(text: String, path: String, line: Int)] = []
        for (index, element) in elements.enumerated() {
            let path = "\(path(to: name))[\(index)]"
            func problem(_ message: String) {
                findings.problem(.init(path: path, line: element.line, message: message))
            }
            guard case .string(let text) = element.kind else {
                problem("expected a string, found \(element.typeInWords)")
                continue
            }
            if text.isEmpty {
                problem("is empty")
            } else if list.contains(where: { $0.text == text }) {
                problem("\(Spelling.shown(text)) is in this list already")
            } else {
                list.append((text, path, element.line))
            }
        }
        return list
    }

    // MARK: Objects

    /// An object among the fields, read by the same rules.
    package func object(_ name: String, known: [String]?) -> FieldReader? {
        value(name).flatMap { FieldReader($0, path: path(to: name), known: known, findings: findings) }
    }

    /// The members of an object whose names are the user's own, in the order written, without repetitions.
    package func entries(_ name: String) -> [(name: String, path: String, member: JSON5Value.Member)] {
        guard let reader = object(name, known: nil) else { return [] }
        var names: Set<String> = []
        return reader.members.filter { names.insert($0.name).inserted }
            .map { ($0.name, reader.path(to: $0.name), $0) }
    }

    private func checked<Value: Comparable>(
        _ value: Value, in range: ClosedRange<Value>, _ name: String, _ words: (Value) -> String
    ) -> Value? {
        if value < range.lowerBound {
            problem(name, "\(words(value)) is too small", hint: "at least \(words(range.lowerBound))")
            return nil
        }
        if value > range.upperBound {
            problem(name, "\(words(value)) is too large", hint: "at most \(words(range.upperBound))")
            return nil
        }
        return value
    }
}

extension JSON5Value {
    /// True for a number of any kind.
    var isNumber: Bool { if case .number = kind { true } else { false } }
}
