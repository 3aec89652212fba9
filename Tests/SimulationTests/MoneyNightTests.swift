import OffpeakCore
import OffpeakSimulator
import Synchronization
import Testing

/// Nights in which everything costs something: judged by an account book that recomputes all of it.
@Suite struct MoneyNightTests {
    private static let count = Seeds.environment["OFFPEAK_NIGHTS"].flatMap { UInt64($0) } ?? 1_600
    private static let parts: UInt64 = 8
    private static let total = Mutex((parts: 0, counts: NightCounts(), money: MoneyCounts()))

    /// Seeds that have found something, each with what that was. They are played whatever else is.
    private static let regressions: [UInt64] = [
        // What a day had used was forgotten when the clock was put back before a run and that day came again.
        3519, 4013,
        // An allowance of requests counted the request itself and those under way.
        9, 158,
        // Provisioned throughput was forgotten by a restart.
        2,
        // Unusable output that did not say what it used was not charged.
        26, 46, 131,
        // A quota of requests was not kept where the price is unknown.
        123,
        // Not the scheduler's fault but the checks': a wait that was over, and the key used since, came again for them when
        // the clock was put back.
        2284,
    ]

    private static func play(_ seed: UInt64) -> NightReport {
        let report = Night(NightPlan.drawnWithMoney(from: seed)).play()
        if let problem = report.problem {
            Issue.record(
                "money night \(seed): \(problem)\nagain: OFFPEAK_MONEY=\(seed) swift test --filter MoneyNightTests")
        }
        return report
    }

    @Test(.enabled(if: Seeds.environment["OFFPEAK_MONEY"] == nil), arguments: 0..<parts)
    func `Whatever a night costs, no budget or quota is exceeded and every nano-dollar is accounted for`(part: UInt64) {
        var counts = NightCounts()
        var money = MoneyCounts()
        for seed in 0..<Self.count where seed % Self.parts == part {
            let report = Self.play(seed)
            counts += report.counts
            if let own = report.money { money += own }
        }
        let total = Self.total.withLock { total in
            total.parts += 1
            total.counts += counts
            total.money += money
            return total
        }
        guard total.parts == Int(Self.parts) else { return }
        print("money nights: \(total.money)")
        if Self.count >= 1_000 { checkCoverage(total.counts, total.money) }
    }

    @Test func `Money nights that ever went wrong stay right`() {
        for seed in Self.regressions { #expect(Self.play(seed).problem == nil) }
    }

    @Test(.enabled(if: Seeds.environment["OFFPEAK_MONEY"] != nil)) func `The money nights of chosen seeds are right`() {
        for seed in (Seeds.environment["OFFPEAK_MONEY"] ?? "").split(separator: ",").compactMap({ UInt64($0) }) {
            let report = Night(NightPlan.drawnWithMoney(from: seed), keepsLines: true).play()
            if let problem = report.problem {
                Issue.record("seed \(seed): \(problem)\n\(report.lines.suffix(40).joined(separator: "\n"))")
            }
            if Seeds.environment["OFFPEAK_LINES"] != nil {
                print(report.lines.joined(separator: "\n"), NightPlan.drawnWithMoney(from: seed), separator: "\n")
            }
        }
    }

    /// A simulation in which nothing happens proves nothing.
    private func checkCoverage(_ counts: NightCounts, _ money: MoneyCounts) {
        #expect(counts.deaths > 500 && counts.sends > 20_000)
        #expect(money.countedStarts > 5_000 && money.settled > 10_000 && money.assumed > 500)
        #expect(
            money.credited > 500 && money.provisioned > 200 && money.provisionedLater > 50
                && money.provisionedPassed > 50
                && money.reported > 500 && money.shared > 500)
        #expect(money.fees > 500 && money.freeFees > 100)
        #expect(money.stops["budget_exhausted", default: 0] > 100 && money.stops["unknown_cost", default: 0] > 20)
        #expect(
            ["exceeds_budget", "exceeds_quota", "unknown_length", "unbounded_cost"].allSatisfy {
                money.jobStops[$0, default: 0] > 20
            })
        #expect(counts.dispositions["shared", default: 0] > 50)
    }
}
