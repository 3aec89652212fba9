/// How a key stands, for people: whether it takes work now, and if not why, and until when.
package struct KeyStanding: Sendable, Equatable {
    package enum Health: String, Sendable {
        case ok, cooling, rejected, exhausted, paused
    }

    /// What somebody could do something about.
    package enum Cause: Sendable {
        /// The provider refuses the secret.
        case rejection
        case expiredSecret
        /// Credit or a quota at the provider.
        case providersQuota
        /// The quota that its owner has stated, or its pool's.
        case ownQuota
        /// A limit of requests or tokens a day, its own or its pool's.
        case dayLimit
        /// It is over by itself, or a person's wish.
        case passing
    }

    package var health = Health.ok
    /// When it takes work again; nil when nobody knows, or a person must act.
    package var until: Timestamp?
    package var reason = ""
    package var cause = Cause.passing

    package init(health: Health = .ok, until: Timestamp? = nil, reason: String = "", cause: Cause = .passing) {
        (self.health, self.until, self.reason, self.cause) = (health, until, reason, cause)
    }

    /// It can be used again only after a wait that is no mere matter of pace, or once a person has acted.
    package var isTrouble: Bool { health == .rejected || health == .exhausted }
}

/// The next job of a flow that waits, by which the keys are asked whether they have room.
package struct WaitingJob: Sendable {
    package var ticket: JobTicket
    package var flow: Flow
    /// Why its flow waits, as a run has said.
    package var hold: Hold?

    package init(ticket: JobTicket, flow: Flow, hold: Hold?) {
        (self.ticket, self.flow, self.hold) = (ticket, flow, hold)
    }
}

extension Scheduler {
    /// How a key stands for the jobs that wait, or, where none of them could use it, for the smallest that there can be.
    ///
    /// For a look from outside: call after `recall` of all that the queue knows, and with nothing in flight. `memory` is what
    /// a run has noted of the key, and `isRun` whether that run is still at work.
    package mutating func standing(
        of name: String, _ memory: KeyMemory?, isRun: Bool, waiting: [WaitingJob], at now: Timestamp
    ) -> KeyStanding {
        guard let key = keys.firstIndex(where: { $0.name == name }) else { return KeyStanding() }
        if keys[key].isPaused { return KeyStanding(health: .paused) }
        if let memory, memory.health == "rejected" {
            return KeyStanding(health: .rejected, reason: memory.reason, cause: .rejection)
        }
        if keys[key].descriptor.isExpired(at: now) {
            return KeyStanding(health: .rejected, reason: Self.secretExpired.message, cause: .expiredSecret)
        }
        let causes = [
            usedUpQuota(key, waiting, at: now), usedUpDay(key, waiting, at: now), noted(memory, isRun: isRun, at: now),
            restOfPool(key, at: now),
        ]
        // What lasts longest is what the key waits for; of equals the first.
        return causes.compactMap { $0 }.reduce(nil as KeyStanding?) { longest, next in
            guard let longest, longest.until ?? .distantPast >= next.until ?? .distantPast else { return next }
            return longest
        } ?? KeyStanding()
    }

    /// What a run has noted of it.
    private func noted(_ memory: KeyMemory?, isRun: Bool, at now: Timestamp) -> KeyStanding? {
        guard let memory else { return nil }
        let until = memory.blockedUntil.flatMap { $0 > now ? $0 : nil }
        // While a single request tries whether it is over, there is no moment to tell.
        guard until != nil || (memory.isOfItsRun && isRun) else { return nil }
        let isExhausted = memory.health == "exhausted"
        return KeyStanding(
            health: isExhausted ? .exhausted : .cooling, until: until, reason: memory.reason,
            cause: isExhausted ? .providersQuota : .passing)
    }

    private func restOfPool(_ key: Int, at now: Timestamp) -> KeyStanding? {
        guard let pool = keys[key].pool, pools[pool].blockedUntil > now else { return nil }
        return KeyStanding(
            health: .cooling, until: pools[pool].blockedUntil,
            reason: "pool \(poolNames[pool]): \(pools[pool].block.text)")
    }

