import Foundation
import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

extension Command {
    static let submit = Command(
        syntax: CommandSyntax(
            "submit", ["FILE|-"], help: "queues a JSONL batch and prints its id; a bad line rejects the batch",
            options: [
                .value("--class", "C", "the workload class of lines that name none; default: default"),
                .value("--name", "N", "a name for people; default: the file's"),
                .value("--model", "M", "the model of lines that name none"),
                .value(
                    "--deadline", "T", "when it should be done: a duration (12h) or a moment (2026-11-25T06:00:00Z)"),
                .value("--priority", "P", "higher goes first; default: the class's"),
                .flag("--skip-bad-lines", "leave bad lines out instead of rejecting the batch"),
            ])
    ) { context in
        let configuration = try context.configuration()
        let request = try context.submission(of: context.arguments.positionals[0], configuration, mayGoOn: true)
        let clock = RunnerClock()
        let display = SubmitDisplay(printer: context.printer)
        var status = ExitStatus.success
        do {
            try Submission(request, queue: context.queuePath, clock: clock).run(progress: { display.show($0) }) {
                result in
                display.clear()
                if result.batch == nil { status = .userError }
                context.report(result, of: request)
                // An id that nobody could read is not acknowledged: the same submit gives it again.
                try Printer.checkOutput()
            }
        } catch let failure as SourceFailure {
            display.clear()
            throw CommandFailure(failure, toBe: "submitted")
        } catch is NothingToComplete {
            // The moment is over, and no batch was left half submitted with it.
            _ = try context.deadline(configuration.policy(of: request.className))
        }
        return status
    }
}

extension Command {
    /// What people call a source.
    fileprivate static func sourceName(_ path: String) -> String { path == "-" ? "standard input" : path }
}

extension CommandFailure {
    /// A source that cannot be read.
    init(_ failure: SourceFailure, toBe done: String) {
        self.init(
            .userError, code: "source",
            "\(Command.sourceName(failure.path)) cannot be \(done): \(failure.reason)",
            hint: failure.path == "-" ? "pipe JSON Lines into it" : "give a JSONL file, or - for standard input")
    }

    /// A source without a good line, or with bad ones that are not to be left out. `nothing` says what was not done.
    init(_ result: SubmissionResult, of request: SubmissionRequest, nothing: String) {
        let bad = Words.count(result.rejectedCount, "bad line")
        let lacksModel =
            request.model == nil && result.rejected.contains { $0.reason.hasPrefix("model is missing") }
        self.init(
            .userError, code: "bad_lines",
            request.skipsBadLines
                ? "\(nothing): there is no good line besides \(bad)"
                : "\(nothing): \(Command.sourceName(request.path)) has \(bad)",
            hint: lacksModel
                ? "--model M names the model of lines that name none"
                : request.skipsBadLines
                    ? "mend them and submit again" : "mend them, or leave them out with --skip-bad-lines")
    }
}

extension CommandContext {
    /// What `submit` is asked for, and `plan` of a file. With `mayGoOn` the deadline may be over, if all that is left to do is
    /// to complete a batch that has it already.
    func submission(
        of path: String, _ configuration: Configuration, mayGoOn: Bool = false
    ) throws -> SubmissionRequest {
        let className = arguments["--class"] ?? Configuration.defaultClass
        let names = configuration.classes.map(\.name)
        try checkName(className, among: names, what: "class")
        let priority = try number("--priority", in: -1_000_000...1_000_000)
        let policy = configuration.policy(of: className)
        var request = SubmissionRequest(
            path: path, name: arguments["--name"] ?? (path == "-" ? "stdin" : URL(filePath: path).lastPathComponent),
            className: className, model: arguments["--model"], priority: priority,
            deadline: nil, deadlineText: arguments["--deadline"] ?? "",
            skipsBadLines: arguments.has("--skip-bad-lines"), knownClasses: Set(names))
        if mayGoOn, path != "-", let date = ISO8601DateFormatter().date(from: request.deadlineText), date <= Date(),
            FileManager.default.fileExists(atPath: queuePath)
        {
            request.onlyCompletes = true
        } else {
            request.deadline = try deadline(policy)
        }
        return request
    }

