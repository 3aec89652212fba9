import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
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
            job: job, attempts: try reader.attempts(of: job.id),
            configuration: context.configurationIfAny(), hold: job.state == .ready ? flow?.hold : nil)
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
    /// The class's present policy; nil when there is none.
    private let policy: ClassPolicy?
    /// The keys that the class may use now.
    private let candidates: [KeyDescriptor]
    /// Why it waits, as the last run noted it.
    let hold: Hold?

    init(job: JobRecord, attempts: [AttemptRecord], configuration: Configuration?, hold: Hold?) {
        self.job = job
        self.attempts = attempts
        self.hold = hold
        policy = configuration?.policy(of: job.className)
        candidates = policy.flatMap { configuration?.keys(for: $0) }?.filter(\.enabled) ?? []
    }

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
            for attempt in attempts { array.object { write(attempt, to: &$0) } }
        }
    }

    private func write(_ attempt: AttemptRecord, to writer: inout JSONWriter) {
        writer.member("n", attempt.number)
        writer.member("key", attempt.key)
        writer.member("model", attempt.model)
        writer.member("lane", attempt.lane.rawValue)
        writer.member("bill", attempt.bill.rawValue)
        writer.member("started", attempt.started)
        writer.member("ended", attempt.ended)
        writer.member("outcome", Self.word(attempt.outcome))
        writer.member("failure_class", attempt.failureClass)
        writer.member("code", attempt.code)
        writer.member("message", attempt.message)
        writer.member("disposition", attempt.disposition)
        writer.member("reason", attempt.reason)
        writer.raw("passed_over", attempt.passedOver.isEmpty ? "[]".utf8 : attempt.passedOver.utf8)
        writer.member("status_code", attempt.statusCode)
        writer.object("usage") { $0.members(attempt.usage) }
        let isUnknown = attempt.cost?.kind == .assumed
        let charge = attempt.cost?.charge ?? Charge()
        writer.cost(charge, unknown: isUnknown ? charge : Charge(), attempts: isUnknown ? 1 : 0)
        writer.member("cost_is", Self.costWord(attempt))
        if attempt.outcome == .begun {
            writer.object("reserved") {
                $0.member("provider_usd", attempt.worst.provider.text)
                $0.member("platform_usd", attempt.worst.platform.text)
            }
        }
        writer.member("chosen", choice(attempt))
        writer.array("not_chosen") { array in
            for other in others(attempt) {
                array.object {
                    $0.member("key", other.key)
                    $0.member("reason", other.reason)
                }
            }
        }
    }

    private static func word(_ outcome: AttemptRecord.Outcome) -> String {
        switch outcome {
        case .begun: "in_flight"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .unknown: "unknown"
        }
    }

    /// How long an attempt took; nil where nobody knows: that of a run that died was ended by the next run, whenever that came.
    private static func length(of attempt: AttemptRecord) -> Interval? {
        attempt.code == Failure.runnerDiedCode ? nil : attempt.ended.map { $0 - attempt.started }
    }

    /// What `unknown` means.
    private static let lost =
        "the answer was lost: the request had left, so it is taken to have been answered, and charged at its most"

    /// How sure the cost is.
    private static func costWord(_ attempt: AttemptRecord) -> String {
        if attempt.outcome == .begun { return "reserved" }
        switch attempt.cost?.kind {
        case nil, .settled?: return "settled"
        case .assumed?: return "assumed"
        case .corrected?: return "corrected"
        }
    }

    private static func cost(_ attempt: AttemptRecord) -> String {
        if attempt.outcome == .begun {
            return
                "reserved: provider \(attempt.worst.provider.text) USD, platform \(attempt.worst.platform.text) USD at most"
        }
        guard let cost = attempt.cost else { return "cost nothing" }
        var text = "cost: " + MoneyText.cost(cost.charge, unknown: Charge(), attempts: 0)
        switch cost.kind {
        case .settled: break
        case .assumed where attempt.outcome == .succeeded:
            text += ", assumed: the answer did not tell its usage, and this is the most that it can have cost"
        case .assumed: text += ", assumed: the answer was lost, and this is the most that it can have cost"
        case .corrected: text += ", corrected: the answer was lost and came after all"
        }
        return text
    }

    /// Why this key, of those that were not passed over, as the class's policy has it.
    private func choice(_ attempt: AttemptRecord) -> String? {
        guard let policy else { return nil }
        let first = attempt.passedOver.isEmpty
        var text: String
        switch policy.objective {
        case .order:
            text = first ? "the first key in the class's order" : "the first in the class's order that could take it"
        case .cost: text = "the cheapest, both bills together, of the keys that could take it"
        case .speed: text = "the fastest of the keys that could take it"
        }
        if attempt.bill == .platform { text += "; shared capacity, which the class uses: \(policy.shared.rawValue)" }
        return text
    }

    /// The keys that nothing was noted against, as the class's policy ranks them.
    private func others(_ attempt: AttemptRecord) -> [PassedKey] {
        guard let policy, candidates.contains(where: { $0.name == attempt.key }) else { return [] }
        let passed = Set(PassedKey.list(attempt.passedOver).map(\.key))
        return candidates.filter { $0.name != attempt.key && !passed.contains($0.name) }.map { key in
            if key.billing == .platform && attempt.bill != .platform {
                return PassedKey(key: key.name, reason: "shared capacity comes after own keys")
            }
            let reason =
                switch policy.objective {
                case .order: "comes later in the class's order"
                case .cost: "could have taken it, but was not cheaper"
                case .speed: "could have taken it, but was not faster"
                }
            return PassedKey(key: key.name, reason: reason)
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
        if attempts.isEmpty { lines.append(job.state.isFinal ? "  never sent" : "  not sent yet") }
        for attempt in attempts {
            var head =
                "  \(attempt.number). \(TimeText.rfc3339(attempt.started)) key \(attempt.key), model \(attempt.model), lane \(attempt.lane.rawValue), on \(attempt.bill.words): "
            head += Self.word(attempt.outcome)
            if let length = Self.length(of: attempt) { head += " after \(TimeText.length(length))" }
            lines.append(head)
            if let message = attempt.message, !message.isEmpty {
                lines.append("     \(attempt.failureClass ?? ""): \(message)")
            }
            if attempt.outcome == .unknown { lines.append("     \(Self.lost)") }
            if !attempt.reason.isEmpty {
                lines.append("     → " + (attempt.disposition.map { "\($0): " } ?? "") + attempt.reason)
            }
            if let choice = choice(attempt) { lines.append("     key \(attempt.key): \(choice)") }
            for passed in PassedKey.list(attempt.passedOver) + others(attempt) {
                lines.append("     not key \(passed.key): \(passed.reason)")
            }
            if attempt.usage != Usage() {
                lines.append(
                    "     \(attempt.usage.inputTokens) input tokens, \(attempt.usage.outputTokens) output tokens")
            }
            lines.append("     " + Self.cost(attempt))
        }
        // What its last attempt came to was true until then.
        if job.state == .cancelled, let last = attempts.last, last.disposition != nil {
            lines.append("  then its batch was cancelled")
        }
        return lines
    }
}
