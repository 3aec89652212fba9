import Foundation
import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakForecast
import OffpeakRunner

extension Plan {
    // MARK: JSON

    func write(to writer: inout JSONWriter) {
        let inputs = planner.inputs
        writer.member("made_at", inputs.now)
        writer.member("jobs", result.jobs)
        writer.member("finish", result.finish)
        writer.member("deadline", tightest?.deadline)
        if let met = tightest?.meetsDeadline { writer.member("deadline_met", met) } else { writer.null("deadline_met") }
        writer.member("budget_held", !result.exceedsBudget)
        writer.member("guessed_jobs", result.guessed)
        writer.member("unpriced_jobs", unpriced.jobs)
        writer.cost(result.charge)
        writer.array("by_key") { array in
            for share in byKey {
                array.object {
                    $0.member("key", share.route.key)
                    $0.member("lane", share.route.lane.rawValue)
                    $0.member("bill", share.route.bill.rawValue)
                    $0.member("jobs", share.jobs)
                    $0.member("unpriced_jobs", share.unpriced.jobs)
                    $0.object("usage") { $0.members(share.usage) }
                    $0.cost(share.charge)
                }
            }
        }
        writer.array("deferred") { array in
            for wait in result.waits {
                array.object {
                    $0.member("jobs", wait.jobs)
                    $0.member("until", wait.until)
                    $0.member("reason", wait.reason)
                }
            }
        }
        writer.array("stopped") { array in
            for stop in result.stops {
                array.object {
                    $0.member("jobs", stop.jobs)
                    $0.member("state", stop.end.rawValue)
                    $0.member("reason", stop.reason)
                }
            }
        }
        writer.object("spill") {
            $0.member("jobs", result.spilledJobs)
            $0.cost(result.spillCharge)
        }
        writer.array("batches") { array in
            for share in result.batches { array.object { write(share, to: &$0) } }
        }
        writer.array("alternatives") { array in
            for choice in alternatives { array.object { Self.write(choice, to: &$0) } }
        }
        writer.array("assumptions") { array in for sentence in assumptions { array.element(sentence) } }
    }

    private func write(_ share: ForecastResult.BatchShare, to writer: inout JSONWriter) {
        writer.member("batch", share.batch == PlannedFile.batch ? nil : "b\(share.batch)")
        writer.member("name", planner.inputs.names[share.batch])
        writer.member("jobs", share.jobs)
        writer.member("finish", share.finish)
        writer.member("deadline", share.deadline)
        if let met = share.meetsDeadline { writer.member("deadline_met", met) } else { writer.null("deadline_met") }
        writer.member("late", share.late)
        writer.cost(share.charge)
    }

    private static func write(_ choice: Alternative, to writer: inout JSONWriter) {
        writer.member("name", choice.name)
        writer.member("jobs", choice.jobs)
        writer.member("unpriced_jobs", choice.unpriced.jobs)
        writer.member("finish", choice.finish)
        if let met = choice.meetsDeadline { writer.member("deadline_met", met) } else { writer.null("deadline_met") }
        writer.cost(choice.charge)
    }

    /// What a key serves in a lane.
    private struct KeyLine {
        let route: LedgerRoute
        var jobs = 0
        var usage = Usage()
        var charge = Charge()
        var unpriced = Unpriced()
    }

    /// A key's models are one line.
    private var byKey: [KeyLine] {
        var lines: [KeyLine] = []
        for share in result.shares {
            let (route, same) = (
                share.route,
                lines.firstIndex {
                    $0.route.key == share.route.key && $0.route.lane == share.route.lane
                        && $0.route.bill == share.route.bill
                }
            )
            let place = same ?? lines.count
            if same == nil { lines.append(KeyLine(route: route)) }
            lines[place].jobs += share.jobs
            lines[place].usage = lines[place].usage + share.usage
            lines[place].charge = lines[place].charge + share.charge
            if planner.configuration.isUnpriced(share.route, share.usage) { lines[place].unpriced.add(share) }
        }
        return lines
    }

    private var unpriced: Unpriced { Unpriced(result.shares, configuration: planner.configuration) }

    // MARK: Text

