/// Stops sending through a key whose provider fails again and again, and tries it with single requests until it works.
package struct Breaker: Sendable {
    private enum Phase: Sendable { case closed, open, halfOpen }
    private var phase = Phase.closed
    /// The latest outcomes, newest in bit 0; 1 = failed.
    private var outcomes: UInt32 = 0
    private var counted = 0
    private var pause = Breaker.firstPause
    /// While open: when the next single request may go.
    package private(set) var opensAt = Timestamp.distantPast
    /// When it last began to be taken not to work.
    package private(set) var trippedAt = Timestamp.distantPast

    static let inARow = 5
    static let remembered = 20
    static let firstPause = Interval.seconds(1)
    static let longestPause = Interval.minutes(1)

    package init() {}

    /// True unless the key is taken to work.
    package var isTripped: Bool { phase != .closed }

    /// How many may be in flight: no bound, or the one that tries.
    package func allows(inFlight: Int, at now: Timestamp) -> Bool {
        switch phase {
        case .closed: true
        case .open: now >= opensAt && inFlight == 0
        case .halfOpen: inFlight == 0
        }
    }

    /// A request is on its way.
    package mutating func sent() { if phase == .open { phase = .halfOpen } }

    /// The provider answered sensibly, whatever it answered.
    package mutating func worked() {
        phase = .closed
        pause = Self.firstPause
        note(failed: false)
    }

    /// The provider failed: no answer, or one that says it is unwell.
    package mutating func failed(at now: Timestamp) {
        note(failed: true)
        switch phase {
        case .halfOpen:
            pause = min(pause * 2, Self.longestPause)
            open(at: now)
        case .closed:
            let row: UInt32 = (1 << UInt32(Self.inARow)) - 1
            let failures = (outcomes & ((1 << UInt32(Self.remembered)) - 1)).nonzeroBitCount
            if outcomes & row == row && failures * 2 >= min(counted, Self.remembered) { open(at: now) }
        case .open: break
        }
    }

    /// The request that was to show whether it works again ended without telling.
    package mutating func inconclusive() { if phase == .halfOpen { phase = .open } }

    private mutating func open(at now: Timestamp) {
        if phase == .closed { trippedAt = now }
        phase = .open
        opensAt = now + pause
    }

    private mutating func note(failed: Bool) {
        outcomes = outcomes << 1 | (failed ? 1 : 0)
        counted += 1
    }
}
