/// Everything that a night decides, folded into one number: two runs of a seed that differ anywhere differ in it.
struct Trace {
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    /// The latest entries in words, when they are wanted.
    private(set) var lines: [String] = []
    let keepsLines: Bool
    private static let mostLines = 20_000

    init(keepsLines: Bool) { self.keepsLines = keepsLines }

    mutating func note(_ kind: StaticString, _ time: Int64, _ a: Int64 = 0, _ b: Int64 = 0, _ c: Int64 = 0) {
        kind.withUTF8Buffer { bytes in fold(UInt64(bytes[0]) << 8 | UInt64(bytes[bytes.count - 1])) }
        fold(UInt64(bitPattern: time))
        fold(UInt64(bitPattern: a))
        fold(UInt64(bitPattern: b))
        fold(UInt64(bitPattern: c))
        if keepsLines { keep("\(time) \(kind) \(a) \(b) \(c)") }
    }

    mutating func note(text: String) {
        for byte in text.utf8 { fold(UInt64(byte)) }
        if keepsLines { keep("  \(text)") }
    }

    private mutating func fold(_ word: UInt64) {
        hash = (hash ^ word) &* 0x0000_0100_0000_01B3
        hash ^= hash >> 29
    }

    private mutating func keep(_ line: String) {
        if lines.count >= Self.mostLines { lines.removeFirst(Self.mostLines / 2) }
        lines.append(line)
    }
}
