/// How a job is to travel.
struct ChosenRoute: Sendable {
    let key: Int
    /// The provider's name of it.
    let model: String
    let lane: Lane
    /// Its place in the flow's chain.
    let modelIndex: Int
    let tokens: Int
    /// JSON text of the keys before it, and why not they.
    let passedOver: String
    /// Only because a cheaper key, or an own one, has not room enough.
    var isSpill = false
}

extension Scheduler {
    /// The code of jobs whose model a key does not serve by configuration.
    private static let noKeyForModel = "no_key_for_model"
    /// The code of jobs whose API call no key's provider has.
    package static let noKeyForEndpoint = "no_key_for_endpoint"
    static let secretExpired = Failure(
        .keyRejected, code: "secret_expired", message: "the key's secret has expired", judged: false)

    enum Choice {
        case key(ChosenRoute)
        case none(KeyObstacle)
    }

    /// The key for a job: of those that its class may use and that have room, the first by the class's objective.
    mutating func choose(for ticket: JobTicket, of state: FlowState, ladder: JobLadder?, at now: Timestamp) -> Choice {
        var modelIndex = min(ladder?.modelIndex ?? 0, state.chain.count - 1)
        var obstacles: [(key: Int, obstacle: KeyObstacle)] = []
        while true {
            let choice = choose(for: ticket, of: state, modelIndex, ladder, &obstacles, at: now)
            // A model that is known to be lost to all keys is passed over like one that fails: without asking again.
            guard case .none(let obstacle) = choice, obstacle.needsPerson, let failure = obstacle.failure,
                classes[state.classIndex].policy.ladders[failure.failureClass]?.contains(.nextModel) == true,
                let next = (modelIndex + 1..<max(modelIndex + 1, state.chain.count)).first(where: {
                    isServable(state.chain[$0], state.flow.endpoint, state.classIndex)
                })
            else { return choice }
            modelIndex = next
        }
    }

    /// Whether some key of the class may serve the model, now or later, without anybody mending anything.
    private func isServable(_ model: String, _ endpoint: Endpoint, _ classIndex: Int) -> Bool {
        classes[classIndex].candidates.contains { key in
            guard let name = keys[key].descriptor.providerModel(for: model, at: endpoint) else { return false }
            if case .rejected = keys[key].health { return false }
            return keys[key].missingModels[name] == nil
        }
    }

    private mutating func choose(
        for ticket: JobTicket, of state: FlowState, _ modelIndex: Int, _ ladder: JobLadder?,
        _ passedOver: inout [(key: Int, obstacle: KeyObstacle)], at now: Timestamp
    ) -> Choice {
        // The policy as a whole is large, and this is done for every job: only these two are read.
        let (objective, shared) = (classes[state.classIndex].policy.objective, classes[state.classIndex].policy.shared)
        let model = state.chain[modelIndex]
        let tokens = state.forecast.tokens(
            bodyBytes: ticket.bodyBytes, maxOutputTokens: ticket.maxOutputTokens, endpoint: state.flow.endpoint)
        let spare = state.forecast.headroom(maxOutputTokens: ticket.maxOutputTokens, endpoint: state.flow.endpoint)
        let usage = objective == .cost ? state.usage(of: ticket) : Usage()
        var offers: [RouteOffer] = []
        offers.reserveCapacity(classes[state.classIndex].candidates.count)
        for key in classes[state.classIndex].candidates {
            var offer = RouteOffer(key: key, tokens: reservation(key, tokens, ticket), isShared: keys[key].isShared)
            let providerModel = keys[key].descriptor.providerModel(for: model, at: state.flow.endpoint)
            offer.model = providerModel ?? model
            let needed = offer.tokens + (offer.tokens > tokens ? 0 : spare)
            let choice = lane(key, providerModel, ticket, state, avoidsFlex: ladder?.avoidsFlex ?? false, at: now)
            (offer.lane, offer.lanePassedOver) = (choice.lane, choice.passedOver)
            offer.obstacle =
                withheld(key, ladder, shared, offers, hasDeadline: state.flow.deadline != nil)
                ?? obstacle(key, providerModel, offer.lane, ticket, state, needed, ladder, at: now) ?? choice.obstacle
            if objective == .cost, providerModel != nil, offer.obstacle?.isPace ?? true {
                offer.cost = marginalCost(key, offer.model, offer.lane, usage, at: now)
            }
            if objective == .speed {
                offer.latency = offer.lane == .flex ? keys[key].flex.latency : keys[key].latency
            }
            offers.append(offer)
            if objective == .order, offer.obstacle == nil { break }
        }
        let best = thriftiest(of: &offers, for: state, ladder: ladder, at: now)
        if let best {
            let isSpill =
                best.isShared
                || (objective == .cost
                    && offers.contains { offer in
                        guard let obstacle = offer.obstacle, offer.goesBefore(best, by: .cost) else { return false }
                        return obstacle.isPace || obstacle.isWithheld
                    })
            return .key(
                ChosenRoute(
                    key: best.key, model: best.model, lane: best.lane, modelIndex: modelIndex, tokens: best.tokens,
                    passedOver: explainsRoutes
                        ? json(passedOver + Self.obstacles(of: offers) + Self.lanesPassedOver(by: best)) : "",
                    isSpill: isSpill))
        }
        let obstacles = Self.obstacles(of: offers)
        passedOver += obstacles
        if ladder == nil { claim(for: offers) }
        return .none(summary(obstacles, model: model, policy: classes[state.classIndex].policy))
    }

