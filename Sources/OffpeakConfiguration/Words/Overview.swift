import Foundation
import OffpeakCore

extension Configuration {
    /// The five things that a team has to be clear about, each in plain words: which keys there are, whether work may fall
    /// back, what is optimised, which work is strict, and how use and cost are watched.
    /// `now`: what has expired by then does not count.
    package func overview(at now: Timestamp) -> [(topic: String, words: String)] {
        let overview = Overview(configuration: self, now: now)
        return [
            ("keys", overview.keys), ("fallback", overview.fallback), ("objective", overview.objective),
            ("strict", overview.strict), ("usage", overview.usage),
        ]
    }
}

/// Puts a whole configuration in words, from the very values that decide.
private struct Overview {
    let configuration: Configuration
    let now: Timestamp

    // MARK: Keys

    var keys: String {
        guard !configuration.keys.isEmpty else { return "None is attached." }
        return "Attached: " + configuration.keys.map(words).joined(separator: "; ") + "."
    }

    private func words(_ key: KeyDescriptor) -> String {
        let whose =
            switch key.billing {
            case .provider: "\(key.name) is your own at \(key.provider), which bills it"
            case .routerBYOK:
                "\(key.name) is your own through \(key.provider), which takes a fee beside its provider's bill"
            case .platform: "\(key.name) is shared capacity of \(key.provider), billed in its credits"
            }
        var terms: [String] = []
        if let pool = key.pool { terms.append("in pool \(pool)") }
        if let quota = key.quota { terms.append("at most \(quota.text)") }
        if let credit = key.credit {
            let end = credit.isExpired(at: now) ? "expired after" : "until"
            terms.append(
                "\(credit.amount.text) US dollars prepaid"
                    + (credit.expires.map { " \(end) \(configuration.lastDay($0))" } ?? ""))
        }
        if let throughput = key.provisionedTPM { terms.append("\(throughput) tokens a minute paid for") }
        if configuration.hasOwnPrices(key) { terms.append("prices of its own") }
        if let ends = key.validUntil {
            let end = key.isExpired(at: now) ? "expired after" : "valid until"
            terms.append("its secret \(end) \(configuration.lastDay(ends))")
        }
        if !key.enabled { terms.append("disabled") }
        return whose + (terms.isEmpty ? "" : " (\(terms.joined(separator: ", ")))")
    }

    private func own(_ policy: ClassPolicy) -> [KeyDescriptor] {
        configuration.keys(for: policy).filter { $0.isUsable(at: now) && !$0.isShared }
    }

    private func shared(_ policy: ClassPolicy) -> [KeyDescriptor] {
        configuration.sharedKeys(for: policy).filter { $0.isUsable(at: now) }
    }

    // MARK: Fallback

    var fallback: String { sentence(configuration.classes.map { "\($0.name) \(fallback(of: $0))" }) }

    private func fallback(of policy: ClassPolicy) -> String {
        let (own, shared) = (own(policy).map(\.name), shared(policy).map(\.name))
        var ways: [String] = []
        if own.count > 1 { ways.append("from one of \(own.listed()) to another") }
        if !shared.isEmpty && !own.isEmpty {
            let share =
                switch policy.shared {
                case .never, .spill: "for what would else miss the deadline"
                case .whenExhausted: "for what those cannot take"
                case .always: "whenever those have no room"
                }
            ways.append("to \(shared.listed()), billed by a platform, \(share)")
        }
        let chains = policy.models.values.contains { $0.count > 1 }
        if chains && policy.ladders.values.contains(where: { $0.contains(.nextModel) }) {
            ways.append("to the next model of its chain")
        }
        let limit = policy.isClosed ? ", and to nothing else" : ""
        if !ways.isEmpty { return "may fall back \(ways.listed())\(limit)" }
        if let only = own.first ?? shared.first, own.count + shared.count == 1 {
            return "does not fall back: \(only) alone may serve it\(policy.isClosed ? ", whatever happens" : "")"
        }
        if own.isEmpty && !shared.isEmpty {
            return "does not fall back: \(shared.listed()), billed by a platform, are all it has"
        }
        return "has no key now"
    }

