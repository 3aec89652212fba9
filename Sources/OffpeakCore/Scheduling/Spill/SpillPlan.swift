/// Which part of the work with a deadline goes through which key, so that it costs the least and nothing is late.
///
/// Time is cut into slots, at whose ends something changes: a deadline, a period, a window. The plan says how many jobs of each
/// flow each key takes in the present slot, and which keys are to have more of them later.
struct SpillPlan: Sendable {
    /// Something of which there is only so much: a key's requests or tokens, a quota, prepaid credit.
    struct Resource: Sendable {
        /// What each slot brings.
        var slots: [Double]
        /// Whether what a slot leaves is still there in the next one.
        var keeps: [Bool]
        /// What comes at once, and again each minute; nil where it does not come so.
        var perMinute: Double?
    }

    /// How well a way suits, before its price is asked: own keys with a known price, own ones without, shared capacity.
    enum Rank: Int, Sendable { case known, unknown, shared }

    /// One way for a flow's jobs: a key, perhaps on credit or another of its terms.
    struct Way: Sendable {
        var key: Int
        var rank: Rank
        /// Nano-dollars a job.
        var cost: Double
        /// What a job takes of the resources.
        var takes: [(resource: Int, amount: Double)]
        /// On provisioned throughput, of which each minute has only so much.
        var isProvisioned = false
    }

    struct Demand: Sendable {
        var flow: FlowID
        var jobs: Int
        /// The slots in which it may be sent.
        var slots: [Int]
        var ways: [Way]
    }

    /// A limit of a key, in requests or in tokens.
    struct Share: Sendable {
        var resource: Int
        var isTokens: Bool
    }

    /// Whether some flow cannot be in time.
    var isShort: Bool { portions.values.contains { $0.isShort } }

    /// What the plan has for a flow.
    struct Portion: Sendable {
        /// Jobs that each key still takes in the present slot.
        var now: [Int]
        /// Those of them that are to go only while there is provisioned throughput for them.
        var provisioned: [Int]
        /// Jobs that each key is to take in a minute, where it is bound by requests as well as by tokens and has several
        /// flows: one that takes much of the one would leave nothing of it to those that need the other.
        var pace: [Int: Int] = [:]
        /// Keys that take some later.
        var later: Set<Int> = []
        /// Some of its jobs cannot be in time.
        var isShort = false

        /// It had something for the present slot when it was made.
        var hadNow = false
        /// All that it had for the present slot is sent.
        var isSpent: Bool { hadNow && !now.contains { $0 > 0 } }

        func uses(_ key: Int) -> Bool { now[key] > 0 || later.contains(key) }
    }

    private(set) var portions: [FlowID: Portion] = [:]
    /// What is left of each resource for work that is not planned.
    private var spare: [Double] = []
    private let shares: [[Share]]
    /// Keys that the plan has work for, now or later.
    private var usedKeys: Set<Int> = []

    /// `shares` says for each key which resources its limits are.
    init(_ demands: [Demand], resources: [Resource], shares: [[Share]]) {
        self.shares = shares
        let places = Self.places(of: demands, resources)
        let solution = Self.solve(demands, resources, places)
        for (d, demand) in demands.enumerated() {
            let nothing = [Int](repeating: 0, count: shares.count)
            var portion = Portion(now: nothing, provisioned: nothing)
            portion.isShort = solution.lacking[d] >= 0.5
            var (exact, free) = (nothing.map { _ in 0.0 }, nothing.map { _ in 0.0 })
            for (place, jobs) in zip(places, solution.jobs) where place.demand == d && jobs > 1e-6 {
                let way = demand.ways[place.way]
                if place.slot > 0 {
                    portion.later.insert(way.key)
                } else if way.isProvisioned {
                    free[way.key] += jobs
                } else {
                    exact[way.key] += jobs
                }
            }
            // What can wait rounds down, so that it takes nothing of what cannot.
            let isFlexible = !portion.later.isEmpty
            portion.provisioned = free.map { Int($0.rounded(.up)) }
            portion.now = zip(Self.whole(exact, isFlexible: isFlexible), portion.provisioned).map { $0 + $1 }
            portion.hadNow = portion.now.contains { $0 > 0 }
            portions[demand.flow] = portion
            usedKeys.formUnion(shares.indices.filter(portion.uses))
        }
        spare = resources.indices.map { Self.rest(of: $0, resources[$0], demands, places, solution.jobs) }
        for key in shares.indices { setPace(of: key, resources) }
    }

    /// Whole jobs, as many in all as the parts make: the keys that lose most by rounding down get the missing ones. None of
    /// them when the rest can be done later.
    private static func whole(_ exact: [Double], isFlexible: Bool) -> [Int] {
        var jobs = exact.map { Int($0 + 1e-6) }
        if isFlexible { return jobs }
        let missing = Int(exact.reduce(0, +).rounded()) - jobs.reduce(0, +)
        let order = exact.indices.sorted { a, b in
            let (x, y) = (exact[a] - Double(jobs[a]), exact[b] - Double(jobs[b]))
            return x != y ? x > y : a < b
        }
        for key in order.prefix(max(0, missing)) { jobs[key] += 1 }
        return jobs
    }

