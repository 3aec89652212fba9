import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakStore

/// What a class may still spend.
struct BudgetView {
    let className: String
    let budget: Budget
    let used: Money
    /// What is in flight may take of the rest at most, and the number of its requests.
    let reserved: Money
    let inFlight: Int
    let renews: Timestamp?

    /// The budgets that a batch's jobs count against.
    static func of(
        _ batch: BatchStatus, in configuration: Configuration, lines: [SpendLine], reservations: [Reservation],
        calendar: CalendarPosition
    ) -> [BudgetView] {
        var names: [String] = []
        for flow in batch.flows where !names.contains(flow.flow.className) { names.append(flow.flow.className) }
        return names.compactMap { name in
            guard let budget = configuration.policy(of: name)?.budget else { return nil }
            let period = budget.per.period
            func counts(_ className: String, _ of: BatchID, _ day: Int) -> Bool {
                className == name && calendar.isPresent(day, in: period) && (period != nil || of == batch.id)
            }
            let rows = lines.map(\.row).filter { counts($0.className, $0.batch, $0.day) }
            let held = reservations.filter { counts($0.className, $0.batch, $0.day) }
            return BudgetView(
                className: name, budget: budget, used: rows.reduce(.zero) { $0 + $1.charge.billed },
                reserved: held.reduce(.zero) { $0 + $1.billed }, inFlight: held.reduce(0) { $0 + $1.attempts },
                renews: period.map { calendar.ends[$0] })
        }
    }

    private var left: Money { max(.zero, budget.limit - used) }

    /// Why a job that may cost so much waits for answers: it fits beside what is spent, and not beside what is in flight.
    func waitsForAnswers(_ worst: Money) -> String? {
        guard reserved > .zero, worst <= left, worst + reserved > left else { return nil }
        return
            "the budget of class \(className) has \(left.text) USD left, of which \(Words.count(inFlight, "request")) in flight may "
            + "take \(reserved.text) USD, and one more may cost up to \(worst.text) USD: answers are awaited"
    }

    func write(to writer: inout JSONWriter) {
        writer.member("class", className)
        writer.member("usd", budget.limit.text)
        writer.member("left_usd", left.text)
        writer.member("reserved_usd", reserved.text)
        writer.member("in_flight", inFlight)
        writer.member("per", budget.per.rawValue)
        writer.member("resets", renews)
    }

    /// `isCutOff`: what was in flight has lost its run.
    func words(isCutOff: Bool) -> String {
        var text =
            "budget of class \(className): \(left.text) of \(budget.limit.text) USD left for this \(budget.per.rawValue)"
        if let renews { text += ", until \(TimeText.rfc3339(renews))" }
        if reserved > .zero {
            text += "; up to \(reserved.text) USD of it for \(Words.count(inFlight, "request")) "
            text += isCutOff ? "cut off" : "in flight"
        }
        return text
    }
}

/// What money lets go, as a run that began now would find it.
struct MoneyOutlook {
    private var scheduler: Scheduler
    private let now: Timestamp

    init(_ configuration: Configuration, lines: [SpendLine], at wall: Timestamp) {
        now = wall
        scheduler = configuration.scheduler(seed: 1)
        scheduler.recall(lines.map(\.row), CalendarPosition(containing: wall, in: configuration.timeZone))
    }

    /// Why money would stop a job; nil when it could go.
    mutating func stop(of ticket: JobTicket, in flow: Flow) -> Failure? {
        scheduler.moneyStop(for: ticket, of: flow, at: now)
    }

    /// What a budget must have left for a job at least.
    mutating func leastReservation(of ticket: JobTicket, in flow: Flow) -> Money? {
        scheduler.leastReservation(for: ticket, of: flow, at: now)
    }
}
