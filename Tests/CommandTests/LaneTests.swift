import Foundation
import Glibc
import Synchronization
import Testing

/// The lane flex with the real program: cheaper, slower, and often full. What every command says of it agrees with the
/// rehearsed provider's own count by tier.
@Suite(.turns) struct LaneTests {
    private static let jobs = 240
    /// Nano-dollars a token, in lane sync and in flex.
    private static let rates = ["sync": (input: 200, output: 1_600), "flex": (input: 100, output: 800)]

    private static func configuration(_ url: String) -> String {
        """
        { providers: { "rehearsed": { kind: "openai", base_url: "\(url)" } },
          keys: {
            "own": { provider: "rehearsed", secret: { env: "KEY_OWN" }, limits: { concurrent: 16 },
                     lanes: ["flex", "sync"], prices: { "m": { input: 0.2, output: 1.6, flex: 0.5 } } },
          },
          classes: {
            "nightly": { posture: "cost" },
            "careful": { posture: "strict", keys: { only: ["own"] } },
          } }
        """
    }

    private static func profile(_ flex: String) -> String {
        """
        { seed: 4, latency: "10ms", answer: { tokens: { min: 5, max: 40 } }, flex: { \(flex) },
          keys: { "test-own": { name: "own" } } }
        """
    }

    private static func body(_ number: Int, _ more: String = "") -> String {
        #"{"model":"m","max_tokens":30,\#(more)"messages":[{"role":"user","content":"say \#(number)"}]}"#
    }

    private static func batch(_ count: Int, _ more: String = "") -> String {
        (1001...(1000 + count)).map { number in
            #"{"custom_id":"p-\#(number)","method":"POST","url":"/v1/chat/completions","body":\#(body(number, more))}"#
                + "\n"
        }.joined()
    }