    private mutating func setPace(of key: Int, _ resources: [Resource]) {
        let flows = portions.keys.filter { portions[$0]!.now[key] > 0 }
        guard flows.count > 1 else { return }
        let uses = shares[key].compactMap { share -> (part: Double, minutes: Double)? in
            let resource = resources[share.resource]
            guard let perMinute = resource.perMinute, resource.slots[0] > 0 else { return nil }
            let used = resource.slots[0] - spare[share.resource]
            return (used / resource.slots[0], used / perMinute)
        }
        guard uses.count(where: { $0.part > 0.5 }) > 1 else { return }
        // The key is through with all of it in so many minutes, and so should each flow be.
        let minutes = max(1, uses.map(\.minutes).max()!)
        for flow in flows {
            portions[flow]!.pace[key] = Int((Double(portions[flow]!.now[key]) / minutes).rounded(.up))
        }
    }

    /// What of a resource nobody needs who is planned for, now or later.
    private static func rest(
        of r: Int, _ resource: Resource, _ demands: [Demand], _ places: [Place], _ jobs: [Double]
    ) -> Double {
        var least = Double.infinity
        var left = 0.0
        for slot in resource.slots.indices {
            if slot > 0, !resource.keeps[slot - 1] { break }
            left += resource.slots[slot]
            for (place, jobs) in zip(places, jobs) where place.slot == slot {
                for take in demands[place.demand].ways[place.way].takes where take.resource == r {
                    left -= jobs * take.amount
                }
            }
            least = min(least, left)
        }
        return least
    }

    /// Whether work outside of the plan may take a request with so many tokens of a key.
    func hasSpare(_ key: Int, tokens: Int) -> Bool {
        !usedKeys.contains(key)
            || shares[key].allSatisfy { share in spare[share.resource] + 1e-6 >= (share.isTokens ? Double(tokens) : 1) }
    }

    /// A job was sent: as planned for its flow, or from what is to spare.
    mutating func sent(_ flow: FlowID, key: Int, tokens: Int, isProvisioned: Bool) {
        if let left = portions[flow]?.now[key], left > 0 {
            portions[flow]!.now[key] = left - 1
            if isProvisioned { portions[flow]!.provisioned[key] = max(0, portions[flow]!.provisioned[key] - 1) }
        } else {
            for share in shares[key] { spare[share.resource] -= share.isTokens ? Double(tokens) : 1 }
        }
    }

    // MARK: The program

    /// One variable of the program: the share of a demand that a way takes in a slot.
    private struct Place {
        let demand: Int
        let way: Int
        let slot: Int
    }

    private static func places(of demands: [Demand], _ resources: [Resource]) -> [Place] {
        var places: [Place] = []
        for (d, demand) in demands.enumerated() {
            for way in demand.ways.indices {
                for slot in demand.slots where isOpen(demand.ways[way], in: slot, resources) {
                    places.append(Place(demand: d, way: way, slot: slot))
                }
            }
        }
        return places
    }

    private static func isOpen(_ way: Way, in slot: Int, _ resources: [Resource]) -> Bool {
        way.takes.allSatisfy { take in
            let resource = resources[take.resource]
            var last = slot
            while last > 0, resource.keeps[last - 1] { last -= 1 }
            return resource.slots[last...slot].reduce(0, +) >= take.amount
        }
    }

    private static func solve(
        _ demands: [Demand], _ resources: [Resource], _ places: [Place]
    ) -> (jobs: [Double], lacking: [Double]) {
        func jobs(_ place: Place) -> Double { Double(demands[place.demand].jobs) }
        func way(_ place: Place) -> Way { demands[place.demand].ways[place.way] }
        let dearest = max(1, places.map { way($0).cost * jobs($0) }.max() ?? 1)
        let all = max(1, places.map(jobs).max() ?? 1)
        func costs(of rank: Rank) -> [Double] {
            places.map { way($0).rank == rank ? max(1, way($0).cost) * jobs($0) / dearest : 0 }
        }
        var program = LinearProgram(
            variables: places.count,
            costs: [
                costs(of: .shared), costs(of: .unknown), places.map { way($0).cost * jobs($0) / dearest },
                // Of equally good plans the one that waits for nothing.
                places.map { Double($0.slot) * jobs($0) / all },
            ])
        for (d, demand) in demands.enumerated() {
            let own = places.indices.filter { places[$0].demand == d }
            program.demand(own.map { ($0, 1) }, of: 1, weight: Double(demand.jobs) / all)
        }
        for (r, resource) in resources.enumerated() {
            limit(&program, r, resource, demands, places)
        }
        let solution = program.solve()
        return (
            zip(places, solution.variables).map { jobs($0) * $1 },
            zip(demands, solution.left).map { Double($0.jobs) * $1 }
        )
    }

    /// A resource's limits, one for each stretch of slots that ends with a slot and shares what it brings.
    private static func limit(
        _ program: inout LinearProgram, _ r: Int, _ resource: Resource, _ demands: [Demand], _ places: [Place]
    ) {
        var start = 0
        var brought = 0.0
        for slot in resource.slots.indices {
            if slot > 0, !resource.keeps[slot - 1] { (start, brought) = (slot, 0) }
            brought += resource.slots[slot]
            var most = 0.0
            var terms: [LinearProgram.Term] = []
            for (p, place) in places.enumerated() where place.slot >= start && place.slot <= slot {
                let demand = demands[place.demand]
                for take in demand.ways[place.way].takes where take.resource == r {
                    terms.append((p, take.amount * Double(demand.jobs)))
                    most += take.amount * Double(demand.jobs)
                }
            }
            // What nobody can use up is no limit.
            if most > brought, brought > 0 { program.limit(terms.map { ($0.variable, $0.factor / brought) }, to: 1) }
        }
    }
}
