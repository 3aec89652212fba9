import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

/// What the queue knows of keys; nothing when there is no queue yet.
struct KeyUse {
    var memories: [String: KeyMemory] = [:]
    var today: [String: KeyDayUse] = [:]
    var pauses = Pauses()
    /// Whether a run works the queue now.
    var isRun = false
    var spending: [SpendLine] = []
    /// The next jobs of what waits for keys.
    var waiting: [WaitingJob] = []

    init() {}

    /// `batches`, `pauses`, `isRun` and `spending` are the reader's, which others may need as well.
    init(
        _ reader: QueueReader, _ batches: [BatchStatus], pauses: Pauses, isRun: Bool, spending: [SpendLine], day: Int
    ) throws {
        for memory in try reader.keyMemories() { memories[memory.key] = memory }
        for day in try reader.dayUse(day: day) { today[day.key] = day }
        (self.pauses, self.isRun, self.spending) = (pauses, isRun, spending)
        for batch in batches where batch.state == .open && !batch.paused {
            for flow in batch.flows
            where flow.counts.ready > 0 && !pauses.classes.contains(flow.flow.className) {
                guard let ticket = try reader.nextJob(of: flow.flow.id) else { continue }
                waiting.append(WaitingJob(ticket: ticket, flow: flow.flow, hold: flow.hold))
            }
        }
    }

    static func read(_ path: String, day: Int) throws -> KeyUse {
        let reader: QueueReader
        do throws(StoreError) {
            reader = try QueueReader(queue: path)
        } catch {
            if error.reason == .notFound { return KeyUse() }
            throw error
        }
        defer { reader.close() }
        return try KeyUse(
            reader, try reader.batches(), pauses: try reader.pauses(), isRun: try reader.liveRun() != nil,
            spending: try reader.spending(), day: day)
    }
}

/// How the keys stand now: what a scheduler says that knows all that the queue does.
struct KeyOutlook {
    private let scheduler: Scheduler
    private let now: Timestamp
    private(set) var standings: [String: KeyStanding] = [:]

    init(_ use: KeyUse, _ configuration: Configuration, calendar: CalendarPosition, now: Timestamp) {
        var scheduler = configuration.scheduler(seed: 1)
        // No minute's limit is asked, so that the latest attempts do not matter.
        let memory = RunMemory(
            keys: use.memories.values.sorted { $0.key < $1.key }, attempts: [],
            dayUse: use.today.values.sorted { $0.key < $1.key })
        memory.recall(in: &scheduler, calendar: calendar, at: now)
        scheduler.recall(use.spending.map(\.row), calendar)
        var effects = SchedulerEffects()
        scheduler.handle(
            .pausesChanged(classes: use.pauses.classes, keys: use.pauses.keys), at: now, into: &effects)
        for key in configuration.keys {
            standings[key.name] = scheduler.standing(
                of: key.name, use.memories[key.name], isRun: use.isRun, waiting: use.waiting, at: now)
        }
        (self.scheduler, self.now) = (scheduler, now)
    }

    /// Why a flow's ready jobs wait, where all of its keys are unwell.
    func hold(on flow: Flow) -> Hold? { scheduler.hold(on: flow, by: standings) }

    /// What the next run does with a flow's job that was in flight when the last one ended.
    func afterLoss(of flow: Flow) -> Disposition {
        var scheduler = scheduler
        let ticket = JobTicket(id: 0, flow: flow.id, lease: 1, attemptsUsed: 0, bodyBytes: 0, maxOutputTokens: nil)
        return scheduler.abandoned(ticket, className: flow.className, at: now).disposition
    }

    /// The keys of flows that take nothing until somebody acts, or for long, in the order in which the flows name them.
    func troubles(of flows: [Flow]) -> [KeyTrouble] {
        var names: [String] = []
        for name in flows.flatMap(scheduler.keysServing) where !names.contains(name) { names.append(name) }
        return names.compactMap { name in
            guard let standing = standings[name], standing.isTrouble else { return nil }
            return KeyTrouble(key: name, standing: standing)
        }
    }
}
