import Foundation
import Glibc
import OffpeakCore
import OffpeakProviders

/// Where a key's secret is. The secret itself is never in the configuration.
package enum SecretSource: Sendable, Equatable {
    /// The key needs none, as with a local server.
    case none
    /// The name of a variable.
    case environment(String)
    /// A path; absolute, or below `~/`, or relative to the working directory.
    case file(String)
    /// A program and its arguments, run without a shell; asked again after `refresh`.
    case command([String], refresh: Interval?)

    /// After how long the secret should be loaded anew; nil: only when the provider rejects it.
    package var refresh: Interval? { if case .command(_, let refresh) = self { refresh } else { nil } }

    /// Whether another loading may give another secret: then a rejected key is worth a second try.
    package var isRefreshable: Bool {
        switch self {
        case .none, .environment: false
        case .file, .command: true
        }
    }

    /// The place in words: "variable OPENAI_API_KEY". Of a command only the program, since arguments may be secret.
    package var words: String {
        switch self {
        case .none: "no secret"
        case .environment(let name): "variable \(name)"
        case .file(let path): "file \(Spelling.shown(path: path))"
        case .command(let arguments, _): "command \(Spelling.shown(path: arguments.first ?? ""))"
        }
    }

    /// Loads the secret; an empty one for `none`. Blocks: a command may take until `limit`.
    package func load(
        environment: [String: String], limit: Interval = .seconds(30)
    ) -> Result<Secret, SecretProblem> {
        switch self {
        case .none: return .success(Secret(""))
        case .environment(let name):
            guard let value = environment[name] else {
                return .failure(
                    .init("variable \(name) is not set", hint: "export \(name), or change the key's secret"))
            }
            return checked(Array(value.utf8))
        case .file(let path):
            guard let data = contents(of: expanded(path, environment)) else {
                return .failure(.init("\(words) cannot be read", hint: "does it exist, and may this user read it?"))
            }
            return checked(data)
        case .command(let arguments, _):
            switch SecretCommand(arguments: arguments, environment: environment, limit: limit).run() {
            case .success(let output): return checked(output)
            case .failure(let problem): return .failure(problem)
            }
        }
    }

    /// What is wrong with how the secret is kept, though it can be loaded; nil when nothing is.
    package func caution(environment: [String: String]) -> String? {
        guard case .file(let path) = self else { return nil }
        var status = stat()
        guard stat(expanded(path, environment), &status) == 0, status.st_mode & S_IROTH != 0 else { return nil }
        return "\(words) can be read by every user of this machine; chmod 600 mends it"
    }

    private func expanded(_ path: String, _ environment: [String: String]) -> String {
        guard path.hasPrefix("~/"), let home = environment["HOME"], !home.isEmpty else { return path }
        return home + path.dropFirst()
    }

    /// A secret is small: of anything larger only the beginning is read, and that is refused as too long.
    private func contents(of path: String) -> [UInt8]? {
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        guard let data = try? file.read(upToCount: SecretCommand.longest + 3) else { return [] }
        return Array(data)
    }

    /// A header holds the secret, so it must be printable ASCII without spaces; a line's end after it is no part of it.
    private func checked(_ bytes: [UInt8]) -> Result<Secret, SecretProblem> {
        var bytes = bytes[...]
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        if bytes.isEmpty { return .failure(.init("\(words) is empty")) }
        if bytes.count > SecretCommand.longest {
            return .failure(.init("\(words) gives more than \(SecretCommand.longest) bytes: surely not a secret"))
        }
        if !bytes.allSatisfy({ (0x21...0x7E).contains($0) }) {
            let kind =
                bytes.contains { $0 <= 0x20 || $0 == 0x7F } ? "a space or a control character" : "other than ASCII"
            return .failure(
                .init(
                    "\(words) gives something that cannot stand in a request: it contains \(kind)",
                    hint: "only the secret itself belongs there, in one line"))
        }
        return .success(Secret(String(decoding: bytes, as: UTF8.self)))
    }
}

/// Why a secret cannot be had. Says nothing of what was found.
package struct SecretProblem: Error, Sendable, Equatable, CustomStringConvertible {
    package var message: String
    package var hint: String?

    package init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    package var description: String { hint.map { "\(message) (\($0))" } ?? message }
}
