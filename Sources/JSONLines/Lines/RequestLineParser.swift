/// Turns the lines of an input file into requests, in one pass over each line's bytes and as a rule without allocating.
///
/// What is checked here is what offpeak needs to queue, route and record a line, and what no provider would accept. Everything
/// else in a body is the provider's to judge.
package struct RequestLineParser: Sendable {
    /// The longest `custom_id`, in bytes of its decoded text.
    package static let maximumCustomIDBytes = 512

    private let hasDefaultModel: Bool
    private let maximumLineBytes: Int
    /// Kept between lines for its memory only.
    private var names = SeenNames()

    /// - Parameters:
    ///   - defaultModel: the model of lines that name none; without it they are errors.
    ///   - maximumLineBytes: the splitter's maximum, which the error of a longer line names.
    package init(defaultModel: String? = nil, maximumLineBytes: Int = LineSplitter.defaultMaximumLineBytes) {
        hasDefaultModel = defaultModel != nil
        self.maximumLineBytes = maximumLineBytes
    }

    /// The request of a line that the splitter yielded; its ranges are offsets in `line.bytes`.
    package mutating func parse(_ line: LineSplitter.Line) throws(LineError) -> RequestLine {
        guard !line.isTooLong else { throw .tooLong(line: line.number, maximumBytes: maximumLineBytes) }
        return try parse(line.bytes, line: line.number)
    }

    /// The request of the line whose bytes, without its line feed, are given.
    package mutating func parse(_ bytes: UnsafeRawBufferPointer, line: Int) throws(LineError) -> RequestLine {
        // SAFETY: the scan borrows the bytes and ends with this call.
        var scan = LineScan(bytes)
        guard scan.run(&names) else { throw syntaxRefusal(scan.cursor, line: line) }
        return try LineChecks(scan: scan, line: line, hasDefaultModel: hasDefaultModel).request()
    }
}
