/// A key as the scheduler sees it during a run.
struct KeyState: Sendable {
    enum Health: Sendable, Equatable {
        case ok
        /// The provider refuses the credential; a person must act.
        case rejected(Failure)
        /// Nothing left until a moment, known or guessed.
        case exhausted(until: Timestamp, reason: String)
    }

    let descriptor: KeyDescriptor
    // Stored, since what is computed is computed from a copy of all of this.
    let name: String
    let isShared: Bool
    /// Index of its pool.
    let pool: Int?
    var limiter: AccountLimiter
    var breaker = Breaker()
    var health = Health.ok
    var isPaused = false
    /// An earlier run found it rejected, which the queue tells people until it works again.
    var wasRejected = false
    /// Loading its secret again may give another one.
    var isRefreshable = false
    /// It was rejected, and its secret is being loaded again.
    var isAwaitingSecret = false
    /// When its secret was last asked for because of a rejection.
    var secretAsked = Timestamp.distantPast
    /// When it got another secret during this run.
    var secretSince = Timestamp.distantPast
    /// When the provider last said that a used-up quota returns.
    var quotaReturns = Timestamp.distantPast
    /// Models (the provider's names) that it turned out not to serve.
    var missingModels: [String: Failure] = [:]
    /// Models (the provider's names) that the provider has answered in priority, by a default of its own or of the account.
    var priorityModels: Set<String> = []
    /// Mean answer time in µs, 0 while unknown.
    var latency = 0
    /// Its lane `flex`.
    var flex = LaneState()
    /// The latest words of the provider about its trouble.
    var trouble = ""
    /// The rest that the queue was told of.
    var toldRest: KeyRest?
    var account: KeyAccount
    /// While one pass of dispatching lasts: why it takes no more requests with so many tokens, or more of them.
    var fullInPass: (obstacle: KeyObstacle, tokens: Int)?
    /// While one pass lasts: tokens that it has to spare beside a request that goes before all others, and when that fits.
    var claimInPass: (spare: Int, until: Timestamp)?

    init(descriptor: KeyDescriptor, pool: Int?, limiter: AccountLimiter) {
        self.descriptor = descriptor
        (name, isShared) = (descriptor.name, descriptor.isShared)
        self.pool = pool
        self.limiter = limiter
        account = KeyAccount(descriptor)
    }

    mutating func answered(in time: Interval) {
        let sample = Int(time.milliseconds) * 1_000
        latency = latency == 0 ? sample + 1 : latency + (sample - latency) / 8
    }
}

/// A rest that a key has by what its provider does or says, without having been asked to wait.
struct KeyRest: Sendable, Equatable {
    /// As `KeyMemory` has it.
    let health: String
    let until: Timestamp

    /// Nil unless the provider keeps failing, its limit is used up as far as it says or was found out, or the lane has had no
    /// room for some time. A full key that has not been told of is told of only where that is no mere matter of pace.
    init?(
        _ breaker: Breaker, _ flex: LaneState, full: (shortage: Shortage, until: Timestamp)?, told: KeyRest?,
        at now: Timestamp
    ) {
        if breaker.isTripped {
            (health, until) = (KeyMemory.failing, breaker.opensAt)
        } else if let full, full.until - now >= full.shortage.patience || told?.health == KeyMemory.full {
            (health, until) = (KeyMemory.full, full.until)
        } else if let tried = flex.restsUntil {
            (health, until) = (KeyMemory.resting, tried)
        } else {
            return nil
        }
    }
}

extension Shortage {
    /// So long a wait is no mere matter of pace: a limit that was found out is used like one that is stated, up to its end in
    /// each of its windows, and only one of longer windows than a minute is worth a word.
    fileprivate var patience: Interval {
        if case .learned = self { return .minutes(1) }
        return .seconds(3)
    }
}

