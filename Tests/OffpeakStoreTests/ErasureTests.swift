import OffpeakCore
import Testing

@testable import OffpeakStore

@Suite struct ErasureTests {
    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }

    @Test func `Hashes are SHA-256`() {
        // The examples of FIPS 180-4's publisher, and lengths around a block's end.
        #expect(
            Self.hex(SHA256.hash(of: [])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            Self.hex(SHA256.hash(of: Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            Self.hex(SHA256.hash(of: Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            Self.hex(SHA256.hash(of: [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    /// Prompts as they are stored, by job; hashes in hexadecimal.
    private static func payloads(_ harness: SQLiteHarness) throws -> [String] {
        var found: [String] = []
        try harness.sqlite.connection.query("SELECT body, erased FROM payload ORDER BY job") { row in
            found.append(row.int(1) == 1 ? hex(row.bytes(0)) : row.string(0))
        }
        return found
    }

    private static func hash(_ prompt: Prompt) -> String { hex(SHA256.hash(of: Array(prompt.body.utf8))) }

    @Test func `When a job of a class that keeps no prompts has ended, its hash is left; until then its prompt is`()
        throws
    {
        let harness = try SQLiteHarness()
        let all = prompts(5) + prompts(1, className: "open", model: "large")
        _ = try harness.submit(all, at: at(1))
        try harness.sqlite.keepNoPrompts(of: ["nightly"])
        var begun: [BegunAttempt] = []
        for flow in try harness.queue.openFlows() {
            begun += try harness.queue.start(try harness.queue.peek(flow: flow.id, limit: 9), at: at(2)).begun
        }
        #expect(try Self.payloads(harness) == all.map(\.body))
        _ = try harness.queue.settle(begun[0], answer("a"), at: at(3))
        _ = try harness.queue.settle(begun[1], failure(.refused), .fail, at: at(3))
        _ = try harness.queue.settle(begun[2], failure(.overloaded), .retry(at: at(90)), at: at(3))
        _ = try harness.queue.settle(begun[3], failure(.keyRejected), .park, at: at(3))
        _ = try harness.queue.settle(begun[5], answer("f"), at: at(3))
        let expected = [Self.hash(all[0]), Self.hash(all[1])] + all[2...].map(\.body)
        #expect(try Self.payloads(harness) == expected)
        // A lost answer that comes after all.
        _ = try harness.queue.settle(begun[4], failure(.unknownOutcome), .retry(at: at(90)), at: at(3))
        _ = try harness.queue.settle(begun[4], answer("late"), at: at(4))
        #expect(try Self.payloads(harness)[4] == Self.hash(all[4]))
        #expect(try faults(in: harness.sqlite.connection).isEmpty)
    }

    @Test func `A failed job whose prompt is gone is not tried again, and counted; a parked one is`() throws {
        let harness = try SQLiteHarness()
        let batch = try harness.submit(prompts(3), at: at(1))
        try harness.sqlite.keepNoPrompts(of: ["nightly"])
        let begun = try harness.queue.start(
            try harness.queue.peek(flow: try harness.queue.onlyFlow().id, limit: 9), at: at(2)
        ).begun
        _ = try harness.queue.settle(begun[0], failure(.refused), .fail, at: at(3))
        _ = try harness.queue.settle(begun[1], failure(.unknownOutcome), .fail, at: at(3))
        _ = try harness.queue.settle(begun[2], failure(.keyRejected), .park, at: at(3))
        let control = try QueueControl(queue: harness.folder.queue)
        defer { control.close() }
        #expect(try RetrySelection.allCases.map { try control.unretryable(batch, $0) } == [2, 0, 1, 2])
        #expect(try control.retry(batch, .failed, at: at(4)) == 0)
        #expect(try control.retry(batch, .all, at: at(4)) == 1)
        let again = try harness.queue.start(
            try harness.queue.peek(flow: try harness.queue.onlyFlow().id, limit: 9), at: at(5)
        ).begun
        #expect(again.map(\.body) == [Array(prompts(3)[2].body.utf8)])
    }

    @Test func `Prompts of cancelled jobs, of flows that fail at once and of jobs that ended before go too`() throws {
        let harness = try SQLiteHarness()
        let first = try harness.submit(prompts(2), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 1), at: at(2)).begun
        _ = try harness.queue.settle(begun[0], answer("a"), at: at(3))
        try harness.sqlite.keepNoPrompts(of: ["nightly"])
        #expect(try Self.payloads(harness) == [Self.hash(prompts(2)[0]), prompts(2)[1].body])
        try harness.cancel(first, at: at(4))
        #expect(try Self.payloads(harness) == prompts(2).map(Self.hash))
        _ = try harness.submit(prompts(2), at: at(5))
        let why = Failure(.quotaExhausted, code: "budget_exhausted", message: "used up")
        let second = try harness.queue.onlyFlow().id
        #expect(try harness.queue.stop(flow: second, as: .parked, failure: why, at: at(6)) == 2)
        #expect(try Self.payloads(harness).suffix(2) == prompts(2).map(\.body))
        try harness.retry(2, .parked, at: at(6))
        #expect(try harness.queue.stop(flow: second, as: .failed, failure: why, at: at(6)) == 2)
        #expect(try Self.payloads(harness).suffix(2) == prompts(2).map(Self.hash))
        // A class that is told to keep them again does so from now on.
        try harness.sqlite.keepNoPrompts(of: [])
        _ = try harness.submit(prompts(1), at: at(7))
        let third = try harness.queue.start(
            try harness.queue.peek(flow: try harness.queue.onlyFlow().id, limit: 1), at: at(8)
        ).begun
        _ = try harness.queue.settle(third[0], answer("c"), at: at(9))
        #expect(try Self.payloads(harness).last == prompts(1)[0].body)
    }

    @Test func `Nothing of an erased prompt is left in the queue's files once the log is written back`() throws {
        let harness = try SQLiteHarness()
        let words = "a-very-private-thing-" + String(repeating: "x", count: 20_000)
        _ = try harness.submit([Prompt(customID: words)], at: at(1))
        try harness.sqlite.connection.execute("UPDATE job SET custom_id = 'p'")
        try harness.sqlite.keepNoPrompts(of: ["nightly"])
        let begun = try harness.queue.start(
            try harness.queue.peek(flow: try harness.queue.onlyFlow().id, limit: 1), at: at(2)
        ).begun
        _ = try harness.queue.settle(begun[0], answer("a"), at: at(3))
        #expect(try harness.sqlite.checkpointWhenIdle())
        for name in harness.folder.names {
            let text = String(decoding: TemporaryFolder.bytes(of: "\(harness.folder.path)/\(name)"), as: UTF8.self)
            #expect(!text.contains("a-very-private-thing"), "\(name)")
        }
    }
}
