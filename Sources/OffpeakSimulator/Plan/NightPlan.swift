import OffpeakCore
import OffpeakStore

/// Everything that makes one night: what is configured, what servers and people do, and what goes wrong. All times are
/// milliseconds after the night's start unless they say otherwise.
package struct NightPlan: Sendable {
    package var seed: UInt64
    /// What the wall clock shows at the start, in milliseconds since 1970.
    package var start: Int64 = 1_800_000_000_000
    package var keys: [KeyDescriptor] = []
    package var pools: [PoolDescriptor] = []
    /// The accounts that servers keep for keys, by the key's name, and for pools, by the pool's.
    package var accounts: [String: AccountPlan] = [:]
    package var poolAccounts: [String: AccountPlan] = [:]
    /// Names of keys whose secret is loaded again when it is refused.
    package var refreshable: Set<String> = []
    package var network = NetworkPlan()
    package var classes: [ClassPlan] = []
    package var batches: [BatchPlan] = []
    package var rates = FaultRates()
    package var spells: [Spell] = []
    package var acts: [Act] = []
    package var run = RunPlan()
    /// From here on nothing goes wrong any more, and everything has to end.
    package var dawn: Int64 = 0
    /// What jobs use is what was estimated for them, so that limits on tokens can be checked exactly.
    package var hasExactTokens = true
    /// What things cost; nil: nobody knows or cares.
    package var money: MoneyPlan?

    package init(seed: UInt64) { self.seed = seed }
}

/// What a server enforces for one account.
package struct AccountPlan: Sendable {
    package struct Limit: Sendable {
        package var kind: MeterKind
        package var limit: Int
        package var countsTokens: Bool
        package var window: Int64

        package init(_ kind: MeterKind, _ limit: Int, countsTokens: Bool = false, window: Int64 = 60_000) {
            self.kind = kind
            self.limit = limit
            self.countsTokens = countsTokens
            self.window = window
        }
    }

    package enum RetryAfter: CaseIterable, Sendable {
        case none, seconds, exact
    }

    package var limits: [Limit] = []
    package var concurrent: Int?
    package var sendsHeaders = false
    package var retryAfter = RetryAfter.seconds
    /// It enforces what the configuration says of it, or less: a refusal for a limit is then a fault of ours.
    package var isAsStated = false

    package init() {}
}

/// Times on the way to servers and inside them.
package struct NetworkPlan: Sendable {
    /// One way.
    package var delay: ClosedRange<Int64> = 10...200
    /// Thinking.
    package var work: ClosedRange<Int64> = 100...3_000

    package init() {}
}

/// A workload class, and what the simulation needs to know of it.
package struct ClassPlan: Sendable {
    package var policy: ClassPolicy
    /// Milliseconds after midnight (UTC) between which it may send; nil: always.
    package var window: ClosedRange<Int64>?

    package init(_ policy: ClassPolicy, window: ClosedRange<Int64>? = nil) {
        self.policy = policy
        self.window = window
    }
}

/// A batch that is submitted during the night.
package struct BatchPlan: Sendable {
    package struct FlowPlan: Sendable {
        package var className: String
        package var model: String
        package var jobs: Int
        package var bodyBytes: ClosedRange<Int>
        package var maxOutputTokens: Int?
        package var beyond = BeyondBytes.none

        package init(
            className: String, model: String = "small", jobs: Int, bodyBytes: ClosedRange<Int> = 400...400,
            maxOutputTokens: Int? = 100
        ) {
            self.className = className
            self.model = model
            self.jobs = jobs
            self.bodyBytes = bodyBytes
            self.maxOutputTokens = maxOutputTokens
        }
    }

    package var at: Int64
    package var flows: [FlowPlan]
    package var priority: Int?
    /// After its submission.
    package var deadline: Int64?

    package init(at: Int64 = 0, priority: Int? = nil, deadline: Int64? = nil, flows: [FlowPlan]) {
        self.at = at
        self.flows = flows
        self.priority = priority
        self.deadline = deadline
    }
}

/// How many of a thousand requests meet each fault.
package struct FaultRates: Sendable, Equatable {
    package var strayRefusal = 0
    package var serverError = 0
    package var overloaded = 0
    package var refusedConnection = 0
    package var lostAnswer = 0
    package var stuck = 0
    package var invalidOutput = 0
    package var contentRefusal = 0
    package var invalidRequest = 0

    package init() {}
}

/// Something that is wrong for a while, with one key or with all.
package struct Spell: Sendable {
    package enum Kind: CaseIterable, Sendable {
        case unreachable, overloaded, failing, slow, losing, revoked, exhausted, modelMissing
    }

    package var kind: Kind
    /// Index of the key; nil: all.
    package var key: Int?
    package var during: Range<Int64>

    package init(_ kind: Kind, key: Int?, during: Range<Int64>) {
        self.kind = kind
        self.key = key
        self.during = during
    }
}

/// What people do to the queue and to the run.
package struct Act: Sendable {
    package enum Kind: Sendable {
        case pauseKey(Int, Bool)
        case pauseClass(Int, Bool)
        case pauseBatch(Int, Bool)
        case cancel(Int)
        case retry(Int, RetrySelection)
        /// The signal; a hard one gives up what is in flight.
        case stop(hard: Bool)
        case kill
        /// The disk takes nothing for so long.
        case diskFails(Int64)
        /// Budgets and quotas are so many times what they were at first. The configuration is read by the next run.
        case raise(Int)
    }

    package var at: Int64
    package var kind: Kind

    package init(at: Int64, _ kind: Kind) {
        self.at = at
        self.kind = kind
    }
}

/// How runs go and end.
package struct RunPlan: Sendable {
    /// Until a transaction takes effect, and from there until the engine hears of it.
    package var commit: ClosedRange<Int64> = 2...12
    package var reply: ClosedRange<Int64> = 0...2
    /// Between a message and the engine's turn.
    package var turn: ClosedRange<Int64> = 0...2
    /// Of a thousand commits: fail without effect, fail with effect, are a dead runner's last.
    package var commitFails = 0
    package var commitFailsApplied = 0
    package var diesAfterCommit = 0
    package var diesBeforeCommit = 0
    /// Of a thousand answers: the runner dies with them in hand.
    package var diesWithAnswer = 0
    /// Deaths at most, those of `acts` not counted.
    package var deaths = 0
    package var restart: ClosedRange<Int64> = 200...60_000
    /// Of a hundred restarts, how many find the wall clock set.
    package var clockJumps = 0
    package var farthestJump: Int64 = 0
    /// How far the clock is set before the second run, the third, and so on; besides those drawn.
    package var jumps: [Int64] = []
    package var watches = false
    package var noWait = false
    /// The night ends with the first run that ends by itself, though work may be left.
    package var isSingle = false

    package init() {}
}
