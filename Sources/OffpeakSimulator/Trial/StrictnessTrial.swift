import OffpeakCore

/// Many decisions in little time: the scheduler alone, with a list for a queue and a provider that answers whatever chance
/// draws. Runs crash, people pause and change the configuration, secrets, days and windows turn. All the while one thing
/// is judged: that no attempt of a class uses a key that the configuration's words do not let it use.
package struct StrictnessTrial {
    package struct Counts: Sendable {
        /// Attempts begun: each is the choice of a key.
        package var starts = 0
        package var closedStarts = 0
        /// Begun in the lane flex.
        package var flexStarts = 0
        /// In lane sync, though the class prefers flex on a key that has it.
        package var flexPassedOver = 0
        /// Of those of closed classes: the queue had room on a key outside the class's set, or none was outside.
        package var closedWithOutsider = 0
        /// What became of a job after a failed attempt: each is the choice of a step.
        package var steps = 0
        package var closedSteps: [String: Int] = [:]
        package var crashes = 0
        package var configurations = 0

        package init() {}

        package static func += (a: inout Counts, b: Counts) {
            a.starts += b.starts
            a.closedStarts += b.closedStarts
            a.flexStarts += b.flexStarts
            a.flexPassedOver += b.flexPassedOver
            a.closedWithOutsider += b.closedWithOutsider
            a.steps += b.steps
            a.closedSteps.merge(b.closedSteps) { $0 + $1 }
            a.crashes += b.crashes
            a.configurations += b.configurations
        }
    }

    /// A job in the list.
    struct Job {
        var ticket: JobTicket
        /// Nil: ready, or in flight. Distant future: parked.
        var due: Timestamp?
        var start: AttemptStart?
    }

    package private(set) var counts = Counts()
    /// What was wrong; nil when nothing was.
    package private(set) var problem: String?
    var chance: Chance
    var setup: TrialSetup
    var scheduler: Scheduler
    var effects = SchedulerEffects()
    /// A job's number is one more than its place, and stays: when it has ended, it begins anew as another line.
    var jobs: [Job] = []
    private static let jobsPerFlow = 24
    private var earliestDue = Timestamp.distantFuture
    var flows: [Flow] = []
    var inFlight: [JobID] = []
    var memories: [String: KeyMemory] = [:]
    var stale: [String] = []
    var now = Timestamp(milliseconds: 1_800_000_000_000)
    var day = 0
    private var idleTurns = 0

    package init(seed: UInt64) {
        chance = Chance(seed: seed, purpose: 11)
        setup = TrialSetup(&chance)
        scheduler = setup.scheduler(seed: chance.word())
        counts.configurations = 1
        for (index, entry) in setup.classes.enumerated() {
            for model in NightPlan.models.prefix(2) {
                let id = FlowID(flows.count + 1)
                flows.append(
                    Flow(
                        id: id, batch: BatchID(index + 1), className: entry.name, model: model,
                        endpoint: .chatCompletions))
                for _ in 0..<Self.jobsPerFlow { addJob(id) }
            }
        }
        begin()
    }

    /// Goes on until so many decisions have been made, or something is wrong.
    package mutating func play(decisions goal: Int) {
        var turns = 0
        while counts.starts + counts.steps < goal, problem == nil {
            turns += 1
            if turns > goal * 20 { return fail("\(turns) turns, and only \(counts.starts) attempts begun") }
            turn()
        }
    }

    private mutating func fail(_ text: String) { problem = problem ?? text }

    // MARK: The run

    /// A run begins: what the queue has goes into a new scheduler.
    private mutating func begin() {
        effects = SchedulerEffects()
        for memory in memories.values.sorted(by: { $0.key < $1.key }) { scheduler.recall(memory, at: now) }
        startDay()
        for id in inFlight {
            let job = jobs[Int(id) - 1]
            guard let start = job.start else { continue }
            var ticket = job.ticket
            ticket.lease = start.lease
            if chance.percent(50) { scheduler.recall(key: start.key, countedAt: now, tokens: start.reservedTokens) }
            settle(scheduler.abandoned(ticket, className: className(of: ticket.flow), at: now))
        }
        inFlight = []
        stale = []
        scheduler.handle(.flowsChanged(flows, foreign: true), at: now, into: &effects)
    }

    private mutating func restart() {
        counts.crashes += 1
        if chance.percent(40) {
            setup.redrawClasses(&chance)
            counts.configurations += 1
        }
        scheduler = setup.scheduler(seed: chance.word())
        begin()
    }

    private mutating func turn() {
        let before = counts.starts
        happen()
        promote()
        answer()
        scheduler.dispatch(at: now, into: &effects)
        perform()
        idleTurns = counts.starts == before ? idleTurns + 1 : 0
        now = now + .milliseconds(chance.percent(3) ? chance.within(60_000...3_600_000) : chance.within(1...3_000))
        guard inFlight.isEmpty, counts.starts == before else { return }
        // Nothing goes: to the next moment that was named, or a person helps.
        if earliestDue > now, earliestDue < .distantFuture, chance.percent(50) { now = earliestDue }
        if idleTurns > 3 { help() }
    }

    private mutating func startDay() {
        day += 1
        let ends = now + .hours(20)
        scheduler.handle(.dayStarted(used: [:], ends: ends), at: now, into: &effects)
        let calendar = CalendarPosition(
            day: day, ends: PeriodEnds(day: ends, week: ends, month: ends), began: [.day: day, .week: day, .month: day])
        scheduler.recall([], calendar)
    }

    /// Something from outside, now and then.
    private mutating func happen() {
        let name = setup.classes[chance.below(setup.classes.count)].name
        switch chance.below(300) {
        case 0...1: restart()
        case 2...3:
            let keys = setup.keys.map(\.name).filter { _ in chance.percent(40) }
            scheduler.handle(.pausesChanged(classes: [], keys: Set(keys)), at: now, into: &effects)
        case 4: scheduler.handle(.pausesChanged(classes: [name], keys: []), at: now, into: &effects)
        case 5:
            scheduler.handle(
                .windowChanged(className: name, isOpen: false, until: now + .minutes(5)), at: now, into: &effects)
        case 6...7: startDay()
        case 8: scheduler.handle(.flowsChanged(flows, foreign: true), at: now, into: &effects)
        case 9:
            scheduler.handle(.secretChanged(key: chance.one(of: setup.keys).name), at: now, into: &effects)
        case 10:
            scheduler.handle(.drain, at: now, into: &effects)
            answer()
            perform()
            restart()
        default: break
        }
        for key in stale where chance.percent(50) {
            stale.removeAll { $0 == key }
            let isNew = chance.percent(50)
            scheduler.handle(isNew ? .secretChanged(key: key) : .secretKept(key: key), at: now, into: &effects)
        }
    }

    /// A person mends everything that a person can mend.
    private mutating func help() {
        idleTurns = 0
        scheduler.handle(.pausesChanged(classes: [], keys: []), at: now, into: &effects)
        for entry in setup.classes {
            scheduler.handle(
                .windowChanged(className: entry.name, isOpen: true, until: .distantFuture), at: now, into: &effects)
        }
        for i in jobs.indices where jobs[i].due == .distantFuture {
            (jobs[i].due, jobs[i].ticket.attemptsUsed) = (nil, 0)
        }
        if chance.percent(50) { setup.redrawClasses(&chance) }
        counts.configurations += 1
        memories = [:]
        scheduler = setup.scheduler(seed: chance.word())
        now = now + .hours(2)
        begin()
    }

    // MARK: The queue

    private mutating func addJob(_ flow: FlowID) {
        jobs.append(
            Job(
                ticket: JobTicket(
                    id: JobID(jobs.count + 1), flow: flow, lease: 0, attemptsUsed: 0,
                    bodyBytes: chance.within(40...800),
                    maxOutputTokens: chance.percent(90) ? chance.within(10...200) : nil)))
    }

    private func places(of flow: FlowID) -> Range<Int> {
        (Int(flow) - 1) * Self.jobsPerFlow..<Int(flow) * Self.jobsPerFlow
    }

    private func className(of flow: FlowID) -> String { flows[Int(flow) - 1].className }

    private mutating func promote() {
        guard earliestDue <= now else { return }
        var ready: Set<FlowID> = []
        earliestDue = .distantFuture
        for i in jobs.indices {
            guard let due = jobs[i].due else { continue }
            if due <= now {
                jobs[i].due = nil
                ready.insert(jobs[i].ticket.flow)
            } else {
                earliestDue = min(earliestDue, due)
            }
        }
        scheduler.handle(.promoted(ready.sorted()), at: now, into: &effects)
    }

    private mutating func wait(_ place: Int, until due: Timestamp) {
        jobs[place].due = due
        earliestDue = min(earliestDue, due)
    }

    private mutating func perform() {
        for start in effects.starts { started(start) }
        var again: Set<FlowID> = []
        for settlement in effects.settlements {
            settle(settlement)
            again.insert(settlement.flow)
        }
        for memory in effects.memories { memories[memory.key] = memory }
        stale += effects.staleSecrets
        for stop in effects.stops where jobs[Int(stop.job) - 1].start == nil {
            if stop.state == .parked { wait(Int(stop.job) - 1, until: .distantFuture) }
        }
        for (flow, _) in effects.parkings { stop(flow, parks: true) }
        for (flow, _) in effects.failings { stop(flow, parks: false) }
        let fetches = Set(effects.fetches)
        effects = SchedulerEffects()
        if !again.isEmpty { scheduler.handle(.promoted(again.sorted()), at: now, into: &effects) }
        for flow in fetches.union(effects.fetches).sorted() {
            var tickets: [JobTicket] = []
            for i in places(of: flow) where jobs[i].due == nil && jobs[i].start == nil {
                tickets.append(jobs[i].ticket)
            }
            scheduler.handle(.fetched(flow, tickets, isAll: true), at: now, into: &effects)
        }
        effects.fetches = []
    }

    private mutating func stop(_ flow: FlowID, parks: Bool) {
        for i in places(of: flow) where jobs[i].start == nil {
            if parks { wait(i, until: .distantFuture) } else { (jobs[i].due, jobs[i].ticket.attemptsUsed) = (nil, 0) }
        }
    }

    private mutating func settle(_ settlement: Settlement) {
        let place = Int(settlement.job) - 1
        guard jobs[place].start != nil else { return fail("job \(settlement.job) was settled without an attempt") }
        jobs[place].ticket.lease = settlement.lease
        jobs[place].ticket.attemptsUsed = settlement.attemptsUsed
        jobs[place].start = nil
        if case .failure = settlement.outcome {
            counts.steps += 1
            if setup.isClosed(className(of: settlement.flow)) {
                counts.closedSteps[settlement.disposition.word, default: 0] += 1
            }
        }
        switch settlement.disposition {
        case .complete, .fail: jobs[place].ticket.attemptsUsed = 0
        case .retry(let at): wait(place, until: at)
        case .defer(let until): wait(place, until: until)
        case .park: wait(place, until: .distantFuture)
        case .nextKey, .shared, .nextModel: break
        }
    }

    // MARK: Attempts

    private mutating func started(_ start: AttemptStart) {
        let place = Int(start.job) - 1
        guard jobs[place].start == nil, jobs[place].due == nil else {
            return fail("job \(start.job) was started although it does not wait")
        }
        counts.starts += 1
        let name = className(of: start.flow)
        let allowed = setup.allowed[name] ?? []
        if setup.isClosed(name) {
            counts.closedStarts += 1
            if allowed.count < setup.keys.count { counts.closedWithOutsider += 1 }
        }
        if !allowed.contains(start.key) {
            fail("class \(name) was started with key \(start.key), which it must not use: \(setup)")
        }
        checkLane(start, name)
        if chance.percent(3) {
            // The queue did not accept it: somebody was faster.
            return scheduler.handle(.refused([start.job]), at: now, into: &effects)
        }
        jobs[place].start = start
        inFlight.append(start.job)
    }

    /// The lane is one that the configuration's words give to the class and to the key.
    private mutating func checkLane(_ start: AttemptStart, _ name: String) {
        let ofClass = setup.classes.first { $0.name == name }?.lanes ?? []
        let ofKey = setup.keys.first { $0.name == start.key }?.lanes ?? []
        if !ofClass.contains(start.lane) || !ofKey.contains(start.lane) || start.lane == .batch {
            fail("class \(name) was started in lane \(start.lane.rawValue) on \(start.key): \(setup)")
        }
        if start.lane == .flex { counts.flexStarts += 1 }
        let prefersFlex = ofClass.first { $0 != .batch } == .flex && ofKey.contains(.flex)
        if start.lane == .sync, prefersFlex { counts.flexPassedOver += 1 }
    }

    private mutating func answer() {
        var ended: [(job: JobID, report: AttemptReport)] = []
        var left: [JobID] = []
        for job in inFlight { if chance.percent(75) { ended.append((job, report())) } else { left.append(job) } }
        inFlight = left
        if !ended.isEmpty { scheduler.handle(.finished(ended), at: now, into: &effects) }
    }

    private mutating func report() -> AttemptReport {
        let usage = Usage(inputTokens: 10, outputTokens: 10)
        if chance.percent(setup.health) {
            return AttemptReport(
                outcome: .success(Answer(statusCode: 200, requestID: "", body: [], usage: usage)),
                usageReported: chance.percent(90))
        }
        let kind = chance.one(of: FailureClass.allCases)
        // Few of those that only a person mends, else little else happens.
        if kind == .keyRejected || kind == .modelUnavailable || kind == .quotaExhausted, chance.percent(85) {
            return report()
        }
        var failure = Failure(
            kind, code: kind.rawValue, message: "simulated", judged: chance.percent(kind == .unavailable ? 50 : 90))
        if chance.percent(30) { failure.retryAfter = .milliseconds(chance.within(1...60_000)) }
        return AttemptReport(outcome: .failure(failure))
    }
}
