import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

/// The money side of a key, as the ledger has it: what is left of its quota, its credit and its allowance.
struct KeyMoney {
    let key: KeyDescriptor
    /// What it cost so far.
    let total: SpendTotal
    /// What the answers to what was sent on the present day have used.
    let tokensToday: Int
    /// What its fee came to in the fee's period.
    let feeSoFar: Money
    let poolQuota: (quota: Quota, used: PeriodUse.Amount)?
    private let account: KeyAccount
    private let ends: PeriodEnds
    private let now: Timestamp

    init(
        _ key: KeyDescriptor, in configuration: Configuration, lines: [SpendLine], calendar: CalendarPosition,
        now: Timestamp
    ) {
        self.key = key
        self.now = now
        ends = calendar.ends
        var account = KeyAccount(key)
        account.turn(calendar)
        var feeSoFar = Money.zero
        let own = lines.filter { $0.row.route.key == key.name }
        for row in own.map(\.row) {
            account.recall(
                quota: row.isIn(key.quota?.per, calendar) ? row.amount : PeriodUse.Amount(),
                fee: row.isIn(account.fee?.per, calendar)
                    ? PeriodUse.Amount(money: row.charge.list, requests: row.requests) : PeriodUse.Amount(),
                creditUsed: key.credit?.counts(row.day) == true ? row.charge.credit : .zero)
            if let fee = account.fee, row.isIn(fee.per, calendar) { feeSoFar += row.charge.platform }
        }
        self.account = account
        self.feeSoFar = feeSoFar
        total = SpendTotal(own)
        tokensToday = own.filter { $0.row.day == calendar.day }.reduce(0) { $0 + $1.row.usage.totalTokens }
        let pool = configuration.pools.first { $0.name == key.pool }
        if let quota = pool?.quota {
            let members = Set(configuration.keys.filter { $0.pool == key.pool }.map(\.name))
            let rows = lines.map(\.row).filter { members.contains($0.route.key) && $0.isIn(quota.per, calendar) }
            poolQuota = (quota, rows.reduce(PeriodUse.Amount()) { $0 + $1.amount })
        } else {
            poolQuota = nil
        }
    }

    var creditLeft: Money { creditIsExpired ? .zero : account.creditLeft }
    var creditIsExpired: Bool { key.credit?.expires.map { $0 <= now } ?? false }
    var allowanceLeft: PlatformFee.Allowance? { account.allowanceLeft }
    /// The fee's terms; nil for keys that no platform takes one for.
    var fee: PlatformFee? { account.fee }

    // MARK: JSON

    func write(to writer: inout JSONWriter) {
        writer.object("quota") { object in
            if let quota = key.quota { write(quota, used: account.quotaUse.settled, to: &object) }
        }
        if let (quota, used) = poolQuota {
            writer.object("pool_quota") { write(quota, used: used, to: &$0) }
        }
        writer.object("credit") {
            guard let credit = key.credit else { return }
            $0.member("usd", credit.amount.text)
            $0.member("left_usd", creditLeft.text)
            $0.member("since", credit.since?.begins)
            $0.member("expires", credit.expires)
        }
        writer.object("fee") {
            guard let fee else { return }
            $0.member("percent", MoneyText.percent(millionths: fee.shareMillionths))
            switch (fee.allowance, allowanceLeft) {
            case (.money(let limit)?, .money(let left)?):
                $0.member("allowance_usd", limit.text)
                $0.member("allowance_left_usd", left.text)
            case (.requests(let limit)?, .requests(let left)?):
                $0.member("allowance_requests", limit)
                $0.member("allowance_left_requests", left)
            default: break
            }
            $0.member("per", fee.per.rawValue)
            $0.member("resets", ends[fee.per])
            $0.member("so_far_usd", feeSoFar.text)
        }
        writer.object("provisioned") {
            if let tpm = key.provisionedTPM { $0.member("tpm", tpm) }
        }
        writer.member("valid_until", key.validUntil)
        total.write(to: &writer)
    }

