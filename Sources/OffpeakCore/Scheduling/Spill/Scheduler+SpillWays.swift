/// A job as most of its flow are, on one key.
struct TypicalJob {
    let ticket: JobTicket
    let state: FlowState
    let model: String
    let lane: Lane
    /// Reserved on the key.
    let tokens: Int
    /// The one that goes first, which must fit.
    let next: JobTicket
}

extension Scheduler {
    /// A key on each of its terms: provisioned throughput, credit and a free allowance as long as there are any.
    mutating func ways(
        for job: TypicalJob, on key: Int, _ shares: [SpillPlan.Share], in draft: inout SpillDraft
    ) -> [SpillPlan.Way] {
        let account = keys[key].account
        let saves = classes[job.state.classIndex].policy.objective == .cost
        var takes = shares.map { (resource: $0.resource, amount: $0.isTokens ? Double(job.tokens) : 1) }
        takes += flexTake(job, on: key, in: &draft).map { [($0, 1)] } ?? []
        let worst =
            worstCase(key, job.model, job.lane, job.next, job.state.flow.endpoint)
            ?? unpriced(key, job.model, job.next, job.state.flow.endpoint)
        let worth = worth(of: job, on: key)
        takes += quotaTakes(job, worth?.value ?? 0, worst, on: key, in: &draft)
        guard let worth else {
            let rank: SpillPlan.Rank = keys[key].isShared ? .shared : saves ? .unknown : .known
            return [SpillPlan.Way(key: key, rank: rank, cost: 0, takes: takes)]
        }
        var ways: [SpillPlan.Way] = []
        func add(
            provider: Double, platform: Double, _ more: [(resource: Int, amount: Double)], isProvisioned: Bool = false
        ) {
            let cost = provider + platform
            let billed = cost > 0 ? budgetTakes(cost, of: job.state, in: &draft) : []
            ways.append(
                SpillPlan.Way(
                    key: key, rank: keys[key].isShared ? .shared : .known, cost: saves ? cost : 0,
                    takes: takes + more + billed, isProvisioned: isProvisioned))
        }
        if let tpm = keys[key].descriptor.provisionedTPM, job.tokens <= tpm {
            let latency = draft.paces[key].sync.latency
            var account = account
            let now = draft.now
            let resource = draft.flowing(.provisioned(key: key), perMinute: nil) { end in
                account.provisionedTokens(until: end - latency, at: now) ?? 0
            }
            if let resource { add(provider: 0, platform: 0, [(resource, Double(job.tokens))], isProvisioned: true) }
        }
        if account.billing == .platform {
            add(provider: 0, platform: worth.value, [])
            return ways
        }
        let fee = account.billing == .routerBYOK ? worth.fee : 0
        var feeTerms: [(fee: Double, take: [(resource: Int, amount: Double)])] = [(fee, [])]
        if fee > 0, let take = allowanceTake(worth.list, on: key, in: &draft) { feeTerms.append((0, [take])) }
        var credit: Int?
        if let terms = account.credit, worth.value > 0, terms.isGood(for: draft.now, at: draft.now) {
            let left = Double(account.creditToSpend.nanodollars)
            credit = draft.kept(.credit(key: key), left: left, expires: terms.expires ?? .distantFuture)
        }
        for term in feeTerms {
            add(provider: worth.value, platform: term.fee, term.take)
            if let credit { add(provider: 0, platform: term.fee, term.take + [(credit, worth.value)]) }
        }
        return ways
    }

    /// A job's value at the key's price and at list, and the whole fee on it, in nano-dollars; nil while no price is known.
    private mutating func worth(of job: TypicalJob, on key: Int) -> (value: Double, list: Double, fee: Double)? {
        guard let (value, list, _) = worth(key, job.model, job.lane, job.ticket, job.state) else { return nil }
        let fee = list.share(millionths: keys[key].account.fee?.shareMillionths ?? 0)
        return (Double(value.nanodollars), Double(list.nanodollars), Double(fee.nanodollars))
    }

