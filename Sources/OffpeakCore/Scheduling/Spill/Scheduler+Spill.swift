/// The plan that is in force, and what it was made from.
struct PlanInForce: Sendable {
    /// Nil when no flow has a deadline to keep.
    var plan: SpillPlan?
    var made = Timestamp.distantPast
    /// When it must be made anew if anybody asks.
    var until = Timestamp.distantPast
    /// When it must be asked again.
    var wake = Timestamp.distantFuture
    /// Something has changed since; a key's or a class's state, even.
    var isStale = true
    var isOverturned = false
    /// The keys' and classes' states at the time.
    var states: [Int] = []
    /// The highest priority of what is planned.
    var priority = 0
    /// What flows that must keep to a pace sent lately.
    var recent: [FlowID: [Int: RecentSends]] = [:]
    /// While one pass lasts: something waits by the plan, and until when at the latest.
    var isWaitedFor = false
    var waitsUntil = Timestamp.distantFuture
}

extension Scheduler {
    /// A plan is made anew after this time at the latest; sooner when something has changed, or a deadline is near.
    private static let planLasts = Interval.seconds(10)
    /// But not more often than this; and when a key fails or comes back, not more often than that.
    private static let planStands = Interval.seconds(1)
    private static let planStandsFailures = Interval.milliseconds(100)

    /// The offer to take for a job of a class that saves, or that spills to shared capacity; nil when it should wait, though
    /// a key has room: for cheaper ones that will get through the work in time, or since other work needs that key.
    ///
    /// Offers that are held back get an obstacle that says so.
    mutating func thriftiest(
        of offers: inout [RouteOffer], for state: FlowState, ladder: JobLadder?, at now: Timestamp
    ) -> RouteOffer? {
        let (objective, shared) = (classes[state.classIndex].policy.objective, classes[state.classIndex].policy.shared)
        guard let best = Self.best(of: offers, by: objective) else { return nil }
        // A class by another objective takes its own keys as it likes.
        guard objective == .cost || best.isShared, shared == .spill || !best.isShared else { return best }
        refreshPlan(with: state, at: now)
        if let portion = planInForce.plan?.portions[state.flow.id] {
            return planned(portion, of: &offers, for: state, ladder: ladder, at: now)
        }
        return unplanned(best, of: &offers, for: state, ladder: ladder, at: now)
    }

    static func best(of offers: [RouteOffer], by objective: Objective) -> RouteOffer? {
        best(of: offers, by: objective) { $0.obstacle == nil }
    }

    /// The first of the best among some offers, without copying the others.
    private static func best(
        of offers: [RouteOffer], by objective: Objective, where admits: (RouteOffer) -> Bool
    ) -> RouteOffer? {
        var best: Int?
        for i in offers.indices where admits(offers[i]) {
            if best.map({ offers[i].goesBefore(offers[$0], by: objective) }) ?? true { best = i }
        }
        return best.map { offers[$0] }
    }

    /// The cheapest of the keys that the plan has for the flow.
    private mutating func planned(
        _ portion: SpillPlan.Portion, of offers: inout [RouteOffer], for state: FlowState, ladder: JobLadder?,
        at now: Timestamp
    ) -> RouteOffer? {
        var paced: [Int: Timestamp] = [:]
        for offer in offers where offer.obstacle == nil && portion.now[offer.key] > 0 {
            paced[offer.key] = turn(of: state.flow.id, portion, for: offer, at: now)
        }
        let mine = Self.best(of: offers, by: .cost) { offer in
            offer.obstacle == nil && portion.now[offer.key] > 0 && paced[offer.key] == nil
        }
        if let mine {
            for i in offers.indices where offers[i].obstacle == nil && offers[i].goesBefore(mine, by: .cost) {
                offers[i].obstacle = leftToOthers(offers[i].key)
            }
            return mine
        }
        if portion.isSpent { planInForce.isStale = true }
        // The job's ladder may have led it away from a key, to another of its own.
        func isLeft(_ key: Int) -> Bool { ladder?.avoided[key].map { $0 > now } ?? false }
        let used = offers.filter { portion.uses($0.key) }
        if !used.isEmpty, used.allSatisfy({ $0.obstacle?.needsPerson == true }) {
            return beside(&offers, for: state, at: now)
        }
        let hasOwn = offers.contains { $0.obstacle == nil && !$0.isShared }
        let awaited = used.filter { offer in
            guard let obstacle = offer.obstacle else { return true }
            if isLeft(offer.key), hasOwn { return false }
            return obstacle.isPace || (!obstacle.needsPerson && obstacle.until != nil)
        }
        let inTime = awaited.filter { offer in
            guard let until = offer.obstacle?.until ?? paced[offer.key] else { return true }
            return until + latency(of: offer.key) <= state.flow.deadline ?? .distantFuture
        }
        if isImpatient, inTime.allSatisfy({ !($0.obstacle?.isPace ?? true) }) {
            // All that is waited for is down or used up.
            let own = Self.best(of: offers, by: .cost) { $0.obstacle == nil && !$0.isShared }
            if let own { return own }
        }
        if inTime.isEmpty || (portion.isShort && !portion.isSpent && !portion.now.contains { $0 > 0 }) {
            // What waits any longer is late; or is so already; or its own failures keep it from its keys.
            let free = Self.best(of: offers, by: .cost) { offer in
                guard offer.obstacle == nil else { return false }
                return !awaited.isEmpty || used.contains { isLeft($0.key) }
                    || (portion.isShort && planInForce.plan!.hasSpare(offer.key, tokens: offer.tokens))
            }
            if let free { return free }
        }
        guard let first = inTime.first else { return wait(for: &offers) }
        let until = inTime.compactMap { $0.obstacle?.until ?? paced[$0.key] }.min()
        return wait(for: &offers, since: first, until: until)
    }

