import CSQLite
import Glibc
import OffpeakCore
import Testing

@testable import OffpeakStore

@Suite struct OpeningTests {
    private func create(_ folder: TemporaryFolder) throws {
        try Writer.open(try QueueLocation(folder.queue), for: .intake, .createIfMissing).close()
    }

    private func reason(_ body: () throws -> Void) -> StoreError.Reason? {
        do { try body() } catch { return (error as? StoreError)?.reason }
        return nil
    }

    @Test func `A new queue is private, leaves no log when closed and can be opened again`() throws {
        let folder = TemporaryFolder()
        try create(folder)
        #expect(folder.names == ["queue.db", "queue.db-lock"])
        var status = stat()
        #expect(lstat(folder.queue, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        let reader = try QueueReader(queue: folder.queue)
        #expect(try reader.batches().isEmpty)
        reader.close()
    }

    @Test func `Every role has automatic checkpoints off and commits synced`() throws {
        let folder = TemporaryFolder()
        try create(folder)
        let location = try QueueLocation(folder.queue)
        let queue = try SQLiteQueue(path: folder.queue, now: at(0))
        let control = try QueueControl(queue: folder.queue)
        let intake = try Writer.open(location, for: .intake, .existing)
        let reader = try QueueReader(queue: folder.queue)
        for connection in [queue.connection, control.writer.connection, intake.connection, reader.connection] {
            #expect(try connection.integer("PRAGMA wal_autocheckpoint") == 0)
            #expect(try connection.integer("PRAGMA synchronous") == 2)
            #expect(try connection.integer("PRAGMA page_size") == 8_192)
            #expect(try connection.integer("PRAGMA auto_vacuum") == 2)
            #expect(try connection.integer("PRAGMA trusted_schema") == 0)
        }
        #expect(try control.writer.connection.integer("PRAGMA secure_delete") == 1)
        #expect(try queue.connection.integer("PRAGMA secure_delete") == 2)
        #expect(try reader.connection.integer("PRAGMA query_only") == 1)
        #expect(throws: StoreError.self) { try reader.connection.run("DELETE FROM pause") }
    }

    @Test func `Checkpoints happen in one place only, and none is passive`() throws {
        let sources =
            String(#filePath.prefix(#filePath.count - "Tests/OffpeakStoreTests/OpeningTests.swift".count))
            + "Sources/OffpeakStore"
        var places: [String] = []
        for folder in ["Control", "Files", "Intake", "Migrations", "Queue", "Reading", "SQLite"] {
            let path = "\(sources)/\(folder)"
            let stream = try #require(opendir(path))
            defer { closedir(stream) }
            while let entry = readdir(stream) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                let text = String(decoding: TemporaryFolder.bytes(of: "\(path)/\(name)"), as: UTF8.self)
                #expect(!text.contains("CHECKPOINT_PASSIVE") && !text.lowercased().contains("pragma wal_checkpoint"))
                if text.contains("sqlite3_wal_checkpoint") { places.append(name) }
            }
        }
        #expect(places == ["Writer.swift"])
    }

    @Test func `The log is checkpointed above 16 MiB and stays small`() throws {
        let harness = try SQLiteHarness()
        _ = try harness.submit(prompts(60), at: at(1))
        let flow = try harness.queue.onlyFlow().id
        let begun = try harness.queue.start(try harness.queue.peek(flow: flow, limit: 60), at: at(2)).begun
        let text = String(repeating: "x", count: 1_000_000)
        var largest = 0
        for attempt in begun {
            _ = try harness.queue.settle(attempt, answer(text), at: at(3))
            var status = stat()
            if stat(harness.folder.queue + "-wal", &status) == 0 { largest = max(largest, Int(status.st_size)) }
        }
        #expect(largest > 16 << 20 && largest < 20 << 20)
        #expect(try harness.sqlite.writer.truncateWAL())
        #expect(TemporaryFolder.bytes(of: harness.folder.queue + "-wal").isEmpty)
    }

    @Test func `What is not a queue is refused and left as it is`() throws {
        let folder = TemporaryFolder()
        #expect(reason { _ = try QueueReader(queue: folder.queue) } == .notFound)
        #expect(reason { _ = try SQLiteQueue(path: folder.queue, now: at(0)) } == .notFound)
        #expect(reason { _ = try QueueControl(queue: folder.path + "/nowhere/queue.db") } == .notFound)
        #expect(folder.names.isEmpty)

        let text = Array("this is a shopping list, and a long one, so that it cannot be taken for a database".utf8)
        TemporaryFolder.write(text, to: folder.queue)
        #expect(reason { _ = try QueueReader(queue: folder.queue) } == .notAQueue)
        #expect(reason { try create(folder) } == .notAQueue)
        #expect(TemporaryFolder.bytes(of: folder.queue) == text)

        unlink(folder.queue)
        let other = try Connection(path: folder.queue, flags: SQLITE_OPEN_CREATE)
        try other.execute("CREATE TABLE recipe (name TEXT)")
        other.close()
        #expect(reason { try create(folder) } == .notAQueue)
        #expect(reason { _ = try QueueReader(queue: folder.queue) } == .notAQueue)
    }