    private func write(_ quota: Quota, used: PeriodUse.Amount, to writer: inout JSONWriter) {
        if let limit = quota.money {
            writer.member("usd", limit.text)
            writer.member("left_usd", max(.zero, limit - used.money).text)
        }
        if let limit = quota.requests {
            writer.member("requests", limit)
            writer.member("left_requests", max(0, limit - used.requests))
        }
        if let limit = quota.tokens {
            writer.member("tokens", limit)
            writer.member("left_tokens", max(0, limit - used.tokens))
        }
        writer.member("per", quota.per.rawValue)
        writer.member("resets", ends[quota.per])
    }

    // MARK: Text

    var lines: [String] {
        var lines = ["    billing: \(key.billing.words); so far \(total.words)"]
        if let quota = key.quota { lines.append("    quota: " + left(quota, account.quotaUse.settled)) }
        if let (quota, used) = poolQuota {
            lines.append("    quota of pool \(key.pool ?? ""): " + left(quota, used))
        }
        if let credit = key.credit {
            var text = "    credit: \(creditLeft.text) of \(credit.amount.text) USD left"
            if let since = credit.since { text += ", from \(TimeText.rfc3339(since.begins))" }
            if let expires = credit.expires {
                text += creditIsExpired ? ", expired " : ", until "
                text += TimeText.rfc3339(expires)
            }
            lines.append(text)
        }
        if let tpm = key.provisionedTPM { lines.append("    provisioned: \(tpm) tokens a minute at no further cost") }
        if let fee {
            var text = "    fee: \(MoneyText.percent(millionths: fee.shareMillionths)) % of the list price"
            switch (fee.allowance, allowanceLeft) {
            case (.money(let limit)?, .money(let left)?):
                text += " above \(limit.text) USD a \(fee.per.rawValue), of which \(left.text) USD are left"
            case (.requests(let limit)?, .requests(let left)?):
                text += " above \(limit) requests a \(fee.per.rawValue), of which \(left) are left"
            default: break
            }
            lines.append(text + "; \(feeSoFar.text) USD this \(fee.per.rawValue)")
        }
        if let until = key.validUntil { lines.append("    secret valid until \(TimeText.rfc3339(until))") }
        return lines
    }

    private func left(_ quota: Quota, _ used: PeriodUse.Amount) -> String {
        var parts: [String] = []
        if let limit = quota.money {
            parts.append("\(max(.zero, limit - used.money).text) of \(limit.text) USD left")
        }
        if let limit = quota.requests { parts.append("\(max(0, limit - used.requests)) of \(limit) requests left") }
        if let limit = quota.tokens { parts.append("\(max(0, limit - used.tokens)) of \(limit) tokens left") }
        return parts.joined(separator: ", ") + " this \(quota.per.rawValue), until \(TimeText.rfc3339(ends[quota.per]))"
    }
}

extension CalendarPosition {
    /// Whether a day belongs to the present period; without one, every day does.
    func isPresent(_ day: Int, in period: Period?) -> Bool { period.map { day >= began[$0] ?? 0 } ?? true }
}

extension SpendRow {
    /// Whether it counts in the present period; without one, everything does.
    func isIn(_ period: Period?, _ calendar: CalendarPosition) -> Bool { calendar.isPresent(day, in: period) }

    /// What a quota counts of it.
    var amount: PeriodUse.Amount {
        PeriodUse.Amount(money: charge.value, requests: requests, tokens: tokens)
    }
}

extension MoneyText {
    /// `5` of 50,000 millionths, `5.5` of 55,000.
    static func percent(millionths: Int) -> String {
        var digits = String(1_000_000 + millionths % 10_000 * 100)
        digits.removeFirst()
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(millionths / 10_000)" + (digits.isEmpty ? "" : ".\(digits)")
    }
}
