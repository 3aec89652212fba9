/// The error of a line that is not JSON: what is wrong, at which column, and what to do.
func syntaxRefusal(_ cursor: JSONCursor, line: Int) -> LineError {
    if line == 1, let refusal = FileStart.refusal(of: cursor.bytes) { return refusal }
    let error = JSONSyntaxError(cursor)
    let place = "column \(column(of: cursor.at, in: cursor.bytes))"
    func refuse(_ code: LineError.Code, _ reason: String) -> LineError {
        LineError(line: line, code: code, reason: reason)
    }
    if cursor.at < cursor.end, cursor.bytes[cursor.at] == 0 {
        return refuse(.json, "there is a NUL byte at \(place); remove it, or write \\u0000 within a string")
    }
    switch error.fault {
    case .endsEarly, .unclosedString, .empty:
        let advice =
            cursor.bytes.allSatisfy { $0 == .openBrace || $0 == .openBracket || $0 <= 0x20 }
            ? "if the file is pretty-printed, put each object on one line (jq -c . FILE)"
            : "the line is cut off: write the whole object, on one line"
        return refuse(.truncated, "\(error.reason), at \(place); \(advice)")
    case .invalidUTF8:
        return refuse(
            .encoding, "\(error.reason), at \(place); convert the file to UTF-8 (iconv -f LATIN1 -t UTF-8 FILE)")
    case .tooDeep:
        return refuse(.depth, "\(error.reason), at \(place); flatten the request")
    case .trailingText:
        return refuse(.json, "\(error.reason), at \(place); put each object on a line of its own")
    default:
        if cursor.bytes[cursor.at...].starts(with: [0xEF, 0xBB, 0xBF]) {
            return refuse(
                .encoding,
                "there is a byte-order mark at \(place); remove it, it may stand only at the start of the file")
        }
        if cursor.at < cursor.end, cursor.bytes[cursor.at] == UInt8(ascii: "'") {
            return refuse(
                .json,
                "not JSON at \(place): \(error.reason); write the lines with a JSON library (in Python: json.dumps)")
        }
        return refuse(.json, "not JSON at \(place): \(error.reason); correct the line")
    }
}

/// The column, counted from 1 in characters as an editor shows it.
private func column(of offset: Int, in bytes: UnsafeRawBufferPointer) -> Int {
    1 + bytes[..<offset].reduce(0) { $1 & 0xC0 == 0x80 ? $0 : $0 + 1 }
}

/// Recognises files that are not JSON Lines at all, so that they are refused as a whole with the remedy.
package enum FileStart {
    /// The error of a file that begins with these bytes (a first block or line); nil if it may be JSON Lines.
    package static func refusal(of bytes: UnsafeRawBufferPointer) -> LineError? {
        // SAFETY: the first bytes are copied.
        let start = Array(bytes.prefix(16))
        for (magic, kind, remedy) in containers where start.starts(with: magic) {
            return refuse(.format, "the file is \(kind); \(remedy)")
        }
        if let encoding = wideEncoding(start) {
            return refuse(
                .encoding, "the file is \(encoding); convert it to UTF-8 first (iconv -f \(encoding) -t UTF-8 FILE)")
        }
        let text = start.starts(with: [0xEF, 0xBB, 0xBF]) ? start[3...] : start[...]
        if text.first(where: { $0 > 0x20 }) == .openBracket { return refuse(.format, arrayReason) }
        return nil
    }

    static let arrayReason =
        "the line is a JSON array; offpeak reads JSON Lines, one object per line (jq -c '.[]' FILE converts an array)"

    private static let containers: [(magic: [UInt8], kind: String, remedy: String)] = [
        ([0x1F, 0x8B], "compressed with gzip", "decompress it first (gunzip)"),
        ([0x28, 0xB5, 0x2F, 0xFD], "compressed with zstd", "decompress it first (unzstd)"),
        ([0xFD] + Array("7zXZ".utf8) + [0], "compressed with xz", "decompress it first (unxz)"),
        (Array("BZh".utf8), "compressed with bzip2", "decompress it first (bunzip2)"),
        (Array("PK\u{3}\u{4}".utf8), "a zip archive", "unpack it first (unzip)"),
        (Array("PAR1".utf8), "a Parquet file", "export its rows as JSON Lines first"),
    ]

    /// UTF-16 and UTF-32, by their byte-order mark or by the NUL bytes beside the first letters.
    private static func wideEncoding(_ start: [UInt8]) -> String? {
        if start.starts(with: [0xFF, 0xFE, 0, 0]) || start.starts(with: [0, 0, 0xFE, 0xFF]) { return "UTF-32" }
        if start.starts(with: [0xFF, 0xFE]) || start.starts(with: [0xFE, 0xFF]) { return "UTF-16" }
        guard start.count >= 4 else { return nil }
        let isNUL = start.prefix(4).map { $0 == 0 }
        if isNUL == [false, true, false, true] { return "UTF-16LE" }
        if isNUL == [true, false, true, false] { return "UTF-16BE" }
        return nil
    }

    private static func refuse(_ code: LineError.Code, _ reason: String) -> LineError {
        LineError(line: 1, code: code, reason: reason)
    }
}
