import OffpeakCore
import OffpeakStore

/// An attempt in the account book.
struct MoneyEntry {
    /// What an attempt takes of accounts, in nano-dollars, requests and tokens.
    struct Amount: Equatable {
        /// At the key's prices, both bills and credit: what quotas count.
        var value: Int64 = 0
        /// On both bills: what budgets count.
        var billed: Int64 = 0
        var requests = 0
        var tokens = 0

        static func += (a: inout Amount, b: Amount) {
            a.value += b.value
            a.billed += b.billed
            a.requests += b.requests
            a.tokens += b.tokens
        }
        static func -= (a: inout Amount, b: Amount) {
            a.value -= b.value
            a.billed -= b.billed
            a.requests -= b.requests
            a.tokens -= b.tokens
        }
    }

    enum State { case open, decided, final }

    let key: Int
    let pool: Int?
    let classIndex: Int
    let batch: BatchID
    let day: Int
    let start: AttemptStart
    let price: RatePlan?
    let list: RatePlan?
    let worst: Amount
    /// Somebody can say what the worst is.
    let isKnown: Bool
    var held: Amount
    var state = State.open
    var isBegun = false
    /// What the provider counted for it; nil: it never came to work on it.
    var served: Usage?
    /// The report that the run got.
    var report: (usageReported: Bool, cost: ReportedCost?, lane: Lane?)?
    /// The lane whose tier answered.
    var lane: Lane { report?.lane ?? start.lane }
    var entry: LedgerEntry?
}

/// Days of one account, with what is held of each.
struct HeldDays {
    private var days: [Int: MoneyEntry.Amount] = [:]

    mutating func add(_ amount: MoneyEntry.Amount, day: Int) { days[day, default: .init()] += amount }
    mutating func take(_ amount: MoneyEntry.Amount, day: Int) { days[day, default: .init()] -= amount }

    func sum(_ period: Period?, around day: Int) -> MoneyEntry.Amount {
        var sum = MoneyEntry.Amount()
        for (other, amount) in days where MoneyBook.isSame(period, other, day) { sum += amount }
        return sum
    }
}

/// The account book of a night: everything recomputed from what the provider did, and from prices as the plan has them.
/// It asks the scheduler and its accounts nothing.
struct MoneyBook {
    struct Name: Hashable {
        let job: JobID
        let lease: Int
    }

    struct ClassBatch: Hashable {
        let classIndex: Int
        let batch: BatchID
    }

    let money: MoneyPlan
    /// As the present run has it.
    var plan: NightPlan
    var problem: String?
    var entries: [Name: MoneyEntry] = [:]
    var latest: [JobID: Int] = [:]
    var undecided: Set<Name> = []
    var uncommitted: Set<Name> = []
    var ofKey: [HeldDays]
    var ofPool: [HeldDays]
    var ofClass: [HeldDays]
    var ofBatch: [ClassBatch: HeldDays] = [:]
    /// By key: credit used, and what counts against a fee's allowance, by day.
    var creditUsed: [Int64]
    var feeList: [[Int: Int64]]
    var feeAnswers: [[Int: Int]]
    var feeOthers: [[Int: Int]]
    /// Ledger entries that have been checked, and their sum.
    var read = 0
    var total = Charge()
    var totalUsage = Usage()
    var provisioned: [[(at: Int64, tokens: Int, name: Name)]]
    var counts = MoneyCounts()
    var raises = 0

    init?(_ plan: NightPlan) {
        guard let money = plan.money else { return nil }
        (self.money, self.plan) = (money, plan)
        ofKey = plan.keys.map { _ in HeldDays() }
        ofPool = plan.pools.map { _ in HeldDays() }
        ofClass = plan.classes.map { _ in HeldDays() }
        creditUsed = plan.keys.map { _ in 0 }
        feeList = plan.keys.map { _ in [:] }
        feeAnswers = plan.keys.map { _ in [:] }
        feeOthers = plan.keys.map { _ in [:] }
        provisioned = plan.keys.map { _ in [] }
    }

    mutating func fail(_ text: String) { if problem == nil { problem = "money: " + text } }

    /// Every seventh day a week begins, every thirtieth a month.
    static func isSame(_ period: Period?, _ a: Int, _ b: Int) -> Bool {
        switch period {
        case nil: true
        case .day: a == b
        case .week: a / 7 == b / 7
        case .month: a / 30 == b / 30
        }
    }

