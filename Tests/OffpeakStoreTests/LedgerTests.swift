import CSQLite
import OffpeakCore
import Testing

@testable import OffpeakStore

private func nano(_ n: Int64) -> Money { Money(nanodollars: n) }

/// An entry for an attempt; everything in it differs, so that no two fields can be mixed up.
private func entry(
    _ kind: LedgerEntry.Kind = .settled, key: String = "main", bill: Billing = .provider, scale: Int64 = 1,
    requests: Int = 1, tokens: Int? = nil, day: Int = 20_261_124
) -> LedgerEntry {
    let n = Int(scale)
    return LedgerEntry(
        kind: kind, route: LedgerRoute(key: key, bill: bill, lane: .sync, model: "small-v1"),
        charge: Charge(
            provider: nano(11 * scale), platform: nano(13 * scale), credit: nano(17 * scale), list: nano(19 * scale)),
        usage: Usage(
            inputTokens: 7 * n, cachedTokens: 3 * n, cacheWriteTokens: 2 * n, outputTokens: 5 * n, reasoningTokens: n),
        requests: requests, tokens: tokens, day: day)
}

extension JobQueue {
    fileprivate func settle(
        _ begun: BegunAttempt, _ outcome: AttemptOutcome, _ disposition: Disposition = .complete,
        paid entry: LedgerEntry
    ) throws {
        var settlement = settling(begun, outcome, disposition, at: at(5))
        settlement.entry = entry
        var tick = Tick()
        tick.settlements = [settlement]
        _ = try commit(tick, at: at(5))
    }
}

extension Harness {
    /// The ledger's entries, oldest first.
    fileprivate func entries() throws -> [String] {
        if let memory = self as? MemoryHarness {
            return memory.memory.ledger.map {
                let (e, c, u) = ($0.entry, $0.entry.charge, $0.entry.usage)
                return "\($0.job).\($0.lease) kind \(e.kind.rawValue) day \(e.day): "
                    + "\(u.inputTokens) \(u.cachedTokens) \(u.cacheWriteTokens) \(u.outputTokens) \(u.reasoningTokens), "
                    + "\(c.provider.nanodollars) \(c.platform.nanodollars) \(c.credit.nanodollars) "
                    + "\(c.list.nanodollars), \(e.requests) \(e.tokens)"
            }
        }
        var found: [String] = []
        try (self as! SQLiteHarness).sqlite.connection.query(
            """
            SELECT job || '.' || lease || ' kind ' || kind || ' day ' || day || ': ' || input_tokens || ' ' ||
                cached_tokens || ' ' || cache_write_tokens || ' ' || output_tokens || ' ' || reasoning_tokens || ', ' ||
                provider || ' ' || platform || ' ' || credit || ' ' || list || ', ' || requests || ' ' || tokens
            FROM ledger ORDER BY id
            """
        ) { row in found.append(row.string(0)) }
        return found
    }

    fileprivate func begin(_ count: Int) throws -> [BegunAttempt] {
        _ = try submit(prompts(count), at: at(1))
        return try queue.start(try queue.peek(flow: try queue.onlyFlow().id, limit: count), at: at(2)).begun
    }
}

