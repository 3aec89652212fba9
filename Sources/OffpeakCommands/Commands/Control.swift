import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

extension Command {
    static let cancel = Command(
        syntax: CommandSyntax(
            "cancel", ["BATCH"],
            help: "ends what has not begun, for good; what is in flight still finishes (`pause` is for a while)")
    ) { context in
        let batch = try context.batchNamed(0)
        if batch.state == .intake { return try context.discard(batch) }
        if batch.state == .open, batch.counts.open == 0 {
            // Marked as cancelled, it could not be retried any more.
            context.answer("b\(batch.id) is done: there is nothing to cancel") {
                $0.member("batch", "b\(batch.id)")
                $0.member("cancelled", 0)
                $0.member("deleted", 0)
            }
            return .success
        }
        let control = try QueueControl(queue: context.queuePath)
        defer { control.close() }
        let count = try control.cancel(batch.id, at: RunnerClock().now)
        context.answer("b\(batch.id): \(Words.count(count, "job")) cancelled") {
            $0.member("batch", "b\(batch.id)")
            $0.member("cancelled", count)
            $0.member("deleted", 0)
        }
        return .success
    }

    static let pause = pausing("pause", help: "holds a batch, class or key back, also during a run") {
        control, target in
        try control.pause(target)
    }

    static let resume = pausing("resume", help: "lets a paused batch, class or key go on") { control, target in
        try control.resume(target)
    }

    private static func pausing(
        _ name: String, help: String, _ perform: @escaping @Sendable (QueueControl, PauseTarget) throws -> Void
    ) -> Command {
        Command(
            syntax: CommandSyntax(
                name, ["BATCH"], required: 0, help: help,
                options: [.value("--class", "C", "a workload class"), .value("--key", "K", "a key")])
        ) { context in
            let (target, text, batch) = try context.pauseTarget(name)
            // One that was paused while it had work can still be resumed: what is retried then waits for nobody.
            if let batch, batch.state == .open, batch.counts.open == 0, name == "pause" || !batch.paused {
                context.answer("\(text) is done: there is nothing to \(name)") { $0.null(name + "d") }
                return .success
            }
            let control = try QueueControl(queue: context.queuePath)
            defer { control.close() }
            try perform(control, target)
            context.answer("\(text) \(name)d") { $0.member(name + "d", text) }
            return .success
        }
    }

    static let retry = Command(
        syntax: CommandSyntax(
            "retry", ["BATCH"], help: "gives ended jobs a new start; without an option, failed and parked ones",
            options: [
                .flag("--failed", "jobs that failed"), .flag("--parked", "jobs that wait for a person"),
                .flag("--unknown", "failed or parked jobs whose last attempt's outcome is unknown"),
            ])
    ) { context in
        let arguments = context.arguments
        let chosen = ["--failed", "--parked", "--unknown"].filter { arguments.has($0) }
        guard chosen.count <= 1 else { throw CommandFailure.usage("choose one of \(chosen.joined(separator: ", "))") }
        let which: RetrySelection =
            switch chosen.first {
            case "--failed": .failed
            case "--parked": .parked
            case "--unknown": .unknown
            default: .all
            }
        let batch = try context.batchNamed(0)
        if batch.state == .intake {
            let reader = try context.reader()
            defer { reader.close() }
            throw try context.incomplete(batch, reader)
        }
        let before = try RetryOutlook.stopped(of: batch, which, in: context)
        let control = try QueueControl(queue: context.queuePath)
        defer { control.close() }
        let count = try control.retry(batch.id, which, at: RunnerClock().now)
        let stops = try RetryOutlook.stops(of: batch, retried: count, before, in: context)
        let lost = try control.unretryable(batch.id, which)
        var text = "b\(batch.id): \(Words.count(count, "job")) will be tried again by `offpeak run`"
        if lost > 0 {
            text +=
                "; \(Words.count(lost, "failed job")) cannot be: the prompts are not kept (`retain` of the class), so submit"
                + " them again"
        } else if count == 0 {
            // Nothing chosen is hardly what was meant.
            if batch.counts.parked > 0 {
                text += "; \(batch.counts.parked) \(batch.counts.parked == 1 ? "is" : "are") parked: --parked"
            }
            if batch.counts.failed > 0 { text += "; \(batch.counts.failed) failed: --failed" }
        }
        text += stops.map(\.words).joined()
        context.answer(text) {
            $0.member("batch", "b\(batch.id)")
            $0.member("retried", count)
            $0.member("not_kept", lost)
            $0.array("stops_again") { array in
                for stop in stops { array.object { stop.write(to: &$0) } }
            }
        }
        return .success
    }

