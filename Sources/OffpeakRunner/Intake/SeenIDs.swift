import OffpeakStore

/// The ids of a batch, as 64-bit hashes under a seed of this process: among ten million different ids, two are alike once in
/// some hundred thousand batches. Enough to tell what is wrong with a file that is not taken; one that is has its ids
/// themselves compared when its batch is sealed.
struct SeenIDs {
    private var lines: [Int: Int32] = [:]

    /// Adds an id, as UTF-8; returns the line on which it was before.
    mutating func insert(_ id: UnsafeRawBufferPointer, line: Int) -> Int? {
        var hasher = Hasher()
        hasher.combine(bytes: id)
        let hash = hasher.finalize()
        if let first = lines[hash] { return Int(first) }
        lines[hash] = Int32(clamping: line)
        return nil
    }

    /// Adds the ids of a chunk's good lines; returns the lines whose id was there before. `takeGood` gets all others.
    mutating func repeats(in chunk: IntakeChunk, takeGood: (IntakeLine) -> Void = { _ in }) -> [DuplicateID] {
        var found: [DuplicateID] = []
        // SAFETY: the ids are hashed or copied within this closure.
        chunk.buffer.withUnsafeBytes { buffer in
            for line in chunk.lines {
                let id = UnsafeRawBufferPointer(rebasing: buffer[line.customID])
                if let first = insert(id, line: line.line) {
                    let text = String(decoding: id, as: UTF8.self)
                    found.append(DuplicateID(line: line.line, customID: text, firstLine: first))
                } else {
                    takeGood(line)
                }
            }
        }
        return found
    }
}
