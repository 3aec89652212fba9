import JSONLines
import OffpeakCore
import OffpeakStore

/// A batch's deadline, its own or its class's at the time of the submit, and what has become of it.
struct DeadlineView {
    private let deadline: Timestamp
    private let batch: BatchStatus
    private let now: Timestamp

    /// Nil for a batch without one.
    init?(of batch: BatchStatus, now: Timestamp) {
        guard let deadline = batch.deadline else { return nil }
        (self.deadline, self.batch, self.now) = (deadline, batch, now)
    }

    /// When the last job ended; nil while there are open ones, parked ones among them.
    private var ended: Timestamp? { batch.counts.open == 0 ? batch.finished : nil }

    /// Whether jobs ended after it, or are still open then; nothing is awaited of a cancelled batch.
    var isMissed: Bool { batch.state != .cancelled && ended ?? now > deadline }

    var words: String {
        let text = "deadline: \(TimeText.rfc3339(deadline))"
        if batch.state == .cancelled { return text }
        if let ended {
            if isMissed { return "\(text), missed: the last job ended \(TimeText.length(ended - deadline)) after it" }
            return "\(text), met: the last job ended \(TimeText.length(deadline - ended)) before it"
        }
        guard isMissed else { return "\(text), in \(TimeText.length(deadline - now))" }
        let open = batch.counts.open
        return "\(text), missed: it was \(TimeText.length(now - deadline)) ago, and "
            + "\(Words.count(open, "job")) \(open == 1 ? "is" : "are") not done"
    }
}

extension JSONWriter {
    /// The members of a deadline, which a batch may not have.
    mutating func members(_ view: DeadlineView?, of batch: BatchStatus) {
        member("deadline", batch.deadline)
        if let view { member("deadline_missed", view.isMissed) } else { null("deadline_missed") }
    }
}
