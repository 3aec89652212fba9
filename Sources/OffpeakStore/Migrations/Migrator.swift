import OffpeakCore

/// The schema's numbered steps, embedded from the `.sql` files of this folder.
enum Migrator {
    /// `application_id` of every queue: the letters "ofpk".
    static let applicationID = 0x6F66_706B

    /// In order; step n brings version n − 1 to n. A step never changes once it is released.
    static var steps: [[UInt8]] {
        [
            PackageResources.m001_initial_sql, PackageResources.m002_money_sql, PackageResources.m003_terms_sql,
            PackageResources.m004_forecast_sql, PackageResources.m005_forecast_answers_sql,
            PackageResources.m006_beyond_sql,
        ]
    }

    private enum SQL {
        static let begin: StaticString = "BEGIN IMMEDIATE"
        static let commit: StaticString = "COMMIT"
        static let rollback: StaticString = "ROLLBACK"
        static let version: StaticString = "PRAGMA user_version"
        static let applicationID: StaticString = "PRAGMA application_id"
        static let tables: StaticString = "SELECT count(*) FROM sqlite_schema"
        static let setApplicationID: StaticString = "PRAGMA application_id = 0x6F66706B"
        static let record: StaticString = "INSERT INTO migration (version, checksum) VALUES (?, ?)"
        static let recorded: StaticString = "SELECT checksum FROM migration ORDER BY version"
        /// `user_version` takes no parameter, so each version has its own literal.
        static let setVersion: [StaticString] = [
            "PRAGMA user_version = 1", "PRAGMA user_version = 2", "PRAGMA user_version = 3",
            "PRAGMA user_version = 4", "PRAGMA user_version = 5", "PRAGMA user_version = 6",
        ]
    }

    /// What a file turned out to be.
    enum Identity: Equatable {
        case empty
        case queue(version: Int)
    }

    /// Tells an empty file from a queue; throws `notAQueue` for anything else and `newerSchema` for a later one.
    static func identity(of connection: Connection) throws(StoreError) -> Identity {
        let application: Int
        do throws(StoreError) {
            application = try connection.integer(SQL.applicationID)
        } catch {
            guard error.reason == .notAQueue else { throw error }
            // SQLite's own words do not say which file.
            throw StoreError(.notAQueue, message: "\(connection.path) is not an offpeak queue")
        }
        let version = try connection.integer(SQL.version)
        if application == 0, version == 0, try connection.integer(SQL.tables) == 0 { return .empty }
        guard application == applicationID else {
            throw StoreError(.notAQueue, message: "\(connection.path) is not an offpeak queue")
        }
        guard version <= steps.count else {
            throw StoreError(
                .newerSchema(found: version, supported: steps.count),
                message: "\(connection.path) was made by a newer offpeak (schema \(version), this one knows "
                    + "\(steps.count)); update offpeak")
        }
        return .queue(version: version)
    }

    /// Brings the file to the newest schema, one transaction a step. The caller holds the write lock.
    static func migrate(_ connection: Connection, from identity: Identity) throws(StoreError) {
        var version = 0
        if case .queue(let found) = identity { version = found }
        while version < steps.count {
            try connection.run(SQL.begin)
            do throws(StoreError) {
                try connection.execute(script: steps[version])
                try connection.run(SQL.record, version + 1, checksum(steps[version]))
                try connection.execute(SQL.setApplicationID)
                try connection.execute(SQL.setVersion[version])
                try connection.run(SQL.commit)
            } catch {
                if connection.isInTransaction { _ = try? connection.run(SQL.rollback) }
                throw error
            }
            version += 1
        }
        try verify(connection)
    }

    /// Asserts that the steps in the file are the ones in this program.
    static func verify(_ connection: Connection) throws(StoreError) {
        var found: [Int64] = []
        try connection.query(SQL.recorded) { row in found.append(row.int64(0)) }
        guard found == steps.map(checksum) else {
            throw StoreError(.notAQueue, message: "\(connection.path) has a schema of an unreleased offpeak")
        }
    }

    static func checksum(_ step: [UInt8]) -> Int64 { Int64(bitPattern: step.withUnsafeBytes { ContentHash.of($0) }) }
}
