/// How many requests a key may have in flight: the configured number, or one that finds itself.
///
/// Without a configured number it grows with each answer as long as answers do not get slower, and shrinks when the
/// provider shows distress (the rule of TCP and of Netflix's concurrency limits).
package struct ConcurrencyWindow: Sendable {
    private let configured: Int?
    /// A key whose limits are all unknown starts carefully: what is in flight when the unknown limit is met is refused.
    private let isCareful: Bool
    private var window: Int
    private var answers = 0
    /// Answers since the mean time was last measured anew, and how many that takes: two rounds, since the first answers of a
    /// burst are its quickest and not what is normal.
    private var measured = 0
    private var round: Int
    /// Half-answers owed to the next step of growth.
    private var growth = 0
    /// Mean answer time in µs: while small, and now.
    private var baseline = 0
    private var recent = 0

    package static let largest = 4_096
    static let carefulCap = 20
    static let carefulAnswers = 200

    package init(configured: Int?, isCareful: Bool) {
        self.configured = configured
        self.isCareful = isCareful
        window = configured ?? (isCareful ? 8 : 64)
        round = Self.round(of: window)
    }

    /// Requests that may be in flight now.
    package var allowed: Int {
        if let configured { return configured }
        if isCareful && answers < Self.carefulAnswers { return min(window, Self.carefulCap) }
        return window
    }

    /// It has not yet met what the server bears.
    package var isGrowing: Bool { configured == nil && window < Self.largest && !isSlowed }

    /// Answers take half as long again as when there were few: the server only queues what more it gets.
    private var isSlowed: Bool { measured > round && recent * 2 > baseline * 3 + 20_000 }

    /// A good answer came; `wasFull` tells whether the window was in use entirely when it did.
    package mutating func answered(after latency: Interval, wasFull: Bool) {
        guard configured == nil else { return }
        answers += 1
        measured += 1
        let sample = Int(latency.milliseconds) * 1_000
        recent += (sample - recent) / min(measured, 64)
        if measured == round { baseline = recent }
        if measured > round { baseline = min(baseline, recent) }
        guard wasFull, window < Self.largest, !isSlowed else { return }
        growth += 1
        if growth >= 2 {
            growth = 0
            window += 1
        }
    }

    /// The provider showed distress; call once per round of answers. What is normal is measured anew, now that fewer are in
    /// flight: else a few failures would keep the window small for ever, if it was too quick before.
    package mutating func shrink() {
        guard configured == nil else { return }
        window = max(1, window * 7 / 10)
        (measured, round) = (0, Self.round(of: window))
    }

    private static func round(of window: Int) -> Int { 2 * min(max(16, window), 256) }
}
