import OffpeakCore
import OffpeakStore

extension MoneyBook {
    /// The scheduler has settled an attempt: what it enters must be what the book finds.
    mutating func decided(_ settlement: Settlement) {
        let name = Name(job: settlement.job, lease: settlement.lease)
        guard let attempt = entries[name], attempt.state == .open else {
            return fail("job \(settlement.job) was settled without an open attempt")
        }
        guard let entry = settlement.entry else { return fail("job \(settlement.job) was settled without an entry") }
        undecided.remove(name)
        uncommitted.insert(name)
        entries[name]?.state = .decided
        entries[name]?.entry = entry
        let text = "job \(settlement.job), attempt \(settlement.lease) on \(attempt.start.key)"
        var route = attempt.start.route
        if case .settled = kind(of: settlement, attempt) { route.lane = attempt.lane }
        if entry.route != route || entry.day != attempt.day { fail("\(text) is entered elsewhere") }
        switch kind(of: settlement, attempt) {
        case .assumed: assume(name, attempt, entry, text)
        case .settled(let usage): settle(name, attempt, entry, usage, at: settlement.ended, text)
        case .nothing:
            change(name, to: MoneyEntry.Amount())
            if entry.charge != Charge() || entry.usage != Usage() { fail("\(text) was refused and has an entry") }
        }
    }

    private enum Kind { case assumed, settled(Usage), nothing }

    /// From what the provider did, and what the run got of it.
    private func kind(of settlement: Settlement, _ attempt: MoneyEntry) -> Kind {
        let isPlain = attempt.report?.usageReported == true || isTold(attempt)
        let usage = attempt.report?.usageReported == true ? attempt.served ?? Usage() : Usage()
        switch settlement.outcome {
        case .success: return isPlain ? .settled(usage) : .assumed
        case .failure(let failure):
            if failure.failureClass == .unknownOutcome || (failure.failureClass == .timedOut && failure.judged) {
                return .assumed
            }
            if attempt.served == nil { return .nothing }
            return isPlain ? .settled(usage) : .assumed
        }
    }

    /// Whether the answer says all that it costs, and so need not say what it used. A zero is believed of no answer.
    private func isTold(_ attempt: MoneyEntry) -> Bool {
        guard let told = attempt.report?.cost else { return false }
        let isOwn = told.usedOwnKey ?? (plan.keys[attempt.key].billing == .routerBYOK)
        let amount = isOwn ? told.upstream : told.platform
        return (amount ?? .zero) > .zero
    }

    /// Lost: the worst counts, and it is no less than what the provider took.
    private mutating func assume(_ name: Name, _ attempt: MoneyEntry, _ entry: LedgerEntry, _ text: String) {
        counts.assumed += 1
        if entry.kind != .assumed || entry.charge != attempt.start.worst { fail("\(text): its worst is not spent") }
        if let served = attempt.served, let price = attempt.price, attempt.isKnown,
            entry.charge.value.nanodollars < price.cost(served)
        {
            fail("\(text): the provider took more than is assumed")
        }
        feeList[attempt.key][attempt.day, default: 0] += entry.charge.list.nanodollars
        feeOthers[attempt.key][attempt.day, default: 0] += 1
        change(name, to: attempt.worst)
    }

    private mutating func settle(
        _ name: Name, _ attempt: MoneyEntry, _ entry: LedgerEntry, _ usage: Usage, at ended: Timestamp, _ text: String
    ) {
        counts.settled += 1
        if entry.kind != .settled || entry.usage != usage { fail("\(text): its usage is not what was answered") }
        let key = plan.keys[attempt.key]
        var value = attempt.price?.cost(usage, attempt.lane) ?? 0
        if attempt.start.lane == .flex {
            counts.flexSettled += attempt.lane == .flex ? 1 : 0
            counts.flexUpgraded += attempt.lane == .sync ? 1 : 0
        }
        let part = billedPart(name, attempt, entry, usage, at: ended)
        func share(_ amount: Int64) -> Int64 {
            let whole = Int64(usage.totalTokens)
            return part == usage.totalTokens ? amount : (amount * Int64(part) + whole - 1) / whole
        }
        let list = share(attempt.list?.cost(usage, attempt.lane) ?? value)
        value = share(value)
        var charge = Charge(list: Money(nanodollars: list))
        let reported = attempt.report?.cost
        if reported != nil { counts.reported += 1 }
        if key.billing == .provider || (key.billing == .routerBYOK && reported?.usedOwnKey != false) {
            charge.provider = Money(nanodollars: value)
            if key.billing == .routerBYOK {
                charge.provider = reported?.upstream ?? charge.provider
                charge.platform = reported?.platform ?? fee(attempt, charge.list, entry.charge.platform, ended, text)
            }
        } else {
            charge.platform = reported?.platform ?? Money(nanodollars: value)
        }
        if let credit = key.credit, charge.provider > .zero, ended < credit.expires ?? .distantFuture {
            let left = credit.amount.nanodollars - creditUsed[attempt.key]
            charge.credit = min(charge.provider, Money(nanodollars: max(0, left)))
            charge.provider -= charge.credit
            if charge.credit > .zero { counts.credited += 1 }
        }
        if entry.charge != charge { fail("\(text) is entered as \(entry.charge) and costs \(charge)") }
        spend(entry.charge, attempt)
        change(
            name,
            to: MoneyEntry.Amount(
                value: charge.value.nanodollars, billed: charge.billed.nanodollars, requests: 1,
                tokens: usage.totalTokens))
    }