    /// Its quota, or its pool's, has no room in the present period.
    private mutating func usedUpQuota(_ key: Int, _ waiting: [WaitingJob], at now: Timestamp) -> KeyStanding? {
        var longest: KeyObstacle?
        var isAsked = false
        for job in waiting {
            for (candidate, model, state) in routes(of: job.flow) where candidate == key {
                let lane = lane(key, model, job.ticket, state, at: now).lane
                let obstacle = moneyObstacle(key, model, lane, job.ticket, state, at: now)
                let isOfQuota = obstacle.map { !$0.isOfClass } ?? false
                // What no quota can ever take says nothing of what is left of it.
                if isOfQuota, obstacle?.needsPerson == true { continue }
                guard let obstacle, isOfQuota, obstacle.isExhausted else { return nil }
                isAsked = true
                if longest.map({ $0.until ?? .distantPast < obstacle.until ?? .distantPast }) ?? true {
                    longest = obstacle
                }
            }
        }
        let least = quotaObstacle(key, WorstCase(charge: Charge(provider: Money(nanodollars: 1)), tokens: 1))
        guard let obstacle = isAsked ? longest : least, obstacle.isExhausted else { return nil }
        // Or else people see that something is left of it, and wonder.
        let rest = least?.isExhausted == true ? "" : " but for less than a waiting job may take"
        return KeyStanding(
            health: .exhausted, until: obstacle.until, reason: obstacle.reason + rest, cause: .ownQuota)
    }

    /// Its limits of a day, or its pool's, are used up: for any request, or for those that a run has found to be too large.
    private func usedUpDay(_ key: Int, _ waiting: [WaitingJob], at now: Timestamp) -> KeyStanding? {
        func usedUp(_ limiter: AccountLimiter, _ whose: String) -> KeyStanding? {
            func reason(_ shortage: Shortage) -> String { whose + shortage.text }
            func isTold(_ shortage: Shortage) -> Bool {
                waiting.contains { job in
                    guard let hold = job.hold, hold.until.map({ $0 > now }) ?? false else { return false }
                    return hold.reason == "key \(keys[key].name): \(reason(shortage))"
                }
            }
            let tokens = limiter.limits.tpd.map { Shortage.tokensPerDay($0) }
            guard let shortage = limiter.dayShortage(tokens: 1) ?? tokens.flatMap({ isTold($0) ? $0 : nil }) else {
                return nil
            }
            return KeyStanding(
                health: .exhausted, until: limiter.dayEnds, reason: reason(shortage), cause: .dayLimit)
        }
        return usedUp(keys[key].limiter, "")
            ?? keys[key].pool.flatMap { usedUp(pools[$0], "pool \(poolNames[$0]): ") }
    }

    /// Why a flow's ready jobs wait as far as the standing of its keys tells: none of those that serve it takes anything.
    package func hold(on flow: Flow, by standings: [String: KeyStanding]) -> Hold? {
        guard let state = classes.first(where: { $0.policy.name == flow.className }) else { return nil }
        let keepsShared =
            state.policy.shared == .never || (state.policy.shared == .spill && flow.deadline == nil)
        let unwell = serving(flow).filter { !(keepsShared && keys[$0].isShared) }.map { key in
            (name: keys[key].name, standing: standings[keys[key].name] ?? KeyStanding())
        }
        guard !unwell.isEmpty, unwell.allSatisfy({ $0.standing.health != .ok }) else { return nil }
        func end(_ standing: KeyStanding) -> Timestamp {
            standing.until ?? (standing.health == .cooling ? .distantPast : .distantFuture)
        }
        return unwell.min { end($0.standing) < end($1.standing) }.map { name, standing in
            Hold(
                reason: "key \(name): \(standing.health == .paused ? "it is paused" : standing.reason)",
                until: standing.until)
        }
    }

    /// The names of the keys that serve a flow's jobs by configuration, with some model of its chain.
    package func keysServing(_ flow: Flow) -> [String] { serving(flow).map { keys[$0].name } }

    /// The class's keys that serve a flow's jobs by configuration, in its order.
    func serving(_ flow: Flow) -> [Int] {
        guard let state = classes.first(where: { $0.policy.name == flow.className }) else { return [] }
        let chain = state.policy.models[flow.model] ?? [flow.model]
        return state.candidates.filter { key in
            chain.contains { keys[key].descriptor.providerModel(for: $0, at: flow.endpoint) != nil }
        }
    }
}
