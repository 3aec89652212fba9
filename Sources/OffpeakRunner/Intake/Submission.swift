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
    /// Begins no batch, but goes on with one that was left.
    package var onlyCompletes = false

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

extension SubmissionRequest {
    var lineDefaults: LineDefaults {
        LineDefaults(
            className: className, model: model, knownClasses: knownClasses, endsAtForeign: !skipsBadLines)
    }

    /// The source, opened for reading.
    func open() throws(SourceFailure) -> Int32 {
        if path == "-" { return 0 }
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let reason =
                switch errno {
                case ENOENT: "there is no such file"
                case EACCES: "you may not read it"
                default: String(cString: strerror(errno))
                }
            throw SourceFailure(path: path, reason: reason)
        }
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            close(descriptor)
            throw SourceFailure(path: path, reason: "it is a folder")
        }
        return descriptor
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

    /// The bad lines of a chunk, each kind in order.
    mutating func add(_ lines: [RejectedLine], _ duplicates: [DuplicateID]) {
        rejectedCount += lines.count + duplicates.count
        let space = Submission.reportLimit - rejected.count
        guard space > 0 else { return }
        let all = lines.prefix(space) + duplicates.prefix(space).map(RejectedLine.init)
        rejected += all.sorted { $0.line < $1.line }.prefix(space)
    }

    /// The first of the duplicates among lines that were added before, and how many there are.
    mutating func add(_ duplicates: [DuplicateID], count: Int) {
        rejectedCount += count
        guard !duplicates.isEmpty else { return }
        rejected += duplicates.map(RejectedLine.init)
        rejected.sort { $0.line < $1.line }
        rejected = Array(rejected.prefix(Submission.reportLimit))
    }
}

extension RejectedLine {
    init(_ duplicate: DuplicateID) {
        self.init(
            line: duplicate.line,
            reason:
                "custom_id \"\(duplicate.customID)\" was used before, on line \(duplicate.firstLine); "
                + "ids must be unique in a batch")
    }
}

/// There is no batch to go on with, and none was to be begun.
package struct NothingToComplete: Error, Sendable {
    package init() {}
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
        let descriptor = try request.open()
        defer { if descriptor != 0 { close(descriptor) } }
        let source = try SourceIdentity(descriptor: descriptor, path: request.path)
        let intake = try Intake.begin(
            IntakeRequest(
                name: request.name, className: request.className, created: clock.now, priority: request.priority,
                deadline: request.deadline, source: source, options: options), queue: queue)
        defer { intake.close() }
        if request.onlyCompletes && intake.beginning == .new {
            try intake.abandon()
            throw NothingToComplete()
        }
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

    /// Stores all lines; returns how many.
    private func load(
        _ descriptor: Int32, into intake: Intake, _ result: inout SubmissionResult, _ progress: (Int) -> Void
    ) throws -> Int {
        var stored = 0
        var seen: SeenIDs?
        let reader = ChunkReader(
            descriptor: descriptor, offset: intake.committedOffset, line: intake.committedLines,
            defaults: request.lineDefaults)
        var waiting: [ChunkReader.Item] = []
        var failure: (any Error)?
        loop: while true {
            switch reader.next(&waiting) {
            case .end: break loop
            case .failed(let number):
                failure = SourceFailure(path: request.path, reason: String(cString: strerror(number)))
                break loop
            case .chunk(let chunk):
                if failure != nil { continue }
                do {
                    let isRejected = seen != nil || !chunk.rejected.isEmpty
                    if isRejected && !request.skipsBadLines {
                        // A batch that will be rejected is read on for the other bad lines, and no longer stored. Ids that
                        // come twice are among them: no sealing will tell.
                        if seen == nil { seen = try storedIDs(of: intake, &result) }
                        result.add(chunk.rejected, seen?.repeats(in: chunk) ?? [])
                        continue
                    }
                    result.add(chunk.rejected, [])
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

    /// The ids that are in the queue already, those of an earlier, killed submit of the same file among them.
    private func storedIDs(of intake: Intake, _ result: inout SubmissionResult) throws -> SeenIDs {
        var seen = SeenIDs()
        var duplicates: [DuplicateID] = []
        var count = 0
        try intake.forEachID { id, line in
            guard let first = seen.insert(id, line: line) else { return }
            count += 1
            guard duplicates.count < Self.reportLimit else { return }
            let text = String(decoding: id, as: UTF8.self)
            duplicates.append(DuplicateID(line: line, customID: text, firstLine: first))
        }
        result.add(duplicates, count: count)
        return seen
    }

    private func seal(_ intake: Intake, _ result: inout SubmissionResult) throws {
        switch try intake.seal(droppingDuplicates: request.skipsBadLines, at: clock.now) {
        case .sealed(let jobs, let dropped, let droppedCount):
            result.batch = intake.batch
            result.accepted = jobs
            result.add(dropped, count: droppedCount)
            // Lines that an earlier, killed submit of the same file left out belong to the report, too.
            if result.wasResumed {
                result.rejected = try intake.rejectedLines(limit: Self.reportLimit)
                result.rejectedCount = try intake.rejectedCount()
            }
        case .duplicates(let duplicates, let count):
            result.add(duplicates, count: count)
            try intake.abandon()
        }
    }
}
