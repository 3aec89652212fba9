import Testing

@testable import OffpeakCore

@Suite struct `The breaker of a key` {
    private static func tripped() -> Breaker {
        var breaker = Breaker()
        for i in 0..<5 { breaker.failed(at: second(Int64(i))) }
        return breaker
    }

    @Test func `five failures in a row open it, four do not`() {
        var breaker = Breaker()
        for i in 0..<4 {
            breaker.failed(at: second(Int64(i)))
            #expect(!breaker.isTripped && breaker.allows(inFlight: 1_000, at: second(9)))
        }
        breaker.failed(at: second(4))
        #expect(breaker.isTripped)
        #expect(breaker.opensAt == second(5))
    }

    @Test func `five in a row among many good answers do not open it`() {
        var breaker = Breaker()
        for _ in 0..<15 { breaker.worked() }
        for _ in 0..<9 { breaker.failed(at: second(0)) }
        #expect(!breaker.isTripped)
        breaker.failed(at: second(0))
        // Ten of the last twenty.
        #expect(breaker.isTripped)
    }

    @Test func `scattered failures below a half never open it`() {
        var breaker = Breaker()
        for i in 0..<2_000 {
            if i % 5 < 2 { breaker.failed(at: second(0)) } else { breaker.worked() }
            #expect(!breaker.isTripped)
        }
    }

    @Test func `while open nothing goes, then one request, and success closes it`() {
        var breaker = Self.tripped()
        #expect(!breaker.allows(inFlight: 0, at: at(4_999)))
        #expect(breaker.allows(inFlight: 0, at: second(5)))
        // What is still in flight from before comes back first.
        #expect(!breaker.allows(inFlight: 1, at: second(5)))
        breaker.sent()
        #expect(!breaker.allows(inFlight: 1, at: second(500)))
        breaker.worked()
        #expect(!breaker.isTripped && breaker.allows(inFlight: 99, at: second(5)))
    }

    @Test func `each failed trial doubles the pause up to a minute`() {
        var breaker = Self.tripped()
        var now = breaker.opensAt
        var pauses: [Int64] = []
        for _ in 0..<9 {
            #expect(breaker.allows(inFlight: 0, at: now))
            breaker.sent()
            breaker.failed(at: now)
            pauses.append((breaker.opensAt - now).milliseconds / 1_000)
            #expect(!breaker.allows(inFlight: 0, at: breaker.opensAt - .milliseconds(1)))
            now = breaker.opensAt
        }
        #expect(pauses == [2, 4, 8, 16, 32, 60, 60, 60, 60])
        breaker.sent()
        breaker.worked()
        for _ in 0..<5 { breaker.failed(at: now) }
        #expect(breaker.opensAt == now + .seconds(1))
    }

    @Test func `a trial that tells nothing may be repeated at once`() {
        var breaker = Self.tripped()
        breaker.sent()
        breaker.inconclusive()
        #expect(breaker.isTripped && breaker.allows(inFlight: 0, at: second(5)))
    }

    @Test func `failures that come in while it is open change nothing`() {
        var breaker = Self.tripped()
        let opens = breaker.opensAt
        for i in 0..<50 { breaker.failed(at: second(Int64(i))) }
        #expect(breaker.opensAt == opens)
    }

    @Test func `a request that tells nothing does not close or open it`() {
        var breaker = Breaker()
        for _ in 0..<4 { breaker.failed(at: second(0)) }
        breaker.inconclusive()
        #expect(!breaker.isTripped)
        breaker.failed(at: second(0))
        #expect(breaker.isTripped)
    }
}
