import OffpeakCore
import OffpeakStore

extension Night {
    func time(of run: Run) -> Timestamp { Timestamp(milliseconds: now + run.offset) }

    // MARK: Starting

    func startRun() {
        guard run == nil, !isOver else { return }
        if runs > 0, !isDawn, plan.run.farthestJump > 0, chance.percent(plan.run.clockJumps) {
            jump(by: chance.within(-plan.run.farthestJump...plan.run.farthestJump))
        }
        if plan.run.jumps.indices.contains(runs - 1) { jump(by: plan.run.jumps[runs - 1]) }
        runs += 1
        counts.runs += 1
        let names = plan.keys.map(\.name)
        let plan = plan.raised(raise)
        let classes = plan.classes.map { entry in
            // All keys, whatever the class admits: the scheduler has to see to that by itself.
            (policy: entry.policy, keys: entry.policy.keyOrder + names.filter { !entry.policy.keyOrder.contains($0) })
        }
        var scheduler = Scheduler(
            keys: plan.keys, pools: plan.pools, classes: classes, prices: plan.money?.book ?? PriceBook(),
            refreshableKeys: plan.refreshable, seed: chance.word())
        let noWait = plan.run.noWait && !isDawn
        scheduler.isImpatient = noWait
        let run = Run(
            number: runs, offset: clockOffset, noWait: noWait, watches: plan.run.watches && !isDawn,
            scheduler: scheduler)
        self.run = run
        for key in plan.keys.indices { run.secretVersions[key] = servers.secretVersion(of: key, at: now) }
        recover(run)
        trace.note("start", now, Int64(runs))
        wake(run, at: now)
    }

    private func jump(by distance: Int64) {
        clockOffset += distance
        checks.clockJumped(by: distance, to: Self.day(of: Timestamp(milliseconds: now + clockOffset)))
        trace.note("jump", now, distance)
    }

    /// What the queue does when it is opened, and a run before its first turn.
    private func recover(_ run: Run) {
        let time = time(of: run)
        if !spilled.isEmpty {
            var tick = Tick()
            tick.settlements = spilled
            spilled = []
            checks.committed(tick, queue.commit(tick, at: time), in: queue)
        }
        checks.runStarts(queue)
        checks.book { $0.runStarts(plan.raised(raise)) }
        run.day = Self.day(of: time)
        run.dayEnds = Timestamp(milliseconds: (Int64(run.day) + 1) * NightPlan.day)
        do {
            _ = try RunRecovery.perform(
                on: queue, scheduler: &run.scheduler, calendar: Self.calendar(run.day), at: time)
        } catch {
            checks.fail("recovery failed: \(error)")
        }
        if raise == 0 { checks.tookUp(queue) }
        checks.recovered(queue)
        checks.book { $0.recovered(queue) }
    }

    /// Every seventh day a week ends, every thirtieth a month.
    static func calendar(_ day: Int) -> CalendarPosition {
        func start(_ day: Int) -> Timestamp { Timestamp(milliseconds: Int64(day) * NightPlan.day) }
        let (week, month) = (day - day % 7, day - day % 30)
        return CalendarPosition(
            day: day, ends: PeriodEnds(day: start(day + 1), week: start(week + 7), month: start(month + 30)),
            began: [.day: day, .week: week, .month: month])
    }

    /// The same as a clock tells it that is corrected by a millisecond or two now and then.
    private static func calendar(_ day: Int, lookedAt time: Timestamp) -> CalendarPosition {
        var position = calendar(day)
        let correction = Interval.milliseconds(time.milliseconds % 5 - 2)
        position.ends.day = position.ends.day + correction
        position.ends.week = position.ends.week + correction
        position.ends.month = position.ends.month + correction
        return position
    }

    static func day(of time: Timestamp) -> Int { Int(time.milliseconds / NightPlan.day) }

    // MARK: Mail and turns

    func deliver(_ mail: Run.Mail, to run: Run) {
        run.mail.append(mail)
        wake(run, at: now + chance.within(plan.run.turn))
    }

    /// Lets the run's next turn come at this moment, if it would come later.
    func wake(_ run: Run, at moment: Int64) {
        let moment = max(moment, now)
        if let turn = run.turn, turn.at <= moment { return }
        run.turnTickets += 1
        run.turn = (moment, run.turnTickets)
        push(.turn(run: run.number, ticket: run.turnTickets), at: moment)
    }

