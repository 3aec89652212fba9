import OffpeakCore
import OffpeakStore

extension Checks {
    /// The scheduler has decided what becomes of a job.
    mutating func settled(_ settlement: Settlement, run: Int, at time: Timestamp) {
        guard let record = jobs[settlement.job], let entry = plan(ofFlow: settlement.flow) else {
            return fail("job \(settlement.job) was settled but never accepted")
        }
        let name = "job \(settlement.job)"
        let used = settlement.attemptsUsed - record.attemptsUsed
        if settlement.attemptsUsed > entry.policy.attempts {
            fail("\(name) has used \(settlement.attemptsUsed) attempts, its class allows \(entry.policy.attempts)")
        }
        switch settlement.outcome {
        case .success:
            if settlement.disposition != .complete { fail("\(name) was answered but is not complete") }
            if used != 1 { fail("\(name): its answer used \(used) attempts") }
        case .failure(let failure):
            if settlement.disposition == .complete { fail("\(name) failed but is complete") }
            let isFree =
                !failure.judged || failure.failureClass == .rateLimited || failure.failureClass == .quotaExhausted
                || failure.failureClass == .keyRejected
            if used < 0 || used > (isFree ? 0 : 1) {
                fail("\(name): \(failure.failureClass.rawValue) used \(used) attempts")
            }
            jobs[settlement.job]?.wait = nil
            // A tier without capacity says nothing of the others.
            if let wait = failure.retryAfter, let route = lastRoute[settlement.job],
                route.lane == .sync || failure.failureClass != .overloaded
            {
                jobs[settlement.job]?.wait = (route.key, route.model, time + wait, run)
            }
        }
    }

    /// A transaction has taken effect.
    mutating func committed(_ tick: Tick, _ result: TickResult, in queue: MemoryQueue) {
        var touched: Set<JobID> = []
        for settlement in tick.settlements {
            touched.insert(settlement.job)
            if let wait = openWaits.removeValue(forKey: settlement.job) {
                // Never longer than what holds in the run: it may be over by the time that it is recorded.
                lastingWaits[wait.key] = min(waits[wait.key], max(lastingWaits[wait.key], wait.until))
                if let pool = wait.pool {
                    lastingPoolWaits[pool] = min(poolWaits[pool], max(lastingPoolWaits[pool], wait.until))
                }
            }
        }
        var place = queue.attempts.count - result.begun.count
        for begun in result.begun {
            began(begun, place, tick, in: queue)
            touched.insert(begun.job)
            place += 1
        }
        for job in result.refused { touched.insert(job) }
        book { $0.committed(tick, in: queue) }
        for job in touched.sorted() { check(job, in: queue) }
    }

    private mutating func began(_ begun: BegunAttempt, _ place: Int, _ tick: Tick, in queue: MemoryQueue) {
        let attempt = queue.attempts[place]
        guard let record = jobs[begun.job], let flow = flows[begun.flow] else {
            return fail("job \(begun.job) was begun but never accepted")
        }
        if attempt.start.job != begun.job || attempt.start.lease != begun.lease {
            fail("job \(begun.job) was begun without an attempt on record")
        }
        if begun.lease != record.lease + 1 {
            fail("job \(begun.job) went from lease \(record.lease) to \(begun.lease)")
        }
        if record.isCancelled { fail("job \(begun.job) was begun although it is cancelled") }
        let className = plan.classes[flow.classIndex].policy.name
        if pauses.contains(key: attempt.start.key, className: className, batch: begun.job >> 32) {
            fail("job \(begun.job) was begun with key \(attempt.start.key) during a pause")
        }
        jobs[begun.job]?.lease = begun.lease
        jobs[begun.job]?.attempts.append(place)
        jobs[begun.job]?.isBegun = true
        book { $0.begun(begun.job, begun.lease) }
        if let key = plan.keys.firstIndex(where: { $0.name == attempt.start.key }) {
            lastRoute[begun.job] = (key, attempt.start.model, attempt.start.lane)
        }
    }

