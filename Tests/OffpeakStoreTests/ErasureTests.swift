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
        try harness.sqlite.retain(["nightly": .results])
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
        try harness.sqlite.retain(["nightly": .results])
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
        try harness.sqlite.retain(["nightly": .results])
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
        try harness.sqlite.retain([:])
        _ = try harness.submit(prompts(1), at: at(7))
        let third = try harness.queue.start(
            try harness.queue.peek(flow: try harness.queue.onlyFlow().id, limit: 1), at: at(8)
        ).begun
        _ = try harness.queue.settle(third[0], answer("c"), at: at(9))
        #expect(try Self.payloads(harness).last == prompts(1)[0].body)
    }

    /// Answers as they are stored, by job; hashes in hexadecimal.
    private static func answers(_ harness: SQLiteHarness) throws -> [String] {
        var found: [String] = []
        try harness.sqlite.connection.query("SELECT body, erased FROM result ORDER BY job") { row in
            found.append(row.int(1) == 1 ? hex(row.bytes(0)) : row.string(0))
        }
        return found
    }

    @Test func `Of a delivered answer the hash is left where the class keeps nothing, and of no other`() throws {
        let harness = try SQLiteHarness()
        let batch = try harness.submit(
            prompts(4) + prompts(1, className: "open", model: "large"), at: at(1))
        try harness.sqlite.retain(["nightly": .nothing, "open": .results])
        var begun: [BegunAttempt] = []
        for flow in try harness.queue.openFlows() {
            begun += try harness.queue.start(try harness.queue.peek(flow: flow.id, limit: 9), at: at(2)).begun
        }
        for one in begun where one.job != begun[2].job {
            _ = try harness.queue.settle(one, answer("to \(one.job)"), at: at(3))
        }
        let texts = [0, 1, 3, 4].map { "{\"text\":\"to \(begun[$0].job)\"}" }
        #expect(try Self.answers(harness) == texts)
        var delivered = DeliveredJobs()
        for one in [begun[0], begun[1], begun[4]] { delivered.add(one.job) }
        #expect(delivered.ranges == [begun[0].job...begun[1].job, begun[4].job...begun[4].job])

        let control = try QueueControl(queue: harness.folder.queue)
        defer { control.close() }
        #expect(try control.erase(delivered, of: batch, at: at(7)) == ErasedAnswers(count: 2))
        let hashes = texts.map { Self.hex(SHA256.hash(of: Array($0.utf8))) }
        #expect(try Self.answers(harness) == [hashes[0], hashes[1], texts[2], texts[3]])
        // Once more changes nothing, and hashes no hash.
        #expect(try control.erase(delivered, of: batch, at: at(8)).count == 0)
        #expect(try Self.answers(harness).prefix(2) == [hashes[0], hashes[1]])

        let reader = try QueueReader(queue: harness.folder.queue)
        defer { reader.close() }
        let status = try #require(try reader.batch(batch))
        #expect(status.erased == 2 && status.erasedAt == at(7))
        var cursor = reader.results(of: batch)
        let rows = try cursor.next()
        #expect(rows.map { $0.answer?.isErased } == [true, true, nil, false, false])
        // An answer that comes later is there, although its neighbours' are gone.
        _ = try harness.queue.settle(begun[2], answer("late"), at: at(9))
        #expect(try Self.answers(harness)[2] == "{\"text\":\"late\"}")
        #expect(try faults(in: harness.sqlite.connection).isEmpty)
    }

    @Test func `Nothing of an erased answer is left in the queue's files`() throws {
        let harness = try SQLiteHarness()
        let batch = try harness.submit(prompts(20), at: at(1))
        try harness.sqlite.retain(["nightly": .nothing])
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 20), at: at(2)).begun
        var delivered = DeliveredJobs()
        for (index, one) in begun.enumerated() {
            // From some bytes to several pages, and one that went by the spill file.
            let text = "a-very-private-answer-" + String(repeating: "y", count: index * 2_000)
            let outcome = AttemptOutcome.success(
                Answer(statusCode: 200, requestID: "r", body: Array(text.utf8), usage: Usage()))
            if index == 19 {
                try harness.sqlite.spill([settling(one, outcome, at: at(3))])
                try harness.restart(at: at(4))
            } else {
                _ = try harness.queue.settle(one, outcome, at: at(3))
            }
            delivered.add(one.job)
        }
        #expect(try Self.answers(harness).allSatisfy { $0.contains("a-very-private-answer") })
        let control = try QueueControl(queue: harness.folder.queue)
        defer { control.close() }
        #expect(try control.erase(delivered, of: batch, at: at(7)) == ErasedAnswers(count: 20))
        #expect(harness.folder.names.contains { $0.hasSuffix("-spill") })
        for name in harness.folder.names {
            let text = String(decoding: TemporaryFolder.bytes(of: "\(harness.folder.path)/\(name)"), as: UTF8.self)
            #expect(!text.contains("very-private"), "\(name)")
        }
    }

    /// The numbers after each "private-", or another mark, in the queue's files, or others.
    private static func found(
        _ folder: TemporaryFolder, _ text: String = "private-", in file: String = "queue.db"
    ) -> Set<Int> {
        let mark = Array(text.utf8)
        var numbers: Set<Int> = []
        for name in folder.names where name.hasPrefix(file) {
            let bytes = TemporaryFolder.bytes(of: "\(folder.path)/\(name)")
            for start in bytes.indices where bytes[start] == mark[0] && bytes[start...].starts(with: mark) {
                let digits = bytes[(start + mark.count)...].prefix { (48...57).contains($0) }
                if let number = Int(String(decoding: digits, as: UTF8.self)) { numbers.insert(number) }
            }
        }
        return numbers
    }

    /// Jobs with prompts of some bytes to some pages, each begun at 2 ms.
    private static func begin(_ count: Int, _ harness: SQLiteHarness) throws -> [BegunAttempt] {
        let prompts = (0..<count).map { index in
            let filler = String(repeating: "x", count: index * 7_919 % 20_000)
            return Prompt(customID: "p\(index)", text: "private-\(index)-\(filler)")
        }
        _ = try harness.submit(prompts, at: at(1))
        return try harness.queue.start(
            try harness.queue.peek(flow: try harness.queue.onlyFlow().id, limit: count), at: at(2)
        ).begun
    }

    @Test func `Ten seconds after jobs have ended their prompts are in none of the files, while the run goes on`()
        throws
    {
        let harness = try SQLiteHarness()
        try harness.sqlite.retain(["nightly": .results])
        let begun = try Self.begin(400, harness)
        // One job never ends; the others do out of order, some at a time.
        for some in 0..<21 {
            var tick = Tick()
            tick.settlements = (some * 19..<some * 19 + 19).map {
                settling(begun[($0 * 7 + 3) % 400], answer("a"), at: at(3))
            }
            _ = try harness.queue.commit(tick, at: at(3))
        }
        _ = try harness.queue.commit(Tick(), at: at(10_002))
        #expect(Self.found(harness.folder).count == 400)
        _ = try harness.queue.commit(Tick(), at: at(10_003))
        #expect(Self.found(harness.folder) == [396])
        // From then on nothing is written without need.
        let log = harness.folder.names.filter { $0.hasSuffix("-wal") }
        #expect(log.allSatisfy { TemporaryFolder.bytes(of: "\(harness.folder.path)/\($0)").isEmpty })
        _ = try harness.queue.settle(begun[396], failure(.overloaded), .retry(at: at(90_000)), at: at(20_000))
        _ = try harness.queue.commit(Tick(), at: at(60_000))
        #expect(log.allSatisfy { !TemporaryFolder.bytes(of: "\(harness.folder.path)/\($0)").isEmpty })
    }

    /// A failure that quotes a prompt after our own words.
    private static func quoting(_ index: Int) -> Failure {
        let filler = String(repeating: "y", count: index * 37 % 250)
        return Failure(
            .invalidRequest, code: "bad",
            message: "not valid (HTTP 400): you said quoted-\(index)-\(filler) (HTTP 200)",
            statusCode: 400)
    }

    /// The messages of attempts and of jobs that failed.
    private static func messages(_ harness: SQLiteHarness) throws -> Set<String> {
        var found: Set<String> = []
        try harness.sqlite.connection.query(
            "SELECT message FROM attempt WHERE message IS NOT NULL UNION SELECT message FROM failure"
        ) { row in found.insert(row.string(0)) }
        return found
    }

    @Test func `What providers said of an ended job's failures gives way to our own words, and no backup has it`()
        throws
    {
        let harness = try SQLiteHarness()
        let begun = try Self.begin(300, harness)
        // Most fail for good, others go on and are answered, fail or are cancelled once the class keeps no prompts.
        for (index, one) in begun.enumerated() {
            let disposition: Disposition = index < 200 ? .fail : .nextKey
            _ = try harness.queue.settle(one, .failure(Self.quoting(index)), disposition, at: at(3))
        }
        try harness.sqlite.retain(["nightly": .results])
        #expect(try Self.messages(harness).count == 101)
        let flow = try harness.queue.onlyFlow().id
        let again = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 70), at: at(4)).begun
        _ = try again[..<30].map { try harness.queue.settle($0, answer("a"), at: at(5)) }
        _ = try again[30..<60].map {
            try harness.queue.settle($0, .failure(Self.quoting(1_000 + Int($0.job % 1_000))), .fail, at: at(5))
        }
        _ = try again[60...].map { try harness.queue.settle($0, .failure(Self.quoting(900)), .park, at: at(5)) }
        #expect(try Self.messages(harness).filter { $0.hasSuffix("(HTTP 200)") }.count == 41)
        try harness.cancel(1, at: at(6))
        #expect(try Self.messages(harness) == ["not valid (HTTP 400)"])
        let control = try QueueControl(queue: harness.folder.queue)
        defer { control.close() }
        // In the queue itself SQLite leaves traces of rows that it moved to another page before they were overwritten.
        try control.backup(to: "\(harness.folder.path)/copy.db")
        #expect(Self.found(harness.folder, "p", in: "copy.db").count == 300)
        #expect(Self.found(harness.folder, in: "copy.db").isEmpty)
        #expect(Self.found(harness.folder, "quoted-", in: "copy.db").isEmpty)
        #expect(try faults(in: harness.sqlite.connection).isEmpty)
    }

    @Test func `A reader in the way of the log delays that, and no longer than it reads`() throws {
        let harness = try SQLiteHarness()
        try harness.sqlite.retain(["nightly": .results])
        let begun = try Self.begin(2, harness)
        let reader = try QueueReader(queue: harness.folder.queue)
        defer { reader.close() }
        let end = settling(begun[1], answer("a"), at: at(3))
        try reader.connection.snapshot { () throws(StoreError) in
            _ = try reader.connection.integer("SELECT count(*) FROM job")
            var tick = Tick()
            tick.settlements = [end]
            _ = try harness.queue.commit(tick, at: at(3))
            _ = try harness.queue.commit(Tick(), at: at(10_003))
        }
        #expect(Self.found(harness.folder) == [0, 1])
        _ = try harness.queue.commit(Tick(), at: at(15_002))
        #expect(Self.found(harness.folder) == [0, 1])
        _ = try harness.queue.commit(Tick(), at: at(15_003))
        #expect(Self.found(harness.folder) == [0])
    }

    @Test func `A run that was killed leaves nothing for long that it had erased`() throws {
        let harness = try SQLiteHarness()
        try harness.sqlite.retain(["nightly": .results])
        let begun = try Self.begin(2, harness)
        _ = try harness.queue.settle(begun[1], answer("a"), at: at(3))
        let left = harness.folder.copy()
        #expect(Self.found(left) == [0, 1])
        let next = try SQLiteQueue(path: left.queue, now: at(4))
        defer { next.close() }
        try next.retain(["nightly": .results])
        _ = try next.commit(Tick(), at: at(5))
        #expect(Self.found(left) == [0])
    }

    @Test func `Nothing of an erased prompt is left in the queue's files once the log is written back`() throws {
        let harness = try SQLiteHarness()
        let words = "a-very-private-thing-" + String(repeating: "x", count: 20_000)
        _ = try harness.submit([Prompt(customID: words)], at: at(1))
        try harness.sqlite.connection.execute("UPDATE job SET custom_id = 'p'")
        try harness.sqlite.retain(["nightly": .results])
        let begun = try harness.queue.start(
            try harness.queue.peek(flow: try harness.queue.onlyFlow().id, limit: 1), at: at(2)
        ).begun
        _ = try harness.queue.settle(begun[0], answer("a"), at: at(3))
        #expect(try harness.sqlite.writer.truncateWAL())
        for name in harness.folder.names {
            let text = String(decoding: TemporaryFolder.bytes(of: "\(harness.folder.path)/\(name)"), as: UTF8.self)
            #expect(!text.contains("a-very-private-thing"), "\(name)")
        }
    }
}
