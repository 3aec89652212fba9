import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct WaitTimeTests {
    static let now = CivilDate.rfc3339("2026-10-04T12:00:00Z")

    @Test(arguments: [
        ("20", 20_000), ("0", 0), ("1.5", 1_500), ("0.0004", 0), (" 7 ", 7_000), ("300", 300_000),
        ("1s", 1_000), ("6m0s", 360_000), ("2m59.56s", 179_560), ("12ms", 12), ("1h0m0s", 3_600_000),
        ("600.5s", 600_500), ("50.597142857s", 50_598), ("800us", 1), ("800µs", 1), ("1d", 86_400_000),
        ("2026-10-04T12:00:30Z", 30_000), ("2026-10-04T11:59:00Z", 0), ("Sun, 04 Oct 2026 12:01:00 GMT", 60_000),
        ("1791115230", 30_000), ("1791115230000", 30_000), ("1791115230500", 30_500),
        ("90d", 2_678_400_000), ("999999999", 2_678_400_000), ("9999999999", 2_678_400_000),
    ]) func `a header's wait is read in every form`(_ text: String, _ milliseconds: Int64) {
        #expect(WaitTime.header(text, now: Self.now)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", " ", "-1", "-5s", "soon", "1e3", "1.", ".5", "5x", "s", "1s2", "1 2", "12ms!", "+3", "NaN", "0x10",
        "1m-3s", "١٢", "1,5",
    ]) func `garbage and negative waits are no wait`(_ text: String) {
        #expect(WaitTime.header(text, now: Self.now) == nil)
    }

    @Test func `moments need the server's own clock`() {
        for text in ["2026-10-04T12:00:30Z", "Sun, 04 Oct 2026 12:01:00 GMT", "1791115230"] {
            #expect(WaitTime.header(text, now: nil) == nil)
        }
        #expect(WaitTime.header("30", now: nil) == .seconds(30))
    }

    @Test(arguments: [("250", 250), ("0.4", 1), ("1500.75", 1_501), ("99999999999999", 2_678_400_000)])
    func `retry-after-ms is in milliseconds`(_ text: String, _ milliseconds: Int64) {
        #expect(WaitTime.milliseconds(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        ("Rate limit reached. Please try again in 1.5s. Visit the console.", 1_500),
        ("Please try again in 9m38.016s. Need more tokens?", 578_016),
        ("Please retry after 20 seconds.", 20_000),
        ("Please try again in 20ms.", 20),
        ("try again in 2 minutes and 5 seconds", 120_000),
        ("try again in 1 hour 30 minutes", 5_400_000),
        ("Please retry in 33.6s.", 33_600),
        ("No deployments available, Try again in 60 seconds", 60_000),
        ("please wait 3 min before", 180_000),
        ("Try again in 1h2m3s.", 3_723_000),
    ]) func `a message's wait is the last resort`(_ text: String, _ milliseconds: Int64) {
        #expect(WaitTime.inMessage(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "Please try again later.", "try again in a moment", "retry after fixing your request", "try again in 5 tries",
        "", "wait", "retry in", "Please wait 10",
    ]) func `a message without a wait has none`(_ text: String) {
        #expect(WaitTime.inMessage(text) == nil)
    }
}
