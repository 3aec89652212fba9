import Foundation
import Glibc
import Synchronization
import Testing

/// What a command left behind.
struct Outcome: CustomStringConvertible {
    var status: Int32
    var out: String
    var err: String

    var description: String { "[\(status)]\nstdout: \(out)\nstderr: \(err)" }

    /// The one document on stdout.
    func document(_ location: SourceLocation = #_sourceLocation) throws -> Document {
        try Document(out, location)
    }
}

/// A folder of a test's own with a configuration and a queue, in which the real program is run. Removed with it.
final class Workplace: Sendable {
    let path: String
    /// What the program's environment has besides the usual.
    let environment: [String: String]
    /// The providers of this place, which end with it.
    let providers = Mutex<[Provider]>([])
    private let children = Mutex<[Child]>([])

    /// In memory where possible: these tests are about what a user sees, and syncs to a shared disk only make them slow.
    init(environment: [String: String] = [:], under parent: String? = nil) throws {
        let base = parent ?? (access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NSTemporaryDirectory())
        var template = Array("\(base)/offpeak-commands-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Impossible("cannot make a folder under \(base)") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        self.environment = environment
    }

    deinit {
        // A test that failed may have left something running.
        for child in children.withLock({ $0 }) { child.signal(SIGKILL) }
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The program under test; how to run the tests when nobody said where it is.
    static func binary() throws -> String {
        guard let path = ProcessInfo.processInfo.environment["OFFPEAK_BINARY"], !path.isEmpty else {
            throw Impossible(
                "OFFPEAK_BINARY is not set: these tests run the real program. Use `bash Tests/run.sh`, or "
                    + "`swift build -c release --product offpeak` and then "
                    + "`OFFPEAK_BINARY=$PWD/.build/release/offpeak swift test --filter CommandTests`")
        }
        guard access(path, X_OK) == 0 else { throw Impossible("OFFPEAK_BINARY is \(path), which cannot be run") }
        return URL(filePath: path).standardizedFileURL.path
    }

    /// A zone in which the day is far from its end, whatever the time is.
    static var quietZone: String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let ahead = 12 - calendar.component(.hour, from: Date())
        // The names of these zones have the sign the other way round.
        return ahead == 0 ? "UTC" : "Etc/GMT\(ahead > 0 ? "-" : "+")\(abs(ahead))"
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    func write(_ bytes: [UInt8], to name: String) throws { try Data(bytes).write(to: URL(filePath: file(name))) }

    func read(_ name: String) throws -> String { try String(contentsOfFile: file(name), encoding: .utf8) }

    func exists(_ name: String) -> Bool { access(file(name), F_OK) == 0 }

    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }

    /// Starts the program and goes on.
    func start(
        _ arguments: [String], input: Child.Input = .nothing, output: String? = nil, with extra: [String: String] = [:]
    ) throws -> Child {
        var settings = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": path]
        settings.merge(environment) { $1 }
        settings.merge(extra) { $1 }
        let child = try Child(
            try Self.binary(), arguments, in: path, environment: settings, input: input, output: output)
        children.withLock { $0.append(child) }
        return child
    }

    func start(_ arguments: String...) throws -> Child { try start(arguments) }

    /// Runs the program to its end.
    @discardableResult
    func run(
        _ arguments: [String], input: Child.Input = .nothing, output: String? = nil, with extra: [String: String] = [:],
        limit: Duration = .seconds(90)
    ) async throws -> Outcome {
        let child = try start(arguments, input: input, output: output, with: extra)
        defer { children.withLock { list in list.removeAll { $0 === child } } }
        let status = await child.wait(limit: limit)
        return Outcome(status: status, out: await child.out.whole(), err: await child.err.whole())
    }

    @discardableResult
    func run(_ arguments: String...) async throws -> Outcome { try await run(arguments) }

    /// Runs the program, which has to end well.
    @discardableResult
    func ok(_ arguments: String..., location: SourceLocation = #_sourceLocation) async throws -> String {
        let outcome = try await run(arguments)
        #expect(outcome.status == 0, "offpeak \(arguments.joined(separator: " ")) \(outcome)", sourceLocation: location)
        return outcome.out
    }

    /// One batch's document of `status`.
    func status(of batch: String = "b1", _ location: SourceLocation = #_sourceLocation) async throws -> Document {
        let outcome = try await run("status", batch, "--json")
        #expect(outcome.status == 0, "\(outcome)", sourceLocation: location)
        return try outcome.document(location)
    }

    /// Waits until a batch's document passes a test, looking again and again.
    func until(
        _ what: String, of batch: String = "b1", limit: Duration = .seconds(60), _ test: (Document) throws -> Bool
    ) async throws {
        try await eventually(what, limit: limit) { try test(try await self.status(of: batch)) }
    }

    /// Submits prompts `p-1` to `p-n`, each of which asks for its own number.
    @discardableResult
    func submit(
        _ count: Int, class name: String = "nightly", as file: String = "in.jsonl", padding: Int = 0,
        location: SourceLocation = #_sourceLocation
    ) async throws -> String {
        try write(Workplace.prompts(count, padding: padding), to: file)
        let id = try await ok("submit", file, "--class", name, "--model", "m", location: location)
        return id.trimmingCharacters(in: .newlines)
    }

    static func prompts(_ count: Int, padding: Int = 0) -> String {
        let filler = String(repeating: "x", count: padding)
        return (1...count).map { "{\"custom_id\":\"p-\($0)\",\"prompt\":\"say \($0)\(filler)\"}\n" }.joined()
    }
}

/// Looks again and again until a condition holds; the test fails when it does not within the limit.
func eventually(
    _ what: String, limit: Duration = .seconds(60), _ condition: () async throws -> Bool
) async throws {
    let start = ContinuousClock.now
    while try await !condition() {
        guard ContinuousClock.now - start < limit else { throw Impossible("waited \(limit) in vain for: \(what)") }
        try await Task.sleep(for: .milliseconds(30))
    }
}
