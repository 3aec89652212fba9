import Testing

@testable import OffpeakCore

/// The limiter's promises, kept against a server that counts as strictly as its limits allow.
@Suite struct `Account limiter` {
    /// A request under way.
    struct Open {
        var sequence: Int
        var sent: Timestamp
        var reserved: Int
        var ends: Timestamp
        /// When the server counts it: anywhere between its sending and its answer, half a second away at most.
        var counted: Timestamp
        var actual: Int
        var isRefused: Bool
    }

    /// Random traffic through one limiter, and what the server saw of it.
    struct Traffic {
        var limiter: AccountLimiter
        var generator: SeededGenerator
        var now = at(0)
        var open: [Open] = []
        var counted: [(at: Timestamp, tokens: Int)] = []
        var sends: [Timestamp] = []
        var largestInFlight = 0
        var refusals = 0
        var refusalsPerMille = 0
        var largestJob = 900

        init(_ limits: Limits, model: LimitModel = .sliding, seed: UInt64) {
            limiter = AccountLimiter(limits: limits, limitModel: model, isPool: false, isCareful: false)
            generator = SeededGenerator(seed: seed)
        }

        mutating func settleDue() {
            for request in open.filter({ $0.ends <= now }).sorted(by: { $0.ends < $1.ends }) {
                if request.isRefused {
                    refusals += 1
                    limiter.refused(
                        request.sequence, reserved: request.reserved, retryAfter: .seconds(2), at: request.ends)
                } else {
                    limiter.settle(
                        request.sequence, sentAt: request.sent, reserved: request.reserved, tokens: request.actual,
                        latency: request.ends - request.sent, at: request.ends)
                    limiter.accepted(request.sequence, sentAt: request.sent, at: request.ends)
                    counted.append((request.counted, request.actual))
                }
            }
            open.removeAll { $0.ends <= now }
        }

        /// Sends whatever fits now; returns when to come back, if the limiter knows.
        mutating func sendAll() -> Timestamp? {
            while true {
                let tokens = Int.random(in: 50...largestJob, using: &generator)
                switch limiter.room(tokens: tokens, at: now) {
                case .none(_, let until): return until
                case .free: send(tokens)
                }
            }
        }

        private mutating func send(_ tokens: Int) {
            let sequence = limiter.reserve(tokens: tokens, at: now)
            let latency = Interval.milliseconds(Int64.random(in: 1...4_000, using: &generator))
            let way = Int64.random(in: 0...min(500, latency.milliseconds), using: &generator)
            open.append(
                Open(
                    sequence: sequence, sent: now, reserved: tokens, ends: now + latency,
                    counted: now + .milliseconds(way), actual: Int.random(in: 1...tokens, using: &generator),
                    isRefused: Int.random(in: 0..<1_000, using: &generator) < refusalsPerMille))
            sends.append(now)
            largestInFlight = max(largestInFlight, open.count)
        }

        mutating func run(for length: Interval) {
            let end = now + length
            while now < end {
                settleDue()
                let until = sendAll()
                let next = open.map(\.ends).min() ?? end
                now = min(max(now + .milliseconds(1), min(next, until ?? end)), end)
            }
        }

