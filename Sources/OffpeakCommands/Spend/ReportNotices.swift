import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

/// Something in the books that a person should know.
struct ReportNotice: Equatable {
    enum Kind: String {
        /// A class's traffic went to another bill.
        case movedBill = "moved_bill"
        case credit
        case allowance
        /// A platform took more than its fee, or served with a key of one's own what was to be its own capacity.
        case fee
        case unpriced
        /// Lost answers, counted at their worst.
        case unknown
    }

    var kind: Kind
    var className: String?
    var key: String?
    var message: String

    func write(to writer: inout JSONWriter) {
        writer.member("kind", kind.rawValue)
        if let className { writer.member("class", className) }
        if let key { writer.member("key", key) }
        writer.member("message", message)
    }
}

/// Looks through the ledger's sums for what a total does not show.
struct ReportNotices {
    let lines: [SpendLine]
    /// Nil where there is none: then nothing is told of credits, allowances and prices.
    let configuration: Configuration?
    let reader: QueueReader
    let wall: Timestamp

    /// `everything` is the whole ledger: credits and allowances do not begin with the report.
    func all(everything: [SpendLine]) throws -> [ReportNotice] {
        var notices = try moves()
        if let configuration {
            let calendar = CalendarPosition(containing: wall, in: configuration.timeZone)
            for key in configuration.keys {
                let money = KeyMoney(key, in: configuration, lines: everything, calendar: calendar, now: wall)
                notices += [credit(money), allowance(money), fee(of: money)].compactMap { $0 }
            }
            notices += unpriced(configuration)
        }
        let total = SpendTotal(lines)
        if total.unknownAttempts > 0 {
            let one = total.unknownAttempts == 1
            let answers = Words.count(total.unknownAttempts, "answer")
            notices.append(
                ReportNotice(
                    kind: .unknown,
                    message: "\(answers) \(one ? "was" : "were") lost, or did not tell \(one ? "its" : "their") usage: "
                        + "\(total.unknown.billed.text) USD are counted as spent for \(one ? "it" : "them"), the most possible"
                ))
        }
        return notices
    }

    // MARK: Bills

    /// A class's traffic on one key and bill.
    private struct Stretch {
        var key: String
        var bill: Billing
        var first: SpendLine.Mark
        var last: Timestamp

        /// `keys a and b (the provider's bill) and key c (the platform's credits)`
        static func names(_ stretches: [Stretch]) -> String {
            stretches.grouped { $0.bill == $1.bill }.map { same in
                "\(Words.list("key", same.map(\.key))) (\(same[0].bill.words))"
            }.listed()
        }
    }

    private func moves() throws -> [ReportNotice] {
        var stretches: [String: [Stretch]] = [:]
        for line in lines {
            guard let first = line.first, let last = line.last else { continue }
            let route = line.row.route
            let name = line.row.className
            if let i = stretches[name]?.firstIndex(where: { $0.key == route.key && $0.bill == route.bill }) {
                if first.recorded < stretches[name]![i].first.recorded { stretches[name]![i].first = first }
                stretches[name]![i].last = max(stretches[name]![i].last, last)
            } else {
                stretches[name, default: []].append(
                    Stretch(key: route.key, bill: route.bill, first: first, last: last))
            }
        }
        return try stretches.sorted { $0.key < $1.key }.flatMap { name, all in
            try moves(of: name, all.sorted { ($0.first.recorded, $0.key) < ($1.first.recorded, $1.key) })
        }
    }

    /// `all` are in the order in which they began.
    private func moves(of className: String, _ all: [Stretch]) throws -> [ReportNotice] {
        var notices: [ReportNotice] = []
        for (index, later) in all.enumerated() {
            let before = all[..<index].filter { $0.bill != later.bill }
            guard !before.isEmpty, !all[..<index].contains(where: { $0.bill == later.bill }),
                before[0].first.recorded < later.first.recorded
            else { continue }
            let begins = TimeText.rfc3339(later.first.recorded)
            let ended = before.map(\.last).max() ?? later.first.recorded
            let earlier = Stretch.names(before)
            // All that has gone to this bill since then, whichever key began it.
            let moved = all[index...].filter { $0.bill == later.bill }
            let (others, last) = (Stretch.names(moved), moved.map(\.last).max() ?? later.last)
            var text: String
            if ended <= later.first.recorded {
                text =
                    "class \(className) used \(earlier) until \(TimeText.rfc3339(ended)) and \(others) since \(begins)"
            } else if ended <= last {
                text = "class \(className), on \(earlier) before, has also used \(others) since \(begins)"
            } else {
                text = "class \(className), on \(earlier) otherwise, also used \(others) from \(begins) to "
                text += TimeText.rfc3339(last)
            }
            let passed = try reader.passedOver(job: later.first.job, lease: later.first.lease) ?? ""
            let reasons = PassedKey.list(passed).filter { key in before.contains { $0.key == key.key } }
            if !reasons.isEmpty { text += ": " + reasons.map { "\($0.key): \($0.reason)" }.joined(separator: "; ") }
            notices.append(ReportNotice(kind: .movedBill, className: className, key: later.key, message: text))
        }
        return notices
    }

