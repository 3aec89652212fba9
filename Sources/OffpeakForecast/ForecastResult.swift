import OffpeakCore

/// What a forecast came to.
package struct ForecastResult: Sendable {
    /// What one key did on one lane.
    package struct Share: Sendable {
        package var key: String
        package var lane: Lane
        package var bill: Billing
        package var jobs = 0
        package var charge = Charge()
    }

    /// Jobs that wait for a moment that is more than a few minutes away.
    package struct Wait: Sendable {
        package var jobs: Int
        package var until: Timestamp
        package var reason: String
    }

    package var jobs = 0
    package var succeeded = 0
    package var parked = 0
    package var failed = 0
    /// Neither ended nor given up when the forecast stopped.
    package var waiting = 0
    /// When the last answer came.
    package var finish: Timestamp?
    /// When the last answer of each flow came.
    package private(set) var finishOfFlow: [FlowID: Timestamp] = [:]
    /// Jobs that were answered after the deadline of their batch.
    package var late = 0
    package var charge = Charge()
    package private(set) var shares: [Share] = []
    package private(set) var waits: [Wait] = []
    package var spill = Share(key: "", lane: .sync, bill: .platform)
    /// Jobs that stop for a person, or fail, and why.
    package private(set) var stopped: [(jobs: Int, reason: String)] = []
    private var spilled: Set<JobID> = []
    private var places: [LedgerRoute: Int] = [:]

    package init() {}

    /// Jobs with which nothing more happens by itself.
    package var ended: Int { succeeded + parked + failed }

    mutating func began(_ attempt: AttemptStart) {
        if attempt.isSpill { spilled.insert(attempt.job) }
    }

    mutating func settled(_ settlement: Settlement, at now: Timestamp) {
        let isSpill = spilled.remove(settlement.job) != nil
        guard let entry = settlement.entry else { return }
        charge = charge + entry.charge
        if isSpill {
            spill.jobs += settlement.disposition == .complete ? 1 : 0
            spill.charge = spill.charge + entry.charge
        }
        var route = entry.route
        // A key's models are one line.
        route.model = ""
        let place = places[route] ?? shares.count
        if place == shares.count {
            shares.append(Share(key: route.key, lane: route.lane, bill: route.bill))
            places[route] = place
        }
        if settlement.disposition == .complete { shares[place].jobs += 1 }
        shares[place].charge = shares[place].charge + entry.charge
    }

    mutating func finished(_ flow: Flow, at now: Timestamp) {
        finish = now
        finishOfFlow[flow.id] = now
        if let deadline = flow.deadline, now > deadline { late += 1 }
    }

    /// Some jobs stop. Of very many reasons the later ones are told with the last.
    mutating func stopped(_ jobs: Int, _ reason: String) {
        if let same = stopped.firstIndex(where: { $0.reason == reason }) {
            stopped[same].jobs += jobs
        } else if stopped.count < 100 {
            stopped.append((jobs, reason))
        } else {
            stopped[stopped.count - 1].jobs += jobs
        }
    }

    mutating func held(_ jobs: Int, _ hold: Hold, until: Timestamp) {
        if let same = waits.firstIndex(where: { $0.until == until && $0.reason == hold.reason }) {
            waits[same].jobs = max(waits[same].jobs, jobs)
        } else if waits.count < 100 {
            waits.append(Wait(jobs: jobs, until: until, reason: hold.reason))
        }
    }
}
