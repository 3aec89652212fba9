import OffpeakCore
import OffpeakSimulator
import Testing

/// Nights by hand: calm ones in which one thing is looked at.
extension NightPlan {
    /// One key, one class, nothing that goes wrong. `isAsStated` servers enforce what the key states.
    static func calm(seed: UInt64 = 1, _ limits: Limits, model: LimitModel = .sliding, server: MeterKind = .sliding)
        -> NightPlan
    {
        var plan = NightPlan(seed: seed)
        plan.keys = [KeyDescriptor(name: "main", provider: "local", limits: limits, limitModel: model)]
        var account = AccountPlan()
        account.isAsStated = true
        if let rpm = limits.rpm { account.limits.append(.init(server, rpm)) }
        if let tpm = limits.tpm { account.limits.append(.init(server, tpm, countsTokens: true)) }
        account.concurrent = limits.concurrent
        plan.accounts = ["main": account]
        plan.classes = [ClassPlan(ClassPolicy(name: "nightly", posture: .cost))]
        plan.run.isSingle = true
        plan.run.commit = 2...8
        plan.network.delay = 10...200
        plan.network.work = 200...2_000
        return plan
    }

    mutating func submit(_ jobs: Int, className: String = "nightly", priority: Int? = nil, deadline: Int64? = nil) {
        batches.append(
            BatchPlan(priority: priority, deadline: deadline, flows: [.init(className: className, jobs: jobs)]))
    }

    mutating func addClass(_ name: String, weight: Int = 1, priority: Int = 0) {
        var policy = ClassPolicy(name: name, posture: .cost)
        (policy.weight, policy.priority) = (weight, priority)
        classes.append(ClassPlan(policy))
    }

    /// Plays it; a problem is an issue.
    func play() -> NightReport {
        let report = Night(self).play()
        #expect(report.problem == nil)
        return report
    }
}
