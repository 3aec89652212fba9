import Foundation
import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore
import OffpeakTransport
import Synchronization

extension Command {
    static let run = Command(
        syntax: CommandSyntax(
            "run", help: "works the queue until all is finished; safe to kill at any moment, run it again",
            options: [
                .value("--until", "HH:MM", "stop starting new work at this time of day, in the configured zone"),
                .value("--for", "DURATION", "stop starting new work after this long"),
                .flag("--no-wait", "stop when all that is left is deferred or parked"),
                .flag("--watch", "go on for ever, waiting for new batches"),
                .value("--class", "C", "only jobs of this class"),
            ])
    ) { context in
        let signals = Signals()
        let configuration = try context.configuration()
        if let name = context.arguments["--class"] {
            try context.checkName(name, among: configuration.classes.map(\.name), what: "class")
        }
        for notice in configuration.notices {
            context.printer.note("notice: " + notice.headline(in: configuration.path))
        }
        let clock = RunnerClock()
        let queue = try SQLiteQueue(path: context.queuePath, now: clock.now)
        return try context.run(queue, configuration, clock, signals)
    }
}

extension CommandContext {
    fileprivate func run(
        _ queue: SQLiteQueue, _ configuration: Configuration, _ clock: RunnerClock, _ signals: Signals
    ) throws -> ExitStatus {
        let options = try runOptions(configuration, clock)
        let secrets = try keyRing(configuration, queue, clock)
        let display = ProgressDisplay(printer: printer)
        let printer = printer
        let authorities = try Authorities.load(configuration)
        let engine = try Engine(
            configuration: configuration, secrets: secrets, queue: queue, options: options, clock: clock,
            makeTransport: { deliver in
                let wanted = TransportOptions(
                    expectedConcurrency: configuration.largestConcurrency, extraAuthorities: authorities,
                    userAgent: "offpeak/\(CommandLineTool.version)")
                let possible = wanted.raiseDescriptorLimit()
                if possible < wanted.expectedConcurrency && configuration.statesConcurrency {
                    printer.warning(
                        "this system allows \(possible) connections at once, fewer than the configuration's \(wanted.expectedConcurrency)"
                            + "; raise it with `ulimit -Hn`")
                }
                return try CurlTransport(options: wanted, deliver: deliver)
            },
            onProgress: { display.show($0) },
            onNote: { text in
                display.clear()
                printer.note(text)
            })
        let stopper = engine.stopper
        let lastSignal = Mutex<Int32>(0)
        signals.handle { number, count in
            lastSignal.withLock { $0 = number }
            // A terminal shows ^C in the progress line.
            let start = printer.isInteractive ? "\n" : ""
            printer.note(
                start
                    + (count == 1
                        ? "stopping: what is in flight is awaited; again to stop at once" : "stopping at once"))
            stopper(count > 1)
        }
        let end = try engine.run()
        display.clear()
        return try conclude(end, signal: lastSignal.withLock { $0 })
    }

    private func runOptions(_ configuration: Configuration, _ clock: RunnerClock) throws -> RunOptions {
        var options = RunOptions(seed: UInt64.random(in: 0 ... .max))
        options.noWait = arguments.has("--no-wait")
        options.watch = arguments.has("--watch")
        options.className = arguments["--class"]
        if let length = try duration("--for") { options.until = clock.now + length }
        if let text = arguments["--until"] {
            guard let moment = TimeOfDay(text)?.next(in: configuration.timeZone, after: Date()) else {
                throw CommandFailure.usage("--until takes a time of day such as 06:30, not \"\(text)\"")
            }
            let steady = clock.steady(moment)
            options.until = min(options.until ?? steady, steady)
        }
        return options
    }

    /// The secrets of all keys that some open batch may need; a missing one is an error before anything is sent.
    private func keyRing(_ configuration: Configuration, _ queue: SQLiteQueue, _ clock: RunnerClock) throws -> KeyRing {
        var ring = KeyRing(configuration: configuration, environment: environment)
        // A watching run gets classes that nobody has named yet.
        let needed = Set(try queue.openFlows().map(\.className))
        let classes = configuration.classes.filter { arguments.has("--watch") || needed.contains($0.name) }
        let names = Set(classes.flatMap { configuration.keys(for: $0) }.filter(\.enabled).map(\.name))
        let problems = ring.load(configuration.keys.map(\.name).filter(names.contains), at: clock.now)
        if let first = problems.first {
            let text = problems.map { "key \($0.key): \($0.problem.message)" }.joined(separator: "\n  ")
            throw CommandFailure(
                .userError, code: "secret", text,
                hint: first.problem.hint ?? "provide the secret, or set `enabled: false` on the key to run without it")
        }
        return ring
    }

