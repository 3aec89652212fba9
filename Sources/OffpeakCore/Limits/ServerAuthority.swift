/// What a server's `remaining` and `reset` headers allow, in one dimension.
///
/// The header speaks of the moment when it was written, so what was sent after that request is taken off.
struct ServerAuthority: Sendable {
    /// The total sent (requests, or tokens) up to which the server has room.
    private var allowedThrough = Int.max
    /// The total sent when the latest header's request left.
    private var heardAt = -1
    private var expires = Timestamp.distantPast
    /// Its reset is no further than a minute's window: what has left ours has left the server's, too. Many servers name the
    /// moment at which everything is free again, long after the first part of it is.
    private var isOfWindow = false

    mutating func hear(_ header: RateFeedback.Dimension, sent: Int, at now: Timestamp) {
        guard let remaining = header.remaining, sent > heardAt else { return }
        heardAt = sent
        allowedThrough = sent + max(0, remaining)
        // Without a reset time the word holds for a moment only: a gateway that always says 0 must not stop us.
        expires = now + (header.reset ?? .seconds(1))
        isOfWindow = header.reset.map { $0 <= .minutes(1) + .seconds(1) } ?? false
    }

    /// So much of what was sent is no longer counted by our own window.
    mutating func expired(_ amount: Int) {
        if isOfWindow, allowedThrough < .max { allowedThrough += amount }
    }

    /// So much of what counts as sent, up to this total, never left.
    mutating func release(_ amount: Int, through sent: Int) {
        if sent > heardAt, allowedThrough < .max { allowedThrough += amount }
    }

    /// When `amount` more may be sent, given that `sent` were, or when to ask again; nil for now. `nextExpiry` is when our own
    /// window next counts less.
    func wait(sent: Int, amount: Int, nextExpiry: Timestamp?, at now: Timestamp) -> Timestamp? {
        guard now < expires, sent + amount > allowedThrough else { return nil }
        guard isOfWindow, let nextExpiry, nextExpiry > now else { return expires }
        return min(expires, nextExpiry)
    }
}
