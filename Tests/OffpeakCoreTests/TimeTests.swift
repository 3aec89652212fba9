import OffpeakCore
import Testing

@Suite struct `Timestamps and intervals` {
    @Test func `units are what they say`() {
        #expect(Interval.seconds(1).milliseconds == 1_000)
        #expect(Interval.minutes(1) == .seconds(60))
        #expect(Interval.hours(1) == .minutes(60))
        #expect(Interval.days(1) == .hours(24))
        #expect(Interval.zero.milliseconds == 0)
    }

    @Test func `arithmetic goes there and back`() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<1_000 {
            let a = Timestamp(milliseconds: Int64.random(in: -1 << 50...1 << 50, using: &generator))
            let b = Interval(milliseconds: Int64.random(in: -1 << 50...1 << 50, using: &generator))
            #expect((a + b) - b == a)
            #expect((a + b) - a == b)
            #expect((a < a + b) == (b > .zero))
            #expect(b + b == b * 2 && b - b == .zero)
        }
    }

    @Test func `the far past and future leave room for reckoning on both sides`() {
        let year = Interval.days(366)
        #expect(Timestamp.distantPast + year > .distantPast && Timestamp.distantPast - year * 100 < .distantPast)
        #expect(Timestamp.distantFuture + year * 100 > .distantFuture)
        let gap = Timestamp.distantFuture - .distantPast
        #expect(gap > year * 1_000_000)
        #expect(at(0) > .distantPast && at(0) < .distantFuture)
    }

    @Test func `usage adds up, and cached tokens are part of the input`() {
        let sum =
            Usage(inputTokens: 10, cachedTokens: 4, outputTokens: 3)
            + Usage(inputTokens: 1, cachedTokens: 1, outputTokens: 2)
        #expect(sum == Usage(inputTokens: 11, cachedTokens: 5, outputTokens: 5))
        #expect(sum.totalTokens == 16)
    }

    @Test func `endpoints are read from their paths and nothing else`() {
        for endpoint in Endpoint.allCases { #expect(Endpoint(path: endpoint.path) == endpoint) }
        for path in ["", "/", "/v1/chat/completions/", "v1/embeddings", "/V1/responses", "/v1/completions?x"] {
            #expect(Endpoint(path: path) == nil)
        }
    }
}
