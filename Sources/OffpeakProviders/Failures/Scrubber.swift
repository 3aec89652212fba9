/// Makes one printable line of whatever a server wrote, without anything that is or looks like a credential.
struct Scrubber {
    static let marker = "[redacted]"
    /// Failure messages are no longer than this, in Unicode scalars.
    static let longestLine = 300

    /// What is read of a text; what comes after could not be shown anyway.
    private static let longestInput = 2_048
    /// A piece of the secret this long is as bad as all of it: some servers echo a key without its end.
    private static let tellingLength = 12
    /// A shorter "secret" is a placeholder, such as the `x` that local servers are given, and words contain it.
    private static let shortestSecret = 4

    private let secret: [UInt8]

    init(secret: Secret?) {
        let bytes = secret?.headerBytes.map(\.lowercasedASCII) ?? []
        self.secret = bytes.count >= Self.shortestSecret ? bytes : []
    }

    /// One line: control and format characters become spaces, runs of space one space, credentials the marker, and
    /// what is too long ends in an ellipsis.
    func line(_ text: String) -> String {
        var bytes = Self.flattened(text)
        bytes = withoutSecret(bytes)
        bytes = Self.withoutCredentialShapes(bytes)
        // The marker may complete a secret that resembles it; then the marker has to go as well.
        let line = Self.cut(String(decoding: bytes, as: UTF8.self))
        return contains(line) ? "" : line
    }

    /// The provider's own machine-readable word, if it is one and gives nothing away; else nil.
    func word(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        let isWord = (1...64).contains(bytes.count) && bytes.allSatisfy(Self.isWordByte)
        return isWord && Self.withoutCredentialShapes(withoutSecret(bytes)) == bytes ? text : nil
    }

    /// True when the text contains the secret, or a telling piece of it, in any case.
    func contains(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return !secretRanges(in: bytes).isEmpty
    }

    private static func flattened(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .privateUse:
                if !bytes.isEmpty, bytes.last != 0x20 { bytes.append(0x20) }
            default: bytes.append(contentsOf: UTF8.encode(scalar)!)
            }
            if bytes.count > longestInput { break }
        }
        if bytes.last == 0x20 { bytes.removeLast() }
        return bytes
    }

    private static func cut(_ line: String) -> String {
        let scalars = line.unicodeScalars
        guard scalars.count > longestLine else { return line }
        return String(scalars.prefix(longestLine - 1)) + "…"
    }

    private func withoutSecret(_ bytes: [UInt8]) -> [UInt8] {
        Self.replacing(secretRanges(in: bytes), in: bytes)
    }

    /// Where the secret is, or telling pieces of it; overlapping pieces joined.
    private func secretRanges(in bytes: [UInt8]) -> [Range<Int>] {
        let width = min(secret.count, Self.tellingLength)
        guard width > 0, bytes.count >= width else { return [] }
        let text = bytes.map(\.lowercasedASCII)
        var ranges: [Range<Int>] = []
        for start in 0...(text.count - width) {
            let found = (0...(secret.count - width)).contains { piece in
                text[start] == secret[piece] && text[start..<start + width] == secret[piece..<piece + width]
            }
            guard found else { continue }
            if let last = ranges.last, last.upperBound >= start {
                ranges[ranges.count - 1] = last.lowerBound..<start + width
            } else {
                ranges.append(start..<start + width)
            }
        }
        return ranges
    }

    // MARK: Shapes

    /// How the keys of known services begin, in lower case.
    private static let prefixes = [
        "sk-", "sk_", "pk-", "rk-", "gsk_", "xai-", "fw_", "fw-", "csk-", "tgp_", "hf_", "r8_", "nvapi-", "aiza",
        "ghp_", "github_pat_", "ya29.", "eyj", "akia",
    ].map { Array($0.utf8) }

    /// Replaces words that look like credentials: a known beginning, the word after `Bearer`, or forty letters and
    /// digits in a row. Request ids and UUIDs are shorter or divided, and stay: they help the provider's support.
    private static func withoutCredentialShapes(_ bytes: [UInt8]) -> [UInt8] {
        var ranges: [Range<Int>] = []
        var afterScheme = false
        var position = 0
        while position < bytes.count {
            guard isWordByte(bytes[position]) else {
                position += 1
                continue
            }
            let start = position
            while position < bytes.count, isWordByte(bytes[position]) { position += 1 }
            let word = bytes[start..<position].map(\.lowercasedASCII)
            if looksLikeCredential(word, afterScheme: afterScheme) { ranges.append(start..<position) }
            afterScheme = word == Array("bearer".utf8) || word == Array("basic".utf8)
        }
        return replacing(ranges, in: bytes)
    }

    private static func looksLikeCredential(_ word: [UInt8], afterScheme: Bool) -> Bool {
        if word.count >= 12, prefixes.contains(where: { word.starts(with: $0) }) { return true }
        if afterScheme, word.count >= 20 || (word.count >= 6 && word.contains(where: \.isASCIIDigit)) { return true }
        return word.split(whereSeparator: { !$0.isASCIIDigit && !$0.isASCIILetter }).contains { run in
            run.count >= 40 && run.contains(where: \.isASCIIDigit) && run.contains(where: \.isASCIILetter)
        }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        byte.isASCIIDigit || byte.isASCIILetter || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: ".")
    }

    private static func replacing(_ ranges: [Range<Int>], in bytes: [UInt8]) -> [UInt8] {
        guard !ranges.isEmpty else { return bytes }
        var result: [UInt8] = []
        var end = 0
        for range in ranges {
            result += bytes[end..<range.lowerBound]
            result += Array(marker.utf8)
            end = range.upperBound
        }
        return result + bytes[end...]
    }
}

extension Secret {
    /// The secret as it goes into a header: without control characters, such as the line end of a file.
    var headerBytes: [UInt8] { exposed { text in text.utf8.filter { $0 >= 0x20 && $0 != 0x7f } } }
}
