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
        /// Answers that were delivered earlier and erased then, left out.
        package var erased = 0
        /// Jobs whose answers are in a file now, complete and synced.
        package var delivered = DeliveredJobs()
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
    /// The provider of each key; for receipts.
    private let providers: [String: String]

    /// Failed jobs go to `errors` if there is one, else between the answers. `providers` has the keys' providers, which
    /// receipts name.
    package init(to answers: Target, errors: Target?, providers: [String: String] = [:]) throws(WriteFailure) {
        self.providers = providers
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
        // Who reads a pipe may lose it all a moment later.
        if !answers.isDurable { summary.delivered = DeliveredJobs() }
        return summary
    }

    private mutating func add(_ row: ResultRow) {
        if let answer = row.answer {
            guard !answer.isErased else {
                summary.erased += 1
                return
            }
            summary.succeeded += 1
            summary.delivered.add(row.job)
            Self.line(row, providers, to: &buffer) {
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
        if errors == nil {
            Self.line(row, providers, to: &buffer, build)
        } else {
            Self.line(row, providers, to: &errorBuffer, build)
        }
    }

    private static func line(
        _ row: ResultRow, _ providers: [String: String], to writer: inout JSONWriter,
        _ rest: (inout JSONWriter) -> Void
    ) {
        writer.object {
            $0.member("id", "batch_req_\(row.job)")
            $0.member("custom_id", String(decoding: row.customID, as: UTF8.self))
            rest(&$0)
            if let receipt = row.receipt { write(receipt, of: providers[receipt.route.key], to: &$0) }
        }
        writer.endLine()
    }

    private static func write(_ receipt: Receipt, of provider: String?, to writer: inout JSONWriter) {
        writer.object("offpeak") {
            $0.member("key", receipt.route.key)
            $0.member("provider", provider)
            $0.member("model", receipt.route.model)
            $0.member("lane", receipt.route.lane.rawValue)
            $0.member("bill", receipt.route.bill.rawValue)
            $0.member("attempts", receipt.attempts)
            $0.object("usage") {
                $0.member("input_tokens", receipt.usage.inputTokens)
                $0.member("cached_tokens", receipt.usage.cachedTokens)
                $0.member("output_tokens", receipt.usage.outputTokens)
            }
            $0.cost(receipt.charge, unknown: receipt.unknown, attempts: receipt.unknownAttempts)
        }
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
            guard row.state == .parked else { return (code, message) }
            // What the lack of money has parked goes on by itself once there is some.
            let isMoney = row.failure.map { MoneyStop(failureClass: $0.failureClass, code: code) != nil } ?? false
            return ("parked", "waits \(isMoney ? "until money allows it" : "for a person"): \(code): \(message)")
        case .cancelled: return ("batch_cancelled", "the batch was cancelled \(cancelled(row.sentInVain))")
        default: return nil
        }
    }

    private static func cancelled(_ sentInVain: AttemptRecord.Outcome?) -> String {
        switch sentInVain {
        case nil: "before this job was sent"
        case .unknown: "after this job was sent; its answer was lost, and may have been charged"
        default: "after this job was sent, and before it was answered"
        }
    }
}
