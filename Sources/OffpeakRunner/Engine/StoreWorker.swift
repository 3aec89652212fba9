import Foundation
import OffpeakCore
import OffpeakStore

/// What a transaction answered.
struct StoreReply: Sendable {
    var begun: [BegunAttempt] = []
    var refused: [JobID] = []
    var promoted: [FlowID] = []
    var fetched: [(flow: FlowID, tickets: [JobTicket], isAll: Bool)] = []
    /// Jobs that were parked, or ended as failed, without being sent.
    var parked = 0
    var failed = 0
    /// What is parked for the lack of money, if it was asked for.
    var parkedForMoney: [MoneyParked] = []
    /// Jobs that are ready again.
    var takenUp: [FlowCount] = []
    /// When the next scheduled job is due.
    var nextDue: Timestamp?
    /// The open flows and pauses, if they were asked for and have changed.
    var refresh: QueueView?
    /// Bought answers that could not be recorded; they are in the spill file, and the run must end.
    var failure: StoreError?
}

/// The queue as it stands besides the jobs themselves.
struct QueueView: Sendable {
    var flows: [FlowStatus]
    var pauses: Pauses
    /// Another process has written since the last view.
    var isForeign: Bool
}

/// Performs the engine's transactions on a thread of its own, since a commit blocks: one at a time, in order.
final class StoreWorker: Sendable {
    enum Request: Sendable {
        case perform(PendingTick, at: Timestamp, day: Int)
        /// The queue failed: put these where the next run finds them.
        case keep([Settlement], after: StoreError)
        /// The engine is done.
        case stop
    }

    private let requests = Mailbox<Request>()
    private let stopped = DispatchSemaphore(value: 0)

    /// `queue` is used by this worker's thread only from here on, and is closed when `stop` returns.
    init(
        queue: SQLiteQueue, note: @escaping @Sendable (String) -> Void, reply: @escaping @Sendable (StoreReply) -> Void
    ) {
        let requests = requests
        let stopped = stopped
        let work = StoreWork(queue: queue, note: note)
        let thread = Thread {
            loop: while true {
                for request in requests.take(within: nil) {
                    switch request {
                    case .perform(let tick, let now, let day): reply(work.perform(tick, at: now, day: day))
                    case .keep(let settlements, let failure): reply(work.keep(settlements, after: failure))
                    case .stop: break loop
                    }
                }
            }
            work.close()
            stopped.signal()
        }
        thread.name = "offpeak-store"
        thread.stackSize = 4 << 20
        thread.start()
    }

    func perform(_ tick: PendingTick, at now: Timestamp, day: Int) { requests.post(.perform(tick, at: now, day: day)) }

    func keep(_ settlements: [Settlement], after failure: StoreError) {
        requests.post(.keep(settlements, after: failure))
    }

    func stop() {
        requests.post(.stop)
        stopped.wait()
    }
}
