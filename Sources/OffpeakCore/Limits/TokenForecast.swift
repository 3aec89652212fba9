/// What a flow's jobs will use in tokens, learned from those that came back.
///
/// Input tokens follow a straight line over the body's size (a least-squares fit, so that a fixed prompt in front of
/// each row, or a constant size, is met exactly); output tokens follow their mean. A limit that is filled from exact
/// forecasts is filled completely; forecasts that are too high would leave the last job of each minute to the next.
package struct TokenForecast: Sendable {
    private var count: Int128 = 0
    private var sumX: Int128 = 0
    private var sumY: Int128 = 0
    private var sumXX: Int128 = 0
    private var sumXY: Int128 = 0
    /// Output tokens and their mean absolute deviation, in 1/16 token.
    private var output = 0
    private var outputDeviation = 0
    /// Output tokens of the longest answer of late.
    private var largestOutput = 0
    private var inputDeviation = 0

    /// The guess before any answer: four bytes to a token, as English text has it, and the whole of `max_tokens`.
    package static let bytesPerToken = 4
    /// Output assumed when a request sets no maximum and nothing is known yet.
    static let blindOutput = 500
    /// More tokens than any model takes or gives. Lines and answers may name any number; it only needs to stay one.
    package static let mostTokens = 1 << 30

    /// From so many on, a maximum says nothing: no model answers so much. It stands for several answers of which the request
    /// does not say how long they may be.
    package static let unboundedOutput = 10_000_000

    package init() {}

    /// The maximum, if it says anything of how long the answers will be.
    static func bound(_ maxOutputTokens: Int?) -> Int? {
        maxOutputTokens.flatMap { $0 < unboundedOutput ? $0 : nil }
    }

    /// Tokens that a job will probably use, input and output together.
    package func tokens(bodyBytes: Int, maxOutputTokens: Int?, endpoint: Endpoint) -> Int {
        input(bodyBytes: bodyBytes) + output(maxOutputTokens: maxOutputTokens, endpoint: endpoint)
    }

    /// Input tokens, never less than one.
    package func input(bodyBytes: Int) -> Int {
        guard count > 0 else { return min(bodyBytes / Self.bytesPerToken + 1, Self.mostTokens) }
        return min(max(1, line(at: bodyBytes) + inputDeviation / 16), Self.mostTokens)
    }

    /// The fitted line at a body's size: mean(y) + slope · (x − mean(x)), as one fraction and rounded once.
    private func line(at bodyBytes: Int) -> Int {
        let determinant = count * sumXX - sumX * sumX
        guard determinant != 0 else { return Int(rounded(sumY, count)) }
        let slope = count * sumXY - sumX * sumY
        let x = Int128(min(bodyBytes, Self.largestBody))
        let guess = rounded(sumY * determinant + (count * x - sumX) * slope, count * determinant)
        return Int(min(max(guess, 0), Int128(Self.mostTokens)))
    }

    /// What one more answer may have beyond its forecast, going by those that came. The forecasts of many jobs level out; the
    /// last one that fits a limit has nobody to level it, so this much must be free besides.
    package func headroom(maxOutputTokens: Int?, endpoint: Endpoint) -> Int {
        guard count > 0, endpoint != .embeddings else { return 0 }
        let most = min(maxOutputTokens ?? Self.mostTokens, largestOutput)
        return max(0, most - output(maxOutputTokens: maxOutputTokens, endpoint: endpoint))
    }

    /// Output tokens that an answer will probably have.
    package func output(maxOutputTokens: Int?, endpoint: Endpoint) -> Int {
        if endpoint == .embeddings { return 0 }
        let most = min(maxOutputTokens ?? Self.mostTokens, Self.mostTokens)
        guard count > 0 else { return Self.bound(maxOutputTokens) ?? Self.blindOutput }
        return min((output + outputDeviation + 8) / 16, most)
    }

    /// An answer came with its usage.
    package mutating func learn(bodyBytes: Int, usage: Usage) {
        guard usage.inputTokens > 0 else { return }
        let x = Int128(min(bodyBytes, Self.largestBody))
        let input = min(usage.inputTokens, Self.mostTokens)
        let answer = min(usage.outputTokens, Self.mostTokens) * 16
        largestOutput = max(largestOutput, answer / 16)
        if count == 0 {
            output = answer
        } else {
            // Through bodies of one size goes no line yet: what another size then uses is no deviation from it.
            if count * sumXX != sumX * sumX || count * x == sumX {
                inputDeviation += (abs(input - line(at: bodyBytes)) * 16 - inputDeviation) / 16
            }
            let step = Int(min(count + 1, 32))
            outputDeviation += (abs(answer - output) - outputDeviation) / step
            output += (answer - output) / step
        }
        count += 1
        sumX += x
        sumY += Int128(input)
        sumXX += x * x
        sumXY += x * Int128(input)
        // Halving now and then lets old answers fade.
        if count >= 256 {
            count /= 2
            largestOutput -= largestOutput / 16
            sumX /= 2
            sumY /= 2
            sumXX /= 2
            sumXY /= 2
        }
    }

    /// Keeps every product inside 128 bits: at most 2⁸ answers, bodies of 2³⁰ bytes and 2³⁰ tokens make 2¹¹⁶.
    private static let largestBody = 1 << 30

    private func rounded(_ a: Int128, _ b: Int128) -> Int128 { a >= 0 ? (a + b / 2) / b : -((-a + b / 2) / b) }
}