    // MARK: Sending

    /// The most that a job can take on a key; nil: nobody can say.
    func worst(_ key: Int, _ model: String, _ job: MemoryQueue.Job) -> MoneyEntry.Amount? {
        guard let price = money.price(plan.keys[key], model) else { return nil }
        let isFree = isFree(key, price)
        guard let output = job.maxOutputTokens ?? (isFree ? 500 : price.maxOutputTokens) else { return nil }
        var input = job.body.count
        switch job.beyond {
        case .tokens(let tokens), .sound(let tokens): input += tokens
        case .context:
            guard isFree || price.maxInputTokens != nil else { return nil }
            input = max(input, price.maxInputTokens ?? 0)
        case .charges, .otherRate: guard isFree else { return nil }
        }
        var amount = MoneyEntry.Amount(requests: 1, tokens: input + output)
        amount.value = price.worst(input: input, output: output)
        if plan.keys[key].billing == .routerBYOK, let fee = plan.keys[key].fee {
            let list = (money.listPrice(plan.keys[key], model) ?? price).worst(input: input, output: output)
            amount.value += RatePlan.ceiling(list * Int64(fee.shareMillionths))
        }
        amount.billed = amount.value
        return amount
    }

    /// Whatever its length, an answer costs nothing.
    private func isFree(_ key: Int, _ price: RatePlan) -> Bool { price.isFree && plan.keys[key].fee == nil }

    /// The scheduler has decided to send.
    mutating func started(_ start: AttemptStart, classIndex: Int, batch: BatchID, job: MemoryQueue.Job, day: Int) {
        guard let key = plan.keys.firstIndex(where: { $0.name == start.key }) else { return }
        let name = "job \(start.job) on \(start.key)"
        if start.day != day { fail("\(name) is booked on day \(start.day), it is \(day)") }
        let classLanes = plan.classes[classIndex].policy.lanes
        if !classLanes.contains(start.lane) || !plan.keys[key].lanes.contains(start.lane) || start.lane == .batch {
            fail("\(name) is started in lane \(start.lane.rawValue)")
        }
        if start.lane == .flex { counts.flexStarts += 1 }
        if start.bill != plan.keys[key].billing { fail("\(name) is on the wrong bill") }
        let pool = plan.pools.firstIndex { $0.name == plan.keys[key].pool }
        let worst = worst(key, start.model, job)
        let isCounted =
            plan.classes[classIndex].policy.budget != nil || plan.keys[key].quota?.money != nil
            || pool.flatMap { plan.pools[$0].quota?.money } != nil
        if worst == nil, isCounted { fail("\(name) was started although nobody knows what it may cost") }
        if let worst, start.worst.billed.nanodollars < worst.billed {
            fail("\(name) reserves \(start.worst.billed.text) USD, and may cost \(worst.billed) nano-dollars")
        }
        let held = worst ?? MoneyEntry.Amount(requests: 1, tokens: job.body.count + (job.maxOutputTokens ?? 500))
        let entry = MoneyEntry(
            key: key, pool: pool, classIndex: classIndex, batch: batch, day: day, start: start,
            price: money.price(plan.keys[key], start.model), list: money.listPrice(plan.keys[key], start.model),
            worst: held, isKnown: worst != nil, held: held)
        entries[Name(job: start.job, lease: start.lease)] = entry
        latest[start.job] = start.lease
        undecided.insert(Name(job: start.job, lease: start.lease))
        hold(entry)
        checkLimits(entry, name)
        counts.starts += 1
        if isCounted { counts.countedStarts += 1 }
    }

    private mutating func hold(_ entry: MoneyEntry) {
        ofKey[entry.key].add(entry.held, day: entry.day)
        if let pool = entry.pool { ofPool[pool].add(entry.held, day: entry.day) }
        ofClass[entry.classIndex].add(entry.held, day: entry.day)
        ofBatch[ClassBatch(classIndex: entry.classIndex, batch: entry.batch), default: HeldDays()].add(
            entry.held, day: entry.day)
    }

