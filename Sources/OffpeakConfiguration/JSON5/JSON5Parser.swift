/// Reads JSON5 by recursive descent over Unicode scalars. Files are small and hand-written, so clarity comes first.
struct JSON5Parser {
    /// Objects and lists inside each other; more is an error instead of a stack overflow.
    static let deepest = 100

    private let scalars: [Unicode.Scalar]
    private var index = 0
    private(set) var line = 1
    private var lineStart = 0
    private var depth = 0

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    var column: Int { index - lineStart + 1 }
    var current: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }
    var next: Unicode.Scalar? { index + 1 < scalars.count ? scalars[index + 1] : nil }

    /// Steps over one scalar and keeps count of lines; CR LF is one line's end.
    mutating func advance() {
        let scalar = scalars[index]
        index += 1
        if scalar.endsLine && !(scalar == "\r" && current == "\n") {
            line += 1
            lineStart = index
        }
    }

    /// Steps over `scalar` if it stands here.
    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard current == scalar else { return false }
        advance()
        return true
    }

    /// An error at the current place; `found` defaults to the character that stands there.
    func unexpected(_ expected: String, found: String? = nil) -> JSON5SyntaxError {
        JSON5SyntaxError(line: line, column: column, found: found ?? Self.words(for: current), expected: expected)
    }

    static func words(for scalar: Unicode.Scalar?) -> String {
        guard let scalar else { return "the end of the file" }
        if scalar.endsLine { return "the end of the line" }
        switch scalar {
        case "\t": return "a tab"
        case "'": return "a single quote"
        case "\"": return "a double quote"
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .unassigned, .privateUse, .spaceSeparator:
            let digits = String(scalar.value, radix: 16, uppercase: true)
            return "the character U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        default: return "'\(scalar)'"
        }
    }

    // MARK: The grammar

    mutating func document() throws(JSON5SyntaxError) -> JSON5Value {
        try skipSpace()
        let value = try value(expected: "a value")
        try skipSpace()
        if current != nil { throw unexpected("the end of the file") }
        return value
    }

    private mutating func value(expected: String) throws(JSON5SyntaxError) -> JSON5Value {
        let (startLine, startColumn) = (line, column)
        func at(_ kind: JSON5Value.Kind) -> JSON5Value { .init(kind: kind, line: startLine, column: startColumn) }
        guard let scalar = current else { throw unexpected(expected) }
        switch scalar {
        case "{": return at(.object(try nested { parser throws(JSON5SyntaxError) in try parser.members() }))
        case "[": return at(.array(try nested { parser throws(JSON5SyntaxError) in try parser.elements() }))
        case "\"", "'": return at(.string(try string()))
        case "+", "-", ".", "0"..."9": return at(try number())
        default:
            guard scalar.startsName else { throw unexpected(expected) }
            return at(try word(expected: expected))
        }
    }

    private mutating func nested<Value>(
        _ body: (inout JSON5Parser) throws(JSON5SyntaxError) -> Value
    ) throws(JSON5SyntaxError) -> Value {
        guard depth < Self.deepest else {
            throw unexpected("at most \(Self.deepest) objects and lists inside each other", found: "one level more")
        }
        depth += 1
        let value = try body(&self)
        depth -= 1
        return value
    }

    private mutating func members() throws(JSON5SyntaxError) -> [JSON5Value.Member] {
        advance()
        var members: [JSON5Value.Member] = []
        while true {
            try skipSpace()
            if take("}") { return members }
            let (nameLine, nameColumn) = (line, column)
            let (name, quoted) = try memberName()
            try skipSpace()
            guard take(":") else {
                throw unexpected(
                    quoted ? "':' after the name" : "':' after the name (a name with other characters needs quotes)")
            }
            try skipSpace()
            let value = try value(expected: "a value after ':'")
            members.append(.init(name: name, line: nameLine, column: nameColumn, value: value))
            try skipSpace()
            if take(",") { continue }
            if take("}") { return members }
            throw unexpected("',' or '}' after a member")
        }
    }

    private mutating func elements() throws(JSON5SyntaxError) -> [JSON5Value] {
        advance()
        var elements: [JSON5Value] = []
        while true {
            try skipSpace()
            if take("]") { return elements }
            elements.append(try value(expected: "a value or ']'"))
            try skipSpace()
            if take(",") { continue }
            if take("]") { return elements }
            throw unexpected("',' or ']' after an element")
        }
    }

    private mutating func memberName() throws(JSON5SyntaxError) -> (name: String, quoted: Bool) {
        switch current {
        case "\"", "'": return (try string(), true)
        case let scalar? where scalar.startsName || scalar == "\\": return (try name(), false)
        default: throw unexpected("a member's name or '}'")
        }
    }

    /// An unquoted name: an ECMAScript 5.1 IdentifierName.
    private mutating func name() throws(JSON5SyntaxError) -> String {
        var name = String.UnicodeScalarView()
        while let scalar = current {
            if scalar == "\\" {
                let place = self
                advance()
                guard take("u") else { throw unexpected("'u' and four hexadecimal digits after '\\' in a name") }
                let escaped = try unicodeEscape(from: place)
                guard name.isEmpty ? escaped.startsName : escaped.continuesName else {
                    throw place.unexpected(
                        "the escape of a letter, digit, '_' or '$' in a name", found: "another escape")
                }
                name.append(escaped)
            } else if name.isEmpty ? scalar.startsName : scalar.continuesName {
                name.append(scalar)
                advance()
            } else {
                break
            }
        }
        return String(name)
    }

    /// `true`, `false` or `null`. Of any other word nothing is shown: it may be a secret that lacks its quotes.
    private mutating func word(expected: String) throws(JSON5SyntaxError) -> JSON5Value.Kind {
        let place = self
        switch try name() {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        case let word where ["NaN", "Infinity"].contains(word):
            throw place.unexpected("a finite number", found: word)
        case let word where ["True", "False", "TRUE", "FALSE", "yes", "no", "on", "off"].contains(word):
            throw place.unexpected("true or false", found: word)
        case let word where ["None", "nil", "Null", "NULL", "undefined"].contains(word):
            throw place.unexpected("a value", found: word)
        default:
            throw place.unexpected("\(expected) (a string needs quotes)", found: "an unquoted word")
        }
    }

    // MARK: Space

    /// Steps over white space and comments.
    private mutating func skipSpace() throws(JSON5SyntaxError) {
        while let scalar = current {
            if scalar.isJSON5Space {
                advance()
            } else if scalar == "/" && next == "/" {
                while let scalar = current, !scalar.endsLine { advance() }
            } else if scalar == "/" && next == "*" {
                try skipBlockComment()
            } else if scalar == "#" {
                throw unexpected("'//' before a comment")
            } else {
                return
            }
        }
    }

    private mutating func skipBlockComment() throws(JSON5SyntaxError) {
        let opening = line
        advance()
        advance()
        while current != nil {
            if current == "*" && next == "/" {
                advance()
                advance()
                return
            }
            advance()
        }
        throw unexpected("'*/' for the comment that begins on line \(opening)")
    }
}

extension Unicode.Scalar {
    /// A JSON5 LineTerminator.
    var endsLine: Bool { self == "\n" || self == "\r" || value == 0x2028 || value == 0x2029 }

    /// JSON5 WhiteSpace or LineTerminator; a byte-order mark counts as space.
    var isJSON5Space: Bool {
        switch value {
        case 0x09...0x0D, 0x20, 0xA0, 0xFEFF, 0x2028, 0x2029: true
        case 0..<0x80: false
        default: properties.generalCategory == .spaceSeparator
        }
    }

    /// May begin an unquoted name.
    var startsName: Bool {
        switch self {
        case "a"..."z", "A"..."Z", "_", "$": return true
        default: break
        }
        guard value >= 0x80 else { return false }
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .letterNumber:
            return true
        default: return false
        }
    }

    /// May stand in an unquoted name after its first character.
    var continuesName: Bool {
        if startsName || ("0"..."9").contains(self) { return true }
        guard value >= 0x80 else { return false }
        if value == 0x200C || value == 0x200D { return true }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .decimalNumber, .connectorPunctuation: return true
        default: return false
        }
    }
}
