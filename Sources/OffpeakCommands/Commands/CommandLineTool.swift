import Foundation
import Glibc
import OffpeakConfiguration
import OffpeakStore

/// The program: takes the arguments, runs one command, and gives the exit status.
package enum CommandLineTool {
    package static let version = "0.1.0"

    /// Runs the command that the arguments name; never returns an error, always a status.
    package static func main(arguments: [String], environment: [String: String]) -> Int32 {
        // A reader of our output that leaves must not end us; writes report it instead.
        signal(SIGPIPE, SIG_IGN)
        var printer = Printer()
        if environment["NO_COLOR"].map({ !$0.isEmpty }) == true { printer.usesColor = false }
        // Known before anything can fail, so that even a usage error comes in the form that was asked for.
        if arguments.contains("--json") { printer.usesJSON = true }
        if arguments.contains("--no-color") { printer.usesColor = false }
        do {
            let status = try run(arguments, environment: environment, printer: printer)
            try Printer.checkOutput()
            return status.rawValue
        } catch var failure as CommandFailure {
            if failure.code == "usage" {
                failure.hint = failure.hint ?? "run `offpeak help` for the commands and options"
            }
            printer.failure(failure)
            return failure.status.rawValue
        } catch let error as StoreError {
            let failure = CommandFailure(error)
            printer.failure(failure)
            return failure.status.rawValue
        } catch {
            printer.failure(CommandFailure(.machineError, code: "internal", "\(error)"))
            return ExitStatus.machineError.rawValue
        }
    }

    private static func run(_ arguments: [String], environment: [String: String], printer: Printer) throws -> ExitStatus
    {
        var rest = arguments
        // Options may come before the command's name; those with a value take the next word along.
        var leading: [String] = []
        while let first = rest.first, first.hasPrefix("-"), first != "--version" {
            leading.append(rest.removeFirst())
            let takesValue = GlobalOptions.all.contains { $0.name == first && $0.value != nil }
            if takesValue, !rest.isEmpty { leading.append(rest.removeFirst()) }
        }
        guard let name = rest.first else {
            if leading.contains("--help") || leading.contains("-h") {
                printer.data(Help.overview)
                return .success
            }
            if let stray = leading.first(where: { word in !GlobalOptions.isKnown(word) && word.hasPrefix("-") }) {
                throw CommandFailure.usage("offpeak has no option \(stray)")
            }
            throw CommandFailure.usage("no command given")
        }
        if name == "--version" || name == "version" {
            printer.data("offpeak \(version)")
            return .success
        }
        if name == "help" {
            printer.data(try Help.text(for: rest.dropFirst().first))
            return .success
        }
        guard let command = Command.all.first(where: { $0.syntax.name == name }) else {
            let near = Spelling.nearest(to: name, among: Command.all.map(\.syntax.name))
            throw CommandFailure.usage(
                "offpeak has no command \"\(name)\"", hint: near.map { "did you mean `offpeak \($0)`?" })
        }
        do {
            let parsed = try ParsedArguments.parse(leading + rest.dropFirst(), syntax: command.syntax)
            if parsed.has("--help") {
                printer.data(try Help.text(for: name))
                return .success
            }
            return try command.run(CommandContext(arguments: parsed, environment: environment, printer: printer))
        } catch var failure as CommandFailure where failure.code == "usage" && failure.hint == nil {
            failure.hint = "run `offpeak help \(name)` for how to call it"
            throw failure
        }
    }
}

/// One command: how it is called, and what it does.
struct Command: Sendable {
    let syntax: CommandSyntax
    let run: @Sendable (CommandContext) throws -> ExitStatus

    static let all: [Command] = [
        .initialize, .check, .submit, .plan, .run, .status, .results, .explain, .cancel, .pause, .resume, .retry, .keys,
        .report, .prices, .rehearse,
        .backup, .prune,
    ]
}

/// The environment variables that offpeak reads, all of them.
enum EnvironmentVariable {
    /// The queue's file.
    static let queue = "OFFPEAK_QUEUE"
    /// The configuration's file.
    static let config = "OFFPEAK_CONFIG"
    /// Any value: no colour (https://no-color.org).
    static let noColor = "NO_COLOR"
}

/// What a command has to work with.
struct CommandContext: Sendable {
    let arguments: ParsedArguments
    let environment: [String: String]
    var printer: Printer

    init(arguments: ParsedArguments, environment: [String: String], printer: Printer) {
        self.arguments = arguments
        self.environment = environment
        self.printer = printer
        if arguments.has("--quiet") { self.printer.level = .quiet }
        if arguments.has("--verbose") { self.printer.level = .verbose }
    }

    /// The queue's path.
    var queuePath: String { arguments["--queue"] ?? value(EnvironmentVariable.queue) ?? "offpeak.db" }

    /// The configuration's path.
    var configPath: String { arguments["--config"] ?? value(EnvironmentVariable.config) ?? "offpeak.json5" }

    private func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
}

/// The texts of `offpeak help`.
enum Help {
    static var overview: String {
        var lines = [
            "offpeak runs large batches of LLM prompts on your own provider keys, within their limits, durably.", "",
            "usage: offpeak [options] COMMAND …", "", "commands:",
        ]
        let width = Command.all.map { call($0.syntax).utf8.count }.max() ?? 0
        for command in Command.all {
            lines.append("  " + pad(call(command.syntax), width) + "  " + command.syntax.help)
        }
        lines += ["", "options for all commands:"] + options(GlobalOptions.all)
        lines += [
            "",
            "`offpeak help COMMAND` tells more. Exit status: 0 all well; 1 your problem (usage, configuration, input);",
            "2 our or the machine's problem; 3 finished, but jobs failed or are parked; 4 stopped with work left;",
            "130 or 143 ended by a signal.",
        ]
        return lines.joined(separator: "\n")
    }

    static func text(for name: String?) throws(CommandFailure) -> String {
        guard let name else { return overview }
        guard let command = Command.all.first(where: { $0.syntax.name == name }) else {
            throw .usage("offpeak has no command \"\(name)\"")
        }
        var lines = ["usage: offpeak \(call(command.syntax))", "", command.syntax.help]
        if !command.syntax.options.isEmpty { lines += ["", "options:"] + options(command.syntax.options) }
        lines += ["", "options for all commands:"] + options(GlobalOptions.all)
        return lines.joined(separator: "\n")
    }

    private static func call(_ syntax: CommandSyntax) -> String {
        ([syntax.name]
            + syntax.positionals.enumerated().map { $0.offset < syntax.required ? $0.element : "[\($0.element)]" })
            .joined(separator: " ")
    }

    private static func options(_ options: [CommandSyntax.Option]) -> [String] {
        let shown = options.map { ($0.name + ($0.value.map { " " + $0 } ?? ""), $0.help) }
        let width = shown.map { $0.0.utf8.count }.max() ?? 0
        return shown.map { "  " + pad($0.0, width) + "  " + $0.1 }
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.unicodeScalars.count))
    }
}
