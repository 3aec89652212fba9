/// A value read from JSON5 text, with the place where it stands.
///
/// Foundation's `JSONDecoder` reads JSON5 too (`allowsJSON5`), but for a file that people write by hand it falls short:
/// it loses the order of members (here the order of keys is an order of preference), it knows no line numbers, it
/// takes the first of two members with the same name without a word, and it stops at the first error.
///
/// Read as the JSON5 specification (spec.json5.org, version 1.0.0) has it, with two exceptions: `Infinity` and `NaN` are
/// refused, since no setting can mean them, and so are halves of surrogate pairs in escapes.
package struct JSON5Value: Sendable, Equatable {
    /// What the value is.
    package enum Kind: Sendable, Equatable {
        /// Members in the order of the text. A name that is written twice is here twice: see `duplicates`.
        case object([Member])
        case array([JSON5Value])
        case string(String)
        /// The number as written; as an integer when it is a whole one that fits; and as the nearest double.
        case number(text: String, integer: Int?, double: Double)
        case bool(Bool)
        case null
    }

    /// One named value of an object.
    package struct Member: Sendable, Equatable {
        /// The name, without quotes and with escapes resolved.
        package var name: String
        /// Where the name stands, both counted from 1.
        package var line: Int
        package var column: Int
        package var value: JSON5Value
    }

    package var kind: Kind
    /// The line of the value's first character, counted from 1.
    package var line: Int
    /// The column of the value's first character, counted from 1 in Unicode scalars.
    package var column: Int

    /// Reads one document. Throws at the first place where the text is not JSON5.
    package static func parse(_ text: String) throws(JSON5SyntaxError) -> JSON5Value {
        var parser = JSON5Parser(text)
        return try parser.document()
    }

    /// The value's type in words, with its article: "a string". Never shows a string's text, which may be a secret.
    package var typeInWords: String {
        switch kind {
        case .object: "an object"
        case .array: "a list"
        case .string: "a string"
        case .number(let text, _, _): "the number \(text)"
        case .bool(let value): "\(value)"
        case .null: "null"
        }
    }

    /// The members whose name an earlier member of the same object has, each with the line of the first one.
    package var duplicates: [(member: Member, firstLine: Int)] {
        guard case .object(let members) = kind else { return [] }
        var firstLines: [String: Int] = [:]
        var found: [(member: Member, firstLine: Int)] = []
        for member in members {
            if let line = firstLines[member.name] {
                found.append((member, line))
            } else {
                firstLines[member.name] = member.line
            }
        }
        return found
    }

    /// The value of the first member with this name; nil when there is none or the value is no object.
    package subscript(name: String) -> JSON5Value? {
        guard case .object(let members) = kind else { return nil }
        return members.first { $0.name == name }?.value
    }
}

/// The place where a text stops being JSON5.
package struct JSON5SyntaxError: Error, Equatable, CustomStringConvertible {
    /// Both counted from 1; columns in Unicode scalars.
    package var line: Int
    package var column: Int
    /// What stands there, in words; at most one character or a known word of the text, so never a secret.
    package var found: String
    /// What could have stood there, in words.
    package var expected: String

    package var description: String { "line \(line), column \(column): found \(found), expected \(expected)" }
}
