import OffpeakCore
import OffpeakStore

extension Checks {
    /// The scheduler has decided to send.
    mutating func started(_ start: AttemptStart, run: Run, at time: Timestamp, now: Int64) {
        guard let key = plan.keys.firstIndex(where: { $0.name == start.key }), let flow = flows[start.flow] else {
            return fail("job \(start.job) was started with an unknown key or flow")
        }
        let entry = plan.classes[flow.classIndex]
        let name = "job \(start.job) of class \(entry.policy.name)"
        if !allowed[flow.classIndex][key] { fail("\(name) was started with key \(start.key), which it must not use") }
        checkModel(start, flow.classIndex, key)
        checkShared(start, flow.classIndex, key)
        if run.drainCause != nil { fail("\(name) was started while the run drains") }
        if run.pauses.classes.contains(entry.policy.name) || run.pauses.keys.contains(start.key)
            || run.flows[start.flow]?.flow.paused == true
        {
            fail("\(name) was started with key \(start.key) although the run knows of a pause")
        }
        if let state = entry.windowState(at: time), !state.isOpen { fail("\(name) was started outside its window") }
        if time < waits[key] { fail("\(name): key \(start.key) asked to wait until \(waits[key].milliseconds)") }
        let pool = poolOfKey[key]
        if let pool, time < poolWaits[pool] {
            fail("\(name): pool \(plan.pools[pool].name) asked to wait until \(poolWaits[pool].milliseconds)")
        }
        waitsAreOver(key, pool)
        if let wait = jobs[start.job]?.wait, wait.run == run.number, wait.key == key, wait.model == start.model,
            time < wait.until
        {
            fail("\(name): the provider asked to wait with it until \(wait.until.milliseconds)")
        }
        if jobs[start.job]?.places != nil { fail("\(name) was started although an attempt of it is under way") }
        enter(start, key, pool, day: Night.day(of: time), now: now)
    }

    /// Whoever sends again has waited: should the clock be put back later, it does not begin anew.
    private mutating func waitsAreOver(_ key: Int, _ pool: Int?) {
        (waits[key], lastingWaits[key]) = (.distantPast, .distantPast)
        if let pool { (poolWaits[pool], lastingPoolWaits[pool]) = (.distantPast, .distantPast) }
    }

    private mutating func checkModel(_ start: AttemptStart, _ classIndex: Int, _ key: Int) {
        let chain = models[start.flow].map { plan.classes[classIndex].policy.models[$0] ?? [$0] } ?? []
        if !chain.contains(where: { plan.keys[key].models.providerModel(for: $0) == start.model }) {
            fail("job \(start.job) was started with model \(start.model), which is none of its own on key \(start.key)")
        }
    }

    /// Where own keys have to be exhausted first, one that nothing is wrong with stands before shared capacity.
    private mutating func checkShared(_ start: AttemptStart, _ classIndex: Int, _ key: Int) {
        guard plan.keys[key].billing == .platform else { return }
        money?.counts.shared += 1
        let policy = plan.classes[classIndex].policy
        let hasFailed = jobs[start.job]?.attempts.isEmpty == false
        guard policy.shared == .whenExhausted, policy.budget == nil, !hasFailed, let model = models[start.flow] else {
            return
        }
        let first = policy.models[model]?.first ?? model
        for own in plan.keys.indices where allowed[classIndex][own] && isSound(own) {
            if plan.keys[own].models.providerModel(for: first) != nil {
                fail("job \(start.job) went to shared capacity although nothing is wrong with \(plan.keys[own].name)")
            }
        }
    }

    /// An own key that only its pace can hold back, the whole night long.
    private func isSound(_ key: Int) -> Bool {
        let own = plan.keys[key]
        let pool = poolOfKey[key].map { plan.pools[$0] }
        let isLasting =
            own.quota == nil && pool?.quota == nil && own.limits.rpd == nil && own.limits.tpd == nil
            && pool?.limits.rpd == nil && pool?.limits.tpd == nil
        let isPaused = plan.acts.contains { if case .pauseKey(key, _) = $0.kind { true } else { false } }
        return own.billing != .platform && isLasting && !isPaused && plan.rates == FaultRates() && plan.spells.isEmpty
    }

    private mutating func enter(_ start: AttemptStart, _ key: Int, _ pool: Int?, day: Int, now: Int64) {
        let (place, problem) = books[key].add(tokens: start.reservedTokens, at: now, day: day)
        if let problem { fail(problem) }
        var poolPlace: Int?
        if let pool {
            let (place, problem) = poolBooks[pool].add(tokens: start.reservedTokens, at: now, day: day)
            poolPlace = place
            if let problem { fail(problem) }
        }
        jobs[start.job]?.places = (key, place, poolPlace, nil, nil)
        jobs[start.job]?.isBegun = false
        underWay.insert(start.job)
    }

    /// The queue did not accept the beginning.
    mutating func refused(_ job: JobID) {
        end(job, requests: 0, tokens: 0)
        book { $0.void(job) }
    }

    /// It was begun, and the run was stopped before it left.
    mutating func neverSent(_ job: JobID) { end(job, requests: nil, tokens: 0) }

