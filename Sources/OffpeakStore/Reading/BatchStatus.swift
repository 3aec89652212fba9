import OffpeakCore

/// Where a batch is.
package enum BatchState: Int, Sendable, CaseIterable {
    /// Being submitted, or left by a submit that died.
    case intake = 0
    case open = 1
    case cancelled = 2
    /// Being removed.
    case deleting = 3
}

/// Numbers of jobs by state.
package struct JobCounts: Sendable, Equatable {
    package var ready = 0
    package var inFlight = 0
    package var succeeded = 0
    package var parked = 0
    package var scheduled = 0
    package var failed = 0
    package var cancelled = 0

    package init() {}

    package var total: Int { open + succeeded + failed + cancelled }
    /// Jobs with which something may still happen.
    package var open: Int { ready + inFlight + parked + scheduled }

    /// The number of one state.
    subscript(state: JobState) -> Int {
        get { self[keyPath: Self.field(state)] }
        set { self[keyPath: Self.field(state)] = newValue }
    }

    private static func field(_ state: JobState) -> WritableKeyPath<JobCounts, Int> {
        switch state {
        case .ready: \.ready
        case .inFlight: \.inFlight
        case .succeeded: \.succeeded
        case .parked: \.parked
        case .scheduled: \.scheduled
        case .failed: \.failed
        case .cancelled: \.cancelled
        }
    }

    package static func + (a: JobCounts, b: JobCounts) -> JobCounts {
        var sum = a
        sum.ready += b.ready
        sum.inFlight += b.inFlight
        sum.succeeded += b.succeeded
        sum.parked += b.parked
        sum.scheduled += b.scheduled
        sum.failed += b.failed
        sum.cancelled += b.cancelled
        return sum
    }
}

/// One flow as `status` shows it.
package struct FlowStatus: Sendable, Equatable {
    package var flow: Flow
    package var counts: JobCounts
    /// What all of its attempts used, failed ones included.
    package var usage: Usage
    /// Why its ready jobs wait; as the runner last said.
    package var hold: Hold?
    /// When its next scheduled job is due.
    package var nextDue: Timestamp?
}

/// One batch as `status` shows it.
package struct BatchStatus: Sendable, Equatable {
    package var id: BatchID
    package var name: String
    package var className: String
    package var state: BatchState
    package var paused: Bool
    package var priority: Int?
    package var deadline: Timestamp?
    package var created: Timestamp
    /// When its submit was complete.
    package var sealed: Timestamp?
    /// When its last open job ended; nil while there is one.
    package var finished: Timestamp?
    /// The path it was submitted from; nil for a stream.
    package var sourcePath: String?
    /// Answers that were erased after they were delivered, and when the latest were.
    package var erased = 0
    package var erasedAt: Timestamp?
    package var flows: [FlowStatus]

    package var counts: JobCounts { flows.reduce(JobCounts()) { $0 + $1.counts } }
    package var usage: Usage { flows.reduce(Usage()) { $0 + $1.usage } }
    package var nextDue: Timestamp? { flows.compactMap(\.nextDue).min() }
}
