import Dispatch
import Foundation
import HTTPServer
import JSONLines
import OffpeakRehearsal

extension Command {
    static let rehearse = Command(
        syntax: CommandSyntax(
            "rehearse",
            help: "a local provider that enforces limits and injects faults, for trying things out without a key",
            options: [
                .value("--port", "P", "the port on 127.0.0.1; default 8000, 0 takes a free one"),
                .value("--profile", "FILE", "keys, limits, latency and faults, as JSON5"),
            ])
    ) { context in
        let signals = Signals()
        let port = try context.number("--port", in: 0...65_535) ?? 8_000
        var profile = RehearsalProfile.standard
        if let path = context.arguments["--profile"] {
            do {
                profile = try RehearsalProfile.read(try context.text(of: path, what: "profile"))
            } catch let problems as ProfileProblems {
                throw CommandFailure(.userError, code: "profile", "\(path) is not a valid profile:\n\(problems)")
            }
        }
        let server: RehearsalServer
        do {
            server = try RehearsalServer(profile: profile, port: port)
        } catch {
            throw CommandFailure(
                .machineError, code: "port", "cannot listen on port \(port): \(error)",
                hint: "choose another one with --port, or 0 for a free one")
        }
        let done = DispatchSemaphore(value: 0)
        signals.handle { _, _ in done.signal() }
        server.start()
        // The address is data: a script that asked for a free port reads it from stdout.
        let host = "http://127.0.0.1:\(server.port)"
        if context.printer.usesJSON {
            context.printer.json {
                $0.member("url", "\(host)/v1")
                $0.member("ledger", "\(host)/_rehearse/ledger")
            }
        } else {
            context.printer.data("\(host)/v1")
            context.printer.note("rehearsing; ledger at \(host)/_rehearse/ledger; ctrl-C ends it")
        }
        done.wait()
        server.stop()
        return .success
    }
}

extension CommandContext {
    /// An option's value as a whole number.
    func number(_ option: String, in range: ClosedRange<Int>) throws(CommandFailure) -> Int? {
        guard let text = arguments[option] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw .usage(
                "\(option) takes a whole number from \(range.lowerBound) to \(range.upperBound), not \"\(text)\"")
        }
        return number
    }

    /// A text file's content.
    func text(of path: String, what: String) throws(CommandFailure) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(
                .userError, code: "no_file", "the \(what) \(path) does not exist or cannot be read",
                hint: "give the path of a JSON5 file")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw CommandFailure(.userError, code: "encoding", "the \(what) \(path) is not UTF-8 text")
        }
        return text
    }
}
