import OffpeakCore
import Synchronization
import Testing

@Suite struct `Spilling to dearer keys` {
    /// Some chosen ones with `OFFPEAK_SEED=1,2,3`.
    static let seeds = Seeds.chosen ?? Array(1...260)
    static let parts = 8
    private static let tally = Mutex((parts: 0, feasible: 0, close: 0, worst: 0.0))

    /// Plays the part's instances whose deadlines can all be met by jobs that are not split.
    private func play(
        _ part: Int, isPrepaid: Bool, _ check: (SpillInstance.Optimum, SpillInstance.Simulated, SpillInstance, String) -> Void
    ) {
        for (index, seed) in Self.seeds.enumerated() where index % Self.parts == part {
            let instance = SpillInstance(seed: seed, isPrepaid: isPrepaid)
            if instance.optimum(wholeJobs: true).lacking > 1e-6 { continue }
            let ours = instance.simulated()
            let again = "again: OFFPEAK_SEED=\(seed) swift test --filter Spilling"
            #expect(ours.left == 0, "\(ours.left) jobs are never sent; \(again)")
            #expect(ours.late == 0, "\(ours.late) jobs are late; \(again)")
            check(instance.optimum(wholeJobs: false), ours, instance, again)
        }
    }

    /// Within 2 % in at least 200 instances. The few others are those in which the last minute before a deadline opens within
    /// the second or two that the scheduler keeps in reserve: what would have gone then goes to a dearer key.
    @Test(arguments: 0..<parts)
    func `costs no more than the linear program's optimum, and meets every deadline that it meets`(part: Int) {
        play(part, isPrepaid: false) { best, ours, _, again in
            let ratio = ours.cost / best.cost
            Self.tally.withLock {
                $0.feasible += 1
                $0.close += ratio <= 1.02 && ours.sharedCost <= best.sharedCost * 1.02 ? 1 : 0
                $0.worst = max($0.worst, ratio)
            }
            #expect(ratio <= 1.15, "costs \(ratio) times its optimum; \(again)")
        }
        let tally = Self.tally.withLock {
            $0.parts += 1
            return $0
        }
        guard tally.parts == Self.parts, Seeds.chosen == nil else { return }
        print(tally); #expect(tally.close >= 200)
        #expect(tally.close * 100 >= tally.feasible * 98, "\(tally.close) of \(tally.feasible), worst \(tally.worst)")
    }

    @Test(arguments: 0..<parts)
    func `uses credit and provisioned throughput as the optimum does, to 2 % of what all would cost without`(part: Int) {
        play(part, isPrepaid: true) { best, ours, instance, again in
            let whole = instance.unpaid.optimum(wholeJobs: false).cost
            let excess = (ours.cost - best.cost) / whole
            #expect(excess <= 0.02, "costs \(excess) of the whole more than its optimum; \(again)")
        }
    }
}
