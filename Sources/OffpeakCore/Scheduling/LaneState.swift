/// The lane `flex` of one key during a run: whether it has room, and how long it takes. It shares the key's limits and
/// money, and says nothing of the key's health.
struct LaneState: Sendable {
    /// Nothing goes before this moment.
    private(set) var opensAt = Timestamp.distantPast
    /// When the last rest began: what had been sent before says nothing new.
    private var rested = Timestamp.distantPast
    /// When the first of the present refusals came.
    private(set) var refusedSince = Timestamp.distantPast
    /// Refusals in a row, each after a rest of its own.
    private var refusals = 0
    private(set) var inFlight = 0
    /// Mean answer time in µs, 0 while unknown.
    private(set) var latency = 0
    /// Models (the provider's names) that are not served in it.
    private(set) var missingModels: [String] = []

    static let firstRest = Interval.seconds(1)
    static let longestRest = Interval.minutes(5)
    /// A rest that is worth waiting for, whatever the deadline.
    private static let shortRest = Interval.seconds(10)
    /// A rest that people are told of, like other waits.
    private static let worthTelling = Interval.seconds(3)
    /// After so many refusals in a row, single requests try whether there is room.
    private static let patience = 3

    static let noRoom = "lane flex: the provider had no room there"

    /// There has been no room for some time, or the provider says that there will be none.
    var isOut: Bool { isTried || opensAt > rested + Self.shortRest }

    /// Single requests try whether there is room again.
    private var isTried: Bool { refusals >= Self.patience }

    /// Whether the model could go once there is room again.
    func isShort(of model: String, at now: Timestamp) -> Bool {
        !missingModels.contains(model) && obstacle(model, at: now) != nil
    }

    var isResting: Bool { refusals > 0 && opensAt > rested }

    /// When the lane is tried again, while it has had no room for longer than the pace of a request or two.
    var restsUntil: Timestamp? { refusals > 0 && opensAt - rested >= Self.worthTelling ? opensAt : nil }

    /// Why nothing more goes now, if so.
    func obstacle(_ model: String, at now: Timestamp) -> KeyObstacle? {
        if missingModels.contains(model) {
            return KeyObstacle(reason: "lane flex: the provider does not offer the model there", isExhausted: true)
        }
        if opensAt > now {
            return KeyObstacle(reason: Self.noRoom, until: opensAt, isExhausted: true)
        }
        if isTried && inFlight > 0 {
            return KeyObstacle(reason: "lane flex: one request tries whether there is room again", isExhausted: true)
        }
        return nil
    }

    /// An answer's time as it would be in lane sync, whose mean is so many µs: 0 if unknown.
    func pace(of time: Interval, beside sync: Int) -> Interval {
        guard latency > 0, sync > 0 else { return time }
        let exact = Int128(time.milliseconds) * Int128(sync) / Int128(latency)
        return .milliseconds(max(1, Int64(clamping: exact)))
    }

    mutating func sent() { inFlight += 1 }
    mutating func ended() { inFlight -= 1 }

    mutating func answered(sentAt sent: Timestamp, in time: Interval) {
        if sent >= rested { refusals = 0 }
        let sample = Int(time.milliseconds) * 1_000
        latency = latency == 0 ? sample + 1 : latency + (sample - latency) / 8
    }

    /// There was no room, or no answer in time: a rest, twice as long each time in a row.
    mutating func refused(sentAt sent: Timestamp, retryAfter: Interval?, at now: Timestamp) {
        if sent >= rested {
            if refusals == 0 { refusedSince = now }
            let wait = min(Self.firstRest * (1 << Int64(min(refusals, 9))), Self.longestRest)
            (rested, refusals, opensAt) = (now, refusals + 1, max(opensAt, now + wait))
        }
        if let retryAfter { opensAt = max(opensAt, now + min(retryAfter, .hours(1))) }
    }

    /// The provider does not offer the model in this lane.
    mutating func lacks(_ model: String) {
        if !missingModels.contains(model) { missingModels.append(model) }
    }
}

extension ClassPolicy {
    /// The lanes in which the class's jobs may travel on a key, in the class's order.
    package func lanes(on key: KeyDescriptor) -> [Lane] {
        lanes.filter { $0.isInEffect && key.lanes.contains($0) }
    }

    /// Our deadline for one attempt in a lane.
    package func timeout(in lane: Lane) -> Interval { lane == .flex ? flexTimeout : timeout }
}

extension Lane {
    /// Requests are sent in it; `batch` is not used yet.
    package var isInEffect: Bool { self != .batch }
}
