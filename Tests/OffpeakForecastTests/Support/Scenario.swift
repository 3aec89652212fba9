import OffpeakCore
import OffpeakForecast

/// A night to be foreseen, drawn from a seed: keys with limits, terms and prices, classes with their policies, batches, and
/// how the providers really answer.
struct Scenario {
    struct Manners {
        /// Milliseconds of an answer: the mean, and its spread in percent.
        var latency: Int
        var spread: Int
        /// Attempts in a thousand that the provider fails.
        var failures: Int
    }

    struct Prompts {
        var bodyBytes: Int
        var bodySpread: Int
        /// Thousandths of an input token to a byte, and tokens besides.
        var tokensPerKilobyte: Int
        var fixedTokens: Int
        var output: Int
        var outputSpread: Int
        var maxOutputTokens: Int?
        /// Answers in a thousand that are refusals.
        var refusals: Int
    }

    struct Batch {
        var id: BatchID
        var className: String
        var jobs: Int
        var deadline: Timestamp?
    }

    static let models = ["m"]
    static let day: Int64 = 86_400_000

    let seed: UInt64
    let start: Timestamp
    private(set) var keys: [KeyDescriptor] = []
    private(set) var pools: [PoolDescriptor] = []
    private(set) var classes: [ClassPolicy] = []
    private(set) var windows: [String: (open: Int64, length: Int64)] = [:]
    private(set) var prices = PriceBook(lists: [])
    private(set) var manners: [String: Manners] = [:]
    private(set) var prompts: [String: Prompts] = [:]
    private(set) var batches: [Batch] = []
    /// What was spent before, on each key.
    private(set) var spend: [SpendRow] = []

    init(seed: UInt64) {
        self.seed = seed
        var chance = Chance(seed: seed, purpose: 1)
        // Some time of some day.
        start = Timestamp(milliseconds: 20_000 * Self.day + Int64(chance.within(0...86_399)) * 1_000)
        drawKeys(&chance)
        drawClasses(&chance)
        drawBatches(&chance)
    }

    private mutating func drawKeys(_ chance: inout Chance) {
        if chance.percent(40) {
            pools = [
                PoolDescriptor(
                    name: "org", limits: Limits(rpm: chance.within(100...400), tpm: chance.within(100_000...400_000)))
            ]
        }
        for number in 1...chance.within(2...5) {
            let billing: Billing =
                number == 1 ? .provider : chance.pick([.provider, .provider, .routerBYOK, .platform])
            var limits = Limits()
            if chance.percent(70) { limits.rpm = chance.within(20...300) }
            if chance.percent(50) { limits.tpm = chance.within(20_000...300_000) }
            if chance.percent(10) { limits.rpd = chance.within(2_000...20_000) }
            if chance.percent(60) || limits.isEmpty { limits.concurrent = chance.within(4...48) }
            var key = KeyDescriptor(
                name: "k\(number)", provider: "p", billing: billing,
                pool: billing == .provider && !pools.isEmpty && chance.percent(60) ? "org" : nil, limits: limits,
                tags: chance.percent(70) ? ["eu"] : [])
            if chance.percent(20) { key.limitModel = .slices }
            if chance.percent(20) {
                key.quota = Quota(
                    money: Money(nanodollars: Int64(chance.within(1...30)) * 1_000_000_000), requests: nil, per: .day)
            }
            if billing == .provider, chance.percent(20) {
                key.credit = Credit(amount: Money(nanodollars: Int64(chance.within(1...20)) * 100_000_000))
            }
            if billing == .routerBYOK {
                key.fee = PlatformFee(
                    shareMillionths: 50_000, allowance: .money(Money(nanodollars: 2_000_000_000)), per: .month)
            }
            keys.append(key)
            manners[key.name] = Manners(
                latency: chance.within(500...8_000), spread: chance.within(10...60),
                failures: chance.percent(50) ? chance.within(0...30) : 0)
            prices.terms[key.name] = .terms([
                "*": ModelTerms(
                    rates: TokenRates(
                        input: TokenRate(chance.within(50...1_500)) * 1_000_000,
                        output: TokenRate(chance.within(200...8_000)) * 1_000_000))
            ])
            if chance.percent(25) {
                spend.append(
                    SpendRow(
                        route: LedgerRoute(key: key.name, bill: billing, lane: .sync, model: "m"), className: "c1",
                        batch: 1_000, day: Self.dayNumber(start), attempts: 10, answers: 10, requests: 10,
                        tokens: 20_000,
                        usage: Usage(inputTokens: 15_000, outputTokens: 5_000),
                        charge: Charge(
                            provider: Money(nanodollars: 500_000_000), list: Money(nanodollars: 500_000_000))))
            }
        }
    }

