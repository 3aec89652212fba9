import OffpeakConfiguration
import OffpeakCore
import OffpeakForecast

/// What could be done instead of a plan.
struct PlanChoices {
    let planner: Planner

    static let platform = "all on the platform"
    static let own = "own keys only"
    static let routed = "own keys through the platform"
    static let noSpill = "no spill"

    private var configuration: Configuration { planner.configuration }

    /// The classes of the jobs that were asked for.
    private var policies: [ClassPolicy] {
        let names = Set(planner.inputs.work.filter(\.isAsked).map(\.flow.className))
        return configuration.classes.filter { names.contains($0.name) }
    }

    private func keys(_ policy: ClassPolicy) -> [KeyDescriptor] {
        configuration.keys(for: policy).filter(\.enabled)
    }

    // MARK: Other keys

    // Each alternative stays within the keys that a class may use, so that none is for a class that forbids it.

    /// Alternatives that are forecast whatever the plan comes to.
    var variants: [PlanVariant] {
        [
            variant(Self.platform) { $0.billing == .platform },
            variant(Self.routed) { $0.billing == .routerBYOK },
        ].compactMap { $0 }
    }

    /// Alternatives that only a plan has which uses shared capacity, or spills.
    func variants(to main: ForecastResult) -> [PlanVariant] {
        var variants: [PlanVariant] = []
        if main.shares.contains(where: { $0.route.bill == .platform }),
            let own = variant(Self.own, admits: { $0.billing != .platform })
        {
            variants.append(own)
        }
        if main.spilledJobs > 0 {
            let classes = policies.filter { $0.objective == .cost || $0.shared == .spill }
            variants.append(PlanVariant(name: Self.noSpill, classes: Set(classes.map(\.name)), isUnhurried: true))
        }
        return variants
    }

    /// In which order they are shown.
    static func rank(_ variant: PlanVariant) -> Int {
        [platform, own, routed, noSpill].firstIndex(of: variant.name) ?? 4
    }

    private func variant(_ name: String, admits: @escaping @Sendable (KeyDescriptor) -> Bool) -> PlanVariant? {
        let classes = policies.filter { policy in
            let all = keys(policy)
            return all.contains(where: admits) && !all.allSatisfy(admits)
        }
        return classes.isEmpty ? nil : PlanVariant(name: name, classes: Set(classes.map(\.name)), admits: admits)
    }

    // MARK: Cheaper lanes

    private static let laneTime = Interval.hours(24)

    /// What the plan's answers would cost on the cheaper lanes of the keys that have them.
    func lanes(of main: ForecastResult) -> [Plan.Alternative] {
        [Lane.batch, .flex].compactMap { lane in
            var charge = Charge()
            var isCheaper = false
            var unpriced = Unpriced()
            for share in main.shares {
                let other = self.charge(of: share, on: lane)
                if other == nil, configuration.isUnpriced(share.route, share.usage) { unpriced.add(share) }
                isCheaper = isCheaper || other != nil
                charge = charge + (other ?? share.charge)
            }
            guard isCheaper else { return nil }
            let finish = lane == .batch ? planner.inputs.now + Self.laneTime : main.finish
            return Plan.Alternative(
                name: Self.name(of: lane), finish: finish, charge: charge, jobs: main.answered,
                meetsDeadline: Planner.tightest(main).map { tightest in
                    finish.map { $0 <= tightest.deadline! } ?? false
                }, unpriced: unpriced)
        }
    }

    private static func name(of lane: Lane) -> String { "\(lane.rawValue) lane" }

    /// Nil where neither the key has the lane, with a price of its own for it, nor another that all the classes may use.
    private func charge(of share: ForecastResult.Share, on lane: Lane) -> Charge? {
        guard share.jobs > 0, share.route.lane != lane, let own = configuration.key(share.route.key) else { return nil }
        func price(_ key: KeyDescriptor) -> ModelPrice? {
            guard key.enabled, key.lanes.contains(lane) else { return nil }
            let price = configuration.priceBook.price(of: key, model: share.route.model)
            return price?.lanes[lane] == nil ? nil : price
        }
        let others = configuration.keys.filter { key in policies.allSatisfy { $0.admits(key) } }
        guard let key = ([own] + others).first(where: { price($0) != nil }), let price = price(key) else { return nil }
        let length = share.usage.inputTokens / share.jobs
        let value = price.rates(inputTokens: length, lane: lane).cost(of: share.usage)
        if key.isShared { return Charge(platform: value, list: share.charge.list) }
        // Credit is used first, as it was in the plan, and a platform keeps its fee.
        let credit = key.name == own.name ? min(value, share.charge.credit) : .zero
        let fee = key.name == own.name ? share.charge.platform : .zero
        return Charge(provider: value - credit, platform: fee, credit: credit, list: share.charge.list)
    }

    // MARK: Notes

    /// What has to be known of the alternatives that are shown.
    func notes(shown: [String], _ main: ForecastResult) -> [String] {
        var notes: [String] = []
        let hurried = hurriedForFlex(main)
        for lane in [Lane.batch, .flex] where shown.contains(Self.name(of: lane)) {
            notes.append(
                lane == .batch
                    ? "batch lane: half-price batch APIs answer within 24 h; offpeak does not use them yet"
                    : "flex lane: \(hurried.isEmpty ? "the class's `lanes` leave it out; " : "")taken to answer as fast"
            )
        }
        notes += hurried
        let hasPlatform = configuration.keys.contains { $0.enabled && $0.isShared }
        let bound = policies.filter { hasPlatform && !keys($0).contains(where: \.isShared) }.map { policy in
            (name: policy.name, posture: policy.isClosed ? policy.posture.rawValue : nil)
        }
        return notes
            + bound.grouped { $0.posture == $1.posture }.map { classes in
                let (names, posture) = (classes.map(\.name), classes[0].posture)
                return names.count == 1
                    ? "class \(names[0]) \(posture.map { "is \($0)" } ?? "uses no shared capacity"): no alternative takes it "
                        + "off its own keys"
                    : "classes \(names.listed()) \(posture.map { "are \($0)" } ?? "use no shared capacity"): no alternative takes "
                        + "them off their own keys"
            }
    }

    /// Why lane sync serves what flex could: an answer there might come after the deadline.
    private func hurriedForFlex(_ main: ForecastResult) -> [String] {
        let hurried: [(name: String, time: String, advice: Bool)] = policies.compactMap { policy in
            let flows = planner.inputs.work.map(\.flow).filter { flow in
                flow.className == policy.name && main.tooHurriedForFlex.contains(flow.id)
            }
            guard let deadline = flows.compactMap(\.deadline).max() else { return nil }
            // Below that, no time in which flex could answer leaves enough for lane sync.
            let advice = deadline - planner.inputs.now > .minutes(1)
            return (policy.name, policy.timeout(in: .flex).durationText, advice)
        }
        return hurried.grouped { $0.time == $1.time && $0.advice == $1.advice }.map { classes in
            let (time, advice) = (classes[0].time, classes[0].advice)
            return
                "\(Words.list("class", plural: "classes", classes.map(\.name))): lane sync serves, not flex: an answer there may take \(time), "
                + "and after that lane sync could not do all by the deadline"
                + (advice ? "; with a shorter `timeout`, flex may be used" : "")
        }
    }
}
