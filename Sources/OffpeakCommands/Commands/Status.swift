import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

extension Command {
    static let status = Command(
        syntax: CommandSyntax(
            "status", ["BATCH"], required: 0,
            help: "counts by state, tokens, cost, what is being waited for and until when")
    ) { context in
        let reader = try context.reader()
        defer { reader.close() }
        let now = RunnerClock().now
        let paused = try reader.pauses()
        let money = StatusMoney(
            lines: try reader.spending(), configuration: context.configurationIfAny(), wall: RunnerClock().wall)
        var reasons = StopReasons(reader)
        if let name = context.arguments.positionals.first {
            let status = try context.batch(name, in: reader)
            let batch = BatchView(status, pauses: paused, money: money, stops: try reasons.of(status), now: now)
            if context.printer.usesJSON {
                context.printer.json { batch.write(to: &$0) }
            } else {
                context.printer.data(batch.lines.joined(separator: "\n"))
            }
            return .success
        }
        let batches = try reader.batches().map {
            BatchView($0, pauses: paused, money: money, stops: try reasons.of($0), now: now)
        }
        if context.printer.usesJSON {
            context.printer.json { writer in
                writer.array("batches") { array in
                    for batch in batches { array.object { batch.write(to: &$0) } }
                }
            }
        } else if batches.isEmpty {
            context.printer.note("the queue has no batches; `offpeak submit FILE --class C` adds one")
        } else {
            context.printer.data(batches.map { $0.lines.joined(separator: "\n") }.joined(separator: "\n\n"))
        }
        return .success
    }
}

/// The books as `status` needs them.
struct StatusMoney {
    let lines: [SpendLine]
    /// Nil where there is none that can be used: then nothing is told of budgets and prices.
    let configuration: Configuration?
    let wall: Timestamp

    /// Whether there is a configuration, and it does not have the class.
    func lacks(_ className: String) -> Bool { configuration.map { $0.policy(of: className) == nil } ?? false }

    func of(_ batch: BatchStatus) -> (SpendTotal, [BudgetView], unpricedTokens: Int) {
        let own = lines.filter { $0.row.batch == batch.id }
        guard let configuration else { return (SpendTotal(own), [], 0) }
        let calendar = CalendarPosition(containing: wall, in: configuration.timeZone)
        let budgets = BudgetView.of(batch, in: configuration, lines: lines, calendar: calendar)
        return (SpendTotal(own), budgets, configuration.unpriced(own).reduce(0) { $0 + $1.row.usage.totalTokens })
    }
}

/// A batch as `status` shows it.
struct BatchView {
    struct Wait {
        var reason: String
        var jobs: Int
        var until: Timestamp?
    }

    let batch: BatchStatus
    let waits: [Wait]
    /// Jobs that wait for a known moment: a retry's, a window's, a limit's that comes no sooner than its normal pace.
    let deferred: Int
    /// Why jobs are parked or have failed.
    private let stops: [StopReason]
    private let spend: SpendTotal
    private let budgets: [BudgetView]
    /// Tokens that no price is known for.
    private let unpricedTokens: Int

    init(_ batch: BatchStatus, pauses: Pauses, money: StatusMoney, stops: [StopReason], now: Timestamp) {
        self.batch = batch
        self.stops = stops
        (spend, budgets, unpricedTokens) = money.of(batch)
        var waits: [Wait] = []
        var deferred = 0
        for flow in batch.flows {
            let counts = flow.counts
            if batch.state == .open, money.lacks(flow.flow.className), counts.waiting > 0 {
                let reason =
                    "class \(flow.flow.className) is not in the configuration: put it there, or cancel the batch"
                waits.append(Wait(reason: reason, jobs: counts.waiting, until: nil))
                continue
            }
            if counts.scheduled > 0 {
                deferred += counts.scheduled
                waits.append(Wait(reason: "a retry or the key's reset", jobs: counts.scheduled, until: flow.nextDue))
            }
            guard counts.ready > 0 else { continue }
            if batch.state == .intake {
                let reason = "its submit is not complete; if it was interrupted, the same `offpeak submit` goes on"
                waits.append(Wait(reason: reason, jobs: counts.ready, until: nil))
            } else if batch.paused {
                waits.append(Wait(reason: "the batch is paused", jobs: counts.ready, until: nil))
            } else if pauses.classes.contains(flow.flow.className) {
                waits.append(Wait(reason: "class \(flow.flow.className) is paused", jobs: counts.ready, until: nil))
            } else if let hold = flow.hold, hold.until.map({ $0 > now }) ?? true {
                if let until = hold.until, until - now > RunOptions.longestPace { deferred += counts.ready }
                waits.append(Wait(reason: hold.reason, jobs: counts.ready, until: hold.until))
            }
        }
        self.waits = waits
        self.deferred = deferred
    }

