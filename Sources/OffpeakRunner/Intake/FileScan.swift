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
                let repeats = ids.repeats(in: chunk) { line in
                    result.accepted += 1
                    take(chunk.flows[line.flow], line)
                }
                result.add(chunk.rejected, repeats)
            }
        }
    }
}
