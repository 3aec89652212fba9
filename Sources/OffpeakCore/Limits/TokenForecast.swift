/// What a flow's jobs will use in tokens, learned from those that came back.
///
/// Input tokens follow a straight line over the body's size (a least-squares fit, so that a fixed prompt in front of
/// each row, or a constant size, is met exactly); output tokens follow their mean. A limit that is filled from exact
/// forecasts is filled completely; forecasts that are too high would leave the last job of each minute to the next.
package struct TokenForecast: Sendable {
    private var count = 0
    private var sumX = 0
    private var sumY = 0
    private var sumXX = 0
    private var sumXY = 0
    /// Output tokens and their mean absolute deviation, in 1/16 token.
    private var output = 0
    private var outputDeviation = 0
    private var inputDeviation = 0

    /// The guess before any answer: four bytes to a token, as English text has it, and the whole of `max_tokens`.
    static let bytesPerToken = 4
    /// Output assumed when a request sets no maximum and nothing is known yet.
    static let blindOutput = 500

    package init() {}

    /// Tokens that a job will probably use, input and output together.
    package func tokens(bodyBytes: Int, maxOutputTokens: Int?, endpoint: Endpoint) -> Int {
        input(bodyBytes: bodyBytes) + expectedOutput(maxOutputTokens: maxOutputTokens, endpoint: endpoint)
    }

    /// Input tokens, never less than one.
    package func input(bodyBytes: Int) -> Int {
        guard count > 0 else { return bodyBytes / Self.bytesPerToken + 1 }
        let determinant = count * sumXX - sumX * sumX
        let guess: Int
        if determinant == 0 {
            guess = rounded(sumY, count)
        } else {
            let slope = count * sumXY - sumX * sumY
            // The line at x: mean(y) + slope/determinant · (x − mean(x)), kept in integers by a common denominator.
            let x = min(bodyBytes, Self.largestBody)
            guess = rounded(sumY, count) + rounded((count * x - sumX) / count * slope, determinant)
        }
        return max(1, guess + inputDeviation / 16)
    }

    private func expectedOutput(maxOutputTokens: Int?, endpoint: Endpoint) -> Int {
        if endpoint == .embeddings { return 0 }
        guard count > 0 else { return maxOutputTokens ?? Self.blindOutput }
        let guess = rounded(output + outputDeviation, 16)
        return min(guess, maxOutputTokens ?? guess)
    }

    /// An answer came with its usage.
    package mutating func learn(bodyBytes: Int, usage: Usage) {
        guard usage.inputTokens > 0 else { return }
        let x = min(bodyBytes, Self.largestBody)
        if count == 0 {
            output = usage.outputTokens * 16
        } else {
            let off = abs(usage.inputTokens - (input(bodyBytes: bodyBytes) - inputDeviation / 16))
            inputDeviation += (off * 16 - inputDeviation) / 16
            let step = min(count + 1, 32)
            outputDeviation += (abs(usage.outputTokens * 16 - output) - outputDeviation) / step
            output += (usage.outputTokens * 16 - output) / step
        }
        count += 1
        sumX += x
        sumY += usage.inputTokens
        sumXX += x * x
        sumXY += x * usage.inputTokens
        // Halving now and then lets old answers fade.
        if count >= 256 {
            count /= 2
            sumX /= 2
            sumY /= 2
            sumXX /= 2
            sumXY /= 2
        }
    }

    /// Keeps every product inside 64 bits: 64 Ki · 256² · 64 Ki · 16 Ki tokens < 2⁶³.
    private static let largestBody = 65_536

    private func rounded(_ a: Int, _ b: Int) -> Int { a >= 0 ? (a + b / 2) / b : -((-a + b / 2) / b) }
}
