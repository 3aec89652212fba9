import JSONLines

extension Ledger {
    /// The ledger as one JSON document, as `GET /_rehearse/ledger` shows it.
    package func json() -> [UInt8] {
        JSONWriter.object {
            $0.member("requests", requests)
            $0.member("admitted", admitted)
            $0.member("answers", answers)
            $0.member("spoiled_answers", spoiled)
            $0.member("undelivered", undelivered)
            $0.member("in_flight", inFlight)
            $0.object("by_status") { Self.write(byStatus, to: &$0) }
            $0.object("by_key") { Self.write(keys, to: &$0) }
            $0.object("by_pool") { Self.write(pools, to: &$0) }
            $0.object("by_tier") {
                for (name, tier) in tiers.sorted(by: { $0.key < $1.key }) {
                    $0.object(name) {
                        $0.member("answers", tier.answers)
                        $0.member("requests", tier.requests)
                        $0.member("refused", tier.refused)
                        $0.member("input_tokens", tier.inputTokens)
                        $0.member("output_tokens", tier.outputTokens)
                    }
                }
            }
            $0.member("duplicates_by_body", duplicates)
            $0.array("duplicates") {
                for (body, times) in duplicated {
                    $0.object {
                        $0.member("hash", hexadecimal(body))
                        $0.member("times", times)
                    }
                }
            }
            $0.object("requests_repeated") { Self.writeRepeats(repeats(admittedOnly: false), to: &$0) }
            $0.object("admitted_repeated") { Self.writeRepeats(repeats(admittedOnly: true), to: &$0) }
            $0.member("first_request_ms", firstRequest.map { $0 / 1_000 })
            $0.member("last_answer_ms", lastAnswer.map { $0 / 1_000 })
            $0.member("connections_peak", connectionsPeak)
        }
    }

    private static func write(_ counts: [Int: Int], to writer: inout JSONWriter) {
        for (number, count) in counts.sorted(by: { $0.key < $1.key }) { writer.member(String(number), count) }
    }

    private static func write(_ accounts: [Account], to writer: inout JSONWriter) {
        for account in accounts {
            writer.object(account.name) {
                $0.member("requests", account.requests)
                $0.member("answers", account.answers)
                $0.member("rejected_429", account.rejected429)
                $0.member("window_ms", account.peaks.window / 1_000)
                $0.member("peak_in_window", account.peakInWindow)
                $0.member("peak_tokens_in_window", account.peakTokensInWindow)
                $0.member("peak_concurrent", account.peakConcurrent)
                $0.member("input_tokens", account.inputTokens)
                $0.member("output_tokens", account.outputTokens)
            }
        }
    }

    private static func writeRepeats(_ counts: [Int: Int], to writer: inout JSONWriter) {
        writer.member("bodies", counts.values.reduce(0, +))
        writer.member("extra", counts.reduce(0) { $0 + $1.key * $1.value })
        writer.object("by_extra") { write(counts, to: &$0) }
    }
}
