/// How a server counts a limit over a window.
package enum LimitModel: String, Sendable, CaseIterable {
    /// Exact: at no moment do the last `window` microseconds hold more than the limit.
    case sliding
    /// A token bucket that holds the limit and refills evenly by the limit per window.
    case bucket
    /// Windows laid end to end from the server's start; the count begins anew with each.
    case fixed
    /// One-second slices, each with its share of the limit. What is larger than a whole slice's share is let into an
    /// untouched slice and uses up the following ones.
    case slices
}

/// One limit of one key or pool, counted as its model does. Times are microseconds since the start; costs are requests
/// or tokens.
package struct Meter: Sendable {
    package let limit: Int
    /// In microseconds.
    package let window: Int64
    package let model: LimitModel

    // Each model uses its own fields; they stand side by side because a collection inside an enum's payload copies.
    private var log = TimedLog()
    /// Bucket: what is left, in units of 1/window. Slices: what is used, in the same unit. Fixed: what is used.
    private var level: Int
    /// The time, window or slice that `level` is good for.
    private var asOf: Int64 = 0

    /// `limit` and `window` are positive and their product is below 2⁶².
    package init(limit: Int, window: Int64, model: LimitModel) {
        self.limit = limit
        self.window = window
        self.model = model
        level = model == .bucket ? limit * Int(window) : 0
    }

    private var slice: Int64 { min(window, 1_000_000) }
    /// A slice's share of the limit, in units of 1/window.
    private var share: Int { limit * Int(slice) }

    /// Zero when `cost` fits now, else after how many microseconds it would if nothing else came; nil when it is more
    /// than the whole limit and never fits.
    package mutating func wait(for cost: Int, at now: Int64) -> Int64? {
        guard cost <= limit else { return nil }
        advance(to: now)
        switch model {
        case .sliding:
            let excess = log.sum + cost - limit
            return excess <= 0 ? 0 : log.time(whenFreed: excess) + window - now
        case .bucket:
            let missing = cost * Int(window) - level
            return missing <= 0 ? 0 : Int64(divideUp(missing, limit))
        case .fixed:
            return level + cost <= limit ? 0 : (asOf + 1) * window - now
        case .slices:
            let scaled = cost * Int(window)
            if level == 0 || level + scaled <= share { return 0 }
            let slices = scaled <= share ? divideUp(level + scaled - share, share) : divideUp(level, share)
            return (asOf + Int64(slices)) * slice - now
        }
    }

    /// Counts `cost`, whether it fits or not.
    package mutating func charge(_ cost: Int, at now: Int64) {
        advance(to: now)
        switch model {
        case .sliding: log.add(cost, at: now)
        case .bucket: level = max(0, level - min(cost, limit) * Int(window))
        case .fixed: level += cost
        case .slices: level += min(cost, limit) * Int(window)
        }
    }

    /// What is left, as a rate-limit header would say.
    package mutating func remaining(at now: Int64) -> Int {
        advance(to: now)
        switch model {
        case .sliding: return max(0, limit - log.sum)
        case .bucket: return level / Int(window)
        case .fixed: return max(0, limit - level)
        case .slices: return max(0, (share - level) / Int(slice))
        }
    }

    /// Microseconds until nothing is used any more, if nothing else comes: what a reset header says.
    package mutating func reset(at now: Int64) -> Int64 {
        advance(to: now)
        switch model {
        case .sliding: return log.latest.map { $0 + window - now } ?? 0
        case .bucket: return Int64(divideUp(limit * Int(window) - level, limit))
        case .fixed: return (asOf + 1) * window - now
        case .slices: return level == 0 ? 0 : (asOf + Int64(divideUp(level, share))) * slice - now
        }
    }

    private mutating func advance(to now: Int64) {
        switch model {
        case .sliding:
            log.forget(upTo: now - window)
        case .bucket:
            // Never more than one window: after that the bucket is full, and a longer product could overflow.
            let elapsed = min(max(0, now - asOf), window)
            level = min(limit * Int(window), level + limit * Int(elapsed))
            asOf = max(asOf, now)
        case .fixed:
            guard now / window > asOf else { return }
            asOf = now / window
            level = 0
        case .slices:
            let passed = Int(now / slice - asOf)
            guard passed > 0 else { return }
            asOf = now / slice
            level = passed > level / share ? 0 : level - passed * share
        }
    }
}

private func divideUp(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }

/// Costs with the times they were counted at, oldest first; old ones are forgotten.
struct TimedLog: Sendable {
    private struct Entry: Sendable {
        var time: Int64
        var cost: Int
    }

    private var entries: [Entry] = []
    /// The first entry that is not forgotten.
    private var first = 0
    /// The costs of all that is not forgotten.
    private(set) var sum = 0

    /// How many are not forgotten.
    var count: Int { entries.count - first }
    /// The time of the newest.
    var latest: Int64? { count > 0 ? entries[entries.count - 1].time : nil }

    /// Times never go back.
    mutating func add(_ cost: Int, at now: Int64) {
        entries.append(Entry(time: now, cost: cost))
        sum += cost
    }

    /// Forgets everything at this time or before it.
    mutating func forget(upTo time: Int64) {
        while first < entries.count, entries[first].time <= time {
            sum -= entries[first].cost
            first += 1
        }
        if first > 1_024, first > entries.count / 2 {
            entries.removeSubrange(..<first)
            first = 0
        }
    }

    /// The time of the entry with which, from the oldest on, at least `cost` is gathered. `cost` is at most `sum`.
    func time(whenFreed cost: Int) -> Int64 {
        var freed = 0
        for entry in entries[first...] {
            freed += entry.cost
            if freed >= cost { return entry.time }
        }
        return latest ?? 0
    }
}

/// The most that any window of a given length ever held.
struct PeakWindow: Sendable {
    /// In microseconds.
    let window: Int64
    private var requests = TimedLog()
    private(set) var peakCount = 0
    private(set) var peakSum = 0

    init(window: Int64) { self.window = window }

    /// One request with its tokens.
    mutating func add(tokens: Int, at now: Int64) {
        requests.forget(upTo: now - window)
        requests.add(tokens, at: now)
        peakCount = max(peakCount, requests.count)
        peakSum = max(peakSum, requests.sum)
    }
}