    private static func obstacles(of offers: [RouteOffer]) -> [(key: Int, obstacle: KeyObstacle)] {
        offers.compactMap { offer in offer.obstacle.map { (key: offer.key, obstacle: $0) } }
    }

    /// Why the best key does not take the job in the lane that the class prefers.
    private static func lanesPassedOver(by best: RouteOffer) -> [(key: Int, obstacle: KeyObstacle)] {
        best.lanePassedOver.map { [(key: best.key, obstacle: $0)] } ?? []
    }

    /// Why a key is kept from a job although it may have room: shared capacity as the class wants it, own keys once the
    /// job's ladder has left them. `offers` are those of the keys before it.
    private func withheld(
        _ key: Int, _ ladder: JobLadder?, _ shared: SharedUse, _ offers: [RouteOffer], hasDeadline: Bool
    ) -> KeyObstacle? {
        guard keys[key].isShared else {
            guard let failure = ladder?.sharedAfter else { return nil }
            return KeyObstacle(
                reason: "the job has left own keys for shared capacity, after: \(failure)", isWithheld: true)
        }
        if shared == .always || (shared == .spill && hasDeadline) || ladder?.usesShared == true { return nil }
        if !offers.contains(where: { !$0.isShared && !Self.isUnserved($0.obstacle?.failure?.code) }) { return nil }
        switch shared {
        case .always: return nil
        case .spill:
            return KeyObstacle(
                reason: "shared capacity is for what would miss its deadline, and the batch has none", isWithheld: true)
        case .whenExhausted:
            if offers.allSatisfy({ $0.isShared || ($0.obstacle.map { !$0.isPace } ?? false) }) { return nil }
            return KeyObstacle(reason: "shared capacity is for when own keys are exhausted", isWithheld: true)
        case .never: return KeyObstacle(reason: "the class never uses shared capacity", isWithheld: true)
        }
    }

    /// Whether a failure's code says that a key, or all of them, are for other jobs by the configuration.
    package static func isUnserved(_ code: String?) -> Bool { code == noKeyForModel || code == noKeyForEndpoint }

    /// Tokens to reserve: as the provider counts them.
    func reservation(_ key: Int, _ forecast: Int, _ ticket: JobTicket) -> Int {
        guard keys[key].descriptor.tokenCounting == .reserved,
            let output = TokenForecast.bound(ticket.maxOutputTokens)
        else { return forecast }
        let blind = ticket.bodyBytes / TokenForecast.bytesPerToken + output
        return max(forecast, min(blind, TokenForecast.mostTokens))
    }

