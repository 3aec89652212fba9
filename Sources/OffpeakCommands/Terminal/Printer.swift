import Glibc
import JSONLines
import Synchronization

/// Where text goes: data to stdout, everything else to stderr. Colour never carries meaning alone.
package struct Printer: Sendable {
    package enum Level: Int, Sendable { case quiet, normal, verbose }

    package var level = Level.normal
    package var usesJSON = false
    package var usesColor = false
    /// Whether stderr is a terminal that can show a line that changes.
    package var isInteractive: Bool

    package init() {
        isInteractive = isatty(2) == 1
        usesColor = isInteractive
    }

    /// Data: what the command was asked for.
    package func data(_ text: String) { Self.write(1, text + "\n") }

    /// A remark about what happens; not in quiet mode.
    package func note(_ text: String) {
        if level != .quiet { Self.write(2, text + "\n") }
    }

    /// A remark for those who asked to hear more.
    package func detail(_ text: String) {
        if level == .verbose { Self.write(2, text + "\n") }
    }

    /// Something that is probably not meant; also in quiet mode.
    package func warning(_ text: String) { Self.write(2, paint("warning:", "33") + " " + text + "\n") }

    /// One of several things that keep a command from doing its work; the failure itself comes after them.
    func error(_ text: String) { Self.write(2, paint("error:", "31") + " " + text + "\n") }

    func failure(_ failure: CommandFailure) {
        if usesJSON {
            json(to: 2) {
                $0.object("error") {
                    $0.member("code", failure.code)
                    $0.member("message", failure.message)
                    $0.member("hint", failure.hint)
                }
            }
            return
        }
        Self.write(2, paint("error:", "31") + " " + failure.message + "\n")
        if let hint = failure.hint { Self.write(2, paint("hint:", "36") + " " + hint + "\n") }
    }

    /// One JSON document on stdout, or another descriptor.
    func json(to descriptor: Int32 = 1, _ build: (inout JSONWriter) -> Void) {
        var writer = JSONWriter()
        writer.object(build)
        writer.endLine()
        Self.write(descriptor, writer.bytes)
    }

    /// Replaces the changing line on the terminal.
    func progress(_ text: String) {
        // A line that wraps could not be replaced.
        var size = winsize()
        let width = ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1 ? Int(size.ws_col) - 1 : 79
        let shown = text.count <= width ? text : text.prefix(width - 1) + "…"
        Self.write(2, "\r\u{1B}[K" + shown)
    }

    func clearProgress() { Self.write(2, "\r\u{1B}[K") }

    private func paint(_ text: String, _ color: String) -> String {
        usesColor ? "\u{1B}[\(color)m\(text)\u{1B}[0m" : text
    }

    /// Why data did not reach stdout; 0 when all did. A reader that left (EPIPE) is not our failure.
    private static let outputError = Mutex<Int32>(0)

    /// Throws when data could not be written.
    static func checkOutput() throws(CommandFailure) {
        let error = outputError.withLock { $0 }
        guard error != 0 else { return }
        throw CommandFailure(
            .machineError, code: "output", "cannot write to standard output: \(String(cString: strerror(error)))",
            hint: "make room and run the same command again")
    }

    /// Writes all of it; returns the error that ended it early, or 0.
    @discardableResult
    static func write(_ descriptor: Int32, _ text: String) -> Int32 { write(descriptor, Array(text.utf8)) }

    /// The same for bytes.
    @discardableResult
    static func write(_ descriptor: Int32, _ text: [UInt8]) -> Int32 {
        var bytes = text[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                let error = errno
                if descriptor == 1 && error != EPIPE { outputError.withLock { $0 = error } }
                return error
            }
            bytes = bytes.dropFirst(written)
        }
        return 0
    }
}
