import OffpeakCore

/// The real scheduler in virtual time, with neither queue nor network: what `offpeak plan` tells before money is spent.
///
/// Every decision is the scheduler's. The forecast only makes up the answers, and keeps the time.
package struct Forecast {
    /// What the calendar and the classes' windows say at a moment, and when to ask again.
    package typealias Calendar = (Timestamp) -> (events: [SchedulerEvent], next: Timestamp)

    private enum Event {
        case answered(JobID, AttemptReport)
        case due(JobTicket, generation: Int)
    }

    private var scheduler: Scheduler
    private var answers: AnswerModel
    private let clock: ForecastClock
    private var lines: [FlowID: ForecastLine] = [:]
    private let order: [FlowID]
    private var agenda = Agenda<Event>()
    private var tickets: [JobID: JobTicket] = [:]
    private var holds: [FlowID: Hold] = [:]
    private let start: Timestamp
    private var now: Timestamp
    private var step: Int64 = 1
    /// All jobs, those that compete included, and attempts begun so far.
    private let jobs: Int
    private var begun = 0
    /// Time in which something happened at least every second.
    private var busy = Interval.zero
    private var effects = SchedulerEffects()
    /// When the scheduler was last told of the flows, and whether one has ended since.
    private var told = Timestamp.distantPast
    private var hasNews = true
    private var result = ForecastResult()
    /// Jobs that were asked for and have not ended.
    private var open = 0

    /// `scheduler` knows all that is behind it.
    package init(
        scheduler: Scheduler, work: [ForecastWork], answers: AnswerModel, clock: ForecastClock, at now: Timestamp
    ) {
        self.scheduler = scheduler
        self.scheduler.explainsRoutes = false
        self.answers = answers
        self.clock = clock
        (start, self.now) = (now, now)
        order = work.map(\.flow.id)
        jobs = work.reduce(0) { $0 + $1.count }
        for (index, entry) in work.enumerated() {
            lines[entry.flow.id] = ForecastLine(entry, firstJob: (JobID(index) + 1) << 32)
            addDeferred(entry)
            guard entry.isAsked else { continue }
            result.expect(entry)
            open += entry.count
        }
    }

    private mutating func addDeferred(_ work: ForecastWork) {
        var counts: [(due: Timestamp, jobs: Int)] = []
        for (due, job) in work.deferred {
            let ticket = lines[work.flow.id]!.deferred(job)
            tickets[ticket.id] = ticket
            agenda.add(.due(ticket, generation: 0), at: max(due, now))
            if let last = counts.last, due - last.due < .minutes(1) {
                counts[counts.count - 1].jobs += 1
            } else {
                counts.append((due, 1))
            }
        }
        guard work.isAsked else { return }
        for (due, jobs) in counts {
            result.held(jobs, of: work.flow.id, Hold(reason: "a retry, or its key's reset", until: due), at: now)
        }
    }

    /// Runs until all that was asked for has ended, or nothing can happen any more, or the time is over. Returns the result
    /// and what the answers were taken from.
    package mutating func run(
        until end: Timestamp, calendar: Calendar
    ) -> (result: ForecastResult, answers: AnswerModel) {
        var turns = turnCalendar(calendar)
        var wake = dispatch()
        while open > 0 {
            let next = min(agenda.next ?? .distantFuture, wake, turns)
            guard next <= end else { break }
            advance(to: next)
            if turns <= now { turns = turnCalendar(calendar) }
            takeEvents()
            wake = dispatch()
        }
        for id in order {
            guard let line = lines[id], line.isAsked, line.open > 0 else { continue }
            result.abandoned(line.open, reason: holds[id]?.reason ?? "nothing of it can be sent")
        }
        return (result, answers)
    }

    // MARK: Time

    /// Time goes on in whole steps. Each is a power of two, so that the moments of a longer step are moments of a shorter.
    private mutating func advance(to moment: Timestamp) {
        guard moment > now else { return }
        busy = busy + min(moment - now, .seconds(1))
        step = clock.step(
            after: moment - start, gap: .milliseconds(busy.milliseconds / Int64(max(1, begun))), jobs: jobs,
            shortestAnswer: answers.shortest)
        now = Timestamp(milliseconds: (moment.milliseconds + step - 1) / step * step)
    }

    private mutating func turnCalendar(_ calendar: Calendar) -> Timestamp {
        let (news, next) = calendar(now)
        for event in news { scheduler.handle(event, at: now, into: &effects) }
        return max(next, now + .milliseconds(1))
    }

    private mutating func takeEvents() {
        var ended: [(job: JobID, report: AttemptReport)] = []
        while let events = agenda.take(until: now) {
            for event in events {
                switch event {
                case .answered(let job, let report): ended.append((job, report))
                case .due(let ticket, let generation):
                    guard lines[ticket.flow]?.isDue(ticket, generation: generation) == true else { continue }
                    scheduler.handle(.promoted([ticket.flow]), at: now, into: &effects)
                }
            }
        }
        if !ended.isEmpty { scheduler.handle(.finished(ended), at: now, into: &effects) }
    }

    /// The queue's view of the flows. A run looks again when something foreign has changed; here that never happens.
    private mutating func tellFlows() {
        guard hasNews || now - told >= .seconds(30) else { return }
        (told, hasNews) = (now, false)
        let flows: [Flow] = order.compactMap { id in
            guard let line = lines[id], line.open > 0 else { return nil }
            var flow = line.flow
            flow.waiting = line.waiting + line.away
            return flow
        }
        scheduler.handle(.flowsChanged(flows, foreign: false), at: now, into: &effects)
    }

    // MARK: Deciding

    /// Dispatches until nothing more follows at this moment; returns when to come back at the latest.
    private mutating func dispatch() -> Timestamp {
        tellFlows()
        while true {
            result.passes += 1
            scheduler.dispatch(at: now, into: &effects)
            let work = effects
            effects = SchedulerEffects()
            var read = perform(work)
            read += work.stops.count
            // A run decides again as soon as its beginnings are recorded: a key that was full for one job may take another.
            // Each further pass has begun or stopped a job or has new ones to look at, of which there are only so many.
            if !work.starts.isEmpty || read > 0 || !effects.fetches.isEmpty { continue }
            return work.wakeAt.map { max($0, now + .milliseconds(step)) } ?? .distantFuture
        }
    }

    /// Returns how many jobs were read.
    private mutating func perform(_ work: SchedulerEffects) -> Int {
        for settlement in work.settlements { settle(settlement) }
        for start in work.starts { begin(start) }
        for (flow, hold) in work.holds { note(hold, on: flow) }
        for stop in work.stops { giveUp(stop) }
        for (flow, failure) in work.parkings { giveUp(flow, .parked, failure) }
        for (flow, failure) in work.failings { giveUp(flow, .failed, failure) }
        var read = 0
        for flow in work.fetches {
            guard let page = lines[flow]?.page() else { continue }
            for ticket in page.new { tickets[ticket.id] = ticket }
            read += page.tickets.count
            scheduler.handle(.fetched(flow, page.tickets, isAll: page.isAll), at: now, into: &effects)
        }
        return read
    }

    private mutating func begin(_ attempt: AttemptStart) {
        guard var ticket = tickets[attempt.job], let line = lines[attempt.flow] else { return }
        ticket.lease = attempt.lease
        tickets[attempt.job] = ticket
        let (after, report) = answers.answer(attempt, ticket, of: line.flow, step: step)
        lines[attempt.flow]!.began(attempt.job)
        begun += 1
        agenda.add(.answered(attempt.job, report), at: now + after)
        if line.isAsked { result.began(attempt) }
    }

    private mutating func settle(_ settlement: Settlement) {
        guard var ticket = tickets[settlement.job], let line = lines[settlement.flow] else { return }
        if line.isAsked { result.settled(settlement, of: line.flow, at: now) }
        ticket.attemptsUsed = settlement.attemptsUsed
        tickets[settlement.job] = ticket
        switch settlement.disposition {
        case .complete: end(settlement)
        case .park: stop(settlement, line, .parked)
        case .fail: stop(settlement, line, .failed)
        case .nextKey, .shared, .nextModel: comeBack(ticket)
        case .retry(let moment), .defer(let moment):
            guard moment > now else { return comeBack(ticket) }
            lines[ticket.flow]!.wentAway()
            agenda.add(.due(ticket, generation: line.generation), at: moment)
        }
    }

    private mutating func comeBack(_ ticket: JobTicket) {
        lines[ticket.flow]!.cameBack(ticket)
        scheduler.handle(.promoted([ticket.flow]), at: now, into: &effects)
    }

    private mutating func end(_ settlement: Settlement) {
        tickets[settlement.job] = nil
        lines[settlement.flow]!.ended()
        ended(1, of: settlement.flow)
    }

    private mutating func stop(_ settlement: Settlement, _ line: ForecastLine, _ end: ForecastResult.Stop.End) {
        if line.isAsked, case .failure(var failure) = settlement.outcome {
            failure.message = settlement.reason
            result.stopped(1, of: line.flow, end, failure)
        }
        self.end(settlement)
    }

    /// One job stops before it has begun.
    private mutating func giveUp(_ stop: JobStop) {
        guard tickets.removeValue(forKey: stop.job) != nil, let line = lines[stop.flow] else { return }
        lines[stop.flow]!.stopped(stop.job)
        if line.isAsked { result.stopped(1, of: line.flow, stop.state == .parked ? .parked : .failed, stop.failure) }
        ended(1, of: stop.flow)
    }

    private mutating func giveUp(_ flow: FlowID, _ end: ForecastResult.Stop.End, _ failure: Failure) {
        guard let given = lines[flow]?.giveUp(), let line = lines[flow] else { return }
        if line.isAsked { result.stopped(given, of: line.flow, end, failure) }
        ended(given, of: flow)
    }

    private mutating func ended(_ jobs: Int, of flow: FlowID) {
        guard let line = lines[flow] else { return }
        if line.isAsked { open -= jobs }
        if line.open == 0 { hasNews = true }
    }

    private mutating func note(_ hold: Hold?, on flow: FlowID) {
        holds[flow] = hold
        guard let hold, let line = lines[flow], line.isAsked else { return }
        result.held(line.waiting, of: flow, hold, at: now)
    }
}