    static let backup = Command(
        syntax: CommandSyntax(
            "backup", ["FILE"], help: "a consistent copy of the queue, also during a run; never overwrites")
    ) { context in
        let path = context.arguments.positionals[0]
        let control = try QueueControl(queue: context.queuePath)
        defer { control.close() }
        try control.backup(to: path)
        context.answer("the queue is copied to \(path)") { $0.member("backup", path) }
        return .success
    }

    static let prune = Command(
        syntax: CommandSyntax(
            "prune",
            help:
                "deletes finished batches with their prompts, answers and attempts, and what killed submits have left",
            options: [.value("--older-than", "DURATION", "only those finished longer ago than this; default 30d")])
    ) { context in
        let age = try context.duration("--older-than", allowsZero: true) ?? .days(30)
        let control = try QueueControl(queue: context.queuePath)
        defer { control.close() }
        let pruned = try control.prune(finishedBefore: RunnerClock().now - age)
        let batches = Words.count(pruned.batches.count, "batch", plural: "batches")
        var text = "\(batches) with \(Words.count(pruned.jobs, "job")) deleted"
        if !pruned.submits.isEmpty {
            text +=
                ", and what \(Words.count(pruned.submits.count, "interrupted submit")) had left: "
                + Words.count(pruned.lines, "line")
        }
        context.answer(text) { writer in
            writer.array("batches") { for batch in pruned.batches { $0.element("b\(batch)") } }
            writer.member("jobs", pruned.jobs)
            writer.array("submits") { for batch in pruned.submits { $0.element("b\(batch)") } }
            writer.member("lines", pruned.lines)
        }
        return .success
    }
}

extension CommandContext {
    /// The batch that a positional argument names.
    func batchNamed(_ index: Int) throws -> BatchStatus {
        let reader = try reader()
        defer { reader.close() }
        return try batch(arguments.positionals[index], in: reader)
    }

    /// Cancels a submit that was interrupted.
    fileprivate func discard(_ batch: BatchStatus) throws -> ExitStatus {
        let reader = try reader()
        defer { reader.close() }
        if try reader.isBeingSubmitted(batch.id) { throw try incomplete(batch, reader) }
        // A reader of our own would keep the log from being written back.
        reader.close()
        let control = try QueueControl(queue: queuePath)
        defer { control.close() }
        let count = try control.discardSubmit(batch.id)
        answer(
            "b\(batch.id): its submit was interrupted, and is deleted with \(Words.count(count, "line")), none of which had "
                + "been accepted"
        ) {
            $0.member("batch", "b\(batch.id)")
            $0.member("cancelled", 0)
            $0.member("deleted", count)
        }
        return .success
    }

    /// Says what was done, in words or as a document.
    func answer(_ text: String, _ document: (inout JSONWriter) -> Void) {
        if printer.usesJSON { printer.json(document) } else { printer.note(text) }
    }

    /// An option's value as a length of time.
    func duration(_ option: String, allowsZero: Bool = false) throws(CommandFailure) -> Interval? {
        guard let text = arguments[option] else { return nil }
        let reading = Interval.reading(duration: text)
        if case .tooLong = reading {
            throw .usage("\(option) \(text) is too long: at most \(Interval.longestDuration.durationText)")
        }
        guard case .interval(let interval) = reading, interval > .zero || allowsZero else {
            throw .usage("\(option) takes a duration such as 90s, 30m, 12h or 1h30m, not \"\(text)\"")
        }
        return interval
    }

    fileprivate func pauseTarget(
        _ command: String
    ) throws -> (target: PauseTarget, text: String, batch: BatchStatus?) {
        let given = [arguments.positionals.first, arguments["--class"], arguments["--key"]].compactMap { $0 }
        guard given.count == 1 else {
            throw CommandFailure.usage("`offpeak \(command)` needs a BATCH, --class C or --key K, one of them")
        }
        if let name = arguments["--class"] {
            try checkName(name, among: try configuration().classes.map(\.name), what: "class")
            return (.workloadClass(name), "class \(name)", nil)
        }
        if let name = arguments["--key"] {
            try checkName(name, among: try configuration().keys.map(\.name), what: "key")
            return (.key(name), "key \(name)", nil)
        }
        let batch = try batchNamed(0)
        guard batch.state != .cancelled else {
            throw CommandFailure(.userError, code: "batch_state", "batch b\(batch.id) is cancelled, which is final")
        }
        return (.batch(batch.id), "b\(batch.id)", batch)
    }

    /// A name must be in the configuration: a mistyped one would silently do nothing.
    func checkName(_ name: String, among names: [String], what: String) throws(CommandFailure) {
        guard !names.contains(name) else { return }
        let near = Spelling.nearest(to: name, among: names)
        throw CommandFailure(
            .userError, code: "no_\(what)", "the configuration has no \(what) \"\(name)\"",
            hint: near.map { "did you mean \"\($0)\"?" } ?? "it has: \(names.joined(separator: ", "))")
    }
}
