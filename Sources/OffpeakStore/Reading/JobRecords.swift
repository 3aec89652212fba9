import OffpeakCore

/// One job with what is recorded of it.
package struct JobRecord: Sendable, Equatable {
    package var id: JobID
    package var batch: BatchID
    package var flow: FlowID
    package var className: String
    package var model: String
    package var endpoint: Endpoint
    package var customID: String
    /// Line in the source, from 1.
    package var line: Int
    package var state: JobState
    package var due: Timestamp?
    package var lease: Int
    package var attemptsUsed: Int
    package var bodyBytes: Int
    /// Set when it failed or is parked.
    package var failure: RecordedFailure?
}

/// Why a job failed or is parked.
package struct RecordedFailure: Sendable, Equatable {
    /// The failure class's word.
    package var failureClass: String
    package var code: String
    package var message: String
    /// 0 when there was no complete HTTP answer.
    package var statusCode: Int
}

/// One sending of a job, as `explain` shows it.
package struct AttemptRecord: Sendable, Equatable {
    package enum Outcome: Int, Sendable {
        case begun = 0
        case succeeded = 1
        case failed = 2
        case unknown = 3
    }

    /// Counts from 1; the same as the job's lease number during the attempt.
    package var number: Int
    package var key: String
    /// The provider's name of the model.
    package var model: String
    package var started: Timestamp
    package var ended: Timestamp?
    package var outcome: Outcome
    /// Nil while open and after a success.
    package var failureClass: String?
    package var code: String?
    package var message: String?
    /// The disposition's word; nil while open.
    package var disposition: String?
    package var reason: String
    /// JSON array text `[{"key","reason"}]`, or empty.
    package var passedOver: String
    package var reservedTokens: Int
    package var usage: Usage
    package var statusCode: Int?
    package var bill = Billing.provider
    package var lane = Lane.sync
    /// The most that it could cost, as reserved before it left.
    package var worst = Charge()
    /// What the ledger has of it; nil when it has no entry: while it is under way, and when nothing was used.
    package var cost: AttemptCost?
}

/// What one attempt cost: the sum of its ledger entries.
package struct AttemptCost: Sendable, Equatable {
    /// `assumed` while its answer is lost, `corrected` when that came after all.
    package var kind: LedgerEntry.Kind
    package var charge: Charge
}

/// Who served a job and what it cost, all of its attempts together.
package struct Receipt: Sendable, Equatable {
    /// Those of the attempt that brought the answer, or of the last one.
    package var route: LedgerRoute
    package var attempts: Int
    package var usage = Usage()
    package var charge = Charge()
    /// The part of it that is assumed, since answers were lost.
    package var unknown = Charge()
    package var unknownAttempts = 0
}

/// One job's line of the results: its answer, its failure, or neither.
package struct ResultRow: Sendable, Equatable {
    package var job: JobID
    package var line: Int
    /// UTF-8.
    package var customID: [UInt8]
    package var flow: FlowID
    package var state: JobState
    package var answer: RecordedAnswer?
    package var failure: RecordedFailure?
    /// Of a cancelled job that had been sent: `unknown` where an answer was lost, else `failed`.
    package var sentInVain: AttemptRecord.Outcome?
    /// Nil when receipts were not asked for, and for jobs that were never sent.
    package var receipt: Receipt?
}

/// An answer as it came.
package struct RecordedAnswer: Sendable, Equatable {
    /// The number of the attempt that brought it.
    package var attempt: Int
    package var statusCode: Int
    package var requestID: String
    /// Of an erased answer its hash.
    package var body: [UInt8]
    /// Its class keeps nothing, and it was delivered.
    package var isErased = false
}
