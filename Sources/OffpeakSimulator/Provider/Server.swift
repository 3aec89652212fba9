import OffpeakCore

/// One account at a server: its limits, and what it has in work.
struct Account {
    let plan: AccountPlan
    var meters: [Meter]
    var inWork = 0

    init(_ plan: AccountPlan) {
        self.plan = plan
        meters = plan.limits.map { Meter($0.kind, limit: $0.limit, window: $0.window, countsTokens: $0.countsTokens) }
    }

    /// Milliseconds until the account takes the request; nil when it does now.
    mutating func refusal(tokens: Int64, at time: Int64) -> Int64? {
        var wait: Int64?
        for i in meters.indices {
            let amount = meters[i].countsTokens ? tokens : 1
            if !meters[i].fits(amount, at: time) {
                wait = max(wait ?? 0, max(1, meters[i].wait(for: amount, at: time)))
            }
        }
        return wait
    }

    mutating func take(tokens: Int64, at time: Int64) {
        for i in meters.indices { meters[i].take(meters[i].countsTokens ? tokens : 1, at: time) }
        inWork += 1
    }

    /// More than it would ever take.
    func isTooLarge(_ tokens: Int64) -> Bool { meters.contains { $0.countsTokens && tokens > $0.limit } }

    mutating func describe(into feedback: inout RateFeedback, at time: Int64) {
        guard plan.sendsHeaders else { return }
        for i in meters.indices where meters[i].window == 60_000 {
            let dimension = RateFeedback.Dimension(
                limit: Int(meters[i].limit), remaining: meters[i].remaining(at: time),
                reset: .milliseconds(meters[i].reset(at: time)))
            if meters[i].countsTokens { feedback.tokens = dimension } else { feedback.requests = dimension }
        }
    }
}

/// A request as the server sees it.
struct Request {
    let job: JobID
    let lease: Int
    let key: Int
    let model: String
    let run: Int
    let sent: Int64
    let bodyBytes: Int
    let maxOutputTokens: Int?
    /// What it will use.
    let usage: Usage
    /// What the account's token limits count for it.
    let counted: Int64
    let timeout: Int64
    let lane: Lane
    var report: AttemptReport?
    /// It holds a place in its accounts' work.
    var isInWork = false
    /// The client has its answer, or has given up.
    var isOver = false
}

/// Why a request was refused for a limit.
enum RefusalCause {
    case limit, concurrency
}

/// The servers of a night: limits by account, faults by the plan.
struct Servers {
    let plan: NightPlan
    var accounts: [Account] = []
    /// For each key: the accounts it counts against, its own first.
    var accountsOfKey: [[Int]] = []
    var chance: Chance
    var isCalm = false

    init(_ plan: NightPlan) {
        self.plan = plan
        chance = Chance(seed: plan.seed, purpose: 2)
        var pools: [String: Int] = [:]
        for pool in plan.pools {
            pools[pool.name] = accounts.count
            accounts.append(Account(plan.poolAccounts[pool.name] ?? AccountPlan()))
        }
        for key in plan.keys {
            var own = [accounts.count]
            if let pool = key.pool.flatMap({ pools[$0] }) { own.append(pool) }
            accountsOfKey.append(own)
            accounts.append(Account(plan.accounts[key.name] ?? AccountPlan()))
        }
    }

    mutating func delay() -> Int64 { chance.within(plan.network.delay) }

    /// A spell of this kind that holds for the key now.
    func spell(_ kind: Spell.Kind, _ key: Int, at time: Int64) -> Spell? {
        if isCalm || plan.spells.isEmpty { return nil }
        let now = time - plan.start
        return plan.spells.first { $0.kind == kind && ($0.key ?? key) == key && $0.during.contains(now) }
    }

    /// Goes up each time a revoked secret has been replaced.
    func secretVersion(of key: Int, at time: Int64) -> Int {
        let now = time - plan.start
        return plan.spells.count { $0.kind == .revoked && ($0.key ?? key) == key && $0.during.upperBound <= now }
    }

    /// A random fault with this frequency.
    mutating func meets(_ perMille: Int) -> Bool { !isCalm && chance.perMille(perMille) }

    // MARK: Arrival

    enum Verdict {
        /// Answered at once.
        case answer(AttemptReport, RefusalCause?)
        /// In work for so long; then it is answered, unless the answer is lost.
        case work(Int64, isLost: Bool)
    }

