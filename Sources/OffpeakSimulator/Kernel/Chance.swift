import OffpeakCore

/// Draws for one purpose. Each purpose has its own, so that one more draw here does not change everything there.
struct Chance {
    private var generator: SeededGenerator

    init(seed: UInt64, purpose: UInt64) {
        // Through the generator once, so that neighbouring seeds have nothing in common.
        var mixer = SeededGenerator(seed: seed &* 0x9E37_79B9 &+ purpose)
        generator = SeededGenerator(seed: mixer.next())
    }

    mutating func word() -> UInt64 { generator.next() }

    mutating func below(_ n: Int) -> Int { n <= 1 ? 0 : Int(generator.next() % UInt64(n)) }

    mutating func within(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(generator.next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(generator.next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    /// True so many times in a thousand.
    mutating func perMille(_ n: Int) -> Bool { n > 0 && below(1_000) < n }

    mutating func percent(_ n: Int) -> Bool { perMille(n * 10) }

    mutating func one<Element>(of elements: [Element]) -> Element { elements[below(elements.count)] }
}
