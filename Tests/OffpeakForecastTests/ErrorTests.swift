import OffpeakCore
import OffpeakForecast
import Testing

/// How far forecasts are from what comes.
///
/// Limits of a minute are used in bursts, and by chance the last burst of a night comes a minute sooner or later: of 16 nights of
/// seed 30, 8 last 200 to 209 s and 8 last 244 to 253 s. A day's quota on one key ends after 1,705 to 1,729 answers, as they are
/// long, and a pool takes some 73 of the rest a minute: they fill four minutes, and a few more may need a fifth. A forecast tells
/// such a burst with the moment before it.
@Suite struct ErrorTests {
    static let scenarios: ClosedRange<UInt64> = 1...50

    /// A forecast beside three nights of the same scenario that differ by chance alone: in each answer's length and time, in
    /// which attempts fail, and in the jitter of backoffs. Errors are in thousandths of what came.
    struct Trial: Sendable {
        let seed: UInt64
        let foreseen: ForecastResult
        let nights: [Reality.Outcome]
        private let start: Timestamp

        init(seed: UInt64) {
            self.seed = seed
            let scenario = Scenario(seed: seed)
            start = scenario.start
            let end = start + .days(60)
            nights = (1...3).map { night in
                var reality = Reality(scenario, seed: seed &+ UInt64(night) &* 1_000_000)
                return reality.run(until: end)
            }
            foreseen = Self.forecast(scenario, until: end)
        }

        static func forecast(_ scenario: Scenario, until end: Timestamp) -> ForecastResult {
            let work = scenario.batches.map { batch in
                var work = ForecastWork(flow: scenario.flow(of: batch))
                for body in scenario.bodies(of: batch) {
                    work.add(bodyBytes: body, maxOutputTokens: scenario.prompts[batch.className]!.maxOutputTokens)
                }
                return work
            }
            let hasSlices = scenario.keys.contains { $0.limitModel == .slices }
            var forecast = Forecast(
                scheduler: scenario.scheduler(seed: 7), work: work, answers: AnswerModel(scenario.history),
                clock: ForecastClock(shortestWindow: hasSlices ? .seconds(1) : .minutes(1)), at: scenario.start)
            var day = Scenario.dayNumber(scenario.start)
            return forecast.run(until: end) { scenario.calendar($0, lastDay: &day) }.result
        }

        private func length(_ lastAnswer: Timestamp?) -> Int64 { ((lastAnswer ?? start) - start).milliseconds }

        private static func error(_ foreseen: Int64, _ actual: Int64) -> Int {
            foreseen == actual ? 0 : actual == 0 ? 1_000_000 : Int((foreseen - actual) * 1_000 / actual)
        }

        private static func middle(_ values: [Int64]) -> Int64 { values.sorted()[values.count / 2] }

        private var finish: Int64 { length(foreseen.batches.compactMap(\.lastAnswer).max()) }
        private var cost: Int64 { foreseen.charge.billed.nanodollars }
        private var finishes: [Int64] { nights.map { length($0.lastAnswer) } }
        private var costs: [Int64] { nights.map(\.charge.billed.nanodollars) }

        /// Against the middle one of the nights.
        var finishError: Int { Self.error(finish, Self.middle(finishes)) }
        var costError: Int { Self.error(cost, Self.middle(costs)) }
        /// Against the first night, whatever chance did in it.
        var finishErrorOfOne: Int { Self.error(finish, finishes[0]) }
        /// The same for the other finish that the forecast tells, if a last burst is uncertain.
        var earlyErrorOfOne: Int? {
            guard let burst = foreseen.lastBurst, burst.isUncertain(since: start) else { return nil }
            return Self.error(length(burst.after), finishes[0])
        }
        var costErrorOfOne: Int { Self.error(cost, costs[0]) }

        var line: String {
            "seed \(seed), in thousandths: finish off by \(finishError), cost by \(costError); nights last "
                + "\(finishes.map { "\($0 / 1_000) s" }) and \(finish / 1_000) s are foreseen; "
                + "they cost \(nights.map(\.charge.billed.text)) USD and \(foreseen.charge.billed.text) are foreseen; "
                + "\(nights.map(\.answered)) of \(nights[0].jobs) jobs are answered and \(foreseen.answered) foreseen"
        }
    }

    @Test func `finish and cost are within 5 % of what comes, in each of 50 scenarios`() async {
        let trials = await withTaskGroup(of: Trial.self) { group in
            for seed in Self.scenarios { group.addTask { Trial(seed: seed) } }
            return await group.reduce(into: [Trial]()) { $0.append($1) }
        }
        for trial in trials.sorted(by: { $0.seed < $1.seed }) {
            #expect(abs(trial.finishError) <= 50 && abs(trial.costError) <= 50, "\(trial.line)")
            // A single night has one of the two finishes that are told, where two are, and otherwise the one.
            let nearest = min(abs(trial.finishErrorOfOne), trial.earlyErrorOfOne.map(abs) ?? .max)
            #expect(nearest <= 50 && abs(trial.costErrorOfOne) <= 50, "\(trial.line)")
        }
        func spread(_ error: (Trial) -> Int) -> String {
            let sorted = trials.map { abs(error($0)) }.sorted()
            return "median \(sorted[sorted.count / 2]), nine in ten up to \(sorted[sorted.count * 9 / 10]), "
                + "largest \(sorted.last ?? -1)"
        }
        print(
            """
            forecast errors in thousandths over \(trials.count) scenarios of \(trials.reduce(0) { $0 + $1.nights[0].jobs }) jobs
              finish: \(spread(\.finishError)); against a single night: \(spread(\.finishErrorOfOne))
              cost: \(spread(\.costError)); against a single night: \(spread(\.costErrorOfOne))
            """)
        for trial in trials where abs(trial.finishErrorOfOne) > 50 {
            print("  a night that came to the other finish: \(trial.line)")
        }
        print("  two finishes are told of seeds \(trials.filter { $0.earlyErrorOfOne != nil }.map(\.seed).sorted())")
    }
}
