extension Scheduler {
    /// Why a job should wait for a cheaper key than the best that has room: because there is one that only its pace holds
    /// back, and it will get through the work before the deadline. Nil when the job may go now.
    mutating func savings(
        over best: RouteOffer, among offers: [RouteOffer], of state: FlowState, at now: Timestamp
    ) -> KeyObstacle? {
        // Without a deadline nothing has to spill: own keys are waited for also when they are used up for a while.
        let isPatient = best.isShared && state.flow.deadline == nil
        let cheaper = offers.filter { offer in
            guard let obstacle = offer.obstacle, offer.goesBefore(best, by: .cost) else { return false }
            return obstacle.isPace || (isPatient && obstacle.isExhausted && !offer.isShared)
        }
        guard !cheaper.isEmpty else { return nil }
        if let deadline = state.flow.deadline {
            let capacity = cheaper.reduce(0) { sum, offer in
                sum + self.capacity(of: offer, until: deadline, of: state, at: now)
            }
            if work(due: deadline, with: state) > capacity { return nil }
        }
        return KeyObstacle(
            reason: "key \(keys[cheaper[0].key].name) is cheaper and has room in time",
            until: cheaper.compactMap { $0.obstacle?.until }.min(), isWithheld: true)
    }

    /// Jobs of the flow's class that are due by its deadline and have not been sent.
    private func work(due deadline: Timestamp, with state: FlowState) -> Int {
        classes[state.classIndex].flows.reduce(state.unsent) { sum, id in
            guard id != state.flow.id, let other = flows[id], (other.flow.deadline ?? .distantFuture) <= deadline else {
                return sum
            }
            return sum + other.unsent
        }
    }

    /// How many of a flow's jobs a key can still take so that they are answered by a moment.
    private func capacity(
        of offer: RouteOffer, until deadline: Timestamp, of state: FlowState, at now: Timestamp
    ) -> Int {
        let key = keys[offer.key]
        let latency = Interval.milliseconds(Int64(key.latency / 1_000))
        var end = deadline - latency
        if let ends = key.descriptor.validUntil { end = min(end, ends) }
        let time = Int((end - now).milliseconds)
        guard time > 0 else { return 0 }
        let pool = key.pool.map { pools[$0] }
        var jobs = key.limiter.capacity(in: time, tokens: offer.tokens, latency: latency)
        if let pool { jobs = min(jobs, pool.capacity(in: time, tokens: offer.tokens, latency: latency)) }
        // A key without limits takes any number; such numbers are added up.
        jobs = min(jobs, 1 << 40)
        // A window that was filled in a burst opens in a burst, a minute later: nothing goes before that, and only whole
        // windows after it.
        guard let opens = offer.obstacle?.until, opens > now else { return jobs }
        guard opens < end else { return 0 }
        var each = key.limiter.capacity(in: 60_000, tokens: offer.tokens, latency: latency)
        if let pool { each = min(each, pool.capacity(in: 60_000, tokens: offer.tokens, latency: latency)) }
        return min(jobs, min(each, 1 << 32) * (1 + min(1 << 24, Int((end - opens).milliseconds / 60_000))))
    }
}
