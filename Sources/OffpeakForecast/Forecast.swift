import OffpeakCore

/// The real scheduler in virtual time, with neither queue nor network: what `offpeak plan` tells before money is spent.
///
/// Every decision is the scheduler's. The forecast only makes up the answers, and keeps the time.
package struct Forecast {
    /// What one attempt brings, and after what time.
    package typealias Answers = (AttemptStart, JobTicket, Flow) -> (after: Interval, report: AttemptReport)
    /// What the calendar and the classes' windows say at a moment, and when to ask again.
    package typealias Calendar = (Timestamp) -> (events: [SchedulerEvent], next: Timestamp)

    private enum Event {
        case answered(JobID, AttemptReport)
        case due(JobTicket)
    }

    private var scheduler: Scheduler
    private var lines: [FlowID: ForecastLine] = [:]
    private let order: [FlowID]
    private var events = EventHeap<Event>()
    private var tickets: [JobID: JobTicket] = [:]
    private var now: Timestamp
    private var effects = SchedulerEffects()
    private var told = Timestamp.distantPast
    /// Answers that come within so much time are taken together.
    private let step: Int64
    private(set) package var result = ForecastResult()
    private var pushed: UInt64 = 0

    /// `scheduler` knows all that is behind it. `step` is in milliseconds.
    package init(scheduler: Scheduler, work: [ForecastWork], step: Int64 = 1, at now: Timestamp) {
        self.scheduler = scheduler
        self.scheduler.explainsRoutes = false
        self.now = now
        self.step = step
        order = work.map(\.flow.id)
        for (index, entry) in work.enumerated() {
            lines[entry.flow.id] = ForecastLine(entry, firstJob: (JobID(index) + 1) << 32)
            result.jobs += entry.count
        }
    }

    /// Runs until nothing is left, or nothing can happen any more, or the time is over.
    package mutating func run(until end: Timestamp, calendar: Calendar, answers: Answers) -> ForecastResult {
        var (news, turns) = calendar(now)
        for event in news { scheduler.handle(event, at: now, into: &effects) }
        tellFlows()
        var wake = turn(answers)
        while result.ended < result.jobs {
            let next = [events.time.map { Timestamp(milliseconds: $0) }, wake, turns].compactMap { $0 }.min()!
            guard next < .distantFuture, next <= end else { break }
            now = max(now, next)
            if step > 1 { now.milliseconds = (now.milliseconds + step - 1) / step * step }
            if turns <= now {
                (news, turns) = calendar(now)
                for event in news { scheduler.handle(event, at: now, into: &effects) }
            }
            takeEvents()
            if now - told >= .seconds(1) { tellFlows() }
            wake = turn(answers)
        }
        result.waiting = lines.values.reduce(0) { $0 + $1.open }
        return result
    }

    private mutating func tellFlows() {
        told = now
        let open: [Flow] = order.compactMap { id in
            guard let line = lines[id], line.open > 0 else { return nil }
            var flow = line.flow
            flow.waiting = line.waiting
            return flow
        }
        scheduler.handle(.flowsChanged(open, foreign: false), at: now, into: &effects)
    }

    private mutating func takeEvents() {
        var ended: [(job: JobID, report: AttemptReport)] = []
        while let time = events.time, time <= now.milliseconds, let (_, event) = events.pop() {
            switch event {
            case .answered(let job, let report): ended.append((job, report))
            case .due(let ticket):
                lines[ticket.flow]?.cameBack(ticket)
                scheduler.handle(.promoted([ticket.flow]), at: now, into: &effects)
            }
        }
        if !ended.isEmpty { scheduler.handle(.finished(ended), at: now, into: &effects) }
    }

    /// Dispatches until nothing more follows; returns when to come back at the latest.
    private mutating func turn(_ answers: Answers) -> Timestamp? {
        while true {
            scheduler.dispatch(at: now, into: &effects)
            let work = effects
            effects = SchedulerEffects()
            perform(work, answers)
            let isAgain = work.wakeAt.map { $0 <= now } ?? false
            if !isAgain, effects.fetches.isEmpty, work.fetches.isEmpty {
                return work.wakeAt
            }
            // Whatever asked to come back at once has either begun something or waits for the next moment.
            if isAgain, work.starts.isEmpty, work.fetches.isEmpty { return now + .milliseconds(step) }
        }
    }

    private mutating func perform(_ work: SchedulerEffects, _ answers: Answers) {
        for settlement in work.settlements { settle(settlement) }
        for start in work.starts { begin(start, answers) }
        for (flow, hold) in work.holds { note(hold, on: flow) }
        for stop in work.stops { giveUp(stop) }
        for (flow, failure) in work.parkings { giveUp(flow, failure, \.parked) }
        for (flow, failure) in work.failings { giveUp(flow, failure, \.failed) }
        for flow in work.fetches {
            guard let (page, isAll) = lines[flow]?.page() else { continue }
            for ticket in page { tickets[ticket.id] = ticket }
            scheduler.handle(.fetched(flow, page, isAll: isAll), at: now, into: &effects)
        }
    }

    private mutating func begin(_ attempt: AttemptStart, _ answers: Answers) {
        guard var ticket = tickets[attempt.job], let flow = lines[attempt.flow]?.flow else { return }
        ticket.lease = attempt.lease
        tickets[attempt.job] = ticket
        lines[attempt.flow]?.began(attempt.job)
        let (after, report) = answers(attempt, ticket, flow)
        push(.answered(attempt.job, report), at: now + max(.milliseconds(1), after))
        result.began(attempt)
    }

    private mutating func push(_ event: Event, at moment: Timestamp) {
        pushed += 1
        events.push(event, at: moment.milliseconds, tie: pushed)
    }

    private mutating func settle(_ settlement: Settlement) {
        guard var ticket = tickets[settlement.job] else { return }
        result.settled(settlement, at: now)
        ticket.attemptsUsed = settlement.attemptsUsed
        tickets[settlement.job] = ticket
        switch settlement.disposition {
        case .complete: end(settlement, \.succeeded)
        case .park: end(settlement, \.parked)
        case .fail: end(settlement, \.failed)
        case .nextKey, .shared, .nextModel: comeBack(ticket)
        case .retry(let moment), .defer(let moment):
            if moment > now { push(.due(ticket), at: moment) } else { comeBack(ticket) }
        }
    }

    private mutating func comeBack(_ ticket: JobTicket) {
        lines[ticket.flow]?.cameBack(ticket)
        scheduler.handle(.promoted([ticket.flow]), at: now, into: &effects)
    }

    private mutating func end(_ settlement: Settlement, _ count: WritableKeyPath<ForecastResult, Int>) {
        tickets[settlement.job] = nil
        lines[settlement.flow]?.ended()
        result[keyPath: count] += 1
        guard let line = lines[settlement.flow], count == \.succeeded else { return }
        result.finished(line.flow, at: now)
    }

    /// One job stops before it has begun.
    private mutating func giveUp(_ stop: JobStop) {
        guard tickets.removeValue(forKey: stop.job) != nil else { return }
        lines[stop.flow]?.began(stop.job)
        lines[stop.flow]?.ended()
        if stop.state == .parked { result.parked += 1 } else { result.failed += 1 }
        result.stopped(1, stop.failure.message)
    }

    private mutating func giveUp(_ flow: FlowID, _ failure: Failure, _ count: WritableKeyPath<ForecastResult, Int>) {
        let given = lines[flow]?.giveUp() ?? 0
        result[keyPath: count] += given
        if given > 0 { result.stopped(given, failure.message) }
    }

    private mutating func note(_ hold: Hold?, on flow: FlowID) {
        guard let hold, let until = hold.until, until - now >= .minutes(2), let line = lines[flow] else { return }
        result.held(line.waiting, hold, until: until)
    }
}
