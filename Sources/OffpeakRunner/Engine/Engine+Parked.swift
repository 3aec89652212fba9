import OffpeakConfiguration
import OffpeakCore
import OffpeakStore

extension Configuration {
    /// Whether some class's budget parks jobs that its next period has room for.
    var parksByPeriod: Bool {
        classes.contains { policy in policy.budget.map { $0.then == .park && $0.per.period != nil } ?? false }
    }
}

extension Engine {
    /// A period has begun: what used-up budgets had parked may go on. They are looked through here only, once a period:
    /// in between, money comes back to no budget that is used up.
    func takeUp(_ parked: [MoneyParked], at now: Timestamp) {
        for one in parked where one.reason == .budgetExhausted && flows[one.flow.id] != nil {
            guard scheduler.hasMoney(for: one.decisive, of: one.flow, at: now) else { continue }
            pending.takeUps.append((one.flow.id, one.reason))
        }
    }

    /// They are ready again.
    func tookUp(_ taken: [FlowCount], at now: Timestamp, into effects: inout SchedulerEffects) {
        let jobs = taken.reduce(0) { $0 + $1.jobs }
        guard jobs > 0 else { return }
        snapshot.parked = max(0, snapshot.parked - jobs)
        snapshot.waiting += jobs
        onNote(Self.tookUp(jobs))
        scheduler.handle(.promoted(taken.map(\.flow)), at: now, into: &effects)
        askAgain()
    }

    static func tookUp(_ jobs: Int) -> String {
        "\(jobs.of("job")) that had been parked for lack of money: budgets and quotas have room for them now"
    }
}
