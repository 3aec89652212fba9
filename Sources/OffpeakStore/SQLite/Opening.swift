/// Whether opening a queue may make one.
enum Opening {
    case createIfMissing
    case existing
}

extension Writer {
    /// Opens a queue for writing: makes or migrates it if needed, under the write lock, so that two processes can do
    /// this at once.
    static func open(_ location: QueueLocation, for role: ConnectionRole, _ opening: Opening) throws(StoreError)
        -> Writer
    {
        var exists = try location.exists()
        if !exists && opening == .existing { throw .noQueue(at: location) }
        let lock = try SideFile(path: location.lock)
        try lock.lock()
        defer { lock.unlock() }
        exists = try location.exists()
        if !exists { try location.create() }
        let connection = try Connection(path: location.database)
        do throws(StoreError) {
            let identity = try Migrator.identity(of: connection)
            if identity == .empty {
                // An empty file is what a crash right after its creation leaves.
                guard opening == .createIfMissing else { throw StoreError.noQueue(at: location) }
                try connection.configureNewFile()
            }
            try connection.checkFileSettings()
            try connection.configure(for: role)
            try Migrator.migrate(connection, from: identity)
        } catch {
            connection.close()
            throw error
        }
        return Writer(location: location, connection: connection, lock: lock)
    }
}

extension Connection {
    /// Opens an existing queue for reading only.
    static func openReader(_ location: QueueLocation) throws(StoreError) -> Connection {
        guard try location.exists() else { throw .noQueue(at: location) }
        let connection = try Connection(path: location.database)
        let identity = try Migrator.identity(of: connection)
        if identity != .queue(version: Migrator.steps.count) {
            // Being made right now, or made by an older program: a writer sorts it out.
            connection.close()
            try Writer.open(location, for: .control, .existing).close()
            return try openReader(location)
        }
        try connection.checkFileSettings()
        try connection.configure(for: .reader)
        return connection
    }
}

extension StoreError {
    static func noQueue(at location: QueueLocation) -> StoreError {
        StoreError(.notFound, message: "there is no queue at \(location.database)")
    }
}