    /// The tokens that were billed: all, or what was above the provisioned throughput, by what the entry takes for it. What
    /// was free is checked at the end, minute by minute.
    private mutating func billedPart(
        _ name: Name, _ attempt: MoneyEntry, _ entry: LedgerEntry, _ usage: Usage, at ended: Timestamp
    ) -> Int {
        let used = usage.totalTokens
        var (value, billed) = (attempt.price?.cost(usage, attempt.lane) ?? 0, entry.charge.value.nanodollars)
        // Where the key's own price is nothing, the list's tells.
        if value == 0 {
            (value, billed) = (attempt.list?.cost(usage, attempt.lane) ?? 0, entry.charge.list.nanodollars)
        }
        guard plan.keys[attempt.key].provisionedTPM != nil, value > 0, billed < value else { return used }
        counts.provisioned += 1
        let part = Int(billed * Int64(used) / value)
        let taken = min(attempt.start.reservedTokens, used)
        if part > used - taken { fail("job \(name.job): \(part) of \(used) tokens are billed, \(taken) had room") }
        provisioned[attempt.key].append((attempt.start.started.milliseconds, taken, name))
        if used - taken > part {
            provisioned[attempt.key].append((ended.milliseconds, used - taken - part, name))
            counts.provisionedLater += 1
        }
        if part > 0 { counts.provisionedPassed += 1 }
        return part
    }

    private mutating func spend(_ charge: Charge, _ attempt: MoneyEntry) {
        creditUsed[attempt.key] += charge.credit.nanodollars
        feeList[attempt.key][attempt.day, default: 0] += charge.list.nanodollars
        feeAnswers[attempt.key][attempt.day, default: 0] += 1
        if let amount = plan.keys[attempt.key].credit?.amount, creditUsed[attempt.key] > amount.nanodollars {
            fail("key \(plan.keys[attempt.key].name) has used more credit than there was")
        }
    }

    /// The platform's fee, by the allowance of the period in which the attempt began. Where it ended two periods later, or
    /// an allowance of requests counts lost ones or not, either is right.
    private mutating func fee(
        _ attempt: MoneyEntry, _ list: Money, _ entered: Money, _ ended: Timestamp, _ text: String
    ) -> Money {
        guard let fee = plan.keys[attempt.key].fee else { return .zero }
        func share(_ amount: Int64) -> Money {
            Money(nanodollars: RatePlan.ceiling(amount * Int64(fee.shareMillionths)))
        }
        let full = share(list.nanodollars)
        func sum<N: AdditiveArithmetic>(_ days: [Int: N]) -> N {
            days.reduce(.zero) { MoneyBook.isSame(fee.per, $1.key, attempt.day) ? $0 + $1.value : $0 }
        }
        counts.fees += 1
        if entered == .zero, full > .zero { counts.freeFees += 1 }
        let length =
            switch fee.per {
            case .day: 1
            case .week: 7
            case .month: 30
            }
        let isForgotten = Night.day(of: ended) / length > attempt.day / length + 1
        if isForgotten, fee.allowance != nil, entered <= full { return entered }
        switch fee.allowance {
        case nil: return full
        case .money(let limit):
            let left = max(0, limit.nanodollars - sum(feeList[attempt.key]))
            return share(max(0, list.nanodollars - left))
        case .requests(let limit):
            let answers = sum(feeAnswers[attempt.key])
            if answers >= limit { return full }
            return answers + sum(feeOthers[attempt.key]) < limit ? .zero : (entered == .zero ? .zero : full)
        }
    }

