/// A credential. It never prints: not by description, not in a dump, not in a mirror.
package struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let bytes: [UInt8]

    package init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

    /// True when there is nothing in it.
    package var isEmpty: Bool { bytes.isEmpty }
    package var description: String { "[secret]" }
    package var debugDescription: String { "[secret]" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// The one way to its text: inside a closure, for the adapter that builds a request.
    package func exposed<Value>(_ body: (String) -> Value) -> Value { body(String(decoding: bytes, as: UTF8.self)) }
}
