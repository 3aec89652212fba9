import CSQLite
import Glibc
import OffpeakCore

/// A file beside the database that exists to be locked. Never unlinked: a lock on a deleted file excludes nobody.
final class SideFile {
    let descriptor: Int32
    let path: String

    init(path: String) throws(StoreError) {
        // O_CLOEXEC: a lock that a child inherits would outlive us.
        let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard opened >= 0 else { throw .system("open", path: path) }
        descriptor = opened
        self.path = path
    }

    deinit { close(descriptor) }

    /// Waits until nobody else holds the lock. The kernel hands it on when its holder dies.
    func lock() throws(StoreError) {
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw .system("lock", path: path) }
        }
    }

    /// Takes the lock if it is free; false when another open file holds it.
    func tryLock() throws(StoreError) -> Bool {
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            if errno == EWOULDBLOCK { return false }
            guard errno == EINTR else { throw .system("lock", path: path) }
        }
        return true
    }

    func unlock() { flock(descriptor, LOCK_UN) }

    /// Takes the lock on one byte, independent of `lock`, until it is given back or this file is closed; false when another
    /// holds it.
    func tryLockByte(_ offset: Int64) throws(StoreError) -> Bool {
        if offpeak_lock_byte(descriptor, offset) == 0 { return true }
        if errno == EAGAIN || errno == EACCES { return false }
        throw .system("lock", path: path)
    }

    func unlockByte(_ offset: Int64) throws(StoreError) {
        guard offpeak_unlock_byte(descriptor, offset) == 0 else { throw .system("unlock", path: path) }
    }
}

/// The right to run a queue: a kernel lock that dies with its process, so no clock decides who is alive.
final class RunLock {
    private let file: SideFile
    /// Locked besides, since only of such a lock can be asked who holds it without trying to take it.
    fileprivate static let livingByte: Int64 = 0

    /// Throws `runLocked` with the holder's process id when another process runs the queue.
    init(_ location: QueueLocation, at now: Timestamp) throws(StoreError) {
        file = try SideFile(path: location.run)
        guard try file.tryLock(), try file.tryLockByte(Self.livingByte) else {
            let holder = LiveRun(file.descriptor).process
            let who = holder.map { "process \($0)" } ?? "another process"
            throw StoreError(
                .runLocked(by: holder), message: "\(who) is already running the queue \(location.database)")
        }
        ftruncate(file.descriptor, 0)
        var text = "\(getpid())\n\(now.milliseconds)\n"
        text.withUTF8 { bytes in _ = pwrite(file.descriptor, bytes.baseAddress, bytes.count, 0) }
    }
}

/// The run that works a queue now. What it says of itself is only for messages.
package struct LiveRun: Sendable, Equatable {
    /// Its process id.
    package var process: Int?
    package var since: Timestamp?

    fileprivate init(_ descriptor: Int32) {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return }
        let lines = String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n")
        process = lines.first.flatMap { Int($0) }
        since = lines.dropFirst().first.flatMap { Int64($0) }.map { Timestamp(milliseconds: $0) }
    }

    /// Nil when no process runs the queue. Whoever looks takes no lock, so that no run that begins meanwhile is refused.
    init?(of location: QueueLocation) throws(StoreError) {
        let descriptor = open(location.run, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .system("open", path: location.run)
        }
        defer { close(descriptor) }
        switch offpeak_byte_is_locked(descriptor, RunLock.livingByte) {
        case 0: return nil
        case 1: self.init(descriptor)
        default: throw .system("ask for the lock of", path: location.run)
        }
    }
}

extension QueueLocation {
    /// Whether a living process is submitting a batch. Whoever looks takes no lock, so that nobody is refused for it.
    func isBeingSubmitted(_ batch: BatchID) throws(StoreError) -> Bool {
        let descriptor = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return false }
            throw .system("open", path: lock)
        }
        defer { close(descriptor) }
        switch offpeak_byte_is_locked(descriptor, batch) {
        case 0: return false
        case 1: return true
        default: throw .system("ask for the lock of", path: lock)
        }
    }
}
