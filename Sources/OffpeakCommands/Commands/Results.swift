import OffpeakRunner
import OffpeakStore

extension Command {
    static let results = Command(
        syntax: CommandSyntax(
            "results", ["BATCH"], help: "the answers as OpenAI batch output lines, in input order",
            options: [
                .value("--output", "FILE", "write there instead of to stdout (also -o)"),
                .value("--errors", "FILE", "write the failed jobs there instead of between the answers"),
                .flag("--partial", "what there is so far, although the batch is not finished"),
            ])
    ) { context in
        let reader = try context.reader()
        defer { reader.close() }
        let batch = try context.batch(context.arguments.positionals[0], in: reader)
        let left = batch.counts.ready + batch.counts.scheduled + batch.counts.inFlight
        if left > 0 && !context.arguments.has("--partial") {
            throw CommandFailure(
                .userError, code: "not_finished",
                "batch b\(batch.id) is not finished: \(left) jobs have no outcome yet",
                hint: "`offpeak run` finishes it; --partial gives what there is")
        }
        let output = context.arguments["--output"].map { ResultsExport.Target.file($0) } ?? .stdout
        let errors = context.arguments["--errors"].map { ResultsExport.Target.file($0) }
        do {
            var export = try ResultsExport(to: output, errors: errors)
            let summary = try export.write(reader.results(of: batch.id))
            var text = "b\(batch.id): \(summary.succeeded) answers, \(summary.failed) errors"
            if summary.open > 0 { text += ", \(summary.open) jobs without an outcome left out" }
            context.printer.note(text)
        } catch let failure as ResultsExport.WriteFailure {
            if failure.isClosedPipe { return .success }
            throw CommandFailure(.machineError, code: "write", "cannot write \(failure.path): \(failure.reason)")
        }
        return .success
    }
}
