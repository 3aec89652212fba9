import OffpeakCore

/// One attempt of the past, as forecasts learn from it.
package struct AnswerSample: Sendable, Equatable {
    package var bodyBytes: Int
    package var usage: Usage
    package var duration: Interval
    /// Nil when it was answered.
    package var failure: FailureClass?
    package var statusCode: Int

    package init(
        bodyBytes: Int, usage: Usage, duration: Interval, failure: FailureClass? = nil, statusCode: Int = 200
    ) {
        self.bodyBytes = bodyBytes
        self.usage = usage
        self.duration = duration
        self.failure = failure
        self.statusCode = statusCode
    }
}

/// Attempts of the past by what their answers depend on.
package struct AnswerHistory: Sendable {
    /// Jobs of one class on one key, with one model by the provider's name for it.
    package struct Place: Hashable, Sendable {
        package var className: String
        package var key: String
        package var model: String
        package var endpoint: Endpoint

        package init(className: String, key: String, model: String, endpoint: Endpoint) {
            self.className = className
            self.key = key
            self.model = model
            self.endpoint = endpoint
        }
    }

    /// Attempts kept of each place.
    package static let most = 2_000
    /// Answers that are enough to go by.
    package static let enough = 20

    private var places: [Place: [AnswerSample]] = [:]
    private var order: [Place] = []

    package init() {}

    /// Adds an attempt; the latest ones come first.
    package mutating func add(_ sample: AnswerSample, at place: Place) {
        if let failure = sample.failure, !Self.recurs(failure) { return }
        if places[place] == nil { order.append(place) }
        guard places[place, default: []].count < Self.most else { return }
        places[place, default: []].append(sample)
    }

    /// Whether a failure says something of the jobs to come: limits are decided by the forecast itself, and what a person
    /// has mended or a crash has caused is over.
    private static func recurs(_ failure: FailureClass) -> Bool {
        switch failure {
        case .overloaded, .unavailable, .timedOut, .invalidRequest, .refused, .invalidOutput: true
        case .rateLimited, .quotaExhausted, .keyRejected, .modelUnavailable, .unknownOutcome: false
        }
    }

    /// What is known of jobs like those of a place: its own attempts, else those of the class and model on other keys, else
    /// those of the class.
    func deck(for place: Place) -> AnswerDeck {
        let choices: [(AnswerDeck.Source, (Place) -> Bool)] = [
            (.same, { $0 == place }),
            (
                .otherKeys,
                { $0.className == place.className && $0.model == place.model && $0.endpoint == place.endpoint }
            ),
            (.sameClass, { $0.className == place.className && $0.endpoint == place.endpoint }),
        ]
        var few = 0
        for (source, fits) in choices {
            let samples = order.filter(fits).flatMap { places[$0] ?? [] }
            let kept = AnswerDeck.withoutOutages(samples)
            let answers = kept.count { $0.failure == nil }
            few = max(few, answers)
            if answers >= Self.enough {
                return AnswerDeck(place: place, source: source, samples: kept, outages: samples.count - kept.count)
            }
        }
        return AnswerDeck(place: place, source: .nothing, samples: [], outages: 0, few: few)
    }
}
