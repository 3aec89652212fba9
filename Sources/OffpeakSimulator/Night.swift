import OffpeakCore
import OffpeakStore

/// A whole night in virtual time: the real scheduler and queue, driven as the engine drives them, against modelled
/// servers, people and misfortunes. The same plan gives the same night, to the last event.
package final class Night {
    enum Event {
        case submit(Int)
        case act(Int)
        case dawn
        case start
        case turn(run: Int, ticket: Int)
        case commit(run: Int)
        case reply(run: Int, StoreAnswer)
        case arrive(Int)
        case finish(Int, isLost: Bool)
        case respond(Int, AttemptReport)
        case giveUp(Int)
        case secret(run: Int, key: Int)
    }

    let plan: NightPlan
    let queue = MemoryQueue()
    var servers: Servers
    var checks: Checks
    var trace: Trace
    var counts = NightCounts()
    var heap = EventHeap<Event>()
    var chance: Chance
    /// The night's own time, which no clock shows.
    var now: Int64
    /// The wall clock minus the night's time; changes between runs only.
    var clockOffset: Int64 = 0
    var run: Run?
    var runs = 0
    var requests: [Request] = []
    /// By number of the plan.
    var batches: [BatchID?]
    var isDawn = false
    var isOver = false
    var rounds = 0
    var diskFailsUntil = Int64.min
    var spilled: [Settlement] = []
    var deathsLeft: Int
    /// How many times over people have raised budgets and quotas; 0: there are none any more.
    var raise = 1
    var moneyChance: Chance
    var lastProgress: Int64

    package init(_ plan: NightPlan, keepsLines: Bool = false) {
        self.plan = plan
        servers = Servers(plan)
        checks = Checks(plan)
        trace = Trace(keepsLines: keepsLines)
        chance = Chance(seed: plan.seed, purpose: 3)
        moneyChance = Chance(seed: plan.seed, purpose: 22)
        now = plan.start
        lastProgress = now
        batches = Array(repeating: nil, count: plan.batches.count)
        deathsLeft = plan.run.deaths
    }

    /// Without progress for so long, after dawn, a night is stuck: the longest regular waits are for the next day.
    private static let longestWait: Int64 = 3 * NightPlan.day
    private static let mostEvents = 3_000_000

    /// Plays the night to its end, or to the first thing that is not as it must be.
    package func play() -> NightReport {
        for i in plan.batches.indices { push(.submit(i), at: plan.start + plan.batches[i].at) }
        for i in plan.acts.indices { push(.act(i), at: plan.start + plan.acts[i].at) }
        push(.dawn, at: plan.start + plan.dawn)
        push(.start, at: plan.start + 1)
        while checks.problem == nil, !isOver {
            guard let next = heap.pop() else {
                stalled()
                continue
            }
            now = next.time
            counts.events += 1
            handle(next.event)
            if isDawn, now - max(lastProgress, plan.start + plan.dawn) > Self.longestWait { stalled() }
            if counts.events > Self.mostEvents { checks.fail("the night does not end: \(counts.events) events") }
        }
        return report()
    }

    func push(_ event: Event, at time: Int64) { heap.push(event, at: time, tie: chance.word()) }

    private func handle(_ event: Event) {
        switch event {
        case .submit(let index): submit(index)
        case .act(let index): act(plan.acts[index])
        case .dawn: dawn()
        case .start: startRun()
        case .turn(let number, let ticket):
            if let run, run.number == number, run.turn?.ticket == ticket { turn(run) }
        case .commit(let number): if let run, run.number == number { commit(run) }
        case .reply(let number, let answer): if let run, run.number == number { deliver(.stored(answer), to: run) }
        case .arrive(let index): arrive(index)
        case .finish(let index, let isLost): finish(index, isLost: isLost)
        case .respond(let index, let report): respond(index, report)
        case .giveUp(let index): giveUp(index)
        case .secret(let number, let key): if let run, run.number == number { loadSecret(key, for: run) }
        }
    }

    private func report() -> NightReport {
        for job in queue.jobs.values { counts.states[job.state.rawValue] += 1 }
        return NightReport(
            seed: plan.seed, problem: checks.problem.map { "at \(now - plan.start) ms: \($0)" }, hash: trace.hash,
            lines: trace.lines, counts: counts, ended: now - plan.start, served: checks.served,
            money: checks.money?.counts)
    }

    // MARK: People

    private func submit(_ index: Int) {
        let plan = plan.batches[index]
        let batch = queue.addBatch()
        batches[index] = batch
        var chance = Chance(seed: self.plan.seed, purpose: 1_000 + UInt64(index))
        for flow in plan.flows {
            let id = queue.addFlow(
                batch: batch, className: flow.className, model: flow.model, priority: plan.priority,
                deadline: plan.deadline.map { Timestamp(milliseconds: now + clockOffset + $0) })
            checks.sawFlow(id, batch: index, className: flow.className, model: flow.model)
            for _ in 0..<flow.jobs {
                let job = queue.addJob(
                    flow: id, customID: "", body: Array(repeating: 0, count: chance.within(flow.bodyBytes)),
                    maxOutputTokens: flow.maxOutputTokens, beyond: flow.beyond)
                checks.accepted(job)
            }
        }
        trace.note("submit", now, Int64(index), batch)
        noticed()
    }

    /// Another process has written: the run looks at that within a second.
    private func noticed() {
        lastProgress = now
        guard let run else { return }
        wake(run, at: max(now, run.lastRefresh.milliseconds - run.offset + 1_000))
    }

    private func act(_ act: Act) {
        guard !isDawn else { return }
        trace.note("act", now)
        switch act.kind {
        case .pauseKey(let key, let isPaused):
            queue.setPaused(isPaused, key: plan.keys[key].name)
            checks.pauses.set(isPaused, key: plan.keys[key].name)
        case .pauseClass(let index, let isPaused):
            queue.setPaused(isPaused, className: plan.classes[index].policy.name)
            checks.pauses.set(isPaused, className: plan.classes[index].policy.name)
        case .pauseBatch(let index, let isPaused):
            guard let batch = batches[index] else { return }
            queue.setPaused(isPaused, batch: batch)
            checks.pauses.set(isPaused, batch: batch)
        case .cancel(let index):
            guard let batch = batches[index] else { return }
            queue.cancel(batch, at: Timestamp(milliseconds: now + clockOffset))
            checks.cancelled(batch, in: queue)
        case .retry(let index, let which):
            guard let batch = batches[index] else { return }
            queue.retry(batch, which)
            checks.retried(batch, in: queue)
        case .stop(let hard): if let run { deliver(.drain(hard: hard), to: run) }
        case .kill: die()
        case .diskFails(let length): diskFailsUntil = now + length
        case .raise(let factor):
            raise = factor
            if let run { deliver(.drain(hard: false), to: run) }
        }
        noticed()
    }

    // MARK: The end of the night

    /// From here on everybody behaves.
    private func dawn() {
        trace.note("dawn", now)
        (isDawn, servers.isCalm, diskFailsUntil, deathsLeft) = (true, true, .min, 0)
        if plan.money != nil { raise = 0 }
        for key in plan.keys { queue.setPaused(false, key: key.name) }
        for entry in plan.classes { queue.setPaused(false, className: entry.policy.name) }
        for batch in batches.compactMap({ $0 }) { queue.setPaused(false, batch: batch) }
        checks.pauses = PausesSeen()
        noticed()
        guard let run else { return }
        if run.watches || plan.money != nil { deliver(.drain(hard: false), to: run) }
    }

    /// A run is over: is the night? If not, a person has another look at what is parked, and the next run begins.
    func runEnded() {
        run = nil
        guard isDawn || plan.run.isSingle else { return push(.start, at: now + chance.within(1_000...180_000)) }
        if plan.run.isSingle || checks.isAllDone(in: queue) {
            isOver = true
            checks.finalCheck(queue)
            return
        }
        rounds += 1
        if rounds > 8 { return checks.fail("jobs are left after \(rounds) calm runs: \(checks.leftovers(in: queue))") }
        retryParked()
        lastProgress = now
        push(.start, at: now + 1_000)
    }

    private func retryParked() {
        for batch in batches.compactMap({ $0 }) {
            queue.retry(batch, .parked)
            checks.retried(batch, in: queue)
        }
    }

    /// Nothing happens any more, or nothing that helps.
    private func stalled() {
        guard let run else { return checks.fail("the night has lost its run") }
        // A key that was rejected, or does not have the model, is tried again by the next run only.
        guard run.needsPerson || checks.hasHopeless(in: queue) else {
            return checks.fail("stuck: nothing happens, and jobs are left: \(checks.leftovers(in: queue))")
        }
        run.needsPerson = false
        lastProgress = now
        if run.drainCause != nil || rounds > 8 { return checks.fail("stuck while it drains") }
        trace.note("stalled", now)
        rounds += 1
        deliver(.drain(hard: false), to: run)
    }
}
