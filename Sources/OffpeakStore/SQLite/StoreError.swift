import CSQLite
import Glibc
import OffpeakCore

/// Why the store could not do something. Carries SQL text at most, never a bound value, so it is safe to print.
package struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What callers tell apart.
    package enum Reason: Sendable, Equatable {
        /// Someone else holds the database longer than we wait; trying again may help.
        case busy
        /// No space left; nothing of the transaction was recorded.
        case full
        /// The file system failed a read, write or sync; whether a failed commit took effect is unknown.
        case ioError
        case corrupt
        case readOnly
        /// There is no queue at this path.
        case notFound
        /// A file is there, but it is not a queue of ours.
        case notAQueue
        /// A newer program made this queue.
        case newerSchema(found: Int, supported: Int)
        /// The queue lies on a network or user-space file system, where locks and syncs cannot be relied on.
        case networkFileSystem
        /// The path is a symbolic link, hard-linked or not a regular file.
        case unsafePath
        /// Another process runs this queue; its process id if it could be read.
        case runLocked(by: Int?)
        /// Another process is submitting the same source right now.
        case intakeInProgress(batch: BatchID)
        /// There is no such batch.
        case unknownBatch(BatchID)
        /// The batch is not in a state that allows this.
        case wrongBatchState(BatchID)
        /// The target file of a backup exists.
        case alreadyExists
        /// An earlier failure left this connection unusable; recover or close it.
        case broken
        /// A rule of the schema was violated: a fault of the program.
        case constraint
        case other
    }

    package var reason: Reason
    /// SQLite's primary result code; 0 when the failure is not SQLite's.
    package var code: Int
    /// SQLite's extended result code, or `errno` when the failure is the operating system's.
    package var extended: Int
    /// One line for people.
    package var message: String
    /// The SQL statement, without values; empty when there was none.
    package var statement: String

    package init(_ reason: Reason, code: Int = 0, extended: Int = 0, message: String, statement: String = "") {
        self.reason = reason
        self.code = code
        self.extended = extended
        self.message = message
        self.statement = statement
    }

    package var description: String {
        var text = message
        if code != 0 { text += " (SQLite \(code)/\(extended))" }
        if !statement.isEmpty { text += " in: \(statement.prefix(120))" }
        return text
    }

    /// A failure that SQLite reported on a connection.
    init(database: OpaquePointer?, result: Int32, statement: StaticString? = nil) {
        let extended = database.map { sqlite3_extended_errcode($0) } ?? result
        let text = database.flatMap { sqlite3_errmsg($0) } ?? sqlite3_errstr(result)
        self.init(
            Self.reason(of: result), code: Int(result & 0xff), extended: Int(extended),
            message: text.map { String(cString: $0) } ?? "unknown error",
            statement: statement.map { "\($0)" } ?? "")
    }

    /// A failure of a system call, from `errno`.
    static func system(_ what: String, path: String, error: Int32 = errno) -> StoreError {
        let reason: Reason
        switch error {
        case ENOENT, ENOTDIR: reason = .notFound
        case ENOSPC, EDQUOT: reason = .full
        case EIO: reason = .ioError
        case EROFS, EACCES, EPERM: reason = .readOnly
        case ELOOP: reason = .unsafePath
        case EEXIST: reason = .alreadyExists
        default: reason = .other
        }
        let text = String(cString: strerror(error))
        return StoreError(reason, extended: Int(error), message: "cannot \(what) \(path): \(text)")
    }

    private static func reason(of result: Int32) -> Reason {
        switch result & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: .busy
        case SQLITE_FULL: .full
        case SQLITE_IOERR: .ioError
        case SQLITE_CORRUPT: .corrupt
        case SQLITE_NOTADB: .notAQueue
        case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH: .readOnly
        case SQLITE_CONSTRAINT: .constraint
        case SQLITE_CANTOPEN: .other
        default: .other
        }
    }
}
