/// Decoding of the inside of a JSON string.
enum JSONText {
    /// The text between the quotes of a valid JSON string. An escaped half of a surrogate pair becomes U+FFFD.
    static func decode(_ inside: UnsafeRawBufferPointer) -> String {
        // SAFETY: the buffer is read within the caller's borrow and copied into the string.
        guard inside.contains(.backslash) else { return String(decoding: inside, as: UTF8.self) }
        return String(decoding: decodedBytes(inside), as: UTF8.self)
    }

    /// The same as bytes.
    // SAFETY: here and below, every access is checked against the count first, and only copies are returned.
    static func decodedBytes(_ inside: UnsafeRawBufferPointer) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(inside.count)
        var at = 0
        while at < inside.count {
            let byte = inside[at]
            if byte != .backslash {
                text.append(byte)
                at += 1
                continue
            }
            guard at + 1 < inside.count else { break }
            let escape = inside[at + 1]
            if escape == UInt8(ascii: "u") {
                at = appendScalar(inside, at, to: &text)
            } else {
                text.append(single(escape))
                at += 2
            }
        }
        return text
    }

    /// Whether an escape in a valid string is half of a surrogate pair alone, so that decoding loses it.
    static func hasLoneSurrogate(_ inside: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        while at + 1 < inside.count {
            guard inside[at] == .backslash else {
                at += 1
                continue
            }
            guard let unit = codeUnit(inside, at) else {
                at += 2
                continue
            }
            at += 6
            if 0xDC00...0xDFFF ~= unit { return true }
            guard 0xD800...0xDBFF ~= unit else { continue }
            guard let low = codeUnit(inside, at), 0xDC00...0xDFFF ~= low else { return true }
            at += 6
        }
        return false
    }

    private static func single(_ escape: UInt8) -> UInt8 {
        switch escape {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: escape
        }
    }

    /// Appends the character of the escape at `at` and returns where to go on.
    private static func appendScalar(_ inside: UnsafeRawBufferPointer, _ at: Int, to text: inout [UInt8]) -> Int {
        guard let high = codeUnit(inside, at) else { return inside.count }
        var next = at + 6
        var value = high
        if 0xD800...0xDBFF ~= high, let low = codeUnit(inside, next), 0xDC00...0xDFFF ~= low {
            value = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
            next += 6
        }
        text.append(contentsOf: Character(UnicodeScalar(value) ?? "\u{FFFD}").utf8)
        return next
    }

    /// The number in a `\uXXXX` at this place, if one is there.
    private static func codeUnit(_ inside: UnsafeRawBufferPointer, _ at: Int) -> UInt32? {
        guard at + 6 <= inside.count, inside[at] == .backslash, inside[at + 1] == UInt8(ascii: "u") else { return nil }
        var value: UInt32 = 0
        for position in (at + 2)..<(at + 6) {
            guard let digit = hexValue(inside[position]) else { return nil }
            value = value << 4 | digit
        }
        return value
    }
}
