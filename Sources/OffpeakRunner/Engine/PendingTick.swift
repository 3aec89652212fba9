import OffpeakCore
import OffpeakStore

/// What the next transaction will hold: the scheduler's effects since the last one was handed over.
struct PendingTick: Sendable {
    var settlements: [Settlement] = []
    var starts: [AttemptStart] = []
    var holds: [FlowID: Hold?] = [:]
    var memories: [String: KeyMemory] = [:]
    var dayUse: [String: (requests: Int, tokens: Int)] = [:]
    var fetches: [FlowID] = []
    var parkings: [(flow: FlowID, failure: Failure)] = []
    /// Scheduled jobs that are due should become ready.
    var promotes = false
    /// Read the open flows and the pauses, if another process changed the queue; `force`: in any case.
    var refreshes = false
    var forcesRefresh = false

    var isEmpty: Bool {
        settlements.isEmpty && starts.isEmpty && holds.isEmpty && memories.isEmpty && dayUse.isEmpty && fetches.isEmpty
            && parkings.isEmpty && !promotes && !refreshes
    }

    /// Whether it changes what any job is.
    var changesJobs: Bool { !settlements.isEmpty || !starts.isEmpty || !parkings.isEmpty || promotes }

    /// Whether nothing in it is about jobs, so that a run may end without waiting for it.
    var isQuiet: Bool { !changesJobs && fetches.isEmpty && holds.isEmpty && memories.isEmpty && dayUse.isEmpty }

    mutating func add(_ effects: SchedulerEffects) {
        settlements += effects.settlements
        starts += effects.starts
        for (flow, hold) in effects.holds { holds[flow] = .some(hold) }
        for memory in effects.memories { memories[memory.key] = memory }
        for (key, use) in effects.dayUse {
            let old = dayUse[key] ?? (0, 0)
            dayUse[key] = (old.requests + use.requests, old.tokens + use.tokens)
        }
        fetches += effects.fetches
        parkings += effects.parkings
    }
}
