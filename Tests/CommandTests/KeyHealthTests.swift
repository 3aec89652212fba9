import Foundation
import Glibc
import Testing

/// What `keys` says of keys that take nothing now.
@Suite(.turns) struct KeyHealthTests {
    private static let names = ["requests", "tokens", "money", "pooled", "told", "ended", "daily", "well"]

    /// A cent a token of output and 30 of them in every answer; each key has a class of its own.
    private static func configuration(_ url: String) -> String {
        func key(_ name: String, _ rest: String, secret: String = "TEST_KEY_ONE") -> String {
            #""\#(name)": { provider: "r", secret: { env: "\#(secret)" }, \#(rest) }"#
        }
        let keys = [
            key("requests", #"limits: { concurrent: 1 }, quota: { requests: 2, per: "day" }"#),
            key("tokens", #"limits: { concurrent: 1 }, quota: { tokens: 200, per: "day" }"#),
            key(
                "money",
                #"limits: { concurrent: 1 }, quota: { usd: 1, per: "day" }, prices: { "m": { input: 0, output: 10000 } }"#
            ),
            key("pooled", #"limits: { concurrent: 1 }, pool: "org""#),
            key("told", "limits: { concurrent: 1 }", secret: "TEST_KEY_TWO"),
            key("ended", #"valid_until: "2026-01-31""#),
            key("daily", "limits: { concurrent: 1, rpd: 2 }"), key("well", "limits: { concurrent: 1 }"),
        ]
        let classes = names.map { #""of-\#($0)": { posture: "strict", keys: { only: ["\#($0)"] } }"# }
        return """
            { timezone: "\(Workplace.quietZone)", providers: { "r": { kind: "openai", base_url: "\(url)" } },
              pools: { "org": { quota: { requests: 3, per: "day" } } },
              keys: { \(keys.joined(separator: ", ")) }, classes: { \(classes.joined(separator: ", ")) } }
            """
    }

    private static func lines(_ name: String, _ count: Int) -> String {
        (1...count).map { number in
            #"{"custom_id":"\#(name)-\#(number)","class":"of-\#(name)","method":"POST","url":"/v1/chat/completions","#
                + #""body":{"model":"m","max_tokens":30,"messages":[{"role":"user","content":"say \#(number)"}]}}"#
                + "\n"
        }.joined()
    }

    private static let profile = """
        { latency: "5ms", answer: { tokens: { min: 30, max: 30 } },
          keys: { "test-key-one": {}, "test-key-two": { rpm: 3, window: "600s", headers: true } } }
        """

    @Test func `a key that takes nothing now is not ok, and says why and until when`() async throws {
        let (place, provider) = try await Workplace.rehearsed(Self.profile)
        try place.write(Self.configuration(provider.url), to: "offpeak.json5")
        // What has expired is known before there is any queue.
        func key(_ name: String) async throws -> Document {
            let keys = try await place.run("keys", "--json").document()["keys"].list
            return try #require(keys.first { $0["key"].text == name })
        }
        #expect(try await key("ended")["health"].text == "rejected")
        #expect(try await key("requests")["health"].text == "ok")

        try place.write(Self.names.map { Self.lines($0, $0 == "well" ? 2 : 6) }.joined(), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "of-well")
        let run = try place.start("run")
        try await place.until("all that can go has gone") { $0["jobs"]["succeeded"].int == 18 }
        let midnight = try await key("requests")["quota"]["resets"].text
        let expected: [(String, String, String)] = [
            ("requests", "exhausted", "its quota of 2 requests a day is used up"),
            (
                "tokens", "exhausted",
                "its quota of 200 tokens a day is used up but for less than a waiting job may take"
            ),
            ("money", "exhausted", "its quota of 1.00 USD a day is used up but for less than a waiting job may take"),
            ("pooled", "exhausted", "pool org: quota of 3 requests a day is used up"),
            ("told", "cooling", "the server says that nothing is left of its limit"),
            ("ended", "rejected", "the key's secret has expired"),
            ("daily", "exhausted", "its limit of 2 requests a day is used up"),
        ]
        func look(_ when: String) async throws {
            let text = try await place.ok("keys")
            for (name, health, reason) in expected {
                let key = try await key(name)
                #expect(key["health"].text == health && key["reason"].text == reason, "\(when): \(key)")
                let until = key["until"].optionalText
                switch health {
                case "exhausted": #expect(until == midnight, "\(when): \(key)")
                case "cooling": expect(key["until"], is: .time)
                default: #expect(until == nil, "\(when): \(key)")
                }
                let head = "  \(health)" + (until.map { " until \($0)" } ?? "") + ": \(reason)"
                #expect(
                    text.split(separator: "\n").contains { $0.hasPrefix("\(name)  ") && $0.hasSuffix(head) },
                    "\(when): \(text)")
            }
            let well = try await key("well")
            #expect(well["health"].text == "ok" && well["reason"].isNull && well["until"].isNull, "\(when)")
        }
        try await eventually("the run has noted what the server says") {
            try await key("told")["health"].text == "cooling"
        }
        try await look("during the run")
        run.signal(SIGTERM)
        #expect(await run.wait() == 143)
        try await look("after it")
        // A larger quota counts at once, without a run.
        let raised = Self.configuration(provider.url).replacing("requests: 2,", with: "requests: 3,")
        try place.write(raised, to: "offpeak.json5")
        #expect(try await key("requests")["health"].text == "ok")
    }

    @Test func `tokens of today are told as limits count them, and those in answers as report has them`() async throws {
        // The second and third request fail with their estimate counted; in JSON both numbers always stand.
        let (place, _) = try await Workplace.rehearsed(
            #"{ latency: "5ms", keys: { "test-key-one": { name: "one" } }, faults: [{ what: "500", key: "one", at: [2, 3] }] }"#,
            limits: "concurrent: 1",
            classes: #""nightly": { posture: "cost", backoff: { base: "10ms", cap: "20ms" } }"#)
        try await place.submit(6)
        try await place.ok("run")
        let used = try await place.run("keys", "--json").document()["keys"][0]["used"]
        let usage = try await place.run("report", "--by", "key", "--json").document()["total"]["usage"]
        let answered = usage["input_tokens"].int + usage["output_tokens"].int
        #expect(used["answered_tokens_today"].int == answered && answered > 0)
        #expect(used["requests_today"].int == 8 && used["tokens_today"].int > answered)
        let text = try await place.ok("keys")
        #expect(
            text.contains(
                "    today: 8 requests, \(used["tokens_today"].int) tokens as limits count them (\(answered) in answers); in all 8 attempts"
            ), "\(text)")
    }
}
