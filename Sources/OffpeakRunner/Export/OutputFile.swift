import Foundation
import Glibc

/// A file that is written under a temporary name beside its own, and renamed when complete; or stdout. What is there and
/// is no regular file (a pipe, a device) is written as it is: a rename would put a file in its place.
package final class OutputFile {
    private let descriptor: Int32
    /// Nil for stdout.
    let path: String?
    /// Nil when the file itself is written.
    private let temporary: String?
    private var isOpen = true
    /// What was written stays, also when the power fails after `finish`: it is a regular file.
    var isDurable: Bool { temporary != nil }

    package init(_ target: ResultsExport.Target) throws(ResultsExport.WriteFailure) {
        guard case .file(let given) = target else {
            (descriptor, path, temporary) = (1, nil, nil)
            return
        }
        var status = stat()
        let exists = stat(given, &status) == 0
        let kind = exists ? status.st_mode & S_IFMT : S_IFREG
        if kind == S_IFDIR { throw ResultsExport.WriteFailure(given, reason: "it is a folder") }
        let final = exists ? Self.resolved(given) : Self.absolute(given)
        path = final
        temporary = kind == S_IFREG ? "\(final).\(getpid()).part" : nil
        if let temporary {
            descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            if descriptor >= 0, exists { fchmod(descriptor, status.st_mode & 0o777) }
        } else {
            descriptor = open(final, O_WRONLY | O_CLOEXEC)
        }
        guard descriptor >= 0 else { throw ResultsExport.WriteFailure(given, error: errno) }
    }

    deinit {
        guard path != nil, isOpen else { return }
        close(descriptor)
        if let temporary { unlink(temporary) }
    }

    /// A link stays a link, and its target gets the results.
    private static func resolved(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The path of a file that is not there, so that two spellings of it are seen to be one.
    private static func absolute(_ path: String) -> String {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { path[path.index(after: $0)...] } ?? path[...]
        let parent = resolved(folder)
        return parent == "/" ? "/\(name)" : "\(parent)/\(name)"
    }

    package func write(_ bytes: [UInt8]) throws(ResultsExport.WriteFailure) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
            if count < 0 {
                if errno == EINTR { continue }
                throw ResultsExport.WriteFailure(path ?? "standard output", error: errno)
            }
            done += count
        }
    }

    package func finish() throws(ResultsExport.WriteFailure) {
        guard let path else { return }
        guard let temporary else {
            isOpen = false
            guard close(descriptor) == 0 else { throw ResultsExport.WriteFailure(path, error: errno) }
            return
        }
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else {
            throw ResultsExport.WriteFailure(path, error: errno)
        }
        isOpen = false
        close(descriptor)
        // The new name, too, is to survive.
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { return }
        defer { close(parent) }
        guard fsync(parent) == 0 else { throw ResultsExport.WriteFailure(path, error: errno) }
    }
}
