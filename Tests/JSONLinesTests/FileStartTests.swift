import JSONLines
import Testing

private let array =
    "format: the line is a JSON array; offpeak reads JSON Lines, one object per line (jq -c '.[]' FILE converts an array)"

/// Text in UTF-16 with the low byte first.
private func wide(_ text: String) -> [UInt8] { text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] } }

@Suite struct FileStartTests {
    @Test(
        arguments: [
            ([0x1F, 0x8B, 0x08, 0x00], "format: the file is compressed with gzip; decompress it first (gunzip)"),
            ([0x28, 0xB5, 0x2F, 0xFD], "format: the file is compressed with zstd; decompress it first (unzstd)"),
            ([0xFD] + Array("7zXZ\0".utf8), "format: the file is compressed with xz; decompress it first (unxz)"),
            (Array("BZh91AY".utf8), "format: the file is compressed with bzip2; decompress it first (bunzip2)"),
            (Array("PK\u{3}\u{4}\0".utf8), "format: the file is a zip archive; unpack it first (unzip)"),
            (Array("PAR1\u{15}".utf8), "format: the file is a Parquet file; export its rows as JSON Lines first"),
            (
                [0xFF, 0xFE] + wide(#"{"custom_id""#),
                "encoding: the file is UTF-16; convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8 FILE)"
            ),
            (
                wide(#"{"custom_id""#),
                "encoding: the file is UTF-16LE; convert it to UTF-8 first (iconv -f UTF-16LE -t UTF-8 FILE)"
            ),
            (
                [0] + wide(#"{"custom_id""#),
                "encoding: the file is UTF-16BE; convert it to UTF-8 first (iconv -f UTF-16BE -t UTF-8 FILE)"
            ),
            (
                [0xFF, 0xFE, 0, 0, 0x7B, 0, 0, 0],
                "encoding: the file is UTF-32; convert it to UTF-8 first (iconv -f UTF-32 -t UTF-8 FILE)"
            ),
            (Array("[".utf8), array),
            (Array(#" [{"custom_id":"a"},"#.utf8), array),
            (Array("[1]".utf8), array),
        ] as [([UInt8], String)])
    func `a file of another kind is recognised in its first line`(line: [UInt8], expected: String) {
        #expect(refusal(line, number: 1) == expected)
    }

    @Test func `other lines are not taken for the start of a file`() {
        #expect(refusal("BZh91AY", number: 2).hasPrefix("json: not JSON at column 1"))
        #expect(refusal("[", number: 2).hasPrefix("truncated: "))
    }

    @Test func `an array file is recognised behind a byte-order mark`() {
        let refused = Array("\u{FEFF}[\n".utf8).withUnsafeBytes { FileStart.refusal(of: $0) }
        #expect(refused?.code == .format)
        #expect(refused?.line == 1)
    }

    @Test func `the first block of a good file is not refused`() {
        for text in [#"{"custom_id":"a","prompt":"x"}"#, "\u{FEFF}{}", "", "\n\n{", "{"] {
            #expect(Array(text.utf8).withUnsafeBytes { FileStart.refusal(of: $0) } == nil)
        }
    }
}
