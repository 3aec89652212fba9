/// How long answers take, in microseconds.
package enum Latency: Sendable, Equatable {
    case fixed(Int64)
    case range(min: Int64, max: Int64)
    /// Log-normal: half of all answers within `median`, 95 % within `p95`.
    case logNormal(median: Int64, p95: Int64)

    /// One latency.
    package func sample(using random: inout SeededRandom) -> Int64 {
        switch self {
        case .fixed(let time): return time
        case .range(let min, let max): return min + Int64(random.below(Int(max - min) + 1))
        case .logNormal(let median, let p95):
            // The 95th percentile lies 1.6449 deviations above the middle.
            let ratio = Double(p95) / Double(median)
            return Int64(Double(median) * power(ratio, random.normal() / 1.644_853_6))
        }
    }
}

/// `base` to the power of `exponent`, for a positive base, from square roots: the standard library has no logarithm, and
/// the C library's differs from machine to machine.
func power(_ base: Double, _ exponent: Double) -> Double {
    var result = 1.0
    let whole = Int(exponent.magnitude)
    for _ in 0..<whole { result *= base }
    var rest = exponent.magnitude - Double(whole)
    var root = base
    for _ in 0..<40 {
        root = root.squareRoot()
        rest *= 2
        if rest >= 1 {
            result *= root
            rest -= 1
        }
    }
    return exponent < 0 ? 1 / result : result
}
