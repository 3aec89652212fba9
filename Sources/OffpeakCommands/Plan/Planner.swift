import Dispatch
import OffpeakConfiguration
import OffpeakCore
import OffpeakForecast
import OffpeakStore
import Synchronization

/// A configuration as it might be instead.
struct PlanVariant: Sendable {
    var name: String
    /// The classes that it changes.
    var classes: Set<String> = []
    /// The keys that these may use then.
    var admits: @Sendable (KeyDescriptor) -> Bool = { _ in true }
    /// Nothing presses: what is cheap may take as long as it needs.
    var isUnhurried = false
}

/// One forecast under a configuration.
struct PlanOutcome: Sendable {
    var variant: PlanVariant
    var result: ForecastResult
    var answers: AnswerModel
}

/// Runs forecasts from the same inputs under different configurations.
struct Planner: Sendable {
    let configuration: Configuration
    let inputs: PlanInputs

    /// Nobody plans further ahead.
    static let horizon = Interval.days(366)
    /// Only the jitter of backoffs depends on it, so the same plan gives the same forecast.
    private static let seed: UInt64 = 1

    func forecast(_ variant: PlanVariant, isCoarse: Bool) -> PlanOutcome {
        let work = inputs.work.map { entry in
            var entry = entry
            if variant.isUnhurried, variant.classes.contains(entry.flow.className) { entry.flow.deadline = nil }
            return entry
        }
        var forecast = Forecast(
            scheduler: scheduler(variant), work: work, answers: AnswerModel(inputs.history),
            clock: ForecastClock(isCoarse: isCoarse, shortestWindow: shortestWindow), at: inputs.now)
        let (result, answers) = forecast.run(until: inputs.now + Self.horizon, calendar: calendar)
        return PlanOutcome(variant: variant, result: result, answers: answers)
    }

    /// The plan and its alternatives at once, on as many cores as there are; `following` are those that the plan asks for.
    func forecasts(
        beside variants: [PlanVariant], following: @escaping @Sendable (ForecastResult) -> [PlanVariant]
    ) -> (main: PlanOutcome, others: [PlanOutcome]) {
        let outcomes = Mutex((main: PlanOutcome?.none, others: [PlanOutcome]()))
        let group = DispatchGroup()
        @Sendable func begin(_ variants: [PlanVariant]) {
            for variant in variants {
                DispatchQueue.global().async(group: group) {
                    let outcome = forecast(variant, isCoarse: true)
                    outcomes.withLock { $0.others.append(outcome) }
                }
            }
        }
        DispatchQueue.global().async(group: group) {
            let main = forecast(PlanVariant(name: "as planned"), isCoarse: false)
            outcomes.withLock { $0.main = main }
            begin(following(main.result))
        }
        begin(variants)
        group.wait()
        return outcomes.withLock { found in
            (found.main!, found.others.sorted { PlanChoices.rank($0.variant) < PlanChoices.rank($1.variant) })
        }
    }

    /// A scheduler that knows what a run would know if it began now.
    func scheduler(_ variant: PlanVariant) -> Scheduler {
        var scheduler = Scheduler(
            keys: configuration.keys, pools: configuration.pools,
            classes: configuration.classes.map { policy in
                let keys = configuration.keys(for: policy).filter {
                    !variant.classes.contains(policy.name) || variant.admits($0)
                }
                return (policy, keys.map(\.name))
            }, prices: configuration.priceBook, seed: Self.seed)
        inputs.memory.recall(in: &scheduler, calendar: inputs.calendar, at: inputs.now)
        scheduler.recall(inputs.spend, inputs.calendar)
        var effects = SchedulerEffects()
        let pauses = inputs.pauses
        scheduler.handle(
            .pausesChanged(classes: pauses.classes, keys: pauses.keys), at: inputs.now, into: &effects)
        return scheduler
    }

    /// Days and windows, as a run would tell of them.
    private var calendar: Forecast.Calendar {
        let zone = configuration.timeZone
        let windows = configuration.classes.compactMap { policy in
            policy.window.map { (policy.name, WindowResolver(rule: $0, zone: zone)) }
        }
        var day = inputs.calendar.day
        return { moment in
            let position = CalendarPosition(containing: moment, in: zone)
            var events: [SchedulerEvent] = [.periodsTurned(position)]
            if position.day != day {
                day = position.day
                events.insert(.dayStarted(used: [:], ends: position.ends.day), at: 0)
            }
            var next = position.ends.day
            for (name, window) in windows {
                let state = window.state(at: moment)
                events.append(.windowChanged(className: name, isOpen: state.isOpen, until: state.until))
                next = min(next, state.until)
            }
            return (events, next)
        }
    }

    /// The shortest time over which some limit counts.
    private var shortestWindow: Interval {
        var shortest = Interval.minutes(1)
        for key in configuration.keys where key.enabled && key.limitModel == .slices {
            guard let rpm = key.limits.rpm else { continue }
            shortest = min(shortest, rpm >= 60 ? .seconds(1) : .milliseconds(60_000 / Int64(max(1, rpm))))
        }
        // What was learned may be a rate, which must be met at every moment.
        for memory in inputs.memory.keys {
            if let learned = memory.learnedWindow { shortest = min(shortest, learned, .seconds(5)) }
        }
        return shortest
    }
}
