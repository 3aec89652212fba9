import JSONLines
import OffpeakCore
import OffpeakStore

extension Command {
    static let explain = Command(
        syntax: CommandSyntax("explain", ["BATCH", "CUSTOM_ID"], help: "every attempt and decision of one job")
    ) { context in
        let reader = try context.reader()
        defer { reader.close() }
        let batch = try context.batch(context.arguments.positionals[0], in: reader)
        let customID = context.arguments.positionals[1]
        guard let job = try reader.job(batch: batch.id, customID: customID) else {
            throw CommandFailure(
                .userError, code: "no_job", "batch b\(batch.id) has no job \"\(customID)\"",
                hint: "ids are the lines' custom_id, exactly as written")
        }
        let flow = batch.flows.first { $0.flow.id == job.flow }
        let explanation = Explanation(
            job: job, attempts: try reader.attempts(of: job.id), hold: job.state == .ready ? flow?.hold : nil)
        if context.printer.usesJSON {
            context.printer.json { explanation.write(to: &$0) }
        } else {
            context.printer.data(explanation.lines.joined(separator: "\n"))
        }
        return .success
    }
}

/// One job's story.
struct Explanation {
    let job: JobRecord
    let attempts: [AttemptRecord]
    /// Why it waits, as the last run noted it.
    let hold: Hold?

    private var state: String {
        switch job.state {
        case .ready: "waiting"
        case .inFlight: "in_flight"
        case .succeeded: "succeeded"
        case .parked: "parked"
        case .scheduled: "deferred"
        case .failed: "failed"
        case .cancelled: "cancelled"
        }
    }

    func write(to writer: inout JSONWriter) {
        writer.object("job") {
            $0.member("batch", "b\(job.batch)")
            $0.member("custom_id", job.customID)
            $0.member("class", job.className)
            $0.member("state", state)
            $0.member("model", job.model)
            $0.member("line", job.line)
            $0.member("due", job.due)
            $0.member("attempts_used", job.attemptsUsed)
            if let hold {
                $0.object("waiting_for") {
                    $0.member("reason", hold.reason)
                    $0.member("until", hold.until)
                }
            }
            if let failure = job.failure {
                $0.object("failure") {
                    $0.member("class", failure.failureClass)
                    $0.member("code", failure.code)
                    $0.member("message", failure.message)
                }
            }
        }
        writer.array("attempts") { array in
            for attempt in attempts { array.object { Self.write(attempt, to: &$0) } }
        }
    }

    private static func write(_ attempt: AttemptRecord, to writer: inout JSONWriter) {
        writer.member("n", attempt.number)
        writer.member("key", attempt.key)
        writer.member("model", attempt.model)
        writer.member("lane", "sync")
        writer.member("bill", "provider")
        writer.member("started", attempt.started)
        writer.member("ended", attempt.ended)
        writer.member("outcome", word(attempt.outcome))
        writer.member("failure_class", attempt.failureClass)
        writer.member("code", attempt.code)
        writer.member("message", attempt.message)
        writer.member("disposition", attempt.disposition)
        writer.member("reason", attempt.reason)
        writer.raw("passed_over", attempt.passedOver.isEmpty ? "[]".utf8 : attempt.passedOver.utf8)
        writer.member("status_code", attempt.statusCode)
        writer.object("usage") { $0.members(attempt.usage) }
        writer.object("cost") { $0.noCost() }
    }

    private static func word(_ outcome: AttemptRecord.Outcome) -> String {
        switch outcome {
        case .begun: "in_flight"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .unknown: "unknown"
        }
    }

    var lines: [String] {
        var lines = [
            "\(job.customID) of b\(job.batch), line \(job.line), class \(job.className), model \(job.model): \(state)"
        ]
        if let due = job.due { lines.append("  again at \(TimeText.rfc3339(due))") }
        if let hold {
            let until = hold.until.map { " until \(TimeText.rfc3339($0))" } ?? ""
            lines.append("  waits\(until): \(hold.reason)")
        }
        if let failure = job.failure { lines.append("  \(failure.code): \(failure.message)") }
        if attempts.isEmpty { lines.append("  not sent yet") }
        for attempt in attempts {
            var head =
                "  \(attempt.number). \(TimeText.rfc3339(attempt.started)) key \(attempt.key), model \(attempt.model): "
            head += Self.word(attempt.outcome)
            if let ended = attempt.ended { head += " after \(TimeText.length(ended - attempt.started))" }
            lines.append(head)
            if let message = attempt.message, !message.isEmpty {
                lines.append("     \(attempt.failureClass ?? ""): \(message)")
            }
            if !attempt.reason.isEmpty { lines.append("     → \(attempt.disposition ?? ""): \(attempt.reason)") }
            for passed in JSONSlice(Array(attempt.passedOver.utf8))?.elements ?? [] {
                lines.append("     not key \(passed["key"]?.string ?? ""): \(passed["reason"]?.string ?? "")")
            }
            if attempt.usage != Usage() {
                lines.append(
                    "     \(attempt.usage.inputTokens) input tokens, \(attempt.usage.outputTokens) output tokens")
            }
        }
        return lines
    }
}
