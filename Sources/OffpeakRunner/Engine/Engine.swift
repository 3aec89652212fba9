import Foundation
import OffpeakConfiguration
import OffpeakCore
import OffpeakProviders
import OffpeakStore

/// Runs a queue: feeds the scheduler events and performs its effects, until the work or the run is done.
///
/// One thread (the caller's) owns the scheduler. Transactions and the network have threads of their own and answer by
/// mail, so nothing here ever waits for a disk or a provider.
package final class Engine {
    enum Mail: Sendable {
        case completed([HTTPCompletion])
        case stored(StoreReply)
        case secretLoaded(key: String, Result<Secret, SecretProblem>)
        case drain(hard: Bool)
        case note(String)
    }

    /// What an answer is read against.
    struct Dispatch {
        let key: Int
        let expectation: JobExpectation
        /// The job's class keeps what a provider says of a failure.
        let keepsWords: Bool
    }

    let configuration: Configuration
    let options: RunOptions
    let clock: RunnerClock
    let mail = Mailbox<Mail>()
    let worker: StoreWorker
    var transport: (any HTTPTransport)!
    var scheduler: Scheduler
    var pending = PendingTick()
    var isStoring = false
    /// The starts of the transaction that is under way.
    var beginning: [JobID: AttemptStart] = [:]
    /// Its settlements that make their jobs wait again.
    var returning = 0
    var dispatched: [JobID: Dispatch] = [:]
    var flows: [FlowID: FlowStatus] = [:]
    var nextDue: Timestamp?
    var calendar: RunCalendar
    var secrets: KeyRing
    var snapshot: RunSnapshot
    var rates = RateMeter()
    var bills = BillWatch()
    var troubles = TroubleWatch()
    /// Whether a price is known, for routes whose answers cost nothing.
    var pricedRoutes: [LedgerRoute: Bool] = [:]
    var drainCause: RunEnd.Cause?
    var failure: StoreError?
    /// Nothing is sent any more: the run was told to stop at once.
    var isCancelled = false
    var lastRefresh = Timestamp.distantPast
    /// When the last job was answered, or the run began.
    var lastAnswer: Timestamp
    /// Batches of which jobs were parked or failed.
    var stoppedBatches: Set<BatchID> = []
    /// Reasons for waiting that were told, without their amounts.
    var toldHolds: [String: Telling] = [:]
    /// Keys whose rejection was told and that have not worked since.
    var toldRejections: Set<String> = []
    var hasView = false
    /// Our own transactions changed the counts since they were read.
    var isViewStale = false
    var touchedBatches: Set<BatchID> = []
    let onProgress: (RunSnapshot) -> Void
    let onNote: (String) -> Void

    /// `queue` must hold the run lock, is used by the engine alone from here on, and closed by its end. `makeTransport` gets the function
    /// that takes the completions.
    package init(
        configuration: Configuration, secrets: KeyRing, queue: SQLiteQueue, options: RunOptions, clock: RunnerClock,
        makeTransport: (@escaping @Sendable ([HTTPCompletion]) -> Void) throws -> any HTTPTransport,
        onProgress: @escaping (RunSnapshot) -> Void, onNote: @escaping (String) -> Void
    ) throws {
        self.configuration = configuration
        self.secrets = secrets
        self.options = options
        self.clock = clock
        self.onProgress = onProgress
        self.onNote = onNote
        let now = clock.now
        snapshot = RunSnapshot(now: now, started: now)
        lastAnswer = now
        calendar = RunCalendar(configuration: configuration, clock: clock)
        scheduler = configuration.scheduler(refreshableKeys: secrets.refreshable, seed: options.seed)
        scheduler.isImpatient = options.noWait
        let retained = configuration.classes.compactMap { policy in policy.retain.map { (policy.name, $0) } }
        try queue.retain(Dictionary(uniqueKeysWithValues: retained))
        let recovered = try RunRecovery.perform(
            on: queue, scheduler: &scheduler, calendar: calendar.position, at: clock.now)
        let mail = mail
        worker = StoreWorker(
            queue: queue, note: { mail.post(.note($0)) }, reply: { mail.post(.stored($0)) })
        transport = try makeTransport { mail.post(.completed($0)) }
        note(recovered)
    }

    private func note(_ recovered: RunRecovery.Report) {
        if recovered.takenUp > 0 {
            onNote(Self.tookUp(recovered.takenUp))
        }
        let open = recovered.open
        guard open > 0 else { return }
        let fates = [
            (open - recovered.parked - recovered.failed - recovered.cancelled, "sent again"),
            (recovered.parked, "parked"), (recovered.failed, "failed"), (recovered.cancelled, "cancelled"),
        ].filter { $0.0 > 0 }
        var text = "an earlier run ended with "
        text += "\(open.of("request")) in flight: \(open == 1 ? "its" : "their") outcome is unknown; "
        if fates.count == 1 {
            text += (open == 1 ? "it is " : "they are ") + fates[0].1
        } else {
            text += fates.map { "\($0.0) \($0.0 == 1 ? "is" : "are") \($0.1)" }.joined(separator: ", ")
        }
        onNote(text)
    }

    /// Asks for an end from another thread: a soft one lets what is in flight finish, a hard one cancels it.
    package var stopper: @Sendable (_ hard: Bool) -> Void {
        let mail = mail
        return { mail.post(.drain(hard: $0)) }
    }

    /// Works until the end. Throws only when the queue can no longer record outcomes.
    package func run() throws -> RunEnd {
        defer {
            transport.stop()
            worker.stop()
        }
        var effects = SchedulerEffects()
        pending.refreshes = true
        pending.forcesRefresh = true
        while true {
            let now = clock.now
            tend(at: now, into: &effects)
            if hasView { scheduler.dispatch(at: now, into: &effects) }
            let wake = effects.wakeAt
            perform(&effects, at: now)
            if let end = end(at: now) { return end }
            if let failure, scheduler.inFlightCount == 0, !isStoring {
                guard !pending.settlements.isEmpty else { throw failure }
                keepAnswers(after: failure)
            }
            publish(at: now)
            if !isStoring, !pending.isEmpty, failure == nil { continue }
            for message in mail.take(within: patience(wake, at: now)) { receive(message, into: &effects) }
        }
    }

    // MARK: Events

    private func receive(_ message: Mail, into effects: inout SchedulerEffects) {
        let now = clock.now
        switch message {
        case .completed(let completions):
            let ended = completions.compactMap { report(of: $0) }
            for (_, report) in ended { count(report) }
            scheduler.handle(.finished(ended), at: now, into: &effects)
        case .stored(let reply): stored(reply, at: now, into: &effects)
        case .secretLoaded(let key, let result): secretLoaded(key, result, at: now, into: &effects)
        case .drain(let hard): drain(.stopped, hard: hard, at: now, into: &effects)
        case .note(let text): onNote(text)
        }
    }

    func drain(_ cause: RunEnd.Cause, hard: Bool, at now: Timestamp, into effects: inout SchedulerEffects) {
        drainCause = drainCause ?? cause
        if cause == .stopped { drainCause = .stopped }
        snapshot.isDraining = true
        scheduler.handle(.drain, at: now, into: &effects)
        guard hard else { return }
        isCancelled = true
        scheduler.handle(.refused(pending.starts.map(\.job)), at: now, into: &effects)
        pending.starts = []
        transport.cancelAll()
    }

    private func report(of completion: HTTPCompletion) -> (job: JobID, report: AttemptReport)? {
        let job = JobID(completion.id)
        guard let dispatch = dispatched.removeValue(forKey: job) else { return nil }
        let provider = configuration.provider(of: configuration.keys[dispatch.key])
        var report = provider.kind.adapter.report(
            for: completion.exchange, job: dispatch.expectation, provider: provider,
            secret: secrets.secret(of: configuration.keys[dispatch.key].name))
        // Here, since from the job its words would go to the key, to whatever waits for it, and to other jobs' records.
        if !dispatch.keepsWords, case .failure(let failure) = report.outcome {
            report.outcome = .failure(failure.inOurWords)
        }
        troubles.ended(key: configuration.keys[dispatch.key].name, report.outcome, at: clock.now)
        return (job, report)
    }

    private func count(_ report: AttemptReport) {
        switch report.outcome {
        case .success(let answer):
            snapshot.usage = snapshot.usage + answer.usage
            lastAnswer = clock.now
            rates.count(at: lastAnswer)
        case .failure(let failure):
            snapshot.usage = snapshot.usage + failure.usage
            if failure.failureClass == .rateLimited { snapshot.rateLimited += 1 }
        }
    }

    // MARK: Time

    /// Whatever the time asks for: days and windows, jobs that are due, other processes' changes, the run's own end.
    private func tend(at now: Timestamp, into effects: inout SchedulerEffects) {
        if now >= calendar.nextTurn {
            if calendar.turnsDay() {
                scheduler.handle(.dayStarted(used: [:], ends: calendar.position.ends.day), at: now, into: &effects)
                pending.looksForMoney = configuration.parksByPeriod
            }
            scheduler.handle(.periodsTurned(calendar.position), at: now, into: &effects)
            for event in calendar.windows(at: now) { scheduler.handle(event, at: now, into: &effects) }
        }
        for key in secrets.dueForRefresh(at: now) { loadSecret(key) }
        if let due = nextDue, due <= now {
            nextDue = nil
            pending.promotes = true
        }
        if now - lastRefresh >= .seconds(1) {
            lastRefresh = now
            pending.refreshes = true
        }
        if let until = options.until, now >= until, drainCause == nil {
            drain(.workLeft, hard: false, at: now, into: &effects)
        }
    }

    /// How long to wait for mail, in milliseconds.
    private func patience(_ wake: Timestamp?, at now: Timestamp) -> Int {
        var until = now + .seconds(1)
        for moment in [wake, nextDue, options.until, calendar.nextTurn].compactMap({ $0 }) {
            until = min(until, moment)
        }
        return Int(max(1, (until - now).milliseconds))
    }

    // MARK: Effects

    private func perform(_ effects: inout SchedulerEffects, at now: Timestamp) {
        for key in effects.staleSecrets { loadSecret(key) }
        pending.add(effects)
        for settlement in effects.settlements { note(settlement) }
        for flow in effects.stoppedFlows { noteStop(of: flow) }
        for case (_, let hold?) in effects.holds { tell(hold, at: now) }
        for memory in effects.memories { tell(memory) }
        effects = SchedulerEffects()
        guard !isStoring, !pending.isEmpty else { return }
        // After a failure nothing is begun; what was still to come is kept once all of it is there.
        if failure != nil, scheduler.inFlightCount > 0 || pending.settlements.isEmpty { return }
        // A look for other processes' changes alone need not hurry, and costs no transaction.
        isStoring = true
        if pending.changesJobs { isViewStale = true }
        beginning = Dictionary(uniqueKeysWithValues: pending.starts.map { ($0.job, $0) })
        returning = pending.settlements.count { $0.disposition.goesOn }
        worker.perform(pending, at: now, day: calendar.day)
        pending = PendingTick()
    }

    private func note(_ settlement: Settlement) {
        count(settlement.entry)
        if let flow = flows[settlement.flow] { touchedBatches.insert(flow.flow.batch) }
        switch settlement.disposition {
        case .complete: snapshot.succeeded += 1
        case .fail:
            snapshot.failed += 1
            noteStop(of: settlement.flow)
        case .park:
            snapshot.parked += 1
            noteStop(of: settlement.flow)
        case .retry(let at), .defer(let at):
            snapshot.retried += 1
            nextDue = min(nextDue ?? at, at)
        case .nextKey, .shared, .nextModel: snapshot.retried += 1
        }
    }

    private func stored(_ reply: StoreReply, at now: Timestamp, into effects: inout SchedulerEffects) {
        isStoring = false
        if let failure = reply.failure {
            self.failure = self.failure ?? failure
            scheduler.handle(.refused(pending.starts.map(\.job)), at: now, into: &effects)
            pending.starts = []
            drain(.stopped, hard: false, at: now, into: &effects)
            // What was chosen meanwhile is never begun now.
            scheduler.handle(.refused(pending.starts.map(\.job)), at: now, into: &effects)
            pending.starts = []
        }
        if isCancelled {
            neverSent(reply.begun, at: now, into: &effects)
        } else {
            send(reply.begun, at: now, into: &effects)
        }
        beginning = [:]
        if !reply.refused.isEmpty {
            scheduler.handle(.refused(reply.refused), at: now, into: &effects)
            // Somebody paused or cancelled them: look at once, instead of offering more of the same.
            if reply.failure == nil { askAgain() }
        }
        for page in reply.fetched {
            scheduler.handle(.fetched(page.flow, page.tickets, isAll: page.isAll), at: now, into: &effects)
        }
        if !reply.promoted.isEmpty { scheduler.handle(.promoted(reply.promoted), at: now, into: &effects) }
        takeUp(reply.parkedForMoney, at: now)
        tookUp(reply.takenUp, at: now, into: &effects)
        snapshot.parked += reply.parked
        snapshot.failed += reply.failed
        if reply.failure == nil { snapshot.waiting += returning - reply.begun.count - reply.parked - reply.failed }
        if let due = reply.nextDue { nextDue = min(nextDue ?? due, due) }
        if let view = reply.refresh { take(view, at: now, into: &effects) }
    }

    /// Answers that came after the queue had failed are paid for, too: they go where the next run finds them.
    private func keepAnswers(after failure: StoreError) {
        isStoring = true
        worker.keep(pending.settlements, after: failure)
        pending.settlements = []
    }

    private func take(_ view: QueueView, at now: Timestamp, into effects: inout SchedulerEffects) {
        hasView = true
        isViewStale = false
        flows = [:]
        var open: [Flow] = []
        (snapshot.waiting, snapshot.deferred, snapshot.deferredUntil, snapshot.deferredReason) = (0, 0, nil, nil)
        for status in view.flows where options.className == nil || status.flow.className == options.className {
            flows[status.flow.id] = status
            open.append(status.flow)
            snapshot.waiting += status.counts.waiting
            guard let hold = scheduler.hold(on: status.flow.id), let until = hold.until,
                until - now > RunOptions.longestPace
            else { continue }
            snapshot.deferred += status.counts.ready
            if until < snapshot.deferredUntil ?? .distantFuture {
                (snapshot.deferredUntil, snapshot.deferredReason) = (until, hold.reason)
            }
        }
        let known = Set(configuration.classes.map(\.name))
        for flow in open where !known.contains(flow.className) && !touchedBatches.contains(flow.batch) {
            onNote(
                "batch b\(flow.batch) has jobs of class \(flow.className), which the configuration does not have: they wait"
            )
            touchedBatches.insert(flow.batch)
        }
        scheduler.handle(.pausesChanged(classes: view.pauses.classes, keys: view.pauses.keys), at: now, into: &effects)
        scheduler.handle(.flowsChanged(open, foreign: view.isForeign), at: now, into: &effects)
    }

    /// Attempts that were begun while the run was told to stop at once.
    private func neverSent(_ begun: [BegunAttempt], at now: Timestamp, into effects: inout SchedulerEffects) {
        let failure = Failure(
            TransportFailure(kind: .cancelled, requestFullySent: false, message: ""), secret: nil)
        let report = AttemptReport(outcome: .failure(failure))
        scheduler.handle(.finished(begun.map { ($0.job, report) }), at: now, into: &effects)
    }

    /// The attempts are durable: now their bytes may leave.
    private func send(_ begun: [BegunAttempt], at now: Timestamp, into effects: inout SchedulerEffects) {
        var requests: [(id: UInt64, request: HTTPRequest)] = []
        requests.reserveCapacity(begun.count)
        var unsent: [(job: JobID, report: AttemptReport)] = []
        for job in begun {
            guard let start = beginning[job.job], let status = flows[start.flow],
                let key = configuration.keys.firstIndex(where: { $0.name == start.key })
            else { continue }
            let provider = configuration.provider(of: configuration.keys[key])
            let adapter = provider.kind.adapter
            let endpoint = status.flow.endpoint
            if let objection = adapter.objection(endpoint: endpoint, body: job.body, model: start.model) {
                unsent.append((job.job, AttemptReport(outcome: .failure(.inexpressible(objection)))))
                continue
            }
            let policy = configuration.policy(of: status.flow.className)
            var expectation = adapter.expectation(endpoint: endpoint, body: job.body)
            expectation.lane = start.lane
            dispatched[job.job] = Dispatch(
                key: key, expectation: expectation,
                keepsWords: policy?.retain == nil)
            let request = adapter.request(
                endpoint: endpoint, body: adapter.body(job.body, in: start.lane), model: start.model,
                secret: secrets.secret(of: start.key), provider: provider,
                timeout: policy?.timeout(in: start.lane) ?? .minutes(10), mostOutput: start.mostOutput)
            requests.append((UInt64(job.job), request))
            if let notice = bills.begin(start, className: status.flow.className) { onNote(notice) }
        }
        if !requests.isEmpty { transport.send(requests) }
        if !unsent.isEmpty { scheduler.handle(.finished(unsent), at: now, into: &effects) }
    }
}
