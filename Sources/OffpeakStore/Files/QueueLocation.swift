import CSQLite
import Glibc

/// Where a queue's files are. The directory part is resolved, so that the database itself can be opened without
/// following links.
package struct QueueLocation: Sendable, Equatable {
    /// The database file.
    package var database: String
    /// Locked around each write transaction and each checkpoint, by every process.
    var lock: String { database + "-lock" }
    /// Locked for life by the one process that runs the queue; holds its process id as text.
    var run: String { database + "-run" }
    /// Bought answers that could not be committed.
    var spill: String { database + "-spill" }

    /// Resolves a path. Throws when its directory does not exist or lies on a file system without reliable locks.
    package init(_ path: String) throws(StoreError) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        guard !name.isEmpty, name != ".", name != ".." else {
            throw StoreError(.unsafePath, message: "\(path) does not name a file")
        }
        guard let resolved = realpath(folder, nil) else { throw .system("find the folder of", path: path) }
        defer { free(resolved) }
        let parent = String(cString: resolved)
        database = parent == "/" ? "/" + name : parent + "/" + name
        let type = offpeak_filesystem_type(parent)
        if let unreliable = Self.unreliableFileSystems[type] {
            throw StoreError(
                .networkFileSystem,
                message: "\(database) is on \(unreliable), where file locks and syncs cannot be relied on; "
                    + "put the queue on a local disk")
        }
    }

    /// Whether a database file is there; throws when something else is.
    func exists() throws(StoreError) -> Bool {
        var status = stat()
        guard lstat(database, &status) == 0 else {
            if errno == ENOENT { return false }
            throw .system("look at", path: database)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw StoreError(.unsafePath, message: "\(database) is not a regular file (links are not followed)")
        }
        guard status.st_nlink == 1 else {
            // Two names would mean two sets of side files, and so two writers that do not see each other.
            throw StoreError(.unsafePath, message: "\(database) has several hard links; a queue must have one name")
        }
        return true
    }

    /// Makes an empty file that only its owner can read. The descriptor is closed before SQLite opens the file:
    /// closing one later would drop SQLite's locks.
    func create() throws(StoreError) {
        let descriptor = open(database, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system("create", path: database) }
        Glibc.close(descriptor)
    }

    /// Magic numbers from Linux's `linux/magic.h` and the file systems' own headers.
    private static let unreliableFileSystems: [Int64: String] = [
        0x6969: "NFS", 0x517B: "SMB", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB", 0x6573_5546: "a FUSE file system",
        0x00C3_6400: "Ceph", 0x5346_414F: "AFS", 0x6B41_4653: "AFS", 0x7375_7245: "Coda", 0x0102_1997: "9P",
        0x564C: "NCP", 0x0116_1970: "GFS2", 0x7461_636F: "OCFS2", 0x0BD0_0BD0: "Lustre", 0x4750_4653: "GPFS",
        0x786F_4256: "a VirtualBox shared folder",
    ]
}
