import OffpeakCore
import OffpeakStore

extension Night {
    /// The attempt is durable: its bytes leave.
    func send(_ begun: BegunAttempt, _ start: AttemptStart, _ run: Run) {
        guard let key = plan.keys.firstIndex(where: { $0.name == start.key }),
            let job = queue.jobs[begun.job], let entry = checks.plan(ofFlow: begun.flow)
        else { return checks.fail("job \(begun.job) was begun with a key or a flow that does not exist") }
        let index = requests.count
        let usage = kinds(of: usage(of: job, key, model: start.model))
        var counted = usage.totalTokens
        if plan.keys[key].tokenCounting == .reserved, let output = job.maxOutputTokens {
            counted = begun.body.count / 4 + 1 + output
        }
        requests.append(
            Request(
                job: begun.job, lease: begun.lease, key: key, model: start.model, run: run.number, sent: now,
                bodyBytes: begun.body.count, maxOutputTokens: job.maxOutputTokens, usage: usage,
                counted: Int64(counted), timeout: entry.policy.timeout(in: start.lane).milliseconds, lane: start.lane))
        run.dispatched[begun.job] = index
        counts.sends += 1
        trace.note("send", now, begun.job, Int64(begun.lease), Int64(key))
        checks.sent(requests[index], flow: begun.flow, className: entry.policy.name, now: now, in: queue)
        push(.giveUp(index), at: now + requests[index].timeout)
        if servers.spell(.unreachable, key, at: now) != nil || servers.meets(plan.rates.refusedConnection) {
            let failure = Servers.failure(.unavailable, 0, judged: false)
            push(.respond(index, AttemptReport(outcome: .failure(failure))), at: now + servers.delay())
        } else {
            push(.arrive(index), at: now + servers.delay())
        }
    }

    /// What the request will use: exactly what can be estimated of it, or something near.
    private func usage(of job: MemoryQueue.Job, _ key: Int, model: String) -> Usage {
        let most = job.maxOutputTokens ?? 500
        let input = job.body.count / 4 + 1
        if plan.hasExactTokens { return Usage(inputTokens: input, outputTokens: most) }
        return Usage(
            inputTokens: max(1, input * servers.chance.within(70...130) / 100) + hidden(job, key, model),
            outputTokens: servers.chance.within(1...most))
    }

    /// What the bytes do not show.
    private func hidden(_ job: MemoryQueue.Job, _ key: Int, _ model: String) -> Int {
        switch job.beyond {
        case .tokens(0), .otherRate: return 0
        case .tokens(let tokens), .sound(let tokens): return moneyChance.within(0...tokens)
        case .context, .charges:
            let longest = plan.money?.price(plan.keys[key], model)?.maxInputTokens ?? 5_000
            return moneyChance.within(0...max(0, longest - job.body.count))
        }
    }

    func arrive(_ index: Int) {
        let request = requests[index]
        switch servers.receive(request, at: now) {
        case .answer(let report, let cause):
            if let cause { counted(cause, request) }
            push(.respond(index, report), at: now + servers.delay())
        case .work(let length, let isLost):
            requests[index].isInWork = true
            checks.book { $0.served(request.job, request.lease, request.usage) }
            push(.finish(index, isLost: isLost), at: now + length)
        }
    }

    private func counted(_ cause: RefusalCause, _ request: Request) {
        switch cause {
        case .limit:
            counts.limitRefusals += 1
            let accounts = servers.accountsOfKey[request.key]
            if accounts.allSatisfy({ servers.accounts[$0].plan.isAsStated }) && checks.isLimitKept {
                counts.unfairRefusals += 1
                checks.fail("\(plan.keys[request.key].name) was refused for a limit that was stated exactly")
            }
        case .concurrency: counts.concurrencyRefusals += 1
        }
    }

    func finish(_ index: Int, isLost: Bool) {
        guard requests[index].isInWork else { return }
        requests[index].isInWork = false
        servers.leave(requests[index])
        if isLost {
            return respond(
                index, AttemptReport(outcome: .failure(Servers.failure(.unknownOutcome, 0))))
        }
        push(
            .respond(index, priced(servers.answer(requests[index], at: now), requests[index])),
            at: now + servers.delay())
    }

    /// The answer reaches the client, if it is still there.
    func respond(_ index: Int, _ report: AttemptReport) {
        guard !requests[index].isOver else { return }
        requests[index].isOver = true
        guard let run, run.number == requests[index].run else { return }
        counts.answers += 1
        trace.note("answer", now, requests[index].job)
        if diesWithAnswer() { return die() }
        deliver(.answered(index, report), to: run)
    }

    /// The client's own deadline.
    func giveUp(_ index: Int) {
        guard !requests[index].isOver else { return }
        // Some servers notice that nobody listens any more.
        if requests[index].isInWork, servers.chance.percent(50) {
            requests[index].isInWork = false
            servers.leave(requests[index])
        }
        respond(index, AttemptReport(outcome: .failure(Servers.failure(.timedOut, 0))))
    }

    /// Begun while the run was told to stop at once.
    func neverSent(_ begun: BegunAttempt, _ run: Run, at time: Timestamp) {
        let failure = Servers.failure(.unavailable, 0, judged: false)
        counts.failures[.unavailable, default: 0] += 1
        checks.neverSent(begun.job)
        run.scheduler.handle(
            .finished([(begun.job, AttemptReport(outcome: .failure(failure)))]), at: time, into: &run.effects)
    }

    /// A hard stop: whatever is under way ends at once.
    func cancelAll(_ run: Run, at time: Timestamp) {
        run.isCancelled = true
        giveUpStarts(run, at: time)
        for (_, index) in run.dispatched.sorted(by: { $0.key < $1.key }) where !requests[index].isOver {
            let failure = Servers.failure(.unknownOutcome, 0, judged: false)
            respond(index, AttemptReport(outcome: .failure(failure)))
            if self.run == nil { return }
        }
    }

    func loadSecret(_ key: Int, for run: Run) {
        let version = servers.secretVersion(of: key, at: now)
        let isNew = version != run.secretVersions[key]
        run.secretVersions[key] = version
        deliver(.secretLoaded(plan.keys[key].name, isNew: isNew), to: run)
    }
}
