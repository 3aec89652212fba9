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
        var view = try StatusView(reader, configuration: context.configurationIfAny(), clock: RunnerClock())
        if let name = context.arguments.positionals.first {
            let batch = try view.of(try context.batch(name, in: reader))
            if context.printer.usesJSON {
                context.printer.json {
                    batch.write(to: &$0)
                    view.write(to: &$0, of: [batch])
                }
            } else {
                context.printer.data((batch.lines + view.lines(for: [batch])).joined(separator: "\n"))
            }
            return .success
        }
        var batches: [BatchView] = []
        for batch in view.batches { batches.append(try view.of(batch)) }
        if context.printer.usesJSON {
            context.printer.json { writer in
                writer.array("batches") { array in
                    for batch in batches { array.object { batch.write(to: &$0) } }
                }
                view.write(to: &writer, of: batches)
            }
        } else if batches.isEmpty {
            context.printer.note("the queue has no batches; `offpeak submit FILE --class C` adds one")
        } else {
            let notes = view.lines(for: batches)
            let texts = batches.map(\.lines) + (notes.isEmpty ? [] : [notes])
            context.printer.data(texts.map { $0.joined(separator: "\n") }.joined(separator: "\n\n"))
        }
        return .success
    }
}

/// What `status` knows besides the batches.
struct StatusView {
    /// All of them.
    let batches: [BatchStatus]
    private let pauses: Pauses
    /// The run that works the queue.
    private let run: LiveRun?
    private let now: Timestamp
    private var money: StatusMoney
    private var reasons: StopReasons
    /// How the keys stand; nil without a configuration.
    private let outlook: KeyOutlook?

    init(_ reader: QueueReader, configuration: Configuration?, clock: RunnerClock) throws {
        now = clock.now
        run = try reader.liveRun()
        pauses = try reader.pauses()
        let money = try StatusMoney(reader, configuration: configuration, wall: clock.wall)
        self.money = money
        batches = try reader.batches()
        reasons = StopReasons(reader)
        let (batches, pauses, isRun, now) = (batches, pauses, run != nil, now)
        outlook = try configuration.map { configuration in
            let present = RunCalendar(configuration: configuration, clock: clock).position
            let use = try KeyUse(
                reader, batches, pauses: pauses, isRun: isRun, spending: money.lines, day: present.day)
            return KeyOutlook(use, configuration, calendar: present, now: now)
        }
    }

    mutating func of(_ batch: BatchStatus) throws -> BatchView {
        let shares = money.of(batch)
        let reservation = run == nil ? [:] : try money.waitsForAnswers(batch, shares.budgets)
        return BatchView(
            batch, pauses: pauses, money: shares, lacks: money.lacks, reserved: reservation,
            stops: try reasons.of(batch), outlook: outlook, isRun: run != nil, now: now)
    }

    /// The keys that some of these batches wait for, and that take nothing until somebody acts, or for long.
    private func troubles(of batches: [BatchView]) -> [KeyTrouble] {
        outlook?.troubles(of: batches.flatMap(\.waitingFlows)) ?? []
    }

    func write(to writer: inout JSONWriter, of batches: [BatchView]) {
        writer.array("keys") { array in
            for trouble in troubles(of: batches) { array.object { trouble.write(to: &$0) } }
        }
        guard let run else { return writer.null("run") }
        writer.object("run") {
            $0.member("pid", run.process)
            $0.member("since", run.since)
        }
    }

    /// What is to be said of all of them.
    func lines(for batches: [BatchView]) -> [String] {
        var lines = troubles(of: batches).map { trouble in
            trouble.words(isReasonTold: batches.contains { $0.tells(of: trouble) })
        }
        if run == nil, batches.contains(where: \.hasWork) {
            lines.append("no run is working this queue; `offpeak run` goes on")
        }
        return lines
    }
}

/// The books as `status` needs them.
struct StatusMoney {
    private let reader: QueueReader
    let lines: [SpendLine]
    private let reservations: [Reservation]
    /// Nil where there is none that can be used: then nothing is told of budgets and prices.
    private let configuration: Configuration?
    private let wall: Timestamp

    /// A batch's part of them.
    struct Share {
        var spend: SpendTotal
        var budgets: [BudgetView] = []
        /// Tokens that no price is known for.
        var unpricedTokens = 0
    }

    init(_ reader: QueueReader, configuration: Configuration?, wall: Timestamp) throws {
        (self.reader, self.configuration, self.wall) = (reader, configuration, wall)
        // In this order: what is settled in between counts twice for a moment, rather than not at all.
        reservations = try reader.reservations()
        lines = try reader.spending()
    }