    /// Why a key does not take a job now; nil when it does.
    private mutating func obstacle(
        _ key: Int, _ model: String?, _ lane: Lane, _ ticket: JobTicket, _ state: FlowState, _ tokens: Int,
        _ ladder: JobLadder?, at now: Timestamp
    ) -> KeyObstacle? {
        // First what lasts: work must not wait for room on a key that will never serve it.
        if let lasting = lastingObstacle(key, model, state.flow, at: now) {
            // Where the class's budget has no room for the job, it is no use that this key is mended or has rested.
            if let model, classes[state.classIndex].budget != nil,
                let money = moneyObstacle(key, model, lane, ticket, state, at: now), money.isOfClass, !money.isPace
            {
                return money
            }
            return lasting
        }
        if let full = keys[key].fullInPass, tokens >= full.tokens { return full.obstacle }
        if let model, let money = moneyObstacle(key, model, lane, ticket, state, at: now) { return money }
        if let until = ladder?.avoided[key], until > now {
            return KeyObstacle(reason: "it failed this job before", until: until, isExhausted: true)
        }
        if !keys[key].breaker.allows(inFlight: keys[key].limiter.inFlight, at: now) {
            let opens = keys[key].breaker.opensAt
            let full = KeyObstacle(
                reason: "its provider keeps failing: \(keys[key].trouble)", until: opens > now ? opens : nil,
                isExhausted: true)
            keys[key].fullInPass = (full, 0)
            return full
        }
        if let claim = keys[key].claimInPass, tokens > claim.spare {
            return KeyObstacle(reason: "its tokens are kept for a larger request that goes first", until: claim.until)
        }
        if case .none(let shortage, let until) = keys[key].limiter.room(tokens: tokens, at: now) {
            return full(key, shortage, reason: shortage.text, until: until, tokens: tokens, at: now)
        } else if let pool = keys[key].pool,
            case .none(let shortage, let until) = pools[pool].room(tokens: tokens, at: now)
        {
            return full(
                key, shortage, reason: "pool \(poolNames[pool]): \(shortage.text)", until: until, tokens: tokens,
                at: now)
        }
        return nil
    }

    /// What a server wants to be waited for longer than this is no pace: the key is as good as used up.
    private static let longestPace = Interval.minutes(10)

    /// Remembers for the rest of the pass that a key is full: for all jobs, or for those with as many tokens.
    private mutating func full(
        _ key: Int, _ shortage: Shortage, reason: String, until: Timestamp?, tokens: Int, at now: Timestamp
    ) -> KeyObstacle {
        let isLong = until.map { $0 - now > Self.longestPace } ?? false
        var obstacle = KeyObstacle(reason: reason, until: until, isExhausted: shortage.isDaily || isLong)
        if case .tokensPerMinute = shortage { obstacle.isOfTokens = true }
        keys[key].fullInPass = (obstacle, shortage.isOfTokens ? tokens : 0)
        return obstacle
    }

    /// An obstacle that does not pass with the minutes.
    private func lastingObstacle(
        _ key: Int, _ model: String?, _ flow: Flow, at now: Timestamp
    ) -> KeyObstacle? {
        let endpoint = flow.endpoint
        guard keys[key].descriptor.endpoints.contains(endpoint) else {
            let failure = Failure(
                .modelUnavailable, code: Self.noKeyForEndpoint,
                message: "no key of the class has a provider with \(endpoint.path) for the model")
            return KeyObstacle(
                reason: "its provider has nothing like \(endpoint.path)", needsPerson: true, failure: failure)
        }
        guard let model else {
            let failure = Failure(
                .modelUnavailable, code: Self.noKeyForModel,
                message: "no key of the class serves the model \(flow.model)")
            return KeyObstacle(reason: "it does not serve the model", needsPerson: true, failure: failure)
        }
        if keys[key].isPaused { return KeyObstacle(reason: "it is paused", needsPerson: true) }
        if keys[key].isAwaitingSecret { return KeyObstacle(reason: "its secret is being loaded again") }
        if case .rejected(let failure) = keys[key].health {
            return KeyObstacle(
                reason: "the provider rejects it: \(failure.message)", needsPerson: true, failure: failure)
        }
        if case .exhausted(let until, let reason) = keys[key].health, until > now {
            return KeyObstacle(reason: reason, until: until, isExhausted: true)
        }
        if keys[key].descriptor.isExpired(at: now) {
            let failure = Self.secretExpired
            return KeyObstacle(reason: failure.message, needsPerson: true, failure: failure)
        }
        if let failure = keys[key].missingModels[model] {
            return KeyObstacle(
                reason: "the provider does not have the model there", needsPerson: true, failure: failure)
        }
        return nil
    }