    var lines: [String] {
        let now = planner.inputs.now
        let names = result.batches.compactMap { planner.inputs.names[$0.batch] }.joined(separator: ", ")
        guard result.jobs > 0 else {
            let parked = planner.inputs.parked.reduce(0) { $0 + $1.jobs }
            if parked == 0 { return ["nothing is left to do"] }
            return [
                "nothing waits; \(Words.count(parked, "parked job")) \(parked == 1 ? "is" : "are") not forecast: `offpeak status` tells why they "
                    + "stopped and what takes them up again"
            ] + planner.parked().map { "- " + $0 }
        }
        var lines = ["\(names): \(Words.count(result.jobs, "job"))"]
        if let finish = result.finish {
            lines.append("done: \(clock(finish)), \(TimeText.length(finish - now)) from now\(guess)")
        } else if result.left > 0 {
            lines.append("done: not to be foreseen; \(Words.count(result.left, "job")) would still wait")
        }
        lines.append("cost: \(cost)")
        lines += deadlines
        if result.exceedsBudget || hasBudget {
            lines.append("budget: \(result.exceedsBudget ? "does not hold" : "holds")\(condition)")
        }
        if result.spilledJobs > 0 {
            lines.append(
                "spill: \(Words.count(result.spilledJobs, "job")), \(result.spillCharge.rounded.billed.text) USD, since what is cheaper has not room enough"
            )
        }
        lines += waits
        for stop in result.stops {
            let end = stop.end == .waiting ? "waiting for ever" : stop.end.rawValue
            let kind = stop.reason.withoutAmounts
            let isTold = result.waits.contains { $0.reason.withoutAmounts == kind }
            let reason = stop.reason + (stop.hasOtherAmounts ? " (the first; the others' amounts differ)" : "")
            lines.append("\(end): \(Words.count(stop.jobs, "job")): \(isTold ? "for the same reason" : reason)")
        }
        if !result.shares.isEmpty { lines += [""] + keyTable }
        if !alternatives.isEmpty { lines += [""] + alternativeTable }
        return lines + ["", "assumed:"] + assumptions.map { "- " + $0 }
    }

    /// Behind figures that rest on no answer of the past, or on few.
    private var guess: String {
        result.guessed == 0 ? "" : result.guessed < result.answered ? " (partly guessed)" : " (guessed)"
    }

    /// The same behind a verdict.
    private var condition: String { result.guessed == 0 ? "" : ", if answers are as assumed below" }

    private var cost: String {
        let (unpriced, charge) = (unpriced, result.charge)
        guard unpriced.jobs > 0 else { return MoneyText.cost(charge.rounded, unknown: Charge(), attempts: 0) + guess }
        if unpriced.jobs == result.answered, charge == Charge() {
            return
                "unknown: no price is known for \(unpriced.jobs == 1 ? "the job" : "any of the \(unpriced.jobs) jobs")"
        }
        return MoneyText.cost(charge.rounded, unknown: Charge(), attempts: 0)
            + ", and the unknown price of \(unpriced.jobs) of \(Words.count(result.answered, "job"))" + guess
    }

    /// What waits for one and the same reason again and again is told once.
    private var waits: [String] {
        result.waits.grouped { $0.reason.withoutAmounts == $1.reason.withoutAmounts }.map { waits in
            func part(_ wait: ForecastResult.Wait) -> String { "\(wait.jobs) until \(clock(wait.until))" }
            var text = "\(Words.count(waits[0].jobs, "job")) until \(clock(waits[0].until))"
            if waits.count > 3 {
                text +=
                    result.hasMoreWaits
                    ? ", and so on more than \(waits.count) times"
                    : ", and so on \(waits.count) times, the last \(part(waits[waits.count - 1]))"
            } else {
                text += waits.dropFirst().map { ", " + part($0) }.joined()
            }
            return "deferred: \(text): \(waits[0].reason)"
        }
    }

    private var deadlines: [String] {
        result.batches.filter { $0.deadline != nil }.map { share in
            let name = result.batches.count > 1 ? " of \(planner.inputs.names[share.batch] ?? "")" : ""
            let text = "deadline\(name): \(clock(share.deadline!))"
            if share.meetsDeadline == true {
                let spare = share.finish.map { ", \(TimeText.length(share.deadline! - $0)) to spare" } ?? ""
                return text + ": holds" + spare + condition
            }
            var parts: [String] = []
            if share.late > 0, let last = share.lastAnswer {
                parts.append(
                    "\(Words.count(share.late, "job")) late, the last by \(TimeText.length(last - share.deadline!))")
            }
            if share.parked + share.left > 0 {
                parts.append("\(Words.count(share.parked + share.left, "job")) not answered")
            }
            return text + ": does not hold: " + parts.joined(separator: ", ") + condition
        }
    }

