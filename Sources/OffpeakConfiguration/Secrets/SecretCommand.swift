import Glibc
import OffpeakCore

/// Runs a program that prints a secret, and takes what it printed.
///
/// Foundation's `Process` has no deadline and waits for the end of the pipe, which an agent that the program starts in
/// the background may hold open for ever. So the program is started in a process group of its own, read with a
/// deadline, and ended with all that belongs to it.
struct SecretCommand {
    /// The program, then its arguments; at least the program.
    let arguments: [String]
    let environment: [String: String]
    let limit: Interval

    /// The longest secret in bytes.
    static let longest = 65_536

    private var program: String { Spelling.shown(path: arguments[0]) }

    func run() -> Result<[UInt8], SecretProblem> {
        guard let path = resolved() else {
            let where_ = arguments[0].contains("/") ? "is no program that can be run" : "is not on the PATH"
            return .failure(.init("command \(program) \(where_)"))
        }
        guard let output = PipeEnds() else {
            return .failure(.init("command \(program) could not be started: \(Self.words(errno))"))
        }
        var process: pid_t = 0
        let status = spawn(path, output: output.writing, process: &process)
        output.closeWriting()
        guard status == 0 else {
            return .failure(.init("command \(program) could not be started: \(Self.words(status))"))
        }
        var reading = Reading(process: process, output: output.reading)
        return outcome(of: reading.read(limit: limit), reading)
    }

    private func outcome(of exit: Int32?, _ reading: Reading) -> Result<[UInt8], SecretProblem> {
        guard let exit else {
            return .failure(
                .init(
                    "command \(program) gave no secret within \(limit.durationText)", hint: "does it ask for something?"
                ))
        }
        if reading.output.count > Self.longest { return .success(reading.output) }
        guard exit == 0 else {
            // The low seven bits hold the signal, the next byte the exit status: wait(2).
            let cause =
                exit & 0x7F == 0 ? "failed with status \(exit >> 8 & 0xFF)" : "was ended by signal \(exit & 0x7F)"
            // Nothing that it said is quoted: a program that fails may well name the secret.
            return .failure(.init("command \(program) \(cause)", hint: "run it by hand to see what it says"))
        }
        return .success(reading.output)
    }

    /// The program's path: as it stands when it has a slash, else the first on the PATH.
    private func resolved() -> String? {
        let name = arguments[0]
        if name.contains("/") { return access(name, X_OK) == 0 ? name : nil }
        let folders = (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        return folders.map { "\($0)/\(name)" }.first { path in
            var status = stat()
            return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
        }
    }

    private func spawn(_ path: String, output: Int32, process: inout pid_t) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        // Where nobody reads it, since it may hold the secret.
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        // Nothing of ours reaches the program: no ignored or blocked signal and no open file. An agent that it leaves
        // running would else hold a lock of ours beyond our own end.
        for descriptor in openDescriptors() { posix_spawn_file_actions_addclose(&actions, descriptor) }
        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] =
            environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in words + variables { free(pointer) } }
        return posix_spawn(&process, path, &actions, &attributes, &words, &variables)
    }

    /// Our descriptors but the first three. One that is closed meanwhile does no harm: closing it again is no error.
    private func openDescriptors() -> [Int32] {
        guard let folder = opendir("/proc/self/fd") else { return [] }
        defer { closedir(folder) }
        var found: [Int32] = []
        while let entry = readdir(folder) {
            // SAFETY: the bytes of an entry's own array, read while the entry stands, and no further than the array.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let descriptor = Int32(name), descriptor > 2, descriptor != dirfd(folder) { found.append(descriptor) }
        }
        return found
    }

    static func words(_ code: Int32) -> String { String(cString: strerror(code)) }
}

/// Two ends of a pipe that no other program inherits.
private final class PipeEnds {
    let reading: Int32
    private(set) var writing: Int32

    init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        (reading, writing) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    func closeWriting() {
        if writing >= 0 { close(writing) }
        writing = -1
    }

    deinit {
        closeWriting()
        close(reading)
    }
}

/// Reads what a running program prints until it ends.
private struct Reading {
    let process: pid_t
    var pipe: pollfd
    private(set) var output: [UInt8] = []

    init(process: pid_t, output: Int32) {
        self.process = process
        pipe = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        _ = fcntl(output, F_SETFL, O_NONBLOCK)
    }

    /// The program's wait status; nil when it had not ended in time and was killed.
    mutating func read(limit: Interval) -> Int32? {
        let end = Self.milliseconds() + limit.milliseconds
        var status: Int32 = 0
        while true {
            // The end of the program is what counts, and no descriptor tells of it: so look every few milliseconds.
            poll(&pipe, 1, 5)
            drain()
            let ended = waitpid(process, &status, WNOHANG)
            if ended == process || (ended < 0 && errno != EINTR) {
                drain()
                // What it left running in the background, such as an agent, is none of our affair.
                return ended == process ? status : -1
            }
            if Self.milliseconds() >= end || output.count > SecretCommand.longest {
                kill(-process, SIGKILL)
                while waitpid(process, &status, 0) < 0 && errno == EINTR {}
                return output.count > SecretCommand.longest ? 0 : nil
            }
        }
    }

    private mutating func drain() {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while pipe.fd >= 0 {
            let count = Glibc.read(pipe.fd, &buffer, buffer.count)
            if count <= 0 {
                // A closed pipe would keep poll from waiting.
                if count == 0 { pipe.fd = -1 }
                return
            }
            output += buffer[..<count]
            if output.count > SecretCommand.longest { return }
        }
    }

    private static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
