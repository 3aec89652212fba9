import Foundation
import Glibc
import Synchronization
import Testing

/// What a test cannot go on without.
struct Impossible: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A process that a test started. Its output is gathered as it comes; it is ended when nobody holds it any more.
final class Child: Sendable {
    let pid: pid_t
    let out: Capture
    let err: Capture
    private let end = Mutex(End())
    private let name: String

    private struct End {
        var status: Int32?
        var waiters: [CheckedContinuation<Int32, Never>] = []
    }

    /// Where a child's standard input comes from.
    enum Input {
        case nothing
        case bytes([UInt8])
        case file(String)
    }

    /// Starts a program. Pipes are closed on exec everywhere, so no other child keeps them open.
    init(
        _ program: String, _ arguments: [String], in folder: String, environment: [String: String],
        input: Input = .nothing,
        output: String? = nil
    ) throws {
        name = ([program] + arguments).joined(separator: " ")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var feed: Int32 = -1
        var opened: [Int32] = []
        defer { for descriptor in opened { close(descriptor) } }
        switch input {
        case .nothing: posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        case .file(let path): posix_spawn_file_actions_addopen(&actions, 0, path, O_RDONLY, 0)
        case .bytes:
            let pipe = try Self.pipe()
            posix_spawn_file_actions_adddup2(&actions, pipe.read, 0)
            opened.append(pipe.read)
            feed = pipe.write
        }
        let outPipe = try Self.pipe()
        let errPipe = try Self.pipe()
        if let output {
            posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        } else {
            posix_spawn_file_actions_adddup2(&actions, outPipe.write, 1)
        }
        posix_spawn_file_actions_adddup2(&actions, errPipe.write, 2)
        opened += [outPipe.write, errPipe.write]
        // `env` changes the folder and becomes the program, under the same process id.
        pid = try Self.spawn(["env", "-C", folder, program] + arguments, environment, &actions)
        out = Capture(outPipe.read)
        err = Capture(errPipe.read)
        if case .bytes(let bytes) = input { Self.write(bytes, to: feed) }
        let thread = Thread { [self] in reap() }
        thread.start()
    }

    private static func spawn(
        _ command: [String], _ environment: [String: String],
        _ actions: inout posix_spawn_file_actions_t
    ) throws -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Whatever our own parent ignores or blocks, the child starts like any program in a terminal.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        var settings: [UnsafeMutablePointer<CChar>?] =
            environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in words + settings { free(pointer) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, command[0], &actions, &attributes, &words, &settings)
        guard result == 0 else { throw Impossible("cannot start \(command): \(String(cString: strerror(result)))") }
        return pid
    }

    /// Two ends that no other child gets, which only sockets can be from their first moment on.
    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw Impossible("no pipe: \(String(cString: strerror(errno)))")
        }
        return (ends[0], ends[1])
    }

    /// Feeds a child's input from a thread of its own, since the child may read slowly or not at all.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        Glibc.signal(SIGPIPE, SIG_IGN)
        Thread {
            var done = 0
            while done < bytes.count {
                let count = bytes.withUnsafeBytes {
                    Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done)
                }
                if count <= 0 { break }
                done += count
            }
            close(descriptor)
        }.start()
    }

    private func reap() {
        var status: Int32 = 0
        // Looked at first and reaped under the lock, so that no signal can go to a process id that was given away.
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        let waiters = end.withLock { end in
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            // As a shell shows it: 128 and the signal's number.
            end.status = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
            defer { end.waiters = [] }
            return end.waiters
        }
        let code = self.end.withLock { $0.status! }
        for waiter in waiters { waiter.resume(returning: code) }
    }

    /// Sends a signal, if the process is still there.
    func signal(_ number: Int32) { end.withLock { if $0.status == nil { kill(pid, number) } } }

    var isRunning: Bool { end.withLock { $0.status == nil } }

    /// Waits for its end; kills it after the limit, and the test fails.
    func wait(limit: Duration = .seconds(90)) async -> Int32 {
        let watch = Task {
            try await Task.sleep(for: limit)
            guard isRunning else { return }
            Issue.record("still running after \(limit): \(name)\nstderr: \(err.text)")
            signal(SIGKILL)
        }
        defer { watch.cancel() }
        return await withCheckedContinuation { continuation in
            let status = end.withLock { end -> Int32? in
                if end.status == nil { end.waiters.append(continuation) }
                return end.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }
}

/// One stream of a child's output.
final class Capture: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isEnded = false
        var waiters: [(test: @Sendable ([UInt8]) -> Bool, continuation: CheckedContinuation<Bool, Never>)] = []
    }
    private let state = Mutex(State())

    init(_ descriptor: Int32) {
        Thread { [self] in
            var block = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(descriptor, &block, block.count)
                if count < 0 && errno == EINTR { continue }
                if count <= 0 { break }
                took(block[..<count])
            }
            close(descriptor)
            let waiters = state.withLock { state in
                state.isEnded = true
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.continuation.resume(returning: waiter.test(bytes)) }
        }.start()
    }

    private func took(_ block: ArraySlice<UInt8>) {
        let ready = state.withLock { state in
            state.bytes += block
            let bytes = state.bytes
            let ready = state.waiters.filter { $0.test(bytes) }
            state.waiters.removeAll { $0.test(bytes) }
            return ready
        }
        for waiter in ready { waiter.continuation.resume(returning: true) }
    }

    var bytes: [UInt8] { state.withLock { $0.bytes } }
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Waits until what came so far passes a test; false when the stream ended before.
    func until(_ test: @escaping @Sendable ([UInt8]) -> Bool) async -> Bool {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> Bool? in
                if test(state.bytes) { return true }
                if state.isEnded { return false }
                state.waiters.append((test, continuation))
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Waits for a text.
    func until(contains text: String) async -> Bool {
        await until { String(decoding: $0, as: UTF8.self).contains(text) }
    }

    /// All of it, once the stream has ended.
    func whole() async -> String {
        _ = await until { _ in false }
        return text
    }
}
