extension Scheduler {
    /// Starts at most this many attempts at once, so that no transaction grows without bound.
    static let largestPass = 1_024

    /// Starts whatever fits now, notes why the rest does not, and says when to come back.
    package mutating func dispatch(at now: Timestamp, into effects: inout SchedulerEffects) {
        for i in keys.indices { (keys[i].fullInPass, keys[i].claimInPass) = (nil, nil) }
        watchPlan()
        for i in classes.indices { (classes[i].cursor, classes[i].hasWork) = (0, false) }
        var started = 0
        if !isDraining {
            gate(at: now, into: &effects)
            while started < Self.largestPass, let index = nextClass(at: now, into: &effects) {
                if start(from: index, at: now, into: &effects) { started += 1 }
            }
            if started == Self.largestPass { effects.wake(at: now) } else { noteIdleClasses() }
        }
        if let moment = planWake(at: now) { effects.wake(at: moment) }
        for i in keys.indices { note(key: i, at: now, into: &effects) }
    }

    /// The class whose turn it is: the highest priority, then the least served. Nil when none can send.
    private mutating func nextClass(at now: Timestamp, into effects: inout SchedulerEffects) -> Int? {
        var best: (index: Int, priority: Int, served: Int)?
        for i in classes.indices where !classes[i].flows.isEmpty {
            while classes[i].cursor < classes[i].flows.count,
                isIdle(classes[i].flows[classes[i].cursor], into: &effects)
            {
                classes[i].cursor += 1
            }
            guard classes[i].cursor < classes[i].flows.count, let flow = flows[classes[i].flows[classes[i].cursor]]
            else { continue }
            let priority = flow.flow.priority ?? classes[i].policy.priority
            join(i, priority)
            if let found = best, (found.priority, -found.served) >= (priority, -classes[i].served) { continue }
            best = (i, priority, classes[i].served)
        }
        if let best { level[best.priority] = max(level[best.priority] ?? 0, best.served) }
        return best?.index
    }

    /// A class has something to send. One that had nothing before gets no credit for that time: it starts level with
    /// the others. One that waited for its own keys keeps a minute's worth of credit, so that it cannot take everything
    /// for as long as it waited.
    private mutating func join(_ index: Int, _ priority: Int) {
        let level = level[priority] ?? 0
        let credit = classes[index].isBacklogged ? Self.minute : 0
        classes[index].served = max(classes[index].served, level - credit)
        (classes[index].isBacklogged, classes[index].hasWork) = (true, true)
    }

    /// Classes that had nothing to send in this pass, those aside whose next page is only being read.
    private mutating func noteIdleClasses() {
        for i in classes.indices where classes[i].isBacklogged && !classes[i].hasWork {
            let isReading = classes[i].flows.contains { flows[$0]?.isFetching == true }
            if !isReading || closure(of: classes[i]) != nil { classes[i].isBacklogged = false }
        }
    }

    /// Tells which flows a pause or a window holds back, and which it does not any more.
    private mutating func gate(at now: Timestamp, into effects: inout SchedulerEffects) {
        for i in classes.indices {
            let closure = closure(of: classes[i])
            if closure != nil { classes[i].cursor = classes[i].flows.count }
            if let until = closure?.until, !classes[i].flows.isEmpty { effects.wake(at: until) }
            for id in classes[i].flows {
                guard let state = flows[id] else { continue }
                let pause = state.flow.paused ? Hold(reason: "batch b\(state.flow.batch) is paused", until: nil) : nil
                if let hold = closure ?? pause {
                    guard isWorthTelling(hold, instead: state.hold, at: now) else { continue }
                    (flows[id]!.hold, flows[id]!.isGated) = (hold, true)
                    effects.holds.append((id, hold))
                } else if state.isGated {
                    (flows[id]!.hold, flows[id]!.isGated) = (nil, false)
                    effects.holds.append((id, nil))
                }
            }
        }
    }

    /// Why a class as a whole may not send now.
    func closure(of state: ClassState) -> Hold? {
        if state.isPaused { return Hold(reason: "class \(state.policy.name) is paused", until: nil) }
        if !state.isOpen {
            return Hold(reason: "the window of class \(state.policy.name) is closed", until: state.windowTurns)
        }
        return nil
    }

    /// Whether a flow has nothing to send; reads more of it when its page runs low.
    private mutating func isIdle(_ id: FlowID, into effects: inout SchedulerEffects) -> Bool {
        guard let state = flows[id], !state.flow.paused else { return true }
        if state.tickets.count < FlowState.page / 2 { fetch(id, into: &effects) }
        return state.tickets.isEmpty || state.isParking
    }

