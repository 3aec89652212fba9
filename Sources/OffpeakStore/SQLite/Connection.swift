import CSQLite
import Glibc
import OffpeakCore

/// One connection to the database file, with its statement cache. Not thread-safe: it is opened without SQLite's
/// mutexes, and whoever owns it uses it from one thread at a time.
final class Connection {
    let handle: OpaquePointer
    let path: String
    /// Keyed by the address of the literal: the same literal is the same statement, and no text is hashed.
    private var statements: [UnsafePointer<UInt8>: Statement] = [:]
    /// Frames in the WAL after the last commit of this connection; written by SQLite's hook.
    private let frames: UnsafeMutablePointer<Int32>

    /// Process-wide settings, once; fails harmlessly if something else started SQLite before us.
    private static let configured: Int32 = offpeak_sqlite_configure()

    /// Opens an existing file. The path must have its directories resolved: no symbolic link is followed.
    init(path: String, flags extra: Int32 = 0) throws(StoreError) {
        _ = Self.configured
        var opened: OpaquePointer?
        let flags =
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE
            | SQLITE_OPEN_PRIVATECACHE | extra
        let result = sqlite3_open_v2(path, &opened, flags, nil)
        guard result == SQLITE_OK, let opened else {
            defer { sqlite3_close_v2(opened) }
            throw StoreError(database: opened, result: result)
        }
        handle = opened
        self.path = path
        // From the first read on: whoever opens or closes a queue beside us may hold it for a moment.
        sqlite3_busy_timeout(handle, Self.patience)
        frames = .allocate(capacity: 1)
        frames.initialize(to: 0)
    }

    deinit {
        close()
        frames.deallocate()
    }

    private var isOpen = true

    /// How long a statement waits for another connection, in milliseconds. Writers wait for our own lock instead, so this
    /// is only met where SQLite itself recovers or ends a log.
    static let patience: Int32 = 5_000

    /// Ends the connection; it must not be used afterwards. Doing it twice is harmless.
    func close() {
        guard isOpen else { return }
        isOpen = false
        for statement in statements.values { statement.finish() }
        statements = [:]
        sqlite3_close_v2(handle)
    }

    // MARK: Statements

    /// The prepared statement for a literal, from the cache if it was used before.
    func statement(_ text: StaticString) throws(StoreError) -> Statement {
        if let cached = statements[text.utf8Start] { return cached }
        guard isOpen else { throw StoreError(.broken, message: "the queue's connection is closed") }
        var prepared: OpaquePointer?
        let result = sqlite3_prepare_v3(
            handle, text.cString, Int32(text.utf8CodeUnitCount) + 1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard result == SQLITE_OK, let prepared else {
            throw StoreError(database: handle, result: result, statement: text)
        }
        let statement = Statement(handle: prepared, text: text)
        statements[text.utf8Start] = statement
        return statement
    }

    /// Runs a statement with these values; returns the number of rows that it changed.
    @discardableResult
    func run(_ text: StaticString, _ values: (any Bindable)?...) throws(StoreError) -> Int {
        let statement = try statement(text)
        statement.bindAll(values)
        return try statement.run()
    }

    /// Reads every row through the closure.
    func query(
        _ text: StaticString, _ values: (any Bindable)?..., row: (Statement) throws(StoreError) -> Void
    ) throws(StoreError) {
        let statement = try statement(text)
        statement.bindAll(values)
        defer { statement.reset() }
        while try statement.step() { try row(statement) }
    }

    /// The first row through the closure; nil when there is none.
    func first<Value>(
        _ text: StaticString, _ values: (any Bindable)?..., row: (Statement) throws(StoreError) -> Value
    ) throws(StoreError) -> Value? {
        let statement = try statement(text)
        statement.bindAll(values)
        defer { statement.reset() }
        return try statement.step() ? try row(statement) : nil
    }

    /// Reads several statements from one state of the database.
    func snapshot<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        try run("BEGIN")
        defer { _ = try? run("COMMIT") }
        return try body()
    }

    /// Runs one or more statements that are not kept.
    func execute(_ text: StaticString) throws(StoreError) {
        guard isOpen else { throw StoreError(.broken, message: "the queue's connection is closed") }
        let result = sqlite3_exec(handle, text.cString, nil, nil, nil)
        guard result == SQLITE_OK else { throw StoreError(database: handle, result: result, statement: text) }
    }

    /// Runs a whole script, as it is in a migration file.
    func execute(script: [UInt8]) throws(StoreError) {
        let result = (script + [0]).withUnsafeBytes { bytes in
            sqlite3_exec(handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), nil, nil, nil)
        }
        guard result == SQLITE_OK else { throw StoreError(database: handle, result: result) }
    }

    /// An integer that a pragma or query without parameters gives.
    func integer(_ text: StaticString) throws(StoreError) -> Int {
        try first(text) { row in row.int(0) } ?? 0
    }

    var lastInsertedID: Int64 { sqlite3_last_insert_rowid(handle) }
    /// True while a transaction is open.
    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    // MARK: WAL

    /// Counts WAL frames at each commit. Replaces the hook that automatic checkpoints would use.
    func watchWAL() {
        sqlite3_wal_hook(
            handle,
            { context, _, _, count in
                context?.assumingMemoryBound(to: Int32.self).pointee = count
                return SQLITE_OK
            }, frames)
    }

    /// Size of the WAL in frames (pages) at this connection's last commit or checkpoint.
    var walFrames: Int {
        get { Int(frames.pointee) }
        set { frames.pointee = Int32(newValue) }
    }
}

extension StaticString {
    /// The literal as a C string; literals end with a NUL.
    var cString: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}
