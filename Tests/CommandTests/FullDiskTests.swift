import Foundation
import Glibc
import Synchronization
import Testing

/// A disk that fills up during a run and a submit.
///
/// As root, a file system in memory of a few MiB is mounted. Otherwise the program may write files of a few MiB at most:
/// then the kernel refuses to write just as suddenly, with another error.
@Suite(.turns) struct FullDiskTests {
    /// A small place, and how to give it more room.
    private final class SmallDisk {
        let outer: Workplace
        let place: Workplace
        let isMounted: Bool

        init() async throws {
            outer = try Workplace()
            isMounted = geteuid() == 0
            if isMounted {
                guard mount("tmpfs", outer.path, "tmpfs", 0, "size=7m") == 0 else {
                    throw Impossible(
                        "cannot mount a small file system (\(String(cString: strerror(errno)))): run this test in a "
                            + "container with CAP_SYS_ADMIN, or as another user than root, when files are limited instead"
                    )
                }
            }
            place = try Workplace(
                environment: ["TEST_KEY_ONE": "test-key-one", "TEST_KEY_TWO": "test-key-two"], under: outer.path)
        }

        deinit { if isMounted { umount2(outer.path, Int32(MNT_DETACH)) } }

        /// Starts the program with little room.
        func start(_ arguments: [String]) throws -> Child {
            if isMounted { return try place.start(arguments) }
            // Blocks of 1 KiB; a signal that would end the program is ignored, so that it gets the error.
            let command = "trap '' XFSZ; ulimit -f 3000; exec \"$0\" \"$@\""
            return try Child(
                "bash", ["-c", command, try Workplace.binary()] + arguments, in: place.path,
                environment: ["PATH": "/usr/bin:/bin", "HOME": place.path].merging(place.environment) { $1 })
        }

        func makeRoom() throws {
            guard isMounted else { return }
            guard mount("tmpfs", outer.path, "tmpfs", UInt(MS_REMOUNT), "size=200m") == 0 else {
                throw Impossible("cannot make the small file system larger: \(String(cString: strerror(errno)))")
            }
        }
    }

    @Test func `a run on a full disk keeps every answer it has, ends with 2, and goes on when there is room`()
        async throws
    {
        let disk = try await SmallDisk()
        let place = disk.place
        let provider = try await Provider(
            #"{ latency: "20ms", keys: { "test-key-one": {} }, answer: { tokens: 600 } }"#, in: place)
        place.providers.withLock { $0.append(provider) }
        try place.configure(provider, limits: "concurrent: 16")
        try await place.submit(1_500)
        let run = try disk.start(["run"])
        #expect(await run.wait(limit: .seconds(120)) == 2)
        let text = await run.err.whole()
        #expect(text.contains("the queue cannot be written: "), "\(text)")
        #expect(text.contains("; trying again for 30 s, nothing new is sent\n"))
        if disk.isMounted {
            #expect(text.contains("error: no space left for the queue: "))
            #expect(text.hasSuffix("hint: make room and run the same command again; nothing recorded is lost\n"))
        }
        let before = try await provider.ledger()
        #expect(before["requests"].int == before["answers"].int, "what was in flight was awaited")
        #expect(before["answers"].int < 1_500)
        try disk.makeRoom()
        let next = try await place.run("run")
        #expect(next.status == 0, "\(next)")
        #expect(try await place.answered() == (1...1_500).map { "p-\($0)" })
        let after = try await provider.ledger()
        #expect(after["requests_repeated"]["extra"].int == 0, "no answer that came was lost: \(after)")
        #expect(after["requests"].int == 1_500)
    }

    @Test func `a submit on a full disk ends with 2, and the same one goes on when there is room`() async throws {
        let disk = try await SmallDisk()
        let place = disk.place
        try place.configure(nil)
        // The source lies elsewhere: it is the queue that has no room.
        let source = try Workplace()
        try source.write(Workplace.prompts(60_000, padding: 40), to: "in.jsonl")
        let call = ["submit", source.file("in.jsonl"), "--model", "m"]
        let submit = try disk.start(call)
        #expect(await submit.wait() == 2)
        #expect(await submit.out.whole() == "", "no id: nothing was accepted")
        let text = await submit.err.whole()
        if disk.isMounted {
            #expect(text.hasPrefix("error: no space left for the queue: "), "\(text)")
            #expect(text.hasSuffix("hint: make room and run the same command again; nothing recorded is lost\n"))
        } else {
            #expect(text.hasPrefix("error: the disk failed: "), "\(text)")
        }
        try disk.makeRoom()
        let again = try await place.run(call)
        #expect(again.out == "b1\n" && again.status == 0, "\(again)")
        let batches = try await place.run("status", "--json").document()["batches"].list
        #expect(batches.count == 1 && batches[0]["jobs"]["total"].int == 60_000)
    }
}
