import OffpeakCore
import Synchronization
import Testing

@Suite struct `Spilling to dearer keys` {
    /// Some chosen ones with `OFFPEAK_SEED=1,2,3`.
    static let seeds = Seeds.chosen ?? Array(1...260)
    static let parts = 8

    private struct Tally {
        var parts = 0
        var feasible = 0
        var close = 0
        var worst = 0.0
    }
    private static let plain = Mutex(Tally())
    private static let prepaid = Mutex(Tally())

    /// Plays a part of the instances, those whose deadlines can all be met by jobs that are not split. `excess` is what it costs
    /// more than the optimum, as a part of what is to be compared with.
    private func play(
        _ part: Int, isPrepaid: Bool, _ tally: borrowing Mutex<Tally>,
        excess: (SpillInstance.Optimum, SpillInstance.Simulated, SpillInstance) -> Double
    ) {
        for (index, seed) in Self.seeds.enumerated() where index % Self.parts == part {
            let instance = SpillInstance(seed: seed, isPrepaid: isPrepaid)
            if instance.optimum(wholeJobs: true).lacking > 1e-6 { continue }
            let ours = instance.simulated()
            let more = excess(instance.optimum(wholeJobs: false), ours, instance)
            let again = "again: OFFPEAK_SEED=\(seed) swift test --filter Spilling"
            #expect(ours.left == 0, "\(ours.left) jobs are never sent; \(again)")
            #expect(ours.late == 0, "\(ours.late) jobs are late; \(again)")
            #expect(more <= 0.15, "costs \(more) more than the optimum; \(again)")
            tally.withLock {
                $0.feasible += 1
                $0.close += more <= 0.02 ? 1 : 0
                $0.worst = max($0.worst, more)
            }
        }
        let all = tally.withLock {
            $0.parts += 1
            return $0
        }
        guard all.parts == Self.parts, Seeds.chosen == nil else { return }
        #expect(all.close >= 200)
        #expect(all.close * 100 >= all.feasible * 98, "\(all)")
        print(
            "spill: \(all.close) of \(all.feasible) within 2 % of the optimum, the worst \(all.worst * 100) % above it")
    }

    /// Within 2 % in at least 200 instances. The few others are those in which the last minute before a deadline opens within
    /// the second or two that the scheduler keeps in reserve: what would have gone then goes to a dearer key.
    @Test(arguments: 0..<parts)
    func `costs no more than the linear program's optimum, and meets every deadline that it meets`(part: Int) {
        play(part, isPrepaid: false, Self.plain) { best, ours, _ in
            max(ours.cost / best.cost - 1, best.sharedCost > 0 ? ours.sharedCost / best.sharedCost - 1 : 0)
        }
    }

    /// Measured by what all would cost without prepaid terms, since the optimum may well be nothing.
    @Test(arguments: 0..<parts)
    func `uses credit and provisioned throughput as the optimum does`(part: Int) {
        play(part, isPrepaid: true, Self.prepaid) { best, ours, instance in
            (ours.cost - best.cost) / instance.unpaid.optimum(wholeJobs: false).cost
        }
    }
}