    /// Whether there is a configuration, and it does not have the class.
    func lacks(_ className: String) -> Bool { configuration.map { $0.policy(of: className) == nil } ?? false }

    func of(_ batch: BatchStatus) -> Share {
        let own = lines.filter { $0.row.batch == batch.id }
        guard let configuration else { return Share(spend: SpendTotal(own)) }
        let calendar = CalendarPosition(containing: wall, in: configuration.timeZone)
        let budgets = BudgetView.of(
            batch, in: configuration, lines: lines, reservations: reservations, calendar: calendar)
        return Share(
            spend: SpendTotal(own), budgets: budgets,
            unpricedTokens: configuration.unpriced(own).reduce(0) { $0 + $1.row.usage.totalTokens })
    }

    /// The flows that wait since all that their budget has left is reserved, with the reason.
    func waitsForAnswers(_ batch: BatchStatus, _ budgets: [BudgetView]) throws -> [FlowID: String] {
        guard let configuration, budgets.contains(where: { $0.reserved > .zero }) else { return [:] }
        var outlook = MoneyOutlook(configuration, lines: lines, at: wall)
        var reasons: [FlowID: String] = [:]
        for status in batch.flows where status.counts.ready > 0 {
            guard let budget = budgets.first(where: { $0.className == status.flow.className }),
                let ticket = try reader.nextJob(of: status.flow.id),
                let worst = outlook.leastReservation(of: ticket, in: status.flow)
            else { continue }
            reasons[status.flow.id] = budget.waitsForAnswers(worst)
        }
        return reasons
    }
}

/// A batch as `status` shows it.
struct BatchView {
    struct Wait {
        var reason: String
        var jobs: Int
        var until: Timestamp?
        /// `until` is only that of the first of them.
        var isStaggered = false
    }

    let batch: BatchStatus
    let waits: [Wait]
    /// Jobs that wait for a known moment: a retry's, a window's, a limit's that comes no sooner than its normal pace.
    let deferred: Int
    /// Why jobs are parked or have failed.
    private let stops: [StopReason]
    private let money: StatusMoney.Share
    private let deadline: DeadlineView?
    private let cutOff: CutOffView

    init(
        _ batch: BatchStatus, pauses: Pauses, money: StatusMoney.Share, lacks: (String) -> Bool,
        reserved: [FlowID: String], stops: [StopReason], outlook: KeyOutlook?, isRun: Bool, now: Timestamp
    ) {
        self.batch = batch
        self.stops = stops
        self.money = money
        deadline = DeadlineView(of: batch, now: now)
        cutOff = CutOffView(of: batch, isRun: isRun, outlook)
        var waits: [Wait] = []
        var deferred = 0
        for flow in batch.flows {
            let counts = flow.counts
            if batch.state == .open, lacks(flow.flow.className), counts.waiting > 0 {
                let reason =
                    "class \(flow.flow.className) is not in the configuration: put it there, or cancel the batch"
                waits.append(Wait(reason: reason, jobs: counts.waiting, until: nil))
                continue
            }
            deferred += counts.scheduled
            let unwell = isRun ? outlook?.hold(on: flow.flow) : nil
            let ready = counts.ready == 0 ? nil : Self.wait(of: flow, in: batch, pauses, unwell, now: now)
            if let ready, let until = ready.until, until - now > RunOptions.longestPace { deferred += counts.ready }
            waits += Self.together(ready, flow, reserved: reserved[flow.flow.id], unwell, now: now)
        }
        self.waits = Self.merged(waits)
        self.deferred = deferred
    }

    /// One for each reason, however many flows wait for it; those that nobody knows an end of stay by themselves.
    private static func merged(_ waits: [Wait]) -> [Wait] {
        waits.grouped { $0.reason == $1.reason && ($0.until == nil) == ($1.until == nil) }.map { same in
            let moments = same.compactMap(\.until)
            return Wait(
                reason: same[0].reason, jobs: same.reduce(0) { $0 + $1.jobs }, until: moments.min(),
                isStaggered: moments.min() != moments.max())
        }
    }

    /// What a flow's ready jobs wait for, as far as anybody has noted it, or as its keys stand.
    private static func wait(
        of flow: FlowStatus, in batch: BatchStatus, _ pauses: Pauses, _ unwell: Hold?, now: Timestamp
    ) -> Wait? {
        func wait(_ reason: String) -> Wait { Wait(reason: reason, jobs: flow.counts.ready, until: nil) }
        if batch.state == .intake {
            return wait("its submit is not complete; if it was interrupted, the same `offpeak submit` goes on")
        }
        if batch.paused { return wait("the batch is paused") }
        if pauses.classes.contains(flow.flow.className) { return wait("class \(flow.flow.className) is paused") }
        let noted = flow.hold.flatMap { $0.until ?? .distantFuture > now ? $0 : nil }
        guard let hold = noted ?? unwell else { return nil }
        return Wait(reason: hold.reason, jobs: flow.counts.ready, until: hold.until)
    }

