import OffpeakCore

/// What happened in a night, in numbers.
package struct NightCounts: Sendable {
    package var events = 0
    package var turns = 0
    package var runs = 0
    package var deaths = 0
    package var sends = 0
    package var answers = 0
    /// Refusals of servers: for a limit, among them of servers with exactly the stated limits, for too many at once, and
    /// out of nowhere.
    package var limitRefusals = 0
    package var unfairRefusals = 0
    package var concurrencyRefusals = 0
    package var failedCommits = 0
    package var spills = 0
    package var failures: [FailureClass: Int] = [:]
    package var dispositions: [String: Int] = [:]
    /// Jobs at the end, by the raw value of their state.
    package var states = Array(repeating: 0, count: JobState.allCases.count)

    package init() {}

    package static func += (a: inout NightCounts, b: NightCounts) {
        a.events += b.events
        a.turns += b.turns
        a.runs += b.runs
        a.deaths += b.deaths
        a.sends += b.sends
        a.answers += b.answers
        a.limitRefusals += b.limitRefusals
        a.unfairRefusals += b.unfairRefusals
        a.concurrencyRefusals += b.concurrencyRefusals
        a.failedCommits += b.failedCommits
        a.spills += b.spills
        a.failures.merge(b.failures) { $0 + $1 }
        a.dispositions.merge(b.dispositions) { $0 + $1 }
        for i in a.states.indices { a.states[i] += b.states[i] }
    }
}

/// One send as the servers' ledger has it.
package struct ServedSend: Sendable {
    /// Milliseconds after the night's start.
    package var at: Int64
    package var job: JobID
    /// The number of its batch in the plan.
    package var batch: Int
    package var className: String
    package var key: Int
    package var tokens: Int
}

/// How a night went.
package struct NightReport: Sendable {
    package var seed: UInt64
    /// What was not as it must be; nil when all was well.
    package var problem: String?
    /// Equal for equal nights only.
    package var hash: UInt64
    package var lines: [String]
    package var counts: NightCounts
    /// The night's length in milliseconds.
    package var ended: Int64
    /// All sends, in order.
    package var served: [ServedSend]
    /// What the account book saw; nil for a night without money.
    package var money: MoneyCounts?
}
