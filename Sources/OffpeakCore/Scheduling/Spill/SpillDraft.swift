/// A spill plan while it is drawn up: time in slots, and what the keys have in each.
struct SpillDraft {
    indirect enum Name: Hashable {
        case requests(key: Int), tokens(key: Int)
        case poolRequests(pool: Int), poolTokens(pool: Int)
        case quota(key: Int, Measure), poolQuota(pool: Int, Measure)
        case credit(key: Int), allowance(key: Int), provisioned(key: Int)
        case budget(classIndex: Int, BatchID?)
        /// What a key gets through in lane flex.
        case flex(key: Int)
        /// What a flow can have of a quota, and how fast, since a job needs more room than it probably takes.
        case share(of: Name, flow: FlowID), pace(of: Name, flow: FlowID)
    }
    enum Measure: Hashable { case money, requests, tokens }

    let now: Timestamp
    /// Where the slots end.
    let ends: [Timestamp]
    /// A reserve of time is kept.
    let isCareful: Bool
    /// By key.
    let paces: [(sync: AnswerPace, flex: AnswerPace)]
    var resources: [SpillPlan.Resource] = []
    private var places: [Name: Int] = [:]

    init(now: Timestamp, ends: [Timestamp], isCareful: Bool, paces: [(sync: AnswerPace, flex: AnswerPace)]) {
        (self.now, self.ends, self.isCareful, self.paces) = (now, ends, isCareful, paces)
    }

    /// The time that must be left before a moment for an answer, and, if a reserve is kept, for what nobody foresees.
    func reserve(before end: Timestamp, _ pace: AnswerPace) -> Interval {
        pace.latency + .milliseconds(isCareful ? (end - now).milliseconds / 512 + 300 : 0)
    }

    func start(of slot: Int) -> Timestamp { slot == 0 ? now : ends[slot - 1] }

    /// A resource of which there is `total(end)` until a slot's end; what a slot leaves is lost. Nil if it limits nothing.
    mutating func flowing(_ name: Name, perMinute: Int?, _ total: (Timestamp) -> Int) -> Int? {
        if let known = places[name] { return known }
        let totals = ends.map(total)
        guard totals.contains(where: { $0 < .max / 8 }) else { return nil }
        var before = 0
        let slots = totals.map { total in
            defer { before = max(before, total) }
            return Double(max(0, total - before))
        }
        return add(
            name,
            SpillPlan.Resource(slots: slots, keeps: ends.map { _ in false }, perMinute: perMinute.map { Double($0) }))
    }

    /// A resource of which there is `left` now, and `limit` anew whenever a period ends; worth nothing after `expires`.
    mutating func kept(
        _ name: Name, left: Double, limit: Double = 0, period: Period? = nil, renews: Timestamp = .distantFuture,
        expires: Timestamp = .distantFuture
    ) -> Int {
        if let known = places[name] { return known }
        let renewals = Self.renewals(period, first: renews, until: ends.last!)
        var slots = [Double](repeating: 0, count: ends.count)
        slots[0] = left
        var keeps = ends.map { _ in true }
        for slot in ends.indices {
            let start = start(of: slot)
            if slot > 0, renewals.contains(where: { $0 > self.start(of: slot - 1) && $0 <= start }) {
                (slots[slot], keeps[slot - 1]) = (limit, false)
            }
            if slot > 0, start >= expires { keeps[slot - 1] = false }
            // Of many slots some are put together: then a period ends within one.
            slots[slot] += limit * Double(renewals.count { $0 > start && $0 < ends[slot] })
        }
        return add(name, SpillPlan.Resource(slots: slots, keeps: keeps))
    }

    /// A quota, as what is left of it if what is in flight takes as much as `amount` a job, and not its worst.
    mutating func quota(_ name: Name, _ rest: QuotaRest, amount: Double) -> Int {
        kept(name, left: rest.left(amount), limit: rest.limit, period: rest.period, renews: rest.renews)
    }

    /// What limits a flow's jobs that probably take `amount` each of a quota, and need room for `worst`: the last of them do not
    /// fit, and few fit at once.
    mutating func shares(
        of name: Name, _ rest: QuotaRest, amount: Double, worst: Double, flow: FlowID, latency: Interval
    ) -> [(resource: Int, amount: Double)] {
        guard worst > amount, worst > 0 else { return [] }
        let more = worst - amount
        let share = kept(
            .share(of: name, flow: flow), left: max(0, rest.left(amount) - more), limit: max(0, rest.limit - more),
            period: rest.period, renews: rest.renews)
        guard latency > .zero else { return [(share, amount)] }
        let atOnce = max(1, ((rest.limit - rest.settled) / worst).rounded(.down))
        let now = now
        let pace = flowing(.pace(of: name, flow: flow), perMinute: nil) { end in
            guard end <= rest.renews else { return .max / 4 }
            let rounds = max(0, (end - latency - now).milliseconds) / latency.milliseconds + 1
            return Int(min(1e15, atOnce * Double(rounds)))
        }
        return [(share, amount)] + (pace.map { [($0, 1)] } ?? [])
    }

    /// When a period ends, and those after it: to the day, which is near enough for a plan.
    static func renewals(_ period: Period?, first: Timestamp, until end: Timestamp) -> [Timestamp] {
        let days: Int64 =
            switch period {
            case .day: 1
            case .week: 7
            case .month, nil: 30
            }
        var moments: [Timestamp] = []
        var moment = first
        while moment <= end, moments.count < 64 {
            moments.append(moment)
            moment = moment + .days(days)
        }
        return moments
    }

    private mutating func add(_ name: Name, _ resource: SpillPlan.Resource) -> Int {
        resources.append(resource)
        places[name] = resources.count - 1
        return resources.count - 1
    }
}

/// One thing that a quota limits, and what is gone of it.
struct QuotaRest {
    let measure: SpillDraft.Measure
    let limit: Double
    let settled: Double
    /// Reserved for what is in flight, at its worst, and for how many requests.
    let reserved: Double
    let inFlight: Int
    let period: Period
    let renews: Timestamp

    func left(_ amount: Double) -> Double { max(0, limit - settled - min(reserved, Double(inFlight) * amount)) }
}

extension PeriodUse {
    /// What is left of each thing that a quota limits.
    func rests(of quota: Quota) -> [QuotaRest] {
        var rests: [QuotaRest] = []
        func add(_ measure: SpillDraft.Measure, _ limit: Int?, _ settled: Int, _ reserved: Int) {
            guard let limit else { return }
            rests.append(
                QuotaRest(
                    measure: measure, limit: Double(limit), settled: Double(settled), reserved: Double(reserved),
                    inFlight: self.reserved.requests, period: quota.per, renews: ends))
        }
        add(.requests, quota.requests, settled.requests, reserved.requests)
        add(.tokens, quota.tokens, settled.tokens, reserved.tokens)
        add(
            .money, quota.money.map { Int($0.nanodollars) }, Int(settled.money.nanodollars),
            Int(reserved.money.nanodollars))
        return rests
    }
}
