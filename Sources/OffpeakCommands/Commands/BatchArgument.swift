import OffpeakStore

extension CommandContext {
    /// The batch that an argument means: an id such as `b3` (or `3`), or a name that only one batch has.
    func batch(_ text: String, in reader: QueueReader) throws -> BatchStatus {
        let batches = try reader.batches()
        let digits = text.hasPrefix("b") ? text.dropFirst() : text[...]
        if let id = Int64(digits), let found = batches.first(where: { $0.id == id }) { return found }
        let named = batches.filter { $0.name == text }
        if named.count == 1 { return named[0] }
        if named.count > 1 {
            let ids = named.map { "b\($0.id)" }.joined(separator: ", ")
            throw CommandFailure(
                .userError, code: "ambiguous", "several batches are named \"\(text)\": \(ids)", hint: "use an id")
        }
        throw CommandFailure(
            .userError, code: "no_batch", "there is no batch \"\(text)\" in \(queuePath)",
            hint: batches.isEmpty ? "the queue has no batches" : "`offpeak status` lists the batches")
    }

    /// Opens the queue for reading.
    func reader() throws -> QueueReader { try QueueReader(queue: queuePath) }
}