    // MARK: Keys

    private func credit(_ money: KeyMoney) -> ReportNotice? {
        guard let credit = money.key.credit else { return nil }
        let whole = "credit of \(credit.amount.text) USD of key \(money.key.name)"
        let message: String
        if money.creditIsExpired {
            message = "the \(whole) has expired"
        } else if money.creditLeft == .zero {
            message = "the \(whole) is used up"
        } else if money.creditLeft <= Self.little(of: credit.amount) {
            message = "the \(whole) is nearly used up: \(money.creditLeft.text) USD are left"
        } else if let expires = credit.expires, expires - wall < .days(7) {
            message = "the \(whole) expires at \(TimeText.rfc3339(expires)) with \(money.creditLeft.text) USD left"
        } else {
            return nil
        }
        return ReportNotice(kind: .credit, key: money.key.name, message: message)
    }

    private func allowance(_ money: KeyMoney) -> ReportNotice? {
        guard let fee = money.fee else { return nil }
        let left: String
        let isUsedUp: Bool
        switch (fee.allowance, money.allowanceLeft) {
        case (.money(let limit)?, .money(let rest)?) where rest <= Self.little(of: limit):
            (left, isUsedUp) = ("\(rest.text) of \(limit.text) USD", rest == .zero)
        case (.requests(let limit)?, .requests(let rest)?) where rest <= limit / 10:
            (left, isUsedUp) = ("\(rest) of \(limit) requests", rest == 0)
        default: return nil
        }
        let percent = MoneyText.percent(millionths: fee.shareMillionths)
        var message = "the fee-free allowance of key \(money.key.name) for this \(fee.per.rawValue) is "
        message += isUsedUp ? "used up: the platform takes \(percent) %" : "nearly used up: \(left) are left"
        return ReportNotice(kind: .allowance, key: money.key.name, message: message)
    }

    /// A platform that took more than its fee served a part from its own capacity; and one that did not take all has a
    /// provider's key.
    private func fee(of money: KeyMoney) -> ReportNotice? {
        let total = SpendTotal(lines.filter { $0.row.route.key == money.key.name })
        if money.key.billing == .platform, total.charge.provider + total.charge.credit > .zero {
            return ReportNotice(
                kind: .fee, key: money.key.name,
                message: "key \(money.key.name) is stated as the platform's capacity, and a provider billed "
                    + "\((total.charge.provider + total.charge.credit).text) USD for it: the platform used a provider key of your "
                    + "own. State `billing: \"router-byok\"` with its `fee`")
        }
        guard let fee = money.fee else { return nil }
        // Each attempt's fee may have been rounded up by itself.
        let most = total.charge.list.share(millionths: fee.shareMillionths) + Money(nanodollars: Int64(total.attempts))
        guard total.charge.platform > most, total.charge.list > .zero else { return nil }
        return ReportNotice(
            kind: .fee, key: money.key.name,
            message: "the platform took \(total.charge.platform.text) USD for key \(money.key.name), and its fee is "
                + "\(most.text) USD at most: a part ran on the platform's credits, not on your own key")
    }

    /// A tenth.
    private static func little(of money: Money) -> Money { money.share(millionths: 100_000) }

    private func unpriced(_ configuration: Configuration) -> [ReportNotice] {
        var tokens: [[String]: Int] = [:]
        for line in configuration.unpriced(lines) {
            tokens[[line.row.route.key, line.row.route.model], default: 0] += line.row.usage.totalTokens
        }
        return tokens.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { place, count in
            ReportNotice(
                kind: .unpriced, key: place[0],
                message:
                    "the price of \(place[1]) on key \(place[0]) is unknown: its \(count) tokens are not in the sums; "
                    + "state it in `keys.\(place[0]).prices`")
        }
    }
}