    // MARK: The ledger

    /// A transaction has taken effect.
    mutating func committed(_ tick: Tick, in queue: MemoryQueue) {
        var expected: [Name: LedgerEntry] = [:]
        for settlement in tick.settlements {
            let name = Name(job: settlement.job, lease: settlement.lease)
            guard let attempt = entries[name], attempt.state == .decided, let entry = attempt.entry else { continue }
            entries[name]?.state = .final
            uncommitted.remove(name)
            if entry.isWorthKeeping { expected[name] = entry }
        }
        read(expected, in: queue)
    }

    /// What the ledger has since it was last looked at is exactly what is expected.
    private mutating func read(_ expected: [Name: LedgerEntry], in queue: MemoryQueue) {
        var expected = expected
        for (job, lease, entry) in queue.ledger[read...] {
            total = total + entry.charge
            totalUsage = totalUsage + entry.usage
            if expected.removeValue(forKey: Name(job: job, lease: lease)) != entry {
                fail("job \(job), attempt \(lease): the ledger has \(entry), which nothing accounts for")
            }
        }
        read = queue.ledger.count
        if let name = expected.keys.min(by: { ($0.job, $0.lease) < ($1.job, $1.lease) }) {
            fail("job \(name.job), attempt \(name.lease) was charged and has no entry")
        }
        var sum = Charge()
        var usage = Usage()
        for row in queue.spend() {
            sum = sum + row.charge
            usage = usage + row.usage
        }
        if sum != total || usage != totalUsage { fail("the ledger's sum is \(total), that of its rows \(sum)") }
    }

    // MARK: Crashes

    /// A run begins: what was decided and not recorded by the one before is as if it had never been.
    mutating func runStarts(_ plan: NightPlan) {
        self.plan = plan
        for name in undecided.union(uncommitted) {
            guard let attempt = entries[name] else { continue }
            guard attempt.isBegun else {
                void(name.job)
                continue
            }
            if attempt.state == .decided { undo(name, attempt) }
        }
        uncommitted = []
    }

    private mutating func undo(_ name: Name, _ attempt: MoneyEntry) {
        guard let charge = attempt.entry?.charge, let entry = attempt.entry else { return }
        if entry.kind == .assumed {
            feeList[attempt.key][attempt.day, default: 0] -= charge.list.nanodollars
            feeOthers[attempt.key][attempt.day, default: 0] -= 1
        } else if charge != Charge() || entry.usage != Usage() {
            provisioned[attempt.key].removeAll { $0.name == name }
            creditUsed[attempt.key] -= charge.credit.nanodollars
            feeList[attempt.key][attempt.day, default: 0] -= charge.list.nanodollars
            feeAnswers[attempt.key][attempt.day, default: 0] -= 1
        }
        entries[name]?.state = .open
        entries[name]?.entry = nil
        undecided.insert(name)
        change(name, to: attempt.worst)
    }

    /// What a dead run left open counts as spent, at its worst.
    mutating func recovered(_ queue: MemoryQueue) {
        var expected: [Name: LedgerEntry] = [:]
        for name in undecided {
            guard let attempt = entries[name] else { continue }
            entries[name]?.state = .final
            counts.assumed += 1
            feeList[attempt.key][attempt.day, default: 0] += attempt.start.worst.list.nanodollars
            feeOthers[attempt.key][attempt.day, default: 0] += 1
            expected[name] = LedgerEntry(
                kind: .assumed, route: attempt.start.route, charge: attempt.start.worst, usage: Usage(),
                tokens: attempt.start.worstTokens, day: attempt.day)
        }
        undecided = []
        read(expected, in: queue)
    }

    // MARK: The end of a budget

