import OffpeakCore

/// The queue as the one process that runs it sees it. `SQLiteQueue` is the durable one, `MemoryQueue` its reference
/// model; one conformance suite runs on both. Synchronous; an instance is used from one thread at a time.
package protocol JobQueue: AnyObject {
    /// The flows of sealed, uncancelled batches that have a job ready, scheduled, in flight or parked; by id. Paused
    /// batches are included and marked.
    func openFlows() throws(StoreError) -> [Flow]

    /// The same flows with their counters; usage and holds may be left out.
    func flowStatuses() throws(StoreError) -> [FlowStatus]

    /// Parks all waiting jobs of a flow, or ends them as failed, with the failure that keeps every key from serving them;
    /// in slices, so that other processes can write in between. Returns how many.
    func stop(flow: FlowID, as state: JobState, failure: Failure, at now: Timestamp) throws(StoreError) -> Int

    /// What is parked for the lack of money, by flow and reason; of open batches.
    func parkedForMoney() throws(StoreError) -> [MoneyParked]

    /// Makes the jobs of a flow that are parked for a reason ready again; what they used of their attempts stays used. In
    /// slices, like `stop`. Returns how many.
    func takeUp(flow: FlowID, parkedFor reason: MoneyStop, at now: Timestamp) throws(StoreError) -> Int

    /// Ready jobs of a flow in input order, after a job if one is given. Jobs whose start is not committed yet come
    /// again.
    func peek(flow: FlowID, after: JobID?, limit: Int) throws(StoreError) -> [JobTicket]

    /// Everything of one tick in one transaction, in this order: settlements, promotion of scheduled jobs that are
    /// due, stops, starts, holds, memories, day use. When it throws, nothing or, after a failed commit, possibly everything
    /// has been applied: ask `recover`.
    func commit(_ tick: Tick, at now: Timestamp) throws(StoreError) -> TickResult

    /// Brings the queue back after `commit` threw. Returns the result of that tick if it has been applied after all;
    /// nil when it has not, and is to be committed again.
    func recover() throws(StoreError) -> TickResult?

    /// Attempts that have begun and not ended, by job. At the start these are a dead runner's: their outcome is unknown.
    func openAttempts() throws(StoreError) -> [OpenAttempt]

    /// When the next scheduled job is due; nil when none is scheduled.
    func nextDue() throws(StoreError) -> Timestamp?

    /// Attempts started at or after a moment, newest first.
    func recentAttempts(since: Timestamp) throws(StoreError) -> [RecentAttempt]

    /// The ledger's sums by everything that reports tell apart, and by day.
    func spend() throws(StoreError) -> [SpendRow]

    /// What keys have used on a calendar day (numbered by the caller), by key.
    func dayUse(day: Int) throws(StoreError) -> [KeyDayUse]

    /// By key.
    func keyMemories() throws(StoreError) -> [KeyMemory]

    /// What a person has paused.
    func pauses() throws(StoreError) -> Pauses

    /// A number that changes when another connection has committed something. Cheap enough for every tick.
    func dataVersion() throws(StoreError) -> Int
}

extension JobQueue {
    /// Ready jobs of a flow in input order, from the first.
    package func peek(flow: FlowID, limit: Int) throws(StoreError) -> [JobTicket] {
        try peek(flow: flow, after: nil, limit: limit)
    }
}

/// What the runner wants recorded at one moment.
package struct Tick: Sendable {
    package var settlements: [Settlement] = []
    package var starts: [AttemptStart] = []
    /// Ready jobs that are parked, or end as failed, without being sent.
    package var stops: [JobStop] = []
    /// Flows whose reason for waiting has changed.
    package var holds: [FlowHold] = []
    package var keyMemories: [KeyMemory] = []
    /// To be added to what is recorded; may be negative where an estimate was too high.
    package var dayUse: [KeyDayUse] = []
    /// How many due jobs are made ready at most; the rest follows with the next ticks.
    package var promotionLimit = 5_000

    package init() {}

    /// True when there is nothing to record (jobs may be due all the same).
    package var isEmpty: Bool {
        settlements.isEmpty && starts.isEmpty && stops.isEmpty && holds.isEmpty && keyMemories.isEmpty
            && dayUse.isEmpty
    }
}

