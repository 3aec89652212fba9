import OffpeakCore
import OffpeakRunner

/// Shows how a run goes: a line that changes on a terminal, a line a minute in a log, nothing in quiet mode.
final class ProgressDisplay {
    private let printer: Printer
    private var lastShown = Timestamp.distantPast

    init(printer: Printer) { self.printer = printer }

    func show(_ run: RunSnapshot) {
        guard printer.level != .quiet, !printer.usesJSON else { return }
        let pace: Interval = printer.isInteractive ? .milliseconds(200) : .minutes(1)
        if lastShown == .distantPast && !printer.isInteractive { lastShown = run.started }
        guard run.now - lastShown >= pace else { return }
        lastShown = run.now
        if printer.isInteractive {
            printer.progress(Self.line(run))
        } else {
            printer.note(TimeText.rfc3339(run.now) + " " + Self.line(run))
        }
    }

    func clear() {
        if printer.isInteractive && printer.level != .quiet && !printer.usesJSON { printer.clearProgress() }
    }

    /// How things stand, every number with its unit.
    static func line(_ run: RunSnapshot) -> String {
        let done = run.succeeded + run.failed + run.parked
        let left = max(0, run.waiting)
        var parts = ["\(done) of \(done + left + run.inFlight) jobs done", "\(run.inFlight) in flight"]
        parts.append("\(run.milliPerSecond / 1_000).\(run.milliPerSecond % 1_000 / 100) answers/s")
        if run.failed > 0 { parts.append("\(run.failed) failed") }
        if run.parked > 0 { parts.append("\(run.parked) parked") }
        if run.rateLimited > 0 { parts.append("\(run.rateLimited) rate-limit refusals") }
        parts.append("\(run.usage.inputTokens + run.usage.outputTokens) tokens")
        if let spent = MoneyText.spent(run.money) { parts.append(spent) }
        if run.deferred > 0, let until = run.deferredUntil {
            parts.append("\(run.deferred) deferred until \(TimeText.rfc3339(until)): \(run.deferredReason ?? "")")
        } else if run.milliPerSecond > 0 && left > 0 {
            let seconds = Int64(left) * 1_000 / Int64(run.milliPerSecond)
            parts.append("about \(TimeText.length(.seconds(seconds))) left")
        }
        if run.isDraining { parts.append("stopping: waiting for what is in flight") }
        return parts.joined(separator: ", ")
    }
}