    // MARK: Objective

    var objective: String {
        var parts: [String] = []
        for objective in Objective.allCases {
            let policies = configuration.classes.filter { $0.objective == objective }
            guard !policies.isEmpty else { continue }
            let names = policies.map(\.name).listed()
            switch objective {
            case .cost: parts.append("\(names): the lowest cost\(credits(policies))")
            case .order: parts.append("\(names): the order of the keys, whatever they cost")
            case .speed: parts.append("\(names): the fastest answer, whatever it costs")
            }
        }
        return sentence(parts)
    }

    /// What makes keys cheap for some classes.
    private func credits(_ policies: [ClassPolicy]) -> String {
        let serving = configuration.keys.filter { key in key.isUsable(at: now) && policies.contains { $0.admits(key) } }
        func names(_ isMeant: (KeyDescriptor) -> Bool) -> String? {
            let names = serving.filter(isMeant).map(\.name)
            return names.isEmpty ? nil : names.listed()
        }
        var parts: [String] = []
        if let keys = names({ $0.credit.map { !$0.isExpired(at: now) } ?? false }) {
            parts.append("the prepaid credit of \(keys)")
        }
        if let keys = names({ $0.provisionedTPM != nil }) { parts.append("the paid-for throughput of \(keys)") }
        let first = parts.isEmpty ? "" : ", \(parts.listed()) first"
        let own = names(configuration.hasOwnPrices).map { ", at the prices agreed for \($0)" } ?? ""
        return first + own
    }

    // MARK: Strict work

    var strict: String {
        let closed = configuration.classes.filter(\.isClosed)
        let open = configuration.classes.filter { !$0.isClosed }.map(\.name)
        guard !closed.isEmpty else {
            return "No class is strict or under governance: each may use any key that suits it."
        }
        let words = closed.map { policy in
            let keys = configuration.keys(for: policy).map(\.name)
            return "\(policy.name) never leaves \(keys.isEmpty ? "its keys" : keys.listed()), for any reason"
        }
        let rest =
            open.isEmpty ? [] : ["\(open.listed()) may use any key that suits \(open.count == 1 ? "it" : "them")"]
        return sentence(words + rest)
    }

    // MARK: Usage

    var usage: String {
        var parts: [String] = []
        var free: [String] = []
        for policy in configuration.classes {
            guard let budget = policy.budget else {
                free.append(policy.name)
                continue
            }
            let then =
                switch budget.then {
                case .park: "then it parks"
                case .defer: "then it waits for the next"
                case .fail: "then its jobs fail"
                }
            parts.append(
                "\(policy.name) spends at most \(budget.limit.text) US dollars a \(budget.per.rawValue), \(then)")
        }
        if !free.isEmpty { parts.append("\(free.listed()) \(free.count == 1 ? "has" : "have") no budget") }
        let quotas =
            configuration.keys.compactMap { key in key.quota.map { "\(key.name) \($0.text)" } }
            + configuration.pools.compactMap { pool in pool.quota.map { "pool \(pool.name) \($0.text)" } }
        if !quotas.isEmpty { parts.append("hard stops: \(quotas.listed())") }
        parts.append(
            "`status` and `keys` tell what is spent and left, `report --by bill` both bills and each credit or allowance that "
                + "ends, `explain` every attempt, and `run` says when traffic moves to another bill")
        return sentence(parts)
    }

    // MARK: Words

    private func sentence(_ parts: [String]) -> String { parts.joined(separator: "; ") + "." }
}

extension Configuration {
    /// The last day before a moment, as it is written in the configuration.
    func lastDay(_ end: Timestamp) -> String {
        let time = LocalTime(zone: timeZone)
        let text = String(LocalTime.number(ofDay: time.day(at: end - .milliseconds(1))))
        return "\(text.prefix(4))-\(text.dropFirst(4).prefix(2))-\(text.suffix(2))"
    }

    /// Whether a key's owner has agreed on prices for it.
    fileprivate func hasOwnPrices(_ key: KeyDescriptor) -> Bool { priceBook.terms[key.name] != nil }
}
