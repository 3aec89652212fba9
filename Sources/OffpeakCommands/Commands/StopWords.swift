import JSONLines
import OffpeakCore
import OffpeakStore

extension StopReason {
    /// `at least 10000 jobs parked`
    private var number: String {
        (isAtLeast ? "at least " : "") + "\(Words.count(jobs, "job")) \(state == .parked ? "parked" : "failed")"
    }

    /// Number and reason in a line, and what to do about it in the next.
    func lines(of batch: BatchStatus) -> [String] {
        let reason = message.isEmpty ? code : "\(code): \(message)"
        return ["    \(number): \(reason)"] + (hint(of: batch).map { ["        \($0)"] } ?? [])
    }

    func write(to writer: inout JSONWriter, of batch: BatchStatus) {
        writer.member("state", state == .parked ? "parked" : "failed")
        writer.member("failure_class", failureClass)
        writer.member("code", code)
        writer.member("jobs", jobs)
        writer.member("at_least", isAtLeast)
        writer.member("reason", message)
        writer.member("hint", hint(of: batch))
    }

    /// What to do; nil for a cancelled batch, of which nothing is tried again.
    func hint(of batch: BatchStatus) -> String? {
        guard batch.state == .open else { return nil }
        let retry = "`offpeak retry b\(batch.id) --\(state == .parked ? "parked" : "failed")`"
        if let stop = MoneyStop(rawValue: code), failureClass == FailureClass.quotaExhausted.rawValue {
            let goesOn = state == .parked ? ": the next `offpeak run` takes them up by itself" : ", then \(retry)"
            let smaller = "; or submit them again, shorter or with a lower max_tokens"
            return switch stop {
            case .budgetExhausted: "raise the class's budget, or wait for its next period\(goesOn)"
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
