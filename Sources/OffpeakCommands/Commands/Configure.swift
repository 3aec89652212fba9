import Foundation
import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakProviders
import OffpeakRunner
import OffpeakTransport

extension CommandContext {
    /// The configuration, or all of its problems as one failure.
    func configuration() throws(CommandFailure) -> Configuration {
        switch Configuration.load(ConfigurationLocation(option: arguments["--config"], environment: environment)) {
        case .success(let configuration): return configuration
        case .failure(let found):
            let hint = found.problems.count == 1 ? found.problems[0].hint : "`offpeak check` lists them with what to do"
            var text = "\(found.path) has \(found.problems.count) problem\(found.problems.count == 1 ? "" : "s"):"
            if found.problems.count == 1, found.problems[0].line == nil { text = "" }
            for problem in found.problems { text += (text.isEmpty ? "" : "\n  ") + problem.headline(in: found.path) }
            throw CommandFailure(.userError, code: "configuration", text, hint: hint)
        }
    }
}

extension Problem {
    /// Where and what, in one line.
    func headline(in file: String) -> String {
        var text = line.map { "\(file):\($0): " } ?? ""
        if !path.isEmpty { text += "\(path): " }
        return text + message
    }
}

extension Command {
    static let initialize = Command(
        syntax: CommandSyntax(
            "init", help: "writes a commented offpeak.json5 for the keys it finds in the environment; never overwrites")
    ) { context in
        let path = context.configPath
        let text = ConfigurationTemplate.text(environment: context.environment)
        // Exclusive creation: no check that another process could slip past.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            if errno == EEXIST {
                throw CommandFailure(
                    .userError, code: "exists", "\(path) exists already and is left as it is",
                    hint: "edit it, or name another file with --config")
            }
            throw CommandFailure(.userError, code: "write", "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        let failed = Printer.write(descriptor, text)
        close(descriptor)
        guard failed == 0 else {
            unlink(path)
            throw CommandFailure(
                .machineError, code: "disk", "cannot write \(path): \(String(cString: strerror(failed)))")
        }
        context.answer("wrote \(path); look it over, then `offpeak check`") { $0.member("config", path) }
        return .success
    }

    static let check = Command(
        syntax: CommandSyntax(
            "check",
            help:
                "everything wrong with the configuration at once; keys, fallback, objectives, strictness and budgets in words",
            options: [.flag("--live", "also send one tiny request per key; this may cost a few tokens")])
    ) { context in
        let location = ConfigurationLocation(option: context.arguments["--config"], environment: context.environment)
        let reading = Configuration.load(location)
        var report = CheckReport(reading, environment: context.environment, at: RunnerClock().wall)
        if context.arguments.has("--live"), report.isOK, case .success(let configuration) = reading {
            let found = try LiveCheck.run(
                configuration, environment: context.environment, printer: context.printer)
            report.problems += found.problems
            report.notices += found.notices
        }
        report.print(context.printer)
        return report.isOK ? .success : .userError
    }
}

extension CheckReport {
    func print(_ printer: Printer) {
        if printer.usesJSON {
            printer.json { write(to: &$0) }
            return
        }
        for problem in problems { printer.data("problem: " + problem.headline(in: path) + Self.hint(problem)) }
        for notice in notices { printer.data("notice: " + notice.headline(in: path) + Self.hint(notice)) }
        for line in overview { printer.data("\(line.name): \(line.sentence)") }
        for line in classes { printer.data("class \(line.name): \(line.sentence)") }
        let count = problems.count == 1 ? "1 problem" : "\(problems.count) problems"
        printer.note(isOK ? "\(path) is valid" : "\(path): \(count)")
    }

    private static func hint(_ problem: Problem) -> String { problem.hint.map { "\n    hint: \($0)" } ?? "" }

    private func write(to writer: inout JSONWriter) {
        writer.member("ok", isOK)
        for (name, list) in [("problems", problems), ("notices", notices)] {
            writer.array(name) { array in
                for problem in list {
                    array.object {
                        $0.member("path", problem.path)
                        $0.member("line", problem.line)
                        $0.member("message", problem.message)
                        $0.member("hint", problem.hint)
                    }
                }
            }
        }
        for (name, member, lines) in [("classes", "class", classes), ("overview", "topic", overview)] {
            writer.array(name) { array in
                for line in lines {
                    array.object {
                        $0.member(member, line.name)
                        $0.member("sentence", line.sentence)
                    }
                }
            }
        }
    }
}
