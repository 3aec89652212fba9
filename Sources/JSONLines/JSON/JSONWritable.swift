/// A value that can be written as JSON text.
package protocol JSONWritable {
    /// Appends the value as JSON text.
    func write(to bytes: inout [UInt8])
}

extension String: JSONWritable {
    /// Appends the value as JSON text.
    package func write(to bytes: inout [UInt8]) { bytes.appendJSONString(self) }
}

extension Bool: JSONWritable {
    /// Appends the value as JSON text.
    package func write(to bytes: inout [UInt8]) { bytes.append(contentsOf: (self ? "true" : "false").utf8) }
}

extension Int: JSONWritable {
    /// Appends the value as JSON text.
    package func write(to bytes: inout [UInt8]) { bytes.append(contentsOf: String(self).utf8) }
}

extension Int64: JSONWritable {
    /// Appends the value as JSON text.
    package func write(to bytes: inout [UInt8]) { bytes.append(contentsOf: String(self).utf8) }
}

/// JSON has no infinity and no NaN: both are written as `null`.
extension Double: JSONWritable {
    /// Appends the value as JSON text.
    package func write(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: (isFinite ? String(describing: self) : "null").utf8)
    }
}

extension Optional: JSONWritable where Wrapped: JSONWritable {
    /// Appends the value as JSON text.
    package func write(to bytes: inout [UInt8]) {
        guard let self else { return bytes.append(contentsOf: "null".utf8) }
        self.write(to: &bytes)
    }
}

extension Array: JSONWritable where Element: JSONWritable {
    /// Appends the value as JSON text.
    package func write(to bytes: inout [UInt8]) {
        bytes.append(.openBracket)
        for (index, element) in enumerated() {
            if index > 0 { bytes.append(.comma) }
            element.write(to: &bytes)
        }
        bytes.append(.closeBracket)
    }
}

/// The value's own text, unchanged.
extension JSONSlice: JSONWritable {
    /// Appends the value as JSON text.
    package func write(to bytes: inout [UInt8]) { bytes.append(contentsOf: self.bytes) }
}

extension [UInt8] {
    /// Appends text as a JSON string with its quotes. Only what must be escaped is: quotes, backslashes and control
    /// characters; slashes and characters above ASCII stay.
    package mutating func appendJSONString(_ text: String) {
        var text = text
        append(.quote)
        text.withUTF8 { utf8 in
            // SAFETY: read within the borrow; the parts are copied.
            var start = 0
            for (index, byte) in utf8.enumerated() where byte < 0x20 || byte == .quote || byte == .backslash {
                append(contentsOf: utf8[start..<index])
                appendEscape(byte)
                start = index + 1
            }
            append(contentsOf: utf8[start...])
        }
        append(.quote)
    }

    private mutating func appendEscape(_ byte: UInt8) {
        append(.backslash)
        switch byte {
        case .quote, .backslash: append(byte)
        case 0x08: append(UInt8(ascii: "b"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0C: append(UInt8(ascii: "f"))
        case 0x0D: append(UInt8(ascii: "r"))
        default:
            append(contentsOf: (byte < 0x10 ? "u000" : "u00").utf8)
            append(contentsOf: String(byte, radix: 16).utf8)
        }
    }
}
