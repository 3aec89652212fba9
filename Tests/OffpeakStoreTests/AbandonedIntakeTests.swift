import OffpeakCore
import Testing

@testable import OffpeakStore

/// Submits that end without a batch.
@Suite struct AbandonedIntakeTests {
    private let folder = TemporaryFolder()

    private func begin() throws -> Intake {
        try Intake.begin(
            IntakeRequest(name: "a", className: "c", created: .init(milliseconds: 1), source: nil), queue: folder.queue)
    }

    private static func chunk(_ id: String) -> IntakeChunk {
        var chunk = IntakeChunk()
        chunk.buffer = Array((id + "{}").utf8)
        chunk.flows = [FlowKey(className: "c", model: "m", endpoint: .chatCompletions)]
        let count = id.utf8.count
        chunk.lines = [
            IntakeLine(customID: 0..<count, body: count..<(count + 2), flow: 0, line: 1, maxOutputTokens: nil)
        ]
        (chunk.newOffset, chunk.newLineCount) = (Int64(count), 1)
        return chunk
    }

    private func accept() throws -> BatchID {
        let intake = try begin()
        defer { intake.close() }
        try intake.append(Self.chunk("id"))
        #expect(
            try intake.seal(droppingDuplicates: false, at: .init(milliseconds: 2))
                == .sealed(jobs: 1, dropped: [], droppedCount: 0))
        try intake.acknowledge()
        return intake.batch
    }

    @Test func `give their id back, at once and before they are closed`() throws {
        let left = try begin()
        #expect(left.batch == 1)
        try left.append(Self.chunk("id"))
        try left.abandon()
        #expect(try accept() == 1)
        left.close()
        let other = try begin()
        #expect(other.batch == 2)
        try other.abandon()
        other.close()
        #expect(try accept() == 2)
    }

    @Test func `keep their id to themselves when a later one was given out, or they were only left`() throws {
        let first = try begin()
        let second = try begin()
        try first.abandon()
        #expect(try accept() == 3)
        try second.abandon()
        #expect(try accept() == 4)
        let killed = try begin()
        killed.close()
        #expect(killed.batch == 5)
        #expect(try accept() == 6)
        first.close()
        second.close()
    }

    @Test func `no id of a batch that was accepted is given twice`() throws {
        #expect(try accept() == 1)
        let control = try QueueControl(queue: folder.queue)
        _ = try control.cancel(1, at: .init(milliseconds: 3))
        let pruned = try control.prune(finishedBefore: .distantFuture)
        #expect(pruned.batches == [1])
        #expect(try accept() == 2)
    }
}
