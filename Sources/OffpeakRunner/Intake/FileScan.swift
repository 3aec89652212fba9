import Foundation
import Glibc
import JSONLines
import OffpeakCore
import OffpeakStore

/// Reads a JSONL file as a submit would, and queues nothing.
package struct FileScan {
    private let request: SubmissionRequest

    package init(_ request: SubmissionRequest) { self.request = request }

    /// Hands over each good line with its flow, in order. Returns how many there are and which lines a submit would find
    /// fault with.
    package func run(_ take: (_ flow: FlowKey, _ line: IntakeLine) -> Void) throws -> SubmissionResult {
        let descriptor = try request.open()
        defer { if descriptor != 0 { close(descriptor) } }
        var result = SubmissionResult()
        var ids = SeenIDs()
        let reader = ChunkReader(descriptor: descriptor, offset: 0, line: 0, defaults: request.lineDefaults)
        var waiting: [ChunkReader.Item] = []
        while true {
            switch reader.next(&waiting) {
            case .end:
                guard result.accepted + result.rejectedCount > 0 else {
                    throw SourceFailure(path: request.path, reason: "it has no lines")
                }
                return result
            case .failed(let number):
                throw SourceFailure(path: request.path, reason: String(cString: strerror(number)))
            case .chunk(let chunk):
                result.add(chunk.rejected)
                for line in chunk.lines {
                    if let first = ids.insert(chunk.buffer[line.customID], line: line.line) {
                        let id = String(decoding: chunk.buffer[line.customID], as: UTF8.self)
                        let isTold = result.rejected.count < Submission.reportLimit
                        let duplicate = DuplicateID(line: line.line, customID: id, firstLine: first)
                        result.add(isTold ? [duplicate] : [], count: 1)
                        continue
                    }
                    result.accepted += 1
                    take(chunk.flows[line.flow], line)
                }
            }
        }
    }
}

/// The ids of a batch, as 64-bit hashes under a seed of this process: among ten million different ids, two are alike once in
/// some hundred thousand scans. (A submit compares the ids themselves.)
private struct SeenIDs {
    private var lines: [Int: Int32] = [:]

    /// Adds an id; returns the line on which it was before.
    mutating func insert(_ id: ArraySlice<UInt8>, line: Int) -> Int? {
        var hasher = Hasher()
        id.withUnsafeBytes { hasher.combine(bytes: $0) }
        let hash = hasher.finalize()
        if let first = lines[hash] { return Int(first) }
        lines[hash] = Int32(clamping: line)
        return nil
    }
}
