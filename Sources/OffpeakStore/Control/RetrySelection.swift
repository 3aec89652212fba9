import OffpeakCore

/// Which ended jobs a person wants tried again.
package enum RetrySelection: String, Sendable, CaseIterable {
    /// All failed ones.
    case failed
    /// All parked ones.
    case parked
    /// Those of either kind whose last outcome is unknown.
    case unknown
    /// Failed and parked.
    case all

    var includesFailed: Bool { self != .parked }
    var includesParked: Bool { self != .failed }

    func includes(_ state: JobState, _ failure: Failure?) -> Bool {
        guard state == .failed && includesFailed || state == .parked && includesParked else { return false }
        return self != .unknown || failure?.failureClass == .unknownOutcome
    }
}
