import Foundation
import OffpeakCore
import OffpeakSimulator
import Testing

/// Seeds for a run: one, with `OFFPEAK_SEED`, or a number of them from zero, with `OFFPEAK_NIGHTS`.
enum Seeds {
    static let environment = ProcessInfo.processInfo.environment
    static let chosen = environment["OFFPEAK_SEED"].map { $0.split(separator: ",").compactMap { UInt64($0) } }
    static let count = environment["OFFPEAK_NIGHTS"].flatMap { UInt64($0) } ?? 2_000

    /// Plays a night; a problem is reported with the line that shows it again.
    @discardableResult
    static func play(_ seed: UInt64) -> NightReport {
        let report = Night(NightPlan.drawn(from: seed)).play()
        if let problem = report.problem {
            Issue.record(
                "seed \(seed): \(problem)\nagain: OFFPEAK_SEED=\(seed) swift test --filter NightTests")
        }
        return report
    }
}

@Suite struct NightTests {
    @Test(.enabled(if: Seeds.chosen != nil)) func `The nights of the chosen seeds are as they must be`() throws {
        for seed in try #require(Seeds.chosen) {
            let report = Night(NightPlan.drawn(from: seed), keepsLines: true).play()
            if let problem = report.problem { Issue.record("seed \(seed): \(problem)") }
            if Seeds.environment["OFFPEAK_LINES"] != nil {
                print(report.lines.joined(separator: "\n"), NightPlan.drawn(from: seed), separator: "\n")
            }
            print("seed \(seed) ended after \(report.ended) ms, trace \(report.hash): \(report.counts)")
        }
    }

    @Test(.enabled(if: Seeds.chosen == nil), arguments: 0..<16 as Range<UInt64>)
    func `Whatever a night brings, all is kept`(part: UInt64) {
        var total = NightCounts()
        for seed in 0..<Seeds.count where seed % 16 == part { total += Seeds.play(seed).counts }
        print(total)
    }
}
