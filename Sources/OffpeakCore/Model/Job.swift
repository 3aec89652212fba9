/// The durable id of a job; ids of one batch ascend in input order.
package typealias JobID = Int64
/// The durable id of a batch; people see it as `b` and the number.
package typealias BatchID = Int64
/// The durable id of a flow.
package typealias FlowID = Int64

/// Where a job is in its life. Raw values are the queue's and never change.
package enum JobState: Int, CaseIterable, Sendable {
    /// Waiting for its turn.
    case ready = 0
    /// An attempt has begun and its outcome is not recorded yet.
    case inFlight = 1
    case succeeded = 2
    /// Waits for a person.
    case parked = 3
    /// Waiting for a moment: its `due`.
    case scheduled = 4
    case failed = 5
    case cancelled = 6

    /// True when nothing more happens to the job by itself, parked not included.
    package var isFinal: Bool { self == .succeeded || self == .failed || self == .cancelled }
}

/// Jobs of one batch that are alike to the scheduler: same class, model and endpoint. The unit that is scheduled,
/// counted, held back and reported; within a flow, jobs go in input order.
package struct Flow: Sendable, Equatable {
    package var id: FlowID
    package var batch: BatchID
    /// The workload class's name.
    package var className: String
    package var model: String
    package var endpoint: Endpoint
    /// The batch's priority; higher first. Nil: the class's.
    package var priority: Int?
    /// When the batch should be done.
    package var deadline: Timestamp?
    /// A person paused the batch.
    package var paused: Bool
    /// Jobs that wait, ready or scheduled, when this was read.
    package var waiting: Int

    package init(
        id: FlowID, batch: BatchID, className: String, model: String, endpoint: Endpoint, priority: Int? = nil,
        deadline: Timestamp? = nil, paused: Bool = false, waiting: Int = 0
    ) {
        self.id = id
        self.batch = batch
        self.className = className
        self.model = model
        self.endpoint = endpoint
        self.priority = priority
        self.deadline = deadline
        self.paused = paused
        self.waiting = waiting
    }
}

/// What a request may take beyond what its bytes and its longest answer show.
package enum BeyondBytes: Hashable, Comparable, Sendable {
    /// So many tokens of input more than it has bytes: for its images.
    case tokens(Int)
    /// So many more likewise, and what its bytes hold is sound in part, which may be dearer.
    case sound(Int)
    /// It names something whose length only the provider knows, such as a file: as much as the model can read.
    case context
    /// Something is charged beside its tokens, or makes more of them than were asked for; nobody knows how much.
    case charges
    /// It may be charged at another rate than its model's.
    case otherRate

    package static let none = BeyondBytes.tokens(0)

    /// As the queue keeps it: what takes more has the higher number. Raw values never change.
    package var code: Int {
        switch self {
        case .tokens(let tokens): min(tokens, 1 << 39 - 1)
        case .sound(let tokens): 1 << 39 + min(tokens, 1 << 39 - 1)
        case .context: 1 << 40
        case .charges: 1 << 41
        case .otherRate: 1 << 42
        }
    }

    /// A file may be sound, too.
    package var mayHaveSound: Bool {
        if case .tokens = self { return false }
        return true
    }

    /// Whether it takes less, as far as anybody knows.
    package static func < (a: BeyondBytes, b: BeyondBytes) -> Bool { a.code < b.code }

    package init(code: Int) {
        self =
            switch code {
            case ..<(1 << 39): .tokens(max(0, code))
            case ..<(1 << 40): .sound(code - 1 << 39)
            case 1 << 40: .context
            case 1 << 41: .charges
            default: .otherRate
            }
    }
}

/// What the scheduler needs to know of one job that is ready.
package struct JobTicket: Sendable, Equatable {
    package var id: JobID
    package var flow: FlowID
    /// The lease number now; beginning an attempt raises it by one. Every later write names it.
    package var lease: Int
    /// Attempts that a provider judged.
    package var attemptsUsed: Int
    /// Size of the request body in bytes.
    package var bodyBytes: Int
    /// The output tokens that the request asks for at most; nil when it does not say.
    package var maxOutputTokens: Int?
    /// What it may take besides.
    package var beyond: BeyondBytes
    /// The request says itself in which tier it is to be answered: no lane puts another in its place.
    package var namesTier: Bool

    package init(
        id: JobID, flow: FlowID, lease: Int, attemptsUsed: Int, bodyBytes: Int, maxOutputTokens: Int?,
        beyond: BeyondBytes = .none, namesTier: Bool = false
    ) {
        self.id = id
        self.flow = flow
        self.lease = lease
        self.attemptsUsed = attemptsUsed
        self.bodyBytes = bodyBytes
        self.maxOutputTokens = maxOutputTokens
        self.beyond = beyond
        self.namesTier = namesTier
    }
}