    private func place(_ flex: String, class name: String = "nightly", _ lines: String) async throws -> (
        Workplace, Provider
    ) {
        let place = try Workplace(environment: ["KEY_OWN": "test-own"])
        let provider = try await Provider(Self.profile(flex), in: place)
        place.providers.withLock { $0.append(provider) }
        try place.write(Self.configuration(provider.url), to: "offpeak.json5")
        try place.write(lines, to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", name)
        return (place, provider)
    }

    private static func cost(_ tier: Document, _ lane: String) -> Int {
        let rate = rates[lane] ?? (0, 0)
        return tier["input_tokens"].int * rate.input + tier["output_tokens"].int * rate.output
    }

    private static func names(_ tiers: Document) -> [String] { (tiers.value as? [String: Any] ?? [:]).keys.sorted() }

    private func rows(_ place: Workplace) async throws -> [String: Document] {
        let report = try await place.run("report", "--by", "lane", "--json").document()
        return Dictionary(uniqueKeysWithValues: report["rows"].list.map { ($0["lane"].text, $0) })
    }

    @Test func `scarce flex serves what it can, and each lane costs what the provider counts in its tier`() async throws
    {
        let (place, provider) = try await place(
            #"refused: 0.3, upgraded: 0.1, delay: "30ms""#, Self.batch(Self.jobs))
        let check = try await place.run("check")
        #expect(check.status == 0 && check.out.contains("on own it goes by the cheaper lane flex"), "\(check)")
        let run = try await place.run("run", "--json")
        #expect(run.status == 0, "\(run)")
        let tiers = try await provider.ledger()["by_tier"]
        #expect(tiers["flex"]["answers"].int + tiers["default"]["answers"].int == Self.jobs)
        #expect(
            tiers["flex"]["answers"].int > 0 && tiers["flex"]["refused"].int > 0 && tiers["default"]["answers"].int > 0)

        let rows = try await rows(place)
        #expect(Amounts(rows["flex"]!["cost"]) == Amounts(provider: Self.cost(tiers["flex"], "flex")))
        #expect(Amounts(rows["sync"]!["cost"]) == Amounts(provider: Self.cost(tiers["default"], "sync")))
        #expect(rows["flex"]!["jobs"].int == tiers["flex"]["answers"].int)
        let total = rows.values.reduce(Amounts()) { $0 + Amounts($1["cost"]) }
        #expect(Amounts(try run.document()["cost"]) == total)

        let results = try await place.run("results", "b1", "--receipts")
        let receipts = try results.out.split(separator: "\n").map { try Document(String($0) + "\n")["offpeak"] }
        #expect(receipts.count == Self.jobs)
        for lane in ["flex", "sync"] {
            let own = receipts.filter { $0["lane"].text == lane }
            #expect(own.count == rows[lane]!["jobs"].int, "\(lane)")
            #expect(own.reduce(Amounts()) { $0 + Amounts($1["cost"]) } == Amounts(rows[lane]!["cost"]), "\(lane)")
        }
        // A refusal uses up no attempt and costs nothing; the next one went by lane sync or, later, by flex.
        var seen = false
        for number in 1001...1060 where !seen {
            let attempts = try await place.run("explain", "b1", "p-\(number)", "--json").document()["attempts"].list
            guard attempts.count > 1 else { continue }
            seen = true
            #expect(attempts[0]["lane"].text == "flex" && attempts[0]["failure_class"].text == "overloaded")
            #expect(attempts[0]["reason"].text.contains("lane flex"))
            #expect(attempts.last!["outcome"].text == "succeeded")
        }
        #expect(seen, "some job was refused")
    }

    @Test func `a strict class never uses flex, and a request that names its tier keeps it`() async throws {
        let (strict, provider) = try await place("", class: "careful", Self.batch(30))
        #expect(try await strict.run("run").status == 0)
        let seen = try await provider.ledger()["by_tier"]
        #expect(seen["default"]["answers"].int == 30 && Self.names(seen) == ["default"])
        #expect(try await rows(strict).keys.sorted() == ["sync"])

        let (own, second) = try await place("", Self.batch(10, #""service_tier":"default","#))
        #expect(try await own.run("run").status == 0)
        let tiers = try await second.ledger()["by_tier"]
        #expect(tiers["default"]["answers"].int == 10 && Self.names(tiers) == ["default"])
        let attempts = try await own.run("explain", "b1", "p-1001", "--json").document()["attempts"].list
        #expect(attempts.map { $0["lane"].text } == ["sync"])
        #expect(attempts[0]["passed_over"][0]["reason"].text == "lane flex: the request names its own service_tier")
    }

    @Test func `killed in the middle, what was lost in flex counts at what the ordinary tier may cost`() async throws {
        let (place, provider) = try await place(#"refused: 0.1, delay: "100ms""#, Self.batch(Self.jobs))
        let run = try place.start("--quiet", "run")
        await provider.kill(run, atAnswers: 60)
        #expect(await run.wait() == 137)
        let last = try await place.run("run")
        #expect(last.status == 0, "\(last)")
        let results = try await place.run("results", "b1")
        #expect(results.status == 0 && results.out.split(separator: "\n").count == Self.jobs)
        // By lane: what was answered and counted, and each lost attempt at its most. The provider counts lost answers too.
        let rows = try await rows(place)
        let worst = Self.body(1001).utf8.count * 200 + 30 * 1_600
        let unknown = rows.values.reduce(0) { $0 + $1["cost"]["unknown"]["attempts"].int }
        #expect(unknown > 0 && unknown <= 16)
        for (lane, row) in rows {
            let lost = row["cost"]["unknown"]["attempts"].int
            #expect(Amounts.nano(row["cost"]["unknown"]["provider_usd"].text) == lost * worst, "\(lane)")
            let settled = Amounts.nano(row["cost"]["provider_usd"].text) - lost * worst
            let rate = Self.rates[lane] ?? (0, 0)
            #expect(
                settled == row["usage"]["input_tokens"].int * rate.input + row["usage"]["output_tokens"].int
                    * rate.output,
                "\(lane)")
        }
    }

    @Test func `plan names the lane, and what batch alone cannot do is a problem`() async throws {
        let (place, _) = try await place("", Self.batch(20))
        let plan = try await place.run("plan", "b1", "--json").document()
        #expect(plan["by_key"].list.map { $0["lane"].text } == ["flex"])
        #expect(!plan["alternatives"].list.contains { $0["name"].text == "flex lane" })
        try place.write(
            try place.read("offpeak.json5").replacing(#"["flex", "sync"]"#, with: #"["batch"]"#), to: "offpeak.json5")
        let check = try await place.run("check")
        #expect(check.status == 1)
        #expect(
            (check.out + check.err).contains("the lane batch is not in effect yet, and without another"), "\(check)")
    }
}