    var state: String {
        if batch.state == .cancelled { return "cancelled" }
        if batch.state == .intake { return "submitting" }
        if batch.counts.open == 0 { return "done" }
        return batch.paused ? "paused" : "open"
    }

    /// The members of the document that `product` promises for a batch.
    func write(to writer: inout JSONWriter) {
        let counts = batch.counts
        writer.member("batch", "b\(batch.id)")
        writer.member("name", batch.name)
        writer.member("class", batch.className)
        writer.member("state", state)
        writer.object("jobs") {
            $0.member("total", counts.total)
            $0.member("waiting", counts.ready + counts.scheduled - deferred)
            $0.member("deferred", deferred)
            $0.member("parked", counts.parked)
            $0.member("in_flight", counts.inFlight)
            $0.member("succeeded", counts.succeeded)
            $0.member("failed", counts.failed)
            $0.member("cancelled", counts.cancelled)
        }
        writer.member("created", batch.created)
        writer.member("finished", batch.finished)
        writer.member("deadline", batch.deadline)
        writer.member("next_due", nextDue)
        writer.array("waiting_for") { array in
            for wait in waits {
                array.object {
                    $0.member("reason", wait.reason)
                    $0.member("jobs", wait.jobs)
                    $0.member("until", wait.until)
                }
            }
        }
        writer.array("stopped") { array in
            for stop in stops { array.object { stop.write(to: &$0, of: batch) } }
        }
        writer.object("usage") { $0.members(batch.usage) }
        spend.write(to: &writer)
        writer.member("unpriced_tokens", unpricedTokens)
        writer.array("budgets") { array in
            for budget in budgets { array.object { budget.write(to: &$0) } }
        }
    }

    private var nextDue: Timestamp? { waits.compactMap(\.until).min() }

    /// The same for people.
    var lines: [String] {
        let counts = batch.counts
        var parts: [String] = []
        let numbers = [
            (counts.succeeded, "succeeded"), (counts.failed, "failed"), (counts.parked, "parked"),
            (counts.inFlight, "in flight"),
            (deferred, "deferred"), (counts.ready + counts.scheduled - deferred, "waiting"),
            (counts.cancelled, "cancelled"),
        ]
        for (number, word) in numbers where number > 0 { parts.append("\(number) \(word)") }
        if parts.isEmpty { parts = ["none"] }
        var lines = ["b\(batch.id)  \(batch.name)  class \(batch.className)  \(state)"]
        lines.append("    \(Words.count(counts.total, "job")): " + parts.joined(separator: ", "))
        let usage = batch.usage
        lines.append(
            "    \(usage.inputTokens) input tokens (\(usage.cachedTokens) cached), \(usage.outputTokens) output tokens")
        let unpriced = unpricedTokens == 0 ? "" : "; without \(unpricedTokens) tokens whose price is unknown"
        lines.append("    cost: \(spend.words)\(unpriced)")
        for budget in budgets { lines.append("    \(budget.words)") }
        for wait in waits {
            let until = wait.until.map { " until \(TimeText.rfc3339($0))" } ?? ""
            lines.append("    \(Words.count(wait.jobs, "job")) waiting\(until): \(wait.reason)")
        }
        return lines + stops.flatMap { $0.lines(of: batch) }
    }
}

extension JSONWriter {
    /// The members of a usage document.
    mutating func members(_ usage: Usage) {
        member("input_tokens", usage.inputTokens)
        member("cached_tokens", usage.cachedTokens)
        member("output_tokens", usage.outputTokens)
    }
}
