extension Scheduler {
    /// One attempt ended: the limits learn from it, and the job's next step is decided.
    mutating func finish(_ job: JobID, _ report: AttemptReport, at now: Timestamp, into effects: inout SchedulerEffects)
    {
        guard let flight = flights.removeValue(forKey: job) else { return }
        let latency = now - flight.sent
        if flight.spend.route.lane == .flex { keys[flight.key].flex.ended() }
        keys[flight.key].limiter.heard(
            report.feedback, sequence: flight.keySequence, tokensSentThrough: flight.tokensThrough, at: now)
        let entry = settleSpend(flight, report, at: now)
        switch report.outcome {
        case .success(let answer):
            succeeded(flight, usage: answer.usage, latency: latency, at: now, into: &effects)
            if !ladders.isEmpty { ladders[job] = nil }
            effects.settlements.append(
                settlement(
                    of: flight, report.outcome, .complete, "answered", flight.ticket.attemptsUsed + 1, entry, at: now))
        case .failure(let failure):
            learn(from: failure, report.feedback, flight, latency: latency, at: now, into: &effects)
            decide(after: failure, flight, entry, at: now, into: &effects)
        }
    }

    /// An attempt that an earlier run began and did not end. Its job uses up no attempt; its tokens stay counted.
    package mutating func abandoned(_ ticket: JobTicket, className: String, at now: Timestamp) -> Settlement {
        let failure = Failure(
            .unknownOutcome, code: Failure.runnerDiedCode, message: "the run ended before the answer was recorded",
            judged: false
        )
        let policy =
            classes.first { $0.policy.name == className }?.policy ?? ClassPolicy(name: className, posture: .governance)
        let disposition: Disposition
        let reason: String
        switch policy.ladders[.unknownOutcome]?.first {
        case .park: (disposition, reason) = (.park, "unknown_outcome: waits for a person")
        case .fail: (disposition, reason) = (.fail, "unknown_outcome: the class ends such jobs as failed")
        default:
            disposition = .retry(at: now)
            reason = "unknown_outcome: sent again, the answer was lost with the run"
        }
        return Settlement(
            job: ticket.id, flow: ticket.flow, lease: ticket.lease, ended: now, outcome: .failure(failure),
            disposition: disposition, reason: reason, attemptsUsed: ticket.attemptsUsed)
    }

    private func settlement(
        of flight: Flight, _ outcome: AttemptOutcome, _ disposition: Disposition, _ reason: String, _ used: Int,
        _ entry: LedgerEntry, at now: Timestamp
    ) -> Settlement {
        Settlement(
            job: flight.ticket.id, flow: flight.ticket.flow, lease: flight.ticket.lease + 1, ended: now,
            outcome: outcome, disposition: disposition, reason: reason, attemptsUsed: used, entry: entry)
    }

    // MARK: What the limits learn

    private mutating func succeeded(
        _ flight: Flight, usage: Usage, latency: Interval, at now: Timestamp, into effects: inout SchedulerEffects
    ) {
        let isFlex = flight.spend.route.lane == .flex
        // That flex is slow says nothing of the load that the key can bear; that it gets slower does.
        let pace = isFlex ? keys[flight.key].flex.pace(of: latency, beside: keys[flight.key].latency) : latency
        settle(flight, tokens: counted(usage, flight), latency: pace, at: now, into: &effects)
        accepted(flight, at: now)
        if isFlex {
            keys[flight.key].flex.answered(sentAt: flight.sent, in: latency)
        } else {
            keys[flight.key].answered(in: latency)
        }
        // In its place: what a subscript changes is moved out and in again, and a flow is large.
        guard let place = flows.index(forKey: flight.ticket.flow) else { return }
        flows.values[place].forecast.learn(bodyBytes: flight.ticket.bodyBytes, usage: usage)
    }