/// How finely a forecast cuts time: what happens within one step is taken together.
package struct ForecastClock: Sendable {
    /// A step is at most this part of the time that has passed.
    private let part: Int64
    /// And at most so long.
    private let longest: Int64
    /// With so many jobs, a step is as long as from one beginning to the next: of few jobs each has a step of its own, since
    /// which of them finds room may hang on the order of two answers. Of very many, a step takes several.
    private let crowd: Int64

    /// `window` is the shortest time over which some key's limit counts.
    package init(isCoarse: Bool = false, shortestWindow window: Interval = .minutes(1), crowd: Int? = nil) {
        part = isCoarse ? 500 : 2_000
        longest = max(1, window.milliseconds / (isCoarse ? 100 : 200))
        self.crowd = crowd.map(Int64.init) ?? (isCoarse ? 100_000 : 300_000)
    }

    /// The present step in milliseconds, a power of two. `gap` is the mean time from one beginning to the next.
    func step(after elapsed: Interval, gap: Interval, jobs: Int, shortestAnswer: Interval) -> Int64 {
        let jobs = min(Int64(jobs), 1 << 30)
        let room = Int64(clamping: Int128(gap.milliseconds) * Int128(jobs * jobs) / Int128(crowd * crowd))
        let most = min(longest, elapsed.milliseconds / part, shortestAnswer.milliseconds / 2, room)
        return most < 2 ? 1 : 1 << (63 - Int64(most.leadingZeroBitCount))
    }
}
