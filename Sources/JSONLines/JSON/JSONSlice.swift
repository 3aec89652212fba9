/// One value inside a JSON document that has been validated once; a view into the shared bytes, read lazily.
///
/// The document is read strictly after RFC 8259: UTF-8 without byte-order mark, no trailing comma or text, and nesting up to
/// `jsonNestingLimit`. Numbers keep their text. A repeated name is found at its first place.
package struct JSONSlice: Sendable {
    private let document: [UInt8]
    /// Where the value lies in the document, without space around it.
    package let range: Range<Int>

    /// The types of a JSON value.
    package enum Kind: Sendable { case object, array, string, number, bool, null }

    /// Nil unless the bytes are exactly one valid JSON document.
    package init?(_ bytes: [UInt8]) {
        do { try self.init(validating: bytes) } catch { return nil }
    }

    /// The document's outermost value; the error says where and why the bytes are not a JSON document.
    package init(validating bytes: [UInt8]) throws(JSONSyntaxError) {
        let result = bytes.withUnsafeBytes { buffer -> Result<Range<Int>, JSONSyntaxError> in
            // SAFETY: the cursor does not leave this closure.
            var cursor = JSONCursor(buffer)
            cursor.skipSpace()
            let start = cursor.at
            guard cursor.skipDocument() else { return .failure(JSONSyntaxError(cursor)) }
            return .success(start..<cursor.valueEnd)
        }
        self.init(bytes, try result.get())
    }

    private init(_ document: [UInt8], _ range: Range<Int>) {
        self.document = document
        self.range = range
    }

    /// The raw text of the value.
    package var bytes: ArraySlice<UInt8> { document[range] }

    /// The type of the value.
    package var kind: Kind {
        Kind(document[range.lowerBound])
    }

    /// Whether the value is `null`.
    package var isNull: Bool { kind == .null }

    /// The value of `true` or `false`; nil for anything else.
    package var bool: Bool? { kind == .bool ? document[range.lowerBound] == UInt8(ascii: "t") : nil }

    /// The decoded text of a string; nil for anything else. An escaped half of a surrogate pair reads as U+FFFD.
    package var string: String? {
        guard kind == .string else { return nil }
        return document.withUnsafeBytes {
            // SAFETY: the text is copied into the string before the borrow ends.
            JSONText.decode(UnsafeRawBufferPointer(rebasing: $0[(range.lowerBound + 1)..<(range.upperBound - 1)]))
        }
    }

    /// A whole number that fits, however it is written (`12`, `12.0`, `1.2e1`); nil for anything else.
    package var int: Int? {
        guard kind == .number else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        if let whole = Int(text) { return whole }
        // Beyond 2^53 a double no longer names one whole number, and whole digits that did not fit were refused above.
        guard let value = Double(text), value > -0x1p53, value < 0x1p53 else { return nil }
        let whole = Int(value)
        return Double(whole) == value ? whole : nil
    }

    /// A number as a double; nil for anything else and for numbers beyond a double's range, such as 1e400.
    package var double: Double? {
        guard kind == .number, let value = Double(String(decoding: bytes, as: UTF8.self)), value.isFinite else {
            return nil
        }
        return value
    }

    /// The first member of an object with this name; nil if there is none or the value is not an object.
    package subscript(_ name: String) -> JSONSlice? {
        var found: Range<Int>?
        forEachMember { inside, escaped, value in
            guard matches(inside, escaped, name) else { return true }
            found = value
            return false
        }
        return found.map { JSONSlice(document, $0) }
    }

    /// The element of an array at this index, counted from 0; nil if there is none or the value is not an array.
    /// It is searched from the first element on; go through `elements` to read many.
    package subscript(_ index: Int) -> JSONSlice? {
        guard index >= 0 else { return nil }
        var left = index
        var found: Range<Int>?
        forEachElement { value in
            defer { left -= 1 }
            if left == 0 { found = value }
            return left > 0
        }
        return found.map { JSONSlice(document, $0) }
    }

    /// The elements of an array; empty for anything else.
    package var elements: [JSONSlice] {
        var all: [JSONSlice] = []
        forEachElement { value in
            all.append(JSONSlice(document, value))
            return true
        }
        return all
    }

    /// The members of an object in their order, repeated ones too; empty for anything else.
    package var members: [(name: String, value: JSONSlice)] {
        var all: [(name: String, value: JSONSlice)] = []
        forEachMember { inside, _, value in
            // SAFETY: the name is copied into a string within the borrow.
            all.append((name: JSONText.decode(inside), value: JSONSlice(document, value)))
            return true
        }
        return all
    }

    private func matches(_ inside: UnsafeRawBufferPointer, _ escaped: Bool, _ name: String) -> Bool {
        // Names are compared by bytes: Swift's string equality would unite different spellings of one character.
        escaped ? JSONText.decodedBytes(inside).elementsEqual(name.utf8) : inside.elementsEqual(name.utf8)
    }

    /// Calls `body` with the inside of each member's name, whether that has escapes, and the value's range, until it
    /// returns false.
    private func forEachMember(_ body: (UnsafeRawBufferPointer, Bool, Range<Int>) -> Bool) {
        guard kind == .object else { return }
        document.withUnsafeBytes { buffer in
            // SAFETY: neither the cursor nor the name's bytes leave this closure.
            var cursor = JSONCursor(buffer, at: range.lowerBound + 1)
            cursor.skipSpace()
            while cursor.byte == .quote {
                let name = cursor.at + 1
                guard cursor.skipString() else { return }
                // SAFETY: between the quotes that the cursor has just passed.
                let inside = UnsafeRawBufferPointer(rebasing: buffer[name..<(cursor.at - 1)])
                let escaped = cursor.hasEscapes
                guard cursor.skipColon() else { return }
                let start = cursor.at
                guard cursor.skipValue(depth: 0), body(inside, escaped, start..<cursor.at) else { return }
                guard cursor.skipSeparator() else { return }
            }
        }
    }

    private func forEachElement(_ body: (Range<Int>) -> Bool) {
        guard kind == .array else { return }
        document.withUnsafeBytes { buffer in
            // SAFETY: the cursor does not leave this closure.
            var cursor = JSONCursor(buffer, at: range.lowerBound + 1)
            cursor.skipSpace()
            guard cursor.byte != .closeBracket else { return }
            repeat {
                let start = cursor.at
                guard cursor.skipValue(depth: 0), body(start..<cursor.at) else { return }
            } while cursor.skipSeparator()
        }
    }
}

extension JSONCursor {
    /// In text known to be valid: from behind a value over the comma to what follows; false at the container's end.
    fileprivate mutating func skipSeparator() -> Bool {
        skipSpace()
        guard byte == .comma else { return false }
        at += 1
        skipSpace()
        return true
    }
}

extension JSONSlice.Kind {
    /// The type of the valid value that begins with this byte.
    init(_ first: UInt8) {
        self =
            switch first {
            case .openBrace: .object
            case .openBracket: .array
            case .quote: .string
            case UInt8(ascii: "t"), UInt8(ascii: "f"): .bool
            case UInt8(ascii: "n"): .null
            default: .number
            }
    }
}
