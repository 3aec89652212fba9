import OffpeakCore
import OffpeakStore

/// One run of the queue, as the engine would go: the scheduler, what its next transaction will hold, and what it knows.
/// All of it is gone when the run dies.
final class Run {
    enum Mail {
        case answered(Int, AttemptReport)
        case stored(StoreAnswer)
        case drain(hard: Bool)
        case secretLoaded(String, isNew: Bool)
    }

    enum End: String {
        case finished, workLeft, stopped, broken
    }

    let number: Int
    /// The run's timeline minus the night's.
    let offset: Int64
    let noWait: Bool
    let watches: Bool
    var scheduler: Scheduler
    var effects = SchedulerEffects()
    var pending = PendingTick()
    var storing: Storing?
    var mail: [Mail] = []
    var flows: [FlowID: FlowStatus] = [:]
    var pauses = Pauses()
    var seenVersion: Int?
    var nextDue: Timestamp?
    var day = 0
    var dayEnds = Timestamp.distantPast
    /// When the calendar was last looked at.
    var calendarSeen = Timestamp.distantPast
    var calendarTurns = Timestamp.distantPast
    var lastRefresh = Timestamp.distantPast
    var hasView = false
    var isViewStale = false
    var drainCause: End?
    var hasFailed = false
    /// It was told to stop at once.
    var isCancelled = false
    /// Something happened that only a person, or another run, mends.
    var needsPerson = false
    /// Requests under way, by job.
    var dispatched: [JobID: Int] = [:]
    /// The next turn in the heap; others are stale.
    var turn: (at: Int64, ticket: Int)?
    var turnTickets = 0
    /// Turns since something was achieved, and those of them in quick succession.
    var idleTurns = 0
    var quickTurns = 0
    var lastTurn = Int64.min / 4
    var secretVersions: [Int: Int] = [:]

    init(number: Int, offset: Int64, noWait: Bool, watches: Bool, scheduler: Scheduler) {
        self.number = number
        self.offset = offset
        self.noWait = noWait
        self.watches = watches
        self.scheduler = scheduler
        pending.refreshes = true
        pending.forcesRefresh = true
    }
}

/// A transaction under way.
struct Storing {
    let pending: PendingTick
    var tick: Tick
    let handedOver: Timestamp
    var failures = 0
    /// Starts given up because the disk failed.
    var dropped: [JobID] = []
}

/// What a transaction answers.
struct StoreAnswer {
    var begun: [BegunAttempt] = []
    var starts: [JobID: AttemptStart] = [:]
    var refused: [JobID] = []
    var fetched: [(flow: FlowID, tickets: [JobTicket], isAll: Bool)] = []
    var promoted: [FlowID] = []
    var nextDue: Timestamp?
    var view: (flows: [FlowStatus], pauses: Pauses, isForeign: Bool)?
    var hasFailed = false
}
