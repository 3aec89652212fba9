import Foundation
import OffpeakCore
import OffpeakSimulator
import Testing

/// Seeds for a run: one, with `OFFPEAK_SEED`, or a number of them from zero, with `OFFPEAK_NIGHTS`.
enum Seeds {
    static let environment = ProcessInfo.processInfo.environment
    static let one = environment["OFFPEAK_SEED"].flatMap { UInt64($0) }
    static let count = environment["OFFPEAK_NIGHTS"].flatMap { UInt64($0) } ?? 2_000

    /// Plays a night; a problem is reported with the line that shows it again.
    @discardableResult
    static func play(_ seed: UInt64) -> NightReport {
        let report = Night(NightPlan.drawn(from: seed)).play()
        if let problem = report.problem {
            Issue.record(
                "seed \(seed): \(problem)\nagain: OFFPEAK_SEED=\(seed) swift test --filter NightTests")
        }
        if report.counts.unfairRefusals > 0 { print("unfair seed \(seed): \(report.counts.unfairRefusals) of \(report.counts.sends)") }
        return report
    }
}

@Suite struct NightTests {
    @Test(.enabled(if: Seeds.one != nil)) func `The night of one seed is as it must be`() throws {
        let seed = try #require(Seeds.one)
        let report = Night(NightPlan.drawn(from: seed), keepsLines: true).play()
        if let problem = report.problem {
            Issue.record("seed \(seed): \(problem)\n\(report.lines.suffix(8000).joined(separator: "\n"))")
        }
        print("\(NightPlan.drawn(from: seed))\n\(report.counts)\nended after \(report.ended) ms, trace \(report.hash)")
    }

    @Test(.enabled(if: Seeds.one == nil), arguments: 0..<16 as Range<UInt64>)
    func `Whatever a night brings, all is kept`(part: UInt64) {
        var total = NightCounts()
        for seed in 0..<Seeds.count where seed % 16 == part { total += Seeds.play(seed).counts }
        print(total)
    }
}
