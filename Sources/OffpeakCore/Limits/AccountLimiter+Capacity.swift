extension AccountLimiter {
    /// What can be sent until a moment, about; `Int.max` where nothing limits it.
    package struct Capacity: Sendable, Equatable {
        package var requests = Int.max
        package var tokens = Int.max

        fileprivate mutating func limit(requests count: Int128) { requests = min(requests, Int(clamping: count)) }
        fileprivate mutating func limit(tokens count: Int128) { tokens = min(tokens, Int(clamping: count)) }
    }

    /// What can be sent until a moment if answers take `latency`, all limits together. `isOverdue`: they have ceased to come, so
    /// that a number of requests in flight that is still being looked for does not grow.
    package func capacity(
        until end: Timestamp, latency: Interval, isOverdue: Bool = false, at now: Timestamp
    ) -> Capacity {
        let start = max(now, blockedUntil)
        var capacity = Capacity(requests: 0, tokens: 0)
        let time = (end - start).milliseconds
        guard time >= 0 else { return capacity }
        capacity = Capacity()
        if let window = requestWindow {
            let limit = inUse(of: window.limit)
            // Slices come at an even pace; a sliding window is filled at once, and again each time its length is over.
            capacity.limit(
                requests: limitModel == .slices
                    ? Int128(limit) * Int128(time / window.length.milliseconds + 1)
                    : room(in: window, from: start, for: time, latency: latency))
        }
        if let window = tokenWindow {
            capacity.limit(tokens: room(in: window, from: start, for: time, latency: latency))
        }
        if let found = discovery.finding {
            capacity.limit(requests: Int128(found.requests) * Int128(time) / Int128(max(1, found.per.milliseconds)) + 1)
        }
        // A number that still finds itself is no limit yet.
        if latency > .zero, isOverdue || !concurrency.isGrowing {
            capacity.limit(requests: Int128(concurrency.allowed) * Int128(time / max(1, latency.milliseconds) + 1))
        }
        let days = end > dayEnds ? Int128((end - dayEnds).milliseconds / 86_400_000 + 1) : 0
        if let rpd = limits.rpd { capacity.limit(requests: Int128(max(0, rpd - dayRequests)) + Int128(rpd) * days) }
        if let tpd = limits.tpd { capacity.limit(tokens: Int128(max(0, tpd - dayTokens)) + Int128(tpd) * days) }
        return capacity
    }

    /// Tokens that may be sent now without putting off a request with so many that fits at a moment, if nothing else is sent.
    package func spare(beside tokens: Int, at moment: Timestamp) -> Int {
        guard let window = tokenWindow else { return .max }
        return inUse(of: window.limit) - tokens - (window.used - window.freed(by: moment, in: log))
    }

    /// What is configured per minute and in use.
    package var minuteLimits: (requests: Int?, tokens: Int?) { (limits.rpm.map(inUse), limits.tpm.map(inUse)) }

    private func room(in window: SlidingWindow, from start: Timestamp, for time: Int64, latency: Interval) -> Int128 {
        let limit = inUse(of: window.limit)
        let turn = (window.length + SlidingWindow.slack + min(latency, margin)).milliseconds
        let freed = window.freed(by: start + .milliseconds(time % turn), in: log)
        return Int128(limit) * Int128(time / turn) + Int128(min(limit, max(0, limit - window.used + freed)))
    }
}
