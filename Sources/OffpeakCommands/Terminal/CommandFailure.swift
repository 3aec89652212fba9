/// How the process ends; the numbers are part of the contract.
package enum ExitStatus: Int32, Sendable {
    case success = 0
    /// The user's problem: usage, configuration, bad input.
    case userError = 1
    /// Our or the machine's problem.
    case machineError = 2
    /// Finished, but some jobs failed or are parked.
    case unfinishedJobs = 3
    /// Stopped with work left: `--until`, `--for`, `--no-wait`.
    case workLeft = 4
    case interrupted = 130
    case terminated = 143
}

/// Why a command cannot go on: what happened, and what to do about it.
package struct CommandFailure: Error, Sendable {
    package var status: ExitStatus
    /// A short machine-readable word.
    package var code: String
    package var message: String
    package var hint: String?

    package init(_ status: ExitStatus, code: String, _ message: String, hint: String? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
    }

    /// A call that cannot be meant; without a hint, the help is pointed to.
    static func usage(_ message: String, hint: String? = nil) -> CommandFailure {
        CommandFailure(.userError, code: "usage", message, hint: hint)
    }
}