    /// An attempt's bytes leave.
    mutating func sent(_ request: Request, flow: FlowID, className: String, now: Int64, in queue: MemoryQueue) {
        guard var record = jobs[request.job] else { return fail("job \(request.job) was sent but never accepted") }
        record.sends += 1
        served.append(
            ServedSend(
                at: now - plan.start, job: request.job, batch: flows[flow]?.batch ?? -1, className: className,
                key: request.key,
                tokens: request.usage.totalTokens))
        if let last = record.attempts.last {
            let attempt = queue.attempts[last]
            if attempt.start.job != request.job || attempt.start.lease != request.lease
                || attempt.start.key != plan.keys[request.key].name || attempt.outcome != 0
            {
                fail("job \(request.job) was sent under lease \(request.lease) without an attempt that is on record")
            }
        } else {
            fail("job \(request.job) was sent without any attempt on record")
        }
        if var places = record.places {
            let (own, problem) = sentBooks[places.key].add(tokens: tokens(places), at: now, day: 0)
            if let problem, isStoreQuick { fail(problem) }
            places.ownSent = own
            if let pool = poolOfKey[places.key] {
                let (place, problem) = poolSentBooks[pool].add(tokens: tokens(places), at: now, day: 0)
                if let problem, isStoreQuick { fail(problem) }
                places.poolSent = place
            }
            record.places = places
        }
        jobs[request.job] = record
        checkSends(request.job, in: queue)
    }

    private func tokens(_ places: (key: Int, own: Int, pool: Int?, ownSent: Int?, poolSent: Int?)) -> Int {
        books[places.key].tokens(at: places.own)
    }

    /// From the decision to the wire it never takes longer than the limiter allows for the whole way. Where it may, sends
    /// bunch up there, and more of them leave in a minute than were decided on in one.
    var isStoreQuick: Bool { storeDelay < AccountLimiter.wayThere.milliseconds }

    /// The same up to the server.
    var isWayShort: Bool { storeDelay + plan.network.delay.upperBound < AccountLimiter.wayThere.milliseconds }

    private var storeDelay: Int64 {
        if plan.run.commitFails > 0 { return .max / 2 }
        for act in plan.acts { if case .diskFails = act.kind { return .max / 2 } }
        // A decision may wait for the transaction before its own.
        return 2 * (plan.run.commit.upperBound + plan.run.reply.upperBound + plan.run.turn.upperBound)
    }

    /// By the servers' ledger: once, and once more for each failure and each outcome that was lost.
    mutating func checkSends(_ job: JobID, in queue: MemoryQueue) {
        guard let record = jobs[job] else { return }
        let excused = record.attempts.count { queue.attempts[$0].outcome == 2 || queue.attempts[$0].outcome == 3 }
        if record.sends > 1 + excused { fail("job \(job) was sent \(record.sends) times, with \(excused) failures") }
    }

    // MARK: Answers

    /// The run has an answer in hand.
    mutating func answered(_ request: Request, _ report: AttemptReport, at time: Timestamp, now: Int64) {
        guard case .failure(let failure) = report.outcome else {
            return end(request.job, requests: nil, tokens: counted(report, request))
        }
        switch failure.failureClass {
        case .rateLimited:
            end(request.job, requests: 0, tokens: 0)
            if let wait = failure.retryAfter {
                let until = time + wait
                waits[request.key] = max(waits[request.key], until)
                if let pool = poolOfKey[request.key] { poolWaits[pool] = max(poolWaits[pool], until) }
                openWaits[request.job] = (request.key, poolOfKey[request.key], until)
            }
        case .quotaExhausted:
            end(request.job, requests: nil, tokens: 0)
            if let wait = failure.retryAfter {
                // Used-up money is the key's, whatever limits it shares.
                waits[request.key] = max(waits[request.key], time + wait)
                openWaits[request.job] = (request.key, nil, time + wait)
            }
        case .overloaded where request.lane == .flex: end(request.job, requests: nil, tokens: 0)
        case .keyRejected, .modelUnavailable: end(request.job, requests: nil, tokens: 0)
        case .unavailable where !failure.judged, .timedOut where !failure.judged, .overloaded where !failure.judged:
            // It never got there in full.
            end(request.job, requests: 0, tokens: 0)
        case .invalidOutput: end(request.job, requests: nil, tokens: counted(report, request))
        case .refused, .invalidRequest: end(request.job, requests: nil, tokens: 0)
        default: end(request.job, requests: nil, tokens: nil)
        }
    }

    /// What a token limit holds against an answered request; nil: what was reserved.
    private func counted(_ report: AttemptReport, _ request: Request) -> Int? {
        if plan.keys[request.key].tokenCounting == .reserved || !report.usageReported { return nil }
        return request.usage.totalTokens
    }

    mutating func end(_ job: JobID, requests: Int?, tokens: Int?) {
        guard let places = jobs[job]?.places else { return }
        books[places.key].end(places.own, requests: requests, tokens: tokens)
        if let place = places.ownSent { sentBooks[places.key].end(place, requests: requests, tokens: tokens) }
        if let pool = poolOfKey[places.key] {
            if let place = places.pool { poolBooks[pool].end(place, requests: requests, tokens: tokens) }
            if let place = places.poolSent { poolSentBooks[pool].end(place, requests: requests, tokens: tokens) }
        }
        jobs[job]?.places = nil
        jobs[job]?.isBegun = false
        underWay.remove(job)
    }
}
