import OffpeakCore
import Testing

/// The money side of one key: quota, credit, provisioned throughput, fee.
@Suite struct `Accounts of keys` {
    private static func account(_ edit: (inout KeyDescriptor) -> Void) -> KeyAccount {
        var key = KeyDescriptor(name: "k", provider: "p")
        edit(&key)
        return KeyAccount(key)
    }

    /// One request from beginning to end; returns what it cost.
    private static func pay(
        _ account: inout KeyAccount, _ value: Int64, list: Int64? = nil, tokens: Int = 10,
        reported: ReportedCost? = nil, at now: Timestamp = at(0)
    ) -> Charge {
        let worst = account.worst(value: nano(value), list: nano(list ?? value), tokens: tokens)
        let hold = account.reserve(worst, forecastTokens: tokens, at: now)
        return account.settle(
            hold, worst, value: nano(value), list: nano(list ?? value), tokens: tokens, reported: reported, at: now)
    }

    // MARK: Quota

    @Test(arguments: [
        Quota(money: nano(35), per: .day), Quota(requests: 3, per: .day), Quota(tokens: 35, per: .day),
        Quota(money: nano(1_000), requests: 3, tokens: 1_000, per: .day),
    ])
    func `a quota of dollars, requests or tokens stops before the one that would pass it`(_ quota: Quota) {
        var account = Self.account { $0.quota = quota }
        let worst = account.worst(value: nano(10), list: nano(10), tokens: 10)
        var holds: [KeyAccount.Hold] = []
        for _ in 0..<3 {
            #expect(account.fit(worst) == .fits)
            holds.append(account.reserve(worst, forecastTokens: 10, at: at(0)))
        }
        // What is in flight may turn out cheaper, except that a request remains one.
        #expect(account.fit(worst) == .later)
        for hold in holds {
            _ = account.settle(hold, worst, value: nano(10), list: nano(10), tokens: 10, reported: nil, at: at(1))
        }
        #expect(account.fit(worst) == .used)
    }

    @Test func `what turned out cheaper is room again, and so is what was never charged`() {
        var account = Self.account { $0.quota = Quota(money: nano(20), requests: 3, tokens: 20, per: .day) }
        let worst = account.worst(value: nano(10), list: nano(10), tokens: 10)
        let first = account.reserve(worst, forecastTokens: 10, at: at(0))
        let second = account.reserve(worst, forecastTokens: 10, at: at(0))
        #expect(account.fit(worst) == .later)
        _ = account.settle(first, worst, value: nano(4), list: nano(4), tokens: 6, reported: nil, at: at(1))
        #expect(account.fit(worst) == .later)
        account.release(second, worst)
        #expect(account.fit(worst) == .fits)
        #expect(account.quotaUse.settled == PeriodUse.Amount(money: nano(4), requests: 1, tokens: 6))
        #expect(account.quotaUse.reserved == PeriodUse.Amount())
    }

    @Test func `a lost answer stays spent at its worst`() {
        var account = Self.account { $0.quota = Quota(tokens: 15, per: .day) }
        let worst = account.worst(value: nano(10), list: nano(10), tokens: 10)
        account.assume(account.reserve(worst, forecastTokens: 4, at: at(0)), worst)
        #expect(account.quotaUse.settled == PeriodUse.Amount(money: nano(10), requests: 1, tokens: 10))
        #expect(account.fit(worst) == .used)
    }

    @Test func `one request that is more than the whole quota never fits`() {
        let account = Self.account { $0.quota = Quota(money: nano(9), per: .month) }
        #expect(account.fit(account.worst(value: nano(10), list: nano(10), tokens: 1)) == .never)
    }

    // MARK: Credit

    @Test func `credit is spent first, to its last nano-dollar and never beyond`() {
        var account = Self.account { $0.credit = Credit(amount: nano(25)) }
        let charges = (0..<4).map { _ in Self.pay(&account, 10) }
        #expect(charges.map(\.credit) == [10, 10, 5, 0].map(nano))
        #expect(charges.map(\.provider) == [0, 0, 5, 10].map(nano))
        #expect(charges.allSatisfy { $0.value == nano(10) && $0.list == nano(10) })
        #expect(account.creditLeft == .zero)
    }