        /// The most that the server counted in any stretch of that length.
        func most(within length: Interval, _ weight: ((at: Timestamp, tokens: Int)) -> Int) -> Int {
            let events = counted.sorted { $0.at < $1.at }
            var (start, sum, most) = (0, 0, 0)
            for event in events {
                sum += weight(event)
                while events[start].at + length <= event.at {
                    sum -= weight(events[start])
                    start += 1
                }
                most = max(most, sum)
            }
            return most
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `no minute ever holds more requests or tokens than allowed, and the limit is used`(_ seed: UInt64) {
        let limits = Limits(rpm: seed % 2 == 0 ? 120 : 600, tpm: seed % 3 == 0 ? 30_000 : 400_000)
        var traffic = Traffic(limits, seed: seed)
        traffic.refusalsPerMille = seed > 4 ? 5 : 0
        traffic.run(for: .minutes(12))
        let requests = traffic.most(within: .minutes(1)) { _ in 1 }
        let tokens = traffic.most(within: .minutes(1)) { $0.tokens }
        #expect(requests <= limits.rpm! && tokens <= limits.tpm!, "\(rerun("Account limiter", seed: seed))")
        // One of the two binds; the forecasts here are twice the use, so of tokens some two thirds can be had.
        if seed <= 4 { #expect(requests * 10 >= limits.rpm! * 9 || tokens * 10 >= limits.tpm! * 6) }
    }

    @Test(arguments: [1, 7, 50])
    func `never more in flight than allowed`(_ concurrent: Int) {
        var traffic = Traffic(Limits(concurrent: concurrent), seed: 3)
        traffic.run(for: .minutes(2))
        #expect(traffic.largestInFlight == concurrent)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `no day holds more requests than allowed, and the next day begins anew`(_ seed: UInt64) {
        var traffic = Traffic(Limits(rpd: 200), seed: seed)
        for day in 0..<3 {
            let ends = second(600 * Int64(day + 1))
            traffic.limiter.startDay(requests: 0, tokens: 0, ends: ends)
            let before = traffic.sends.count
            traffic.run(for: ends - traffic.now)
            #expect(traffic.sends.count - before == 200)
            #expect(traffic.limiter.room(tokens: 1, at: traffic.now) == .none(.requestsPerDay(200), until: ends))
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `no day holds more tokens than allowed`(_ seed: UInt64) {
        var traffic = Traffic(Limits(tpd: 50_000, concurrent: 20), seed: seed)
        traffic.limiter.startDay(requests: 3, tokens: 10_000, ends: second(3_600))
        traffic.run(for: .minutes(60))
        traffic.settleDue()
        let used = traffic.counted.reduce(0) { $0 + $1.tokens }
        #expect(used <= 40_000 && used > 39_000)
    }

    @Test func `an hour at a time, over a restart, there is no burst`() {
        for seed in 1...4 as ClosedRange<UInt64> {
            var traffic = Traffic(Limits(rpm: 120, tpm: 30_000), seed: seed)
            traffic.run(for: .milliseconds(150_000 + Int64(seed) * 7_001))
            // The process dies: what was under way was counted by the server as well, in full.
            for request in traffic.open { traffic.counted.append((request.counted, request.reserved)) }
            var next = Traffic(Limits(rpm: 120, tpm: 30_000), seed: seed + 100)
            next.now = traffic.now
            for old in traffic.counted.sorted(by: { $0.at < $1.at }) {
                next.limiter.recall(countedAt: old.at, tokens: old.tokens)
            }
            next.counted = traffic.counted
            next.run(for: .minutes(3))
            #expect(next.most(within: .minutes(1)) { _ in 1 } <= 120, "\(rerun("Account limiter", seed: seed))")
            #expect(next.most(within: .minutes(1)) { $0.tokens } <= 30_000)
            #expect(next.sends.count > 100)
        }
    }

    @Test func `a block survives a restart by recall`() {
        var limiter = AccountLimiter(limits: Limits(rpm: 10), limitModel: .sliding, isPool: false, isCareful: false)
        limiter.recall(KeyMemory(key: "k", health: "cooling", blockedUntil: second(30)))
        #expect(limiter.room(tokens: 1, at: second(29)) == .none(.cooling, until: second(30)))
        #expect(limiter.room(tokens: 1, at: second(30)) == .free)
    }

    @Test func `who chose a block is told, over a restart, too`() {
        func refused(_ retryAfter: Interval?) -> AccountLimiter {
            var limiter = AccountLimiter(limits: Limits(), limitModel: .sliding, isPool: false, isCareful: true)
            let sequence = limiter.reserve(tokens: 1, at: second(0))
            limiter.refused(sequence, reserved: 1, retryAfter: retryAfter, at: second(1))
            return limiter
        }
        for (retryAfter, shortage) in [(Interval.seconds(5), Shortage.cooling), (nil, .backingOff)] {
            var limiter = refused(retryAfter)
            guard case .none(shortage, let until?) = limiter.room(tokens: 1, at: second(1)) else {
                Issue.record("\(limiter.room(tokens: 1, at: second(1)))")
                continue
            }
            var next = AccountLimiter(limits: Limits(), limitModel: .sliding, isPool: false, isCareful: true)
            next.recall(
                KeyMemory(key: "k", health: "cooling", reason: limiter.block.text, blockedUntil: until))
            #expect(next.room(tokens: 1, at: second(1)) == .none(shortage, until: until))
        }
    }

    @Test func `tokens are settled to what was used, up or down`() {
        var limiter = AccountLimiter(limits: Limits(tpm: 1_000), limitModel: .sliding, isPool: false, isCareful: false)
        let first = limiter.reserve(tokens: 900, at: second(0))
        #expect(limiter.room(tokens: 200, at: second(1)) != .free)
        limiter.settle(first, sentAt: second(0), reserved: 900, tokens: 100, latency: nil, at: second(2))
        #expect(limiter.room(tokens: 900, at: second(2)) == .free)
        let second_ = limiter.reserve(tokens: 100, at: second(2))
        limiter.settle(second_, sentAt: second(2), reserved: 100, tokens: 900, latency: nil, at: second(3))
        #expect(limiter.room(tokens: 1, at: second(3)) != .free)
        // Nothing was said of its use: what was reserved stands.
        let third = limiter.reserve(tokens: 500, at: second(70))
        limiter.settle(third, sentAt: second(70), reserved: 500, tokens: nil, latency: nil, at: second(71))
        #expect(limiter.room(tokens: 500, at: second(72)) == .free)
        #expect(limiter.room(tokens: 501, at: second(72)) != .free)
    }

    @Test func `a request that never left frees all of its room`() {
        var limiter = AccountLimiter(
            limits: Limits(rpm: 1, tpm: 100, rpd: 1, tpd: 100, concurrent: 1), limitModel: .sliding, isPool: false,
            isCareful: false)
        for round in 0..<50 {
            let now = second(Int64(round))
            #expect(limiter.room(tokens: 100, at: now) == .free)
            let through = limiter.tokensSentSoFar + 100
            let sequence = limiter.reserve(tokens: 100, at: now)
            #expect(limiter.room(tokens: 1, at: now) == .none(.concurrent(1), until: nil))
            limiter.release(sequence, tokens: 100, tokensThrough: through)
        }
        #expect(limiter.inFlight == 0)
    }

    @Test(arguments: [6, 59, 60, 90, 600, 6_000])
    func `slices send evenly and never in bursts`(_ rpm: Int) {
        var traffic = Traffic(Limits(rpm: rpm, concurrent: 1_000), model: .slices, seed: 2)
        traffic.run(for: .minutes(5))
        let perSlice = rpm >= 60 ? rpm / 60 : 1
        let slice = rpm >= 60 ? Interval.seconds(1) : .milliseconds(Int64(60_000 / rpm))
        #expect(traffic.most(within: slice) { _ in 1 } <= perSlice)
        #expect(traffic.most(within: .minutes(1)) { _ in 1 } <= rpm)
        // Between slices half a second is left for the way there, and no more than that.
        let pace = slice + AccountLimiter.wayThere + .milliseconds(10)
        let slices = Int(Interval.minutes(5).milliseconds / pace.milliseconds)
        #expect(traffic.sends.count >= perSlice * slices * 95 / 100)
    }

    @Test func `a shortage is told in words that name the limit`() {
        let table: [(Shortage, String)] = [
            (.requestsPerMinute(500), "its limit of 500 requests a minute is in use"),
            (.tokensPerMinute(9), "its limit of 9 tokens a minute is in use"),
            (.requestsPerDay(1), "its limit of 1 request a day is used up"),
            (.tokensPerDay(2), "its limit of 2 tokens a day is used up"),
            (.concurrent(3), "3 requests are in flight, as many as it may have"),
            (.serverSaysFull, "the server says that nothing is left of its limit"),
            (.cooling, "the server asked to wait"),
            (.backingOff, "the server refused for its limit and named no time, so a while is waited"),
        ]
        for (shortage, words) in table { #expect(shortage.text == words) }
    }

    @Test func `what the server's headers leave is never passed before they say it is whole again`() {
        var limiter = AccountLimiter(limits: Limits(rpm: 1_000), limitModel: .sliding, isPool: false, isCareful: false)
        let first = limiter.reserve(tokens: 10, at: second(0))
        let later = limiter.reserve(tokens: 10, at: second(0))
        var feedback = RateFeedback()
        feedback.requests = .init(limit: 3, remaining: 2, reset: .seconds(20))
        // Two are left after the first; one of them went already.
        limiter.heard(feedback, sequence: first, tokensSentThrough: 10, at: second(1))
        #expect(limiter.room(tokens: 10, at: second(1)) == .free)
        _ = limiter.reserve(tokens: 10, at: second(1))
        #expect(limiter.room(tokens: 10, at: second(1)) == .none(.serverSaysFull, until: second(21)))
        // An older answer that comes later has nothing newer to say.
        feedback.requests.remaining = 999
        limiter.heard(feedback, sequence: later - 1, tokensSentThrough: 10, at: second(2))
        #expect(limiter.room(tokens: 10, at: second(2)) == .none(.serverSaysFull, until: second(21)))
        #expect(limiter.room(tokens: 10, at: second(21)) == .free)
    }

    /// A reset that names the moment at which all is free again, as most do, must not hold back what is free before.
    @Test func `what has left our minute has left the server's, though its reset is later`() {
        var limiter = AccountLimiter(limits: Limits(rpm: 3), limitModel: .sliding, isPool: false, isCareful: false)
        var feedback = RateFeedback()
        for n in 0..<3 {
            let sent = second(Int64(n) * 10)
            let sequence = limiter.reserve(tokens: 10, at: sent)
            limiter.settle(
                sequence, sentAt: sent, reserved: 10, tokens: 10, latency: .seconds(1), at: sent + .seconds(1))
            feedback.requests = .init(limit: 3, remaining: 2 - n, reset: .seconds(59))
            limiter.heard(feedback, sequence: sequence, tokensSentThrough: 10 * (n + 1), at: sent + .seconds(1))
        }
        // The first was counted at half a second, the last at 20 and a half; all is free at 80.
        let free = second(60) + .milliseconds(505)
        guard case .none(_, let until?) = limiter.room(tokens: 10, at: second(30)) else {
            Issue.record("there is room though three were sent")
            return
        }
        #expect(until == free)
        #expect(limiter.room(tokens: 10, at: free) == .free)
        _ = limiter.reserve(tokens: 10, at: free)
        #expect(limiter.room(tokens: 10, at: free) != .free)
    }
}
