import Glibc

/// A folder of a test's own, removed with it. In memory where possible: what is tested here is order and atomicity, and
/// syncs to a disk would only make it slow.
final class TemporaryFolder {
    let path: String

    init() {
        let base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(base)/offpeak-store-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { preconditionFailure("cannot make a temporary folder") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { Self.remove(path) }

    var queue: String { path + "/queue.db" }

    /// The names of the files in it.
    var names: [String] { Self.names(in: path) }

    /// Copies every file into a new folder, as a crash at this moment would leave them. Only while no connection writes.
    func copy() -> TemporaryFolder {
        let copy = TemporaryFolder()
        // The -shm file is not on disk after a crash of the machine; leaving it out makes SQLite recover the WAL.
        for name in names where !name.hasSuffix("-shm") { Self.copy("\(path)/\(name)", "\(copy.path)/\(name)") }
        return copy
    }

    static func bytes(of path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(descriptor, &block, block.count), count > 0 { bytes += block[..<count] }
        return bytes
    }

    static func write(_ bytes: [UInt8], to path: String) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        precondition(descriptor >= 0, "cannot write \(path)")
        defer { close(descriptor) }
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done)
            }
            precondition(count > 0, "cannot write \(path)")
            done += count
        }
    }

    private static func copy(_ from: String, _ to: String) { write(bytes(of: from), to: to) }

    private static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func remove(_ path: String) {
        for name in names(in: path) { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}
