import OffpeakCore

/// The answers that the jobs of one place get in a forecast: those of the past, in a mixed order, again and again. So a
/// forecast has their lengths, times and failures in the very shares in which they came.
struct AnswerDeck: Sendable {
    /// Where its answers are from.
    enum Source: Sendable {
        case same, otherKeys, sameClass, nothing
    }

    let place: AnswerHistory.Place
    let source: Source
    private let samples: [AnswerSample]
    private let line: InputLine
    /// What each sample's input was beyond the line.
    private let residuals: [Int]
    /// Failed attempts that were left out.
    let outages: Int
    private var next = 0
    /// Attempts that it has answered.
    private(set) var drawn = 0
    /// Answers that there are, though too few to go by.
    private let few: Int

    /// Assumed where nothing is known: output tokens of an answer whose request allows more, and what it takes.
    static let blindOutput = 200
    static let blindWait = Interval.seconds(1)
    static let blindWaitPerToken: Int64 = 10

    init(place: AnswerHistory.Place, source: Source, samples: [AnswerSample], outages: Int, few: Int = 0) {
        self.few = few
        self.place = place
        self.source = source
        self.outages = outages
        var generator = SeededGenerator(seed: 1)
        let mixed = samples.shuffled(using: &generator)
        let line = InputLine(mixed)
        self.samples = mixed
        self.line = line
        residuals = mixed.map { $0.failure == nil ? $0.usage.inputTokens - line.tokens(bodyBytes: $0.bodyBytes) : 0 }
    }

    /// A provider that failed a fifth of all attempts was down, and is taken to be up again.
    static func withoutOutages(_ samples: [AnswerSample]) -> [AnswerSample] {
        let failed = samples.count { $0.failure.map(isProviders) ?? false }
        guard failed * 5 > samples.count else { return samples }
        return samples.filter { $0.failure.map { !isProviders($0) } ?? true }
    }

    private static func isProviders(_ failure: FailureClass) -> Bool {
        failure == .overloaded || failure == .unavailable || failure == .timedOut
    }

    // MARK: Answering

    /// Which of its answers the next attempt gets, and after what time.
    mutating func draw(_ ticket: JobTicket) -> (after: Interval, sample: Int) {
        drawn += 1
        guard !samples.isEmpty else {
            return (Self.blindWait + .milliseconds(Int64(blindOutput(ticket)) * Self.blindWaitPerToken), 0)
        }
        let sample = next
        next = next + 1 == samples.count ? 0 : next + 1
        return (samples[sample].duration, sample)
    }

    /// What an attempt brings that has drawn an answer.
    func report(_ number: Int, _ ticket: JobTicket) -> AttemptReport {
        guard !samples.isEmpty else {
            let input = TokenForecast().input(bodyBytes: ticket.bodyBytes)
            return Self.answered(Usage(inputTokens: input, outputTokens: blindOutput(ticket)))
        }
        let sample = samples[number]
        if let failure = sample.failure { return Self.failed(failure, sample) }
        let input = max(1, line.tokens(bodyBytes: ticket.bodyBytes) + residuals[number])
        let output = min(sample.usage.outputTokens, ticket.maxOutputTokens ?? .max)
        func share(_ part: Int, of whole: Int, in all: Int) -> Int { whole > 0 ? all * part / whole : 0 }
        return Self.answered(
            Usage(
                inputTokens: input,
                cachedTokens: share(sample.usage.cachedTokens, of: sample.usage.inputTokens, in: input),
                cacheWriteTokens: share(sample.usage.cacheWriteTokens, of: sample.usage.inputTokens, in: input),
                outputTokens: output,
                reasoningTokens: share(sample.usage.reasoningTokens, of: sample.usage.outputTokens, in: output)))
    }

    private func blindOutput(_ ticket: JobTicket) -> Int {
        place.endpoint == .embeddings ? 0 : min(Self.blindOutput, ticket.maxOutputTokens ?? .max)
    }

