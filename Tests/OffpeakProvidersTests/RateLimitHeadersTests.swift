import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct RateLimitHeadersTests {
    typealias Dimension = RateFeedback.Dimension

    @Test func `OpenAI's Go durations`() {
        let read = RateLimitHeaders([
            ("x-ratelimit-limit-requests", "500"), ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-reset-requests", "120ms"), ("x-ratelimit-limit-tokens", "200000"),
            ("x-ratelimit-remaining-tokens", "199000"), ("x-ratelimit-reset-tokens", "6m0s"),
        ])
        #expect(read.feedback.requests == Dimension(limit: 500, remaining: 499, reset: .ms(120)))
        #expect(read.feedback.tokens == Dimension(limit: 200_000, remaining: 199_000, reset: .minutes(6)))
        #expect(!read.feedback.requestsArePerDay)
        #expect(read.retryAfter == nil)
        #expect(read.exhaustedUntil == nil)
    }

    @Test func `Azure's plain seconds and retry-after-ms before retry-after`() {
        let read = RateLimitHeaders([
            ("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "10"), ("retry-after", "11"),
            ("retry-after-ms", "10250"),
        ])
        #expect(read.feedback.requests == Dimension(remaining: 0, reset: .seconds(10)))
        #expect(read.retryAfter == .ms(10_250))
        #expect(read.exhaustedUntil == .seconds(10))
    }

    @Test func `Groq's requests count per day`() {
        let read = RateLimitHeaders(
            [
                ("x-ratelimit-limit-requests", "14400"), ("x-ratelimit-remaining-requests", "14370"),
                ("x-ratelimit-reset-requests", "2m59.56s"), ("x-ratelimit-limit-tokens", "18000"),
                ("x-ratelimit-remaining-tokens", "17997"), ("x-ratelimit-reset-tokens", "7.66s"),
            ], requestsArePerDay: true)
        #expect(read.feedback.requestsArePerDay)
        #expect(read.feedback.requests == Dimension(limit: 14_400, remaining: 14_370, reset: .ms(179_560)))
        #expect(read.feedback.tokens.reset == .ms(7_660))
    }

    @Test func `Anthropic's moments count from its own clock, and the tightest group counts`() {
        let read = RateLimitHeaders([
            ("date", "Sun, 04 Oct 2026 12:00:00 GMT"), ("anthropic-ratelimit-requests-limit", "1000"),
            ("anthropic-ratelimit-requests-remaining", "998"),
            ("anthropic-ratelimit-requests-reset", "2026-10-04T12:00:01Z"),
            ("anthropic-ratelimit-input-tokens-limit", "2000000"),
            ("anthropic-ratelimit-input-tokens-remaining", "1990000"),
            ("anthropic-ratelimit-output-tokens-limit", "400000"),
            ("anthropic-ratelimit-output-tokens-remaining", "12000"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-10-04T12:00:59Z"), ("retry-after", "3"),
        ])
        #expect(read.feedback.requests == Dimension(limit: 1_000, remaining: 998, reset: .seconds(1)))
        #expect(read.feedback.tokens == Dimension(limit: 400_000, remaining: 12_000, reset: .seconds(59)))
        #expect(read.retryAfter == .seconds(3))
    }

    @Test func `Mistral's, Together's, Fireworks' and Cerebras' names`() {
        let mistral = RateLimitHeaders([
            ("x-ratelimit-limit-req-minute", "60"), ("x-ratelimit-remaining-req-minute", "59"),
            ("x-ratelimit-limit-tokens-minute", "500000"), ("x-ratelimit-remaining-tokens-minute", "499000"),
            ("x-ratelimit-tokens-query-cost", "900"),
        ])
        #expect(mistral.feedback.requests == Dimension(limit: 60, remaining: 59))
        #expect(mistral.feedback.tokens == Dimension(limit: 500_000, remaining: 499_000))

        let together = RateLimitHeaders([
            ("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "9"), ("x-ratelimit-reset", "1"),
            ("x-tokenlimit-limit", "3000"), ("x-tokenlimit-remaining", "2500"), ("x-tokenlimit-reset", "0.5"),
        ])
        #expect(together.feedback.requests == Dimension(limit: 10, remaining: 9, reset: .seconds(1)))
        #expect(together.feedback.tokens == Dimension(limit: 3_000, remaining: 2_500, reset: .ms(500)))

        let fireworks = RateLimitHeaders([
            ("X-Ratelimit-Limit-Tokens-Prompt", "3600000"), ("X-Ratelimit-Remaining-Tokens-Prompt", "3500000"),
            ("X-Ratelimit-Limit-Tokens-Generated", "36000"), ("X-Ratelimit-Remaining-Tokens-Generated", "35000"),
        ])
        #expect(fireworks.feedback.tokens == Dimension(limit: 36_000, remaining: 35_000))

        let cerebras = RateLimitHeaders([
            ("x-ratelimit-limit-requests-day", "14400"), ("x-ratelimit-remaining-requests-day", "14399"),
            ("x-ratelimit-reset-requests-day", "33011.382867"), ("x-ratelimit-limit-tokens-minute", "60000"),
        ])
        #expect(cerebras.feedback.requestsArePerDay)
        #expect(cerebras.feedback.requests.reset == .ms(33_011_382))
        #expect(cerebras.feedback.tokens == Dimension(limit: 60_000))
    }

    @Test func `OpenRouter's epoch in milliseconds and the IETF draft's list`() {
        let openRouter = RateLimitHeaders([
            ("date", "Sun, 04 Oct 2026 12:00:00 GMT"), ("x-ratelimit-limit", "20"), ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1791115260000"),
        ])
        #expect(openRouter.feedback.requests == Dimension(limit: 20, remaining: 0, reset: .minutes(1)))
        #expect(openRouter.exhaustedUntil == .minutes(1))
        let draft = RateLimitHeaders([("ratelimit-limit", "100, 100;w=60"), ("ratelimit-remaining", "50")])
        #expect(draft.feedback.requests == Dimension(limit: 100, remaining: 50))
    }

    @Test func `a project's own limit is the one that refuses first`() {
        let read = RateLimitHeaders([
            ("x-ratelimit-limit-tokens", "200000"), ("x-ratelimit-remaining-tokens", "150000"),
            ("x-ratelimit-limit-project-tokens", "20000"), ("x-ratelimit-remaining-project-tokens", "100"),
        ])
        #expect(read.feedback.tokens == Dimension(limit: 20_000, remaining: 100))
    }

    @Test(arguments: ["", "-1", "many", "unlimited", "12abc", "0x7", "1e9", "∞"])
    func `an unreadable count is absent and never zero`(_ value: String) {
        let read = RateLimitHeaders([
            ("x-ratelimit-limit-requests", value), ("x-ratelimit-remaining-requests", value),
            ("x-ratelimit-reset-requests", value), ("retry-after", value), ("retry-after-ms", value),
        ])
        #expect(read.feedback == RateFeedback())
        #expect(read.retryAfter == nil)
        #expect(!read.limitIsZero)
    }

    @Test func `a limit of zero is told apart from nothing left`() {
        #expect(RateLimitHeaders([("x-ratelimit-limit-req-minute", "0")]).limitIsZero)
        #expect(!RateLimitHeaders([("x-ratelimit-remaining-req-minute", "0")]).limitIsZero)
    }

    @Test func `the first of a repeated header counts and names are in any case`() {
        let read = RateLimitHeaders([("Retry-After", "5"), ("RETRY-AFTER", "50")])
        #expect(read.retryAfter == .seconds(5))
    }

    @Test func `a wait of months is held at a month`() {
        #expect(RateLimitHeaders([("retry-after", "9000000")]).retryAfter == .days(31))
    }
}
