/// How deep arrays and objects may be nested in a document that offpeak reads. Fixed, so that no input can make a reader
/// use unbounded memory, and far above what any provider accepts or sends.
package let jsonNestingLimit = 128

/// A position in JSON text that moves forward over validated values (RFC 8259). It does not recurse, allocate or copy.
///
/// Functions return false once the text is wrong; `fault` and `at` then say what is wrong and where. The caller stops there.
struct JSONCursor {
    // SAFETY: borrowed from the caller's `withUnsafeBytes`; a cursor never leaves that closure. Every access is checked
    // against `end` before it is made.
    let bytes: UnsafeRawBufferPointer
    let end: Int
    var at: Int
    var fault: JSONSyntaxError.Fault?
    /// Whether the string that was passed last contains a backslash.
    var hasEscapes = false
    /// Where the document's value ends, once `skipDocument` has passed it.
    private(set) var valueEnd = 0

    init(_ bytes: UnsafeRawBufferPointer, at start: Int = 0) {
        self.bytes = bytes
        end = bytes.count
        at = start
    }

    /// The byte at the cursor; 0, which is valid nowhere outside of strings, at the end.
    @inline(__always)
    var byte: UInt8 { at < end ? bytes[at] : 0 }

    @inline(__always)
    mutating func skipSpace() {
        while at < end {
            let byte = bytes[at]
            guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            at += 1
        }
    }

    /// Records what is wrong at the cursor, or that the text ends there.
    @inline(never)
    mutating func fail(_ reason: JSONSyntaxError.Fault) -> Bool {
        fault = at >= end && reason != .tooDeep ? .endsEarly : reason
        return false
    }

    /// From anywhere before a document to its very end: one value with nothing but space around it.
    mutating func skipDocument() -> Bool {
        skipSpace()
        if at == end {
            fault = .empty
            return false
        }
        guard skipValue(depth: 0) else { return false }
        valueEnd = at
        skipSpace()
        return at == end || fail(.trailingText)
    }

    /// From the first byte of a value to behind it. `base` is how many arrays and objects are open around it.
    mutating func skipValue(depth base: Int) -> Bool {
        guard let first = skipScalarOrOpen() else { return false }
        guard first else { return true }
        // One bit for each open container, the innermost lowest: 1 is an object.
        var open: UInt128 = 0
        var depth = base
        var opened = true
        while true {
            if opened {
                depth += 1
                guard depth <= jsonNestingLimit else { return fail(.tooDeep) }
                let isObject = bytes[at] == .openBrace
                open = open &<< 1 | (isObject ? 1 : 0)
                at += 1
                skipSpace()
                if byte != (isObject ? .closeBrace : .closeBracket) {
                    if isObject { guard skipName() else { return false } }
                    guard let next = skipScalarOrOpen() else { return false }
                    opened = next
                    continue
                }
            } else {
                skipSpace()
                let isObject = open & 1 == 1
                if byte == .comma {
                    guard skipComma(isObject: isObject), let next = skipScalarOrOpen() else { return false }
                    opened = next
                    continue
                }
                guard byte == (isObject ? .closeBrace : .closeBracket) else {
                    return fail(isObject ? .expectedCommaOrBrace : .expectedCommaOrBracket)
                }
            }
            at += 1
            open = open &>> 1
            depth -= 1
            if depth == base { return true }
            opened = false
        }
    }

    /// Passes a string, number or literal and returns false; at the opening of a container it stays and returns true;
    /// nil if there is no value here.
    @inline(__always)
    private mutating func skipScalarOrOpen() -> Bool? {
        switch byte {
        case .quote: return skipString() ? false : nil
        case .openBrace, .openBracket: return true
        case .minus, .zero...(.nine): return skipNumber() ? false : nil
        case UInt8(ascii: "t"): return skipLiteral("true") ? false : nil
        case UInt8(ascii: "f"): return skipLiteral("false") ? false : nil
        case UInt8(ascii: "n"): return skipLiteral("null") ? false : nil
        default:
            _ = fail(.expectedValue)
            return nil
        }
    }

    /// From the first byte of a member's name to the first byte of its value.
    @inline(__always)
    mutating func skipName() -> Bool {
        guard byte == .quote else { return fail(.expectedName) }
        guard skipString() else { return false }
        return skipColon()
    }

    /// From behind a member's name to the first byte of its value.
    @inline(__always)
    mutating func skipColon() -> Bool {
        skipSpace()
        guard byte == .colon else { return fail(.expectedColon) }
        at += 1
        skipSpace()
        return true
    }

    /// From a comma to the next value; in an object, over the next name too.
    @inline(__always)
    private mutating func skipComma(isObject: Bool) -> Bool {
        at += 1
        skipSpace()
        if byte == (isObject ? .closeBrace : .closeBracket) { return fail(.trailingComma) }
        return !isObject || skipName()
    }

    private mutating func skipLiteral(_ word: StaticString) -> Bool {
        let start = at
        for offset in 0..<word.utf8CodeUnitCount {
            // SAFETY: a static string's bytes live for ever, and offset stays below its count.
            guard byte == word.utf8Start[offset] else {
                let ended = at >= end
                if !ended { at = start }
                return fail(ended ? .endsEarly : .expectedValue)
            }
            at += 1
        }
        return true
    }
}

extension UInt8 {
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "[")
    static let closeBracket = UInt8(ascii: "]")
    static let colon = UInt8(ascii: ":")
    static let comma = UInt8(ascii: ",")
    static let minus = UInt8(ascii: "-")
    static let point = UInt8(ascii: ".")
    static let zero = UInt8(ascii: "0")
    static let nine = UInt8(ascii: "9")
}