    @Test func `Links, folders and empty leftovers are told apart`() throws {
        let folder = TemporaryFolder()
        try create(folder)
        #expect(symlink(folder.queue, folder.path + "/soft.db") == 0)
        #expect(reason { _ = try QueueReader(queue: folder.path + "/soft.db") } == .unsafePath)
        #expect(link(folder.queue, folder.path + "/hard.db") == 0)
        #expect(reason { _ = try QueueReader(queue: folder.queue) } == .unsafePath)
        unlink(folder.path + "/hard.db")
        #expect(reason { _ = try QueueReader(queue: folder.path) } == .unsafePath)
        #expect(reason { _ = try QueueLocation("") } == .unsafePath)
        // A crash right after the file was made leaves it empty: no queue, but a place for one.
        TemporaryFolder.write([], to: folder.path + "/empty.db")
        #expect(reason { _ = try QueueReader(queue: folder.path + "/empty.db") } == .notFound)
        try Writer.open(try QueueLocation(folder.path + "/empty.db"), for: .intake, .createIfMissing).close()
        #expect(try QueueReader(queue: folder.path + "/empty.db").batches().isEmpty)
    }

    @Test func `A folder behind a symbolic link is fine`() throws {
        let folder = TemporaryFolder()
        let other = TemporaryFolder()
        #expect(symlink(folder.path, other.path + "/link") == 0)
        try Writer.open(try QueueLocation(other.path + "/link/queue.db"), for: .intake, .createIfMissing).close()
        #expect(folder.names.contains("queue.db"))
        unlink(other.path + "/link")
    }

    @Test func `A newer schema is refused, with both numbers`() throws {
        let folder = TemporaryFolder()
        try create(folder)
        let connection = try Connection(path: folder.queue)
        try connection.execute("PRAGMA user_version = 99")
        connection.close()
        let expected = StoreError.Reason.newerSchema(found: 99, supported: Migrator.steps.count)
        #expect(reason { _ = try QueueReader(queue: folder.queue) } == expected)
        #expect(reason { try create(folder) } == expected)
        #expect(reason { _ = try SQLiteQueue(path: folder.queue, now: at(0)) } == expected)
    }

    @Test func `Migrations are recorded with their checksums, and a different one is noticed`() throws {
        let folder = TemporaryFolder()
        try create(folder)
        let connection = try Connection(path: folder.queue)
        #expect(try connection.integer("PRAGMA user_version") == Migrator.steps.count)
        #expect(try connection.integer("PRAGMA application_id") == Migrator.applicationID)
        #expect(try connection.integer("SELECT count(*) FROM migration") == Migrator.steps.count)
        try connection.run("UPDATE migration SET checksum = checksum + 1 WHERE version = 1")
        connection.close()
        #expect(reason { try create(folder) } == .notAQueue)
    }

    @Test func `Only one process runs a queue, and the other learns which`() throws {
        let folder = TemporaryFolder()
        try create(folder)
        let first = try SQLiteQueue(path: folder.queue, now: at(0))
        #expect(reason { _ = try SQLiteQueue(path: folder.queue, now: at(0)) } == .runLocked(by: Int(getpid())))
        first.close()
        let second = try SQLiteQueue(path: folder.queue, now: at(0))
        second.close()
    }

    @Test func `Whoever looks whether a queue is run learns by whom and since when, and keeps no run from it`() throws {
        let folder = TemporaryFolder()
        try create(folder)
        let reader = try QueueReader(queue: folder.queue)
        defer { reader.close() }
        #expect(try reader.liveRun() == nil, "nobody ever ran it")
        let queue = try SQLiteQueue(path: folder.queue, now: at(7))
        for _ in 1...2 {
            let run = try #require(try reader.liveRun())
            #expect(run.process == Int(getpid()) && run.since == at(7))
        }
        queue.close()
        #expect(try reader.liveRun() == nil)
        let later = try SQLiteQueue(path: folder.queue, now: at(9))
        #expect(try reader.liveRun()?.since == at(9))
        later.close()
    }

    @Test func `Errors carry the statement and never a value`() throws {
        let harness = try SQLiteHarness()
        let error = #expect(throws: StoreError.self) {
            try harness.sqlite.connection.run("INSERT INTO pause (kind, name) VALUES (?, ?)", 7, "private text")
        }
        #expect(error?.reason == .constraint && error?.code == 19)
        #expect(error?.description.contains("INSERT INTO pause") == true)
        #expect(error?.description.contains("private") == false)
    }
}
