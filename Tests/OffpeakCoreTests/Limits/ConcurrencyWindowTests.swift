import Testing

@testable import OffpeakCore

@Suite struct `Concurrency window` {
    private static func window(after answers: Int, latency: Interval, careful: Bool = false) -> ConcurrencyWindow {
        var window = ConcurrencyWindow(configured: nil, isCareful: careful)
        for _ in 0..<answers { window.answered(after: latency, wasFull: true) }
        return window
    }

    @Test func `a configured number never moves`() {
        var window = ConcurrencyWindow(configured: 7, isCareful: true)
        for i in 0..<500 {
            window.answered(after: .milliseconds(Int64(i)), wasFull: true)
            if i % 3 == 0 { window.shrink() }
            #expect(window.allowed == 7)
        }
    }

    @Test func `it starts at 64, or at 8 where nothing is known of the key`() {
        #expect(ConcurrencyWindow(configured: nil, isCareful: false).allowed == 64)
        #expect(ConcurrencyWindow(configured: nil, isCareful: true).allowed == 8)
    }

    @Test func `it grows by one for every two answers while full and no slower`() {
        #expect(Self.window(after: 200, latency: .milliseconds(400)).allowed == 164)
    }

    @Test func `it does not grow while it is not in use entirely`() {
        var window = ConcurrencyWindow(configured: nil, isCareful: false)
        for _ in 0..<1_000 { window.answered(after: .milliseconds(400), wasFull: false) }
        #expect(window.allowed == 64)
    }

    @Test func `a careful key stays at 20 until 200 answers have come`() {
        var window = ConcurrencyWindow(configured: nil, isCareful: true)
        var largest = 0
        for answer in 1...199 {
            window.answered(after: .milliseconds(100), wasFull: true)
            largest = max(largest, window.allowed)
            #expect(window.allowed <= 20, "after \(answer) answers")
        }
        #expect(largest == 20)
        window.answered(after: .milliseconds(100), wasFull: true)
        #expect(window.allowed > 20)
    }

    @Test func `it stops growing when answers get half as slow again`() {
        var window = Self.window(after: 200, latency: .milliseconds(400))
        for _ in 0..<300 { window.answered(after: .milliseconds(2_000), wasFull: true) }
        let settled = window.allowed
        for _ in 0..<2_000 { window.answered(after: .milliseconds(2_000), wasFull: true) }
        #expect(window.allowed == settled)
        // Answers as fast as before: it goes on.
        for _ in 0..<600 { window.answered(after: .milliseconds(400), wasFull: true) }
        #expect(window.allowed > settled)
    }

    @Test func `distress takes three tenths off, down to one`() {
        var window = ConcurrencyWindow(configured: nil, isCareful: false)
        var sizes: [Int] = []
        for _ in 0..<14 {
            window.shrink()
            sizes.append(window.allowed)
        }
        #expect(sizes == [44, 30, 21, 14, 9, 6, 4, 2, 1, 1, 1, 1, 1, 1])
    }

    @Test func `the quickest answers of the first burst are not taken for what is normal`() {
        var window = ConcurrencyWindow(configured: nil, isCareful: false)
        // Of a burst the quick ones come first; after it answers take 6 s.
        for answer in 0..<64 { window.answered(after: .milliseconds(Int64(2_000 + 125 * answer)), wasFull: true) }
        let burst = window.allowed
        for _ in 0..<1_000 { window.answered(after: .seconds(6), wasFull: true) }
        #expect(window.allowed > burst + 100)
    }

    @Test func `a failure now and then does not keep it small for ever`() {
        var window = ConcurrencyWindow(configured: nil, isCareful: false)
        for answer in 0..<64 { window.answered(after: .milliseconds(Int64(2_000 + 125 * answer)), wasFull: true) }
        for answer in 1...4_000 {
            // Not in use entirely as long as it is large.
            window.answered(after: .seconds(6), wasFull: window.allowed <= 10)
            if answer % 100 == 0 { window.shrink() }
        }
        #expect(window.allowed >= 6)
    }

    @Test func `it never passes its largest size`() {
        #expect(Self.window(after: 20_000, latency: .milliseconds(1)).allowed == ConcurrencyWindow.largest)
    }
}
