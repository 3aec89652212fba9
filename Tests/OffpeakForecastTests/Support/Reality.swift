import OffpeakCore
import OffpeakForecast

/// A night as it really goes, to the millisecond: every job has an answer of its own, every attempt a time of its own. Shares
/// nothing with the forecast but the scheduler.
struct Reality {
    struct Outcome: Sendable {
        var answered = 0
        var ended = 0
        var jobs = 0
        var lastAnswer: Timestamp?
        var charge = Charge()
        var spilled = 0
        var failedAttempts = 0
        /// Answers by key.
        var shares: [String: Int] = [:]
    }

    private struct Job {
        var ticket: JobTicket
        var isReady = true
        var hasEnded = false
    }

    private enum Event {
        case answered(JobID, AttemptReport)
        case due(JobID)
    }

    private let scenario: Scenario
    private var scheduler: Scheduler
    private var jobs: [JobID: Job] = [:]
    /// Ids of the jobs that may be ready, ascending, by flow.
    private var ready: [FlowID: [JobID]] = [:]
    private var flows: [FlowID: Flow] = [:]
    private var events = EventHeap<Event>()
    private var tie: UInt64 = 0
    private var now: Timestamp
    private var chance: Chance
    private var effects = SchedulerEffects()
    private(set) var outcome = Outcome()

    init(_ scenario: Scenario, seed: UInt64) {
        self.scenario = scenario
        scheduler = scenario.scheduler(seed: seed)
        now = scenario.start
        chance = Chance(seed: seed, purpose: 2)
        for batch in scenario.batches {
            let flow = scenario.flow(of: batch)
            flows[flow.id] = flow
            for (number, body) in scenario.bodies(of: batch).enumerated() {
                let id = batch.id * 1_000_000 + JobID(number)
                jobs[id] = Job(
                    ticket: JobTicket(
                        id: id, flow: flow.id, lease: 0, attemptsUsed: 0, bodyBytes: body,
                        maxOutputTokens: scenario.prompts[batch.className]!.maxOutputTokens))
                ready[flow.id, default: []].append(id)
                outcome.jobs += 1
            }
        }
    }

    mutating func run(until end: Timestamp) -> Outcome {
        var day = Scenario.dayNumber(now)
        var (news, turns) = scenario.calendar(now, lastDay: &day)
        for event in news { scheduler.handle(event, at: now, into: &effects) }
        scheduler.handle(
            .flowsChanged(flows.values.sorted { $0.id < $1.id }, foreign: false), at: now, into: &effects)
        while outcome.ended < outcome.jobs {
            let wake = settleDown()
            guard outcome.ended < outcome.jobs else { break }
            let next = min(events.time.map { Timestamp(milliseconds: $0) } ?? .distantFuture, wake, turns)
            guard next <= end else { break }
            now = max(now, next)
            if turns <= now {
                (news, turns) = scenario.calendar(now, lastDay: &day)
                for event in news { scheduler.handle(event, at: now, into: &effects) }
            }
            while let time = events.time, time <= now.milliseconds, let (_, event) = events.pop() { take(event) }
        }
        return outcome
    }

    private mutating func take(_ event: Event) {
        switch event {
        case .answered(let id, let report): scheduler.handle(.finished([(id, report)]), at: now, into: &effects)
        case .due(let id):
            guard jobs[id]?.hasEnded == false else { return }
            comeBack(id)
        }
    }

    /// Decides and performs until nothing follows any more at this millisecond.
    private mutating func settleDown() -> Timestamp {
        while true {
            scheduler.dispatch(at: now, into: &effects)
            let work = effects
            effects = SchedulerEffects()
            for settlement in work.settlements { settle(settlement) }
            for start in work.starts { begin(start) }
            for stop in work.stops where !jobs[stop.job]!.hasEnded {
                jobs[stop.job]!.isReady = false
                end(stop.job)
            }
            for (flow, _) in work.parkings + work.failings { giveUp(flow) }
            for flow in work.fetches { fetch(flow) }
            let isQuiet = work.starts.isEmpty && work.settlements.isEmpty && work.fetches.isEmpty && work.stops.isEmpty
            if isQuiet && effects.fetches.isEmpty { return max(work.wakeAt ?? .distantFuture, now + .milliseconds(1)) }
        }
    }

    private mutating func fetch(_ flow: FlowID) {
        let ids = (ready[flow] ?? []).filter { jobs[$0]!.isReady }
        ready[flow] = ids
        let page = ids.prefix(Scheduler.pageSize).map { jobs[$0]!.ticket }
        scheduler.handle(.fetched(flow, page, isAll: page.count == ids.count), at: now, into: &effects)
    }

    private mutating func begin(_ start: AttemptStart) {
        jobs[start.job]!.isReady = false
        jobs[start.job]!.ticket.lease = start.lease
        if start.isSpill { outcome.spilled += 1 }
        let name = flows[start.flow]!.className
        let sample = scenario.attempt(name, start.key, bodyBytes: jobs[start.job]!.ticket.bodyBytes, &chance)
        let report: AttemptReport
        if let failureClass = sample.failure {
            outcome.failedAttempts += 1
            report = AttemptReport(
                outcome: .failure(
                    Failure(failureClass, code: "x", message: "x", statusCode: sample.statusCode)))
        } else {
            report = AttemptReport(
                outcome: .success(Answer(statusCode: 200, requestID: "", body: [], usage: sample.usage)),
                usageReported: true)
        }
        push(.answered(start.job, report), at: now + sample.duration)
    }

    private mutating func push(_ event: Event, at moment: Timestamp) {
        tie += 1
        events.push(event, at: moment.milliseconds, tie: tie)
    }

    private mutating func settle(_ settlement: Settlement) {
        let id = settlement.job
        jobs[id]!.ticket.attemptsUsed = settlement.attemptsUsed
        if let entry = settlement.entry { outcome.charge = outcome.charge + entry.charge }
        switch settlement.disposition {
        case .complete:
            outcome.answered += 1
            if let entry = settlement.entry { outcome.shares[entry.route.key, default: 0] += 1 }
            outcome.lastAnswer = now
            end(id)
        case .park, .fail: end(id)
        case .nextKey, .shared, .nextModel: comeBack(id)
        case .retry(let moment), .defer(let moment):
            if moment > now { push(.due(id), at: moment) } else { comeBack(id) }
        }
    }

    private mutating func end(_ id: JobID) {
        jobs[id]!.hasEnded = true
        outcome.ended += 1
    }

    private mutating func comeBack(_ id: JobID) {
        jobs[id]!.isReady = true
        let flow = jobs[id]!.ticket.flow
        let place = ready[flow]!.firstIndex { $0 >= id } ?? ready[flow]!.count
        if place == ready[flow]!.count || ready[flow]![place] != id { ready[flow]!.insert(id, at: place) }
        scheduler.handle(.promoted([flow]), at: now, into: &effects)
    }

    /// All of a flow's jobs that are not under way end.
    private mutating func giveUp(_ flow: FlowID) {
        for id in jobs.keys.sorted() where jobs[id]!.ticket.flow == flow && !jobs[id]!.hasEnded {
            guard !scheduler.isInFlight(id) else { continue }
            jobs[id]!.isReady = false
            end(id)
        }
        ready[flow] = []
    }
}
