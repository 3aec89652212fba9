/// A calendar period in the configured time zone; weeks begin on Monday.
package enum Period: String, CaseIterable, Sendable {
    case day, week, month
}

/// A hard stop of our own for a key or a pool: at most so much per period. What is nil is not limited.
package struct Quota: Hashable, Sendable {
    /// The value of the traffic at the key's prices, prepaid credit included.
    package var money: Money?
    package var requests: Int?
    /// Input and output together.
    package var tokens: Int?
    package var per: Period

    package init(money: Money? = nil, requests: Int? = nil, tokens: Int? = nil, per: Period) {
        self.money = money
        self.requests = requests
        self.tokens = tokens
        self.per = per
    }
}

/// Prepaid at the provider: it is spent first, so traffic costs nothing more until it is used up or expires.
package struct Credit: Hashable, Sendable {
    /// A calendar day: its number, such as 20261124, and its first moment.
    package struct Day: Hashable, Sendable {
        package var number: Int
        package var begins: Timestamp

        package init(number: Int, begins: Timestamp) {
            self.number = number
            self.begins = begins
        }
    }

    package var amount: Money
    /// What the key has sent from this day on is taken from it; nil: all that the key has ever sent.
    package var since: Day?
    /// The first moment at which it is worth nothing; nil: never.
    package var expires: Timestamp?

    package init(amount: Money, since: Day? = nil, expires: Timestamp? = nil) {
        self.amount = amount
        self.since = since
        self.expires = expires
    }

    /// Whether it is worth nothing any more.
    package func isExpired(at now: Timestamp) -> Bool { now >= expires ?? .distantFuture }

    /// Whether what was sent at a moment, and is charged now, can be taken from it.
    package func isGood(for sent: Timestamp, at now: Timestamp) -> Bool {
        now < expires ?? .distantFuture && sent >= since?.begins ?? .distantPast
    }

    /// Whether what was taken from a key's credit on a day was taken from this one.
    package func counts(_ day: Int) -> Bool { day >= since?.number ?? 0 }
}

/// What a routing platform takes for traffic through the user's own provider key.
package struct PlatformFee: Hashable, Sendable {
    /// What is free per period.
    package enum Allowance: Hashable, Sendable {
        /// Traffic worth so much at list price.
        case money(Money)
        case requests(Int)
    }

    /// The fee as a share of the list price, in millionths: 5 % is 50,000.
    package var shareMillionths: Int
    package var allowance: Allowance?
    package var per: Period

    package init(shareMillionths: Int, allowance: Allowance? = nil, per: Period = .month) {
        self.shareMillionths = shareMillionths
        self.allowance = allowance
        self.per = per
    }
}

/// The most that a workload class may cost, on both bills together.
package struct Budget: Hashable, Sendable {
    package enum Scope: String, CaseIterable, Sendable {
        /// Each batch for itself.
        case batch
        case day, week, month

        /// The calendar period; nil for a batch.
        package var period: Period? { Period(rawValue: rawValue) }
    }

    /// What becomes of a job that does not fit any more.
    package enum End: String, CaseIterable, Sendable {
        case park, `defer`, fail
    }

    package var limit: Money
    package var per: Scope
    package var then: End

    package init(limit: Money, per: Scope, then: End = .park) {
        self.limit = limit
        self.per = per
        self.then = then
    }
}
