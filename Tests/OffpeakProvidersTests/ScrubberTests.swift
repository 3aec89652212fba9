import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct ScrubberTests {
    static let key = "test-key-one-two-three"

    @Test(arguments: [
        ("bad key test-key-one-two-three.", "bad key [redacted]."),
        ("bad key TEST-KEY-ONE-TWO-THREE", "bad key [redacted]"),
        ("echo test-key-one-two… cut", "echo [redacted]… cut"),
        ("key-one-two-three at its end", "[redacted] at its end"),
        ("test-key-one-two-threetest-key-one-two-three", "[redacted]"),
        ("masked test-****hree is fine", "masked test-****hree is fine"),
        ("a\nb\r\n\tc\u{0}d\u{202e}e\u{2028}f", "a b c d e f"),
        ("  around  ", "around"),
        ("key sk-abcdefgh-0123456789 given", "key [redacted] given"),
        ("sent Authorization: Bearer abc123def", "sent Authorization: Bearer [redacted]"),
        ("Bearer token is missing", "Bearer token is missing"),
        ("see 0123456789abcdef0123456789abcdef01234567abc", "see [redacted]"),
        (
            "request 123e4567-e89b-12d3-a456-426614174000 of org-abcdefghij",
            "request 123e4567-e89b-12d3-a456-426614174000 of org-abcdefghij"
        ),
        ("Größe überschritten: 漢字", "Größe überschritten: 漢字"),
    ]) func `one clean line`(_ text: String, _ line: String) {
        #expect(Scrubber(secret: Secret(Self.key)).line(text) == line)
    }

    @Test func `a long line is cut after it is scrubbed`() {
        let scrubber = Scrubber(secret: Secret(Self.key))
        let line = scrubber.line(String(repeating: "é", count: 290) + Self.key + String(repeating: "y", count: 400))
        #expect(line.unicodeScalars.count == 300)
        #expect(line.hasSuffix("[redacted…"))
        #expect(!scrubber.contains(line))
    }

    @Test func `a word that gives something away is no code`() {
        let scrubber = Scrubber(secret: Secret(Self.key))
        #expect(scrubber.word("rate_limit_exceeded") == "rate_limit_exceeded")
        #expect(scrubber.word(Self.key) == nil)
        #expect(scrubber.word("sk-0123456789abcdef") == nil)
        #expect(scrubber.word("two words") == nil)
        #expect(scrubber.word("") == nil)
        #expect(scrubber.word(String(repeating: "x", count: 65)) == nil)
    }

    @Test func `a placeholder of a secret leaves words whole`() {
        #expect(Scrubber(secret: Secret("x")).line("next exit") == "next exit")
        #expect(Scrubber(secret: nil).line("plain") == "plain")
    }

    @Test func `a secret that resembles the marker is kept out as well`() {
        for secret in ["redacted", "[redacted]", "dact"] {
            let scrubber = Scrubber(secret: Secret(secret))
            #expect(!scrubber.contains(scrubber.line("it is \(secret) here")))
        }
    }
}
