import CSQLite
import OffpeakCore

/// A value that can be bound to a statement's parameter.
protocol Bindable {
    func bind(to statement: Statement, at index: Int32)
}

/// One prepared statement. Bind, step, read columns, reset; a failure to bind is thrown by the next step.
final class Statement {
    let handle: OpaquePointer
    let text: StaticString
    private var bindResult = SQLITE_OK

    /// Takes over a prepared statement's handle.
    init(handle: OpaquePointer, text: StaticString) {
        self.handle = handle
        self.text = text
    }

    func finish() { sqlite3_finalize(handle) }

    // MARK: Binding; parameters are numbered from 1.

    func bind(_ index: Int32, _ value: Int) { note(sqlite3_bind_int64(handle, index, Int64(value))) }
    func bind(_ index: Int32, _ value: Int64) { note(sqlite3_bind_int64(handle, index, value)) }
    func bind(_ index: Int32, _ value: Timestamp) { bind(index, value.milliseconds) }
    func bindNull(_ index: Int32) { note(sqlite3_bind_null(handle, index)) }

    func bind(_ index: Int32, _ value: Int?) {
        if let value { bind(index, value) } else { bindNull(index) }
    }

    func bind(_ index: Int32, _ value: String) {
        var copy = value
        copy.withUTF8 { bytes in
            guard let base = bytes.baseAddress else {
                return note(sqlite3_bind_text(handle, index, "", 0, offpeak_sqlite_transient()))
            }
            base.withMemoryRebound(to: CChar.self, capacity: bytes.count) { text in
                note(sqlite3_bind_text(handle, index, text, Int32(bytes.count), offpeak_sqlite_transient()))
            }
        }
    }

    /// Binds a text by pointer: the memory must stay until the statement is reset and bound anew.
    func bindText(_ index: Int32, at bytes: UnsafeRawPointer?, count: Int) {
        guard let bytes, count > 0 else {
            return note(sqlite3_bind_text(handle, index, "", 0, offpeak_sqlite_transient()))
        }
        note(sqlite3_bind_text(handle, index, bytes.assumingMemoryBound(to: CChar.self), Int32(count), nil))
    }

    /// Binds a blob by pointer: the memory must stay until the statement is reset and bound anew.
    func bindBlob(_ index: Int32, at bytes: UnsafeRawPointer?, count: Int) {
        guard let bytes, count > 0 else { return note(sqlite3_bind_zeroblob(handle, index, 0)) }
        note(sqlite3_bind_blob64(handle, index, bytes, sqlite3_uint64(count), nil))
    }

    /// Binds all parameters from 1 on; nil becomes NULL.
    func bindAll(_ values: [(any Bindable)?]) {
        for (offset, value) in values.enumerated() {
            if let value { value.bind(to: self, at: Int32(offset + 1)) } else { bindNull(Int32(offset + 1)) }
        }
    }

    private func note(_ result: Int32) {
        if result != SQLITE_OK && bindResult == SQLITE_OK { bindResult = result }
    }

    // MARK: Running

    /// Goes to the next row: false at the end. On failure the statement is reset.
    func step() throws(StoreError) -> Bool {
        guard bindResult == SQLITE_OK else {
            let result = bindResult
            bindResult = SQLITE_OK
            sqlite3_reset(handle)
            throw StoreError(database: nil, result: result, statement: text)
        }
        let result = sqlite3_step(handle)
        if result == SQLITE_ROW { return true }
        if result == SQLITE_DONE { return false }
        let failure = StoreError(database: sqlite3_db_handle(handle), result: result, statement: text)
        sqlite3_reset(handle)
        throw failure
    }

    /// Runs a statement that is not read from; returns the number of rows that it changed.
    @discardableResult
    func run() throws(StoreError) -> Int {
        while try step() {}
        let changes = Int(sqlite3_changes64(sqlite3_db_handle(handle)))
        sqlite3_reset(handle)
        return changes
    }

    /// Runs a statement whose parameter `index` is these bytes, without copying them.
    func run(binding index: Int32, to bytes: [UInt8]) throws(StoreError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(StoreError) in
            bindBlob(index, at: buffer.baseAddress, count: buffer.count)
            defer { sqlite3_bind_null(handle, index) }
            try run()
        }
    }

    func reset() { sqlite3_reset(handle) }

    // MARK: Columns; numbered from 0.

    func int(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }
    func int64(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    func optionalInt(_ column: Int32) -> Int? { isNull(column) ? nil : int(column) }
    func time(_ column: Int32) -> Timestamp { Timestamp(milliseconds: int64(column)) }
    func optionalTime(_ column: Int32) -> Timestamp? { isNull(column) ? nil : time(column) }

    /// The column's bytes in place; valid until the next step or reset.
    func buffer(_ column: Int32) -> UnsafeRawBufferPointer {
        let base = sqlite3_column_blob(handle, column)
        return UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(handle, column)))
    }

    func bytes(_ column: Int32) -> [UInt8] { [UInt8](buffer(column)) }
    /// A text column; bytes that are not UTF-8 are replaced. Empty for NULL.
    func string(_ column: Int32) -> String { String(decoding: buffer(column), as: UTF8.self) }
    func optionalString(_ column: Int32) -> String? { isNull(column) ? nil : string(column) }
}

extension Int: Bindable {
    func bind(to statement: Statement, at index: Int32) { statement.bind(index, self) }
}

extension Int64: Bindable {
    func bind(to statement: Statement, at index: Int32) { statement.bind(index, self) }
}

extension String: Bindable {
    func bind(to statement: Statement, at index: Int32) { statement.bind(index, self) }
}

extension Timestamp: Bindable {
    func bind(to statement: Statement, at index: Int32) { statement.bind(index, self) }
}
