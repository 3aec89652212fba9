/// Why bytes are not a JSON document, and where.
package struct JSONSyntaxError: Error, Equatable, Sendable {
    /// What kind of mistake it is.
    package enum Fault: Sendable {
        case empty
        case endsEarly
        case unclosedString
        case expectedValue
        case expectedName
        case expectedColon
        case expectedCommaOrBrace
        case expectedCommaOrBracket
        case trailingComma
        case trailingText
        case controlCharacter
        case badEscape
        case badNumber
        case invalidUTF8
        case tooDeep
    }

    /// The kind of mistake, for programs.
    package let fault: Fault
    /// The byte, counted from 0, at which the mistake was noticed; the length of the text if it ends too early.
    package let offset: Int
    /// The mistake in plain words, without its position: "a string is not closed".
    package let reason: String

    init(_ fault: Fault, at offset: Int, in bytes: UnsafeRawBufferPointer) {
        self.fault = fault
        self.offset = offset
        reason = Self.words(fault, offset, bytes)
    }

    /// The error that a cursor has stopped at.
    init(_ cursor: JSONCursor) {
        self.init(cursor.fault ?? .expectedValue, at: cursor.at, in: cursor.bytes)
    }

    /// Whether the text is right as far as it goes but stops before its end.
    package var isTruncation: Bool { fault == .endsEarly || fault == .unclosedString }

    private static func words(_ fault: Fault, _ offset: Int, _ bytes: UnsafeRawBufferPointer) -> String {
        let found = Found(bytes, at: offset)
        return switch fault {
        case .empty: "there is nothing here"
        case .endsEarly: "the JSON ends too early"
        case .unclosedString: "the JSON ends in the middle of a string"
        case .expectedValue: found.instead(of: "a value")
        case .expectedName: found.instead(of: "a name in double quotes")
        case .expectedColon: found.instead(of: "a colon")
        case .expectedCommaOrBrace: found.instead(of: "a comma or }")
        case .expectedCommaOrBracket: found.instead(of: "a comma or ]")
        case .trailingComma: "there is a comma before the closing \(found.name)"
        case .trailingText: "there is more text after the end of the JSON: \(found.name)"
        case .controlCharacter: "a string contains \(found.name), which must be written as an escape"
        case .badEscape: "a backslash in a string is not followed by a valid escape"
        case .badNumber: found.badNumber
        case .invalidUTF8: "byte \(found.name) is not valid UTF-8"
        case .tooDeep: "arrays and objects are nested more than \(jsonNestingLimit) deep"
        }
    }
}

/// What stands where something else was expected, named so that the commonest mistakes are recognised.
private struct Found {
    let rest: [UInt8]

    init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        // SAFETY: the range is clamped to the buffer, and its bytes are copied out at once.
        rest = Array(bytes[min(offset, bytes.count)..<min(offset + 12, bytes.count)])
    }

    /// The first byte, printable.
    var name: String {
        guard let first = rest.first else { return "the end" }
        if rest.starts(with: [0xEF, 0xBB, 0xBF]) { return "a byte-order mark" }
        switch first {
        case 0: return "a NUL byte"
        case 0x09: return "a tab"
        case 0x0A: return "a line feed"
        case 0x0D: return "a carriage return"
        case 0x20..<0x7F: return String(UnicodeScalar(first))
        default:
            let digits = String(first, radix: 16, uppercase: true)
            return "0x" + (digits.count < 2 ? "0" + digits : digits)
        }
    }

    func instead(of expected: String) -> String {
        if rest.first == UInt8(ascii: "'") { return "strings and names need double quotes, not single ones" }
        if let word = foreignWord {
            return "\(word.found) is not JSON; write \(word.instead)"
        }
        return "expected \(expected), found \(name)"
    }

    var badNumber: String {
        if rest.first == .minus, rest.count > 1, rest[1] == UInt8(ascii: "I") {
            return "-Infinity is not JSON; write null or a number"
        }
        return "a number is not written as JSON requires"
    }

    /// Words that other languages write where JSON has its own.
    private var foreignWord: (found: String, instead: String)? {
        let known = [
            ("NaN", "null or a number"), ("nan", "null or a number"), ("Infinity", "null or a number"),
            ("inf", "null or a number"), ("True", "true"), ("False", "false"), ("None", "null"),
            ("undefined", "null"), ("nil", "null"),
        ]
        return known.first { rest.starts(with: $0.0.utf8) }.map { (found: $0.0, instead: $0.1) }
    }
}
