import Glibc
import OffpeakCore

/// Which file a batch is made from: enough to tell on a second submit that nothing about it has changed.
package struct SourceIdentity: Sendable, Equatable {
    package var path: String
    /// Bytes.
    package var size: Int64
    /// Last modification, nanoseconds since 1970.
    package var modified: Int64
    package var inode: Int64
    package var device: Int64
    /// Hash of the first 64 KiB.
    package var headHash: Int64

    package init(path: String, size: Int64, modified: Int64, inode: Int64, device: Int64, headHash: Int64) {
        self.path = path
        self.size = size
        self.modified = modified
        self.inode = inode
        self.device = device
        self.headHash = headHash
    }

    /// The identity of an open regular file, read without moving its position; nil for a pipe or a terminal, which
    /// can never be resumed. The path is kept with its links resolved.
    package init?(descriptor: Int32, path: String) throws(StoreError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("look at", path: path) }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        var head = [UInt8](repeating: 0, count: 65_536)
        var count = 0
        while count < head.count {
            let read = head.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress?.advanced(by: count), buffer.count - count, off_t(count))
            }
            if read < 0 && errno != EINTR { throw .system("read", path: path) }
            if read == 0 { break }
            if read > 0 { count += read }
        }
        let hash = head.withUnsafeBytes { ContentHash.of(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        let resolved = realpath(path, nil)
        defer { free(resolved) }
        self.init(
            path: resolved.map { String(cString: $0) } ?? path, size: Int64(status.st_size),
            modified: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec),
            inode: Int64(truncatingIfNeeded: status.st_ino), device: Int64(truncatingIfNeeded: status.st_dev),
            headHash: Int64(bitPattern: hash))
    }
}

/// What a submit wants.
package struct IntakeRequest: Sendable, Equatable {
    package var name: String
    package var className: String
    package var created: Timestamp
    /// Nil: the class's.
    package var priority: Int?
    /// Not compared when a batch is resumed: it may count from the moment of the submit. `options` says how it was asked for.
    package var deadline: Timestamp?
    /// Nil for a stream that cannot be read a second time; such a batch is never resumed.
    package var source: SourceIdentity?
    /// Everything else that decides what the lines become (model, handling of bad lines …), as one text. Only a
    /// request with the same text resumes a batch.
    package var options: String

    package init(
        name: String, className: String, created: Timestamp, priority: Int? = nil, deadline: Timestamp? = nil,
        source: SourceIdentity?, options: String = ""
    ) {
        self.name = name
        self.className = className
        self.created = created
        self.priority = priority
        self.deadline = deadline
        self.source = source
        self.options = options
    }
}

/// What makes jobs of one batch alike to the scheduler.
package struct FlowKey: Hashable, Sendable {
    package var className: String
    package var model: String
    package var endpoint: Endpoint

    package init(className: String, model: String, endpoint: Endpoint) {
        self.className = className
        self.model = model
        self.endpoint = endpoint
    }
}

/// One accepted input line, as places in its chunk's buffer.
package struct IntakeLine: Sendable, Equatable {
    /// UTF-8, decoded: as results will print it after encoding.
    package var customID: Range<Int>
    package var body: Range<Int>
    /// Index into the chunk's flows.
    package var flow: Int
    /// Line number in the source, from 1.
    package var line: Int
    package var maxOutputTokens: Int?
    package var beyond: BeyondBytes
    /// The request says itself in which tier it is to be answered.
    package var namesTier: Bool

    package init(
        customID: Range<Int>, body: Range<Int>, flow: Int, line: Int, maxOutputTokens: Int?,
        beyond: BeyondBytes = .none, namesTier: Bool = false
    ) {
        self.customID = customID
        self.body = body
        self.flow = flow
        self.line = line
        self.maxOutputTokens = maxOutputTokens
        self.beyond = beyond
        self.namesTier = namesTier
    }
}

/// An input line that was left out.
package struct RejectedLine: Sendable, Equatable {
    package var line: Int
    package var reason: String

    package init(line: Int, reason: String) {
        self.line = line
        self.reason = reason
    }
}

/// Some lines that are recorded together, best about 10,000. Bytes that are not in the source as they are (a decoded
/// id, a body that was built) are appended to the same buffer.
package struct IntakeChunk: Sendable {
    package var buffer: [UInt8] = []
    package var flows: [FlowKey] = []
    package var lines: [IntakeLine] = []
    package var rejected: [RejectedLine] = []
    /// Where the source goes on after this chunk, in bytes from its start.
    package var newOffset: Int64 = 0
    /// Lines of the source up to there.
    package var newLineCount = 0

    package init() {}
}

/// A line whose id an earlier line of the batch has.
package struct DuplicateID: Sendable, Equatable {
    package var line: Int
    package var customID: String
    package var firstLine: Int

    package init(line: Int, customID: String, firstLine: Int) {
        self.line = line
        self.customID = customID
        self.firstLine = firstLine
    }
}

/// How sealing went.
package enum SealResult: Sendable, Equatable {
    /// The batch is open for running. `dropped` lists the first of the duplicates that were removed.
    case sealed(jobs: Int, dropped: [DuplicateID], droppedCount: Int)
    /// Nothing has changed; the first of the duplicates, and how many there are.
    case duplicates([DuplicateID], count: Int)
}
