/// When one flow sent through one key, over the last minute.
struct RecentSends: Sendable {
    /// As long as a key's own window counts a request that takes no time: so that both open together.
    private static let length = Interval.minutes(1)
    private var times: [Timestamp] = []
    private var first = 0

    mutating func append(_ now: Timestamp) {
        if first > 64, first * 2 > times.count {
            times.removeFirst(first)
            first = 0
        }
        times.append(now)
    }

    /// When there are fewer than a number again; nil: now.
    mutating func full(_ limit: Int, at now: Timestamp) -> Timestamp? {
        while first < times.count, times[first] + Self.length <= now { first += 1 }
        guard times.count - first >= max(1, limit) else { return nil }
        return times[times.count - max(1, limit)] + Self.length
    }
}
