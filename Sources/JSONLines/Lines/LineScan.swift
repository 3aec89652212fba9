/// What one pass over a line's bytes found: where the members are that matter, and what spoils the line.
struct LineScan {
    /// The value of a member.
    struct Value {
        /// Its first byte; 0 if the member is absent.
        var first: UInt8 = 0
        /// With its quotes, if it is a string.
        var range = 0..<0
        var hasEscapes = false

        var isPresent: Bool { first != 0 }

        /// Between the quotes of a string.
        var inside: Range<Int> { (range.lowerBound + 1)..<(range.upperBound - 1) }

        var kind: JSONSlice.Kind { JSONSlice.Kind(first) }
    }

    var cursor: JSONCursor
    var line = InlineArray<10, Value>(repeating: Value())
    var body = InlineArray<34, Value>(repeating: Value())
    /// The first byte of the line's value.
    var first: UInt8 = 0
    /// The first top-level name that is not known, with its quotes.
    var unknown: Range<Int>?
    /// The first name that came a second time, with its quotes, and whether that was in the body.
    var repeated: (name: Range<Int>, inBody: Bool)?

    // SAFETY: the bytes are borrowed for the lifetime of the scan, which never outlives one call of the parser.
    init(_ bytes: UnsafeRawBufferPointer) {
        cursor = JSONCursor(bytes)
    }

    /// Reads the line to its end; false if it is not JSON, and the cursor says why.
    mutating func run(_ names: inout SeenNames) -> Bool {
        cursor.skipSpace()
        first = cursor.byte
        guard first == .openBrace else { return cursor.skipDocument() }
        guard forEachMember(depth: 1, { scan, name, escaped in scan.takeMember(name, escaped, &names) }) else {
            return false
        }
        cursor.skipSpace()
        return cursor.at == cursor.end || cursor.fail(.trailingText)
    }

    /// From an opening brace to behind the closing one. `take` gets each name, with its quotes, and must pass the value.
    @inline(__always)
    private mutating func forEachMember(
        depth: Int, _ take: (inout LineScan, Range<Int>, Bool) -> Bool
    ) -> Bool {
        cursor.at += 1
        cursor.skipSpace()
        if cursor.byte == .closeBrace {
            cursor.at += 1
            return true
        }
        while true {
            let start = cursor.at
            guard cursor.byte == .quote else { return cursor.fail(.expectedName) }
            guard cursor.skipString() else { return false }
            let name = start..<cursor.at
            let escaped = cursor.hasEscapes
            guard cursor.skipColon(), take(&self, name, escaped) else { return false }
            cursor.skipSpace()
            if cursor.byte == .closeBrace {
                cursor.at += 1
                return true
            }
            guard cursor.byte == .comma else { return cursor.fail(.expectedCommaOrBrace) }
            cursor.at += 1
            cursor.skipSpace()
            if cursor.byte == .closeBrace { return cursor.fail(.trailingComma) }
        }
    }

    @inline(__always)
    private mutating func takeMember(_ quoted: Range<Int>, _ escaped: Bool, _ names: inout SeenNames) -> Bool {
        let inside = (quoted.lowerBound + 1)..<(quoted.upperBound - 1)
        let known = escaped ? decodedLineName(inside) : LineName(cursor.bytes, inside)
        guard let known else {
            if unknown == nil { unknown = quoted }
            return cursor.skipValue(depth: 1)
        }
        if line[known.rawValue].isPresent {
            if repeated == nil { repeated = (quoted, false) }
            return cursor.skipValue(depth: 1)
        }
        // A second request in one line is refused, whatever is in it.
        let isOnly = !line[LineName.body.rawValue].isPresent && !line[LineName.params.rawValue].isPresent
        if known == .body || known == .params, isOnly, cursor.byte == .openBrace {
            let start = cursor.at
            guard takeBody(&names) else { return false }
            line[known.rawValue] = Value(first: .openBrace, range: start..<cursor.at)
            return true
        }
        guard let value = takeValue(depth: 1) else { return false }
        line[known.rawValue] = value
        return true
    }

    @inline(__always)
    private mutating func takeValue(depth: Int) -> Value? {
        let start = cursor.at
        let first = cursor.byte
        guard cursor.skipValue(depth: depth) else { return nil }
        return Value(first: first, range: start..<cursor.at, hasEscapes: first == .quote && cursor.hasEscapes)
    }

    @inline(__always)
    private mutating func takeBody(_ names: inout SeenNames) -> Bool {
        names.removeAll()
        return forEachMember(depth: 2) { scan, quoted, escaped in
            let inside = (quoted.lowerBound + 1)..<(quoted.upperBound - 1)
            let known = escaped ? scan.decodedBodyName(inside) : BodyName(scan.cursor.bytes, inside)
            guard let known else {
                if !names.insert(inside, escaped, scan.cursor.bytes), scan.repeated == nil {
                    scan.repeated = (quoted, true)
                }
                return scan.cursor.skipValue(depth: 2)
            }
            let isFirst = !scan.body[known.rawValue].isPresent
            if !isFirst, scan.repeated == nil { scan.repeated = (quoted, true) }
            guard let value = scan.takeValue(depth: 2) else { return false }
            if isFirst { scan.body[known.rawValue] = value }
            return true
        }
    }

    @inline(never)
    private func decodedLineName(_ inside: Range<Int>) -> LineName? {
        let name = JSONText.decodedBytes(UnsafeRawBufferPointer(rebasing: cursor.bytes[inside]))
        // SAFETY: the decoded bytes are read within the borrow.
        return name.withUnsafeBytes { LineName($0, 0..<$0.count) }
    }

    @inline(never)
    private func decodedBodyName(_ inside: Range<Int>) -> BodyName? {
        let name = JSONText.decodedBytes(UnsafeRawBufferPointer(rebasing: cursor.bytes[inside]))
        // SAFETY: the decoded bytes are read within the borrow.
        return name.withUnsafeBytes { BodyName($0, 0..<$0.count) }
    }
}

/// The names of one object so far, to notice a repeated one. The memory is used again for every line; only an object with
/// many names, or with names written in escapes, costs an allocation.
struct SeenNames: Sendable {
    private static let fewNames = 24
    private var few: [Range<Int>] = []
    private var many: Set<[UInt8]> = []

    mutating func removeAll() {
        few.removeAll(keepingCapacity: true)
        if !many.isEmpty { many = [] }
    }

    /// Adds the name that stands in this range, without its quotes; false if it is there already.
    @inline(__always)
    mutating func insert(_ name: Range<Int>, _ escaped: Bool, _ bytes: UnsafeRawBufferPointer) -> Bool {
        if escaped || !many.isEmpty || few.count == Self.fewNames { return insertSlowly(name, escaped, bytes) }
        for other in few where other.count == name.count {
            var same = 0
            while same < name.count, bytes[other.lowerBound &+ same] == bytes[name.lowerBound &+ same] { same &+= 1 }
            if same == name.count { return false }
        }
        few.append(name)
        return true
    }

    @inline(never)
    private mutating func insertSlowly(_ name: Range<Int>, _ escaped: Bool, _ bytes: UnsafeRawBufferPointer) -> Bool {
        if many.isEmpty { many = Set(few.map { Array(bytes[$0]) }) }
        let raw = UnsafeRawBufferPointer(rebasing: bytes[name])
        // SAFETY: the bytes are copied.
        return many.insert(escaped ? JSONText.decodedBytes(raw) : Array(raw)).inserted
    }
}
