import OffpeakCore
import Testing

@Suite struct `Use per calendar period` {
    private static let ten = PeriodUse.Amount(money: nano(10), requests: 1, tokens: 10)

    @Test(arguments: [(Period.day, [1, 2, 3]), (.week, [7, 14, 21]), (.month, [28, 56, 84])])
    func `begins anew exactly with its own period`(_ period: Period, _ turns: [Int]) {
        var use = PeriodUse(period)
        for day in 0..<90 {
            use.turn(calendar(day))
            let expected = day - (turns.reduce(0) { $1 <= day ? $1 : $0 })
            // Longer than the three turns that are listed.
            guard day < turns[2] else { break }
            #expect(use.settled.requests == expected, "day \(day)")
            use.settle(Self.ten, used: Self.ten, number: use.reserve(Self.ten))
        }
    }

    @Test func `without a period never does`() {
        var use = PeriodUse(nil)
        for day in 0..<90 {
            use.turn(calendar(day))
            use.settle(Self.ten, used: Self.ten, number: use.reserve(Self.ten))
        }
        #expect(use.settled.requests == 90 && use.ends == .distantFuture)
    }

    @Test func `what was reserved before a turn is settled in the period that it began in`() {
        var use = PeriodUse(.day)
        use.turn(calendar(0))
        let number = use.reserve(Self.ten)
        use.turn(calendar(1))
        #expect(use.reserved == PeriodUse.Amount() && use.settled == PeriodUse.Amount())
        let present = use.reserve(Self.ten)
        use.settle(Self.ten, used: Self.ten, number: number)
        #expect(use.reserved == Self.ten && use.settled == PeriodUse.Amount())
        use.settle(Self.ten, used: Self.ten, number: present)
        #expect(use.reserved == PeriodUse.Amount() && use.settled == Self.ten)
    }

    @Test func `a clock that is put back and forth again across midnight forgets nothing`() {
        var use = PeriodUse(.day)
        use.turn(calendar(4))
        use.settle(Self.ten, used: Self.ten, number: use.reserve(Self.ten))
        use.turn(calendar(3))
        #expect(use.settled == Self.ten)
        use.turn(calendar(4))
        #expect(use.settled == Self.ten)
        use.turn(calendar(5))
        #expect(use.settled == PeriodUse.Amount())
    }

    @Test(arguments: Period.allCases)
    func `a period whose end is reckoned anew, or moved by a clock that is set, stays the same one`(_ period: Period) {
        var use = PeriodUse(period)
        use.turn(calendar(3))
        use.settle(Self.ten, used: Self.ten, number: use.reserve(Self.ten))
        let held = use.reserve(Self.ten)
        for shift in [1, -1, 300_000, -300_000, 2] as [Int64] {
            var moved = calendar(3)
            let ends = moved.ends
            moved.ends = PeriodEnds(
                day: ends.day + .milliseconds(shift), week: ends.week + .milliseconds(shift),
                month: ends.month + .milliseconds(shift))
            use.turn(moved)
            #expect(use.settled == Self.ten && use.reserved == Self.ten, "moved by \(shift) ms")
            #expect(use.ends == moved.ends[period])
        }
        use.settle(Self.ten, used: Self.ten, number: held)
        #expect(use.settled == Self.ten + Self.ten && use.reserved == PeriodUse.Amount())
    }

    @Test func `tells what never fits from what does not fit now`() {
        var use = PeriodUse(.day)
        func fit(_ money: Int64) -> PeriodUse.Fit {
            use.fit(PeriodUse.Amount(money: nano(money)), money: nano(30), requests: nil, tokens: nil)
        }
        #expect(fit(30) == .fits && fit(31) == .never && fit(0) == .fits)
        let number = use.reserve(PeriodUse.Amount(money: nano(20)))
        #expect(fit(10) == .fits && fit(11) == .later && fit(31) == .never)
        use.settle(PeriodUse.Amount(money: nano(20)), used: PeriodUse.Amount(money: nano(15)), number: number)
        #expect(fit(15) == .fits && fit(16) == .used && fit(31) == .never)
    }
}

@Suite struct `Budgets` {
    /// One thing that a budget paid for or holds money for.
    private struct Item {
        var batch: BatchID
        var day: Int
        var number: Int
        var worst: Money
        var spent: Money?
    }

    private static func length(_ scope: Budget.Scope) -> Int? {
        switch scope {
        case .batch: nil
        case .day: 1
        case .week: 7
        case .month: 28
        }
    }

    @Test(arguments: Budget.Scope.allCases)
    func `agree with a list of everything that was ever spent, and are never passed`(_ scope: Budget.Scope) {
        for seed in 1...40 as ClosedRange<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let comment = rerun("Budgets", seed: seed)
            let limit = nano(.random(in: 50...400, using: &generator))
            var account = BudgetAccount(Budget(limit: limit, per: scope))
            var items: [Item] = []
            var day = 0
            account.turn(calendar(day))
            func present(_ batch: BatchID) -> [Item] {
                guard let length = Self.length(scope) else { return items.filter { $0.batch == batch } }
                return items.filter { $0.day / length == day / length }
            }
            for _ in 0..<400 {
                let batch = BatchID.random(in: 1...3, using: &generator)
                switch Int.random(in: 0..<8, using: &generator) {
                case 0:
                    day += Int.random(in: 1...4, using: &generator)
                    account.turn(calendar(day))
                case 1...4:
                    let worst = nano(.random(in: 0...120, using: &generator))
                    let all = present(batch)
                    let settled = all.reduce(Money.zero) { $0 + ($1.spent ?? .zero) }
                    let held = all.reduce(Money.zero) { $0 + ($1.spent == nil ? $1.worst : .zero) }
                    let expected: PeriodUse.Fit =
                        if settled + held + worst <= limit {
                            .fits
                        } else if worst > limit {
                            .never
                        } else if settled + worst > limit || held == .zero { .used } else { .later }
                    #expect(account.fit(worst, batch: batch) == expected, "\(comment)")
                    #expect(account.used(batch: batch) == (settled, held), "\(comment)")
                    guard expected == .fits else { break }
                    items.append(
                        Item(
                            batch: batch, day: day, number: account.reserve(worst, batch: batch), worst: worst))
                default:
                    guard let i = items.indices.filter({ items[$0].spent == nil }).randomElement(using: &generator)
                    else { break }
                    let spent = nano(.random(in: 0...items[i].worst.nanodollars, using: &generator))
                    account.settle(items[i].worst, spent: spent, batch: items[i].batch, number: items[i].number)
                    items[i].spent = spent
                }
                for batch in 1...3 as ClosedRange<BatchID> {
                    let used = account.used(batch: batch)
                    #expect(used.spent + used.reserved <= limit, "\(comment)")
                }
            }
            #expect(items.count > 20)
        }
    }

    @Test func `of calendar periods renew, of batches never`() {
        for scope in Budget.Scope.allCases {
            var account = BudgetAccount(Budget(limit: nano(1), per: scope))
            account.turn(calendar(0))
            #expect(account.renews == scope.period.map { calendar(0).ends[$0] })
        }
    }
}
