/// Walks over a short text, byte by byte: what the readers of dates and durations share.
struct ByteCursor {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ text: some StringProtocol) { bytes = Array(text.utf8) }
    init(_ bytes: [UInt8], at position: Int) {
        self.bytes = bytes
        self.position = position
    }

    var isAtEnd: Bool { position >= bytes.count }
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func advance() { position += 1 }

    /// Passes one ASCII character if it comes next.
    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let next, UInt32(next) == character.value else { return false }
        position += 1
        return true
    }

    /// Passes one of these ASCII characters if one comes next.
    mutating func skip(anyOf characters: String) -> Bool {
        guard let next, characters.utf8.contains(next) else { return false }
        position += 1
        return true
    }

    mutating func skipSpaces() {
        while next == 0x20 || next == 0x09 { position += 1 }
    }

    /// Passes this word if it comes next in any case and no further letter follows it.
    mutating func skip(word: String) -> Bool {
        var end = position
        for byte in word.utf8 {
            guard end < bytes.count, bytes[end].lowercasedASCII == byte else { return false }
            end += 1
        }
        if end < bytes.count, bytes[end].isASCIILetter { return false }
        position = end
        return true
    }

    /// Exactly `count` decimal digits.
    mutating func digits(_ count: Int) -> Int? {
        guard position + count <= bytes.count else { return nil }
        var value = 0
        for index in position..<position + count {
            guard bytes[index].isASCIIDigit else { return nil }
            value = value * 10 + Int(bytes[index] - 0x30)
        }
        position += count
        return value
    }

    /// Exactly `count` ASCII letters, in lower case.
    mutating func letters(_ count: Int) -> String? {
        guard position + count <= bytes.count else { return nil }
        let slice = bytes[position..<position + count]
        guard slice.allSatisfy(\.isASCIILetter) else { return nil }
        position += count
        return String(decoding: slice.map(\.lowercasedASCII), as: UTF8.self)
    }

    /// A run of digits as a whole number, held at `cap` when it is larger; nil when no digit comes next.
    mutating func number(cap: Int) -> Int? {
        guard next?.isASCIIDigit == true else { return nil }
        var value = 0
        while let digit = next, digit.isASCIIDigit {
            value = min(value * 10 + Int(digit - 0x30), cap)
            position += 1
        }
        return value
    }

    /// The digits after a decimal point as a number of `unit`ths, further digits dropped; nil when no digit comes.
    mutating func fraction(of unit: Int) -> Int? {
        guard next?.isASCIIDigit == true else { return nil }
        var value = 0
        var place = unit / 10
        while let digit = next, digit.isASCIIDigit {
            value += Int(digit - 0x30) * place
            place /= 10
            position += 1
        }
        return value
    }
}

extension UInt8 {
    var isASCIIDigit: Bool { self >= 0x30 && self <= 0x39 }
    var isASCIILetter: Bool { (self | 0x20) >= 0x61 && (self | 0x20) <= 0x7a }
    var lowercasedASCII: UInt8 { self >= 0x41 && self <= 0x5a ? self | 0x20 : self }
}
