import Foundation
import Glibc
import OffpeakCore
import OffpeakStore

/// What to submit, and how.
package struct SubmissionRequest: Sendable {
    /// A file's path, or `-` for standard input.
    package var path: String
    package var name: String
    package var className: String
    /// The model of lines that name none.
    package var model: String?
    package var priority: Int?
    package var deadline: Timestamp?
    /// The deadline as it was asked for; empty for the class's.
    package var deadlineText: String
    package var skipsBadLines: Bool
    /// The classes that a line may name.
    package var knownClasses: Set<String>

    package init(
        path: String, name: String, className: String, model: String?, priority: Int?, deadline: Timestamp?,
        deadlineText: String, skipsBadLines: Bool, knownClasses: Set<String>
    ) {
        self.path = path
        self.name = name
        self.className = className
        self.model = model
        self.priority = priority
        self.deadline = deadline
        self.deadlineText = deadlineText
        self.skipsBadLines = skipsBadLines
        self.knownClasses = knownClasses
    }
}

/// How a submission ended.
package struct SubmissionResult: Sendable {
    /// Nil when the batch was rejected.
    package var batch: BatchID?
    package var accepted = 0
    /// The first of the bad lines, in order.
    package var rejected: [RejectedLine] = []
    package var rejectedCount = 0
    package var wasResumed = false
}

/// Why a submission could not be read.
package struct SourceFailure: Error, Sendable {
    package var path: String
    package var reason: String
}

/// Puts a JSONL file into the queue, chunk by chunk, so that a kill at any moment loses nothing and doubles nothing.
package struct Submission {
    /// Bad lines that are reported one by one.
    package static let reportLimit = 1_000

    private let request: SubmissionRequest
    private let queue: String
    private let clock: RunnerClock

    package init(_ request: SubmissionRequest, queue: String, clock: RunnerClock) {
        self.request = request
        self.queue = queue
        self.clock = clock
    }

    /// Runs to the end. `progress` hears how many lines are in. `tell` gets the result while the batch is not yet
    /// acknowledged: when it returns, the user has the batch's id; a kill before that makes a repeated submit find it.
    package func run(
        progress: (Int) -> Void, tell: (SubmissionResult) throws -> Void
    ) throws {
        let descriptor = try open()
        defer { if descriptor != 0 { close(descriptor) } }
        let source = try SourceIdentity(descriptor: descriptor, path: request.path)
        let intake = try Intake.begin(
            IntakeRequest(
                name: request.name, className: request.className, created: clock.now, priority: request.priority,
                deadline: request.deadline, source: source, options: options), queue: queue)
        defer { intake.close() }
        var result = SubmissionResult()
        result.wasResumed = intake.beginning != .new
        var stored = 0
        if intake.beginning != .adopted {
            if intake.committedOffset > 0 { lseek(descriptor, off_t(intake.committedOffset), SEEK_SET) }
            stored = try load(descriptor, into: intake, &result, progress)
        }
        if result.rejectedCount > 0 && !request.skipsBadLines {
            try intake.abandon()
            return try tell(result)
        }
        if stored == 0 && intake.beginning != .adopted && !result.wasResumed {
            try intake.abandon()
            guard result.rejectedCount == 0 else { return try tell(result) }
            throw SourceFailure(path: request.path, reason: "it has no lines")
        }
        try seal(intake, &result)
        try tell(result)
        if result.batch != nil { try intake.acknowledge() }
    }

    /// What else makes a repeated submit the same one.
    private var options: String {
        "class=\(request.className);model=\(request.model ?? "");skip=\(request.skipsBadLines);name=\(request.name)"
            + (request.deadlineText.isEmpty ? "" : ";deadline=\(request.deadlineText)")
    }

    private func open() throws(SourceFailure) -> Int32 {
        if request.path == "-" { return 0 }
        let descriptor = Glibc.open(request.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let reason =
                switch errno {
                case ENOENT: "there is no such file"
                case EACCES: "you may not read it"
                default: String(cString: strerror(errno))
                }
            throw SourceFailure(path: request.path, reason: reason)
        }
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            close(descriptor)
            throw SourceFailure(path: request.path, reason: "it is a folder")
        }
        return descriptor
    }

    /// Stores all lines; returns how many.
    private func load(
        _ descriptor: Int32, into intake: Intake, _ result: inout SubmissionResult, _ progress: (Int) -> Void
    ) throws -> Int {
        var stored = 0
        let reader = ChunkReader(
            descriptor: descriptor, offset: intake.committedOffset, line: intake.committedLines,
            defaults: LineDefaults(
                className: request.className, model: request.model, knownClasses: request.knownClasses,
                endsAtForeign: !request.skipsBadLines))
        var waiting: [ChunkReader.Item] = []
        var failure: (any Error)?
        loop: while true {
            switch reader.next(&waiting) {
            case .end: break loop
            case .failed(let number):
                failure = SourceFailure(path: request.path, reason: String(cString: strerror(number)))
                break loop
            case .chunk(let chunk):
                note(chunk.rejected, in: &result)
                // A batch that will be rejected is read on for the other bad lines, and no longer stored.
                if failure != nil || (result.rejectedCount > 0 && !request.skipsBadLines) { continue }
                do {
                    try intake.append(chunk)
                    stored += chunk.lines.count
                } catch {
                    failure = error
                    reader.cancel()
                }
                progress(chunk.newLineCount)
            }
        }
        if let failure { throw failure }
        return stored
    }

    private func note(_ lines: [RejectedLine], in result: inout SubmissionResult) {
        result.rejectedCount += lines.count
        result.rejected += lines.prefix(max(0, Self.reportLimit - result.rejected.count))
    }

    private func seal(_ intake: Intake, _ result: inout SubmissionResult) throws {
        switch try intake.seal(droppingDuplicates: request.skipsBadLines, at: clock.now) {
        case .sealed(let jobs, let dropped, let droppedCount):
            result.batch = intake.batch
            result.accepted = jobs
            add(dropped, count: droppedCount, to: &result)
            // Lines that an earlier, killed submit of the same file left out belong to the report, too.
            if result.wasResumed {
                result.rejected = try intake.rejectedLines(limit: Self.reportLimit)
                result.rejectedCount = try intake.rejectedCount()
            }
        case .duplicates(let duplicates, let count):
            add(duplicates, count: count, to: &result)
            try intake.abandon()
        }
    }

    private func add(_ duplicates: [DuplicateID], count: Int, to result: inout SubmissionResult) {
        result.rejectedCount += count
        result.rejected += duplicates.map {
            RejectedLine(
                line: $0.line,
                reason:
                    "custom_id \"\($0.customID)\" was used before, on line \($0.firstLine); ids must be unique in a batch"
            )
        }
        result.rejected.sort { $0.line < $1.line }
        result.rejected = Array(result.rejected.prefix(Self.reportLimit))
    }
}