    /// Says how the run ended, and turns it into a status.
    private func conclude(_ end: RunEnd, signal: Int32) throws -> ExitStatus {
        var parts = ["\(Words.count(end.succeeded, "job")) succeeded", "\(end.failed) failed", "\(end.parked) parked"]
        if end.waiting > 0 { parts.append("\(end.waiting) still waiting") }
        printer.note(parts.joined(separator: ", "))
        if let cost = MoneyText.words(end.money) { printer.note("cost of this run: \(cost)") }
        let unfinished = end.unfinished == 0 ? nil : try unfinishedWords(end)
        if printer.usesJSON {
            printer.json {
                $0.member("succeeded", end.succeeded)
                $0.member("failed", end.failed)
                $0.member("parked", end.parked)
                $0.member("waiting", end.waiting)
                $0.cost(end.money.charge, unknown: end.money.unknown, attempts: end.money.unknownAttempts)
                $0.member("unpriced_tokens", end.money.unpricedTokens)
                $0.member(
                    "ended", end.cause == .finished ? "finished" : end.cause == .workLeft ? "work_left" : "stopped")
            }
        }
        switch end.cause {
        case .stopped: return signal == SIGTERM ? .terminated : .interrupted
        case .workLeft where end.waiting > 0:
            if let unfinished { printer.note(unfinished) }
            printer.note("stopped with work left; `offpeak run` goes on, `offpeak status` tells what it waits for")
            return .workLeft
        case .workLeft, .finished:
            guard let unfinished else { return .success }
            printer.note(unfinished)
            return .unfinishedJobs
        }
    }

    /// How many jobs failed or are parked, and for what, since that is all that an unattended log shows; nil when somebody has
    /// retried or cancelled all of them by now.
    private func unfinishedWords(_ end: RunEnd) throws -> String? {
        let reader = try reader()
        defer { reader.close() }
        var reasons = StopReasons(reader)
        var stops: [StopReason] = []
        var (failed, parked) = (0, 0)
        for id in end.stoppedBatches {
            guard let batch = try reader.batch(id) else { continue }
            for flow in batch.flows where arguments["--class"].map({ $0 == flow.flow.className }) ?? true {
                failed += flow.counts.failed
                parked += flow.counts.parked
            }
            // What had failed before this run was told then; what is parked still waits for somebody.
            stops += try reasons.of(batch).filter { $0.state == .parked || end.failed > 0 }
        }
        let jobs = min(end.failed, failed) + parked
        guard jobs > 0 else { return nil }
        let why = stops.isEmpty ? "" : " (\(stops.codes))"
        return
            "failed or parked: \(Words.count(jobs, "job"))\(why); `offpeak status` tells why, and what to do about it"
    }
}

extension Configuration {
    /// Connections that the keys may need at once, as far as is known beforehand.
    var largestConcurrency: Int {
        keys.filter(\.enabled).reduce(0) { sum, key in
            sum + (key.limits.concurrent ?? pool(of: key)?.limits.concurrent ?? min(ConcurrencyWindow.largest, 1_024))
        }
    }

    /// Whether some key states its concurrency, so that falling short of it is worth a warning.
    var statesConcurrency: Bool { keys.contains { $0.enabled && $0.limits.concurrent != nil } }

    private func pool(of key: KeyDescriptor) -> PoolDescriptor? { pools.first { $0.name == key.pool } }
}

/// A time of day, as the user writes it.
struct TimeOfDay {
    let hour: Int
    let minute: Int

    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let h = Int(parts[0]), let m = Int(parts[1]), 0...23 ~= h, 0...59 ~= m else {
            return nil
        }
        (hour, minute) = (h, m)
    }

    /// When the clocks of a zone show it next.
    func next(in zone: TimeZone, after date: Date) -> Date? {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        return calendar.nextDate(
            after: date, matching: DateComponents(hour: hour, minute: minute), matchingPolicy: .nextTime)
    }
}
