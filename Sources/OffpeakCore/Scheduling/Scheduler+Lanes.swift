/// In which lane a job travels on a key: the first that the class and the key have in common, whose price is known, and
/// that nothing is against now.
struct LaneChoice: Sendable {
    var lane = Lane.sync
    /// Why not one before it.
    var passedOver: KeyObstacle?
    /// Why in none at all; `lane` is the last that was tried then.
    var obstacle: KeyObstacle?
}

/// Whether a flow's work on a key can wait for flex, as it was found lately.
struct LaneVerdict: Sendable {
    let key: Int
    let at: Timestamp
    let isInTime: Bool
}

extension Scheduler {
    /// A verdict holds for so long.
    private static let verdictLasts = Interval.seconds(1)
    /// Between two looks at whether there still is time to wait for flex; the verdict leaves as much to spare.
    private static let looksAgain = Interval.seconds(5)
    /// What an answer in lane sync is taken to need while nothing is known of it.
    static let blindLatency = Interval.seconds(10)

    mutating func lane(
        _ key: Int, _ model: String?, _ ticket: JobTicket, _ state: FlowState, avoidsFlex: Bool = false,
        at now: Timestamp
    ) -> LaneChoice {
        guard classes[state.classIndex].usesFlex, let model else { return LaneChoice() }
        let lanes = classes[state.classIndex].lanes[key]
        var choice = LaneChoice(lane: lanes.last ?? .sync)
        for (place, lane) in lanes.enumerated() {
            let hasNext = lanes[(place + 1)...].contains(.sync)
            if lane == .flex, avoidsFlex, hasNext {
                choice.passedOver = KeyObstacle(
                    reason: "lane flex: it gave this job no answer in time", isExhausted: true)
                continue
            }
            guard lane == .flex, let obstacle = flexObstacle(key, model, ticket, state, hasNext: hasNext, at: now)
            else { return LaneChoice(lane: lane, passedOver: choice.passedOver) }
            choice.passedOver = obstacle
            if hasNext, waitsForFlex(key, model, obstacle, ticket, state, at: now) {
                // A deadline does not wait for a long rest: whether there still is time is looked at again and again.
                let again = state.flow.deadline.map { _ in now + Self.looksAgain }
                let until = [obstacle.until, again].compactMap { $0 }.min()
                let wait = KeyObstacle(reason: obstacle.reason, until: until)
                return LaneChoice(lane: .flex, passedOver: obstacle, obstacle: wait)
            }
        }
        choice.obstacle = choice.passedOver
        return choice
    }

    /// Whether work that is to be cheap waits for room in flex instead of paying for lane sync: with a deadline as long as sync
    /// could still do all of it in time; without one until flex has been out of room several times in a row.
    private mutating func waitsForFlex(
        _ key: Int, _ model: String, _ obstacle: KeyObstacle, _ ticket: JobTicket, _ state: FlowState,
        at now: Timestamp
    ) -> Bool {
        guard classes[state.classIndex].policy.objective == .cost, !obstacle.needsPerson,
            keys[key].flex.isShort(of: model, at: now)
        else { return false }
        if state.flow.deadline == nil { return !keys[key].flex.isOut }
        return isFlexInTime(key, ticket, state, at: now)
    }

    /// Why a job does not travel in flex on a key now.
    private mutating func flexObstacle(
        _ key: Int, _ model: String, _ ticket: JobTicket, _ state: FlowState, hasNext: Bool, at now: Timestamp
    ) -> KeyObstacle? {
        func never(_ reason: String, isOfJob: Bool = false) -> KeyObstacle {
            let failure = Failure(.modelUnavailable, code: "no_lane", message: reason, judged: false)
            return KeyObstacle(reason: reason, needsPerson: true, failure: failure, isOfJob: isOfJob)
        }
        guard state.flow.endpoint == .chatCompletions || state.flow.endpoint == .responses else {
            return never("lane flex: the endpoint is not offered there")
        }
        guard price(key, model).own?.lanes[.flex] != nil else {
            return never("lane flex: the price of \(model) is unknown there")
        }
        if ticket.namesTier { return never("lane flex: the request names its own service_tier", isOfJob: true) }
        if keys[key].flex.missingModels.contains(model), !hasNext {
            return never("lane flex: the provider does not offer the model there")
        }
        if let resting = keys[key].flex.obstacle(model, at: now) { return resting }
        guard hasNext, !isFlexInTime(key, ticket, state, at: now) else { return nil }
        return KeyObstacle(reason: "lane flex: too slow for the deadline", isExhausted: true)
    }

    /// Whether everything that is due until the flow's deadline would still be in time in lane sync if all that flex has
    /// by now, and what it gets in this second, came to nothing.
    private mutating func isFlexInTime(
        _ key: Int, _ ticket: JobTicket, _ state: FlowState, at now: Timestamp
    ) -> Bool {
        guard let deadline = state.flow.deadline else { return true }
        if let known = laneVerdicts[state.flow.id]?.first(where: { $0.key == key }), known.at <= now,
            now < known.at + Self.verdictLasts
        {
            return known.isInTime
        }
        let isInTime = flexLeavesTime(key, ticket, state, until: deadline, at: now)
        laneVerdicts[state.flow.id, default: []].removeAll { $0.key == key }
        laneVerdicts[state.flow.id, default: []].append(LaneVerdict(key: key, at: now, isInTime: isInTime))
        return isInTime
    }