    /// The provider took the request seriously: the key works and is below its limits.
    private mutating func accepted(_ flight: Flight, at now: Timestamp) {
        keys[flight.key].breaker.worked()
        if case .exhausted(let until, _) = keys[flight.key].health, until <= now {
            keys[flight.key].health = .ok
            keys[flight.key].limiter.markNews()
        }
        if keys[flight.key].wasRejected {
            keys[flight.key].wasRejected = false
            keys[flight.key].limiter.markNews()
        }
        keys[flight.key].limiter.accepted(flight.keySequence, sentAt: flight.sent, at: now)
        if let pool = keys[flight.key].pool { pools[pool].accepted(flight.poolSequence, sentAt: flight.sent, at: now) }
    }

    /// The tokens that the provider holds against the limit; nil when what was reserved stands.
    private func counted(_ usage: Usage, _ flight: Flight) -> Int? {
        if keys[flight.key].descriptor.tokenCounting == .reserved { return nil }
        return usage.totalTokens > 0 ? usage.totalTokens : nil
    }

    private mutating func settle(
        _ flight: Flight, tokens: Int?, latency: Interval?, at now: Timestamp, into effects: inout SchedulerEffects
    ) {
        let unused = tokens.map { flight.reserved - $0 } ?? 0
        giveBack(flight, requests: 0, tokens: unused, into: &effects) { scheduler in
            scheduler.keys[flight.key].limiter.settle(
                flight.keySequence, sentAt: flight.sent, reserved: flight.reserved, tokens: tokens, latency: latency,
                at: now)
            if let pool = scheduler.keys[flight.key].pool {
                scheduler.pools[pool].settle(
                    flight.poolSequence, sentAt: flight.sent, reserved: flight.reserved, tokens: tokens, latency: nil,
                    at: now)
            }
        }
    }

    /// The server did not count the request.
    private mutating func refused(
        _ flight: Flight, retryAfter: Interval?, at now: Timestamp, into effects: inout SchedulerEffects
    ) {
        giveBack(flight, requests: 1, tokens: flight.reserved, into: &effects) { scheduler in
            scheduler.keys[flight.key].limiter.refused(
                flight.keySequence, reserved: flight.reserved, retryAfter: retryAfter, at: now)
            if let pool = scheduler.keys[flight.key].pool {
                scheduler.pools[pool].refused(
                    flight.poolSequence, reserved: flight.reserved, retryAfter: retryAfter, at: now)
            }
        }
    }

    private mutating func learn(
        from failure: Failure, _ feedback: RateFeedback, _ flight: Flight, latency: Interval, at now: Timestamp,
        into effects: inout SchedulerEffects
    ) {
        let key = flight.key
        if isOfLane(failure, flight) {
            settle(flight, tokens: failure.failureClass == .timedOut ? nil : 0, latency: nil, at: now, into: &effects)
            return learnOfLane(failure, flight, at: now)
        }
        switch failure.failureClass {
        case .rateLimited:
            refused(flight, retryAfter: failure.retryAfter ?? emptyUntilReset(feedback), at: now, into: &effects)
            keys[key].breaker.inconclusive()
        case .quotaExhausted:
            settle(flight, tokens: 0, latency: nil, at: now, into: &effects)
            exhaust(key, failure, at: now)
        case .keyRejected:
            settle(flight, tokens: 0, latency: nil, at: now, into: &effects)
            keys[key].breaker.inconclusive()
            reject(flight, failure, at: now, into: &effects)
        case .modelUnavailable where failure.isInexpressible:
            release(flight, into: &effects)
            keys[key].breaker.inconclusive()
        case .modelUnavailable:
            settle(flight, tokens: 0, latency: nil, at: now, into: &effects)
            keys[key].breaker.inconclusive()
            keys[key].missingModels[flight.model] = failure
        case .overloaded, .unavailable, .timedOut, .unknownOutcome:
            // A request that never got there was not counted; one whose answer was lost may have been, in full.
            if failure.judged || failure.failureClass == .unknownOutcome {
                settle(flight, tokens: nil, latency: nil, at: now, into: &effects)
            } else {
                release(flight, into: &effects)
            }
            keys[key].trouble = failure.message
            if isDraining && !failure.judged {
                keys[key].breaker.inconclusive()
            } else {
                keys[key].limiter.shrinkConcurrency(flight.keySequence)
                keys[key].breaker.failed(at: now)
            }
        case .invalidRequest, .refused, .invalidOutput:
            // What was answered was counted; what was turned away at the door was not.
            let isAnswer = (200..<300).contains(failure.statusCode)
            let tokens = counted(failure.usage, flight) ?? (isAnswer ? nil : 0)
            settle(flight, tokens: tokens, latency: latency, at: now, into: &effects)
            accepted(flight, at: now)
        }
    }