    /// What the server does with a request that arrives.
    mutating func receive(_ request: Request, at time: Int64) -> Verdict {
        if let early = fault(request, at: time) { return .answer(AttemptReport(outcome: .failure(early)), nil) }
        for account in accountsOfKey[request.key] {
            if accounts[account].isTooLarge(request.counted) {
                return .answer(AttemptReport(outcome: .failure(Self.failure(.invalidRequest, 413))), nil)
            }
            if let wait = accounts[account].refusal(tokens: request.counted, at: time) {
                return .answer(refusal(account, after: wait, request, at: time), .limit)
            }
            if let most = accounts[account].plan.concurrent, accounts[account].inWork >= most {
                return .answer(refusal(account, after: nil, request, at: time), .concurrency)
            }
        }
        for account in accountsOfKey[request.key] { accounts[account].take(tokens: request.counted, at: time) }
        var work = chance.within(plan.network.work)
        if spell(.slow, request.key, at: time) != nil { work *= 6 }
        if request.lane == .flex { work *= 3 }
        if meets(plan.rates.stuck) { work = request.timeout * 2 }
        let isLost = meets(plan.rates.lostAnswer) || spell(.losing, request.key, at: time) != nil
        return .work(work, isLost: isLost)
    }

    private mutating func refusal(_ account: Int, after wait: Int64?, _ request: Request, at time: Int64)
        -> AttemptReport
    {
        var failure = Self.failure(.rateLimited, 429)
        if let wait {
            switch accounts[account].plan.retryAfter {
            case .none: break
            case .seconds: failure.retryAfter = .milliseconds((wait + 999) / 1_000 * 1_000)
            case .exact: failure.retryAfter = .milliseconds(wait)
            }
        }
        var report = AttemptReport(outcome: .failure(failure))
        accounts[account].describe(into: &report.feedback, at: time)
        return report
    }

    /// What goes wrong before limits are looked at.
    private mutating func fault(_ request: Request, at time: Int64) -> Failure? {
        let key = request.key
        if spell(.revoked, key, at: time) != nil { return Self.failure(.keyRejected, 401) }
        if let spell = spell(.exhausted, key, at: time) {
            let ends = spell.during.upperBound + plan.start - time
            return Self.failure(.quotaExhausted, 429, wait: chance.percent(60) ? ends : nil)
        }
        if spell(.modelMissing, key, at: time) != nil, request.model.hasSuffix("l") {
            return Self.failure(.modelUnavailable, 404)
        }
        if spell(.overloaded, key, at: time) != nil || meets(plan.rates.overloaded) {
            return Self.failure(
                .overloaded, chance.percent(50) ? 503 : 529,
                wait: chance.percent(40) ? chance.within(500...30_000) : nil)
        }
        if request.lane == .flex, meets(plan.money?.flexRefused ?? 0) { return Self.failure(.overloaded, 429) }
        if spell(.failing, key, at: time) != nil || meets(plan.rates.serverError) {
            return Self.failure(.unavailable, 500)
        }
        if meets(plan.rates.strayRefusal) {
            return Self.failure(.rateLimited, 429, wait: chance.percent(60) ? chance.within(1...40_000) : nil)
        }
        if meets(plan.rates.contentRefusal) { return Self.failure(.refused, 400) }
        if meets(plan.rates.invalidRequest) { return Self.failure(.invalidRequest, 400) }
        return nil
    }

    // MARK: The end of the work

    /// Leaves its place.
    mutating func leave(_ request: Request) {
        for account in accountsOfKey[request.key] { accounts[account].inWork -= 1 }
    }

    mutating func answer(_ request: Request, at time: Int64) -> AttemptReport {
        var report: AttemptReport
        if meets(plan.rates.invalidOutput) {
            var failure = Self.failure(.invalidOutput, 200)
            failure.usage = request.usage
            report = AttemptReport(outcome: .failure(failure), usageReported: true)
        } else {
            let body = [UInt8(truncatingIfNeeded: request.job), UInt8(truncatingIfNeeded: request.lease)]
            report = AttemptReport(
                outcome: .success(
                    Answer(statusCode: 200, requestID: "", body: body, usage: request.usage)), usageReported: true)
        }
        if request.lane == .flex {
            report.servedLane = meets(plan.money?.flexUpgraded ?? 0) ? .sync : chance.percent(50) ? .flex : nil
        }
        for account in accountsOfKey[request.key].reversed() {
            accounts[account].describe(into: &report.feedback, at: time)
        }
        return report
    }

    static func failure(_ failureClass: FailureClass, _ status: Int, wait: Int64? = nil, judged: Bool = true) -> Failure
    {
        Failure(
            failureClass, code: failureClass.rawValue, message: "simulated", statusCode: status,
            retryAfter: wait.map { .milliseconds($0) }, judged: judged)
    }
}
