import Foundation
import Glibc
import Testing

/// What is in `Examples` works as it stands.
@Suite(.turns) struct ExampleTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test func `the quickstart ends with every job answered, in fewer than forty lines`() async throws {
        let copy = try Workplace()
        try FileManager.default.copyItem(
            at: Self.root.appending(path: "Examples"), to: URL(filePath: copy.file("Examples")))
        // The program is there already: a `swift` that builds nothing stands in for the toolchain.
        try FileManager.default.createDirectory(
            atPath: copy.file(".build/release"), withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: copy.file("bin"), withIntermediateDirectories: true)
        symlink(try Workplace.binary(), copy.file(".build/release/offpeak"))
        try copy.write("#!/bin/sh\nexit 0\n", to: "bin/swift")
        chmod(copy.file("bin/swift"), 0o755)
        let script = try Child(
            "bash", ["Examples/quickstart.sh"], in: copy.path,
            environment: [
                "PATH": copy.file("bin") + ":/usr/local/bin:/usr/bin:/bin", "HOME": copy.path, "TMPDIR": copy.path,
            ])
        #expect(await script.wait(limit: .seconds(100)) == 0)
        let out = await script.out.whole()
        let err = await script.err.whole()
        let lines = (out + err).split(separator: "\n")
        #expect(lines.count < 40, "\(lines.count) lines:\n\(out)\n\(err)")
        #expect(out.contains("b1  tickets.jsonl  class nightly  done\n    400 jobs: 400 succeeded\n"), "\(out)\n\(err)")
        #expect(out.contains("one of 400 lines:\n{\"id\":\"batch_req_"))
        #expect(out.hasSuffix("== done\n"))
        #expect(err.contains("an earlier run ended with "), "the kill met requests in flight: \(err)")
        #expect(!(out + err).contains("error:"), "\(out)\n\(err)")
    }
}