    /// A refusal without a waiting time whose headers say that nothing is left: until they say the window is whole again.
    private func emptyUntilReset(_ feedback: RateFeedback) -> Interval? {
        var wait: Interval?
        for dimension in [feedback.requests, feedback.tokens] where dimension.remaining == 0 {
            if let reset = dimension.reset { wait = max(wait ?? .zero, reset) }
        }
        return wait
    }

    /// The key is of no use, unless its secret has changed since or another loading gives a better one. It is not
    /// asked for again within a minute: whatever gives it has nothing better then.
    private mutating func reject(
        _ flight: Flight, _ failure: Failure, at now: Timestamp, into effects: inout SchedulerEffects
    ) {
        let key = flight.key
        guard flight.sent >= keys[key].secretSince else { return }
        keys[key].health = .rejected(failure)
        keys[key].limiter.markNews()
        guard keys[key].isRefreshable, now - keys[key].secretAsked >= .minutes(1) else { return }
        (keys[key].isAwaitingSecret, keys[key].secretAsked) = (true, now)
        effects.staleSecrets.append(keys[key].name)
    }

    /// Money or a long quota is gone: nothing goes until the provider's moment, or an hour from now to ask again, but
    /// at the end of the day at the latest.
    private mutating func exhaust(_ key: Int, _ failure: Failure, at now: Timestamp) {
        // What was in flight is refused as well, often in fewer words: that shortens no wait that the provider has named.
        if let wait = failure.retryAfter { keys[key].quotaReturns = max(keys[key].quotaReturns, now + wait) }
        keys[key].breaker.inconclusive()
        // Nor does it move a moment that was guessed: jobs and people were told of that.
        if failure.retryAfter == nil, case .exhausted(let until, _) = keys[key].health, until > now { return }
        let guess = min(now + .hours(1), max(dayEnds, now + .minutes(1)))
        let until = keys[key].quotaReturns > now ? keys[key].quotaReturns : guess
        keys[key].health = .exhausted(until: until, reason: failure.message)
        keys[key].limiter.markNews()
    }

    // MARK: The job's next step

    private mutating func decide(
        after failure: Failure, _ flight: Flight, _ entry: LedgerEntry, at now: Timestamp,
        into effects: inout SchedulerEffects
    ) {
        let before = flight.ticket.attemptsUsed
        if isDraining && !failure.judged && failure.failureClass != .unknownOutcome {
            return conclude(
                flight, failure, .retry(at: now), "the run was stopped before it was sent", before, entry, at: now,
                into: &effects)
        }
        guard let state = flows[flight.ticket.flow] else {
            return conclude(
                flight, failure, .retry(at: now), "the batch changed while it was in flight", before, entry, at: now,
                into: &effects)
        }
        if let (disposition, reason) = afterLane(failure, flight, state, at: now) {
            return conclude(flight, failure, disposition, reason, before, entry, at: now, into: &effects)
        }
        if failure.failureClass == .keyRejected
            && (keys[flight.key].isAwaitingSecret || flight.sent < keys[flight.key].secretSince)
        {
            return conclude(
                flight, failure, .retry(at: now), "key_rejected: waits for the key's new secret", before, entry,
                at: now,
                into: &effects)
        }
        let policy = classes[state.classIndex].policy
        let isUnwell = keys[flight.key].breaker.isTripped
        let used = before + (JobLadder.usesAttempt(failure, isKeyUnwell: isUnwell) ? 1 : 0)
        var ladder = ladders[flight.ticket.id] ?? JobLadder()
        ladder.modelIndex = flight.modelIndex
        if isOfLane(failure, flight) { ladder.avoidsFlex = true }
        let world = JobLadder.Circumstances(
            key: flight.key,
            hasOtherKey: hasKey(for: state, model: flight.modelIndex, besides: flight.key, ladder, at: now)
                || mustSpill(state, flight, failure, ladder, at: now),
            hasShared: hasKey(
                for: state, model: flight.modelIndex, besides: flight.key, shared: true, ladder, at: now),
            nextModel: nextModel(after: flight.modelIndex, of: state, at: now),
            recovery: recovery(of: flight.key, after: failure, at: now), isKeyUnwell: isUnwell, attemptsUsed: used)
        let (disposition, reason) = ladder.next(after: failure, policy: policy, in: world, at: now, using: &generator)
        switch disposition {
        case .complete, .park, .fail: ladders[flight.ticket.id] = nil
        default: ladders[flight.ticket.id] = ladder
        }
        conclude(flight, failure, disposition, reason, used, entry, at: now, into: &effects)
    }

