import OffpeakCore
import Testing

@Suite struct `Spilling to dearer keys` {
    /// Some chosen ones with `OFFPEAK_SEED=1,2,3`.
    static let seeds = Seeds.chosen ?? Array(1...280)
    static let parts = 8

    @Test(arguments: 0..<parts)
    func `costs within 2 % of the linear program's optimum, and meets every deadline that the optimum meets`(part: Int)
    {
        var feasible = 0
        for (index, seed) in Self.seeds.enumerated() where index % Self.parts == part {
            let instance = SpillInstance(seed: seed)
            if instance.optimum(wholeJobs: true).lacking > 1e-6 { continue }
            feasible += 1
            let best = instance.optimum(wholeJobs: false)
            let ours = instance.simulated()
            let again = "again: OFFPEAK_SEED=\(seed) swift test --filter Spilling"
            #expect(ours.left == 0, "\(ours.left) jobs are never sent; \(again)")
            #expect(ours.late == 0, "\(ours.late) jobs are late; \(again)")
            #expect(ours.cost <= best.cost * 1.02, "costs \(ours.cost / best.cost) times its optimum; \(again)")
            #expect(
                ours.sharedCost <= best.sharedCost * 1.02,
                "shared capacity has \(ours.sharedCost / best.sharedCost) times its part; \(again)")
        }
        if Seeds.chosen == nil { #expect(feasible * Self.parts >= 200) }
    }
}