    /// `--deadline`, else the class's own, counted from now.
    fileprivate func deadline(_ policy: ClassPolicy?) throws -> Timestamp? {
        let now = RunnerClock().now
        guard let text = arguments["--deadline"] else { return policy?.deadline.map { now + $0 } }
        let (least, most) = (Configuration.deadlines.lowerBound, Configuration.deadlines.upperBound)
        let tomorrow = Timestamp(milliseconds: (now + .days(1)).milliseconds / 1_000 * 1_000)
        func wrong(_ what: String) -> CommandFailure {
            .usage(
                "--deadline \(text) \(what): write how long from now, from \(least.durationText) to "
                    + "\(most.durationText), such as 12h, or a moment to come, such as \(TimeText.rfc3339(tomorrow))"
            )
        }
        let due: Timestamp
        switch Interval.reading(duration: text) {
        case .tooLong: throw wrong("is too long")
        case .interval(let interval):
            guard interval >= least else { throw wrong("is too short") }
            due = now + interval
        case .noDuration:
            guard let date = ISO8601DateFormatter().date(from: text) else {
                throw CommandFailure.usage(
                    "--deadline takes a duration such as 12h, or a moment such as 2026-11-25T06:00:00Z, not \"\(text)\""
                )
            }
            due = Timestamp(milliseconds: Int64(date.timeIntervalSince1970 * 1_000))
            guard due > now else { throw wrong("is in the past") }
        }
        guard due - now <= most else { throw wrong("is too long") }
        return due
    }

    /// The id on stdout, everything else on stderr.
    fileprivate func report(_ result: SubmissionResult, of request: SubmissionRequest) {
        if printer.usesJSON {
            printer.json { writer in
                writer.member("batch", result.batch.map { "b\($0)" })
                writer.member("accepted", result.batch == nil ? 0 : result.accepted)
                writer.array("rejected") { array in
                    for line in result.rejected {
                        array.object {
                            $0.member("line", line.line)
                            $0.member("reason", line.reason)
                        }
                    }
                }
                writer.member("rejected_count", result.rejectedCount)
            }
        } else {
            list(result, of: request, asErrors: result.batch == nil)
        }
        guard let batch = result.batch else {
            printer.failure(CommandFailure(result, of: request, nothing: "nothing was queued"))
            return
        }
        guard !printer.usesJSON else { return }
        printer.data("b\(batch)")
        var text = "\(Words.count(result.accepted, "job")) queued as b\(batch)"
        if result.rejectedCount > 0 { text += ", \(Words.count(result.rejectedCount, "bad line")) left out" }
        if result.wasResumed { text += " (an interrupted submit was completed)" }
        printer.note(text)
    }

    /// The bad lines, the first of them at least.
    func list(_ result: SubmissionResult, of request: SubmissionRequest, asErrors: Bool) {
        let source = Command.sourceName(request.path)
        let tell = asErrors ? printer.error : printer.warning
        for line in result.rejected.prefix(20) { tell("\(source):\(line.line): \(line.reason)") }
        if result.rejectedCount > 20 { tell("and \(Words.count(result.rejectedCount - 20, "more bad line"))") }
    }
}

/// How far a long submit is, on a terminal.
private final class SubmitDisplay {
    private let printer: Printer
    private let started = Date()
    private var shown = Date.distantPast

    init(printer: Printer) { self.printer = printer }

    private var isVisible: Bool { printer.isInteractive && printer.level != .quiet && !printer.usesJSON }

    func show(_ lines: Int) {
        guard isVisible, Date().timeIntervalSince(shown) > 0.2 else { return }
        shown = Date()
        let rate = Int(Double(lines) / max(0.001, Date().timeIntervalSince(started)))
        printer.progress("\(lines) lines queued, \(rate) lines/s")
    }

    func clear() { if isVisible { printer.clearProgress() } }
}
