import Foundation
import Glibc

/// The project's own folder.
enum Project {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static func read(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }
}

extension Workplace {
    /// A copy of `Examples` in which its scripts find the program under test as if they had built it.
    static func withExamples() throws -> Workplace {
        let copy = try Workplace()
        try FileManager.default.copyItem(
            at: Project.root.appending(path: "Examples"), to: URL(filePath: copy.file("Examples")))
        // The program is there already: a `swift` that builds nothing stands in for the toolchain.
        for folder in [".build/release", "bin"] {
            try FileManager.default.createDirectory(atPath: copy.file(folder), withIntermediateDirectories: true)
        }
        symlink(try Workplace.binary(), copy.file(".build/release/offpeak"))
        try copy.write("#!/bin/sh\nexit 0\n", to: "bin/swift")
        chmod(copy.file("bin/swift"), 0o755)
        return copy
    }

    /// Starts one of the scripts that `withExamples` brought.
    func script(_ name: String, _ arguments: String...) throws -> Child {
        try Child(
            "bash", ["Examples/\(name)"] + arguments, in: path,
            environment: ["PATH": file("bin") + ":/usr/local/bin:/usr/bin:/bin", "HOME": path, "TMPDIR": path])
    }
}
