import CSQLite
import Glibc
import OffpeakCore
import Testing

@testable import OffpeakStore

@Suite struct RecoveryTests {
    private func running(_ count: Int) throws -> (SQLiteHarness, FlowID, [BegunAttempt]) {
        let harness = try SQLiteHarness()
        _ = try harness.submit(prompts(count), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: count / 2), at: at(2)).begun
        return (harness, flow, begun)
    }

    /// Settles all that has begun, begins the rest, and counts the day's use.
    private func nextTick(_ harness: SQLiteHarness, _ flow: FlowID, _ begun: [BegunAttempt], size: Int = 10) throws
        -> Tick
    {
        var tick = Tick()
        let text = String(repeating: "x", count: size)
        tick.settlements = begun.map { settling($0, answer("\($0.job)\(text)"), at: at(3)) }
        tick.starts = try harness.queue.peek(flow: flow, limit: 100).map { starting($0, at: at(3)) }
        tick.dayUse = [KeyDayUse(key: "main", day: 1, requests: 1, tokens: 1)]
        return tick
    }

    @Test func `A commit that reports an error but took effect is not applied again`() throws {
        let (harness, flow, begun) = try running(6)
        let tick = try nextTick(harness, flow, begun)
        // An error from this hook reaches the COMMIT, which has happened by then.
        sqlite3_wal_hook(harness.sqlite.connection.handle, { _, _, _, _ in SQLITE_IOERR }, nil)
        #expect(throws: StoreError.self) { try harness.queue.commit(tick, at: at(3)) }
        #expect(harness.sqlite.isBroken)
        let refused = #expect(throws: StoreError.self) { try harness.queue.commit(tick, at: at(3)) }
        #expect(refused?.reason == .broken)
        let result = try #require(try harness.queue.recover())
        #expect(result.begun.count == 3 && result.begun[0].body == Array(prompts(6)[3].body.utf8))
        #expect(try harness.queue.dayUse(day: 1).map(\.requests) == [1])
        #expect(try harness.snapshot().jobs.map(\.state.rawValue) == [2, 2, 2, 1, 1, 1])
        #expect(try faults(in: harness.sqlite.connection).isEmpty)
        // The queue goes on as usual.
        #expect(try harness.queue.settle(result.begun[0], answer("on"), at: at(4)).refused.isEmpty)
    }

    @Test func `A commit that the disk has no room for applies nothing and can be repeated`() throws {
        let (harness, flow, begun) = try running(6)
        let before = try harness.snapshot()
        let tick = try nextTick(harness, flow, begun, size: 20_000)
        let pages = try harness.sqlite.connection.integer("PRAGMA page_count")
        #expect(pages < 60)
        try harness.sqlite.connection.execute("PRAGMA max_page_count = 1")
        let error = #expect(throws: StoreError.self) { try harness.queue.commit(tick, at: at(3)) }
        #expect(error?.reason == .full)
        #expect(harness.sqlite.isBroken)
        #expect(try harness.queue.recover() == nil)
        #expect(try harness.snapshot() == before)
        #expect(try harness.queue.commit(tick, at: at(3)).begun.count == 3)
        #expect(try harness.queue.dayUse(day: 1).map(\.requests) == [1])
        #expect(try faults(in: harness.sqlite.connection).isEmpty)
    }

    @Test func `A log cut off at any byte holds a tick as a whole or not at all`() throws {
        let (harness, flow, begun) = try running(12)
        var states = [try harness.snapshot()]
        var sizes = [TemporaryFolder.bytes(of: harness.folder.queue + "-wal").count]
        var tick = try nextTick(harness, flow, begun)
        var last = try harness.queue.commit(tick, at: at(3))
        states.append(try harness.snapshot())
        sizes.append(TemporaryFolder.bytes(of: harness.folder.queue + "-wal").count)
        tick = Tick()
        tick.settlements = last.begun.enumerated().map { index, begun in
            settling(begun, failure(.overloaded), index % 2 == 0 ? .park : .retry(at: at(99)), at: at(4))
        }
        last = try harness.queue.commit(tick, at: at(4))
        states.append(try harness.snapshot())
        sizes.append(TemporaryFolder.bytes(of: harness.folder.queue + "-wal").count)
        #expect(sizes[0] < sizes[1] && sizes[1] < sizes[2])

        let copy = harness.folder.copy()
        let log = TemporaryFolder.bytes(of: copy.queue + "-wal")
        let main = TemporaryFolder.bytes(of: copy.queue)
        var numbers = SeededNumbers(seed: 5)
        var cuts = [sizes[0], sizes[1] - 1, sizes[1], sizes[1] + 1, sizes[2] - 1, sizes[2]]
        cuts += (0..<60).map { _ in Int.random(in: sizes[0]...sizes[2], using: &numbers) }
        for cut in cuts {
            let crashed = TemporaryFolder()
            TemporaryFolder.write(main, to: crashed.queue)
            // What was not written reads as anything: here, sometimes as noise.
            var bytes = Array(log[..<cut])
            if numbers.chance(1, in: 2) { bytes += (0..<700).map { _ in UInt8.random(in: 0...255, using: &numbers) } }
            TemporaryFolder.write(bytes, to: crashed.queue + "-wal")
            let queue = try SQLiteQueue(path: crashed.queue, now: at(9))
            let expected = cut >= sizes[2] ? states[2] : cut >= sizes[1] ? states[1] : states[0]
            #expect(try Snapshot(reading: queue.connection) == expected, "cut at \(cut) of \(sizes)")
            #expect(try faults(in: queue.connection).isEmpty)
            try checkIntegrity(queue.connection)
            queue.close()
        }
    }

    @Test func `Answers that could not be committed are recorded at the next start, once`() throws {
        let (harness, _, begun) = try running(6)
        try harness.sqlite.spill([
            settling(begun[0], answer("bought"), at: at(5)),
            settling(begun[1], failure(.refused, "content", usage: Usage(inputTokens: 3)), .fail, used: 2, at: at(5)),
        ])
        try harness.sqlite.spill([settling(begun[2], failure(.rateLimited), .defer(until: at(700)), used: 0, at: at(6))]
        )
        #expect(try harness.snapshot().jobs.prefix(3).allSatisfy { $0.state == .inFlight })
        let crashed = harness.folder.copy()
        let queue = try SQLiteQueue(path: crashed.queue, now: at(9))
        let jobs = try Snapshot(reading: queue.connection).jobs
        #expect(jobs.prefix(3).map(\.state) == [.succeeded, .failed, .scheduled])
        #expect(
            jobs[0].result?.contains("bought") == true && jobs[1].failure == "refused content" && jobs[2].due == 700)
        #expect(try faults(in: queue.connection).isEmpty)
        queue.close()
        // Had the process died before it emptied the file, they would come again.
        let again = crashed.copy()
        TemporaryFolder.write(
            TemporaryFolder.bytes(of: harness.folder.queue + "-spill"), to: again.queue + "-spill")
        let repeated = try SQLiteQueue(path: again.queue, now: at(10))
        #expect(try Snapshot(reading: repeated.connection).jobs == jobs)
        #expect(TemporaryFolder.bytes(of: crashed.queue + "-spill").allSatisfy { $0 == 0 })
    }

    @Test func `A spill file that ends in the middle of a record gives the ones before`() throws {
        let folder = TemporaryFolder()
        let begun = BegunAttempt(job: 5, flow: 1, lease: 1, body: [])
        let file = try SpillFile(path: folder.path + "/spill")
        try file.append((0..<3).map { settling(begun, answer("\($0)"), used: $0, at: at(Int64($0))) })
        let bytes = TemporaryFolder.bytes(of: folder.path + "/spill")
        #expect(bytes.count == SpillFile.preallocated)
        let end = try #require(bytes.lastIndex { $0 != 0 })
        for cut in [0, 3, 8, 100, end / 2, end - 1, end] {
            TemporaryFolder.write(Array(bytes[..<cut]), to: folder.path + "/cut")
            let found = try SpillFile(path: folder.path + "/cut").read()
            #expect(found.map(\.attemptsUsed) == Array(0..<found.count))
            #expect(cut < end || found.count == 2)
        }
        // Appending goes on after what is there.
        let again = try SpillFile(path: folder.path + "/spill")
        #expect(try again.read().count == 3)
        try again.append([settling(begun, answer("3"), used: 3, at: at(9))])
        #expect(try again.read().map(\.attemptsUsed) == [0, 1, 2, 3])
        try again.clear()
        #expect(try again.read().isEmpty)
    }

    @Test func `Every kind of settlement survives the spill file unchanged`() throws {
        let folder = TemporaryFolder()
        let begun = BegunAttempt(job: 1 << 40, flow: 7, lease: 3, body: [])
        let dispositions: [Disposition] = [
            .retry(at: at(-5)), .nextKey, .nextModel, .defer(until: .distantFuture), .park, .fail,
        ]
        var all = dispositions.map { settling(begun, failure(.timedOut, "ü"), $0, at: at(1)) }
        all.append(settling(begun, answer("ok"), at: at(2)))
        let file = try SpillFile(path: folder.path + "/spill")
        try file.append(all)
        #expect(try file.read().map { "\($0)" } == all.map { "\($0)" })
    }
}