    @Test func `credit is worth nothing from the moment of its expiry on`() {
        var account = Self.account { $0.credit = Credit(amount: nano(100), expires: at(1_000)) }
        #expect(account.marginal(value: nano(10), list: nano(10), tokens: 1, at: at(999)) == .zero)
        #expect(Self.pay(&account, 10, at: at(999)).credit == nano(10))
        #expect(account.marginal(value: nano(10), list: nano(10), tokens: 1, at: at(1_000)) == nano(10))
        #expect(Self.pay(&account, 10, at: at(1_000)) == Charge(provider: nano(10), list: nano(10)))
        #expect(account.creditLeft == nano(90))
    }

    @Test func `credit that what is in flight may use up makes nothing else cheap`() {
        var account = Self.account { $0.credit = Credit(amount: nano(20)) }
        let worst = account.worst(value: nano(20), list: nano(20), tokens: 1)
        let hold = account.reserve(worst, forecastTokens: 1, at: at(0))
        #expect(account.marginal(value: nano(3), list: nano(3), tokens: 1, at: at(0)) == nano(3))
        _ = account.settle(hold, worst, value: nano(5), list: nano(5), tokens: 1, reported: nil, at: at(1))
        #expect(account.marginal(value: nano(3), list: nano(3), tokens: 1, at: at(1)) == .zero)
    }

    @Test func `a renewed credit begins unused on its own day, and takes nothing that was sent before`() {
        let day = Credit.Day(number: 20_270_101, begins: at(1_000))
        var account = Self.account { $0.credit = Credit(amount: nano(30), since: day, expires: at(9_000)) }
        #expect(account.marginal(value: nano(10), list: nano(10), tokens: 1, at: at(999)) == nano(10))
        let worst = account.worst(value: nano(10), list: nano(10), tokens: 1)
        let early = account.reserve(worst, forecastTokens: 1, at: at(999))
        #expect(Self.pay(&account, 10, at: at(1_000)).credit == nano(10))
        let late = account.settle(
            early, worst, value: nano(10), list: nano(10), tokens: 1, reported: nil, at: at(1_001))
        #expect(late == Charge(provider: nano(10), list: nano(10)) && account.creditLeft == nano(20))
        #expect([20_261_231, 20_270_101, 20_270_102].map { account.credit?.counts($0) } == [false, true, true])
        #expect(Credit(amount: nano(1)).counts(20_200_101))
    }

    // MARK: Provisioned throughput

    @Test func `provisioned throughput costs nothing up to its rate in any minute, and the list price above`() {
        var account = Self.account { $0.provisionedTPM = 100 }
        #expect(account.marginal(value: nano(10), list: nano(10), tokens: 40, at: at(0)) == .zero)
        #expect(Self.pay(&account, 10, tokens: 40) == Charge())
        #expect(Self.pay(&account, 10, tokens: 40) == Charge())
        #expect(account.marginal(value: nano(10), list: nano(10), tokens: 40, at: at(0)) == nano(10))
        #expect(Self.pay(&account, 10, tokens: 40).provider == nano(10))
        // A smaller one still finds room.
        #expect(Self.pay(&account, 10, tokens: 20) == Charge())
        #expect(Self.pay(&account, 10, tokens: 1, at: at(59_999)).provider == nano(10))
        #expect(Self.pay(&account, 10, tokens: 100, at: at(60_000)) == Charge())
    }

