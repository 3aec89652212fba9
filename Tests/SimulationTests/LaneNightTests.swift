import OffpeakCore
import OffpeakSimulator
import Synchronization
import Testing

/// Nights in which keys have the lane flex, which is often full: judged by the account book, and by the configuration's words.
@Suite struct LaneNightTests {
    private static let count = Seeds.environment["OFFPEAK_NIGHTS"].flatMap { UInt64($0) } ?? 800
    private static let parts: UInt64 = 4
    private static let total = Mutex((parts: 0, money: MoneyCounts()))

    private static func play(_ seed: UInt64) -> NightReport {
        let report = Night(NightPlan.drawnWithLanes(from: seed)).play()
        if let problem = report.problem {
            Issue.record(
                "lane night \(seed): \(problem)\nagain: OFFPEAK_LANES=\(seed) swift test --filter LaneNightTests")
        }
        return report
    }

    @Test(.enabled(if: Seeds.environment["OFFPEAK_LANES"] == nil), arguments: 0..<parts)
    func `Whatever lane serves, its price is what is entered, and no budget is exceeded`(part: UInt64) {
        var money = MoneyCounts()
        for seed in 0..<Self.count where seed % Self.parts == part {
            if let own = Self.play(seed).money { money += own }
        }
        let total = Self.total.withLock { total in
            total.parts += 1
            total.money += money
            return total
        }
        guard total.parts == Int(Self.parts) else { return }
        print("lane nights: \(total.money)")
        guard Self.count >= 800 else { return }
        #expect(total.money.flexStarts > 1_000 && total.money.flexSettled > 500 && total.money.flexUpgraded > 20)
    }

    @Test(.enabled(if: Seeds.environment["OFFPEAK_LANES"] != nil)) func `The lane nights of chosen seeds are right`() {
        for seed in (Seeds.environment["OFFPEAK_LANES"] ?? "").split(separator: ",").compactMap({ UInt64($0) }) {
            let report = Night(NightPlan.drawnWithLanes(from: seed), keepsLines: true).play()
            if let problem = report.problem {
                Issue.record("seed \(seed): \(problem)\n\(report.lines.suffix(40).joined(separator: "\n"))")
            }
        }
    }
}