    private mutating func drawClasses(_ chance: inout Chance) {
        for number in 1...chance.within(1...3) {
            let posture = chance.pick(Posture.allCases)
            var policy = ClassPolicy(name: "c\(number)", posture: posture)
            if policy.isClosed { policy.keyOnly = chance.percent(50) ? ["k1"] : ["k1", "k2"] }
            policy.weight = chance.within(1...3)
            let hasBudget = chance.percent(30)
            if chance.percent(30) {
                windows[policy.name] = (
                    Int64(chance.within(0...23)) * 3_600_000, Int64(chance.within(4...16)) * 3_600_000
                )
            }
            let body = chance.within(500...8_000)
            let output = chance.within(50...900)
            prompts[policy.name] = Prompts(
                bodyBytes: body, bodySpread: chance.within(0...50), tokensPerKilobyte: chance.within(180...320),
                fixedTokens: chance.within(0...40), output: output, outputSpread: chance.within(5...60),
                maxOutputTokens: hasBudget || chance.percent(70) ? output * 3 : nil,
                refusals: chance.percent(40) ? chance.within(0...20) : 0)
            if hasBudget {
                // Of a size that some thousands of its jobs come near.
                let price = keys.compactMap { prices.price(of: $0, model: "m") }.map {
                    $0.cost(of: Usage(inputTokens: body / 4, outputTokens: output), lane: .sync).nanodollars
                }
                let each = price.reduce(0, +) / Int64(price.count)
                policy.budget = Budget(
                    limit: Money(nanodollars: each * Int64(chance.within(1_000...6_000))),
                    per: chance.pick([.batch, .day]),
                    then: chance.pick([.park, .fail, .defer]))
            }
            classes.append(policy)
        }
    }

    private mutating func drawBatches(_ chance: inout Chance) {
        for number in 1...chance.within(1...3) {
            let policy = chance.pick(classes)
            batches.append(
                Batch(
                    id: BatchID(number), className: policy.name, jobs: chance.within(1_000...2_500),
                    deadline: chance.percent(50)
                        ? start + .milliseconds(Int64(chance.within(20...1_200)) * 60_000) : nil))
        }
        // Quotas must be answerable where there is one.
        for key in keys where key.quota != nil { for policy in classes { bound(policy.name, key) } }
    }

    private mutating func bound(_ name: String, _ key: KeyDescriptor) {
        guard let found = prompts[name], found.maxOutputTokens == nil else { return }
        prompts[name]!.maxOutputTokens = found.output * 3
    }

    // MARK: What both the forecast and the reality start from

    func flow(of batch: Batch) -> Flow {
        Flow(
            id: batch.id, batch: batch.id, className: batch.className, model: "m", endpoint: .chatCompletions,
            deadline: batch.deadline, waiting: batch.jobs)
    }

    /// The sizes of a batch's bodies, in order.
    func bodies(of batch: Batch) -> [Int] {
        let prompts = prompts[batch.className]!
        var chance = Chance(seed: seed, purpose: 100 + UInt64(batch.id))
        return (0..<batch.jobs).map { _ in chance.skewed(mean: prompts.bodyBytes, spread: prompts.bodySpread) }
    }

    func scheduler(seed: UInt64) -> Scheduler {
        var scheduler = Scheduler(
            keys: keys, pools: pools,
            classes: classes.map { policy in (policy, keys.filter(policy.admits).map(\.name)) }, prices: prices,
            seed: seed)
        var effects = SchedulerEffects()
        scheduler.handle(.dayStarted(used: [:], ends: Self.position(start).ends.day), at: start, into: &effects)
        scheduler.recall(spend, Self.position(start))
        return scheduler
    }