    /// Where lane flex is the only one that the class has on a key: what the key gets through there.
    private func flexTake(_ job: TypicalJob, on key: Int, in draft: inout SpillDraft) -> Int? {
        guard job.lane == .flex, !classes[job.state.classIndex].lanes[key].contains(.sync) else { return nil }
        let (flex, pace, now) = (keys[key].flex, draft.paces[key].flex, draft.now)
        // What has had no room for a time is thought to have none for as long again.
        let begin = flex.isResting ? max(now + (now - flex.refusedSince), flex.opensAt) : now
        let latency = flex.isResting && pace.latency == .zero ? Self.blindLatency : pace.latency
        let (limiter, reserve) = (keys[key].limiter, { [draft] in draft.reserve(before: $0, pace) })
        return draft.flowing(.flex(key: key), perMinute: nil) { end in
            limiter.capacity(
                until: end - reserve(end) - (begin - now), latency: latency, isOverdue: pace.isOverdue, at: now
            ).requests
        }
    }

    /// What a job takes of the quotas of a key and its pool, beside the requests and tokens that all flows share.
    private func quotaTakes(
        _ job: TypicalJob, _ value: Double, _ worst: WorstCase, on key: Int, in draft: inout SpillDraft
    ) -> [(resource: Int, amount: Double)] {
        let pace = job.lane == .flex ? draft.paces[key].flex : draft.paces[key].sync
        var takes: [(resource: Int, amount: Double)] = []
        func add(_ rest: QuotaRest, _ name: SpillDraft.Name) {
            let (amount, most): (Double, Double)
            switch rest.measure {
            case .requests: return
            case .tokens: (amount, most) = (Double(job.tokens), Double(worst.tokens))
            case .money:
                (amount, most) = (value, Double(worst.charge.value.nanodollars))
                guard amount > 0 else { return }
                takes.append((draft.quota(name, rest, amount: amount), amount))
            }
            takes += draft.shares(
                of: name, rest, amount: amount, worst: most, flow: job.state.flow.id, latency: pace.latency)
        }
        let account = keys[key].account
        if let quota = account.quota {
            for rest in account.quotaUse.rests(of: quota) { add(rest, .quota(key: key, rest.measure)) }
        }
        if let pool = keys[key].pool, let quota = poolQuotas[pool] {
            for rest in quota.use.rests(of: quota.quota) { add(rest, .poolQuota(pool: pool, rest.measure)) }
        }
        return takes
    }

    private func budgetTakes(
        _ cost: Double, of state: FlowState, in draft: inout SpillDraft
    ) -> [(resource: Int, amount: Double)] {
        guard let account = classes[state.classIndex].budget else { return [] }
        let batch = account.budget.per == .batch ? state.flow.batch : nil
        let limit = Double(account.budget.limit.nanodollars)
        let used = account.used(batch: state.flow.batch)
        let left = max(0, limit - Double((used.spent + used.reserved).nanodollars))
        let resource = draft.kept(
            .budget(classIndex: state.classIndex, batch), left: left, limit: limit,
            period: account.budget.per.period,
            renews: account.renews ?? .distantFuture)
        return [(resource, cost)]
    }

    private func allowanceTake(
        _ list: Double, on key: Int, in draft: inout SpillDraft
    ) -> (resource: Int, amount: Double)? {
        let account = keys[key].account
        let ends = account.feeUse.ends
        switch (account.fee?.allowance, account.allowanceLeft) {
        case (.money(let limit), .money(let left)):
            let resource = draft.kept(
                .allowance(key: key), left: Double(max(.zero, left - account.feeUse.reserved.money).nanodollars),
                limit: Double(limit.nanodollars), period: account.fee?.per, renews: ends)
            return (resource, list)
        case (.requests(let limit), .requests(let left)):
            let resource = draft.kept(
                .allowance(key: key), left: Double(max(0, left - account.feeUse.reserved.requests)),
                limit: Double(limit), period: account.fee?.per, renews: ends)
            return (resource, 1)
        default: return nil
        }
    }
}
