extension JSON5Parser {
    // MARK: Strings

    /// A string in single or double quotes; stands at its opening quote.
    mutating func string() throws(JSON5SyntaxError) -> String {
        let quote = current
        let opening = line
        advance()
        var text = String.UnicodeScalarView()
        while let scalar = current {
            if scalar == quote {
                advance()
                return String(text)
            }
            if scalar == "\\" {
                if let escaped = try escape() { text.append(escaped) }
            } else if scalar == "\n" || scalar == "\r" {
                throw unexpected("the closing quote (a string goes on over a line's end only after '\\')")
            } else {
                text.append(scalar)
                advance()
            }
        }
        throw unexpected("the closing quote of the string that begins on line \(opening)")
    }

    /// What an escape stands for; nil for a line's end, which joins two lines of a string.
    private mutating func escape() throws(JSON5SyntaxError) -> Unicode.Scalar? {
        let place = self
        advance()
        guard let scalar = current else { throw unexpected("an escape after '\\'") }
        advance()
        switch scalar {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "v": return "\u{B}"
        case "x": return Unicode.Scalar(UInt8(try hexadecimal(2)))
        case "u": return try unicodeEscape(from: place)
        case "0":
            if let digit = current, ("0"..."9").contains(digit) {
                throw place.unexpected("'\\x' with two hexadecimal digits", found: "an octal escape")
            }
            return "\0"
        case "1"..."9": throw place.unexpected("'\\x' with two hexadecimal digits", found: "an octal escape")
        case "\r":
            _ = take("\n")
            return nil
        case let end where end.endsLine: return nil
        default: return scalar
        }
    }

    /// The scalar of a `\u` escape whose four digits come next; two escapes when it is a surrogate pair.
    mutating func unicodeEscape(from place: JSON5Parser) throws(JSON5SyntaxError) -> Unicode.Scalar {
        let first = try hexadecimal(4)
        if let scalar = Unicode.Scalar(first) { return scalar }
        let pair = "both halves of a surrogate pair, the higher one first"
        guard first < 0xDC00, take("\\"), take("u") else { throw place.unexpected(pair, found: "one half") }
        let second = try hexadecimal(4)
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw place.unexpected(pair, found: "one half") }
        return scalar
    }

    private mutating func hexadecimal(_ count: Int) throws(JSON5SyntaxError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let digit = current?.hexadecimalDigit else {
                throw unexpected("\(count == 2 ? "two" : "four") hexadecimal digits")
            }
            value = value << 4 | digit
            advance()
        }
        return value
    }

    // MARK: Numbers

    /// A number; stands at its sign, point or first digit.
    mutating func number() throws(JSON5SyntaxError) -> JSON5Value.Kind {
        let place = self
        var text = ""
        if take("-") { text = "-" } else { _ = take("+") }
        if current == "I" || current == "N" { throw place.unexpected("a finite number", found: "Infinity or NaN") }
        let leadingZero = current == "0"
        if leadingZero, next == "x" || next == "X" { return try hexadecimalNumber(text, from: place) }

        let whole = takeDigits()
        if leadingZero && whole.count > 1 {
            throw place.unexpected("a number without leading zeros", found: "a leading zero")
        }
        text += whole.isEmpty ? "0" : whole
        var isWhole = true
        if take(".") {
            isWhole = false
            let fraction = takeDigits()
            if whole.isEmpty && fraction.isEmpty { throw unexpected("a digit") }
            text += "." + (fraction.isEmpty ? "0" : fraction)
        } else if whole.isEmpty {
            throw unexpected("a digit")
        }
        if current == "e" || current == "E" {
            isWhole = false
            advance()
            text += "e"
            if take("-") { text += "-" } else { _ = take("+") }
            let exponent = takeDigits()
            if exponent.isEmpty { throw unexpected("a digit of the exponent") }
            text += exponent
        }
        try endNumber()
        guard let double = Double(text), double.isFinite else {
            throw place.unexpected("a number below 1.8e308", found: "a number too large to hold")
        }
        // Up to 2^53 a double tells whether `1e3` or `2.0` is a whole number.
        let near = abs(double) <= 9_007_199_254_740_992 ? Int(double) : nil
        let exact = near.flatMap { Double($0) == double ? $0 : nil }
        return .number(text: text, integer: isWhole ? Int(text) : exact, double: double)
    }

    private mutating func hexadecimalNumber(
        _ sign: String, from place: JSON5Parser
    ) throws(JSON5SyntaxError) -> JSON5Value.Kind {
        advance()
        advance()
        var digits = ""
        while let scalar = current, scalar.hexadecimalDigit != nil {
            digits.unicodeScalars.append(scalar)
            advance()
        }
        if digits.isEmpty { throw unexpected("a hexadecimal digit") }
        try endNumber()
        guard let integer = Int(sign + digits, radix: 16) else {
            throw place.unexpected("a hexadecimal number of at most 63 bits", found: "a number too large to hold")
        }
        return .number(text: sign + "0x" + digits, integer: integer, double: Double(integer))
    }

    private mutating func takeDigits() -> String {
        var digits = ""
        while let scalar = current, ("0"..."9").contains(scalar) {
            digits.unicodeScalars.append(scalar)
            advance()
        }
        return digits
    }

    /// Refuses `10m` and `1_000`, which would else read as two things with a comma missing.
    private func endNumber() throws(JSON5SyntaxError) {
        guard let scalar = current, scalar.startsName || scalar == "." else { return }
        if scalar == "_" { throw unexpected("a digit or the end of the number (no '_' inside a number)") }
        throw unexpected("the end of the number (a duration needs quotes, such as \"10m\")")
    }
}

extension Unicode.Scalar {
    fileprivate var hexadecimalDigit: UInt32? {
        switch self {
        case "0"..."9": value - 0x30
        case "a"..."f": value - 0x61 + 10
        case "A"..."F": value - 0x41 + 10
        default: nil
        }
    }
}
