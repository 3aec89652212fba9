/// The money side of one key: its quota, prepaid credit, provisioned throughput and platform fee.
///
/// An attempt is reserved at its worst case before it leaves and settled with what it used. The worst case takes nothing
/// for granted: no credit, no provisioned room, no allowance.
package struct KeyAccount: Sendable {
    /// What a reservation took, kept with the attempt.
    package struct Hold: Sendable {
        fileprivate var amount: PeriodUse.Amount
        fileprivate var quotaNumber: Int
        fileprivate var feeNumber: Int
        /// Its place in the provisioned throughput and the tokens that it took there, if it runs on that.
        fileprivate var throughput: (place: Int, tokens: Int)?
        fileprivate var sent: Timestamp
        /// It runs on provisioned throughput: only what it turns out to take above that is billed.
        package var isProvisioned: Bool { throughput != nil }
        /// The list value that it will probably have.
        fileprivate var list: Money
    }

    package let billing: Billing
    package let quota: Quota?
    package let fee: PlatformFee?
    package let credit: Credit?
    package private(set) var quotaUse: PeriodUse
    /// The list value and number of requests in the fee's period, which its allowance counts.
    package private(set) var feeUse: PeriodUse
    /// The fee's period before the present one: what was sent in it is charged to its allowance, also when it ends later.
    private var closedFee: (number: Int, settled: PeriodUse.Amount)?
    /// Prepaid and not used yet, expiry aside.
    package private(set) var creditLeft: Money
    private var provisioned: ProvisionedThroughput?
    /// The list value that what is under way will probably have, and use up of allowance and credit.
    private var listExpected = Money.zero

    package init(_ key: KeyDescriptor) {
        billing = key.billing
        quota = key.quota
        fee = key.billing == .routerBYOK ? key.fee : nil
        credit = key.credit
        quotaUse = PeriodUse(key.quota?.per)
        feeUse = PeriodUse(key.fee?.per)
        creditLeft = key.credit?.amount ?? .zero
        provisioned = key.provisionedTPM.map { ProvisionedThroughput(tokensPerMinute: $0) }
    }

    // MARK: Asking

    /// Whether one more fits the quota.
    package func fit(_ worst: WorstCase) -> PeriodUse.Fit {
        guard let quota else { return .fits }
        return quotaUse.fit(
            Self.amount(worst), money: quota.money, requests: quota.requests, tokens: quota.tokens)
    }

    /// What a request would probably cost now on both bills: with credit, provisioned room and allowance as they are. What
    /// routes are compared by.
    package mutating func marginal(value: Money, list: Money, tokens: Int, at now: Timestamp) -> Money {
        if provisioned?.hasRoom(tokens, at: now) == true { return .zero }
        switch billing {
        case .platform: return value
        case .provider: return hasCredit(at: now) ? .zero : value
        case .routerBYOK:
            return (hasCredit(at: now) ? .zero : value) + feeOn(list, used: feeUse.settled + feeUse.reserved)
        }
    }

    /// Tokens that the provisioned throughput takes until a moment; nil where there is none.
    package mutating func provisionedTokens(until end: Timestamp, at now: Timestamp) -> Int? {
        provisioned?.capacity(until: end, at: now)
    }

    /// When the provisioned throughput has room for so many tokens; nil: now, or there is none that could be waited for.
    package mutating func provisionedRoom(_ tokens: Int, at now: Timestamp) -> Timestamp? {
        guard provisioned?.hasRoom(tokens, at: now) == false else { return nil }
        return provisioned?.freeAt(tokens)
    }

    private func hasCredit(at now: Timestamp) -> Bool {
        credit?.isGood(for: now, at: now) == true && creditLeft > listExpected
    }

    /// The credit that what is under way will probably leave.
    package var creditToSpend: Money { max(.zero, creditLeft - listExpected) }

    /// The allowance that is left in the period; nil when there is none.
    package var allowanceLeft: PlatformFee.Allowance? {
        switch fee?.allowance {
        case nil: nil
        case .money(let limit): .money(max(.zero, limit - feeUse.settled.money))
        case .requests(let limit): .requests(max(0, limit - feeUse.settled.requests))
        }
    }

    /// The fee on traffic of a list value, what is left of the allowance taken off; nil stands for a period of which nothing
    /// is known any more.
    private func feeOn(_ list: Money, used: PeriodUse.Amount?) -> Money {
        guard let fee else { return .zero }
        var charged = list
        switch (fee.allowance, used) {
        case (nil, _), (_, nil): break
        case (.money(let limit), let used?): charged = max(.zero, list - max(.zero, limit - used.money))
        case (.requests(let limit), let used?): if used.requests < limit { charged = .zero }
        }
        return charged.share(millionths: fee.shareMillionths)
    }

    /// What counts against the allowance of the period in which a request was sent.
    private func feeUsed(_ hold: Hold) -> PeriodUse.Amount? {
        if hold.feeNumber == feeUse.number { return feeUse.settled }
        return closedFee.flatMap { $0.number == hold.feeNumber ? $0.settled : nil }
    }

    /// The most that a request worth so much at the key's and at list price can cost.
    package func worst(value: Money, list: Money, tokens: Int) -> WorstCase {
        var charge = Charge(list: list)
        switch billing {
        case .platform: charge.platform = value
        case .provider: charge.provider = value
        case .routerBYOK:
            charge.provider = value
            charge.platform = list.share(millionths: fee?.shareMillionths ?? 0)
        }
        return WorstCase(charge: charge, tokens: tokens)
    }

    // MARK: Sending and settling

    package mutating func reserve(_ worst: WorstCase, forecastTokens: Int, at now: Timestamp) -> Hold {
        let amount = Self.amount(worst)
        let part = Int64(min(forecastTokens, worst.tokens)) * 1_000_000 / Int64(max(1, worst.tokens))
        let list = worst.charge.list.share(millionths: Int(part))
        listExpected += list
        return Hold(
            amount: amount, quotaNumber: quotaUse.reserve(amount),
            feeNumber: feeUse.reserve(PeriodUse.Amount(money: worst.charge.list, requests: 1)),
            throughput: provisioned?.take(forecastTokens, at: now).map { ($0, forecastTokens) }, sent: now, list: list)
    }

    /// The request never left, or the provider did not count it: nothing is charged.
    package mutating func release(_ hold: Hold, _ worst: WorstCase) {
        free(hold, worst, used: PeriodUse.Amount(), list: .zero, requests: 0)
    }

    /// Whether an answer that does not tell what it used tells all that it costs. Nothing at all is not believed of one.
    package func tellsAll(_ reported: ReportedCost) -> Bool {
        let hasOneBill =
            switch billing {
            case .provider: true
            case .platform: reported.usedOwnKey != true
            case .routerBYOK: reported.usedOwnKey == false
            }
        return (hasOneBill ? reported.total : reported.upstream ?? .zero) > .zero
    }

    /// An answer came: what it costs by the key's terms. `value` and `list` are its price on the key and at list;
    /// what the answer itself says goes before.
    package mutating func settle(
        _ hold: Hold, _ worst: WorstCase, value: Money, list: Money, tokens: Int, reported: ReportedCost?,
        at now: Timestamp
    ) -> Charge {
        var (value, list, reported) = (value, list, reported)
        if let taken = hold.throughput {
            let above = provisioned?.settle(taken.place, taken: taken.tokens, used: tokens, at: now) ?? 0
            (value, list) = (value.part(above, of: tokens), list.part(above, of: tokens))
            // Nobody who adds up list prices knows of the throughput.
            reported = nil
        }
        var charge = Charge(list: list)
        switch billing {
        case .provider:
            // A zero is what servers say that do not know.
            charge.provider = reported.flatMap { $0.total > .zero ? $0.total : nil } ?? value
        case .routerBYOK where reported?.usedOwnKey != false:
            charge.provider = reported?.upstream ?? value
            charge.platform = reported?.platform ?? feeOn(list, used: feeUsed(hold))
        case .platform where reported?.usedOwnKey == true:
            // The platform has a provider's key of ours, and takes its fee alone.
            charge.provider = reported?.upstream ?? value
            charge.platform = reported?.platform ?? .zero
        case .platform, .routerBYOK:
            // The platform's own capacity, also where its answer says that our key was not used.
            charge.platform = reported?.total ?? value
        }
        if credit?.isGood(for: hold.sent, at: now) == true, creditLeft > .zero, charge.provider > .zero {
            charge.credit = min(creditLeft, charge.provider)
            charge.provider -= charge.credit
            creditLeft -= charge.credit
        }
        free(
            hold, worst, used: PeriodUse.Amount(money: charge.value, requests: 1, tokens: tokens), list: charge.list,
            requests: 1)
        return charge
    }

    /// The answer was lost: it counts as spent at its worst.
    package mutating func assume(_ hold: Hold, _ worst: WorstCase) {
        free(hold, worst, used: hold.amount, list: worst.charge.list, requests: 1)
    }

    private mutating func free(
        _ hold: Hold, _ worst: WorstCase, used: PeriodUse.Amount, list: Money, requests: Int
    ) {
        listExpected -= hold.list
        quotaUse.settle(hold.amount, used: used, number: hold.quotaNumber)
        let usedOfFee = PeriodUse.Amount(money: list, requests: requests)
        feeUse.settle(
            PeriodUse.Amount(money: worst.charge.list, requests: 1), used: usedOfFee, number: hold.feeNumber)
        if let closed = closedFee, closed.number == hold.feeNumber {
            closedFee?.settled = closed.settled + usedOfFee
        }
        if requests == 0, let taken = hold.throughput { provisioned?.correct(taken.place, to: 0) }
    }

    private static func amount(_ worst: WorstCase) -> PeriodUse.Amount {
        PeriodUse.Amount(money: worst.charge.value, requests: 1, tokens: worst.tokens)
    }

    // MARK: Calendar and restarts

    package mutating func turn(_ calendar: CalendarPosition) {
        quotaUse.turn(calendar)
        let before = (number: feeUse.number, settled: feeUse.settled)
        feeUse.turn(calendar)
        if feeUse.number != before.number { closedFee = before }
    }

    /// What the ledger has of this key: in the quota's period, in the fee's period, and of its present credit.
    package mutating func recall(quota: PeriodUse.Amount, fee: PeriodUse.Amount, creditUsed: Money) {
        quotaUse.recall(quota)
        feeUse.recall(fee)
        creditLeft = max(.zero, creditLeft - creditUsed)
    }

    /// A request that an earlier run sent lately: it may have taken provisioned throughput.
    package mutating func recallThroughput(_ tokens: Int, at moment: Timestamp) {
        provisioned?.recall(tokens, at: moment)
    }
}

