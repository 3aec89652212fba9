/// What one attempt costs, and who takes it. There are two bills: the provider's invoice, and a platform's credits.
package struct Charge: Hashable, Sendable {
    /// On the provider's invoice.
    package var provider: Money
    /// Taken from a platform's credits: the whole price, or the fee on traffic through the user's own key.
    package var platform: Money
    /// Covered by credit that was prepaid at the provider.
    package var credit: Money
    /// The value at list price: what a platform's fee and its allowance count.
    package var list: Money

    package init(
        provider: Money = .zero, platform: Money = .zero, credit: Money = .zero, list: Money = .zero
    ) {
        self.provider = provider
        self.platform = platform
        self.credit = credit
        self.list = list
    }

    /// Both bills: what a budget counts. Prepaid credit is paid already.
    package var billed: Money { provider + platform }
    /// The traffic's value at the key's prices: what a quota counts.
    package var value: Money { provider + platform + credit }

    package static func + (a: Charge, b: Charge) -> Charge {
        Charge(
            provider: a.provider + b.provider, platform: a.platform + b.platform, credit: a.credit + b.credit,
            list: a.list + b.list)
    }
    package static func - (a: Charge, b: Charge) -> Charge {
        Charge(
            provider: a.provider - b.provider, platform: a.platform - b.platform, credit: a.credit - b.credit,
            list: a.list - b.list)
    }
}

/// What the ledger records of an attempt. Entries are only ever added; a total is the sum of its entries.
package struct LedgerEntry: Hashable, Sendable {
    package enum Kind: Int, Sendable {
        /// The answer said what it used.
        case settled = 0
        /// The answer was lost: the worst case counts as spent.
        case assumed = 1
        /// A lost answer came after all: the difference to what had been assumed.
        case corrected = 2
    }

    package var kind: Kind
    package var route: LedgerRoute
    package var charge: Charge
    package var usage: Usage
    /// Requests that quotas and allowances count: none for what was turned away.
    package var requests: Int
    /// Tokens that quotas count. For a lost answer those of its worst case, of which `usage` knows nothing.
    package var tokens: Int
    /// The calendar day (such as 20261124) on which the attempt began, which is the one whose quotas and budgets it uses.
    package var day: Int

    package init(
        kind: Kind, route: LedgerRoute, charge: Charge, usage: Usage, requests: Int = 1, tokens: Int? = nil, day: Int
    ) {
        self.kind = kind
        self.route = route
        self.charge = charge
        self.usage = usage
        self.requests = requests
        self.tokens = tokens ?? usage.totalTokens
        self.day = day
    }

    /// An event of the books, and not only an attempt that left nothing behind.
    package var isWorthKeeping: Bool { usage != Usage() || charge != Charge() || requests != 0 || tokens != 0 }
}

/// How an attempt travelled, and on whose bill.
package struct LedgerRoute: Hashable, Sendable {
    package var key: String
    package var bill: Billing
    package var lane: Lane
    /// The provider's name of the model.
    package var model: String

    package init(key: String, bill: Billing, lane: Lane, model: String) {
        self.key = key
        self.bill = bill
        self.lane = lane
        self.model = model
    }
}

/// The sum of a day's entries that are alike in everything that reports tell apart. Kept for ever, also when the batch
/// itself is pruned.
package struct SpendRow: Hashable, Sendable {
    package var route: LedgerRoute
    package var className: String
    package var batch: BatchID
    package var day: Int
    /// Attempts that ended, whatever came of them.
    package var attempts: Int
    /// Attempts that brought an answer.
    package var answers: Int
    /// Requests that quotas and allowances count.
    package var requests: Int
    /// Tokens that quotas count.
    package var tokens: Int
    package var usage: Usage
    package var charge: Charge

    package init(
        route: LedgerRoute, className: String, batch: BatchID, day: Int, attempts: Int = 0, answers: Int = 0,
        requests: Int = 0, tokens: Int = 0, usage: Usage = Usage(), charge: Charge = Charge()
    ) {
        self.route = route
        self.className = className
        self.batch = batch
        self.day = day
        self.attempts = attempts
        self.answers = answers
        self.requests = requests
        self.tokens = tokens
        self.usage = usage
        self.charge = charge
    }
}

/// The most that an attempt can cost, known before it is sent.
package struct WorstCase: Hashable, Sendable {
    package var charge: Charge
    /// Input and output together.
    package var tokens: Int

    package init(charge: Charge, tokens: Int) {
        self.charge = charge
        self.tokens = tokens
    }
}
