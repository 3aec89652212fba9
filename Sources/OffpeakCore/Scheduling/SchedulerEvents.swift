/// What happens to the scheduler.
package enum SchedulerEvent: Sendable {
    /// The open flows, as the queue has them now; `foreign` when another process may have changed their jobs, too.
    case flowsChanged([Flow], foreign: Bool)
    /// The ready jobs of a flow, from its start; `isAll` when there are no more.
    case fetched(FlowID, [JobTicket], isAll: Bool)
    /// Jobs of these flows became ready in the queue.
    case promoted([FlowID])
    /// These beginnings were not accepted by the queue: the job was cancelled, paused, or taken by a person meanwhile.
    case refused([JobID])
    /// Attempts that ended, with the time that the provider took.
    case finished([(job: JobID, report: AttemptReport)])
    /// A class's window: open until a moment, or closed until one; nil for a class that is always open.
    case windowChanged(className: String, isOpen: Bool, until: Timestamp)
    /// A calendar day: what each key used so far in it, and when it ends.
    case dayStarted(used: [String: (requests: Int, tokens: Int)], ends: Timestamp)
    /// Where the present lies in the calendar: of days, weeks and months that are over, quotas and budgets begin anew.
    case periodsTurned(CalendarPosition)
    /// What people have paused.
    case pausesChanged(classes: Set<String>, keys: Set<String>)
    /// A new secret was loaded for a key.
    case secretChanged(key: String)
    /// A key's secret was loaded again, and is the same or could not be had.
    case secretKept(key: String)
    /// No new attempts from now on.
    case drain
    /// Time passed.
    case tick
}

/// What the scheduler wants done. Everything in it that is durable goes into one transaction.
package struct SchedulerEffects: Sendable {
    /// Read the ready jobs of these flows.
    package var fetches: [FlowID] = []
    /// Attempts to begin: durable first, then sent.
    package var starts: [AttemptStart] = []
    package var settlements: [Settlement] = []
    /// Flows held back, or no longer.
    package var holds: [(flow: FlowID, hold: Hold?)] = []
    /// Single jobs that are parked, or end as failed, without being sent.
    package var stops: [JobStop] = []
    /// Flows that no key can serve until a person acts: all their waiting jobs are parked, with this failure.
    package var parkings: [(flow: FlowID, failure: Failure)] = []
    /// Flows whose waiting jobs all end as failed, with this failure.
    package var failings: [(flow: FlowID, failure: Failure)] = []
    package var memories: [KeyMemory] = []
    /// What to add to the keys' calendar-day counts.
    package var dayUse: [String: (requests: Int, tokens: Int)] = [:]
    /// Keys whose secret should be loaded again, since the provider rejected it; each is answered by `secretChanged` or
    /// `secretKept`.
    package var staleSecrets: [String] = []
    /// Call again at this moment at the latest.
    package var wakeAt: Timestamp?

    package init() {}

    /// The flows of which jobs stop without having been sent.
    package var stoppedFlows: [FlowID] { stops.map(\.flow) + parkings.map(\.flow) + failings.map(\.flow) }

    mutating func wake(at moment: Timestamp) { wakeAt = min(wakeAt ?? moment, moment) }

    mutating func countDay(_ key: String, requests: Int, tokens: Int) {
        let old = dayUse[key] ?? (0, 0)
        dayUse[key] = (old.requests + requests, old.tokens + tokens)
    }
}
