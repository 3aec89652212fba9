/// A generator that gives the same numbers for the same seed, purpose and number on every machine (SplitMix64).
///
/// Each decision about each request has a generator of its own, so one fault rule more or fewer changes nothing else.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    /// What the numbers are for.
    package enum Purpose: Sendable {
        case latency
        case answer
        /// The fault rule at this place in the profile.
        case fault(Int)
        case requestID
        case tier

        fileprivate var code: UInt64 {
            switch self {
            case .latency: 1
            case .answer: 2
            case .requestID: 3
            case .tier: 4
            case .fault(let index): 16 + UInt64(index)
            }
        }
    }

    private var state: UInt64

    package init(seed: UInt64, purpose: Purpose, number: UInt64) {
        state = mix(mix(seed ^ 0x6F66_6670_6561_6B21) ^ purpose.code &* 0x9E37_79B9_7F4A_7C15) ^ mix(number)
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return mix(state)
    }

    /// A whole number below `bound`, which is positive.
    package mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// In 0..<1, in steps of 2⁻⁵³.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// From the standard normal distribution, nearly: twelve uniform numbers, summed. Made of sums alone, so every
    /// machine gets the same bits; within six deviations, and its 95th percentile is off by less than 0.3 %.
    mutating func normal() -> Double {
        var sum = -6.0
        for _ in 0..<12 { sum += unit() }
        return sum
    }
}

/// Spreads the bits of a number over all of its 64 (the finishing step of SplitMix64).
func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
}

/// 64 bits that stand for a body's content, the same in every process. Not meant to withstand an adversary.
package func contentHash(_ bytes: [UInt8]) -> UInt64 {
    bytes.withUnsafeBytes { buffer in
        var hash = mix(UInt64(buffer.count) ^ 0x5245_4845_4152_5345)
        var at = 0
        while at + 8 <= buffer.count {
            // SAFETY: eight bytes from `at` on are inside the buffer, and the load asks for no alignment.
            let word = UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            let product = (hash ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            hash = product.high ^ product.low &+ word
            at += 8
        }
        var tail: UInt64 = 0
        while at < buffer.count {
            tail = tail << 8 | UInt64(buffer[at])
            at += 1
        }
        return mix(hash ^ mix(tail))
    }
}
