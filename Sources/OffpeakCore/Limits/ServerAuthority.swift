/// What a server's `remaining` and `reset` headers allow, in one dimension.
///
/// The header speaks of the moment when it was written, so what was sent after that request is taken off.
struct ServerAuthority: Sendable {
    /// The total sent (requests, or tokens) up to which the server has room.
    private var allowedThrough = Int.max
    /// The total sent when the latest header's request left.
    private var heardAt = -1
    private var expires = Timestamp.distantPast

    mutating func hear(_ header: RateFeedback.Dimension, sent: Int, at now: Timestamp) {
        guard let remaining = header.remaining, sent > heardAt else { return }
        heardAt = sent
        allowedThrough = sent + max(0, remaining)
        // Without a reset time the word holds for a moment only: a gateway that always says 0 must not stop us.
        expires = now + (header.reset ?? .seconds(1))
    }

    /// So much of what counts as sent, up to this total, never left.
    mutating func release(_ amount: Int, through sent: Int) {
        if sent > heardAt, allowedThrough < .max { allowedThrough += amount }
    }

    /// When `amount` more may be sent, given that `sent` were; nil for now.
    func wait(sent: Int, amount: Int, at now: Timestamp) -> Timestamp? {
        guard now < expires, sent + amount > allowedThrough else { return nil }
        return expires
    }
}