/// Paid-for throughput: so many tokens in any minute cost nothing more.
struct ProvisionedThroughput: Sendable {
    private let limit: Int
    private var taken: [(at: Timestamp, tokens: Int)] = []
    private var first = 0
    /// Of those taken before what `taken` still has.
    private var dropped = 0
    private var sum = 0

    init(tokensPerMinute: Int) { limit = tokensPerMinute }

    mutating func hasRoom(_ tokens: Int, at now: Timestamp) -> Bool {
        forget(at: now)
        return sum + tokens <= limit
    }

    /// What was taken a minute ago is room again.
    private mutating func forget(at now: Timestamp) {
        while first < taken.count, taken[first].at + .minutes(1) <= now {
            sum -= taken[first].tokens
            first += 1
        }
        if first > 1_024 {
            taken.removeFirst(first)
            dropped += first
            first = 0
        }
    }

    /// What can be taken until a moment: what is free at once, and then each minute what the one before took.
    mutating func capacity(until end: Timestamp, at now: Timestamp) -> Int {
        guard end >= now else { return 0 }
        forget(at: now)
        let (turns, rest) = (end - now).milliseconds.quotientAndRemainder(dividingBy: 60_000)
        var left = sum
        for entry in taken[first...] where entry.at + .minutes(1) <= now + .milliseconds(rest) { left -= entry.tokens }
        return Int(clamping: Int128(limit) * Int128(turns)) + max(0, limit - left)
    }

