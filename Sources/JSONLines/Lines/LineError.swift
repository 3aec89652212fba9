/// Why one line of an input file cannot become a job.
package struct LineError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of mistake, for programs; the raw value is a short word.
    package enum Code: String, Sendable {
        /// Not JSON; the reason names the column.
        case json
        /// JSON that stops too early.
        case truncated
        /// Not UTF-8.
        case encoding
        /// Nested too deep.
        case depth
        /// Longer than the maximum.
        case length
        /// The whole file is of another kind: compressed, Parquet, an array.
        case format
        /// JSON, but not an object.
        case type
        case duplicate
        case unknown
        case customID = "custom_id"
        case className = "class"
        case method
        case url
        case body
        case params
        case model
        case messages
        case input
        case prompt
        case system
        case stream
        case choices = "n"
        case maxTokens = "max_tokens"
    }

    /// The line's number, counted from 1.
    package let line: Int
    /// The kind of mistake.
    package let code: Code
    /// What is wrong and what to do, as one sentence without the line number.
    package let reason: String

    /// The reason with its line number, as a person reads it.
    package var description: String { "line \(line): \(reason)" }

    /// The error of a line that is longer than the splitter was allowed to yield.
    package static func tooLong(line: Int, maximumBytes: Int) -> LineError {
        let mebibyte = 1 << 20
        let size =
            maximumBytes >= mebibyte && maximumBytes % mebibyte == 0
            ? "\(maximumBytes / mebibyte) MiB" : "\(maximumBytes) bytes"
        return LineError(
            line: line, code: .length,
            reason:
                "the line is longer than the maximum of \(size); shorten the request, or split it into several lines")
    }
}
