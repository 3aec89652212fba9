/// What has been used of something per calendar period: settled for certain, and reserved at its worst case by what is
/// under way. The two together never pass a limit.
package struct PeriodUse: Sendable, Equatable {
    /// An amount of each thing that can be limited.
    package struct Amount: Sendable, Hashable {
        package var money: Money
        package var requests: Int
        package var tokens: Int

        package init(money: Money = .zero, requests: Int = 0, tokens: Int = 0) {
            self.money = money
            self.requests = requests
            self.tokens = tokens
        }

        package static func + (a: Amount, b: Amount) -> Amount {
            Amount(money: a.money + b.money, requests: a.requests + b.requests, tokens: a.tokens + b.tokens)
        }
        package static func - (a: Amount, b: Amount) -> Amount {
            Amount(money: a.money - b.money, requests: a.requests - b.requests, tokens: a.tokens - b.tokens)
        }
    }

    /// Nil for what has no calendar period, such as a batch.
    package let period: Period?
    package private(set) var settled = Amount()
    package private(set) var reserved = Amount()
    /// The number of the day on which the period began.
    private var began: Int?
    /// When the period ends.
    package private(set) var ends = Timestamp.distantFuture
    /// Counts the periods of this run: what was reserved in an earlier one is settled there, and no longer here.
    package private(set) var number = 0

    package init(_ period: Period?) { self.period = period }

    /// Whether one more fits, and if not, whether it would once what is under way has turned out cheaper.
    package enum Fit: Sendable, Equatable {
        case fits
        /// Perhaps, when answers come.
        case later
        /// Not in this period.
        case used
        /// In no period: it alone is more than the whole limit.
        case never
    }

    /// Whether an amount fits below the limits that are given.
    package func fit(_ amount: Amount, money: Money?, requests: Int?, tokens: Int?) -> Fit {
        func passes(_ sum: Amount) -> Bool {
            if let money, sum.money > money { return true }
            if let requests, sum.requests > requests { return true }
            if let tokens, sum.tokens > tokens { return true }
            return false
        }
        if !passes(settled + reserved + amount) { return .fits }
        if passes(amount) { return .never }
        return passes(settled + amount) || reserved == Amount() ? .used : .later
    }

    /// Returns the period's number, for `settle`.
    package mutating func reserve(_ amount: Amount) -> Int {
        reserved = reserved + amount
        return number
    }

    /// What was reserved has turned out; `used` is zero for what never left.
    package mutating func settle(_ amount: Amount, used: Amount, number: Int) {
        guard number == self.number else { return }
        reserved = reserved - amount
        settled = settled + used
    }

    /// What earlier runs used in the present period.
    package mutating func recall(_ used: Amount) { settled = settled + used }

    /// The calendar as it stands: a period that began on a later day is a new one, in which nothing is used yet. Its end says
    /// nothing of that: it is reckoned anew at each look and moves with a wall clock that is set. A clock that is put back
    /// does not bring an old period back: when it comes forward again, what was used would be forgotten.
    package mutating func turn(_ calendar: CalendarPosition) {
        guard let period, let day = calendar.began[period], day >= began ?? day else { return }
        if let began, day > began {
            (settled, reserved) = (Amount(), Amount())
            number += 1
        }
        (began, ends) = (day, calendar.ends[period])
    }
}

/// Where a moment lies in the calendar of the configured zone.
package struct CalendarPosition: Sendable, Equatable {
    /// The day's number, such as 20261124.
    package var day: Int
    package var ends: PeriodEnds
    /// The numbers of the days on which the present day, week and month began.
    package var began: [Period: Int]

    package init(day: Int, ends: PeriodEnds, began: [Period: Int]) {
        self.day = day
        self.ends = ends
        self.began = began
    }
}

/// When the present day, week and month end, as instants.
package struct PeriodEnds: Sendable, Equatable {
    package var day: Timestamp
    package var week: Timestamp
    package var month: Timestamp

    package init(day: Timestamp, week: Timestamp, month: Timestamp) {
        self.day = day
        self.week = week
        self.month = month
    }

    package subscript(_ period: Period) -> Timestamp {
        switch period {
        case .day: day
        case .week: week
        case .month: month
        }
    }
}