    /// What stands between a flow and all of its keys: the soonest to pass, and a person only if nothing else helps.
    private func summary(_ obstacles: [(key: Int, obstacle: KeyObstacle)], model: String, policy: ClassPolicy)
        -> KeyObstacle
    {
        var passing: KeyObstacle?
        var hasOpenEnd = false
        var lasting: KeyObstacle?
        let isOfJob = obstacles.contains { $0.obstacle.isOfJob }
        let isOpen = obstacles.contains { !$0.obstacle.isWithheld }
        // What waits by the plan will go, whatever else is in the way.
        if let planned = obstacles.first(where: { $0.obstacle.isPlanned })?.obstacle {
            let passing = obstacles.filter { $0.obstacle.isPace || $0.obstacle.isPlanned }
            return KeyObstacle(
                reason: planned.reason, until: passing.compactMap { $0.obstacle.until }.min(),
                isOpenEnded: passing.contains { $0.obstacle.until == nil }, isPlanned: true, isOfJob: isOfJob)
        }
        for (key, obstacle) in obstacles where !obstacle.isWithheld || !isOpen {
            var named = obstacle
            if !obstacle.isOfClass { named.reason = "key \(keys[key].name): \(obstacle.reason)" }
            // A job that stops for a key's trouble without having been sent says which key that is.
            if let failure = obstacle.failure, failure.failureClass == .keyRejected {
                named.failure?.message = "key \(keys[key].name): \(failure.message)"
            }
            if obstacle.needsPerson {
                if lasting.map({ Self.weight(of: obstacle) > Self.weight(of: $0) }) ?? true { lasting = named }
            } else if let until = obstacle.until {
                if passing == nil || until < passing!.until! { passing = named }
            } else {
                hasOpenEnd = true
            }
        }
        if hasOpenEnd {
            return KeyObstacle(
                reason: "answers are awaited", until: passing?.until, isOpenEnded: true, isOfJob: isOfJob)
        }
        passing?.isOfJob = isOfJob
        if let passing { return passing }
        // A paused key is a person's doing, not a failure: it is waited for, and nothing is parked for what ails those beside it.
        if let (key, pause) = obstacles.first(where: { $0.obstacle.needsPerson && $0.obstacle.failure == nil }) {
            return KeyObstacle(reason: "key \(keys[key].name): \(pause.reason)", needsPerson: true, isOfJob: isOfJob)
        }
        if let lasting { return lasting }
        let failure = Failure(
            .modelUnavailable, code: "no_key", message: "class \(policy.name) has no enabled key; see `offpeak check`")
        return KeyObstacle(reason: failure.message, needsPerson: true, failure: failure)
    }

    /// Where each key needs a person for a reason of its own, the heaviest is what the jobs stop for.
    private static func weight(of obstacle: KeyObstacle) -> Int {
        // A job's own trouble stops that job alone, whatever else is wrong with other keys.
        if obstacle.isOfJob { return 5 }
        // This key works and money is all that it lacks, so that jobs stop as the budget says, and go on once it is raised.
        if obstacle.isOfClass { return 4 }
        if obstacle.parks || obstacle.fails { return 3 }
        guard let failure = obstacle.failure else { return 0 }
        // A key that is for other jobs is no news beside one that ought to have served.
        return isUnserved(failure.code) ? 1 : 2
    }

    /// The keys that were passed over, as `explain` shows them.
    private func json(_ obstacles: [(key: Int, obstacle: KeyObstacle)]) -> String {
        guard !obstacles.isEmpty else { return "" }
        var text = "["
        for (key, obstacle) in obstacles {
            if text.utf8.count > 1 { text += "," }
            text += "{\"key\":\"\(escaped(keys[key].name))\",\"reason\":\"\(escaped(obstacle.reason))\"}"
        }
        return text + "]"
    }

    private func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20: out += " "
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
