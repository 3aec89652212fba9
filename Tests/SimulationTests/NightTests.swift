import Foundation
import OffpeakCore
import OffpeakSimulator
import Synchronization
import Testing

/// Nights to play: some chosen ones, with `OFFPEAK_SEED=1,2,3`, or so many from zero, with `OFFPEAK_NIGHTS=100000`.
enum Seeds {
    static let environment = ProcessInfo.processInfo.environment
    static let chosen = environment["OFFPEAK_SEED"].map { $0.split(separator: ",").compactMap { UInt64($0) } }
    static let count = environment["OFFPEAK_NIGHTS"].flatMap { UInt64($0) } ?? 3_000
    static let parts: UInt64 = 16

    /// Seeds that find what was once wrong, each kind with what it was. They are played whatever else is. A change of how
    /// nights are drawn makes other nights of them: then undo each mend in turn, and put in the seeds that notice.
    static let regressions: [UInt64] = [
        // next-key lost its job: nobody told the scheduler that it was ready again.
        15, 21, 58,
        // next-key returned to a key before the retry-after of its 503 was over.
        78, 141, 925,
        // A pool's retry-after was forgotten by a restart.
        106, 647, 1_079,
        // Invalid output gave reserved tokens back.
        133, 707, 1_546,
        // A refusal after midnight gave back what yesterday had counted.
        2_097,
        // A quota's named return was shortened by the refusals of what was in flight.
        422, 3_772,
    ]

    /// Plays a night; a problem is reported with the line that shows it again.
    static func play(_ seed: UInt64) -> NightReport {
        let report = Night(NightPlan.drawn(from: seed)).play()
        if let problem = report.problem {
            Issue.record("seed \(seed): \(problem)\nagain: OFFPEAK_SEED=\(seed) swift test --filter NightTests")
        }
        return report
    }
}

@Suite struct NightTests {
    @Test(.enabled(if: Seeds.chosen != nil)) func `The nights of chosen seeds are as they must be`() throws {
        for seed in try #require(Seeds.chosen) {
            let report = Night(NightPlan.drawn(from: seed), keepsLines: true).play()
            if let problem = report.problem {
                let lines = report.lines.suffix(60).joined(separator: "\n")
                Issue.record("seed \(seed): \(problem)\n\(lines)\nall lines: OFFPEAK_LINES=1")
            }
            if Seeds.environment["OFFPEAK_LINES"] != nil {
                print(report.lines.joined(separator: "\n"), NightPlan.drawn(from: seed), separator: "\n")
            }
            print("seed \(seed) ended after \(report.ended) ms, trace \(report.hash): \(report.counts)")
        }
    }

    private static let total = Mutex((parts: 0, counts: NightCounts()))

    @Test(.enabled(if: Seeds.chosen == nil), arguments: 0..<Seeds.parts)
    func `Whatever a night brings, every job ends as it must and every limit is kept`(part: UInt64) {
        var counts = NightCounts()
        for seed in 0..<Seeds.count where seed % Seeds.parts == part { counts += Seeds.play(seed).counts }
        let total = Self.total.withLock { total in
            total.parts += 1
            total.counts += counts
            return total
        }
        if total.parts == Int(Seeds.parts) { checkCoverage(of: total.counts) }
    }

    @Test func `Nights that ever went wrong stay right`() {
        for seed in Seeds.regressions { #expect(Seeds.play(seed).problem == nil) }
    }

    /// A simulation in which nothing happens proves nothing.
    private func checkCoverage(of counts: NightCounts) {
        guard Seeds.count >= 3_000 else { return }
        #expect(counts.sends > 50_000 && counts.deaths > 1_000 && counts.failedCommits > 1_000 && counts.spills > 0)
        #expect(counts.limitRefusals > 1_000 && counts.concurrencyRefusals > 100)
        for failure in FailureClass.allCases { #expect(counts.failures[failure, default: 0] > 20, "\(failure)") }
        for word in ["complete", "retry", "next-key", "next-model", "defer", "park", "fail"] {
            #expect(counts.dispositions[word, default: 0] > 20, "\(word)")
        }
        for state in [JobState.succeeded, .failed, .cancelled, .parked] {
            #expect(counts.states[state.rawValue] > 100, "\(state)")
        }
    }
}
