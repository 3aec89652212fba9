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

    /// A batch whose submit has not come to its end.
    func incomplete(_ batch: BatchStatus, _ reader: QueueReader) throws -> CommandFailure {
        if try reader.isBeingSubmitted(batch.id) {
            return CommandFailure(
                .userError, code: "batch_state", "batch b\(batch.id) is just being submitted",
                hint: "wait for that submit")
        }
        // A stream that was read cannot be read on.
        let goesOn = batch.sourcePath == nil ? "" : "repeat that `offpeak submit`, which goes on where it was; or "
        return CommandFailure(
            .userError, code: "batch_state",
            "the submit of batch b\(batch.id) was interrupted: none of its lines is accepted",
            hint: "\(goesOn)`offpeak cancel b\(batch.id)` deletes what it has left")
    }

    /// Opens the queue for reading.
    func reader() throws -> QueueReader { try QueueReader(queue: queuePath) }
}
