import JSONLines
import Testing

/// A yielded line, copied out of the splitter's memory.
private struct Taken: Equatable {
    var number: Int
    var text: [UInt8]
    var endOffset: Int
    var isTooLong = false

    init(_ number: Int, _ text: String, _ endOffset: Int) {
        (self.number, self.text, self.endOffset) = (number, Array(text.utf8), endOffset)
    }

    init(_ line: LineSplitter.Line) {
        // SAFETY: the bytes are copied within the call.
        (number, text, endOffset, isTooLong) = (line.number, Array(line.bytes), line.endOffset, line.isTooLong)
    }
}

/// All lines of a stream that comes in blocks of the sizes that `size` gives.
private func split(
    _ bytes: [UInt8], maximum: Int = LineSplitter.defaultMaximumLineBytes, size: () -> Int = { .max }
) -> [Taken] {
    var splitter = LineSplitter(maximumLineBytes: maximum)
    var lines: [Taken] = []
    var at = 0
    while at < bytes.count {
        let end = at + min(size(), bytes.count - at)
        splitter.feed(Array(bytes[at..<end])) { lines.append(Taken($0)) }
        at = end
    }
    splitter.finish { lines.append(Taken($0)) }
    return lines
}

private func split(_ text: String) -> [Taken] { split(Array(text.utf8)) }

@Suite struct LineSplitterTests {
    @Test func `lines come with their number and the offset behind them`() {
        #expect(split("a\nbc\n") == [Taken(1, "a", 2), Taken(2, "bc", 5)])
        #expect(split("a\nbc") == [Taken(1, "a", 2), Taken(2, "bc", 4)])
        #expect(split("").isEmpty)
    }

    @Test func `a carriage return before the line feed or the end is not part of the line`() {
        #expect(split("a\r\nb\rc\r\nd\r") == [Taken(1, "a", 3), Taken(2, "b\rc", 8), Taken(3, "d", 10)])
    }

    @Test func `blank lines are counted and not yielded`() {
        #expect(split("\n \t\r\n\na\n\n  ") == [Taken(4, "a", 8)])
    }

    @Test func `a byte-order mark is passed over at the start only`() {
        #expect(split("\u{FEFF}a\n\u{FEFF}b\n") == [Taken(1, "a", 5), Taken(2, "\u{FEFF}b", 10)])
        #expect(split("\u{FEFF}\r\na") == [Taken(2, "a", 6)])
        #expect(split("\u{FEFF}").isEmpty)
    }

    @Test func `a line of exactly the maximum passes, a longer one is reported without its bytes`() {
        let bytes = Array("\u{FEFF}12345\r\n123456\n12\n1234567".utf8)
        for size in [1, 2, 5, 100] {
            let lines = split(bytes, maximum: 5) { size }
            #expect(lines.map(\.number) == [1, 2, 3, 4])
            #expect(lines.map(\.isTooLong) == [false, true, false, true])
            #expect(lines.map { String(decoding: $0.text, as: UTF8.self) } == ["12345", "", "12", ""])
            #expect(lines.map(\.endOffset) == [10, 17, 20, 27])
        }
    }

    @Test func `a long line of blanks is skipped if it is within the maximum`() {
        #expect(split(Array("      \n".utf8), maximum: 5).map(\.isTooLong) == [true])
        #expect(split(Array("     \n".utf8), maximum: 5).isEmpty)
    }

    @Test func `a stream can be resumed behind any line`() {
        let bytes = Array("\u{FEFF}one\n\ntwo\r\nthree".utf8)
        let whole = split(bytes)
        for (index, line) in whole.enumerated() {
            var splitter = LineSplitter(resumingAt: line.endOffset, afterLine: line.number)
            var rest: [Taken] = []
            splitter.feed(Array(bytes[line.endOffset...])) { rest.append(Taken($0)) }
            splitter.finish { rest.append(Taken($0)) }
            #expect(rest == Array(whole[(index + 1)...]))
            #expect(splitter.endOffset == bytes.count)
            #expect(splitter.lineNumber == 4)
        }
    }

    @Test func `an error of the receiver ends the feeding`() {
        struct Stop: Error {}
        var splitter = LineSplitter()
        var seen = 0
        #expect(throws: Stop.self) {
            try splitter.feed(Array("a\nb\nc\n".utf8)) { (line) throws(Stop) in
                seen = line.number
                if line.number == 2 { throw Stop() }
            }
        }
        #expect(seen == 2)
    }

    @Test func `blocks of any size give the lines of the whole`() {
        var random = Seeded(11)
        for _ in 0..<300 {
            let alphabet = Array("ab\n\n\r \t\u{FEFF}{}".utf8)
            let count = Int.random(in: 0...160, using: &random)
            var bytes = (0..<count).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            if Bool.random(using: &random) { bytes = [0xEF, 0xBB, 0xBF] + bytes }
            let maximum = Int.random(in: 1...40, using: &random)
            let whole = split(bytes, maximum: maximum)
            for _ in 0..<4 {
                let largest = Int.random(in: 1...50, using: &random)
                let pieces = split(bytes, maximum: maximum) { Int.random(in: 1...largest, using: &random) }
                #expect(pieces == whole)
            }
            #expect(whole == naive(bytes, maximum: maximum))
        }
    }

    /// The same by the plainest means.
    private func naive(_ bytes: [UInt8], maximum: Int) -> [Taken] {
        var lines: [Taken] = []
        var offset = 0
        for (index, whole) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let isLast = offset + whole.count == bytes.count
            offset += whole.count + (isLast ? 0 : 1)
            var line = Array(whole)
            if index == 0, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
            if line.last == 0x0D { line.removeLast() }
            var taken = Taken(index + 1, "", offset)
            taken.isTooLong = line.count > maximum
            if !taken.isTooLong { taken.text = line }
            let isBlank = line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
            if taken.isTooLong || !isBlank { lines.append(taken) }
        }
        return lines
    }
}