@Suite struct LedgerTests {
    @Test(arguments: QueueKind.allCases)
    func `Every attempt leaves its entry, and the sums are by account and day`(kind: QueueKind) throws {
        let harness = try kind.harness()
        let begun = try harness.begin(5)
        try harness.queue.settle(begun[0], answer("a"), paid: entry(scale: 1))
        try harness.queue.settle(begun[1], answer("b"), paid: entry(scale: 10))
        try harness.queue.settle(begun[2], answer("c"), paid: entry(scale: 100, day: 20_261_125))
        try harness.queue.settle(begun[3], answer("d"), paid: entry(key: "router", bill: .routerBYOK, scale: 1_000))
        try harness.queue.settle(
            begun[4], failure(.unknownOutcome), .park, paid: entry(.assumed, scale: 10_000, tokens: 999))
        func row(_ entry: LedgerEntry, attempts: Int, answers: Int, requests: Int, tokens: Int) -> SpendRow {
            SpendRow(
                route: entry.route, className: "nightly", batch: 1, day: entry.day, attempts: attempts,
                answers: answers, requests: requests, tokens: tokens, usage: entry.usage, charge: entry.charge)
        }
        #expect(
            Set(try harness.queue.spend()) == [
                row(entry(scale: 10_011), attempts: 3, answers: 2, requests: 3, tokens: 12 * 11 + 999),
                row(entry(scale: 100, day: 20_261_125), attempts: 1, answers: 1, requests: 1, tokens: 1_200),
                row(
                    entry(key: "router", bill: .routerBYOK, scale: 1_000), attempts: 1, answers: 1, requests: 1,
                    tokens: 12_000),
            ])
        let entries = try harness.entries()
        #expect(entries.count == 5)
        #expect(
            entries[4].hasSuffix(
                ".1 kind 1 day 20261124: 70000 30000 20000 50000 10000, 110000 130000 170000 190000, 1 999"))
    }

    @Test(arguments: QueueKind.allCases)
    func `What was turned away is counted as an attempt and is no event of the books`(kind: QueueKind) throws {
        let harness = try kind.harness()
        let begun = try harness.begin(1)
        let nothing = LedgerEntry(
            kind: .settled, route: entry().route, charge: Charge(), usage: Usage(), requests: 0, day: 20_261_124)
        try harness.queue.settle(begun[0], failure(.rateLimited), .defer(until: at(90)), paid: nothing)
        #expect(try harness.entries().isEmpty)
        let rows = try harness.queue.spend()
        #expect(rows.map(\.attempts) == [1] && rows.map(\.requests) == [0] && rows[0].charge == Charge())
    }

    @Test(arguments: QueueKind.allCases)
    func `An answer that comes late adds the difference to what had been assumed`(kind: QueueKind) throws {
        let harness = try kind.harness()
        let begun = try harness.begin(2)
        try harness.queue.settle(
            begun[0], failure(.unknownOutcome), .retry(at: at(90)), paid: entry(.assumed, scale: 50, tokens: 700))
        try harness.queue.settle(begun[0], answer("late"), paid: entry(scale: 3))
        // One that had been turned away, it was thought.
        let nothing = LedgerEntry(
            kind: .settled, route: entry().route, charge: Charge(), usage: Usage(), requests: 0, day: 20_261_124)
        try harness.queue.settle(begun[1], failure(.unavailable), .retry(at: at(90)), paid: nothing)
        try harness.queue.settle(begun[1], answer("late too"), paid: entry(scale: 4))
        let rows = try harness.queue.spend()
        #expect(rows.count == 1)
        #expect(rows[0].charge == entry(scale: 7).charge && rows[0].usage == entry(scale: 7).usage)
        #expect(rows[0].attempts == 2 && rows[0].answers == 2 && rows[0].requests == 2 && rows[0].tokens == 84)
        let entries = try harness.entries()
        #expect(entries.count == 3)
        #expect(
            entries[1].hasSuffix(
                ".1 kind 2 day 20261124: -329 -141 -94 -235 -47, -517 -611 -799 -893, 0 -664"))
        // Again is once.
        try harness.queue.settle(begun[0], answer("again"), paid: entry(scale: 9))
        #expect(try harness.entries().count == 3)
    }

    @Test(arguments: QueueKind.allCases)
    func `What an open attempt may cost at most is known after a crash, and becomes an entry`(kind: QueueKind) throws {
        let harness = try kind.harness()
        _ = try harness.submit(prompts(1), at: at(1))
        let ticket = try #require(try harness.queue.peek(flow: try harness.queue.onlyFlow().id, limit: 1).first)
        let worst = Charge(provider: nano(21), platform: nano(22), list: nano(23))
        var tick = Tick()
        tick.starts = [
            AttemptStart(
                job: ticket.id, flow: ticket.flow, lease: 1, key: "router", model: "m-2026", started: at(2),
                reservedTokens: 5, passedOver: "", bill: .routerBYOK, lane: .flex, worst: worst, worstTokens: 440,
                day: 20_261_123)
        ]
        _ = try harness.queue.commit(tick, at: at(2))
        try harness.restart(at: at(3))
        let open = try #require(try harness.queue.openAttempts().first)
        #expect(
            open.assumed
                == LedgerEntry(
                    kind: .assumed,
                    route: LedgerRoute(key: "router", bill: .routerBYOK, lane: .flex, model: "m-2026"), charge: worst,
                    usage: Usage(), requests: 1, tokens: 440, day: 20_261_123))
        let begun = BegunAttempt(job: ticket.id, flow: ticket.flow, lease: 1, body: [])
        try harness.queue.settle(begun, failure(.unknownOutcome), .retry(at: at(3)), paid: open.assumed)
        let row = try #require(try harness.queue.spend().first)
        #expect(row.charge == worst && row.tokens == 440 && row.requests == 1 && row.day == 20_261_123)
    }

    @Test func `Entries are never changed and never deleted, also not with their batch`() throws {
        let harness = try SQLiteHarness()
        let begun = try harness.begin(1)
        try harness.queue.settle(begun[0], answer("a"), paid: entry())
        let connection = harness.sqlite.connection
        for statement in [
            "DELETE FROM ledger", "UPDATE ledger SET provider = 0", "UPDATE ledger SET day = 1",
        ] as [StaticString] {
            let error = #expect(throws: StoreError.self) { try connection.run(statement) }
            #expect(error?.description.contains("ledger entries are never") == true)
        }
        let control = try QueueControl(queue: harness.folder.queue)
        try BatchDeletion(control.writer).delete(1)
        control.close()
        #expect(try harness.entries().count == 1)
        let row = try #require(try harness.queue.spend().first)
        #expect(row.batch == 1 && row.className == "nightly" && row.charge == entry().charge)
    }

    @Test func `Entries survive the spill file and a crash, and come into the ledger once`() throws {
        let harness = try SQLiteHarness()
        let begun = try harness.begin(3)
        var all = [
            settling(begun[0], answer("bought"), at: at(5)),
            settling(begun[1], failure(.unknownOutcome), .park, at: at(5)),
            settling(begun[2], failure(.rateLimited), .retry(at: at(9)), at: at(5)),
        ]
        all[0].entry = entry(key: "ü", bill: .platform, scale: 1 << 40, tokens: -3)
        all[1].entry = entry(.assumed, tokens: 999, day: -1)
        let folder = TemporaryFolder()
        let file = try SpillFile(path: folder.path + "/spill")
        try file.append(all)
        #expect(try file.read().map(\.entry) == all.map(\.entry))
        try harness.sqlite.spill(all)
        let crashed = harness.folder.copy()
        let queue = try SQLiteQueue(path: crashed.queue, now: at(9))
        let spend = try queue.spend()
        #expect(spend.count == 2 && Set(spend.map(\.charge)) == [all[0].entry!.charge, all[1].entry!.charge])
        queue.close()
        // Had the process died before it emptied the file, they would come again.
        let again = crashed.copy()
        TemporaryFolder.write(TemporaryFolder.bytes(of: harness.folder.queue + "-spill"), to: again.queue + "-spill")
        let repeated = try SQLiteQueue(path: again.queue, now: at(10))
        #expect(try repeated.spend() == spend)
        #expect(try faults(in: repeated.connection).isEmpty)
    }

    @Test func `A queue of the first version is brought up to date with all that is in it`() throws {
        let folder = TemporaryFolder()
        let old = try Connection(path: folder.queue, flags: SQLITE_OPEN_CREATE)
        try old.configureNewFile()
        try old.execute(script: Migrator.steps[0])
        try old.run("INSERT INTO migration (version, checksum) VALUES (1, ?)", Migrator.checksum(Migrator.steps[0]))
        for statement in [
            """
            INSERT INTO batch (id, name, class, state, created, sealed, options, last_number)
            VALUES (1, 'old', 'nightly', 1, 1, 2, '{}', 3)
            """,
            """
            INSERT INTO flow (id, batch, class, model, endpoint, in_flight, succeeded, ready)
            VALUES (1, 1, 'nightly', 'small', 0, 1, 1, 1)
            """,
            """
            INSERT INTO job (id, flow, line, custom_id, state, lease, attempts_used, bytes)
            VALUES (4294967297, 1, 1, 'a', 2, 1, 1, 2), (4294967298, 1, 2, 'b', 1, 1, 0, 2),
                (4294967299, 1, 3, 'c', 0, 0, 0, 2)
            """,
            "INSERT INTO payload (job, body) SELECT id, CAST('{}' AS BLOB) FROM job",
            "INSERT INTO result VALUES (4294967297, 1, 200, 'r', CAST('{}' AS BLOB))",
            """
            INSERT INTO attempt (job, lease, key, model, started, reserved_tokens, outcome, ended)
            VALUES (4294967297, 1, 'main', 'small-v1', 5, 9, 1, 6), (4294967298, 1, 'main', 'small-v1', 5, 9, 0, NULL)
            """,
            "PRAGMA application_id = 0x6F66706B", "PRAGMA user_version = 1",
        ] as [StaticString] { try old.execute(statement) }
        old.close()

        let queue = try SQLiteQueue(path: folder.queue, now: at(10))
        #expect(try queue.connection.integer("PRAGMA user_version") == Migrator.steps.count)
        #expect(try queue.spend().isEmpty)
        let open = try queue.openAttempts()
        // Its worst case was not reckoned then: nothing is known of what it cost.
        #expect(open.map(\.bill) == [.provider] && open.map(\.worst) == [Charge()] && open.map(\.day) == [0])
        let begun = BegunAttempt(job: open[0].ticket.id, flow: 1, lease: 1, body: [])
        try queue.settle(begun, answer("late"), paid: entry())
        let ticket = try #require(try queue.peek(flow: 1, limit: 9).first)
        let next = try #require(try queue.start([ticket], at: at(11)).begun.first)
        #expect(String(decoding: next.body, as: UTF8.self) == "{}")
        try queue.settle(next, answer("new"), paid: entry())
        #expect(try Snapshot(reading: queue.connection).jobs.allSatisfy { $0.state == .succeeded })
        #expect(try queue.spend().map(\.charge) == [entry(scale: 2).charge])
        try checkIntegrity(queue.connection)
        #expect(try faults(in: queue.connection).filter { $0 != "usage" }.isEmpty)
    }
}
