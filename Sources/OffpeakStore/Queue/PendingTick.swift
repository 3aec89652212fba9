import OffpeakCore

/// What a run's next transaction will hold: the scheduler's effects since the last one was handed over.
package struct PendingTick: Sendable {
    package var settlements: [Settlement] = []
    package var starts: [AttemptStart] = []
    package var holds: [FlowID: Hold?] = [:]
    package var memories: [String: KeyMemory] = [:]
    package var dayUse: [String: (requests: Int, tokens: Int)] = [:]
    package var fetches: [FlowID] = []
    package var jobStops: [JobStop] = []
    /// Flows whose waiting jobs are all parked, or end as failed.
    package var flowStops: [(flow: FlowID, state: JobState, failure: Failure)] = []
    /// Flows whose jobs that lack of money had parked are ready again.
    package var takeUps: [(flow: FlowID, reason: MoneyStop)] = []
    /// Read what is parked for the lack of money.
    package var looksForMoney = false
    /// Scheduled jobs that are due should become ready.
    package var promotes = false
    /// Read the open flows and the pauses, if another process changed the queue; `force`: in any case.
    package var refreshes = false
    package var forcesRefresh = false

    package init() {}

    package var isEmpty: Bool {
        settlements.isEmpty && starts.isEmpty && holds.isEmpty && memories.isEmpty && dayUse.isEmpty && fetches.isEmpty
            && jobStops.isEmpty && flowStops.isEmpty && takeUps.isEmpty && !looksForMoney && !promotes && !refreshes
    }

    /// Whether it changes what any job is.
    package var changesJobs: Bool {
        !settlements.isEmpty || !starts.isEmpty || !jobStops.isEmpty || !flowStops.isEmpty || !takeUps.isEmpty
            || promotes
    }

    /// Whether nothing in it is about jobs, so that a run may end without waiting for it.
    package var isQuiet: Bool {
        !changesJobs && !looksForMoney && fetches.isEmpty && holds.isEmpty && memories.isEmpty && dayUse.isEmpty
    }

    /// The part of it that the queue commits at once.
    package func tick(day: Int) -> Tick {
        var tick = Tick()
        tick.settlements = settlements
        tick.starts = starts
        tick.stops = jobStops
        tick.holds = holds.sorted { $0.key < $1.key }.map { FlowHold(flow: $0.key, hold: $0.value) }
        tick.keyMemories = memories.values.sorted { $0.key < $1.key }
        tick.dayUse = dayUse.sorted { $0.key < $1.key }.map {
            KeyDayUse(key: $0.key, day: day, requests: $0.value.requests, tokens: $0.value.tokens)
        }
        return tick
    }

    package mutating func add(_ effects: SchedulerEffects) {
        settlements += effects.settlements
        starts += effects.starts
        for (flow, hold) in effects.holds { holds[flow] = .some(hold) }
        for memory in effects.memories { memories[memory.key] = memory }
        for (key, use) in effects.dayUse {
            let old = dayUse[key] ?? (0, 0)
            dayUse[key] = (old.requests + use.requests, old.tokens + use.tokens)
        }
        fetches += effects.fetches
        jobStops += effects.stops
        flowStops += effects.parkings.map { ($0.flow, .parked, $0.failure) }
        flowStops += effects.failings.map { ($0.flow, .failed, $0.failure) }
    }
}
