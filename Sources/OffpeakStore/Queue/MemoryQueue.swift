import OffpeakCore

/// The reference model of `JobQueue`: plain collections, no files. What it does is what `SQLiteQueue` must do. Also the
/// queue of simulations. Used from one thread at a time.
package final class MemoryQueue: JobQueue {
    /// A job with everything that is recorded of it.
    package struct Job: Sendable, Equatable {
        package var flow: FlowID
        package var customID: String
        package var line: Int
        package var body: [UInt8]
        package var maxOutputTokens: Int?
        package var beyond = BeyondBytes.none
        package var state = JobState.ready
        package var due: Timestamp?
        package var lease = 0
        package var attemptsUsed = 0
        package var failure: Failure?
        package var result: RecordedResult?
    }

    /// An answer, and the lease under which it came.
    package struct RecordedResult: Sendable, Equatable {
        package var lease: Int
        package var statusCode: Int
        package var requestID: String
        package var body: [UInt8]
    }

    /// One sending of a job.
    package struct Attempt: Sendable, Equatable {
        package var start: AttemptStart
        /// 0 begun, 1 succeeded, 2 failed, 3 unknown.
        package var outcome = 0
        package var ended: Timestamp?
        package var usage = Usage()
    }

    struct Batch {
        var state = 1
        var finished: Timestamp?
    }

    private(set) var batches: [BatchID: Batch] = [:]
    private var flows: [FlowID: Flow] = [:]
    private var lastNumber: [BatchID: Int64] = [:]
    package private(set) var jobs: [JobID: Job] = [:]
    package private(set) var attempts: [Attempt] = []
    package private(set) var holds: [FlowID: Hold] = [:]
    private var attemptIndex: [JobID: [Int: Int]] = [:]
    private var memories: [String: KeyMemory] = [:]
    /// Entries with the attempt that they belong to, in order.
    package private(set) var ledger: [(job: JobID, lease: Int, entry: LedgerEntry)] = []
    private var sums = SpendSums()
    private var days: [Int: [String: KeyDayUse]] = [:]
    private var paused = Pauses()
    private var version = 1
    /// Ready jobs of each flow, ascending; the rest of what is kept twice for speed.
    private var ready: [FlowID: [JobID]] = [:]
    private var due: [JobID: Timestamp] = [:]
    private var counts: [FlowID: JobCounts] = [:]

    package init() {}

    // MARK: Filling and control; as if another process did it

    /// A new sealed batch without jobs; ids ascend from 1.
    package func addBatch() -> BatchID {
        let id = (batches.keys.max() ?? 0) + 1
        batches[id] = Batch()
        version += 1
        return id
    }

    /// A new flow of a batch; ids ascend from 1.
    package func addFlow(
        batch: BatchID, className: String, model: String, endpoint: Endpoint = .chatCompletions, priority: Int? = nil,
        deadline: Timestamp? = nil
    ) -> FlowID {
        let id = (flows.keys.max() ?? 0) + 1
        flows[id] = Flow(
            id: id, batch: batch, className: className, model: model, endpoint: endpoint, priority: priority,
            deadline: deadline)
        version += 1
        return id
    }

    /// A new job at the end of its batch.
    @discardableResult
    package func addJob(
        flow: FlowID, customID: String, body: [UInt8], maxOutputTokens: Int? = nil, beyond: BeyondBytes = .none
    ) -> JobID {
        guard let batch = flows[flow]?.batch else { preconditionFailure("flow \(flow) does not exist") }
        let number = (lastNumber[batch] ?? 0) + 1
        lastNumber[batch] = number
        let id = batch << 32 + number
        jobs[id] = Job(
            flow: flow, customID: customID, line: Int(number), body: body, maxOutputTokens: maxOutputTokens,
            beyond: beyond)
        ready[flow, default: []].append(id)
        counts[flow, default: JobCounts()].ready += 1
        version += 1
        return id
    }

    package func cancel(_ batch: BatchID, at now: Timestamp) {
        batches[batch]?.state = 2
        for (id, job) in jobs where flows[job.flow]?.batch == batch {
            if job.state == .ready || job.state == .scheduled || job.state == .parked { move(id, to: .cancelled) }
        }
        _ = noteFinished([batch], at: now)
        version += 1
    }

    package func setPaused(_ isPaused: Bool, batch: BatchID) {
        for id in flows.keys where flows[id]?.batch == batch { flows[id]?.paused = isPaused }
        version += 1
    }

    package func setPaused(_ isPaused: Bool, className: String) {
        if isPaused { paused.classes.insert(className) } else { paused.classes.remove(className) }
        version += 1
    }

    package func setPaused(_ isPaused: Bool, key: String) {
        if isPaused { paused.keys.insert(key) } else { paused.keys.remove(key) }
        version += 1
    }

    package func retry(_ batch: BatchID, _ which: RetrySelection) {
        guard batches[batch]?.state == 1 else { return }
        for (id, job) in jobs where flows[job.flow]?.batch == batch && which.includes(job.state, job.failure) {
            jobs[id]?.attemptsUsed = 0
            move(id, to: .ready)
            batches[batch]?.finished = nil
        }
        version += 1
    }

    // MARK: JobQueue

    package func openFlows() -> [Flow] {
        flows.values.filter { batches[$0.batch]?.state == 1 && isOpen($0.id) }
            .sorted { $0.id < $1.id }
    }

    package func flowStatuses() -> [FlowStatus] {
        var next: [FlowID: Timestamp] = [:]
        for (id, due) in due { if let flow = jobs[id]?.flow { next[flow] = min(next[flow] ?? due, due) } }
        return openFlows().map { open in
            var flow = open
            flow.waiting = counts[flow.id]?.waiting ?? 0
            return FlowStatus(
                flow: flow, counts: counts[flow.id] ?? JobCounts(), usage: Usage(), hold: nil, nextDue: next[flow.id])
        }
    }

    package func stop(flow: FlowID, as state: JobState, failure: Failure, at now: Timestamp) -> Int {
        let waiting = jobs.filter {
            $0.value.flow == flow && ($0.value.state == .ready || $0.value.state == .scheduled)
        }
        for id in waiting.keys {
            move(id, to: state)
            jobs[id]?.failure = failure
        }
        if let batch = flows[flow]?.batch { _ = noteFinished([batch], at: now) }
        return waiting.count
    }

    package func parkedForMoney() -> [MoneyParked] {
        var found: [MoneyParked] = []
        for flow in openFlows() {
            let parked = jobs.filter { $0.value.flow == flow.id && $0.value.state == .parked }
            for reason in MoneyStop.allCases.sorted(by: { $0.rawValue < $1.rawValue }) {
                let tickets = parked.filter { $0.value.failure?.code == reason.rawValue }.keys.sorted().map(ticket)
                guard let first = tickets.first else { continue }
                let least = JobTicket(
                    id: first.id, flow: flow.id, lease: 0, attemptsUsed: 0,
                    bodyBytes: tickets.map(\.bodyBytes).min() ?? 0,
                    maxOutputTokens: tickets.compactMap(\.maxOutputTokens).min(),
                    beyond: BeyondBytes(code: tickets.map(\.beyond.code).min() ?? 0))
                found.append(
                    MoneyParked(flow: flow, reason: reason, jobs: tickets.count, first: first, least: least))
            }
        }
        return found
    }

    package func takeUp(flow: FlowID, parkedFor reason: MoneyStop, at now: Timestamp) -> Int {
        let found = jobs.filter {
            $0.value.flow == flow && $0.value.state == .parked && $0.value.failure?.code == reason.rawValue
        }
        for id in found.keys { move(id, to: .ready) }
        return found.count
    }

    package func peek(flow: FlowID, after: JobID?, limit: Int) -> [JobTicket] {
        (ready[flow] ?? []).lazy.filter { $0 > after ?? 0 }.prefix(limit).map(self.ticket)
    }

    package func commit(_ tick: Tick, at now: Timestamp) -> TickResult {
        var result = TickResult()
        var touched: Set<BatchID> = []
        var madeReady: [FlowID: Int] = [:]
        for settlement in tick.settlements {
            if settle(settlement, at: now) == .ready { madeReady[settlement.flow, default: 0] += 1 }
            if let batch = flows[settlement.flow]?.batch { touched.insert(batch) }
        }
        madeReady.merge(promote(at: now, limit: tick.promotionLimit), uniquingKeysWith: +)
        result.promoted = madeReady.sorted { $0.key < $1.key }.map { FlowCount(flow: $0.key, jobs: $0.value) }
        for stop in tick.stops where jobs[stop.job]?.state == .ready && jobs[stop.job]?.lease == stop.lease {
            move(stop.job, to: stop.state)
            jobs[stop.job]?.failure = stop.failure
            if stop.state == .parked { result.parked += 1 } else { result.failed += 1 }
            if let batch = flows[stop.flow]?.batch { touched.insert(batch) }
        }
        for start in tick.starts {
            if let begun = begin(start) { result.begun.append(begun) } else { result.refused.append(start.job) }
        }
        for hold in tick.holds { holds[hold.flow] = hold.hold }
        for memory in tick.keyMemories { memories[memory.key] = memory }
        for use in tick.dayUse {
            days[use.day, default: [:]][
                use.key, default: KeyDayUse(key: use.key, day: use.day, requests: 0, tokens: 0)
            ].requests += use.requests
            days[use.day]?[use.key]?.tokens += use.tokens
        }
        result.finished = noteFinished(touched, at: now)
        return result
    }

    package func recover() -> TickResult? { nil }

    package func openAttempts() -> [OpenAttempt] {
        attempts.filter { $0.outcome == 0 }.sorted { ($0.start.job, $0.start.lease) < ($1.start.job, $1.start.lease) }
            .map { attempt in
                var ticket = ticket(attempt.start.job)
                ticket.lease = attempt.start.lease
                return OpenAttempt(
                    ticket: ticket, key: attempt.start.key, model: attempt.start.model, started: attempt.start.started,
                    reservedTokens: attempt.start.reservedTokens, bill: attempt.start.bill, lane: attempt.start.lane,
                    worst: attempt.start.worst, worstTokens: attempt.start.worstTokens, day: attempt.start.day)
            }
    }

    package func spend() -> [SpendRow] { sums.rows }

    package func nextDue() -> Timestamp? { due.values.min() }

    package func recentAttempts(since: Timestamp) -> [RecentAttempt] {
        attempts.reversed().prefix { $0.start.started >= since }.map { attempt in
            RecentAttempt(
                key: attempt.start.key, started: attempt.start.started, ended: attempt.ended,
                reservedTokens: attempt.start.reservedTokens,
                usedTokens: attempt.outcome == 0 ? nil : attempt.usage.totalTokens, isUnknown: attempt.outcome == 3)
        }
    }

    package func dayUse(day: Int) -> [KeyDayUse] { (days[day] ?? [:]).values.sorted { $0.key < $1.key } }
    package func keyMemories() -> [KeyMemory] { memories.values.sorted { $0.key < $1.key } }
    package func pauses() -> Pauses { paused }
    package func dataVersion() -> Int { version }

    private func isOpen(_ flow: FlowID) -> Bool { counts[flow].map { $0.open > 0 } ?? false }

    // MARK: Parts of a tick

    /// Returns where a failed attempt's end moved its job, if it did.
    private func settle(_ settlement: Settlement, at now: Timestamp) -> JobState? {
        guard let index = attemptIndex[settlement.job]?[settlement.lease], let job = jobs[settlement.job] else {
            return nil
        }
        let earlier = attempts[index].outcome
        let holdsLease = job.state == .inFlight && job.lease == settlement.lease
        switch settlement.outcome {
        case .success(let answer):
            guard earlier != 1 else { return nil }
            attempts[index].outcome = 1
            attempts[index].ended = settlement.ended
            attempts[index].usage = answer.usage
            record(settlement, isLate: earlier != 0, answered: true)
            guard job.result == nil else { return nil }
            jobs[settlement.job]?.result = RecordedResult(
                lease: settlement.lease, statusCode: answer.statusCode, requestID: answer.requestID, body: answer.body)
            if holdsLease { jobs[settlement.job]?.attemptsUsed = settlement.attemptsUsed }
            move(settlement.job, to: .succeeded)
            return nil
        case .failure(let failure):
            let outcome = failure.failureClass == .unknownOutcome ? 3 : 2
            guard earlier == 0 || (earlier == 3 && outcome == 2) else { return nil }
            attempts[index].outcome = outcome
            attempts[index].ended = settlement.ended
            attempts[index].usage = failure.usage
            record(settlement, isLate: earlier != 0, answered: false)
            guard earlier == 0, holdsLease else { return nil }
            guard var (target, due) = settlement.disposition.targetAfterFailure(at: now) else {
                preconditionFailure("a failed attempt cannot complete job \(settlement.job)")
            }
            let isCancelled = flows[job.flow].flatMap { batches[$0.batch]?.state } != 1
            if isCancelled && target != .failed { (target, due) = (.cancelled, nil) }
            jobs[settlement.job]?.attemptsUsed = settlement.attemptsUsed
            move(settlement.job, to: target, due: due)
            if target == .failed || target == .parked { jobs[settlement.job]?.failure = failure }
            return target
        }
    }

    private func record(_ settlement: Settlement, isLate: Bool, answered: Bool) {
        guard var entry = settlement.entry, let flow = flows[settlement.flow] else { return }
        if isLate {
            entry.kind = .corrected
            for earlier in ledger where earlier.job == settlement.job && earlier.lease == settlement.lease {
                entry.charge = entry.charge - earlier.entry.charge
                entry.usage = entry.usage - earlier.entry.usage
                entry.requests -= earlier.entry.requests
                entry.tokens -= earlier.entry.tokens
            }
        }
        sums.add(
            SpendRow(
                route: entry.route, className: flow.className, batch: flow.batch, day: entry.day,
                attempts: isLate ? 0 : 1, answers: answered ? 1 : 0, requests: entry.requests, tokens: entry.tokens,
                usage: entry.usage, charge: entry.charge))
        if entry.isWorthKeeping {
            ledger.append((settlement.job, settlement.lease, entry))
        }
    }

    private func promote(at now: Timestamp, limit: Int) -> [FlowID: Int] {
        var counts: [FlowID: Int] = [:]
        // Flow by flow, earliest first: the order in which a limit cuts off.
        let candidates = due.filter { $0.value <= now }.compactMap { id, due in jobs[id].map { ($0.flow, due, id) } }
        for (flow, _, id) in candidates.sorted(by: { $0 < $1 }).prefix(limit) {
            move(id, to: .ready)
            counts[flow, default: 0] += 1
        }
        return counts
    }

    private func begin(_ start: AttemptStart) -> BegunAttempt? {
        guard let job = jobs[start.job], let flow = flows[start.flow], job.flow == start.flow,
            batches[flow.batch]?.state == 1, !flow.paused, !paused.classes.contains(flow.className),
            !paused.keys.contains(start.key), job.state == .ready, job.lease == start.lease - 1
        else { return nil }
        jobs[start.job]?.lease = start.lease
        move(start.job, to: .inFlight)
        attemptIndex[start.job, default: [:]][start.lease] = attempts.count
        attempts.append(Attempt(start: start))
        return BegunAttempt(job: start.job, flow: start.flow, lease: start.lease, body: job.body)
    }

    private func noteFinished(_ touched: Set<BatchID>, at now: Timestamp) -> [BatchID] {
        let finished = touched.sorted().filter { batch in
            batches[batch]?.finished == nil
                && flows.values.allSatisfy { $0.batch != batch || !isOpen($0.id) }
        }
        for batch in finished { batches[batch]?.finished = now }
        return finished
    }

    /// The one place where a job's state changes.
    private func move(_ id: JobID, to state: JobState, due moment: Timestamp? = nil) {
        guard let job = jobs[id] else { return }
        if job.state == .ready, let index = readyIndex(id, job.flow) { ready[job.flow]?.remove(at: index) }
        if state == .ready { ready[job.flow, default: []].insert(id, at: insertionIndex(id, job.flow)) }
        due[id] = moment
        counts[job.flow, default: JobCounts()][job.state] -= 1
        counts[job.flow, default: JobCounts()][state] += 1
        jobs[id]?.state = state
        jobs[id]?.due = moment
        if state != .failed && state != .parked { jobs[id]?.failure = nil }
    }

    private func insertionIndex(_ id: JobID, _ flow: FlowID) -> Int {
        let ids = ready[flow] ?? []
        var (low, high) = (0, ids.count)
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func readyIndex(_ id: JobID, _ flow: FlowID) -> Int? {
        let index = insertionIndex(id, flow)
        return index < (ready[flow]?.count ?? 0) && ready[flow]?[index] == id ? index : nil
    }

    private func ticket(_ id: JobID) -> JobTicket {
        guard let job = jobs[id] else { preconditionFailure("job \(id) does not exist") }
        return JobTicket(
            id: id, flow: job.flow, lease: job.lease, attemptsUsed: job.attemptsUsed, bodyBytes: job.body.count,
            maxOutputTokens: job.maxOutputTokens, beyond: job.beyond)
    }
}
