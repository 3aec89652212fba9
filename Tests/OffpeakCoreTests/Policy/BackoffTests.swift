import OffpeakCore
import Testing

@Suite struct `Waiting between tries` {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `waits lie between the base and the cap, and grow no faster than threefold`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let base = Interval.milliseconds(Int64.random(in: 1...5_000, using: &generator))
            let cap = base + .milliseconds(Int64.random(in: 0...200_000, using: &generator))
            var previous: Interval?
            for _ in 0..<30 {
                let wait = Backoff.next(base: base, cap: cap, previous: previous, atLeast: nil, using: &generator)
                let most = min(cap, (previous ?? base) * 3)
                #expect(wait >= base && wait <= most, "\(rerun("Waiting between tries", seed: seed))")
                previous = wait
            }
        }
    }

    @Test func `waits are spread over their range and reach the cap's third in the long run`() {
        var generator = SeededGenerator(seed: 11)
        var lastWaits: [Int64] = []
        for _ in 0..<400 {
            var previous: Interval?
            for _ in 0..<12 {
                previous = Backoff.next(
                    base: .seconds(1), cap: .minutes(2), previous: previous, atLeast: nil, using: &generator)
            }
            lastWaits.append(previous!.milliseconds)
        }
        // No two of 400 jobs that failed together come back in the same hundredth of a second more than by chance.
        #expect(Set(lastWaits.map { $0 / 10 }).count > 350)
        #expect(lastWaits.max()! > 100_000)
        #expect(lastWaits.min()! >= 1_000)
        let mean = lastWaits.reduce(0, +) / 400
        #expect((20_000...70_000).contains(mean))
    }

    @Test func `never before the moment that the provider asked for, and at most a tenth after`() {
        var generator = SeededGenerator(seed: 5)
        for asked in [0, 1, 999, 1_000, 20_000, 3_600_000, 86_400_000] as [Int64] {
            var waits: Set<Int64> = []
            for _ in 0..<200 {
                let wait = Backoff.next(
                    base: .milliseconds(10), cap: .milliseconds(40), previous: nil, atLeast: .milliseconds(asked),
                    using: &generator)
                #expect(wait.milliseconds >= max(asked, 10))
                #expect(wait.milliseconds <= max(30, asked + asked / 10 + 1))
                waits.insert(wait.milliseconds)
            }
            #expect(waits.count > 1)
        }
    }

    @Test func `a base above the cap and a wait in the past are no reason to stop the run`() {
        var generator = SeededGenerator(seed: 5)
        let capped = Backoff.next(
            base: .seconds(9), cap: .seconds(4), previous: nil, atLeast: nil, using: &generator)
        #expect(capped == .seconds(4))
        let past = Backoff.next(
            base: .seconds(1), cap: .seconds(2), previous: nil, atLeast: .seconds(-500), using: &generator)
        #expect((Interval.seconds(1)...(.seconds(2))).contains(past))
    }

    @Test func `the same seed gives the same waits`() {
        func waits(_ seed: UInt64) -> [Int64] {
            var generator = SeededGenerator(seed: seed)
            return (0..<50).map { _ in
                Backoff.next(
                    base: .seconds(1), cap: .hours(1), previous: .seconds(600), atLeast: nil, using: &generator
                )
                .milliseconds
            }
        }
        #expect(waits(3) == waits(3))
        #expect(waits(3) != waits(4))
    }

    @Test func `the generator gives the published sequence of SplitMix64`() {
        // The first values for the seed 1234567, as the algorithm's reference implementation prints them.
        var generator = SeededGenerator(seed: 1_234_567)
        let values = (0..<5).map { _ in generator.next() }
        #expect(
            values == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }
}