    /// Everything that must hold of one job in the queue.
    mutating func check(_ id: JobID, in queue: MemoryQueue) {
        guard let job = queue.jobs[id] else { return fail("job \(id) is lost") }
        guard var record = jobs[id] else { return fail("job \(id) was never accepted") }
        if (job.state == .succeeded) != (job.result != nil) {
            fail("job \(id) is \(job.state) and has \(job.result == nil ? "no" : "a") result")
        }
        if record.wasSucceeded && job.state != .succeeded { fail("job \(id) had succeeded and is \(job.state)") }
        if let known = record.result, known != job.result { fail("the result of job \(id) has changed") }
        if record.isCancelled && job.state != .cancelled && job.state != .succeeded {
            fail("job \(id) was cancelled and is \(job.state)")
        }
        if job.lease < record.lease { fail("the lease number of job \(id) went back to \(job.lease)") }
        let open = record.attempts.count { queue.attempts[$0].outcome == 0 }
        if open > 1 || (open == 1) != (job.state == .inFlight) {
            fail("job \(id) is \(job.state) and has \(open) open attempts")
        }
        if record.attempts.count != job.lease {
            fail("job \(id) has lease \(job.lease) and \(record.attempts.count) attempts")
        }
        record.wasSucceeded = job.state == .succeeded
        record.result = job.result
        record.attemptsUsed = job.attemptsUsed
        jobs[id] = record
        checkSends(id, in: queue)
    }

    /// A run has begun under a configuration without budgets and quotas: nothing is parked for money any more, unless no key
    /// could serve it anyway.
    mutating func tookUp(_ queue: MemoryQueue) {
        let codes = Set(MoneyStop.allCases.map(\.rawValue))
        for (id, job) in queue.jobs.sorted(by: { $0.key < $1.key })
        where job.state == .parked && codes.contains(job.failure?.code ?? "") && flows[job.flow]?.isHopeful == true {
            fail("job \(id) is parked for \(job.failure?.code ?? ""), and nothing limits money any more")
        }
    }

    // MARK: Ends

    /// A run said that all is done: then nothing waits.
    mutating func finished(_ run: Run, _ queue: MemoryQueue) {
        guard run.seenVersion == queue.dataVersion() else { return }
        for (id, job) in queue.jobs.sorted(by: { $0.key < $1.key })
        where job.state == .ready || job.state == .scheduled || job.state == .inFlight {
            fail("the run says that all is done, but job \(id) is \(job.state)")
        }
    }

    func isAllDone(in queue: MemoryQueue) -> Bool {
        queue.jobs.values.allSatisfy { $0.state.isFinal || flows[$0.flow]?.isHopeful == false }
    }

    func hasHopeless(in queue: MemoryQueue) -> Bool {
        queue.jobs.values.contains { !$0.state.isFinal && flows[$0.flow]?.isHopeful == false }
            && queue.jobs.values.allSatisfy {
                $0.state.isFinal || $0.state == .parked || flows[$0.flow]?.isHopeful == false
            }
    }

    func leftovers(in queue: MemoryQueue) -> String {
        let left = queue.jobs.filter { !$0.value.state.isFinal && flows[$0.value.flow]?.isHopeful != false }
        return left.sorted { $0.key < $1.key }.prefix(5).map {
            "\($0.key) \($0.value.state) of flow \($0.value.flow) due \($0.value.due?.milliseconds ?? 0)"
        }.joined(separator: ", ")
    }

    mutating func finalCheck(_ queue: MemoryQueue) {
        if queue.jobs.count != accepted { fail("\(accepted) jobs were accepted, \(queue.jobs.count) are there") }
        for id in queue.jobs.keys.sorted() { check(id, in: queue) }
        book { $0.finalCheck(queue) }
    }
}
