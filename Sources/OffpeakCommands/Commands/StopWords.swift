import JSONLines
import OffpeakCore
import OffpeakStore

extension [StopReason] {
    /// Each with number and reason in a line, and what to do about those of one code in the next. `renews`: the classes' budgets
    /// have a next period.
    func lines(of batch: BatchStatus, renews: Bool) -> [String] {
        indices.flatMap { i in
            let isLast = !self[i].isAkin(to: i + 1 < count ? self[i + 1] : nil)
            let hint = isLast ? self[i].hint(of: batch, renews: renews) : nil
            return [self[i].line] + (hint.map { ["        \($0)"] } ?? [])
        }
    }

    /// `3 parked: invalid_api_key, 2 failed: context_length`: the codes alone, the most frequent first.
    var codes: String {
        var sums = grouped { $0.state == $1.state && $0.code == $1.code }.map { stops in
            (
                state: stops[0].state, code: stops[0].code, jobs: stops.reduce(0) { $0 + $1.jobs },
                isAtLeast: stops.contains(where: \.isAtLeast)
            )
        }
        sums.sort { a, b in (a.state == b.state) ? a.jobs > b.jobs : a.state == .parked }
        let told = sums.prefix(StopReasons.toldReasons).map { sum in
            "\(sum.isAtLeast ? "at least " : "")\(sum.jobs) \(sum.state == .parked ? "parked" : "failed"): \(sum.code)"
        }
        let more = sums.count - told.count
        return (told + (more > 0 ? ["and \(Words.count(more, "other code"))"] : [])).joined(separator: ", ")
    }
}

extension StopReason {
    private var stateWord: String { state == .parked ? "parked" : "failed" }

    /// `at least 10000 jobs parked: code: reason`
    fileprivate var line: String {
        let atLeast = isAtLeast ? "at least " : ""
        if reasons > 1 { return "    and \(atLeast)\(jobs) more \(stateWord): \(code), for \(reasons) other reasons" }
        let reason = message.isEmpty ? code : "\(code): \(message)"
        // Which lines ask for what nothing serves is seen in the file.
        let place =
            !Scheduler.isUnserved(code) ? "" : jobs == 1 ? " (line \(firstLine))" : " (first on line \(firstLine))"
        return "    \(atLeast)\(Words.count(jobs, "job")) \(stateWord): \(reason)\(place)"
    }

    /// The same stop as far as codes tell.
    fileprivate func isAkin(to other: StopReason?) -> Bool {
        state == other?.state && failureClass == other?.failureClass && code == other?.code
    }

    func write(to writer: inout JSONWriter, of batch: BatchStatus, renews: Bool) {
        writer.member("state", stateWord)
        writer.member("failure_class", failureClass)
        writer.member("code", code)
        writer.member("jobs", jobs)
        writer.member("at_least", isAtLeast)
        writer.member("reason", reasons > 1 ? "\(reasons) other reasons" : message)
        writer.member("first_line", firstLine)
        writer.member("hint", hint(of: batch, renews: renews))
    }

    /// What to do; nil for a cancelled batch, of which nothing is tried again.
    func hint(of batch: BatchStatus, renews: Bool) -> String? {
        guard batch.state == .open else { return nil }
        let retry = "`offpeak retry b\(batch.id) --\(state == .parked ? "parked" : "failed")`"
        if let stop = MoneyStop(failureClass: failureClass, code: code) {
            let goesOn = state == .parked ? ": the next `offpeak run` takes them up by itself" : ", then \(retry)"
            let smaller = "; or submit them again, shorter or with a lower max_tokens"
            return switch stop {
            case .budgetExhausted:
                "raise the class's budget\(renews ? ", or wait for its next period" : "")\(goesOn)"
            case .exceedsBudget: "raise the class's budget\(goesOn)\(smaller)"
            case .exceedsQuota: "raise the quota\(goesOn)\(smaller)"
            case .unknownCost: "state the price in that key's `prices`, or in the price list\(goesOn)"
            case .unknownLength: "submit them again with max_tokens"
            case .unboundedCost:
                "submit them again without it or for another model, or to a class that has no budget, on a key that has no quota in money or tokens"
            }
        }
        if code == Failure.inexpressibleCode {
            return
                "let a key whose provider can express them serve the class, then \(retry); or submit them again, changed"
        }
        if code == Scheduler.noKeyForEndpoint {
            let path = firstFlow.endpoint.path
            return firstFlow.endpoint == .messages
                ? "let a key of provider `anthropic`, or of one with `kind: \"anthropic\"`, serve the class, then \(retry); or "
                    + "submit them again as chat completions"
                : "let a key whose provider has \(path) serve the class, then \(retry)"
        }
        switch FailureClass(rawValue: failureClass) {
        case .keyRejected: return "mend the key's secret, or let another key serve the class, then \(retry)"
        case .modelUnavailable: return "let a key of the class serve the model, then \(retry)"
        case .timedOut: return "raise the class's `timeout`, or ask for less at once, then \(retry)"
        case .unknownOutcome:
            return
                "they may have been answered, and charged: `offpeak retry b\(batch.id) --unknown` sends them once more"
        case .invalidRequest, .refused:
            return "correct these lines (`offpeak results b\(batch.id)` has them), and submit them again"
        default: return "\(retry) tries them once more"
        }
    }
}
