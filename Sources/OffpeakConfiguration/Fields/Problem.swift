/// One thing that a file has wrong, or that its author should know.
package struct Problem: Sendable, Equatable, CustomStringConvertible {
    /// Where, as a path of names: `keys.openai-main.limits.rpm`, `classes.nightly.keys.order[1]`. Empty: the whole file.
    package var path: String
    /// The line, counted from 1; nil when it concerns no line, such as a file that does not exist.
    package var line: Int?
    /// What is wrong. Never contains a secret.
    package var message: String
    /// What to do about it; nil when the message says so already.
    package var hint: String?

    package init(path: String, line: Int?, message: String, hint: String? = nil) {
        self.path = path
        self.line = line
        self.message = message
        self.hint = hint
    }

    package var description: String {
        var text = line.map { "line \($0): " } ?? ""
        text += path.isEmpty ? message : "\(path): \(message)"
        return hint.map { "\(text) (\($0))" } ?? text
    }
}

/// Collects everything that a reading of a file finds, so that all of it is told at once.
///
/// A class, since every `FieldReader` of one file adds to the same collection; it never leaves the reading.
package final class Findings {
    /// What makes the file unusable.
    package private(set) var problems: [Problem] = []
    /// What is worth knowing and stops nothing.
    package private(set) var notices: [Problem] = []

    package init() {}

    /// Adds a problem, unless it was told already.
    package func problem(_ problem: Problem) { if !problems.contains(problem) { problems.append(problem) } }
    /// Adds a notice, unless it was told already.
    package func notice(_ notice: Problem) { if !notices.contains(notice) { notices.append(notice) } }

    /// Problems and notices in the order of the file's lines; findings of one line keep the order in which they came.
    package func sortByLine() {
        func sorted(_ list: [Problem]) -> [Problem] {
            list.enumerated().sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }
                .map(\.element)
        }
        problems = sorted(problems)
        notices = sorted(notices)
    }
}
