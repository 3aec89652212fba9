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

/// A file that is written under a temporary name beside its own, and renamed when complete; or stdout.
private final class OutputFile {
    private let descriptor: Int32
    private let path: String?
    private let temporary: String
    private var isFinished = false

    init(_ target: ResultsExport.Target) throws(ResultsExport.WriteFailure) {
        switch target {
        case .stdout: (descriptor, path, temporary) = (1, nil, "")
        case .file(let path):
            self.path = path
            temporary = "\(path).\(getpid()).part"
            descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else {
                throw ResultsExport.WriteFailure(path: path, reason: String(cString: strerror(errno)))
            }
        }
    }

    deinit {
        guard path != nil, !isFinished else { return }
        close(descriptor)
        unlink(temporary)
    }

    func write(_ bytes: [UInt8]) throws(ResultsExport.WriteFailure) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
            if count < 0 {
                if errno == EINTR { continue }
                throw ResultsExport.WriteFailure(
                    path: path ?? "stdout", reason: String(cString: strerror(errno)), isClosedPipe: errno == EPIPE)
            }
            done += count
        }
    }

    func finish() throws(ResultsExport.WriteFailure) {
        guard let path else { return }
        guard fsync(descriptor) == 0, close(descriptor) == 0, rename(temporary, path) == 0 else {
            throw ResultsExport.WriteFailure(path: path, reason: String(cString: strerror(errno)))
        }
        isFinished = true
    }
}
