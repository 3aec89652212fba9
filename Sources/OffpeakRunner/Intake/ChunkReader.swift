import Dispatch
import Foundation
import Glibc
import JSONLines
import OffpeakCore
import OffpeakStore
import Synchronization

/// Reads a JSONL stream on a thread of its own and cuts it into chunks for the queue, a few chunks ahead.
///
/// Reading and checking lines costs about as much as storing them, so the two go on side by side.
final class ChunkReader: Sendable {
    enum Item: Sendable {
        case chunk(IntakeChunk)
        case end
        case failed(errno: Int32)
    }

    /// Lines to a transaction: more is hardly faster, and the log grows with it.
    static let linesPerChunk = 10_000
    /// Chunks of huge lines end earlier, so that memory stays flat.
    static let bytesPerChunk = 16 << 20
    static let blockSize = 1 << 20

    private let items = Mailbox<Item>()
    private let slots = DispatchSemaphore(value: 3)
    private let isCancelled = Mutex(false)

    /// Starts to read from a descriptor, which stands at `offset` after `line` lines.
    init(descriptor: Int32, offset: Int64, line: Int, defaults: LineDefaults) {
        let work = Thread { [self] in read(descriptor, offset: offset, line: line, defaults: defaults) }
        work.start()
    }

    /// The next item; blocks until there is one. After `end` or `failed` there are no more.
    func next(_ waiting: inout [Item]) -> Item {
        if waiting.isEmpty { waiting = items.take(within: nil).reversed() }
        let item = waiting.removeLast()
        slots.signal()
        return item
    }

    /// Makes the thread end soon; take items until `end` comes.
    func cancel() { isCancelled.withLock { $0 = true } }

    private func post(_ item: Item) {
        slots.wait()
        items.post(item)
    }

    private func read(_ descriptor: Int32, offset: Int64, line: Int, defaults: LineDefaults) {
        var splitter = LineSplitter(resumingAt: Int(offset), afterLine: line)
        var builder = ChunkBuilder(defaults: defaults)
        var block = [UInt8](repeating: 0, count: Self.blockSize)
        while !isCancelled.withLock({ $0 }) {
            let count = Glibc.read(descriptor, &block, block.count)
            if count < 0 {
                if errno == EINTR { continue }
                return post(.failed(errno: errno))
            }
            let full = { [self] (chunk: IntakeChunk) in post(.chunk(chunk)) }
            if count == 0 {
                splitter.finish { builder.add($0, full: full) }
                break
            }
            guard !builder.isForeign else { break }
            block.withUnsafeBytes { bytes in
                splitter.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count])) { builder.add($0, full: full) }
            }
        }
        // Blank lines at the end count as read, too.
        post(.chunk(builder.take(offset: splitter.endOffset, lines: splitter.lineNumber)))
        post(.end)
    }
}

/// What a submit adds to its lines.
struct LineDefaults: Sendable {
    /// The class of lines that name none.
    var className: String
    /// The model of lines that name none.
    var model: String?
    /// The classes that a line may name.
    var knownClasses: Set<String>
    /// Whether a file that is no JSON Lines at all is not read further than its first line.
    var endsAtForeign: Bool
}

/// Gathers accepted and rejected lines into chunks.
struct ChunkBuilder {
    private let defaults: LineDefaults
    /// The source is of another kind (compressed, UTF-16, one array): what follows is no line of anything.
    private(set) var isForeign = false
    private var parser: RequestLineParser
    private var chunk = IntakeChunk()
    /// The raw bytes of the last line's model and class, to recognise the usual case that nothing changed.
    private var lastModel: [UInt8] = []
    private var lastClass: [UInt8] = []
    private var lastEndpoint: Endpoint?
    private var lastFlow = 0

    init(defaults: LineDefaults) {
        self.defaults = defaults
        parser = RequestLineParser(defaultModel: defaults.model)
    }