    /// Whether a job that waited for its own key would miss its deadline, and shared capacity is there for that.
    private func mustSpill(
        _ state: FlowState, _ flight: Flight, _ failure: Failure, _ ladder: JobLadder, at now: Timestamp
    ) -> Bool {
        guard classes[state.classIndex].policy.shared == .spill, let deadline = state.flow.deadline,
            recovery(of: flight.key, after: failure, at: now) > deadline
        else { return false }
        return hasKey(for: state, model: flight.modelIndex, besides: flight.key, shared: true, ladder, at: now)
    }

    private mutating func conclude(
        _ flight: Flight, _ failure: Failure, _ disposition: Disposition, _ reason: String, _ used: Int,
        _ entry: LedgerEntry, at now: Timestamp, into effects: inout SchedulerEffects
    ) {
        var failure = failure
        // Like those that stop for it without having been sent: whoever mends it must know which key that is.
        if disposition == .park, failure.failureClass == .keyRejected {
            failure.message = "key \(keys[flight.key].name): \(failure.message)"
        }
        effects.settlements.append(
            settlement(of: flight, .failure(failure), disposition, reason, used, entry, at: now))
    }

    /// The next model of a flow's chain that some key serves.
    func nextModel(after index: Int, of state: FlowState, at now: Timestamp) -> Int? {
        guard index + 1 < state.chain.count else { return nil }
        return (index + 1..<state.chain.count).first {
            hasKey(for: state, model: $0, besides: nil, JobLadder(), at: now)
                || hasKey(for: state, model: $0, besides: nil, shared: true, JobLadder(), at: now)
        }
    }

    /// Whether some key that is not known to be useless could serve the flow with a model of its chain.
    private func hasKey(
        for state: FlowState, model index: Int, besides excluded: Int?, shared: Bool = false, _ ladder: JobLadder,
        at now: Timestamp
    ) -> Bool {
        guard index < state.chain.count else { return false }
        return classes[state.classIndex].candidates.contains { key in
            guard key != excluded, keys[key].isShared == shared, (ladder.avoided[key] ?? .distantPast) <= now else {
                return false
            }
            guard let model = keys[key].descriptor.providerModel(for: state.chain[index], at: state.flow.endpoint)
            else { return false }
            if keys[key].missingModels[model] != nil || keys[key].isPaused { return false }
            switch keys[key].health {
            case .ok: return true
            case .rejected: return false
            case .exhausted(let until, _): return until <= now
            }
        }
    }

    /// When a key that failed is expected to serve again.
    private func recovery(of key: Int, after failure: Failure, at now: Timestamp) -> Timestamp {
        max(guess(of: key, after: failure, at: now), now + (failure.retryAfter ?? .zero))
    }

    private func guess(of key: Int, after failure: Failure, at now: Timestamp) -> Timestamp {
        switch failure.failureClass {
        case .rateLimited:
            let pool = keys[key].pool.map { pools[$0].blockedUntil } ?? .distantPast
            return max(keys[key].limiter.blockedUntil, pool, now + .milliseconds(100))
        case .quotaExhausted:
            if case .exhausted(let until, _) = keys[key].health { return until }
            return now + .hours(1)
        case .keyRejected, .modelUnavailable: return now + .days(1)
        case .overloaded, .unavailable, .timedOut, .unknownOutcome:
            return max(keys[key].breaker.opensAt, now + .seconds(5))
        case .invalidRequest, .refused, .invalidOutput: return now + .seconds(1)
        }
    }
}