    private static func answered(_ usage: Usage) -> AttemptReport {
        AttemptReport(
            outcome: .success(Answer(statusCode: 200, requestID: "", body: [], usage: usage)), usageReported: true)
    }

    private static func failed(_ failureClass: FailureClass, _ sample: AnswerSample) -> AttemptReport {
        let failure = Failure(
            failureClass, code: failureClass.rawValue, message: "as it has happened before",
            statusCode: sample.statusCode, usage: sample.usage)
        return AttemptReport(outcome: .failure(failure), usageReported: sample.usage.totalTokens > 0)
    }

    // MARK: Telling

    /// Nothing is known: what it answers is assumed.
    var isGuess: Bool { samples.isEmpty }

    /// The mean time of an attempt.
    var duration: Interval {
        guard !samples.isEmpty else { return Self.blindWait + .milliseconds(Int64(Self.blindOutput) * 10) }
        return .milliseconds(samples.reduce(0) { $0 + $1.duration.milliseconds } / Int64(samples.count))
    }

    /// What is taken for granted of them.
    var assumption: String {
        guard !samples.isEmpty else {
            let past =
                few == 0
                ? "no answers to learn from yet"
                : "only \(few) \(few == 1 ? "answer" : "answers") to learn from yet, and fewer than \(AnswerHistory.enough) say "
                    + "too little"
            if place.endpoint == .embeddings {
                return
                    "\(past); \(TokenForecast.bytesPerToken) bytes to an input token and "
                    + "\(Self.blindWait.milliseconds) ms an answer are assumed"
            }
            return "\(past); \(TokenForecast.bytesPerToken) bytes to an input token, "
                + "\(Self.blindOutput) output tokens an answer, or its max_tokens if that is less, and "
                + "\(Self.blindWait.milliseconds) ms and \(Self.blindWaitPerToken) ms more for each output token are assumed"
        }
        let answers = samples.filter { $0.failure == nil }
        let output = answers.reduce(0) { $0 + $1.usage.outputTokens } / max(1, answers.count)
        let input = answers.reduce(0) { $0 + $1.usage.inputTokens } / max(1, answers.count)
        var text = "answers as the last \(answers.count)"
        switch source {
        case .otherKeys: text += " of this class and model on other keys"
        case .sameClass: text += " of this class with other models"
        case .same, .nothing: break
        }
        text += ", on average \(input) input tokens, \(output) output tokens and \(duration.milliseconds) ms an attempt"
        if answers.count < samples.count {
            text += "; \(samples.count - answers.count) of \(samples.count) attempts fail as they did"
        }
        if outages > 0 { text += "; \(outages) failures of a provider that was down are taken to be over" }
        return text
    }
}

/// Input tokens as a straight line over the body's size: the best fit through some answers.
struct InputLine: Sendable {
    private var count: Int128 = 0
    private var sumX: Int128 = 0
    private var sumY: Int128 = 0
    private var sumXX: Int128 = 0
    private var sumXY: Int128 = 0

    init(_ samples: [AnswerSample]) {
        for sample in samples where sample.failure == nil {
            // Answers may claim any number; it only needs to stay one.
            let (x, y) = (Int128(min(sample.bodyBytes, 1 << 30)), Int128(min(sample.usage.inputTokens, 1 << 30)))
            count += 1
            sumX += x
            sumY += y
            sumXX += x * x
            sumXY += x * y
        }
    }

    /// The line's tokens at a body's size, never less than one.
    func tokens(bodyBytes: Int) -> Int {
        guard count > 0 else { return 1 }
        let x = Int128(bodyBytes)
        let spread = count * sumXX - sumX * sumX
        // Through bodies of one size goes no line of its own: then tokens are taken to grow with the bytes.
        let exact =
            spread == 0
            ? (sumX == 0 ? sumY / count : sumY * x / sumX)
            : (sumY * spread + (count * x - sumX) * (count * sumXY - sumX * sumY)) / (count * spread)
        return Int(clamping: max(1, exact))
    }
}