    /// Nothing goes now, since a key that the plan has for it will have room in time.
    private mutating func wait(
        for offers: inout [RouteOffer], since first: RouteOffer, until: Timestamp?
    ) -> RouteOffer? {
        if let until { planInForce.waitsUntil = min(planInForce.waitsUntil, until) }
        let open = offers.filter { $0.obstacle == nil && $0.key != first.key }
        let isCheaper = !open.isEmpty && open.allSatisfy { first.goesBefore($0, by: .cost) }
        let trouble = first.obstacle.flatMap { $0.isPace ? nil : $0.reason }
        let outlook = trouble.map { "should be back in time: \($0)" } ?? "has room in time"
        let reason = "key \(keys[first.key].name)\(isCheaper ? " is cheaper and" : "") \(outlook)"
        hold(back: &offers, KeyObstacle(reason: reason, until: until, isWithheld: true, isPlanned: true))
        planInForce.isWaitedFor = true
        return nil
    }

    /// A job unlike the rest of its flow, which the keys that the plan has for the flow never take, as one that is larger than
    /// a key's whole quota: it goes by another as soon as no work with a sooner deadline needs that one.
    private mutating func beside(
        _ offers: inout [RouteOffer], for state: FlowState, at now: Timestamp
    ) -> RouteOffer? {
        let plan = planInForce.plan!
        let deadline = state.flow.deadline!
        let best = Self.best(of: offers, by: .cost) { offer in
            guard offer.obstacle == nil else { return false }
            return plan.hasSpare(offer.key, tokens: offer.tokens)
                || plan.portions.allSatisfy { id, portion in
                    guard portion.uses(offer.key), let other = flows[id]?.flow.deadline else { return true }
                    return deadline <= other
                }
        }
        guard let best else { return wait(for: &offers) }
        // No plan says how much room a cheaper one has until the deadline, but while that is far it will have some.
        let cheaper = offers.first { offer in
            let until = (offer.obstacle?.until ?? now) + max(Self.nearDeadline, latency(of: offer.key) * 8)
            return offer.obstacle?.isPace == true && offer.goesBefore(best, by: .cost) && until < deadline
        }
        return cheaper.map { wait(for: &offers, since: $0, until: $0.obstacle?.until) } ?? best
    }

    /// A key's mean answer time; zero while unknown.
    private func latency(of key: Int) -> Interval { .milliseconds(Int64(keys[key].latency / 1_000)) }

    /// With less time left, what no plan has a key for takes any.
    private static let nearDeadline = Interval.seconds(30)

    /// Nothing goes now: the plan, or the next one, will have a key for it.
    private mutating func wait(for offers: inout [RouteOffer]) -> RouteOffer? {
        for i in offers.indices where offers[i].obstacle == nil { offers[i].obstacle = leftToOthers(offers[i].key) }
        planInForce.isWaitedFor = true
        return nil
    }

    /// Work without a deadline, or that is late already, takes what the plan leaves; the former waits for cheap keys.
    private mutating func unplanned(
        _ best: RouteOffer, of offers: inout [RouteOffer], for state: FlowState, ladder: JobLadder?, at now: Timestamp
    ) -> RouteOffer? {
        var best = best
        if let plan = planInForce.plan, priority(of: state) <= planInForce.priority, ladder == nil {
            for i in offers.indices where offers[i].obstacle == nil {
                guard !plan.hasSpare(offers[i].key, tokens: offers[i].tokens) else { continue }
                offers[i].obstacle = leftToOthers(offers[i].key)
            }
            guard let left = Self.best(of: offers, by: .cost) else {
                planInForce.isWaitedFor = true
                return nil
            }
            best = left
        }
        if let deadline = state.flow.deadline, deadline <= now { return best }
        // Without a deadline nothing has to spill.
        let cheaper = offers.filter { offer in
            offer.obstacle?.isPace == true && offer.goesBefore(best, by: .cost)
        }
        guard let first = cheaper.first else { return best }
        hold(
            back: &offers,
            KeyObstacle(
                reason: "key \(keys[first.key].name) is cheaper and will have room",
                until: cheaper.compactMap { $0.obstacle?.until }.min(), isWithheld: true, isPlanned: true))
        return nil
    }