    /// With the deferred jobs, whose own moment is one more of the same cause where it comes before the flow's or within a
    /// minute's pace of it: when they are due they stand in the same line.
    private static func together(
        _ ready: Wait?, _ flow: FlowStatus, reserved: String?, _ unwell: Hold?, now: Timestamp
    ) -> [Wait] {
        let scheduled = flow.counts.scheduled
        var waits = ready.map { [$0] } ?? []
        if ready == nil, let reserved {
            waits = [Wait(reason: reserved, jobs: flow.counts.ready, until: nil)]
        }
        guard scheduled > 0 else { return waits }
        let due = flow.nextDue.flatMap { $0 > now ? $0 : nil }
        if var ready, ready.until.map({ until in due.map { $0 - until <= RunOptions.longestPace } ?? true }) ?? true {
            ready.jobs += scheduled
            return [ready]
        }
        return [Wait(reason: unwell?.reason ?? "a retry or the key's reset", jobs: scheduled, until: due)] + waits
    }

    /// Those of its flows that have something to send, and wait for keys with it.
    var waitingFlows: [Flow] {
        batch.state == .open && !batch.paused ? batch.flows.filter { $0.counts.waiting > 0 }.map(\.flow) : []
    }

    /// Whether one of its lines says already why a key takes nothing.
    func tells(of trouble: KeyTrouble) -> Bool { waits.contains { trouble.isTold(by: $0.reason) } }

    /// Whether there is something for a run to do.
    var hasWork: Bool {
        batch.state == .open && batch.counts.waiting + batch.counts.inFlight > 0
            || batch.state == .cancelled && batch.counts.inFlight > 0
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
        // A part of those in flight.
        writer.member("cut_off", cutOff.jobs)
        writer.member("created", batch.created)
        writer.member("finished", batch.finished)
        writer.members(deadline, of: batch)
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
            for stop in stops { array.object { stop.write(to: &$0, of: batch, renews: renewsBudgets) } }
        }
        writer.object("usage") { $0.members(batch.usage) }
        money.spend.write(to: &writer)
        writer.member("unpriced_tokens", money.unpricedTokens)
        writer.array("budgets") { array in
            for budget in money.budgets { array.object { budget.write(to: &$0) } }
        }
    }

    private var renewsBudgets: Bool { money.budgets.contains { $0.budget.per.period != nil } }

    private var nextDue: Timestamp? { waits.compactMap(\.until).min() }

    /// The same for people.
    var lines: [String] {
        let counts = batch.counts
        var parts: [String] = []
        let numbers = [
            (counts.succeeded, "succeeded"), (counts.failed, "failed"), (counts.parked, "parked"),
            (counts.inFlight - cutOff.jobs, "in flight"), (cutOff.jobs, "cut off"),
            (deferred, "deferred"), (counts.ready + counts.scheduled - deferred, "waiting"),
            (counts.cancelled, "cancelled"),
        ]
        for (number, word) in numbers where number > 0 { parts.append("\(number) \(word)") }
        if parts.isEmpty { parts = ["none"] }
        var lines = ["b\(batch.id)  \(batch.name)  class \(batch.className)  \(state)"]
        lines.append("    \(Words.count(counts.total, "job")): " + parts.joined(separator: ", "))
        if let deadline { lines.append("    \(deadline.words)") }
        let usage = batch.usage
        lines.append(
            "    \(usage.inputTokens) input tokens (\(usage.cachedTokens) cached), \(usage.outputTokens) output tokens")
        let unpriced = money.unpricedTokens
        let without = unpriced == 0 ? "" : "; without \(unpriced) tokens whose price is unknown"
        lines.append("    cost: \(money.spend.words)\(without)")
        for budget in money.budgets { lines.append("    \(budget.words(isCutOff: cutOff.jobs > 0))") }
        if let words = cutOff.words { lines.append("    \(words)") }
        for wait in waits {
            let until =
                wait.until.map { "\(wait.isStaggered ? ", the first" : "") until \(TimeText.rfc3339($0))" } ?? ""
            lines.append("    \(Words.count(wait.jobs, "job")) waiting\(until): \(wait.reason)")
        }
        return lines + stops.lines(of: batch, renews: renewsBudgets)
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