/// Why a key does not take a job now.
struct KeyObstacle: Sendable {
    var reason: String
    /// When it will; nil when it depends on answers, or on a person.
    var until: Timestamp?
    /// Only a person can change it.
    var needsPerson = false
    /// Answers that are under way may end it before `until`.
    var isOpenEnded = false
    /// The failure that a job gets which is parked for it.
    var failure: Failure?
    /// It lasts beyond the pace of the limits: nothing is gained by waiting a minute.
    var isExhausted = false
    /// The key may have room: it is kept for others, or the job from it.
    var isWithheld = false
    /// It is kept by the spill plan, or until a cheaper one has room: it will serve, or that one.
    var isPlanned = false
    /// Whatever the class's ladders say, the jobs that it stops are parked.
    var parks = false
    /// Whatever the class's ladders say, the jobs that it stops end as failed.
    var fails = false
    /// It is about this one job, its size or what it leaves open: others of its flow may well go.
    var isOfJob = false
    /// A minute's tokens have no room for so many at once.
    var isOfTokens = false
    /// It is about the class, whichever key is asked.
    var isOfClass = false

    /// Only the pace of limits, or answers that are awaited, are in the way.
    var isPace: Bool { !needsPerson && !isExhausted && !isWithheld }

    /// Passes before the other does: answers come before any known moment, and a person comes last.
    func endsBefore(_ other: KeyObstacle) -> Bool {
        if needsPerson != other.needsPerson { return other.needsPerson }
        guard let until else { return other.until != nil }
        return other.until.map { until < $0 } ?? false
    }
}

/// A workload class during a run.
struct ClassState: Sendable {
    let policy: ClassPolicy
    /// Keys that it may use, in order of preference: own keys first, then shared capacity.
    let candidates: [Int]
    var budget: BudgetAccount?
    /// By key: the lanes in which its jobs may travel, the preferred one first.
    var lanes: [[Lane]] = []
    /// Some of its keys have the lane flex for it.
    var usesFlex = false
    var isPaused = false
    var isOpen = true
    /// When its window closes or opens next.
    var windowTurns = Timestamp.distantFuture
    /// Its flows, in the order in which they are served.
    var flows: [FlowID] = []
    /// Fair queueing: what it has had so far, divided by its weight; the class with the least goes first.
    var served = 0
    /// It had something to send when last looked at.
    var isBacklogged = false
    /// While one pass lasts: it has something to send.
    var hasWork = false
    /// While one pass lasts: flows before this index have nothing to send.
    var cursor = 0
}

/// A flow during a run.
struct FlowState: Sendable {
    var flow: Flow
    let classIndex: Int
    /// Models to try, the line's own first.
    let chain: [String]
    var forecast = TokenForecast()
    /// Ready jobs, soonest last, so that taking one is cheap.
    var tickets: [JobTicket] = []
    /// The queue has more ready jobs than `tickets`, or may have.
    var mayHaveMore = true
    var isFetching = false
    /// Started since the number of waiting jobs was read.
    var startedSinceRead = 0
    /// Jobs that wait and have not been sent, as far as is known.
    var unsent: Int { max(tickets.count, flow.waiting - startedSinceRead) }
    var hold: Hold?
    /// When one of its jobs was last sent.
    var lastStart = Timestamp.distantPast
    /// `hold` is a pause or a closed window, and not the keys' doing.
    var isGated = false
    var isParking = false

    /// What a job will probably use.
    func usage(of ticket: JobTicket) -> Usage {
        Usage(
            inputTokens: forecast.input(bodyBytes: ticket.bodyBytes),
            outputTokens: forecast.output(maxOutputTokens: ticket.maxOutputTokens, endpoint: flow.endpoint))
    }

    /// Jobs read at once. Large enough that reading costs little per job, small enough to cost little memory.
    static let page = 2_048
    /// So many are looked at for one that can go where those before it cannot.
    static let lookahead = 256
}

/// An attempt under way.
struct Flight: Sendable {
    let ticket: JobTicket
    let key: Int
    let keySequence: Int
    let poolSequence: Int
    let tokensThrough: Int
    let poolTokensThrough: Int
    let reserved: Int
    let model: String
    /// Its place in the flow's chain.
    let modelIndex: Int
    let sent: Timestamp
    let spend: FlightSpend
}