    /// Starts the next job of a class's current flow, or closes the flow for this pass.
    private mutating func start(from index: Int, at now: Timestamp, into effects: inout SchedulerEffects) -> Bool {
        let id = classes[index].flows[classes[index].cursor]
        // Taken out and put back, so that its arrays are changed in place.
        guard var state = flows.removeValue(forKey: id) else { return false }
        defer { flows[id] = state }
        // Jobs with a history of their own, or too large for some key, may have to wait for another; those behind need not.
        var position = state.tickets.count - 1
        var lowest = max(0, state.tickets.count - FlowState.lookahead)
        var soonest: KeyObstacle?
        while position >= lowest {
            let ticket = state.tickets[position]
            let ladder = ladders[ticket.id]
            switch choose(for: ticket, of: state, ladder: ladder, at: now) {
            case .key(let route):
                state.tickets.remove(at: position)
                state.startedSinceRead += 1
                state.lastStart = now
                begin(ticket, of: state.flow, route, at: now, into: &effects)
                if state.hold != nil {
                    state.hold = nil
                    effects.holds.append((id, nil))
                }
                return true
            case .none(let obstacle):
                let isLasting = obstacle.needsPerson && obstacle.failure != nil
                if isLasting && ladder != nil {
                    // Where its ladder has led it nothing goes any more: it begins anew, like the jobs behind it.
                    ladders[ticket.id] = nil
                    continue
                }
                if isLasting && obstacle.isOfJob {
                    state.tickets.remove(at: position)
                    stop(ticket, &state, by: obstacle, into: &effects)
                    (position, lowest) = (position - 1, max(0, lowest - 1))
                    continue
                }
                guard ladder != nil || obstacle.isOfJob else {
                    block(&state, by: obstacle, at: now, into: &effects)
                    classes[index].cursor += 1
                    return false
                }
                if let until = obstacle.until { effects.wake(at: until) }
                soonest = soonest.map { obstacle.endsBefore($0) ? obstacle : $0 } ?? obstacle
                position -= 1
            }
        }
        // All that is left of the flow are jobs that wait for certain keys. When nothing is left, more may be read.
        if let soonest { block(&state, by: soonest, at: now, into: &effects) }
        if !state.tickets.isEmpty { classes[index].cursor += 1 }
        return false
    }

    /// One job cannot go, and those behind it may.
    private func stop(
        _ ticket: JobTicket, _ state: inout FlowState, by obstacle: KeyObstacle, into effects: inout SchedulerEffects
    ) {
        guard let failure = obstacle.failure else { return }
        // It waits no more, like one that was started.
        state.startedSinceRead += 1
        effects.stops.append(
            JobStop(
                job: ticket.id, flow: ticket.flow, lease: ticket.lease, state: obstacle.fails ? .failed : .parked,
                failure: failure))
    }

    /// No key takes the flow's jobs now.
    private mutating func block(
        _ state: inout FlowState, by obstacle: KeyObstacle, at now: Timestamp, into effects: inout SchedulerEffects
    ) {
        if let until = obstacle.until { effects.wake(at: until) }
        if obstacle.needsPerson, let failure = obstacle.failure,
            obstacle.parks || obstacle.fails
                || classes[state.classIndex].policy.ladders[failure.failureClass]?.last == .park
        {
            state.isParking = true
            state.tickets = []
            state.mayHaveMore = false
            if obstacle.fails {
                effects.failings.append((state.flow.id, failure))
            } else {
                effects.parkings.append((state.flow.id, failure))
            }
            return
        }
        var hold = Hold(reason: obstacle.reason, until: obstacle.until)
        var isPace =
            obstacle.isOpenEnded || (obstacle.until == nil && !obstacle.needsPerson) || isShort(hold, at: now)
        if isPace, obstacle.isPlanned {
            // A key may have room all the while: who sees nothing sent is to know why.
            let tells = state.lastStart + Self.planTellsAfter
            isPace = now < tells
            if isPace { effects.wake(at: tells) }
            (hold.until, hold.isPassing) = (nil, true)
        }
        if !isPace, isWorthTelling(hold, instead: state.hold, at: now) {
            state.hold = hold
            effects.holds.append((state.flow.id, hold))
        } else if isPace, let old = state.hold, !isShort(old, at: now) || old.until! <= now {
            // What was told is not so any more.
            state.hold = nil
            effects.holds.append((state.flow.id, nil))
        }
    }

    /// A wait by the spill plan is told when a flow has sent nothing for this long.
    private static let planTellsAfter = Interval.seconds(5)

    private func isShort(_ hold: Hold, at now: Timestamp) -> Bool { hold.until.map { $0 - now < .seconds(3) } ?? false }

    /// Short waits are the normal pace of a limit and would only be noise, and writes, in the queue.
    private func isWorthTelling(_ hold: Hold, instead old: Hold?, at now: Timestamp) -> Bool {
        if isShort(hold, at: now) { return false }
        guard let old else { return true }
        if let a = hold.until, let b = old.until {
            return old.reason != hold.reason || abs((a - b).milliseconds) > 2_000
        }
        return hold != old
    }

