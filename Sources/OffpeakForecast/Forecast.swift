import OffpeakCore

/// The real scheduler in virtual time, with neither queue nor network: what `offpeak plan` tells before money is spent.
///
/// Every decision is the scheduler's. The forecast only makes up the answers, and keeps the time.
package struct Forecast {
    /// What the calendar and the classes' windows say at a moment, and when to ask again.
    package typealias Calendar = (Timestamp) -> (events: [SchedulerEvent], next: Timestamp)

    private enum Event {
        case answered(JobTicket, AnswerModel.Draw)
        case due(JobTicket, generation: Int)
    }

    private var scheduler: Scheduler
    private var answers: AnswerModel
    private let clock: ForecastClock
    private var lines: [ForecastLine] = []
    private var places: [FlowID: Int] = [:]
    private var agenda = Agenda<Event>()
    /// Jobs whose attempts have ended, in the order in which the scheduler settles them.
    private var ended: [JobTicket] = []
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
        jobs = work.reduce(0) { $0 + $1.count }
        for (index, entry) in work.enumerated() {
            places[entry.flow.id] = index
            lines.append(ForecastLine(entry, firstJob: (JobID(index) + 1) << 32))
            addDeferred(entry)
            guard entry.isAsked else { continue }
            result.expect(entry)
            open += entry.count
        }
    }

    private mutating func addDeferred(_ work: ForecastWork) {
        var counts: [(due: Timestamp, jobs: Int)] = []
        for (due, job) in work.deferred {
            let ticket = lines[lines.count - 1].deferred(job)
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
        for line in lines where line.isAsked && line.open > 0 {
            result.abandoned(
                line.open, reason: line.obstacle ?? holds[line.flow.id]?.reason ?? "nothing of it can be sent")
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
        var reports: [(job: JobID, report: AttemptReport)] = []
        while let events = agenda.take(until: now) {
            for event in events {
                switch event {
                case .answered(let ticket, let draw):
                    reports.append((ticket.id, answers.report(draw, ticket)))
                    ended.append(ticket)
                case .due(let ticket, let generation):
                    guard lines[Self.place(of: ticket.id)].isDue(ticket, generation: generation) else { continue }
                    scheduler.handle(.promoted([ticket.flow]), at: now, into: &effects)
                }
            }
        }
        if !reports.isEmpty { scheduler.handle(.finished(reports), at: now, into: &effects) }
    }

    /// The line of a job, which its number tells.
    private static func place(of job: JobID) -> Int { Int(job >> 32) - 1 }

    /// The queue's view of the flows. A run looks again when something foreign has changed; here that never happens.
    private mutating func tellFlows() {
        guard hasNews || now - told >= .seconds(30) else { return }
        (told, hasNews) = (now, false)
        let flows: [Flow] = lines.compactMap { line in
            guard line.open > 0 else { return nil }
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
        settle(work.settlements)
        for start in work.starts { begin(start) }
        for (flow, hold) in work.holds { note(hold, on: flow) }
        for stop in work.stops { giveUp(stop) }
        for (flow, failure) in work.parkings { giveUp(flow, .parked, failure) }
        for (flow, failure) in work.failings { giveUp(flow, .failed, failure) }
        var read = 0
        for flow in work.fetches {
            guard let place = places[flow] else { continue }
            let page = lines[place].page()
            read += page.tickets.count
            scheduler.handle(.fetched(flow, page.tickets, isAll: page.isAll), at: now, into: &effects)
        }
        return read
    }

    private mutating func begin(_ attempt: AttemptStart) {
        let place = Self.place(of: attempt.job)
        guard var ticket = lines[place].began(attempt.job) else { return }
        ticket.lease = attempt.lease
        let (after, draw) = answers.answer(attempt, ticket, of: lines[place].flow, step: step)
        begun += 1
        agenda.add(.answered(ticket, draw), at: now + after)
        guard lines[place].isAsked else { return }
        let leavesFlex = attempt.lane == .sync && scheduler.leavesFlex(of: attempt.key, for: attempt.flow)
        result.began(attempt, isGuess: answers.isGuess(draw), leavesFlex: leavesFlex)
    }

    private mutating func settle(_ settlements: [Settlement]) {
        var next = 0
        for settlement in settlements {
            while next < ended.count, ended[next].id != settlement.job { next += 1 }
            guard next < ended.count else { break }
            ended[next].attemptsUsed = settlement.attemptsUsed
            settle(settlement, ended[next])
            next += 1
        }
        ended.removeAll(keepingCapacity: true)
    }

    private mutating func settle(_ settlement: Settlement, _ ticket: JobTicket) {
        let place = Self.place(of: ticket.id)
        if lines[place].isAsked { result.settled(settlement, of: lines[place].flow, at: now) }
        switch settlement.disposition {
        case .complete: end(place)
        case .park: stop(settlement, place, .parked)
        case .fail: stop(settlement, place, .failed)
        case .nextKey, .shared, .nextModel: comeBack(ticket)
        case .retry(let moment), .defer(let moment):
            guard moment > now else { return comeBack(ticket) }
            lines[place].wentAway()
            agenda.add(.due(ticket, generation: lines[place].generation), at: moment)
        }
    }

    private mutating func comeBack(_ ticket: JobTicket) {
        lines[Self.place(of: ticket.id)].cameBack(ticket)
        scheduler.handle(.promoted([ticket.flow]), at: now, into: &effects)
    }

    private mutating func end(_ place: Int) {
        lines[place].ended()
        ended(1, at: place)
    }

    private mutating func stop(_ settlement: Settlement, _ place: Int, _ end: ForecastResult.Stop.End) {
        if lines[place].isAsked, case .failure(var failure) = settlement.outcome {
            failure.message = settlement.reason
            result.stopped(1, of: lines[place].flow, end, failure)
        }
        self.end(place)
    }

    /// One job stops before it has begun.
    private mutating func giveUp(_ stop: JobStop) {
        let place = Self.place(of: stop.job)
        guard lines[place].stopped(stop.job) else { return }
        if lines[place].isAsked {
            result.stopped(1, of: lines[place].flow, stop.state == .parked ? .parked : .failed, stop.failure)
        }
        ended(1, at: place)
    }

    private mutating func giveUp(_ flow: FlowID, _ end: ForecastResult.Stop.End, _ failure: Failure) {
        guard let place = places[flow] else { return }
        let given = lines[place].giveUp()
        if lines[place].isAsked { result.stopped(given, of: lines[place].flow, end, failure) }
        ended(given, at: place)
    }

    private mutating func ended(_ jobs: Int, at place: Int) {
        if lines[place].isAsked { open -= jobs }
        if lines[place].open == 0 { hasNews = true }
    }

    private mutating func note(_ hold: Hold?, on flow: FlowID) {
        holds[flow] = hold
        guard let hold, let place = places[flow], lines[place].isAsked else { return }
        result.held(lines[place].waiting, of: flow, hold, at: now)
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