    /// When there is room again, if nothing more is taken; nil if there never is so much.
    func freeAt(_ tokens: Int) -> Timestamp? {
        var left = sum
        for entry in taken[first...] {
            left -= entry.tokens
            if left + tokens <= limit { return entry.at + .minutes(1) }
        }
        return nil
    }

    /// Takes the room if there is enough; returns its number, for `correct` and `settle`.
    mutating func take(_ tokens: Int, at now: Timestamp) -> Int? {
        guard hasRoom(tokens, at: now) else { return nil }
        taken.append((now, tokens))
        sum += tokens
        return dropped + taken.count - 1
    }

    /// Taken by an earlier run; call in order.
    mutating func recall(_ tokens: Int, at moment: Timestamp) {
        taken.append((moment, tokens))
        sum += tokens
    }

    /// Less was used than was taken. What was taken more than a minute ago is room already.
    mutating func correct(_ number: Int, to tokens: Int) {
        let index = number - dropped
        guard index >= first else { return }
        sum -= taken[index].tokens - tokens
        taken[index].tokens = tokens
    }

    /// An answer came. Where it used more than was taken for it, the rest is taken of what has room now; returns the tokens
    /// for which there is none.
    mutating func settle(_ number: Int, taken estimate: Int, used: Int, at now: Timestamp) -> Int {
        forget(at: now)
        guard used > estimate else {
            correct(number, to: used)
            return 0
        }
        let more = min(used - estimate, max(0, limit - sum))
        if more > 0 { _ = take(more, at: now) }
        return used - estimate - more
    }
}
