/// Cuts a stream of blocks into lines, without copying a line that lies within one block.
///
/// A line ends at a line feed; a carriage return before it is not part of the line, and the last line may lack its line feed. A
/// UTF-8 byte-order mark at the start of the stream, as editors on Windows write it, is passed over. Lines of nothing but space
/// are counted and not yielded. A line above the maximum length is yielded without its bytes and never held in memory.
package struct LineSplitter: Sendable {
    /// The longest line that is accepted unless said otherwise: 64 MiB, without the line feed.
    package static let defaultMaximumLineBytes = 64 << 20

    /// One line of the stream.
    package struct Line {
        /// Counted from 1; blank lines count too.
        package let number: Int
        /// The line without its line feed and carriage return; empty if the line is too long. Valid only until the call that it
        /// was passed to returns.
        // SAFETY: points into the caller's block or the splitter's carried bytes, both alive during that call.
        package let bytes: UnsafeRawBufferPointer
        /// Where the next line begins: the bytes of the stream up to and with this line's line feed.
        package let endOffset: Int
        /// Whether the line is longer than the maximum.
        package let isTooLong: Bool
    }

    /// The longest line that is accepted, in bytes, without the line feed.
    package let maximumLineBytes: Int
    /// The bytes of the stream up to the end of the line that was ended last, blank or not.
    package private(set) var endOffset: Int
    /// The number of the line that was ended last; 0 before the first.
    package private(set) var lineNumber: Int
    private var carry: [UInt8] = []
    /// How many bytes of an unfinished line have been fed, whether they are kept in `carry` or dropped.
    private var pending = 0
    private var tooLong = false

    /// A splitter for a stream, or for the rest of a stream of which `offset` bytes and `line` lines are done.
    package init(
        maximumLineBytes: Int = LineSplitter.defaultMaximumLineBytes, resumingAt offset: Int = 0,
        afterLine line: Int = 0
    ) {
        self.maximumLineBytes = maximumLineBytes
        endOffset = offset
        lineNumber = line
    }

    /// Takes the next block and passes each line that it ends. What `body` throws ends the feeding; the splitter is then of no
    /// further use.
    package mutating func feed<E>(
        _ block: UnsafeRawBufferPointer, _ body: (Line) throws(E) -> Void
    ) throws(E) {
        var start = 0
        while let feed = Self.lineFeed(in: block, from: start) {
            // SAFETY: both bounds are within the block; the pieces are used or copied within this call.
            let piece = UnsafeRawBufferPointer(rebasing: block[start..<feed])
            start = feed + 1
            if pending == 0 {
                try end(piece, consumed: piece.count + 1, body)
            } else {
                keep(piece)
                try endCarried(consumed: pending + 1, body)
            }
        }
        if start < block.count { keep(UnsafeRawBufferPointer(rebasing: block[start...])) }
    }

    /// The same for an array of bytes.
    package mutating func feed<E>(_ block: [UInt8], _ body: (Line) throws(E) -> Void) throws(E) {
        try block.withUnsafeBufferPointer { (buffer) throws(E) in
            // SAFETY: lines are used only within this closure.
            try feed(UnsafeRawBufferPointer(buffer), body)
        }
    }

    /// Passes the last line if the stream ended without a line feed.
    package mutating func finish<E>(_ body: (Line) throws(E) -> Void) throws(E) {
        if pending > 0 { try endCarried(consumed: pending, body) }
    }

    private mutating func keep(_ piece: UnsafeRawBufferPointer) {
        pending += piece.count
        // Room for a byte-order mark and a carriage return, which do not count.
        if pending > maximumLineBytes + 4 {
            tooLong = true
            carry = []
        } else {
            carry.append(contentsOf: piece)
        }
    }

    private mutating func endCarried<E>(consumed: Int, _ body: (Line) throws(E) -> Void) throws(E) {
        var held: [UInt8] = []
        swap(&held, &carry)
        try held.withUnsafeBufferPointer { (buffer) throws(E) in
            // SAFETY: the line is used only within this closure.
            try end(UnsafeRawBufferPointer(buffer), consumed: consumed, body)
        }
        pending = 0
        tooLong = false
        // The memory is used again, unless one long line has made it large.
        guard held.capacity <= 1 << 20 else { return }
        held.removeAll(keepingCapacity: true)
        swap(&held, &carry)
    }

    @inline(__always)
    private mutating func end<E>(
        _ whole: UnsafeRawBufferPointer, consumed: Int, _ body: (Line) throws(E) -> Void
    ) throws(E) {
        var line = whole
        // SAFETY: the line only shrinks, within the bytes that it was given.
        if endOffset == 0, line.starts(with: [0xEF, 0xBB, 0xBF]) {
            line = UnsafeRawBufferPointer(rebasing: line[3...])
        }
        if line.last == UInt8(ascii: "\r") { line = UnsafeRawBufferPointer(rebasing: line.dropLast()) }
        lineNumber += 1
        endOffset += consumed
        let isTooLong = tooLong || line.count > maximumLineBytes
        if !isTooLong, Self.isBlank(line) { return }
        try body(
            Line(
                number: lineNumber, bytes: isTooLong ? UnsafeRawBufferPointer(start: nil, count: 0) : line,
                endOffset: endOffset, isTooLong: isTooLong))
    }

    @inline(__always)
    private static func isBlank(_ line: UnsafeRawBufferPointer) -> Bool {
        for byte in line where byte != 0x20 && byte != 0x09 && byte != 0x0D { return false }
        return true
    }

    /// The first line feed from `start` on.
    @inline(__always)
    private static func lineFeed(in block: UnsafeRawBufferPointer, from start: Int) -> Int? {
        let pattern = Word.each(UInt8(ascii: "\n"))
        var next = start
        while next &+ 32 <= block.count {
            let first = Word.zeroBytes(Word.load(block, at: next) ^ pattern)
            let second = Word.zeroBytes(Word.load(block, at: next &+ 8) ^ pattern)
            let third = Word.zeroBytes(Word.load(block, at: next &+ 16) ^ pattern)
            let fourth = Word.zeroBytes(Word.load(block, at: next &+ 24) ^ pattern)
            if first | second | third | fourth != 0 {
                if first != 0 { return next &+ Word.firstByte(first) }
                if second != 0 { return next &+ 8 &+ Word.firstByte(second) }
                if third != 0 { return next &+ 16 &+ Word.firstByte(third) }
                return next &+ 24 &+ Word.firstByte(fourth)
            }
            next &+= 32
        }
        while next < block.count {
            if block[next] == UInt8(ascii: "\n") { return next }
            next &+= 1
        }
        return nil
    }
}