    /// From now on the attempt takes so much.
    mutating func change(_ name: Name, to held: MoneyEntry.Amount) {
        guard var entry = entries[name] else { return }
        ofKey[entry.key].take(entry.held, day: entry.day)
        if let pool = entry.pool { ofPool[pool].take(entry.held, day: entry.day) }
        ofClass[entry.classIndex].take(entry.held, day: entry.day)
        ofBatch[ClassBatch(classIndex: entry.classIndex, batch: entry.batch)]?.take(entry.held, day: entry.day)
        entry.held = held
        hold(entry)
        entries[name] = entry
    }

    private mutating func checkLimits(_ entry: MoneyEntry, _ name: String) {
        check(plan.keys[entry.key].quota, ofKey[entry.key], entry, "\(name): its key's quota")
        if let pool = entry.pool {
            check(plan.pools[pool].quota, ofPool[pool], entry, "\(name): its pool's quota")
        }
        guard let budget = plan.classes[entry.classIndex].policy.budget else { return }
        let place = ClassBatch(classIndex: entry.classIndex, batch: entry.batch)
        let days = budget.per == .batch ? ofBatch[place] ?? HeldDays() : ofClass[entry.classIndex]
        let used = days.sum(budget.per.period, around: entry.day).billed
        if used > budget.limit.nanodollars {
            fail("\(name): its class's budget is \(budget.limit.nanodollars) nano-dollars, \(used) may be spent")
        }
    }

    private mutating func check(_ quota: Quota?, _ days: HeldDays, _ entry: MoneyEntry, _ whose: String) {
        guard let quota else { return }
        let used = days.sum(quota.per, around: entry.day)
        if let most = quota.money, used.value > most.nanodollars {
            fail("\(whose) is \(most.nanodollars) nano-dollars, \(used.value) may be used")
        }
        if let most = quota.requests, used.requests > most {
            fail("\(whose) is \(most) requests, \(used.requests) may be used")
        }
        if let most = quota.tokens, used.tokens > most {
            fail("\(whose) is \(most) tokens, \(used.tokens) may be used")
        }
    }

    // MARK: What came of it

    /// The decision came to nothing: the attempt was never begun.
    mutating func void(_ job: JobID) {
        guard let lease = latest[job] else { return }
        let name = Name(job: job, lease: lease)
        guard let entry = entries[name], entry.state == .open, !entry.isBegun else { return }
        change(name, to: MoneyEntry.Amount())
        entries[name] = nil
        undecided.remove(name)
    }

    mutating func begun(_ job: JobID, _ lease: Int) { entries[Name(job: job, lease: lease)]?.isBegun = true }

    /// The provider works on it, and will charge for it whatever becomes of the answer.
    mutating func served(_ job: JobID, _ lease: Int, _ usage: Usage) {
        entries[Name(job: job, lease: lease)]?.served = usage
    }

    mutating func answered(_ job: JobID, _ lease: Int, _ report: AttemptReport) {
        entries[Name(job: job, lease: lease)]?.report = (report.usageReported, report.reportedCost, report.servedLane)
    }
}

/// What money did in a night.
package struct MoneyCounts: Sendable {
    package var starts = 0
    package var countedStarts = 0
    package var settled = 0
    package var assumed = 0
    package var credited = 0
    package var provisioned = 0
    package var provisionedLater = 0
    package var provisionedPassed = 0
    package var fees = 0
    package var freeFees = 0
    package var reported = 0
    package var shared = 0
    package var flexStarts = 0
    package var flexSettled = 0
    package var flexUpgraded = 0
    package var stops: [String: Int] = [:]
    package var jobStops: [String: Int] = [:]

    package init() {}

    package static func += (a: inout MoneyCounts, b: MoneyCounts) {
        a.starts += b.starts
        a.countedStarts += b.countedStarts
        a.settled += b.settled
        a.assumed += b.assumed
        a.credited += b.credited
        a.provisioned += b.provisioned
        a.provisionedLater += b.provisionedLater
        a.provisionedPassed += b.provisionedPassed
        a.fees += b.fees
        a.freeFees += b.freeFees
        a.reported += b.reported
        a.shared += b.shared
        a.flexStarts += b.flexStarts
        a.flexSettled += b.flexSettled
        a.flexUpgraded += b.flexUpgraded
        a.stops.merge(b.stops) { $0 + $1 }
        a.jobStops.merge(b.jobStops) { $0 + $1 }
    }
}
