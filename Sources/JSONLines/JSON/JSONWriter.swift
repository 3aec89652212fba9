/// Writes JSON text, in the order in which it is told, without space between tokens.
///
/// ```swift
/// let line = JSONWriter.object {
///     $0.member("custom_id", id)
///     $0.object("response") { $0.member("status_code", 200) }
///     $0.null("error")
/// }
/// ```
///
/// The writer sets commas and escapes text. That members have names and elements have none, and that a name comes only once,
/// is up to the caller.
package struct JSONWriter: Sendable {
    /// What has been written so far.
    package private(set) var bytes: [UInt8]
    private var needsComma = false

    /// A writer that goes on behind what is already there; a top-level value follows directly.
    package init(appendingTo bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    /// The bytes of one object.
    package static func object<E>(_ build: (inout JSONWriter) throws(E) -> Void) throws(E) -> [UInt8] {
        var writer = JSONWriter()
        try writer.object(build)
        return writer.bytes
    }

    /// The bytes of one array.
    package static func array<E>(_ build: (inout JSONWriter) throws(E) -> Void) throws(E) -> [UInt8] {
        var writer = JSONWriter()
        try writer.array(build)
        return writer.bytes
    }

    /// An object as an element, or as the top-level value.
    package mutating func object<E>(_ build: (inout JSONWriter) throws(E) -> Void) throws(E) {
        separate()
        try enclose(.openBrace, .closeBrace, build)
    }

    /// An object as a member.
    package mutating func object<E>(_ name: String, _ build: (inout JSONWriter) throws(E) -> Void) throws(E) {
        key(name)
        try enclose(.openBrace, .closeBrace, build)
    }

    /// An array as an element, or as the top-level value.
    package mutating func array<E>(_ build: (inout JSONWriter) throws(E) -> Void) throws(E) {
        separate()
        try enclose(.openBracket, .closeBracket, build)
    }

    /// An array as a member.
    package mutating func array<E>(_ name: String, _ build: (inout JSONWriter) throws(E) -> Void) throws(E) {
        key(name)
        try enclose(.openBracket, .closeBracket, build)
    }

    /// A member; a nil value is written as `null`.
    package mutating func member(_ name: String, _ value: some JSONWritable) {
        key(name)
        value.write(to: &bytes)
        needsComma = true
    }

    /// A member whose value is `null`.
    package mutating func null(_ name: String) {
        raw(name, "null".utf8)
    }

    /// A member whose value is already JSON text; the caller answers for its validity.
    package mutating func raw(_ name: String, _ value: some Sequence<UInt8>) {
        key(name)
        bytes.append(contentsOf: value)
        needsComma = true
    }

    /// An element of an array, or the top-level value.
    package mutating func element(_ value: some JSONWritable) {
        separate()
        value.write(to: &bytes)
        needsComma = true
    }

    /// An element that is already JSON text; the caller answers for its validity.
    package mutating func raw(_ value: some Sequence<UInt8>) {
        separate()
        bytes.append(contentsOf: value)
        needsComma = true
    }

    /// Ends a line of a JSONL file; the next value stands on its own.
    package mutating func endLine() {
        bytes.append(UInt8(ascii: "\n"))
        needsComma = false
    }

    /// Empties the writer and keeps its memory, to write the next block of a long file.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    private mutating func separate() {
        if needsComma { bytes.append(.comma) }
        needsComma = false
    }

    private mutating func key(_ name: String) {
        separate()
        bytes.appendJSONString(name)
        bytes.append(.colon)
    }

    private mutating func enclose<E>(
        _ open: UInt8, _ close: UInt8, _ build: (inout JSONWriter) throws(E) -> Void
    ) throws(E) {
        bytes.append(open)
        try build(&self)
        bytes.append(close)
        needsComma = true
    }
}
