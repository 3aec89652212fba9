import Foundation
import OffpeakSimulator
import Testing

/// The order of a Set or a Dictionary differs from process to process, and so would anything that depends on it.
@Suite struct TraceTests {
    private static let seeds: [UInt64] = Array(20_000..<20_060)
    private static let isChild = "OFFPEAK_TRACE_CHILD"

    private static func hashes() -> [UInt64] { seeds.map { Night(NightPlan.drawn(from: $0)).play().hash } }

    /// What the two other processes run: it prints the hashes of its own.
    @Test(.enabled(if: ProcessInfo.processInfo.environment[isChild] != nil)) func `print the traces`() {
        print("traces: " + Self.hashes().map(String.init).joined(separator: " "))
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment[isChild] == nil))
    func `The same seed gives the same trace, also in another process`() throws {
        let here = Self.hashes()
        #expect(Set(here).count == here.count)
        #expect(Self.hashes() == here)
        for _ in 0..<2 { #expect(try Self.hashesOfAnotherProcess() == here) }
    }

    private static func hashesOfAnotherProcess() throws -> [UInt64] {
        let process = Process()
        process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["--testing-library", "swift-testing", "--filter", "TraceTests"]
        process.environment = ProcessInfo.processInfo.environment.merging([isChild: "1"]) { $1 }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("traces: ") }, "\(text)")
        return line.split(separator: " ").dropFirst().compactMap { UInt64($0) }
    }
}