    static func dayNumber(_ moment: Timestamp) -> Int { Int(moment.milliseconds / day) }

    /// Every seventh day a week ends, every thirtieth a month.
    static func position(_ moment: Timestamp) -> CalendarPosition {
        let day = dayNumber(moment)
        func start(_ day: Int) -> Timestamp { Timestamp(milliseconds: Int64(day) * Self.day) }
        let (week, month) = (day - day % 7, day - day % 30)
        return CalendarPosition(
            day: day, ends: PeriodEnds(day: start(day + 1), week: start(week + 7), month: start(month + 30)),
            began: [.day: day, .week: week, .month: month])
    }

    func window(of name: String, at moment: Timestamp) -> (isOpen: Bool, until: Timestamp)? {
        guard let (open, length) = windows[name] else { return nil }
        let today = moment.milliseconds / Self.day * Self.day
        for day in [today - Self.day, today, today + Self.day] {
            let opens = day + open
            if moment.milliseconds < opens { return (false, Timestamp(milliseconds: opens)) }
            if moment.milliseconds < opens + length { return (true, Timestamp(milliseconds: opens + length)) }
        }
        return nil
    }

    /// What the calendar says at a moment, and when it turns next.
    func calendar(_ moment: Timestamp, lastDay: inout Int) -> (events: [SchedulerEvent], next: Timestamp) {
        let position = Self.position(moment)
        var events: [SchedulerEvent] = []
        if position.day != lastDay { events.append(.dayStarted(used: [:], ends: position.ends.day)) }
        lastDay = position.day
        events.append(.periodsTurned(position))
        var next = position.ends.day
        for policy in classes {
            guard let state = window(of: policy.name, at: moment) else { continue }
            events.append(.windowChanged(className: policy.name, isOpen: state.isOpen, until: state.until))
            next = min(next, state.until)
        }
        return (events, next)
    }

    // MARK: How providers answer

    /// One attempt as it really goes.
    func attempt(_ className: String, _ key: String, bodyBytes: Int, _ chance: inout Chance) -> AnswerSample {
        let (manners, prompts) = (manners[key]!, prompts[className]!)
        let latency = chance.skewed(mean: manners.latency, spread: manners.spread)
        if chance.perMille(manners.failures) {
            return AnswerSample(
                bodyBytes: bodyBytes, usage: Usage(), duration: .milliseconds(Int64(latency / 4 + 1)),
                failure: chance.percent(50) ? .overloaded : .unavailable, statusCode: 503)
        }
        if chance.perMille(prompts.refusals) {
            return AnswerSample(
                bodyBytes: bodyBytes, usage: Usage(), duration: .milliseconds(Int64(latency / 2 + 1)),
                failure: .refused,
                statusCode: 400)
        }
        let output = chance.skewed(mean: prompts.output, spread: prompts.outputSpread)
        let noise = chance.within(-5...5)
        let usage = Usage(
            inputTokens: max(1, bodyBytes * prompts.tokensPerKilobyte / 1_000 + prompts.fixedTokens + noise),
            outputTokens: min(output, prompts.maxOutputTokens ?? .max))
        return AnswerSample(bodyBytes: bodyBytes, usage: usage, duration: .milliseconds(Int64(latency)))
    }

    /// A night before: what it taught of every class on every key.
    var history: AnswerHistory {
        var history = AnswerHistory()
        for policy in classes {
            for (index, key) in keys.enumerated() where policy.admits(key) {
                let prompts = prompts[policy.name]!
                var chance = Chance(seed: seed, purpose: 1_000 + UInt64(index))
                for _ in 0..<AnswerHistory.most {
                    let body = chance.skewed(mean: prompts.bodyBytes, spread: prompts.bodySpread)
                    history.add(
                        attempt(policy.name, key.name, bodyBytes: body, &chance),
                        at: AnswerHistory.Place(
                            className: policy.name, key: key.name, model: "m", endpoint: .chatCompletions))
                }
            }
        }
        return history
    }
}
