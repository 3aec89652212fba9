import OffpeakCore

/// Random values of one purpose, from a seed.
struct Chance {
    private var generator: SeededGenerator

    init(seed: UInt64, purpose: UInt64) {
        generator = SeededGenerator(seed: seed &* 0x9E37_79B9_7F4A_7C15 ^ purpose &* 0xD1B5_4A32_D192_ED03)
        _ = generator.next()
    }

    mutating func within(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    mutating func percent(_ share: Int) -> Bool { within(0...99) < share }
    mutating func perMille(_ share: Int) -> Bool { within(0...999) < share }
    mutating func pick<Value>(_ values: [Value]) -> Value { values[within(0...values.count - 1)] }

    /// Around `mean`, skewed to the right: most are smaller, some much larger. `spread` in percent of the mean is about the
    /// standard deviation.
    mutating func skewed(mean: Int, spread: Int) -> Int {
        // The mean of four squares of evenly drawn numbers is skewed, and its standard deviation is known.
        let draws = (0..<4).map { _ in within(0...1_000) }
        let sum = draws.reduce(0) { $0 + $1 * $1 / 1_000 }
        // Mean 1,333, standard deviation 596 of `sum`.
        let deviation = (sum - 1_333) * 1_000 / 596
        return max(1, mean + mean * spread * deviation / 100_000)
    }
}