    @Test func `what an answer takes above its estimate has room in the throughput, or is billed`() {
        var account = Self.account { $0.provisionedTPM = 100 }
        let worst = account.worst(value: nano(300), list: nano(300), tokens: 300)
        let holds = (0..<3).map { _ in account.reserve(worst, forecastTokens: 30, at: at(0)) }
        #expect(!holds.contains { !$0.isProvisioned })
        func settle(_ hold: KeyAccount.Hold, _ used: Int, at moment: Int64) -> Charge {
            account.settle(
                hold, worst, value: nano(Int64(used)), list: nano(Int64(2 * used)), tokens: used, reported: nil,
                at: at(moment))
        }
        // 90 are taken. Five more than the estimate have room, and five more again.
        #expect(settle(holds[0], 35, at: 1_000) == Charge())
        // Of 25 more, five have; a fifth of the answer is billed.
        #expect(settle(holds[1], 55, at: 2_000) == Charge(provider: nano(20), list: nano(40)))
        // What is less than the estimate is room for others.
        #expect(settle(holds[2], 10, at: 3_000) == Charge())
        #expect(account.marginal(value: nano(10), list: nano(10), tokens: 20, at: at(4_000)) == .zero)
        #expect(account.marginal(value: nano(10), list: nano(10), tokens: 21, at: at(4_000)) == nano(10))
    }

    @Test func `an answer that tells no usage is paid by what it says that it cost, where that is all`() {
        let (own, router) = (Self.account { _ in }, Self.router(nil))
        let platform = Self.account { $0.billing = .platform }
        #expect(own.tellsAll(ReportedCost(platform: nano(1))) && own.tellsAll(ReportedCost(upstream: nano(1))))
        #expect(!own.tellsAll(ReportedCost(platform: .zero)) && !platform.tellsAll(ReportedCost(platform: .zero)))
        #expect(platform.tellsAll(ReportedCost(platform: nano(1))))
        // Its fee alone is not all.
        #expect(!platform.tellsAll(ReportedCost(platform: nano(1), usedOwnKey: true)))
        #expect(platform.tellsAll(ReportedCost(platform: nano(1), upstream: nano(9), usedOwnKey: true)))
        #expect(!router.tellsAll(ReportedCost(platform: nano(1))))
        #expect(router.tellsAll(ReportedCost(platform: nano(1), usedOwnKey: false)))
        #expect(router.tellsAll(ReportedCost(platform: nano(1), upstream: nano(9))))
    }

    @Test func `provisioned room of a request that never left is room again`() {
        var account = Self.account { $0.provisionedTPM = 50 }
        let worst = account.worst(value: nano(9), list: nano(9), tokens: 50)
        let hold = account.reserve(worst, forecastTokens: 50, at: at(0))
        #expect(hold.isProvisioned)
        account.release(hold, worst)
        #expect(account.reserve(worst, forecastTokens: 50, at: at(1)).isProvisioned)
    }

    @Test func `what is given back is the room of that request, and not of another of its size`() {
        var account = Self.account { $0.provisionedTPM = 100 }
        let worst = account.worst(value: nano(9), list: nano(9), tokens: 50)
        let first = account.reserve(worst, forecastTokens: 50, at: at(0))
        _ = account.reserve(worst, forecastTokens: 50, at: at(30_000))
        account.release(first, worst)
        // The second one's room is taken until a minute after it was sent.
        #expect(account.reserve(worst, forecastTokens: 50, at: at(30_001)).isProvisioned)
        #expect(!account.reserve(worst, forecastTokens: 50, at: at(61_000)).isProvisioned)
        #expect(account.reserve(worst, forecastTokens: 50, at: at(90_000)).isProvisioned)
        // What is given back a minute late gives nothing back.
        var old = Self.account { $0.provisionedTPM = 50 }
        let gone = old.reserve(worst, forecastTokens: 50, at: at(0))
        _ = old.reserve(worst, forecastTokens: 50, at: at(60_000))
        old.release(gone, worst)
        #expect(!old.reserve(worst, forecastTokens: 1, at: at(60_001)).isProvisioned)
    }

    // MARK: Fee

    private static func router(_ allowance: PlatformFee.Allowance?) -> KeyAccount {
        account {
            $0.billing = .routerBYOK
            $0.fee = PlatformFee(shareMillionths: 50_000, allowance: allowance)
        }
    }

    @Test func `a router's fee is a share of the list price above an allowance in dollars`() {
        var account = Self.router(.money(nano(250)))
        // Negotiated at 80 on the provider's bill; the fee goes by the list price of 100.
        let charges = (0..<4).map { _ in Self.pay(&account, 80, list: 100) }
        #expect(charges.map(\.platform) == [0, 0, 3, 5].map(nano))  // 2.5 is rounded up
        #expect(charges.allSatisfy { $0.provider == nano(80) && $0.list == nano(100) })
        #expect(account.allowanceLeft == .money(.zero))
    }

