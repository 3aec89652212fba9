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
    private var isSlowed: Bool { answers > 32 && recent * 2 > baseline * 3 + 20_000 }

    /// A good answer came; `wasFull` tells whether the window was in use entirely when it did.
    package mutating func answered(after latency: Interval, wasFull: Bool) {
        guard configured == nil else { return }
        answers += 1
        let sample = Int(latency.milliseconds) * 1_000
        recent += (sample - recent) / min(answers, 64)
        if answers == 32 { baseline = recent }
        if answers > 32 { baseline = min(baseline, recent) }
        guard wasFull, window < Self.largest, !isSlowed else { return }
        growth += 1
        if growth >= 2 {
            growth = 0
            window += 1
        }
    }

    /// The provider showed distress; call once per round of answers.
    package mutating func shrink() {
        guard configured == nil else { return }
        window = max(1, window * 7 / 10)
    }
}
