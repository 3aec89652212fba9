import OffpeakCore
import OffpeakForecast

/// A small world to be foreseen: keys, classes, some work.
struct Bench {
    static let start = Timestamp(milliseconds: 20_000 * Scenario.day)

    var keys: [KeyDescriptor] = []
    var classes: [ClassPolicy] = []
    var work: [ForecastWork] = []
    var history = AnswerHistory()
    var prices = PriceBook(lists: [])
    var pausedClasses: Set<String> = []
    /// Opening and closing of a class's window, after the start of each day.
    var windows: [String: (opens: Interval, closes: Interval)] = [:]

    static func key(_ name: String, _ limits: Limits) -> KeyDescriptor {
        KeyDescriptor(name: name, provider: "p", limits: limits)
    }

    mutating func add(_ key: KeyDescriptor, dollarsPerMillion price: Int64 = 1) {
        keys.append(key)
        let rate = price * 1_000_000_000
        prices.terms[key.name] = .terms(["*": ModelTerms(rates: TokenRates(input: rate, output: rate))])
    }

    mutating func add(
        _ count: Int, of className: String, batch: BatchID, deadline: Interval? = nil, isAsked: Bool = true,
        paused: Bool = false
    ) {
        var entry = ForecastWork(
            flow: Flow(
                id: batch, batch: batch, className: className, model: "m", endpoint: .chatCompletions,
                deadline: deadline.map { Self.start + $0 }, paused: paused), isAsked: isAsked)
        entry.add(bodyBytes: 400, maxOutputTokens: 100, count: count)
        work.append(entry)
    }

    /// Answers of 100 input and 50 output tokens that take so long; every `failing`th attempt fails instead.
    mutating func learn(
        _ className: String, _ key: String, latency: Interval, failing: Int? = nil,
        as failure: FailureClass = .overloaded
    ) {
        for number in 1...200 {
            let fails = failing.map { number % $0 == 0 } ?? false
            history.add(
                AnswerSample(
                    bodyBytes: 400, usage: fails ? Usage() : Usage(inputTokens: 100, outputTokens: 50),
                    duration: latency, failure: fails ? failure : nil, statusCode: fails ? 503 : 200),
                at: AnswerHistory.Place(className: className, key: key, model: "m", endpoint: .chatCompletions))
        }
    }

    func run(days: Int64 = 30, isCoarse: Bool = false, crowd: Int? = nil) -> (
        result: ForecastResult, sentences: [String]
    ) {
        var scheduler = Scheduler(
            keys: keys, pools: [], classes: classes.map { ($0, keys.map(\.name)) }, prices: prices, seed: 1)
        var effects = SchedulerEffects()
        scheduler.handle(
            .dayStarted(used: [:], ends: Scenario.position(Self.start).ends.day), at: Self.start, into: &effects)
        scheduler.handle(.pausesChanged(classes: pausedClasses, keys: []), at: Self.start, into: &effects)
        var forecast = Forecast(
            scheduler: scheduler, work: work, answers: AnswerModel(history),
            clock: ForecastClock(isCoarse: isCoarse, crowd: crowd),
            at: Self.start)
        var lastDay = Scenario.dayNumber(Self.start)
        let (result, answers) = forecast.run(until: Self.start + .days(days)) { moment in
            calendar(moment, &lastDay)
        }
        return (result, answers.sentences)
    }

    private func calendar(_ moment: Timestamp, _ lastDay: inout Int) -> (events: [SchedulerEvent], next: Timestamp) {
        let position = Scenario.position(moment)
        var events: [SchedulerEvent] = [.periodsTurned(position)]
        if position.day != lastDay { events.append(.dayStarted(used: [:], ends: position.ends.day)) }
        lastDay = position.day
        var next = position.ends.day
        let today = Timestamp(milliseconds: Int64(position.day) * Scenario.day)
        for (name, window) in windows.sorted(by: { $0.key < $1.key }) {
            let (opens, closes) = (today + window.opens, today + window.closes)
            let isOpen = moment >= opens && moment < closes
            let until = moment < opens ? opens : moment < closes ? closes : opens + .days(1)
            events.append(.windowChanged(className: name, isOpen: isOpen, until: until))
            next = min(next, until)
        }
        return (events, next)
    }
}

extension ForecastResult {
    /// Time from the bench's start to the last answer, in milliseconds; -1 when there is none.
    var length: Int64 { finish.map { ($0 - Bench.start).milliseconds } ?? -1 }
}
