import Foundation
import Glibc
import JSONLines
import OffpeakCore
import OffpeakStore

/// Writes a batch's results as OpenAI batch output lines, in input order, page by page.
package struct ResultsExport {
    /// What came of an export.
    package struct Summary: Sendable {
        package var succeeded = 0
        package var failed = 0
        /// Jobs without an outcome, left out.
        package var open = 0
    }

    package enum Target: Sendable {
        case stdout
        case file(String)
    }

    /// Why a file could not be written.
    package struct WriteFailure: Error, Sendable {
        package var path: String
        package var reason: String
        /// Whoever read our output has left: nobody is waiting for the rest.
        package var isClosedPipe = false
        /// The disk is full or failed; else the path is not one that can be written.
        package var isMachines = false

        init(_ path: String, error: Int32) {
            self.path = path
            reason = String(cString: strerror(error))
            isClosedPipe = error == EPIPE
            isMachines = [ENOSPC, EDQUOT, EIO].contains(error)
        }

        init(_ path: String, reason: String) {
            self.path = path
            self.reason = reason
        }
    }

    private let answers: OutputFile
    private let errors: OutputFile?
    private var buffer = JSONWriter()
    private var errorBuffer = JSONWriter()
    private var summary = Summary()

    /// Failed jobs go to `errors` if there is one, else between the answers.
    package init(to answers: Target, errors: Target?) throws(WriteFailure) {
        self.answers = try OutputFile(answers)
        self.errors = if let errors { try OutputFile(errors) } else { nil }
        if let path = self.answers.path, path == self.errors?.path {
            throw WriteFailure(path, reason: "answers and errors cannot go to the same file")
        }
    }

    /// Writes everything; files appear under their names only when they are complete.
    package mutating func write(_ cursor: ResultCursor) throws -> Summary {
        var cursor = cursor
        while true {
            let rows = try cursor.next()
            if rows.isEmpty { break }
            for row in rows { add(row) }
            try answers.write(buffer.bytes)
            buffer.removeAll()
            try errors?.write(errorBuffer.bytes)
            errorBuffer.removeAll()
        }
        try answers.finish()
        try errors?.finish()
        return summary
    }

    private mutating func add(_ row: ResultRow) {
        if let answer = row.answer {
            summary.succeeded += 1
            Self.line(row, to: &buffer) {
                $0.object("response") {
                    $0.member("status_code", answer.statusCode)
                    $0.member("request_id", answer.requestID)
                    $0.raw("body", Self.oneLine(answer.body))
                }
                $0.null("error")
            }
            return
        }
        guard let (code, message) = Self.error(of: row) else {
            summary.open += 1
            return
        }
        summary.failed += 1
        let build: (inout JSONWriter) -> Void = {
            $0.null("response")
            $0.object("error") {
                $0.member("code", code)
                $0.member("message", message)
            }
        }
        if errors == nil { Self.line(row, to: &buffer, build) } else { Self.line(row, to: &errorBuffer, build) }
    }

    private static func line(_ row: ResultRow, to writer: inout JSONWriter, _ rest: (inout JSONWriter) -> Void) {
        writer.object {
            $0.member("id", "batch_req_\(row.job)")
            $0.member("custom_id", String(decoding: row.customID, as: UTF8.self))
            rest(&$0)
        }
        writer.endLine()
    }

    /// A body may be printed over several lines, but a JSONL line may not. Raw line breaks can only stand between
    /// tokens, never inside a string, so they can go.
    private static func oneLine(_ body: [UInt8]) -> [UInt8] {
        body.contains(10) || body.contains(13) ? body.filter { $0 != 10 && $0 != 13 } : body
    }

    private static func error(of row: ResultRow) -> (code: String, message: String)? {
        switch row.state {
        case .failed, .parked:
            let code = row.failure?.code ?? "failed"
            let message = row.failure?.message ?? "no reason was recorded"
            return row.state == .parked ? ("parked", "waits for a person: \(code): \(message)") : (code, message)
        case .cancelled: return ("batch_cancelled", "the batch was cancelled before this job was sent")
        default: return nil
        }
    }
}

/// A file that is written under a temporary name beside its own, and renamed when complete; or stdout. What is there and
/// is no regular file (a pipe, a device) is written as it is: a rename would put a file in its place.
private final class OutputFile {
    private let descriptor: Int32
    /// Nil for stdout.
    let path: String?
    /// Nil when the file itself is written.
    private let temporary: String?
    private var isOpen = true

    init(_ target: ResultsExport.Target) throws(ResultsExport.WriteFailure) {
        guard case .file(let given) = target else {
            (descriptor, path, temporary) = (1, nil, nil)
            return
        }
        var status = stat()
        let exists = stat(given, &status) == 0
        let kind = exists ? status.st_mode & S_IFMT : S_IFREG
        if kind == S_IFDIR { throw ResultsExport.WriteFailure(given, reason: "it is a folder") }
        let final = exists ? Self.resolved(given) : Self.absolute(given)
        path = final
        temporary = kind == S_IFREG ? "\(final).\(getpid()).part" : nil
        if let temporary {
            descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            if descriptor >= 0, exists { fchmod(descriptor, status.st_mode & 0o777) }
        } else {
            descriptor = open(final, O_WRONLY | O_CLOEXEC)
        }
        guard descriptor >= 0 else { throw ResultsExport.WriteFailure(given, error: errno) }
    }

    deinit {
        guard path != nil, isOpen else { return }
        close(descriptor)
        if let temporary { unlink(temporary) }
    }

    /// A link stays a link, and its target gets the results.
    private static func resolved(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The path of a file that is not there, so that two spellings of it are seen to be one.
    private static func absolute(_ path: String) -> String {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { path[path.index(after: $0)...] } ?? path[...]
        let parent = resolved(folder)
        return parent == "/" ? "/\(name)" : "\(parent)/\(name)"
    }

    func write(_ bytes: [UInt8]) throws(ResultsExport.WriteFailure) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
            if count < 0 {
                if errno == EINTR { continue }
                throw ResultsExport.WriteFailure(path ?? "standard output", error: errno)
            }
            done += count
        }
    }

    func finish() throws(ResultsExport.WriteFailure) {
        guard let path else { return }
        guard let temporary else {
            isOpen = false
            guard close(descriptor) == 0 else { throw ResultsExport.WriteFailure(path, error: errno) }
            return
        }
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else {
            throw ResultsExport.WriteFailure(path, error: errno)
        }
        isOpen = false
        close(descriptor)
    }
}