    @Test func `an allowance in requests is free to the last of them, one after another or all at once`() {
        var account = Self.router(.requests(2))
        #expect((0..<4).map { _ in Self.pay(&account, 100).platform } == [0, 0, 5, 5].map(nano))
        #expect(account.allowanceLeft == .requests(0))
        var busy = Self.router(.requests(2))
        let worst = busy.worst(value: nano(100), list: nano(100), tokens: 1)
        let holds = (0..<4).map { _ in busy.reserve(worst, forecastTokens: 1, at: at(0)) }
        let fees = holds.map {
            busy.settle($0, worst, value: nano(100), list: nano(100), tokens: 1, reported: nil, at: at(1)).platform
        }
        #expect(fees == [0, 0, 5, 5].map(nano))
    }

    @Test func `the price of a route counts the allowance that is in flight as gone`() {
        var account = Self.router(.requests(1))
        #expect(account.marginal(value: nano(100), list: nano(100), tokens: 1, at: at(0)) == nano(100))
        _ = account.reserve(account.worst(value: nano(100), list: nano(100), tokens: 1), forecastTokens: 1, at: at(0))
        #expect(account.marginal(value: nano(100), list: nano(100), tokens: 1, at: at(0)) == nano(105))
        var money = Self.router(.money(nano(150)))
        _ = money.reserve(money.worst(value: nano(100), list: nano(100), tokens: 1), forecastTokens: 1, at: at(0))
        #expect(money.marginal(value: nano(100), list: nano(100), tokens: 1, at: at(0)) == nano(103))
    }

    @Test func `an allowance begins anew with its period`() {
        var account = Self.router(.money(nano(100)))
        account.turn(calendar(0))
        #expect(Self.pay(&account, 100).platform == .zero)
        account.turn(calendar(27))
        #expect(Self.pay(&account, 100).platform == nano(5))
        account.turn(calendar(28))
        #expect(Self.pay(&account, 100).platform == .zero)
    }

    @Test func `what was sent before a period's end is charged to the allowance of that period`() {
        var account = Self.router(.money(nano(150)))
        account.turn(calendar(0))
        let worst = account.worst(value: nano(100), list: nano(100), tokens: 1)
        let holds = (0..<3).map { _ in account.reserve(worst, forecastTokens: 1, at: at(0)) }
        func settle(_ hold: KeyAccount.Hold) -> Money {
            account.settle(hold, worst, value: nano(100), list: nano(100), tokens: 1, reported: nil, at: at(1)).platform
        }
        #expect(settle(holds[0]) == .zero)
        account.turn(calendar(28))
        // 50 are left of the old allowance, and then nothing; the new one is whole.
        #expect(settle(holds[1]) == nano(3))
        #expect(account.allowanceLeft == .money(nano(150)))
        #expect(Self.pay(&account, 100).platform == .zero)
        account.turn(calendar(60))
        // Two periods later nobody knows any more: the whole fee.
        #expect(settle(holds[2]) == nano(5))
        #expect(account.allowanceLeft == .money(nano(150)))
    }

    // MARK: What answers say

