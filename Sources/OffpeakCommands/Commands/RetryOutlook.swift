import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

/// Retried jobs that the lack of money surely stops again, as the next run would find it if it began now.
struct RetryOutlook {
    let failure: Failure
    private(set) var jobs: Int

    /// What the lack of money has parked of a batch, or ended as failed, before it is retried.
    static func stopped(
        of batch: BatchStatus, _ which: RetrySelection, in context: CommandContext
    ) throws -> [MoneyParked] {
        // Among those whose outcome is unknown there are none.
        guard which != .unknown else { return [] }
        let reader = try context.reader()
        defer { reader.close() }
        var stopped: [MoneyParked] = []
        if which != .failed {
            stopped += try reader.parkedForMoney(of: batch.flows.filter { $0.counts.parked > 0 }.map(\.flow))
        }
        if which != .parked {
            stopped += try reader.failedForMoney(of: batch.flows.filter { $0.counts.failed > 0 }.map(\.flow))
        }
        return stopped
    }

    /// The same jobs, and all others of their flow where its budget has no room for the first, each with its reason; empty
    /// without a configuration, since only that knows budgets and prices.
    static func stops(
        of batch: BatchStatus, retried: Int, _ stopped: [MoneyParked], in context: CommandContext
    ) throws -> [RetryOutlook] {
        guard retried > 0, let configuration = context.configurationIfAny() else { return [] }
        let reader = try context.reader()
        defer { reader.close() }
        var outlook = MoneyOutlook(configuration, lines: try reader.spending(), at: RunnerClock().wall)
        var stops: [RetryOutlook] = []
        func add(_ jobs: Int, _ failure: Failure) {
            if let place = stops.firstIndex(where: { $0.failure.message == failure.message }) {
                stops[place].jobs += jobs
            } else if jobs > 0 {
                stops.append(RetryOutlook(failure: failure, jobs: jobs))
            }
        }
        guard let now = try reader.batch(batch.id) else { return [] }
        for status in now.flows where status.counts.ready > 0 {
            guard configuration.policy(of: status.flow.className) != nil else { continue }
            let earlier = batch.flows.first { $0.flow.id == status.flow.id }?.counts.ready ?? 0
            let fresh = max(0, status.counts.ready - earlier)
            // What stands first decides for all, where it is the budget that is used up.
            if let first = try reader.nextJob(of: status.flow.id),
                let failure = outlook.stop(of: first, in: status.flow),
                failure.code == MoneyStop.budgetExhausted.rawValue
            {
                add(fresh, failure)
                continue
            }
            for one in stopped where one.flow.id == status.flow.id {
                if let failure = outlook.stop(of: one.decisive, in: status.flow) { add(min(one.jobs, fresh), failure) }
            }
        }
        return stops
    }

    var words: String {
        "; \(Words.count(jobs, "job")) of them will stop again: \(failure.code): \(failure.message)"
    }

    func write(to writer: inout JSONWriter) {
        writer.member("code", failure.code)
        writer.member("reason", failure.message)
        writer.member("jobs", jobs)
    }
}