/// Why a flow waits from now on; nil when it does not.
package struct FlowHold: Sendable, Equatable {
    package var flow: FlowID
    package var hold: Hold?

    package init(flow: FlowID, hold: Hold?) {
        self.flow = flow
        self.hold = hold
    }
}

/// What a key used on one calendar day, or an amount to add to it.
package struct KeyDayUse: Sendable, Equatable {
    package var key: String
    /// The day's number, counted by the caller in the configured time zone.
    package var day: Int
    package var requests: Int
    package var tokens: Int

    package init(key: String, day: Int, requests: Int, tokens: Int) {
        self.key = key
        self.day = day
        self.requests = requests
        self.tokens = tokens
    }
}

/// What a tick brought about.
package struct TickResult: Sendable, Equatable {
    /// Attempts that may be sent now, in the order of the starts.
    package var begun: [BegunAttempt] = []
    /// Starts that were not possible any more: cancelled or paused meanwhile, or not ready under that lease number.
    package var refused: [JobID] = []
    /// Flows in which jobs have become ready, because they were due or because their attempt's end sent them back; by id.
    package var promoted: [FlowCount] = []
    /// Jobs that its stops parked, or ended.
    package var parked = 0
    package var failed = 0
    /// Batches whose last open job ended with this tick; by id.
    package var finished: [BatchID] = []

    package init() {}
}

/// One attempt that is durable and may leave.
package struct BegunAttempt: Sendable, Equatable {
    package var job: JobID
    package var flow: FlowID
    package var lease: Int
    /// The request body as it was submitted.
    package var body: [UInt8]

    package init(job: JobID, flow: FlowID, lease: Int, body: [UInt8]) {
        self.job = job
        self.flow = flow
        self.lease = lease
        self.body = body
    }
}

/// A number of jobs of one flow.
package struct FlowCount: Sendable, Equatable {
    package var flow: FlowID
    package var jobs: Int

    package init(flow: FlowID, jobs: Int) {
        self.flow = flow
        self.jobs = jobs
    }
}

/// An attempt without an end.
package struct OpenAttempt: Sendable, Equatable {
    /// The job, with the attempt's lease number.
    package var ticket: JobTicket
    package var key: String
    /// The provider's name of the model.
    package var model: String
    package var started: Timestamp
    package var reservedTokens: Int
    package var bill: Billing
    package var lane: Lane
    /// The most that it can have cost.
    package var worst: Charge
    package var worstTokens: Int
    /// The calendar day whose quotas and budgets it uses.
    package var day: Int

    package init(
        ticket: JobTicket, key: String, model: String, started: Timestamp, reservedTokens: Int,
        bill: Billing = .provider, lane: Lane = .sync, worst: Charge = Charge(), worstTokens: Int = 0, day: Int = 0
    ) {
        self.ticket = ticket
        self.key = key
        self.model = model
        self.started = started
        self.reservedTokens = reservedTokens
        self.bill = bill
        self.lane = lane
        self.worst = worst
        self.worstTokens = worstTokens
        self.day = day
    }

    /// What the ledger gets for an attempt whose outcome is lost: its worst case.
    package var assumed: LedgerEntry {
        LedgerEntry(
            kind: .assumed, route: LedgerRoute(key: key, bill: bill, lane: lane, model: model), charge: worst,
            usage: Usage(), tokens: worstTokens, day: day)
    }
}

/// What a limiter needs to know of a past attempt.
package struct RecentAttempt: Sendable, Equatable {
    package var key: String
    package var started: Timestamp
    /// Nil while it is open.
    package var ended: Timestamp?
    package var reservedTokens: Int
    /// What the provider reported; nil while open, zero where it reported nothing.
    package var usedTokens: Int?
    /// True when its outcome was lost: what it used must be assumed.
    package var isUnknown: Bool

    package init(
        key: String, started: Timestamp, ended: Timestamp?, reservedTokens: Int, usedTokens: Int?, isUnknown: Bool
    ) {
        self.key = key
        self.started = started
        self.ended = ended
        self.reservedTokens = reservedTokens
        self.usedTokens = usedTokens
        self.isUnknown = isUnknown
    }
}

/// What a person has paused, batches aside: those are marked in their flows.
package struct Pauses: Sendable, Equatable {
    package var classes: Set<String> = []
    package var keys: Set<String> = []

    package init(classes: Set<String> = [], keys: Set<String> = []) {
        self.classes = classes
        self.keys = keys
    }
}
