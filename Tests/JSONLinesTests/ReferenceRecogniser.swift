/// RFC 8259's grammar written down rule by rule, recursive and on characters: slow, plain, and sharing nothing with the reader
/// that it checks.
struct ReferenceRecogniser {
    private let text: [UnicodeScalar]
    private var at = 0

    static func accepts(_ bytes: [UInt8], nesting limit: Int) -> Bool {
        guard let string = String(validating: bytes, as: UTF8.self) else { return false }
        var recogniser = ReferenceRecogniser(text: Array(string.unicodeScalars))
        recogniser.space()
        guard recogniser.value(limit) else { return false }
        recogniser.space()
        return recogniser.at == recogniser.text.count
    }

    private init(text: [UnicodeScalar]) { self.text = text }

    private var next: UnicodeScalar? { at < text.count ? text[at] : nil }

    private mutating func take(_ expected: UnicodeScalar) -> Bool {
        guard next == expected else { return false }
        at += 1
        return true
    }

    private mutating func takeAny(_ set: String) -> Bool {
        guard let next, set.unicodeScalars.contains(next) else { return false }
        at += 1
        return true
    }

    private mutating func space() { while takeAny(" \t\n\r") {} }

    private mutating func value(_ nesting: Int) -> Bool {
        switch next {
        case "{": nesting > 0 && list(nesting - 1, "{", "}", named: true)
        case "[": nesting > 0 && list(nesting - 1, "[", "]", named: false)
        case "\"": string()
        case "t": word("true")
        case "f": word("false")
        case "n": word("null")
        default: number()
        }
    }

    private mutating func word(_ word: String) -> Bool { word.unicodeScalars.allSatisfy { take($0) } }

    private mutating func list(_ nesting: Int, _ open: UnicodeScalar, _ close: UnicodeScalar, named: Bool) -> Bool {
        guard take(open) else { return false }
        space()
        if take(close) { return true }
        repeat {
            space()
            if named {
                guard string() else { return false }
                space()
                guard take(":") else { return false }
                space()
            }
            guard value(nesting) else { return false }
            space()
        } while take(",")
        return take(close)
    }

    private mutating func string() -> Bool {
        guard take("\"") else { return false }
        while let scalar = next {
            at += 1
            if scalar == "\"" { return true }
            if scalar.value < 0x20 { return false }
            guard scalar == "\\" else { continue }
            if take("u") {
                for _ in 0..<4 { guard takeAny("0123456789abcdefABCDEF") else { return false } }
            } else if !takeAny("\"\\/bfnrt") {
                return false
            }
        }
        return false
    }

    private mutating func digits() -> Bool {
        guard takeAny("0123456789") else { return false }
        while takeAny("0123456789") {}
        return true
    }

    private mutating func number() -> Bool {
        _ = take("-")
        if !take("0") { guard digits() else { return false } }
        if take(".") { guard digits() else { return false } }
        if takeAny("eE") {
            _ = takeAny("+-")
            guard digits() else { return false }
        }
        return true
    }
}
