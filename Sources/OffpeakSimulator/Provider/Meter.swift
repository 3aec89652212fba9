/// How a server counts one limit. Written without regard to how the limiter works, as its counterpart.
package enum MeterKind: String, CaseIterable, Sendable {
    /// At most so many in any window.
    case sliding
    /// A bucket of the limit's size that refills evenly.
    case bucket
    /// Windows that begin at fixed times.
    case fixed
    /// The limit cut into parts of one second.
    case slices
}

/// One limit of a server, in requests or tokens; times are the server's, in milliseconds.
struct Meter {
    let kind: MeterKind
    let limit: Int64
    let window: Int64
    let countsTokens: Bool
    /// Sliding: what was counted, and when.
    private var log: [(time: Int64, amount: Int64)] = []
    private var head = 0
    /// Sliding and fixed: in the present window. Bucket: what is left, times the window.
    private var level: Int64
    private var since: Int64 = 0

    init(_ kind: MeterKind, limit: Int, window: Int64 = 60_000, countsTokens: Bool) {
        self.countsTokens = countsTokens
        let isCut = kind == .slices
        self.kind = isCut ? .fixed : kind
        // A limit of less than one a second has slices as long as one request.
        self.limit = isCut ? max(1, Int64(limit) * 1_000 / window) : Int64(limit)
        self.window = isCut ? max(1_000, window / Int64(limit)) : window
        level = kind == .bucket ? Int64(limit) * window : 0
    }

    /// Brings the state up to a moment.
    private mutating func advance(to time: Int64) {
        switch kind {
        case .sliding:
            while head < log.count, log[head].time + window <= time {
                level -= log[head].amount
                head += 1
            }
        case .bucket:
            level = min(limit * window, level + (time - since) * limit)
            since = max(since, time)
        case .fixed, .slices:
            let start = time / window * window
            if start > since { (since, level) = (start, 0) }
        }
    }

    mutating func fits(_ amount: Int64, at time: Int64) -> Bool {
        advance(to: time)
        return kind == .bucket ? level >= amount * window : level + amount <= limit
    }

    mutating func take(_ amount: Int64, at time: Int64) {
        advance(to: time)
        switch kind {
        case .sliding:
            log.append((time, amount))
            level += amount
        case .bucket: level -= amount * window
        case .fixed, .slices: level += amount
        }
    }

    /// Milliseconds until so much fits, if nothing else comes.
    mutating func wait(for amount: Int64, at time: Int64) -> Int64 {
        advance(to: time)
        switch kind {
        case .sliding:
            var used = level
            for entry in log[head...] {
                if used + amount <= limit { break }
                used -= entry.amount
                if used + amount <= limit { return entry.time + window - time }
            }
            return 0
        case .bucket: return max(0, (amount * window - level + limit - 1) / limit)
        case .fixed, .slices: return level + amount <= limit ? 0 : since + window - time
        }
    }

    /// What the headers would say.
    mutating func remaining(at time: Int64) -> Int {
        advance(to: time)
        return Int(max(0, kind == .bucket ? level / window : limit - level))
    }

    /// Milliseconds until everything is free again.
    mutating func reset(at time: Int64) -> Int64 {
        advance(to: time)
        switch kind {
        case .sliding: return log.last.map { max(0, $0.time + window - time) } ?? 0
        case .bucket: return (limit * window - level) / limit
        case .fixed, .slices: return since + window - time
        }
    }
}
