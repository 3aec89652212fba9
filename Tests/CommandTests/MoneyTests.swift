import Foundation
import Glibc
import Synchronization
import Testing

/// What things cost: what every command says of it agrees with what the rehearsed provider itself counted, times the
/// configured prices, to the nano-dollar.
@Suite(.turns) struct MoneyTests {
    private static let cost = Shape.object([
        "provider_usd": .text, "platform_usd": .text, "credit_usd": .text,
        "unknown": .object(["attempts": .int, "provider_usd": .text, "platform_usd": .text]),
    ])
    private static let totals: [String: Shape] = [
        "jobs": .int, "attempts": .int,
        "usage": .object(["input_tokens": .int, "cached_tokens": .int, "output_tokens": .int]), "cost": cost,
    ]
    private static let groupings = ["key", "class", "model", "batch", "day", "bill"]

    private static func isSame(_ a: Document, _ b: Document) -> Bool {
        (a.value as? NSObject).map { $0.isEqual(b.value) } ?? false
    }

    private static func body(_ name: String, _ number: Int) -> String {
        #"{"model":"m","max_tokens":30,"messages":[{"role":"user","content":"say \#(name) \#(number)"}]}"#
    }

    /// Numbers of equal length, so that all bodies of a batch are equally long.
    private static func batch(_ name: String, _ count: Int) -> String {
        (101...(100 + count)).map { number in
            #"{"custom_id":"\#(name)-\#(number)","method":"POST","url":"/v1/chat/completions","body":"#
                + body(name, number) + "}\n"
        }.joined()
    }

    /// Four keys, one for each way of paying and one that nobody knows a price for. Rates are whole nano-dollars a token.
    private static func configuration(_ url: String) -> String {
        """
        { timezone: "Europe/Berlin",
          providers: { "rehearsed": { kind: "openai", base_url: "\(url)" } },
          keys: {
            "own": { provider: "rehearsed", secret: { env: "KEY_OWN" }, limits: { concurrent: 4 },
                     quota: { requests: 30, usd: 1, tokens: 100000, per: "day" },
                     credit: { usd: 0.0005, expires: "2099-01-31" },
                     prices: { "m": { input: 0.2, output: 1.6 } } },
            "router": { provider: "rehearsed", secret: { env: "KEY_ROUTER" }, limits: { concurrent: 4 },
                        billing: "router-byok", fee: { percent: 5, allowance_usd: 0.0004, per: "month" },
                        prices: { "m": { input: 0.2, output: 2 } } },
            "shared": { provider: "rehearsed", secret: { env: "KEY_SHARED" }, limits: { concurrent: 4 },
                        billing: "platform", prices: { "m": { input: 0.3, output: 2.5 } } },
            "blank": { provider: "rehearsed", secret: { env: "KEY_BLANK" }, limits: { concurrent: 4 } },
          },
          classes: {
            "nightly": { posture: "fallback", keys: { only: ["own", "shared"] }, budget: { usd: 1, per: "day" },
                         backoff: { base: "10ms", cap: "20ms" } },
            "routed": { posture: "strict", keys: { only: ["router"] } },
            "blind": { posture: "strict", keys: { only: ["blank"] } },
          } }
        """
    }

    private static let profile = """
        { seed: 1, latency: "5ms", answer: { tokens: { min: 5, max: 40 } },
          keys: { "test-own": { name: "own" }, "test-router": { name: "router" }, "test-shared": { name: "shared" },
                  "test-blank": { name: "blank" } },
          faults: [{ what: "cut", key: "own", at: [7] }, { what: "503", key: "own", at: [3] }] }
        """

    /// Three batches, answered: the first is more than its own key's quota takes, and one answer is lost on the way.
    private func books() async throws -> (place: Workplace, provider: Provider, run: Outcome) {
        let place = try Workplace(environment: [
            "KEY_OWN": "test-own", "KEY_ROUTER": "test-router", "KEY_SHARED": "test-shared", "KEY_BLANK": "test-blank",
        ])
        let provider = try await Provider(Self.profile, in: place)
        place.providers.withLock { $0.append(provider) }
        try place.write(Self.configuration(provider.url), to: "offpeak.json5")
        for (name, count) in [("nightly", 50), ("routed", 15), ("blind", 3)] {
            try place.write(Self.batch(name, count), to: "\(name).jsonl")
            try await place.ok("submit", "\(name).jsonl", "--class", name)
        }
        let run = try await place.run("run", "--json")
        #expect(run.status == 0, "\(run)")
        return (place, provider, run)
    }