    private mutating func begin(
        _ ticket: JobTicket, of flow: Flow, _ route: ChosenRoute, at now: Timestamp,
        into effects: inout SchedulerEffects
    ) {
        let (key, tokens) = (route.key, route.tokens)
        let through = keys[key].limiter.tokensSentSoFar + tokens
        let sequence = keys[key].limiter.reserve(tokens: tokens, at: now)
        var poolSequence = 0
        var poolThrough = 0
        if let pool = keys[key].pool {
            poolThrough = pools[pool].tokensSentSoFar + tokens
            poolSequence = pools[pool].reserve(tokens: tokens, at: now)
        }
        takeFromClaim(key, tokens: tokens)
        keys[key].breaker.sent()
        if route.lane == .flex { keys[key].flex.sent() }
        let classIndex = classes.firstIndex { $0.policy.name == flow.className }!
        let spend = reserveSpend(
            ticket, of: flow, classIndex: classIndex, key: key, model: route.model, lane: route.lane, tokens: tokens,
            at: now)
        notePlanned(flow.id, key: key, tokens: tokens, isProvisioned: spend.hold.isProvisioned, at: now)
        flights[ticket.id] = Flight(
            ticket: ticket, key: key, keySequence: sequence, poolSequence: poolSequence, tokensThrough: through,
            poolTokensThrough: poolThrough, reserved: tokens, model: route.model,
            modelIndex: route.modelIndex, sent: now, spend: spend)
        let most = mostOutput(key, route.model, ticket, flow.endpoint)
        effects.starts.append(
            AttemptStart(
                job: ticket.id, flow: ticket.flow, lease: ticket.lease + 1, key: keys[key].name, model: route.model,
                started: now, reservedTokens: tokens, passedOver: route.passedOver, bill: spend.route.bill,
                lane: spend.route.lane, worst: spend.worst.charge, worstTokens: spend.worst.tokens, day: day,
                isSpill: route.isSpill, mostOutput: most))
        effects.countDay(keys[key].name, requests: 1, tokens: tokens)
        classes[classIndex].served += max(1, share(of: key, tokens: tokens) / max(1, classes[classIndex].policy.weight))
    }

    /// A minute's whole allowance of a key, in the unit of `share`.
    private static let minute = 1_000_000_000

    /// What one job takes of a key, as its largest share of any limit, in billionths of a minute's allowance: so that
    /// classes bound by requests and classes bound by tokens are compared fairly (dominant resource fairness).
    private func share(of key: Int, tokens: Int) -> Int {
        let limits = keys[key].limiter.limits
        let pool = keys[key].pool.map { pools[$0].limits }
        var share = 0
        if let rpm = limits.rpm ?? pool?.rpm { share = max(share, Self.minute / max(1, rpm)) }
        if let tpm = limits.tpm ?? pool?.tpm { share = max(share, tokens * Self.minute / max(1, tpm)) }
        return share == 0 ? 1_000_000 : share
    }

    /// Whatever a restart, or a person, must know of a key.
    private mutating func note(key i: Int, at now: Timestamp, into effects: inout SchedulerEffects) {
        let full = keys[i].limiter.fullByServer(tokens: max(1, keys[i].fullInPass?.tokens ?? 1), at: now)
        let rest = KeyRest(keys[i].breaker, keys[i].flex, full: full, told: keys[i].toldRest, at: now)
        if rest != keys[i].toldRest {
            keys[i].toldRest = rest
            keys[i].limiter.markNews()
        }
        guard let news = keys[i].limiter.takeNews() else { return }
        var memory = KeyMemory(key: keys[i].name, useOfLimit: news.useOfLimit)
        if news.blockedUntil > .distantPast { memory.blockedUntil = news.blockedUntil }
        (memory.learnedRequests, memory.learnedWindow) = (news.learned?.0, news.learned?.1)
        switch keys[i].health {
        case .ok:
            let isAskedToWait = news.blockedUntil > now
            if let rest, !isAskedToWait {
                (memory.health, memory.blockedUntil) = (rest.health, rest.until)
                memory.reason =
                    switch rest.health {
                    case KeyMemory.failing: "its provider keeps failing: \(keys[i].trouble)"
                    case KeyMemory.full: (full?.shortage ?? .serverSaysFull).text
                    default: LaneState.noRoom
                    }
            } else if memory.blockedUntil != nil {
                (memory.health, memory.reason) = ("cooling", keys[i].limiter.block.text)
            }
        case .rejected(let failure): (memory.health, memory.reason) = ("rejected", failure.message)
        case .exhausted(let until, let reason):
            (memory.health, memory.reason) = ("exhausted", reason)
            memory.blockedUntil = until
        }
        effects.memories.append(memory)
    }
}