    /// Adds a line; hands over the chunk when it is full.
    mutating func add(_ line: LineSplitter.Line, full: (IntakeChunk) -> Void) {
        guard !isForeign else { return }
        do throws(LineError) {
            let request = try parser.parse(line)
            if let flow = flow(of: request, in: line.bytes) {
                append(request, flow, line)
            } else {
                let name = request.className(in: line.bytes) ?? ""
                chunk.rejected.append(
                    RejectedLine(
                        line: line.number,
                        reason: "class \"\(name)\" is not in the configuration; use one of: "
                            + defaults.knownClasses.sorted().joined(separator: ", ")))
            }
        } catch {
            chunk.rejected.append(RejectedLine(line: error.line, reason: error.reason))
            if line.number == 1, defaults.endsAtForeign { isForeign = FileStart.refusal(of: line.bytes) != nil }
        }
        if chunk.lines.count + chunk.rejected.count >= ChunkReader.linesPerChunk
            || chunk.buffer.count >= ChunkReader.bytesPerChunk
        {
            full(take(offset: line.endOffset, lines: line.number))
        }
    }

    /// What has been gathered, up to a place in the source.
    mutating func take(offset: Int, lines: Int) -> IntakeChunk {
        var taken = chunk
        taken.newOffset = Int64(offset)
        taken.newLineCount = lines
        chunk = IntakeChunk()
        chunk.buffer.reserveCapacity(min(ChunkReader.bytesPerChunk, taken.buffer.count + taken.buffer.count / 8))
        chunk.lines.reserveCapacity(taken.lines.count)
        lastEndpoint = nil
        return taken
    }

    private mutating func append(_ request: RequestLine, _ flow: Int, _ line: LineSplitter.Line) {
        let idStart = chunk.buffer.count
        if request.customIDNeedsUnescaping {
            chunk.buffer.append(contentsOf: request.customID(in: line.bytes).utf8)
        } else {
            chunk.buffer.append(contentsOf: line.bytes[request.customID])
        }
        let bodyStart = chunk.buffer.count
        if let body = request.body, request.model != nil || defaults.model == nil {
            chunk.buffer.append(contentsOf: line.bytes[body])
        } else {
            chunk.buffer.append(contentsOf: request.body(defaultModel: defaults.model, in: line.bytes))
        }
        chunk.lines.append(
            IntakeLine(
                customID: idStart..<bodyStart, body: bodyStart..<chunk.buffer.count, flow: flow, line: line.number,
                maxOutputTokens: request.mostOutputTokens, beyond: BeyondBytes(request.beyond),
                namesTier: request.namesTier))
    }

    /// The index of the line's flow; nil when its class is not known.
    private mutating func flow(of request: RequestLine, in bytes: UnsafeRawBufferPointer) -> Int? {
        let endpoint = Endpoint(rawValue: request.endpoint.rawValue)!
        let model = bytes[request.model ?? 0..<0]
        let className = bytes[request.className ?? 0..<0]
        if endpoint == lastEndpoint, model.elementsEqual(lastModel), className.elementsEqual(lastClass) {
            return lastFlow
        }
        let name = request.className(in: bytes) ?? defaults.className
        guard defaults.knownClasses.contains(name) else { return nil }
        let key = FlowKey(
            className: name, model: request.model(in: bytes) ?? defaults.model ?? "", endpoint: endpoint)
        if let known = chunk.flows.firstIndex(of: key) {
            lastFlow = known
        } else {
            lastFlow = chunk.flows.count
            chunk.flows.append(key)
        }
        (lastEndpoint, lastModel, lastClass) = (endpoint, Array(model), Array(className))
        return lastFlow
    }
}

extension BeyondBytes {
    fileprivate init(_ beyond: RequestLine.Beyond) {
        self =
            switch beyond {
            case .tokens(let tokens): .tokens(tokens)
            case .sound(let tokens): .sound(tokens)
            case .context: .context
            case .charges: .charges
            case .otherRate: .otherRate
            }
    }
}