/// The intent to send one job: written and committed before any byte leaves.
package struct AttemptStart: Sendable, Equatable {
    package var job: JobID
    package var flow: FlowID
    /// The job's lease number once the attempt has begun: the ticket's, plus one.
    package var lease: Int
    package var key: String
    /// The model under the provider's name for it.
    package var model: String
    package var started: Timestamp
    /// Tokens reserved against the key's limits.
    package var reservedTokens: Int
    /// Why this key, and why not the ones before it; JSON array text `[{"key","reason"}]`, or empty.
    package var passedOver: String
    package var bill: Billing
    package var lane: Lane
    /// The most that it can cost: counted as spent if its outcome is lost.
    package var worst: Charge
    /// The most tokens that it can use, which quotas count then.
    package var worstTokens: Int
    /// The calendar day, such as 20261124, whose quotas and budgets it uses.
    package var day: Int
    /// Only because a cheaper key, or an own one, has not room enough.
    package var isSpill: Bool
    /// The longest answer, in tokens, that `worst` allows for; nil when nobody can say. No request may ask for a longer one.
    package var mostOutput: Int?

    package init(
        job: JobID, flow: FlowID, lease: Int, key: String, model: String, started: Timestamp, reservedTokens: Int,
        passedOver: String, bill: Billing = .provider, lane: Lane = .sync, worst: Charge = Charge(),
        worstTokens: Int = 0, day: Int = 0, isSpill: Bool = false, mostOutput: Int? = nil
    ) {
        self.job = job
        self.flow = flow
        self.lease = lease
        self.key = key
        self.model = model
        self.started = started
        self.reservedTokens = reservedTokens
        self.passedOver = passedOver
        self.bill = bill
        self.lane = lane
        self.worst = worst
        self.worstTokens = worstTokens
        self.day = day
        self.isSpill = isSpill
        self.mostOutput = mostOutput
    }

    package var route: LedgerRoute { LedgerRoute(key: key, bill: bill, lane: lane, model: model) }
}

/// What becomes of a job after an attempt.
package enum Disposition: Sendable, Equatable {
    case complete
    /// Again on the same route, not before the moment.
    case retry(at: Timestamp)
    case nextKey
    /// A platform's shared capacity takes it.
    case shared
    case nextModel
    /// Wait for a moment, without using up an attempt.
    case `defer`(until: Timestamp)
    case park
    case fail

    /// The word for it in `explain` and in the queue.
    package var word: String {
        switch self {
        case .complete: "complete"
        case .retry: "retry"
        case .nextKey: "next-key"
        case .shared: "shared"
        case .nextModel: "next-model"
        case .defer: "defer"
        case .park: "park"
        case .fail: "fail"
        }
    }
}

/// The end of one attempt: recorded once, fenced by the lease number.
package struct Settlement: Sendable {
    package var job: JobID
    package var flow: FlowID
    package var lease: Int
    package var ended: Timestamp
    package var outcome: AttemptOutcome
    package var disposition: Disposition
    /// One sentence for `explain`: why this disposition.
    package var reason: String
    /// The job's used attempts after this one.
    package var attemptsUsed: Int
    /// What the ledger gets.
    package var entry: LedgerEntry?

    package init(
        job: JobID, flow: FlowID, lease: Int, ended: Timestamp, outcome: AttemptOutcome, disposition: Disposition,
        reason: String, attemptsUsed: Int, entry: LedgerEntry? = nil
    ) {
        self.job = job
        self.flow = flow
        self.lease = lease
        self.ended = ended
        self.outcome = outcome
        self.disposition = disposition
        self.reason = reason
        self.attemptsUsed = attemptsUsed
        self.entry = entry
    }
}

/// A job that is parked, or ends as failed, without being sent: it cannot go, whatever becomes of the others of its flow.
package struct JobStop: Sendable, Equatable {
    package var job: JobID
    package var flow: FlowID
    /// The job's lease number when that was decided: a job that has begun since stays as it is.
    package var lease: Int
    /// `parked` or `failed`.
    package var state: JobState
    package var failure: Failure

    package init(job: JobID, flow: FlowID, lease: Int, state: JobState, failure: Failure) {
        self.job = job
        self.flow = flow
        self.lease = lease
        self.state = state
        self.failure = failure
    }
}

/// Why a flow's ready jobs cannot be sent now; shown by `status`.
package struct Hold: Sendable, Equatable {
    /// A short phrase, such as "key main: daily request limit".
    package var reason: String
    /// When it is expected to end; nil when only a person can end it, or nobody knows.
    package var until: Timestamp?
    /// It ends by itself; the queue does not keep this.
    package var isPassing = false

    package init(reason: String, until: Timestamp?, isPassing: Bool = false) {
        (self.reason, self.until, self.isPassing) = (reason, until, isPassing)
    }
}

/// What of a key must survive a restart besides its recent attempts.
package struct KeyMemory: Sendable, Equatable {
    package var key: String
    /// `ok`, `cooling`, `full`, `failing`, `resting`, `rejected` or `exhausted`.
    package var health: String
    /// Why, for people; empty when healthy.
    package var reason: String
    /// No sends before this moment, in this run or, but for what was only so in this one, in the next.
    package var blockedUntil: Timestamp?
    /// What was learned of the server's own limit; nil when nothing was.
    package var learnedRequests: Int?
    package var learnedWindow: Interval?
    /// The fraction of its limit that the key uses, in thousandths (1000 = all of it).
    package var useOfLimit: Int

    package init(
        key: String, health: String = "ok", reason: String = "", blockedUntil: Timestamp? = nil,
        learnedRequests: Int? = nil, learnedWindow: Interval? = nil, useOfLimit: Int = 1_000
    ) {
        self.key = key
        self.health = health
        self.reason = reason
        self.blockedUntil = blockedUntil
        self.learnedRequests = learnedRequests
        self.learnedWindow = learnedWindow
        self.useOfLimit = useOfLimit
    }

    /// The provider failed again and again, and is tried with single requests.
    package static let failing = "failing"
    /// The key's lane flex had no room for some time.
    package static let resting = "resting"
    /// Nothing is left of the server's limit, by its own words or by what was found out about it.
    package static let full = "full"

    /// What a run keeps away from for a while and the next one tries at once: it may be over.
    package var isOfItsRun: Bool { health == Self.failing || health == Self.resting }
}