    private func hold(back offers: inout [RouteOffer], _ obstacle: KeyObstacle) {
        for i in offers.indices where offers[i].obstacle == nil { offers[i].obstacle = obstacle }
    }

    private func leftToOthers(_ key: Int) -> KeyObstacle {
        KeyObstacle(
            reason: "key \(keys[key].name) is held by the plan that keeps the deadlines", isWithheld: true,
            isPlanned: true)
    }

    // MARK: Pace

    /// When a flow that has had its part of a key's minute, or of its provisioned throughput, may send again; nil: now.
    private mutating func turn(
        of flow: FlowID, _ portion: SpillPlan.Portion, for offer: RouteOffer, at now: Timestamp
    ) -> Timestamp? {
        if let pace = portion.pace[offer.key],
            let until = planInForce.recent[flow, default: [:]][offer.key, default: RecentSends()].full(pace, at: now)
        {
            return until
        }
        guard portion.now[offer.key] <= portion.provisioned[offer.key] else { return nil }
        return keys[offer.key].account.provisionedRoom(offer.tokens, at: now)
    }

    /// A job of a flow is sent.
    mutating func notePlanned(_ flow: FlowID, key: Int, tokens: Int, isProvisioned: Bool, at now: Timestamp) {
        guard planInForce.plan != nil else { return }
        planInForce.plan!.sent(flow, key: key, tokens: tokens, isProvisioned: isProvisioned)
        guard planInForce.plan!.portions[flow] != nil, keys[key].limiter.limits.tpm != nil || keys[key].pool != nil
        else {
            return
        }
        planInForce.recent[flow, default: [:]][key, default: RecentSends()].append(now)
    }

    // MARK: Renewal

    /// When what waits by the plan must be looked at again: what has plenty of time now has less of it later.
    func planWake(at now: Timestamp) -> Timestamp? {
        guard planInForce.isWaitedFor else { return nil }
        let moment = planInForce.isStale ? planInForce.made + shortestStand : planInForce.wake
        return max(min(moment, planInForce.waitsUntil), now + .milliseconds(1))
    }

    private var shortestStand: Interval { planInForce.isOverturned ? Self.planStandsFailures : Self.planStands }

    private mutating func refreshPlan(with state: FlowState, at now: Timestamp) {
        let age = now - planInForce.made
        guard age >= shortestStand || age < .zero else { return }
        guard planInForce.isStale || now >= planInForce.until || age < .zero else { return }
        // The flow in hand is taken out of `flows` while it is served.
        let known = flows.updateValue(state, forKey: state.flow.id)
        let due = flowsToPlan(at: now)
        var fresh = PlanInForce(made: now, until: now + Self.planLasts, isStale: false, states: statesForPlan)
        if let soonest = due.first?.flow.deadline {
            fresh.plan = makePlan(for: due, at: now)
            fresh.priority = due.map { priority(of: $0) }.max()!
            let rest = (soonest - now).milliseconds
            fresh.until = now + max(Self.planStands, min(Self.planLasts, .milliseconds(rest / 64)))
            // For its own sake nobody is woken often.
            fresh.wake = now + max(Self.planStands, min(.minutes(10), .milliseconds(rest / 8)))
        }
        (fresh.isWaitedFor, fresh.waitsUntil) = (planInForce.isWaitedFor, planInForce.waitsUntil)
        fresh.recent = planInForce.recent.filter { fresh.plan?.portions[$0.key] != nil }
        planInForce = fresh
        if known == nil { flows.removeValue(forKey: state.flow.id) }
    }

    /// Before a pass: notes what makes another plan necessary.
    mutating func watchPlan() {
        (planInForce.isWaitedFor, planInForce.waitsUntil) = (false, .distantFuture)
        if !planInForce.isOverturned, statesForPlan != planInForce.states {
            (planInForce.isStale, planInForce.isOverturned) = (true, true)
        }
    }

    /// What makes another plan necessary at once: keys that fail or come back, windows, pauses.
    private var statesForPlan: [Int] {
        keys.map { key in
            var bits = (key.isPaused ? 1 : 0) | (key.breaker.isTripped ? 2 : 0) | (key.flex.isResting ? 16 : 0)
            switch key.health {
            case .ok: break
            case .exhausted: bits |= 4
            case .rejected: bits |= 8
            }
            return bits
        } + classes.map { ($0.isPaused ? 1 : 0) | ($0.isOpen ? 2 : 0) }
    }
}