    /// What each key must have cost, by the provider's own account and the configured prices.
    private func expected(_ provider: Provider) async throws -> [String: Amounts] {
        let keys = try await provider.ledger()["by_key"]
        func price(_ key: String, _ input: Int, _ output: Int) -> Int {
            keys[key]["input_tokens"].int * input + keys[key]["output_tokens"].int * output
        }
        // The lost answer: as many input tokens as its body has bytes, and the longest answer that it allows.
        let lost = Self.body("nightly", 101).utf8.count * 200 + 30 * 1_600
        let routed = price("router", 200, 2_000)
        #expect(routed > 400_000, "the allowance is passed")
        return [
            "own": Amounts(provider: price("own", 200, 1_600) - 500_000 + lost, credit: 500_000, unknown: lost),
            // 5 % of what is above the allowance.
            "router": Amounts(provider: routed, platform: (routed - 400_000) / 20),
            "shared": Amounts(platform: price("shared", 300, 2_500)),
            "blank": Amounts(),
        ]
    }

    @Test func `every total is the provider's own count of tokens times the prices, to the nano-dollar`() async throws {
        let (place, provider, run) = try await books()
        let expected = try await expected(provider)
        let sum = expected.values.reduce(Amounts(), +)
        let ledger = try await provider.ledger()["by_key"]
        #expect(Amounts(try run.document()["cost"]) == sum)
        for grouping in Self.groupings {
            let report = try await place.run("report", "--by", grouping, "--json").document()
            let row = Shape.object(Self.totals.merging([grouping: .text]) { $1 })
            expect(
                report,
                is: .object([
                    "since": .orNull(.time), "until": .time, "by": .oneOf([grouping]), "rows": .list(row),
                    "total": .object(Self.totals), "notices": .list(.object(["kind": .text, "message": .text])),
                ]))
            #expect(Amounts(report["total"]["cost"]) == sum, "\(grouping)")
            #expect(report["rows"].list.reduce(Amounts()) { $0 + Amounts($1["cost"]) } == sum, "\(grouping)")
            #expect(report["total"]["jobs"].int == 68 && report["total"]["attempts"].int == 70)
            #expect(report["rows"].list.reduce(0) { $0 + $1["attempts"].int } == 70)
            let tokens = expected.keys.reduce(0) { $0 + ledger[$1]["output_tokens"].int }
            #expect(report["total"]["usage"]["output_tokens"].int == tokens)
            #expect(report["rows"].list.reduce(0) { $0 + $1["usage"]["output_tokens"].int } == tokens)
        }
        let byKey = try await place.run("report", "--json").document()["rows"].list
        let keys = try await place.run("keys", "--json").document()["keys"].list
        #expect(byKey.map { $0["key"].text } == ["blank", "own", "router", "shared"])
        for row in byKey {
            let name = row["key"].text
            #expect(Amounts(row["cost"]) == expected[name], "\(name)")
            #expect(row["usage"]["input_tokens"].int == ledger[name]["input_tokens"].int)
            #expect(row["usage"]["output_tokens"].int == ledger[name]["output_tokens"].int)
            let key = keys.first { $0["key"].text == name }
            #expect(key.map { Amounts($0["cost"]) } == expected[name])
        }
        let byBill = try await place.run("report", "--by", "bill", "--json").document()["rows"].list
        #expect(byBill.map { $0["bill"].text } == ["platform", "provider", "router-byok"])
        #expect(
            byBill.map { Amounts($0["cost"]) } == [
                expected["shared"]!, expected["own"]! + expected["blank"]!, expected["router"]!,
            ])
    }

    @Test func `a batch's cost is the sum of its receipts and of its jobs' attempts`() async throws {
        let (place, provider, _) = try await books()
        let expected = try await expected(provider)
        let status = try await place.status()
        expect(status["cost"], is: Self.cost)
        #expect(Amounts(status["cost"]) == expected["own"]! + expected["shared"]!)
        let budget = status["budgets"][0]
        #expect(budget["class"].text == "nightly" && budget["usd"].text == "1.00" && budget["per"].text == "day")
        let spent = Amounts(status["cost"]).provider + Amounts(status["cost"]).platform
        #expect(Amounts.nano(budget["left_usd"].text) == 1_000_000_000 - spent)
        #expect(try await place.status(of: "b3")["unpriced_tokens"].int > 0)

        let lines = try Document.lines(try await place.ok("results", "b1", "--receipts"))
        #expect(lines.count == 50)
        var sum = Amounts()
        var attempts = 0
        for line in lines {
            let receipt = line["offpeak"]
            expect(
                receipt,
                is: .object([
                    "key": .oneOf(["own", "shared"]), "provider": .oneOf(["rehearsed"]), "model": .oneOf(["m"]),
                    "lane": .oneOf(["sync"]), "bill": .oneOf(["provider", "platform"]), "attempts": .int,
                    "cost": Self.cost,
                ]))
            #expect((receipt["key"].text == "own") == (receipt["bill"].text == "provider"))
            let usage = line["response"]["body"]["usage"]
            #expect(receipt["usage"]["output_tokens"].int == usage["completion_tokens"].int)
            sum = sum + Amounts(receipt["cost"])
            attempts += receipt["attempts"].int
        }
        #expect(sum == Amounts(status["cost"]) && attempts == 52)
        let plain = try Document.lines(try await place.ok("results", "b1"))
        #expect(plain.allSatisfy { !$0.has("offpeak") })

        // The job whose answer was lost: both of its attempts, each with its own certainty.
        let lost = lines.first { $0["offpeak"]["cost"]["unknown"]["attempts"].int == 1 }
        let id = try #require(lost)["custom_id"].text
        let explained = try await place.run("explain", "b1", id, "--json").document()["attempts"].list
        #expect(explained.map { $0["cost_is"].text } == ["assumed", "settled"])
        #expect(explained.reduce(Amounts()) { $0 + Amounts($1["cost"]) } == Amounts(lost!["offpeak"]["cost"]))
        #expect(explained.allSatisfy { $0["lane"].text == "sync" && !$0["chosen"].text.isEmpty })
        let words = try await place.ok("explain", "b1", id)
        #expect(words.contains("on the provider's bill: unknown") && words.contains("assumed: the answer was lost"))
        #expect(
            words.contains(
                "\n     the answer was lost: the request had left, so it is taken to have been answered, and charged at its most\n"
            ), "\(words)")

        let elsewhere = try #require(lines.last)["custom_id"].text
        let moved = try await place.run("explain", "b1", elsewhere, "--json").document()["attempts"][0]
        #expect(moved["key"].text == "shared" && moved["bill"].text == "platform")
        #expect(moved["passed_over"][0]["key"].text == "own" && moved["not_chosen"].list.isEmpty)
        #expect(explained[0]["not_chosen"][0]["key"].text == "shared")
        #expect(explained[0]["not_chosen"][0]["reason"].text == "shared capacity comes after own keys")
        #expect(moved["passed_over"][0]["reason"].text.contains("quota"))
        #expect(Amounts(moved["cost"]).platform > 0 && Amounts(moved["cost"]).provider == 0)
    }

    @Test func `quota, credit and allowance are told with what is left of them`() async throws {
        let (place, provider, _) = try await books()
        let expected = try await expected(provider)
        let all = try await place.run("keys", "--json").document()["keys"].list
        let keys = Dictionary(uniqueKeysWithValues: all.map { ($0["key"].text, $0) })
        let own = try #require(keys["own"])
        expect(
            own["quota"],
            is: .object([
                "usd": .text, "left_usd": .text, "requests": .int, "left_requests": .int, "tokens": .int,
                "left_tokens": .int, "per": .oneOf(["day"]), "resets": .time,
            ]))
        let value = expected["own"]!.provider + expected["own"]!.credit
        #expect(Amounts.nano(own["quota"]["left_usd"].text) == 1_000_000_000 - value)
        #expect(own["quota"]["left_requests"].int == 0)
        #expect(own["credit"]["usd"].text == "0.0005" && own["credit"]["left_usd"].text == "0.00")
        #expect(own["credit"]["expires"].text == "2099-01-31T23:00:00Z" && own["fee"].keys.isEmpty)
        let fee = try #require(keys["router"])["fee"]
        #expect(fee["allowance_usd"].text == "0.0004" && fee["allowance_left_usd"].text == "0.00")
        #expect(fee["percent"].text == "5" && fee["per"].text == "month")
        #expect(Amounts.nano(fee["so_far_usd"].text) == expected["router"]!.platform)
        expect(fee["resets"], is: .time)
        let words = try await place.ok("keys")
        #expect(words.contains("    credit: 0.00 of 0.0005 USD left, until 2099-01-31T23:00:00Z\n"))
        #expect(words.contains(", 0 of 30 requests left, "))
        #expect(words.contains("    fee: 5 % of the list price above 0.0004 USD a month, of which 0.00 USD are left; "))
    }

    @Test func `traffic that moves to another bill is noticed, in the run and in the report`() async throws {
        let (place, _, run) = try await books()
        let reason = "own: its quota of 1.00 USD, 30 requests, 100000 tokens a day is used up"
        #expect(
            run.err.contains(
                "notice: traffic of class nightly moved from key own (the provider's bill) to key shared "
                    + "(the platform's credits): \(reason)\n"), "\(run)")
        let notices = try await place.run("report", "--json").document()["notices"].list
        #expect(notices.map { $0["kind"].text } == ["moved_bill", "credit", "allowance", "unpriced", "unknown"])
        let moved = notices[0]
        #expect(moved["class"].text == "nightly" && moved["key"].text == "shared")
        #expect(moved["message"].text.hasPrefix("class nightly"))
        #expect(moved["message"].text.hasSuffix(": \(reason)"))
        #expect(moved["message"].text.contains("key shared (the platform's credits) since 20"))
        let table = try await place.run("report")
        for notice in notices { #expect(table.err.contains("notice: \(notice["message"].text)\n")) }
        // The same whole sum in words at the end of a run.
        let cost = try run.document()["cost"]
        #expect(
            run.err.contains(
                "cost of this run: provider \(cost["provider_usd"].text) USD, platform \(cost["platform_usd"].text) USD; "
                    + "0.0005 USD of prepaid credit used; "))
    }

    @Test func `table, CSV and page say the same, and a pruned batch stays in the books`() async throws {
        let (place, _, _) = try await books()
        let document = try await place.run("report", "--by", "class", "--json").document()
        let csv = try await place.ok("--quiet", "report", "--by", "class", "--csv").split(separator: "\n")
        let names = csv[0].split(separator: ",").map(String.init)
        #expect(names.prefix(3) == ["class", "jobs", "attempts"])
        let rows = csv.dropFirst().map { line in
            Dictionary(uniqueKeysWithValues: zip(names, line.split(separator: ",").map(String.init)))
        }
        #expect(rows.map { $0["class"] } == ["blind", "nightly", "routed", "total"])
        for (row, found) in zip(rows, document["rows"].list + [document["total"]]) {
            for name in ["provider_usd", "platform_usd", "credit_usd"] {
                #expect(row[name] == found["cost"][name].text)
            }
            #expect(row["jobs"] == "\(found["jobs"].int)" && row["attempts"] == "\(found["attempts"].int)")
        }
        let table = try await place.ok("--quiet", "report", "--by", "class").split(separator: "\n")
        #expect(table.count == 5 && table[0].contains("provider USD") && table[4].hasPrefix("total "))
        for (line, row) in zip(table.dropFirst(), rows) {
            let cells = line.split(separator: " ").map(String.init)
            #expect(cells == names.map { row[$0]! })
        }
        #expect(try await place.ok("--quiet", "report", "--by", "class", "--html", "r.html").isEmpty)
        let page = try place.read("r.html")
        for row in rows { for name in names { #expect(page.contains("<td>\(row[name]!)</td>")) } }

        let keys = try await place.run("keys", "--json").document()
        let sums = ["attempts": "attempts", "succeeded": "jobs"]
        for (of, total) in sums {
            #expect(keys["keys"].list.reduce(0) { $0 + $1["used"][of].int } == document["total"][total].int)
        }
        let unknown = document["total"]["cost"]["unknown"]["attempts"].int
        #expect(keys["keys"].list.reduce(0) { $0 + $1["used"]["unknown"].int } == unknown && unknown > 0)
        #expect(try await place.ok("prune", "--older-than", "1ms", "--json").contains(#""jobs":68"#))
        #expect(Self.isSame(try await place.run("keys", "--json").document(), keys))
        let later = try await place.run("report", "--by", "class", "--json").document()
        #expect(Self.isSame(later["rows"], document["rows"]) && Self.isSame(later["total"], document["total"]))
        let batches = try await place.run("report", "--by", "batch", "--json").document()["rows"].list
        #expect(batches.map { $0["batch"].text } == ["b1", "b2", "b3"] && batches.allSatisfy { $0["name"].isNull })
        // From a day that is still to come nothing is in the books; from long ago, everything.
        let none = try await place.run("report", "--since", "2999-01-01", "--json").document()
        #expect(none["rows"].list.isEmpty && none["total"]["attempts"].int == 0)
        #expect(none["since"].text == "2998-12-31T23:00:00Z", "the day begins when it does in the configured zone")
        for since in ["2020-01-01", "30d", "2020-01-01T12:00:00Z"] {
            let all = try await place.run("report", "--since", since, "--by", "class", "--json").document()
            #expect(Self.isSame(all["rows"], document["rows"]))
        }
        unlink(place.file("offpeak.json5"))
        let bare = try await place.run("report", "--json").document()
        #expect(Self.isSame(bare["total"], document["total"]))
        #expect(bare["notices"].list.map { $0["kind"].text } == ["moved_bill", "unknown"])
    }

    @Test func `a killed run's requests are in the books as spent, and everything still agrees`() async throws {
        let place = try Workplace(environment: ["KEY_OWN": "test-own"])
        let provider = try await Provider(
            #"{ seed: 2, latency: "30ms", answer: { tokens: { min: 5, max: 40 } }, keys: { "test-own": { name: "own" } } }"#,
            in: place)
        place.providers.withLock { $0.append(provider) }
        try place.write(
            """
            { providers: { "rehearsed": { kind: "openai", base_url: "\(provider.url)" } },
              keys: { "own": { provider: "rehearsed", secret: { env: "KEY_OWN" }, limits: { concurrent: 8 },
                               prices: { "m": { input: 0.2, output: 1.6 } } } },
              classes: { "nightly": { posture: "strict", keys: { only: ["own"] } } } }
            """, to: "offpeak.json5")
        try place.write(Self.batch("nightly", 200), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        for goal in [40, 100] {
            let run = try place.start("run")
            await provider.kill(run, atAnswers: goal)
            #expect(await run.wait() == 137)
        }
        try await place.ok("run")
        let lines = try Document.lines(try await place.ok("results", "b1", "--receipts"))
        let settled = lines.reduce(0) { sum, line in
            let usage = line["response"]["body"]["usage"]
            return sum + usage["prompt_tokens"].int * 200 + usage["completion_tokens"].int * 1_600
        }
        let lost = Self.body("nightly", 101).utf8.count * 200 + 30 * 1_600
        let report = try await place.run("report", "--json").document()["total"]
        let unknown = report["cost"]["unknown"]["attempts"].int
        let total = Amounts(report["cost"])
        #expect(unknown > 0 && report["attempts"].int == 200 + unknown)
        #expect(total == Amounts(provider: settled + unknown * lost, unknown: unknown * lost))
        #expect(lines.reduce(Amounts()) { $0 + Amounts($1["offpeak"]["cost"]) } == total)
        #expect(Amounts(try await place.status()["cost"]) == total)
        // What the provider answered and we lost is within what was assumed for it.
        let ledger = try await provider.ledger()["by_key"]["own"]
        let billed = ledger["input_tokens"].int * 200 + ledger["output_tokens"].int * 1_600
        #expect(settled <= billed && billed <= total.provider)
    }

    @Test func `the books can be read beside a run, which shows what it has spent`() async throws {
        let place = try Workplace(environment: ["KEY_OWN": "test-own"])
        let provider = try await Provider(
            #"{ seed: 3, latency: "200ms", keys: { "test-own": { name: "own" } } }"#, in: place)
        place.providers.withLock { $0.append(provider) }
        try place.write(
            """
            { providers: { "rehearsed": { kind: "openai", base_url: "\(provider.url)" } },
              keys: { "own": { provider: "rehearsed", secret: { env: "KEY_OWN" }, limits: { concurrent: 4 },
                               prices: { "m": { input: 0.2, output: 1.6 } } } },
              classes: { "nightly": { posture: "strict", keys: { only: ["own"] } } } }
            """, to: "offpeak.json5")
        try place.write(Self.batch("nightly", 60), to: "in.jsonl")
        try await place.ok("submit", "in.jsonl", "--class", "nightly")
        let run = try Child(
            "script", ["-qec", "'\(try Workplace.binary())' run", "/dev/null"], in: place.path,
            environment: ["PATH": "/usr/bin:/bin", "HOME": place.path, "KEY_OWN": "test-own", "TERM": "xterm"])
        try await provider.until("answers") { $0["answers"].int >= 8 }
        var earlier = 0
        var looks = 0
        while run.isRunning {
            let report = try await place.run("report", "--by", "day", "--json").document()
            let total = Amounts(report["total"]["cost"])
            #expect(report["rows"].list.reduce(Amounts()) { $0 + Amounts($1["cost"]) } == total)
            #expect(total.provider >= earlier, "entries are only added")
            earlier = total.provider
            looks += 1
        }
        #expect(await run.wait() == 0)
        #expect(looks > 1 && earlier > 0)
        let shown = await run.out.whole()
        #expect(shown.contains(/\d+ tokens, 0\.\d+ USD spent/), "\(shown)")
        let total = try await place.run("report", "--json").document()["total"]["cost"]["provider_usd"].text
        #expect(shown.contains("cost of this run: provider \(total) USD, platform 0.00 USD"))
        let ledger = try await provider.ledger()["by_key"]["own"]
        #expect(Amounts.nano(total) == ledger["input_tokens"].int * 200 + ledger["output_tokens"].int * 1_600)
    }
}
