import Testing

@testable import OffpeakCore

@Suite struct `Token forecast` {
    private static func forecast(
        _ answers: Int, seed: UInt64 = 1, bytes: ClosedRange<Int> = 200...4_000,
        _ usage: (Int, inout SeededGenerator) -> Usage
    ) -> TokenForecast {
        var forecast = TokenForecast()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<answers {
            let size = Int.random(in: bytes, using: &generator)
            forecast.learn(bodyBytes: size, usage: usage(size, &generator))
        }
        return forecast
    }

    @Test func `before any answer it takes four bytes for a token, and the whole of what may be answered`() {
        let forecast = TokenForecast()
        #expect(forecast.input(bodyBytes: 4_000) == 1_001)
        #expect(forecast.input(bodyBytes: 0) == 1)
        #expect(forecast.tokens(bodyBytes: 400, maxOutputTokens: 300, endpoint: .chatCompletions) == 401)
        #expect(forecast.tokens(bodyBytes: 400, maxOutputTokens: 0, endpoint: .responses) == 101)
        #expect(forecast.tokens(bodyBytes: 400, maxOutputTokens: nil, endpoint: .completions) == 601)
        #expect(forecast.tokens(bodyBytes: 400, maxOutputTokens: 300, endpoint: .embeddings) == 101)
    }

    @Test func `a maximum that no model reaches says nothing of the answer`() {
        let none = TokenForecast().output(maxOutputTokens: nil, endpoint: .chatCompletions)
        for most in [10_000_000, 30_000_000, 1 << 30, Int.max] {
            #expect(TokenForecast().output(maxOutputTokens: most, endpoint: .chatCompletions) == none)
        }
        #expect(TokenForecast().output(maxOutputTokens: 9_999_999, endpoint: .chatCompletions) == 9_999_999)
    }

    @Test(arguments: [2, 3, 10, 100, 255, 256, 257, 1_000, 5_000])
    func `data on a line is met exactly, from the second answer on`(_ answers: Int) {
        // A prompt of 700 tokens before rows of a byte to a token; up to twice the largest body seen.
        let forecast = Self.forecast(answers, bytes: 40...900) { size, _ in
            Usage(inputTokens: 700 + size, outputTokens: 9)
        }
        for size in stride(from: 0, through: 1_800, by: 17) {
            #expect(forecast.input(bodyBytes: size) == 700 + size)
            #expect(forecast.tokens(bodyBytes: size, maxOutputTokens: 40, endpoint: .chatCompletions) == 709 + size)
        }
    }

    @Test func `bodies of one size are met exactly, whatever their size`() {
        for size in [1, 300, 70_000, 40_000_000] {
            let forecast = Self.forecast(50, bytes: size...size) { _, _ in Usage(inputTokens: 123_456, outputTokens: 1)
            }
            #expect(forecast.input(bodyBytes: size) == 123_456)
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func `on noisy data the forecast is near the truth and rather above it`(_ seed: UInt64) {
        // Between three and five bytes to a token, at random: the truth lies within a quarter of the line.
        let forecast = Self.forecast(300, seed: seed) { size, generator in
            Usage(
                inputTokens: size * 10 / Int.random(in: 30...50, using: &generator),
                outputTokens: Int.random(in: 50...150, using: &generator))
        }
        for size in stride(from: 400, through: 4_000, by: 100) {
            let middle = size * 10 / 39
            let guess = forecast.input(bodyBytes: size)
            #expect(
                guess >= middle * 9 / 10 - 30 && guess <= middle + middle / 2 + 130,
                "\(size) bytes: \(guess), \(rerun("Token forecast", seed: seed))")
        }
        let output =
            forecast.tokens(bodyBytes: 400, maxOutputTokens: nil, endpoint: .chatCompletions)
            - forecast.input(bodyBytes: 400)
        // The mean of 100 and its mean deviation of 25.
        #expect((90...160).contains(output))
    }

    @Test func `output never exceeds what the request allows`() {
        let forecast = Self.forecast(100) { _, _ in Usage(inputTokens: 50, outputTokens: 900) }
        let input = forecast.input(bodyBytes: 1_000)
        #expect(forecast.tokens(bodyBytes: 1_000, maxOutputTokens: 64, endpoint: .chatCompletions) == input + 64)
        #expect(forecast.tokens(bodyBytes: 1_000, maxOutputTokens: nil, endpoint: .chatCompletions) == input + 900)
        #expect(forecast.tokens(bodyBytes: 1_000, maxOutputTokens: nil, endpoint: .embeddings) == input)
    }

    @Test func `old answers fade when the data changes`() {
        var forecast = Self.forecast(1_000) { size, _ in Usage(inputTokens: size / 4, outputTokens: 10) }
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<2_000 {
            let size = Int.random(in: 200...4_000, using: &generator)
            forecast.learn(bodyBytes: size, usage: Usage(inputTokens: size, outputTokens: 200))
        }
        #expect(abs(forecast.input(bodyBytes: 2_000) - 2_000) < 60)
        let output =
            forecast.tokens(bodyBytes: 2_000, maxOutputTokens: nil, endpoint: .responses)
            - forecast.input(bodyBytes: 2_000)
        #expect((195...215).contains(output))
    }

    @Test func `an answer without usage teaches nothing`() {
        var forecast = TokenForecast()
        forecast.learn(bodyBytes: 800, usage: Usage())
        #expect(forecast.input(bodyBytes: 800) == 201)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `no size and no claim of an answer overflows`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let extremes = [1, 2, 65_536, 65_537, 400_000, 5_000_000, 1 << 31, 1 << 40, .max / 2, .max]
        var forecast = TokenForecast()
        for _ in 0..<3_000 {
            let usage = Usage(
                inputTokens: extremes.randomElement(using: &generator)!,
                outputTokens: extremes.randomElement(using: &generator)!)
            forecast.learn(bodyBytes: extremes.randomElement(using: &generator)!, usage: usage)
            let guess = forecast.tokens(
                bodyBytes: extremes.randomElement(using: &generator)!,
                maxOutputTokens: extremes.randomElement(using: &generator)!, endpoint: .chatCompletions)
            #expect(guess >= 1 && guess <= 1 << 31)
        }
        #expect(TokenForecast().tokens(bodyBytes: .max, maxOutputTokens: .max, endpoint: .responses) <= 1 << 31)
    }

    @Test func `long bodies are forecast as exactly as short ones`() {
        // A context of a million tokens, and a few short rows among them.
        var forecast = TokenForecast()
        for i in 0..<400 {
            let size = i % 2 == 0 ? 4_000_000 : 400
            forecast.learn(bodyBytes: size, usage: Usage(inputTokens: size / 4, outputTokens: 7))
        }
        #expect(forecast.input(bodyBytes: 4_000_000) == 1_000_000)
        #expect(forecast.input(bodyBytes: 400) == 100)
        #expect(forecast.input(bodyBytes: 2_000_000) == 500_000)
    }
}