    func turn(_ run: Run) {
        counts.turns += 1
        run.turn = nil
        run.idleTurns += 1
        run.quickTurns = now - run.lastTurn < 5_000 ? run.quickTurns + 1 : 0
        run.lastTurn = now
        if run.idleTurns > 2_000 || run.quickTurns > 60 { return checks.fail("the run turns without getting anywhere") }
        let time = time(of: run)
        trace.note("turn", now, Int64(run.mail.count))
        let mail = run.mail
        run.mail = []
        for message in mail { receive(message, run, at: time) }
        for _ in 0..<10 {
            tend(run, at: time)
            if run.hasView { run.scheduler.dispatch(at: time, into: &run.effects) }
            let wakeAt = run.effects.wakeAt
            perform(run, at: time)
            if checks.problem != nil { return }
            if let end = end(of: run, at: time) { return end == .broken ? broke(run) : ended(run, end) }
            if run.storing == nil, !run.pending.isEmpty, !run.hasFailed { continue }
            return rest(run, until: wakeAt)
        }
        checks.fail("the run's loop goes round without sleeping")
    }

    private func ended(_ run: Run, _ end: Run.End) {
        trace.note("ended", now, Int64(run.number))
        trace.note(text: end.rawValue)
        if end == .finished { checks.finished(run, queue) }
        runEnded()
    }

    private func broke(_ run: Run) {
        trace.note("broken", now, Int64(run.number))
        runEnded()
    }

    private func receive(_ message: Run.Mail, _ run: Run, at time: Timestamp) {
        switch message {
        case .answered(let index, let report):
            let request = requests[index]
            guard run.dispatched.removeValue(forKey: request.job) != nil else { return }
            checks.answered(request, report, at: time, now: now)
            checks.book { $0.answered(request.job, request.lease, report) }
            if case .failure(let failure) = report.outcome {
                counts.failures[failure.failureClass, default: 0] += 1
                if failure.failureClass == .keyRejected || failure.failureClass == .modelUnavailable {
                    run.needsPerson = true
                }
            }
            run.scheduler.handle(.finished([(request.job, report)]), at: time, into: &run.effects)
        case .stored(let answer): stored(answer, run, at: time)
        case .drain(let hard):
            drain(run, .stopped, at: time)
            if hard { cancelAll(run, at: time) }
        case .secretLoaded(let key, let isNew):
            if isNew, let index = plan.keys.firstIndex(where: { $0.name == key }) { checks.secretChanged(index) }
            run.scheduler.handle(isNew ? .secretChanged(key: key) : .secretKept(key: key), at: time, into: &run.effects)
        }
    }

    private func drain(_ run: Run, _ cause: Run.End, at time: Timestamp) {
        run.drainCause = run.drainCause ?? cause
        run.scheduler.handle(.drain, at: time, into: &run.effects)
    }

    /// What was decided on and not handed over is not begun.
    func giveUpStarts(_ run: Run, at time: Timestamp) {
        let jobs = run.pending.starts.map(\.job)
        for job in jobs { checks.refused(job) }
        run.scheduler.handle(.refused(jobs), at: time, into: &run.effects)
        run.pending.starts = []
    }

    private func stored(_ answer: StoreAnswer, _ run: Run, at time: Timestamp) {
        run.storing = nil
        if answer.hasFailed {
            run.hasFailed = true
            giveUpStarts(run, at: time)
            drain(run, .stopped, at: time)
        }
        for begun in answer.begun {
            if run.isCancelled {
                neverSent(begun, run, at: time)
            } else if let start = answer.starts[begun.job] {
                send(begun, start, run)
            }
        }
        if !answer.refused.isEmpty {
            for job in answer.refused { checks.refused(job) }
            run.scheduler.handle(.refused(answer.refused), at: time, into: &run.effects)
        }
        for page in answer.fetched {
            run.scheduler.handle(
                .fetched(page.flow, page.tickets, isAll: page.isAll), at: time, into: &run.effects)
        }
        if !answer.promoted.isEmpty {
            run.scheduler.handle(.promoted(answer.promoted), at: time, into: &run.effects)
        }
        if let due = answer.nextDue { run.nextDue = min(run.nextDue ?? due, due) }
        guard let view = answer.view else { return }
        run.hasView = true
        run.isViewStale = false
        run.flows = Dictionary(uniqueKeysWithValues: view.flows.map { ($0.flow.id, $0) })
        run.pauses = view.pauses
        run.scheduler.handle(
            .pausesChanged(classes: view.pauses.classes, keys: view.pauses.keys), at: time, into: &run.effects)
        run.scheduler.handle(
            .flowsChanged(view.flows.map(\.flow), foreign: view.isForeign), at: time, into: &run.effects)
    }

