extension JSONCursor {
    /// From an opening quote to behind the closing one. Sets `hasEscapes`.
    @inline(__always)
    mutating func skipString() -> Bool {
        hasEscapes = false
        var next = at + 1
        while true {
            next = plainText(from: next)
            guard next < end else {
                at = end
                fault = .unclosedString
                return false
            }
            if bytes[next] == .quote {
                at = next + 1
                return true
            }
            at = next
            guard skipUnusual() else { return false }
            next = at
        }
    }

    /// The first position from `start` on that holds a quote, a backslash, a control character or a byte above ASCII;
    /// the end if there is none.
    @inline(__always)
    private func plainText(from start: Int) -> Int {
        var next = start
        while next &+ 8 <= end {
            let word = Word.load(bytes, at: next)
            let stops =
                Word.zeroBytes(word ^ Word.each(.quote)) | Word.zeroBytes(word ^ Word.each(.backslash))
                | ((word &- Word.each(0x20)) & ~word & Word.highBits) | (word & Word.highBits)
            if stops != 0 { return next &+ Word.firstByte(stops) }
            next &+= 8
        }
        while next < end {
            let byte = bytes[next]
            if byte == .quote || byte == .backslash || byte < 0x20 || byte >= 0x80 { return next }
            next &+= 1
        }
        return end
    }

    /// Passes what stopped `plainText` within a string: an escape, or a run of characters above ASCII.
    private mutating func skipUnusual() -> Bool {
        let byte = bytes[at]
        if byte == .backslash {
            hasEscapes = true
            return skipEscape()
        }
        guard byte >= 0x80 else { return fail(.controlCharacter) }
        while true {
            let length = UTF8Sequence.length(in: bytes, at: at, end: end)
            guard length > 0 else { return fail(.invalidUTF8) }
            at += length
            // In most scripts spaces stand alone between such runs: passing them here is much cheaper than starting anew.
            if at + 1 < end, bytes[at] == 0x20 { at += 1 }
            guard at < end, bytes[at] >= 0x80 else { return true }
        }
    }

    private mutating func skipEscape() -> Bool {
        guard at + 1 < end else {
            at = end
            fault = .unclosedString
            return false
        }
        switch bytes[at + 1] {
        case .quote, .backslash, UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            at += 2
            return true
        case UInt8(ascii: "u"):
            for position in (at + 2)..<(at + 6) {
                guard position < end else {
                    at = end
                    fault = .unclosedString
                    return false
                }
                guard hexValue(bytes[position]) != nil else { return fail(.badEscape) }
            }
            at += 6
            return true
        default: return fail(.badEscape)
        }
    }

    /// From the first byte of a number to behind it.
    mutating func skipNumber() -> Bool {
        let start = at
        if byte == .minus { at += 1 }
        let whole = at
        guard skipDigits() else { return failNumber(from: start) }
        if bytes[whole] == .zero, at - whole > 1 {
            at = start
            return fail(.badNumber)
        }
        if byte == .point {
            at += 1
            guard skipDigits() else { return failNumber(from: start) }
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            at += 1
            if byte == .minus || byte == UInt8(ascii: "+") { at += 1 }
            guard skipDigits() else { return failNumber(from: start) }
        }
        return true
    }

    @inline(__always)
    private mutating func skipDigits() -> Bool {
        let start = at
        while at < end, bytes[at] &- .zero <= 9 { at += 1 }
        return at > start
    }

    /// The fault of a number points at the number's first byte, unless the text just ends within it.
    private mutating func failNumber(from start: Int) -> Bool {
        if at < end { at = start }
        return fail(.badNumber)
    }
}

/// Eight bytes at a time.
enum Word {
    static let highBits: UInt64 = 0x8080_8080_8080_8080
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    @inline(__always)
    static func load(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt64 {
        // SAFETY: the caller has checked that offset + 8 is within the buffer.
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    static func each(_ byte: UInt8) -> UInt64 { UInt64(byte) &* ones }

    /// A high bit for the first zero byte; bytes after the first may be marked wrongly, so only the first counts.
    @inline(__always)
    static func zeroBytes(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & highBits }

    /// Which byte the lowest mark belongs to.
    @inline(__always)
    static func firstByte(_ marks: UInt64) -> Int { marks.trailingZeroBitCount &>> 3 }
}

/// The well-formed byte sequences of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Sequence {
    // SAFETY: `start` is below `end`, and no byte beyond `end` is read.
    /// How many bytes the character at `start`, which is not ASCII, has; 0 if it is not well-formed.
    @inline(__always)
    static func length(in bytes: UnsafeRawBufferPointer, at start: Int, end: Int) -> Int {
        let first = bytes[start]
        let left = end - start
        if first < 0xE0 {
            return first >= 0xC2 && left > 1 && isContinuation(bytes[start + 1]) ? 2 : 0
        }
        if first < 0xF0 {
            guard left > 2, isContinuation(bytes[start + 1]), isContinuation(bytes[start + 2]) else { return 0 }
            let second = bytes[start + 1]
            if first == 0xE0, second < 0xA0 { return 0 }
            if first == 0xED, second > 0x9F { return 0 }
            return 3
        }
        guard first < 0xF5, left > 3, isContinuation(bytes[start + 1]), isContinuation(bytes[start + 2]),
            isContinuation(bytes[start + 3])
        else { return 0 }
        let second = bytes[start + 1]
        if first == 0xF0, second < 0x90 { return 0 }
        if first == 0xF4, second > 0x8F { return 0 }
        return 4
    }

    @inline(__always)
    private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }
}

/// The value of a hexadecimal digit.
func hexValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case .zero...(.nine): UInt32(byte - .zero)
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
}