    /// The jobs of a flow that wait are parked, or end, for this.
    mutating func stopped(
        _ flow: FlowID, _ state: JobState, _ failure: Failure, batch: BatchID, classIndex: Int, day: Int,
        in queue: MemoryQueue
    ) {
        counts.stops[failure.code, default: 0] += 1
        if ["exceeds_budget", "exceeds_quota", "unknown_length", "unbounded_cost"].contains(failure.code) {
            fail("flow \(flow) is stopped for what is one job's own trouble: \(failure.message)")
        }
        guard failure.code == "budget_exhausted" else { return }
        guard let budget = plan.classes[classIndex].policy.budget else {
            return fail("flow \(flow) is stopped for a budget that it does not have")
        }
        let place = ClassBatch(classIndex: classIndex, batch: batch)
        let days = budget.per == .batch ? ofBatch[place] ?? HeldDays() : ofClass[classIndex]
        let used = days.sum(budget.per.period, around: day).billed
        var dearest: Int64 = 0
        for job in queue.jobs.values where job.flow == flow && !job.state.isFinal {
            dearest = max(dearest, worsts(of: job).map(\.amount.billed).max() ?? 0)
        }
        let isRight = budget.then == .fail ? state == .failed : state == .parked && budget.then == .park
        if !isRight { fail("flow \(flow) is \(state) at the end of a budget, which says \(budget.then.rawValue)") }
        if used + dearest <= budget.limit.nanodollars {
            fail(
                "flow \(flow) is stopped with \(used) of \(budget.limit.nanodollars) used, no job takes over \(dearest)"
            )
        }
    }

    /// The most that a job can take, by key and whatever the model.
    private func worsts(of job: MemoryQueue.Job) -> [(key: Int, amount: MoneyEntry.Amount)] {
        plan.keys.indices.flatMap { key in
            NightPlan.models.flatMap { [$0, "x-\($0)"] }.compactMap { model in
                worst(key, model, job).map { (key, $0) }
            }
        }
    }

    /// One job is parked, or ends, without being sent: there is a reason that is its own.
    mutating func stopped(_ stop: JobStop, _ job: MemoryQueue.Job, classIndex: Int) {
        counts.jobStops[stop.failure.code, default: 0] += 1
        let budget = plan.classes[classIndex].policy.budget
        let isFound: Bool
        switch stop.failure.code {
        case "exceeds_budget":
            let limit = budget?.limit.nanodollars ?? .max
            isFound = worsts(of: job).contains { $0.amount.billed > limit }
        case "exceeds_quota":
            isFound = worsts(of: job).contains { key, amount in
                let pool = plan.keys[key].pool.flatMap { name in plan.pools.first { $0.name == name } }
                return [plan.keys[key].quota, pool?.quota].contains { quota in
                    amount.value > quota?.money?.nanodollars ?? .max || amount.tokens > quota?.tokens ?? .max
                        || amount.requests > quota?.requests ?? .max
                }
            }
        case "unknown_length": isFound = job.maxOutputTokens == nil
        case "unbounded_cost": isFound = job.beyond >= .context
        default: isFound = false
        }
        if !isFound { fail("job \(stop.job) is stopped without reason: \(stop.failure.message)") }
        let ends = stop.failure.code == "exceeds_budget" && budget?.then == .fail
        if stop.state != (ends ? .failed : .parked) { fail("job \(stop.job) is \(stop.state) for its own size") }
    }

    // MARK: The end

    mutating func finalCheck(_ queue: MemoryQueue) {
        if !undecided.isEmpty || !uncommitted.isEmpty { fail("attempts are left open in the account book") }
        checkRows(queue)
        for key in plan.keys.indices {
            guard let limit = plan.keys[key].provisionedTPM, plan.run.clockJumps == 0 else { continue }
            var book = SendBook(limit: limit)
            for entry in provisioned[key].sorted(by: { $0.at < $1.at }) {
                if book.add(entry.tokens, at: entry.at).isOver {
                    fail("key \(plan.keys[key].name): more than its provisioned throughput was free")
                }
            }
        }
    }

    /// The rows are the ledger's entries, summed.
    private mutating func checkRows(_ queue: MemoryQueue) {
        struct Row: Hashable {
            let route: LedgerRoute
            let className: String
            let batch: BatchID
            let day: Int
        }
        var sums: [Row: Charge] = [:]
        for (job, lease, entry) in queue.ledger {
            guard let attempt = entries[Name(job: job, lease: lease)] else { continue }
            let name = plan.classes[attempt.classIndex].policy.name
            let row = Row(route: entry.route, className: name, batch: attempt.batch, day: entry.day)
            sums[row] = (sums[row] ?? Charge()) + entry.charge
        }
        for row in queue.spend() {
            let name = Row(route: row.route, className: row.className, batch: row.batch, day: row.day)
            if sums.removeValue(forKey: name) ?? Charge() != row.charge { fail("a row of spending differs: \(row)") }
        }
        if !sums.isEmpty { fail("rows of spending are missing") }
        let ended = queue.attempts.count { $0.outcome != 0 }
        let counted = queue.spend().reduce(0) { $0 + $1.attempts }
        if counted != ended { fail("\(ended) attempts ended, \(counted) are in the rows of spending") }
    }
}
