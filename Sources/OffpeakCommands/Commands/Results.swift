import Foundation
import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

extension Command {
    static let results = Command(
        syntax: CommandSyntax(
            "results", ["BATCH"], help: "the answers as OpenAI batch output lines, in input order",
            options: [
                .value("--output", "FILE", "write there instead of to stdout (also -o)"),
                .value("--errors", "FILE", "write the failed jobs there instead of between the answers"),
                .flag(
                    "--receipts", "with each line, who served it, how often it was sent, and what it cost on both bills"
                ),
                .flag("--partial", "what there is so far, although the batch is not finished"),
            ])
    ) { context in
        let reader = try context.reader()
        defer { reader.close() }
        let batch = try context.batch(context.arguments.positionals[0], in: reader)
        if batch.state == .intake { throw try context.incomplete(batch, reader) }
        let left = batch.counts.ready + batch.counts.scheduled + batch.counts.inFlight
        if left > 0 && !context.arguments.has("--partial") {
            throw CommandFailure(
                .userError, code: "not_finished",
                "batch b\(batch.id) is not finished: \(Words.count(left, "job")) without an outcome yet",
                hint: "`offpeak run` finishes it; --partial gives what there is")
        }
        if batch.erased > 0 && !context.arguments.has("--partial") { throw context.erased(batch) }
        let path = context.arguments["--output"].flatMap { $0 == "-" ? nil : $0 }
        let errors = context.arguments["--errors"].map { ResultsExport.Target.file($0) }
        for target in [path, context.arguments["--errors"]].compactMap({ $0 }) {
            try context.checkOverwritable(target, batch)
        }
        do {
            let receipts = context.arguments.has("--receipts")
            let keys = receipts ? context.configurationIfAny()?.keys ?? [] : []
            var export = try ResultsExport(
                to: path.map { .file($0) } ?? .stdout, errors: errors,
                providers: Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0.provider) }))
            let summary = try export.write(reader.results(of: batch.id, receipts: receipts))
            // A partial delivery is a look at what there is; the whole one comes later.
            let erased = left > 0 ? 0 : try context.erase(summary.delivered, of: batch, reader)
            // Their lines are errors now, and may be answers later: no end that a script should take for one.
            let parked = context.arguments.has("--partial") ? 0 : batch.counts.parked
            let status: ExitStatus = parked > 0 ? .unfinishedJobs : .success
            if path != nil, context.printer.usesJSON {
                context.printer.json {
                    $0.member("batch", "b\(batch.id)")
                    $0.member("answers", summary.succeeded)
                    $0.member("errors", summary.failed)
                    $0.member("open", summary.open)
                    $0.member("parked", batch.counts.parked)
                    $0.member("erased", erased)
                    $0.member("erased_before", summary.erased)
                }
                return status
            }
            var text = "b\(batch.id): \(Words.count(summary.succeeded, "answer")), "
            text += Words.count(summary.failed, "error")
            if summary.open > 0 { text += ", \(Words.count(summary.open, "job")) without an outcome left out" }
            if summary.erased > 0 { text += ", \(Words.count(summary.erased, "answer")) erased earlier left out" }
            context.printer.note(text)
            if parked > 0 {
                context.printer.note(
                    "not final: \(Words.count(parked, "job")) parked, which may still be answered; `offpeak status "
                        + "b\(batch.id)` tells why, and what to do about it")
            }
            if erased > 0 {
                context.printer.note("the queue keeps only hashes of these answers now, as the class's `retain` says")
            }
            return status
        } catch let failure as ResultsExport.WriteFailure {
            if failure.isClosedPipe { return .success }
            throw CommandFailure(
                failure.isMachines ? .machineError : .userError, code: failure.isMachines ? "disk" : "write",
                "cannot write \(failure.path): \(failure.reason)",
                hint: failure.isMachines
                    ? "make room and run the same command again" : "name another file with -o or --errors")
        }
    }
}

extension CommandContext {
    /// Answers that are not there any more must be missed at once, not found missing in a file.
    fileprivate func erased(_ batch: BatchStatus) -> CommandFailure {
        let moment = batch.erasedAt.map { " at \(TimeText.rfc3339($0))" } ?? ""
        let left = batch.counts.succeeded - batch.erased
        let rest = left > 0 ? "\(Words.count(left, "answer")) that came since" : "the errors"
        return CommandFailure(
            .userError, code: "erased",
            "\(batch.erased) of the \(Words.count(batch.counts.succeeded, "answer")) of batch b\(batch.id) were erased after "
                + "their delivery to a file\(moment), since their class keeps nothing",
            hint: "use that file; --partial gives \(rest)")
    }

    /// Erases what is safely in a file now, where the class keeps nothing. Only what this export wrote is meant, and what
    /// was written to a pipe is not.
    fileprivate func erase(_ delivered: DeliveredJobs, of batch: BatchStatus, _ reader: QueueReader) throws -> Int {
        guard try reader.keepsNothing(batch.id) else { return 0 }
        guard delivered != DeliveredJobs() else {
            if batch.counts.succeeded > batch.erased {
                printer.note("nothing is erased: only what `-o FILE` has written counts as delivered")
            }
            return 0
        }
        // A reader of our own would keep the log from being written back.
        reader.close()
        let control = try QueueControl(queue: queuePath)
        defer { control.close() }
        let erased = try control.erase(delivered, of: batch.id, at: RunnerClock().now)
        if !erased.isOverwritten {
            printer.warning(
                "another process reads the queue: its log still has the erased answers until it is written back, "
                    + "by the next command that writes at the latest")
        }
        return erased.count
    }

    /// Results may replace a file, but not one that they come from, or that a run needs.
    fileprivate func checkOverwritable(_ path: String, _ batch: BatchStatus) throws(CommandFailure) {
        func place(_ path: String) -> String { URL(filePath: path).resolvingSymlinksInPath().path }
        let target = place(path)
        let queue = place(queuePath)
        var kept = [place(configPath): "the configuration"]
        if let source = batch.sourcePath { kept[place(source)] = "the batch's own input" }
        let what = target == queue || target.hasPrefix(queue + "-") ? "the queue" : kept[target]
        guard let what else { return }
        throw CommandFailure(
            .userError, code: "write", "\(path) is \(what) and is not overwritten", hint: "name another file")
    }
}
