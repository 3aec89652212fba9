import OffpeakConfiguration
import OffpeakCore
import OffpeakForecast
import OffpeakRunner
import OffpeakStore

/// A forecast and the alternatives to it.
struct Plan: Sendable {
    /// Something that could be done instead.
    struct Alternative: Sendable {
        var name: String
        var finish: Timestamp?
        var charge: Charge
        /// Answered jobs.
        var jobs: Int
        var meetsDeadline: Bool?
    }

    let planner: Planner
    let result: ForecastResult
    private(set) var alternatives: [Alternative] = []
    private(set) var assumptions: [String]

    init(_ planner: Planner) {
        self.planner = planner
        let choices = PlanChoices(planner: planner)
        let (main, others) = planner.forecasts(beside: choices.variants) { choices.variants(to: $0) }
        result = main.result
        assumptions = ["a run works the queue from now on without a break", Self.pastUse]
        assumptions += planner.inputs.assumptions
        assumptions += main.answers.sentences + planner.prices(of: result)
        assumptions += burst + planner.parked
        assumptions.append("beyond these, nothing fails and no provider is slower or stricter than it was")
        guard result.jobs > 0 else { return }
        for outcome in others where outcome.result.answered > 0 {
            // Without a difference there is nothing to choose.
            if outcome.variant.isUnhurried, outcome.result.spilledJobs >= result.spilledJobs { continue }
            let choice = Alternative(
                name: outcome.variant.name, finish: outcome.result.finish, charge: outcome.result.charge,
                jobs: outcome.result.answered, meetsDeadline: planner.meetsDeadline(outcome.result))
            if !alternatives.contains(where: { $0.finish == choice.finish && $0.charge == choice.charge }) {
                alternatives.append(choice)
            }
        }
        alternatives += choices.lanes(of: result)
        assumptions += choices.notes(shown: alternatives.map(\.name))
    }

    /// What chance may do to the finish.
    private var burst: [String] {
        guard let burst = result.lastBurst, let finish = result.finish, burst.isUncertain(since: planner.inputs.now)
        else { return [] }
        let early = TimeText.length(finish - burst.after)
        return [
            "the last \(Words.count(burst.jobs, "job")) wait for a limit to have room again: if the others take a little less "
                + "of it than is foreseen, all is done \(early) sooner"
        ]
    }

    private static let pastUse = "what keys have used of limits, quotas, credits and allowances so far counts"

    // MARK: Deadline

    /// The batch whose deadline is kept least well.
    var tightest: ForecastResult.BatchShare? { Planner.tightest(result) }

    /// What `report` compares with what came.
    var recorded: [RecordedForecast] {
        result.batches.compactMap { share in
            guard share.batch != PlannedFile.batch, share.jobs > 0 else { return nil }
            let past = planner.inputs.past(of: share.batch)
            return RecordedForecast(
                batch: share.batch, made: planner.inputs.now, jobs: share.jobs, finish: share.finish,
                charge: share.charge, spent: past.charge, answers: share.answered, answersBefore: past.answers)
        }
    }
}

extension Planner {
    /// What becomes of the parked jobs of what was asked for, if nobody does anything.
    var parked: [String] {
        var scheduler = scheduler(PlanVariant(name: "parked"))
        var sentences: [String] = []
        for (batch, jobs) in inputs.parked {
            var rest = jobs
            for group in inputs.parkedForMoney where group.flow.batch == batch {
                rest -= group.jobs
                let text = "\(Words.count(group.jobs, "parked job")) of b\(batch) (\(group.reason.rawValue))"
                let goesOn = scheduler.hasMoney(for: group.decisive, of: group.flow, at: inputs.now)
                sentences.append(
                    goesOn
                        ? "\(text): the next run takes them up, since there is money for them now or in a later period; they "
                            + "are in none of these figures, and what does not fit is parked again"
                        : "\(text): there is no money for them, and they stay parked; they are in none of these figures"
                )
            }
            guard rest > 0 else { continue }
            sentences.append(
                "\(Words.count(rest, "parked job")) of b\(batch) wait for `offpeak retry b\(batch) --parked`; they are in none "
                    + "of these figures")
        }
        return sentences
    }

    /// The batch whose deadline is kept least well: the one that misses it, else the one with the least time to spare.
    static func tightest(_ result: ForecastResult) -> ForecastResult.BatchShare? {
        func spare(_ share: ForecastResult.BatchShare) -> Int64 {
            guard let deadline = share.deadline, let finish = share.finish else { return .min }
            return (deadline - finish).milliseconds
        }
        return result.batches.filter { $0.deadline != nil }.min { a, b in
            let (x, y) = (a.meetsDeadline == true, b.meetsDeadline == true)
            return x != y ? y : spare(a) < spare(b)
        }
    }

    /// Whether all deadlines hold in an alternative, which may not know of them.
    func meetsDeadline(_ result: ForecastResult) -> Bool? {
        var holds: Bool?
        for share in result.batches {
            let flows = inputs.work.filter { $0.flow.batch == share.batch && $0.isAsked }
            guard let deadline = flows.compactMap(\.flow.deadline).min() else { continue }
            let isMet = share.left == 0 && share.parked == 0 && share.lastAnswer.map { $0 <= deadline } ?? true
            holds = (holds ?? true) && isMet
        }
        return holds
    }

    /// Where the prices of a forecast come from, and which are missing.
    func prices(of result: ForecastResult) -> [String] {
        var sentences: [String] = []
        for share in result.shares where share.usage.totalTokens > 0 {
            guard let key = configuration.key(share.route.key) else { continue }
            let place = "\(share.route.model) on key \(key.name)"
            if let price = configuration.priceBook.price(of: key, model: share.route.model) {
                sentences.append("the price of \(place) is from: \(price.source)")
            } else {
                sentences.append(
                    "the price of \(place) is unknown: its \(share.usage.totalTokens) tokens are in no sum of money")
            }
        }
        return sentences
    }
}