    @Test func `what an answer says that it cost goes before our reckoning`() {
        var router = Self.router(nil)
        #expect(
            Self.pay(&router, 100, reported: ReportedCost(platform: nano(7), upstream: nano(90), usedOwnKey: true))
                == Charge(provider: nano(90), platform: nano(7), list: nano(100)))
        // No word of the provider's part: by our reckoning.
        #expect(Self.pay(&router, 100, reported: ReportedCost(platform: nano(7))).provider == nano(100))
        // The platform served it with its own capacity: nothing is on the provider's bill.
        #expect(
            Self.pay(&router, 100, reported: ReportedCost(platform: nano(111), usedOwnKey: false))
                == Charge(platform: nano(111), list: nano(100)))
        var platform = Self.account { $0.billing = .platform }
        #expect(Self.pay(&platform, 100) == Charge(platform: nano(100), list: nano(100)))
        #expect(
            Self.pay(&platform, 100, reported: ReportedCost(platform: nano(96)))
                == Charge(platform: nano(96), list: nano(100)))
        // It has a key of ours, and the provider bills that.
        for (upstream, billed) in [(nano(90), nano(90)), (nil, nano(100))] as [(Money?, Money)] {
            let reported = ReportedCost(platform: nano(5), upstream: upstream, usedOwnKey: true)
            #expect(
                Self.pay(&platform, 100, reported: reported)
                    == Charge(provider: billed, platform: nano(5), list: nano(100)))
        }
        var own = Self.account { _ in }
        for reported in [ReportedCost(platform: nano(96)), ReportedCost(upstream: nano(96))] {
            #expect(Self.pay(&own, 100, reported: reported) == Charge(provider: nano(96), list: nano(100)))
            #expect(Self.pay(&platform, 100, reported: reported) == Charge(platform: nano(96), list: nano(100)))
        }
        // A zero is what servers say that do not know.
        #expect(Self.pay(&own, 100, reported: ReportedCost(platform: .zero)).provider == nano(100))
    }

    // MARK: Everything at once

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `random requests never pass the quota, and every bill adds up`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let comment = rerun("Accounts of keys", seed: seed)
        for round in 0..<300 {
            let quota = Quota(
                money: nano(.random(in: 0...900, using: &generator)), requests: .random(in: 1...20, using: &generator),
                tokens: .random(in: 0...900, using: &generator), per: .day)
            let credit = nano(.random(in: 0...300, using: &generator))
            var account = Self.account {
                $0.quota = quota
                $0.billing = Billing.allCases.randomElement(using: &generator)!
                if $0.billing != .platform { $0.credit = Credit(amount: credit) }
                $0.fee = PlatformFee(shareMillionths: 50_000, allowance: .requests(3))
            }
            var open: [(hold: KeyAccount.Hold, worst: WorstCase)] = []
            var total = Charge()
            var used = PeriodUse.Amount()
            for _ in 0..<60 {
                if Bool.random(using: &generator) {
                    let (value, tokens) = (
                        nano(.random(in: 0...99, using: &generator)), Int.random(in: 0...99, using: &generator)
                    )
                    let worst = account.worst(value: value, list: value, tokens: tokens)
                    let all = open.reduce(used) {
                        $0
                            + PeriodUse.Amount(
                                money: $1.worst.charge.value, requests: 1, tokens: $1.worst.tokens)
                    }
                    let fits =
                        all.money + worst.charge.value <= quota.money! && all.requests < quota.requests!
                        && all.tokens + tokens <= quota.tokens!
                    #expect((account.fit(worst) == .fits) == fits, "round \(round), \(comment)")
                    if fits { open.append((account.reserve(worst, forecastTokens: tokens, at: at(0)), worst)) }
                } else if !open.isEmpty {
                    let (hold, worst) = open.remove(at: .random(in: 0..<open.count, using: &generator))
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0: account.release(hold, worst)
                    case 1:
                        account.assume(hold, worst)
                        total = total + worst.charge
                        used =
                            used
                            + PeriodUse.Amount(money: worst.charge.value, requests: 1, tokens: worst.tokens)
                    default:
                        let value = nano(.random(in: 0...worst.charge.list.nanodollars, using: &generator))
                        let tokens = Int.random(in: 0...worst.tokens, using: &generator)
                        let charge = account.settle(
                            hold, worst, value: value, list: value, tokens: tokens, reported: nil, at: at(0))
                        #expect(charge.value <= worst.charge.value, "round \(round), \(comment)")
                        total = total + charge
                        used = used + PeriodUse.Amount(money: charge.value, requests: 1, tokens: tokens)
                    }
                }
                #expect(account.quotaUse.settled == used, "round \(round), \(comment)")
                #expect(total.credit <= credit && account.creditLeft >= .zero, "round \(round), \(comment)")
            }
        }
    }
}
