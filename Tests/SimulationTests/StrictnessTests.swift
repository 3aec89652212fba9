import OffpeakCore
import OffpeakSimulator
import Synchronization
import Testing

/// No configuration, failure or crash leads a strict or governance class to a key outside its set.
@Suite struct StrictnessTests {
    private static let parts: UInt64 = 2
    private static let trials: UInt64 = 300
    /// Attempts begun, and steps chosen after they failed, per trial.
    private static let decisions = 3_400
    private static let total = Mutex((parts: 0, counts: StrictnessTrial.Counts()))

    private func play(_ seed: UInt64) -> StrictnessTrial.Counts {
        var trial = StrictnessTrial(seed: seed)
        trial.play(decisions: Self.decisions)
        if let problem = trial.problem {
            Issue.record("trial \(seed): \(problem)\nagain: OFFPEAK_TRIAL=\(seed) swift test --filter StrictnessTests")
        }
        return trial.counts
    }

    @Test(.enabled(if: Seeds.environment["OFFPEAK_TRIAL"] == nil), arguments: 0..<parts)
    func `In a million decisions no closed class is led to a key outside its set`(part: UInt64) {
        var counts = StrictnessTrial.Counts()
        for seed in 0..<Self.trials where seed % Self.parts == part { counts += play(seed) }
        let total = Self.total.withLock { total in
            total.parts += 1
            total.counts += counts
            return total
        }
        guard total.parts == Int(Self.parts) else { return }
        let all = total.counts
        print("strictness: \(all)")
        #expect(all.starts + all.steps >= 1_000_000)
        #expect(all.closedStarts >= 300_000 && all.closedWithOutsider >= 200_000)
        #expect(all.crashes >= 1_000 && all.configurations >= 1_000)
        for word in ["retry", "next-key", "next-model", "defer", "park", "fail"] {
            #expect(all.closedSteps[word, default: 0] >= 1_000, "\(word)")
        }
        // No attempt leaves class ∩ key: that is judged at each of them.
        #expect(all.flexStarts >= 20_000 && all.flexPassedOver >= 1_000)
        // A closed class has no shared capacity to be led to, whatever its ladders say.
        #expect(all.closedSteps["shared", default: 0] == 0)
    }

    @Test(.enabled(if: Seeds.environment["OFFPEAK_TRIAL"] != nil)) func `A chosen trial goes as it must`() {
        for seed in (Seeds.environment["OFFPEAK_TRIAL"] ?? "").split(separator: ",").compactMap({ UInt64($0) }) {
            print("trial \(seed): \(play(seed))")
        }
    }
}