    /// Whether a flow's work travels in lane sync on a key since an answer in flex could come too late for its deadline.
    package func leavesFlex(of key: String, for flow: FlowID) -> Bool {
        laneVerdicts[flow]?.contains { !$0.isInTime && keys[$0.key].name == key } ?? false
    }

    private func flexLeavesTime(
        _ key: Int, _ ticket: JobTicket, _ state: FlowState, until deadline: Timestamp, at now: Timestamp
    ) -> Bool {
        let longest = classes[state.classIndex].policy.timeout(in: .flex)
        let known = max(keys[key].latency, keys[key].latency == 0 ? keys[key].flex.latency : 0)
        let latency = known == 0 ? Self.blindLatency : Interval.milliseconds(Int64((known + 999) / 1_000))
        let end = deadline - longest - latency - latency - Self.looksAgain
        guard end > now else { return false }
        let due = jobsDue(on: key, until: deadline, with: state)
        // A little more than there is: answers fail, and sizes differ.
        let jobs = due + due / 8 + 2
        let tokens = reservation(
            key,
            state.forecast.tokens(
                bodyBytes: ticket.bodyBytes, maxOutputTokens: ticket.maxOutputTokens, endpoint: state.flow.endpoint),
            ticket)
        func takes(_ limiter: AccountLimiter, atOnce: Int) -> Bool {
            let room = limiter.capacity(until: end, latency: latency, at: now)
            // A number of requests in flight that is still being looked for is what it is until more is known.
            let open = atOnce.multipliedReportingOverflow(
                by: Int((end - now).milliseconds / max(1, latency.milliseconds)))
            let (need, overflow) = jobs.multipliedReportingOverflow(by: tokens)
            return room.requests >= jobs && (open.overflow || open.partialValue >= jobs) && !overflow
                && room.tokens >= need
        }
        return takes(keys[key].limiter, atOnce: keys[key].limiter.concurrency.allowed)
            && keys[key].pool.map { takes(pools[$0], atOnce: .max) } ?? true
    }

    /// Jobs that are due on a key until a deadline: those that wait, and those under way in flex.
    private func jobsDue(on key: Int, until deadline: Timestamp, with state: FlowState) -> Int {
        func isDue(_ flow: Flow) -> Bool { flow.deadline.map { $0 <= deadline } ?? false }
        var jobs = state.unsent + keys[key].flex.inFlight
        for index in classes.indices where classes[index].candidates.contains(key) {
            for id in classes[index].flows where id != state.flow.id {
                if let other = flows[id], isDue(other.flow) { jobs += other.unsent }
            }
        }
        return jobs
    }

    // MARK: What an attempt in flex says

    /// Whether a failure is the lane's, and not the key's or the request's.
    func isOfLane(_ failure: Failure, _ flight: Flight) -> Bool {
        guard flight.spend.route.lane == .flex else { return false }
        switch failure.failureClass {
        case .overloaded, .modelUnavailable: return failure.judged
        case .timedOut: return true
        default: return false
        }
    }

    /// The lane rests, or lacks the model; of the key nothing is learned.
    mutating func learnOfLane(_ failure: Failure, _ flight: Flight, at now: Timestamp) {
        let key = flight.key
        keys[key].breaker.inconclusive()
        if failure.failureClass == .modelUnavailable {
            keys[key].flex.lacks(flight.model)
        } else {
            keys[key].flex.refused(sentAt: flight.sent, retryAfter: failure.retryAfter, at: now)
        }
    }

    /// What becomes of a job that flex had no room for: another lane or key takes it at once, or it waits until the lane is
    /// tried again. Neither uses up an attempt. Nil: the class's ladder decides.
    func afterLane(
        _ failure: Failure, _ flight: Flight, _ state: FlowState, at now: Timestamp
    ) -> (disposition: Disposition, reason: String)? {
        guard isOfLane(failure, flight), failure.failureClass != .timedOut else { return nil }
        let name = failure.failureClass.rawValue
        let lanes = classes[state.classIndex].lanes
        let sharesOther = classes[state.classIndex].candidates.contains { key in
            key != flight.key
                && keys[key].descriptor.providerModel(for: state.chain[flight.modelIndex], at: state.flow.endpoint)
                    != nil
        }
        if lanes[flight.key].contains(.sync) {
            if classes[state.classIndex].policy.objective == .cost {
                return (.retry(at: now), "\(name): no room in lane flex; it waits for that while there is time")
            }
            return (.retry(at: now), "\(name): no room in lane flex; the key's lane sync takes it")
        }
        if sharesOther { return (.retry(at: now), "\(name): no room in lane flex; another key may take it") }
        let until = max(keys[flight.key].flex.opensAt, now)
        return (.defer(until: until), "\(name): waits until lane flex is tried again")
    }
}
