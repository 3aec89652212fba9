/// A spill plan while it is drawn up: time in slots, and what the keys have in each.
struct SpillDraft {
    enum Name: Hashable {
        case requests(key: Int), tokens(key: Int)
        case poolRequests(pool: Int), poolTokens(pool: Int)
        case quota(key: Int, Measure), poolQuota(pool: Int, Measure)
        case credit(key: Int), allowance(key: Int), provisioned(key: Int)
        case budget(classIndex: Int, BatchID?)
    }
    enum Measure: Hashable { case money, requests, tokens }

    let now: Timestamp
    /// Where the slots end.
    let ends: [Timestamp]
    /// A reserve of time is kept.
    let isCareful: Bool
    var resources: [SpillPlan.Resource] = []
    private var places: [Name: Int] = [:]

    init(now: Timestamp, ends: [Timestamp], isCareful: Bool) {
        self.now = now
        self.ends = ends
        self.isCareful = isCareful
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

extension PeriodUse {
    /// What is left of each thing that a quota limits, beside what is under way, and the whole of it.
    func rests(of quota: Quota) -> [(measure: SpillDraft.Measure, left: Double, limit: Double)] {
        var rests: [(measure: SpillDraft.Measure, left: Double, limit: Double)] = []
        func add(_ measure: SpillDraft.Measure, _ limit: Int?, _ used: Int) {
            if let limit { rests.append((measure, Double(max(0, limit - used)), Double(limit))) }
        }
        add(.requests, quota.requests, settled.requests + reserved.requests)
        add(.tokens, quota.tokens, settled.tokens + reserved.tokens)
        add(
            .money, quota.money.map { Int($0.nanodollars) },
            Int(settled.money.nanodollars) + Int(reserved.money.nanodollars))
        return rests
    }
}
