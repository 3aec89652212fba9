import OffpeakCore

/// A moment so many milliseconds after the tests' beginning of time.
func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: 1_700_000_000_000 + milliseconds) }

func second(_ seconds: Int64) -> Timestamp { at(seconds * 1_000) }

func failure(
    _ failureClass: FailureClass, judged: Bool = true, retryAfter: Interval? = nil, message: String = "no",
    usage: Usage = Usage()
) -> Failure {
    Failure(failureClass, code: "test", message: message, retryAfter: retryAfter, judged: judged, usage: usage)
}

func answered(_ usage: Usage = Usage(inputTokens: 10, outputTokens: 5)) -> AttemptReport {
    AttemptReport(
        outcome: .success(Answer(statusCode: 200, requestID: "", body: [0x7B, 0x7D], usage: usage)),
        usageReported: true)
}

func failed(_ failure: Failure) -> AttemptReport { AttemptReport(outcome: .failure(failure)) }

/// The line that reruns one case of a test that draws at random.
func rerun(_ test: String, seed: UInt64) -> String {
    "seed \(seed), again with: swift test --filter \"\(test)\""
}

extension Disposition {
    /// The word alone, which tables are written in.
    var kind: String { word }
}
