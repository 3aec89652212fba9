/// A job as most of its flow are, on one key.
struct TypicalJob {
    let ticket: JobTicket
    let state: FlowState
    let model: String
    let lane: Lane
    /// Reserved on the key.
    let tokens: Int
}

extension Scheduler {
    /// A key on each of its terms: provisioned throughput, credit and a free allowance as long as there are any.
    mutating func ways(
        for job: TypicalJob, on key: Int, _ shares: [SpillPlan.Share], in draft: inout SpillDraft
    ) -> [SpillPlan.Way] {
        let account = keys[key].account
        let saves = classes[job.state.classIndex].policy.objective == .cost
        var takes = shares.map { (resource: $0.resource, amount: $0.isTokens ? Double(job.tokens) : 1) }
        guard let worth = worth(of: job, on: key) else {
            let rank: SpillPlan.Rank = keys[key].isShared ? .shared : saves ? .unknown : .known
            return [SpillPlan.Way(key: key, rank: rank, cost: 0, takes: takes)]
        }
        takes += moneyTakes(worth.value, on: key, in: &draft)
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
            let latency = Interval.milliseconds(Int64((keys[key].latency + 999) / 1_000))
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

    /// What a job takes of money quotas.
    private func moneyTakes(
        _ value: Double, on key: Int, in draft: inout SpillDraft
    ) -> [(resource: Int, amount: Double)] {
        guard value > 0 else { return [] }
        var takes: [(resource: Int, amount: Double)] = []
        let account = keys[key].account
        if let quota = account.quota {
            for (measure, left, limit) in account.quotaUse.rests(of: quota) where measure == .money {
                let name = SpillDraft.Name.quota(key: key, measure)
                takes.append(
                    (
                        draft.kept(name, left: left, limit: limit, period: quota.per, renews: account.quotaUse.ends),
                        value
                    ))
            }
        }
        if let pool = keys[key].pool, let quota = poolQuotas[pool] {
            for (measure, left, limit) in quota.use.rests(of: quota.quota) where measure == .money {
                let name = SpillDraft.Name.poolQuota(pool: pool, measure)
                takes.append(
                    (draft.kept(name, left: left, limit: limit, period: quota.quota.per, renews: quota.use.ends), value)
                )
            }
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
