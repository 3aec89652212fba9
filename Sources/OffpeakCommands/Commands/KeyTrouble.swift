import JSONLines
import OffpeakCore

/// A key that jobs wait for and that takes nothing for long, or until somebody acts.
struct KeyTrouble {
    let key: String
    let standing: KeyStanding

    /// What to do.
    var hint: String {
        switch standing.cause {
        case .rejection: "mend its secret: the next `offpeak run` tries it again"
        case .expiredSecret: "give it a new secret and a later `valid_until`"
        case .providersQuota: "add credit at its provider, or wait"
        case .ownQuota: "raise its quota, or wait for the next period"
        case .dayLimit: "wait for the next day, or raise its limit if the provider allows more"
        case .passing: "wait"
        }
    }

    /// Whether a sentence on what jobs wait for has its reason already.
    func isTold(by sentence: String) -> Bool {
        let name = "key \(key): "
        return sentence.hasPrefix(name) && standing.reason.hasPrefix(sentence.dropFirst(name.count))
    }

    /// `key one is rejected: reason; mend its secret`; without the reason where that has been told.
    func words(isReasonTold: Bool) -> String {
        let until = standing.until.map { " until \(TimeText.rfc3339($0))" } ?? ""
        let reason = isReasonTold || standing.reason.isEmpty ? "" : ": \(standing.reason)"
        return "key \(key) is \(standing.health.rawValue)\(until)\(reason); \(hint)"
    }

    func write(to writer: inout JSONWriter) {
        writer.member("key", key)
        writer.member("health", standing.health.rawValue)
        writer.member("reason", standing.reason)
        writer.member("until", standing.until)
        writer.member("hint", hint)
    }
}