    // MARK: Time

    private func tend(_ run: Run, at time: Timestamp) {
        if time >= run.calendarTurns { turnCalendar(run, at: time) }
        if time - run.calendarSeen >= .seconds(30) {
            run.calendarSeen = time
            run.scheduler.handle(.periodsTurned(Self.calendar(run.day, lookedAt: time)), at: time, into: &run.effects)
        }
        if let due = run.nextDue, due <= time {
            run.nextDue = nil
            run.pending.promotes = true
        }
        if time - run.lastRefresh >= .seconds(1) {
            run.lastRefresh = time
            run.pending.refreshes = true
        }
    }

    private func turnCalendar(_ run: Run, at time: Timestamp) {
        let day = Self.day(of: time)
        if day != run.day {
            run.day = day
            run.dayEnds = Timestamp(milliseconds: (Int64(day) + 1) * NightPlan.day)
            run.scheduler.handle(.dayStarted(used: [:], ends: run.dayEnds), at: time, into: &run.effects)
            run.scheduler.handle(.periodsTurned(Self.calendar(day)), at: time, into: &run.effects)
        }
        run.calendarTurns = run.dayEnds
        for entry in plan.classes {
            guard let state = entry.windowState(at: time) else { continue }
            run.calendarTurns = min(run.calendarTurns, state.until)
            run.scheduler.handle(
                .windowChanged(className: entry.policy.name, isOpen: state.isOpen, until: state.until), at: time,
                into: &run.effects)
        }
    }

    /// Until there is mail or the time has come. The engine looks at the queue each second as well; where nobody has
    /// written anything, that shows nothing, so here it is left out, and a night of waiting is short.
    private func rest(_ run: Run, until wakeAt: Timestamp?) {
        var until: Timestamp?
        for moment in [wakeAt, run.nextDue, run.calendarTurns] {
            if let moment { until = min(until ?? moment, moment) }
        }
        if run.seenVersion != queue.dataVersion(), run.storing == nil {
            until = min(until ?? .distantFuture, run.lastRefresh + .seconds(1))
        }
        guard let until, until < .distantFuture else { return }
        trace.note("rest", now, until.milliseconds - run.offset, (run.nextDue?.milliseconds ?? 0) - run.offset)
        wake(run, at: max(now + 1, until.milliseconds - run.offset))
    }

    // MARK: Ending

    private func end(of run: Run, at time: Timestamp) -> Run.End? {
        if run.hasFailed, run.scheduler.inFlightCount == 0, run.storing == nil { return .broken }
        guard run.scheduler.inFlightCount == 0, run.storing == nil, run.pending.isQuiet, run.hasView, !run.hasFailed
        else { return nil }
        if let cause = run.drainCause { return cause }
        let left = run.flows.values.filter { $0.counts.waiting > 0 }
        if !run.watches {
            if !run.isViewStale, left.isEmpty { return .finished }
            if run.noWait, !run.isViewStale, isAllDeferred(left, run, at: time) { return .workLeft }
        }
        if run.isViewStale && !run.scheduler.hasReadyJobs {
            run.pending.refreshes = true
            run.pending.forcesRefresh = true
        }
        return nil
    }

    private func isAllDeferred(_ left: [FlowStatus], _ run: Run, at time: Timestamp) -> Bool {
        let soon = time + .seconds(65)
        return left.allSatisfy { status in
            if status.counts.scheduled > 0, let due = status.nextDue, due <= soon { return false }
            if status.counts.ready == 0 { return true }
            guard let hold = run.scheduler.hold(on: status.flow.id) else { return false }
            return hold.until.map { $0 > soon } ?? !hold.isPassing
        }
    }

    /// The process is gone; what it had sent goes on at the servers.
    func die() {
        guard let run else { return }
        trace.note("dies", now, Int64(run.number))
        counts.deaths += 1
        self.run = nil
        push(.start, at: now + chance.within(plan.run.restart))
    }
}

extension ClassPlan {
    /// Whether the window is open and until when; nil without a window.
    func windowState(at time: Timestamp) -> (isOpen: Bool, until: Timestamp)? {
        guard let window else { return nil }
        let midnight = time.milliseconds / NightPlan.day * NightPlan.day
        for day in -1...2 {
            let base = midnight + Int64(day) * NightPlan.day
            if time.milliseconds < base + window.lowerBound {
                return (false, Timestamp(milliseconds: base + window.lowerBound))
            }
            if time.milliseconds < base + window.upperBound {
                return (true, Timestamp(milliseconds: base + window.upperBound))
            }
        }
        return nil
    }
}
