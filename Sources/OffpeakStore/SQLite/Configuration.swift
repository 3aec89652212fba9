import CSQLite

/// What a connection is for; decides its cache and what it may do.
struct ConnectionRole {
    /// Page cache in KiB.
    var cacheKiB: Int
    var isReader = false
    /// Zero deleted content even where that costs extra writes.
    var erases = false

    /// The process that runs the queue: hot pages are those of the jobs in work.
    static let runner = ConnectionRole(cacheKiB: 65_536)
    /// Appends only; a transaction's dirty pages fit, and memory stays flat.
    static let intake = ConnectionRole(cacheKiB: 16_384)
    /// Deletes prompts and answers when it prunes, and then leaves nothing of them in free pages.
    static let control = ConnectionRole(cacheKiB: 16_384, erases: true)
    static let reader = ConnectionRole(cacheKiB: 8_192, isReader: true)
}

extension Connection {
    /// Sets everything that must hold before the first page of a new file is written. Not within a transaction.
    func configureNewFile() throws(StoreError) {
        // 8 KiB pages: 15–30 % more inserts per second than 4 KiB. Vacuum mode cannot be chosen later.
        try set("PRAGMA page_size = 8192", reads: "PRAGMA page_size", as: 8_192)
        try set("PRAGMA auto_vacuum = 2", reads: "PRAGMA auto_vacuum", as: 2)
        let mode = try first("PRAGMA journal_mode = WAL") { row in row.string(0) }
        guard mode == "wal" else {
            throw StoreError(.other, message: "this file system does not support SQLite's write-ahead log")
        }
    }

    /// Sets what every connection needs, and asserts each setting by reading it back.
    func configure(for role: ConnectionRole) throws(StoreError) {
        try turn(SQLITE_DBCONFIG_DEFENSIVE, on: true)
        try turn(SQLITE_DBCONFIG_TRUSTED_SCHEMA, on: false)
        try turn(SQLITE_DBCONFIG_DQS_DML, on: false)
        try turn(SQLITE_DBCONFIG_DQS_DDL, on: false)
        // A reader that happens to be the last to leave must not spend its exit on a checkpoint.
        try turn(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, on: role.isReader)
        sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 2)
        sqlite3_limit(handle, SQLITE_LIMIT_TRIGGER_DEPTH, 10)
        sqlite3_limit(handle, SQLITE_LIMIT_EXPR_DEPTH, 100)

        try set("PRAGMA synchronous = 2", reads: "PRAGMA synchronous", as: 2)
        // Automatic checkpoints are PASSIVE, and on the SQLite of Debian 12 a passive checkpoint can lose commits.
        try set("PRAGMA wal_autocheckpoint = 0", reads: "PRAGMA wal_autocheckpoint", as: 0)
        watchWAL()
        try set("PRAGMA foreign_keys = 1", reads: "PRAGMA foreign_keys", as: 1)
        try set("PRAGMA mmap_size = 0", reads: "PRAGMA mmap_size", as: 0)
        try set("PRAGMA temp_store = 2", reads: "PRAGMA temp_store", as: 2)
        try set("PRAGMA trusted_schema = 0", reads: "PRAGMA trusted_schema", as: 0)
        try set("PRAGMA cell_size_check = 1", reads: "PRAGMA cell_size_check", as: 1)
        try set("PRAGMA journal_size_limit = 67108864", reads: "PRAGMA journal_size_limit", as: 67_108_864)
        switch role.cacheKiB {
        case 65_536: try set("PRAGMA cache_size = -65536", reads: "PRAGMA cache_size", as: -65_536)
        case 16_384: try set("PRAGMA cache_size = -16384", reads: "PRAGMA cache_size", as: -16_384)
        default: try set("PRAGMA cache_size = -8192", reads: "PRAGMA cache_size", as: -8_192)
        }
        // Prompts are private, so whoever deletes them overwrites them (1). The runner and the intake only ever delete
        // index entries and messages; for them zeroing within pages that are written anyway is enough (2).
        if role.erases {
            try overwriteDeleted()
        } else {
            try set("PRAGMA secure_delete = FAST", reads: "PRAGMA secure_delete", as: 2)
        }
        if role.isReader { try set("PRAGMA query_only = 1", reads: "PRAGMA query_only", as: 1) }
    }

    /// Nothing that is deleted stays readable in free pages.
    func overwriteDeleted() throws(StoreError) {
        try set("PRAGMA secure_delete = 1", reads: "PRAGMA secure_delete", as: 1)
    }

    /// Asserts what was chosen when the file was made.
    func checkFileSettings() throws(StoreError) {
        let mode = try first("PRAGMA journal_mode") { row in row.string(0) }
        guard mode == "wal" else { throw StoreError(.notAQueue, message: "\(path) is not in write-ahead mode") }
        guard try integer("PRAGMA page_size") == 8_192, try integer("PRAGMA auto_vacuum") == 2 else {
            throw StoreError(.notAQueue, message: "\(path) was not made by offpeak, or was rebuilt by another program")
        }
    }

    private func set(_ pragma: StaticString, reads: StaticString, as value: Int) throws(StoreError) {
        try execute(pragma)
        guard try integer(reads) == value else {
            throw StoreError(.other, message: "SQLite did not accept a setting", statement: "\(pragma)")
        }
    }

    private func turn(_ option: Int32, on: Bool) throws(StoreError) {
        var now: Int32 = -1
        let result = offpeak_sqlite_db_config(handle, option, on ? 1 : 0, &now)
        guard result == SQLITE_OK, now == (on ? 1 : 0) else {
            throw StoreError(.other, code: Int(result), message: "SQLite did not accept connection option \(option)")
        }
    }
}
