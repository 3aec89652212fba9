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
        /// What of it has no known price, and so is not in `charge`.
        var unpriced = Unpriced()
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
        assumptions += burst + planner.takenUp + planner.parked(beside: result.stops)
        assumptions.append("beyond these, nothing fails and no provider is slower or stricter than it was")
        guard result.jobs > 0 else { return }
        for outcome in others where outcome.result.answered > 0 {
            // Without a difference there is nothing to choose.
            if outcome.variant.isUnhurried, outcome.result.spilledJobs >= result.spilledJobs { continue }
            let choice = Alternative(
                name: outcome.variant.name, finish: outcome.result.finish, charge: outcome.result.charge,
                jobs: outcome.result.answered, meetsDeadline: planner.meetsDeadline(outcome.result),
                unpriced: Unpriced(outcome.result.shares, configuration: planner.configuration))
            if !alternatives.contains(where: { $0.finish == choice.finish && $0.charge == choice.charge }) {
                alternatives.append(choice)
            }
        }
        alternatives += choices.lanes(of: result)
        assumptions += choices.notes(shown: alternatives.map(\.name), result)
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
    /// Which parked jobs are part of the forecast.
    var takenUp: [String] {
        inputs.takenUp.grouped { $0.flow.batch == $1.flow.batch && $0.reason == $1.reason }.map { groups in
            let jobs = groups.reduce(0) { $0 + $1.jobs }
            let whose = "of b\(groups[0].flow.batch) (\(groups[0].reason.rawValue))"
            return "\(Words.count(jobs, "parked job")) \(whose) \(jobs == 1 ? "goes" : "go") on with the next run, and "
                + "\(jobs == 1 ? "is" : "are") in all of these figures; what does not fit is parked again"
        }
    }

    /// What becomes of the parked jobs of what was asked for that stay parked if nobody does anything. What a forecast tells
    /// of the jobs that it stops is not told again.
    func parked(beside stops: [ForecastResult.Stop] = []) -> [String] {
        var sentences: [String] = []
        for (batch, jobs) in inputs.parked {
            let stopped = inputs.parkedForMoney.filter { $0.group.flow.batch == batch }.map { group, reason in
                // What is too much for itself was judged by the smallest of its kind.
                let why = group.jobs > 1 && reason.hasPrefix("this job alone") ? "of the smallest, " + reason : reason
                return (code: group.reason.rawValue, reason: why, jobs: group.jobs)
            }
            for alike in stopped.grouped(where: { $0.code == $1.code && $0.reason == $1.reason }) {
                var group = alike[0]
                group.jobs = alike.reduce(0) { $0 + $1.jobs }
                let isTold = stops.contains { $0.end == .parked && $0.reason == group.reason }
                sentences.append(
                    "\(Words.count(group.jobs, "parked job")) of b\(batch) (\(group.code)) "
                        + "\(group.jobs == 1 ? "stays" : "stay") parked, in none of these figures"
                        + (isTold ? ", for the same reason as those that are parked here" : ": \(group.reason)"))
            }
            let rest = jobs - stopped.reduce(0) { $0 + $1.jobs }
            guard rest > 0 else { continue }
            sentences.append(
                "\(Words.count(rest, "parked job")) of b\(batch) \(rest == 1 ? "waits" : "wait") for `offpeak retry "
                    + "b\(batch) --parked`, in none of these figures")
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
}
