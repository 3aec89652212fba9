import OffpeakCore
import OffpeakStore

extension Night {
    /// Hands over what the transaction is to hold, unless one is under way.
    func perform(_ run: Run, at time: Timestamp) {
        for settlement in run.effects.settlements { checks.book { $0.decided(settlement) } }
        for start in run.effects.starts {
            if let flow = checks.flows[start.flow], let job = queue.jobs[start.job] {
                checks.book {
                    $0.started(start, classIndex: flow.classIndex, batch: start.job >> 32, job: job, day: run.day)
                }
            }
            checks.started(start, run: run, at: time, now: now)
            trace.note("begin", now, start.job, Int64(start.lease), Int64(start.reservedTokens))
            trace.note(text: start.key)
        }
        for settlement in run.effects.settlements {
            checks.settled(settlement, run: run.number, at: time)
            counts.dispositions[settlement.disposition.word, default: 0] += 1
            trace.note("settle", now, settlement.job, Int64(settlement.lease), Int64(settlement.attemptsUsed))
            trace.note(text: settlement.disposition.word)
            if case .retry(let at) = settlement.disposition { run.nextDue = min(run.nextDue ?? at, at) }
            if case .defer(let at) = settlement.disposition { run.nextDue = min(run.nextDue ?? at, at) }
        }
        for (flow, hold) in run.effects.holds {
            trace.note("hold", now, flow, hold?.until?.milliseconds ?? 0)
            if let hold { trace.note(text: hold.reason) }
        }
        for memory in run.effects.memories {
            trace.note("memory", now, memory.blockedUntil?.milliseconds ?? 0, Int64(memory.useOfLimit))
            trace.note(text: memory.key + memory.health)
        }
        if !run.effects.starts.isEmpty || !run.effects.settlements.isEmpty { progress(run) }
        for key in run.effects.staleSecrets {
            if let index = plan.keys.firstIndex(where: { $0.name == key }) {
                push(.secret(run: run.number, key: index), at: now + chance.within(50...20_000))
            }
        }
        run.pending.add(run.effects)
        run.effects = SchedulerEffects()
        guard run.storing == nil, !run.pending.isEmpty else { return }
        if run.hasFailed, run.scheduler.inFlightCount > 0 || run.pending.settlements.isEmpty { return }
        if run.pending.changesJobs { run.isViewStale = true }
        run.storing = Storing(pending: run.pending, tick: run.pending.tick(day: run.day), handedOver: time)
        run.pending = PendingTick()
        push(.commit(run: run.number), at: now + chance.within(plan.run.commit))
    }

    func progress(_ run: Run) {
        (run.idleTurns, run.quickTurns) = (0, 0)
        lastProgress = now
    }

    /// Of a thousand, so many, as long as this run may die.
    private func mayDie(_ perMille: Int) -> Bool {
        guard deathsLeft > 0, chance.perMille(perMille) else { return false }
        deathsLeft -= 1
        return true
    }

    func diesWithAnswer() -> Bool { mayDie(plan.run.diesWithAnswer) }

    /// The store's part of a turn: one transaction, then what is to be read.
    func commit(_ run: Run) {
        guard var storing = run.storing else { return checks.fail("a commit without a transaction") }
        if mayDie(plan.run.diesBeforeCommit) { return die() }
        if now < diskFailsUntil || (!isDawn && chance.perMille(plan.run.commitFails)) {
            counts.failedCommits += 1
            trace.note("failed", now)
            return commitFailed(run, &storing)
        }
        // A commit that fails and takes effect all the same is found out by `recover`, and goes on like any other.
        if !isDawn && chance.perMille(plan.run.commitFailsApplied) { counts.failedCommits += 1 }
        let result = queue.commit(storing.tick, at: storing.handedOver)
        trace.note("commit", now, Int64(result.begun.count), Int64(result.refused.count))
        checks.committed(storing.tick, result, in: queue)
        if !storing.tick.settlements.isEmpty || !result.begun.isEmpty || !result.promoted.isEmpty { progress(run) }
        var answer = StoreAnswer()
        answer.begun = result.begun
        answer.refused = result.refused + storing.dropped
        for start in storing.tick.starts { answer.starts[start.job] = start }
        answer.promoted = result.promoted.map(\.flow)
        for stop in storing.tick.stops {
            if let known = checks.flows[stop.flow], let job = queue.jobs[stop.job] {
                checks.book { $0.stopped(stop, job, classIndex: known.classIndex) }
            }
            trace.note("stop", now, stop.job, Int64(stop.state.rawValue))
            run.needsPerson = true
        }
        for (flow, state, failure) in storing.pending.flowStops {
            if let known = checks.flows[flow], let batch = batches[known.batch] {
                checks.book {
                    $0.stopped(
                        flow, state, failure, batch: batch, classIndex: known.classIndex, day: run.day, in: queue)
                }
            }
            let stopped = queue.stop(flow: flow, as: state, failure: failure, at: storing.handedOver)
            trace.note(state == .parked ? "park" : "fail", now, flow, Int64(stopped))
            run.needsPerson = true
        }
        read(into: &answer, storing.pending, run)
        if mayDie(plan.run.diesAfterCommit) { return die() }
        push(.reply(run: run.number, answer), at: now + chance.within(plan.run.reply))
    }

    private func read(into answer: inout StoreAnswer, _ pending: PendingTick, _ run: Run) {
        for flow in Set(pending.fetches).sorted() {
            let tickets = queue.peek(flow: flow, after: nil, limit: Scheduler.pageSize)
            answer.fetched.append((flow, tickets, tickets.count < Scheduler.pageSize))
            trace.note("fetch", now, flow, Int64(tickets.count))
        }
        answer.nextDue = queue.nextDue()
        guard pending.refreshes else { return }
        let version = queue.dataVersion()
        let isForeign = version != run.seenVersion
        guard isForeign || pending.forcesRefresh else { return }
        run.seenVersion = version
        answer.view = (queue.flowStatuses(), queue.pauses(), isForeign)
    }

    /// Nothing new is begun on a disk that fails; what ended is tried again for half a minute, and then kept beside the
    /// queue.
    private func commitFailed(_ run: Run, _ storing: inout Storing) {
        storing.failures += 1
        if storing.failures == 1 {
            storing.dropped = storing.tick.starts.map(\.job)
            storing.tick.starts = []
        }
        run.storing = storing
        if storing.failures <= 30 {
            let pause: Int64 = storing.failures == 1 ? 0 : 1_000
            return push(.commit(run: run.number), at: now + pause + chance.within(plan.run.commit))
        }
        spill(storing.tick.settlements)
        var answer = StoreAnswer()
        answer.hasFailed = true
        answer.refused = storing.dropped
        push(.reply(run: run.number, answer), at: now + chance.within(plan.run.reply))
    }

    func spill(_ settlements: [Settlement]) {
        guard !settlements.isEmpty else { return }
        counts.spills += 1
        spilled += settlements
    }
}