    private var hasBudget: Bool {
        planner.inputs.work.contains { work in
            work.isAsked && planner.configuration.policy(of: work.flow.className)?.budget != nil
        }
    }

    private var keyTable: [String] {
        let rows = byKey.map { share in
            [
                share.route.key, share.route.lane.rawValue, share.route.bill.words, "\(share.jobs)",
                "\(share.usage.inputTokens)", "\(share.usage.outputTokens)",
            ] + money(share.charge, share.unpriced)
        }
        return TextTable(
            columns: [
                "key", "lane", "billed to", "jobs", "input tokens", "output tokens", "provider USD", "platform USD",
            ],
            rows: rows, textColumns: 3
        ).lines
    }

    private var alternativeTable: [String] {
        let hasDeadline = tightest != nil
        // What answers less costs less: where not all is answered, that is told.
        let answers = [result.answered] + alternatives.map(\.jobs)
        let isPartial = answers.contains { $0 < result.jobs }
        func row(
            _ name: String, _ jobs: Int, _ finish: Timestamp?, _ met: Bool?, _ charge: Charge, _ unpriced: Unpriced
        ) -> [String] {
            let deadline = met.map { $0 ? "holds" : "does not hold" } ?? ""
            return [name, finish.map(clock) ?? "not to be foreseen"] + (hasDeadline ? [deadline] : [])
                + (isPartial ? ["\(jobs)"] : []) + money(charge, unpriced)
        }
        let rows =
            [row("as planned", result.answered, result.finish, tightest?.meetsDeadline, result.charge, unpriced)]
            + alternatives.map { row($0.name, $0.jobs, $0.finish, $0.meetsDeadline, $0.charge, $0.unpriced) }
        return TextTable(
            columns: ["alternative", "done"] + (hasDeadline ? ["deadline"] : []) + (isPartial ? ["answered"] : [])
                + ["provider USD", "platform USD"],
            rows: rows, textColumns: hasDeadline ? 3 : 2
        ).lines
    }

    private func money(_ charge: Charge, _ unpriced: Unpriced) -> [String] {
        func cell(_ money: Money, _ isUnpriced: Bool) -> String {
            isUnpriced ? money == .zero ? "unknown" : "> \(money.text)" : money.text
        }
        return [
            cell(charge.rounded.provider, unpriced.isOnProviders),
            cell(charge.rounded.platform, unpriced.isOnPlatforms),
        ]
    }

    /// A moment as the clocks of the configured zone show it.
    private func clock(_ moment: Timestamp) -> String { TimeText.local(moment, planner.configuration.timeZone) }
}

extension Charge {
    /// As exactly as a forecast can mean it: to the cent from a dollar on, to a hundredth of a cent below.
    fileprivate var rounded: Charge {
        func round(_ money: Money) -> Money {
            let unit: Int64 = money < .dollars(1) ? 100_000 : 10_000_000
            // What is next to nothing is not nothing.
            guard money.nanodollars >= unit else { return money }
            return Money(nanodollars: (money.nanodollars + unit / 2) / unit * unit)
        }
        return Charge(provider: round(provider), platform: round(platform), credit: round(credit), list: round(list))
    }
}

extension TimeText {
    /// `2026-11-25 07:12 GMT+1`: to the minute, in a zone.
    static func local(_ time: Timestamp, _ zone: TimeZone) -> String {
        let offset = Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time.milliseconds / 1_000))))
        let text = rfc3339(Timestamp(milliseconds: (time.milliseconds / 60_000) * 60_000 + offset * 1_000))
        let name = offset == 0 ? "UTC" : sign(offset)
        return text.prefix(16).replacing("T", with: " ") + " " + name
    }

    private static func sign(_ seconds: Int64) -> String {
        let minutes = abs(seconds) / 60
        let rest = minutes % 60
        return "UTC\(seconds < 0 ? "-" : "+")\(minutes / 60)" + (rest == 0 ? "" : rest < 10 ? ":0\(rest)" : ":\(rest)")
    }
}
