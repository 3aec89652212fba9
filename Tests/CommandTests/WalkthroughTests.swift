import Foundation
import Glibc
import Testing

/// `Examples/walkthrough.sh`: one configuration of five classes and six keys, one run in which everything that can run out
/// does so, and what the program says of it, against the provider's own account and the tests' own arithmetic.
///
/// `OFFPEAK_WALK_KILLS` makes the last test longer (50 kills take a minute); `OFFPEAK_WALK_SEED` draws the same moments again.
@Suite(.turns) struct WalkthroughTests {
    /// What the script says, in its order. Each sentence is checked by the test that follows.
    private static let headings = [
        "Five batches, one for each class. What a class may do is said before anything is sent.",
        "One run. It ends with status 3: all is done that can be done without a person.",
        "1. The credit runs out. Paid-for throughput was used first, then the credit, and only then money.",
        "2. The budget is reached. What does not fit is parked; not a cent more is spent.",
        "3. A key is revoked after 12 answers. A strict class waits for a person, and uses no other key.",
        "4. A key hits its quota of 15 requests a day. Ten support jobs go to the platform's capacity: another bill.",
        "5. A provider goes down. A resilient class goes on through shared capacity; the governance class waits until it is back.",
        "6. The platform's fee-free allowance is passed. From there on it takes 5 % of the list price.",
        "A person puts a new secret in the key's place; the parked contracts go on.",
        "What it cost, on which bill, and what a person should know of it.",
        "The provider's own account of tokens is the ledger's, to the last token.",
    ]

    @Test func `the walk-through shows six stories of one run, and each is told as it was`() async throws {
        let (walk, out, err, ledger) = try await Walk.byScript()
        let told = out.split(separator: "\n").filter { $0.hasPrefix("== ") }.map { String($0.dropFirst(3)) }
        #expect(told == Self.headings + ["done"])
        #expect(out.split(separator: "\n").count < 135 && !(out + err).contains("error:"), "\(out)\n\(err)")
        let parts = out.split(separator: "\n== ").map(String.init)
        func part(_ start: String) throws -> String { try #require(parts.first { $0.hasPrefix(start) }) }

        #expect(out.contains("class contracts: Sends through team-a and through no other key, whatever happens; "))
        let nightly = try await walk.place.status(of: "b3")["jobs"]
        let (done, parked) = (12 + 25 + nightly["succeeded"].int + 25 + 30, 8 + nightly["parked"].int)
        #expect(err.contains("\(done) jobs succeeded, 0 failed, \(parked) parked\n"), "one run had it all: \(err)")
        let jobs = try await walk.jobs()
        try await creditRunsOut(walk, jobs, try part("1. "))
        try await budgetIsReached(walk, jobs, try part("2. "))
        try await keyIsRevoked(walk, jobs, try part("3. "), ledger)
        try await quotaIsHit(walk, try part("4. "), ledger)
        try providerIsDown(jobs, try part("5. "), ledger)
        try await allowanceIsPassed(walk, try part("6. "))
        let notices = try await walk.report("key")["notices"].list
        #expect(notices.map { $0["kind"].text } == ["moved_bill", "moved_bill", "credit", "allowance"])
        for notice in notices { #expect(err.contains("notice: \(notice["message"].text)\n")) }
    }

    /// Story 1.
    private func creditRunsOut(_ walk: Walk, _ jobs: [WalkJob], _ text: String) async throws {
        let credit = try await walk.key("starter")["credit"]
        #expect(credit["usd"].text == "0.01" && credit["left_usd"].text == "0.00")
        #expect(text.contains("    credit: 0.00 of 0.01 USD left, until 2100-01-01T00:00:00Z\n"))
        #expect(text.contains("    provisioned: 2000 tokens a minute at no further cost\n"))
        let lines = try await walk.results("b3").filter { $0.has("offpeak") && !$0["response"].isNull }
        let costs = lines.map { (key: $0["offpeak"]["key"].text, cost: Amounts($0["offpeak"]["cost"])) }
        #expect(costs.allSatisfy { $0.key == "reserved" || $0.key == "starter" })
        #expect(costs.filter { $0.key == "reserved" }.allSatisfy { $0.cost == Amounts() })
        // 14 even if every job is taken to be as long as it may be; no job can be shorter than it was.
        #expect(14...16 ~= costs.count { $0.key == "reserved" })
        #expect(costs.reduce(0) { $0 + $1.cost.credit } == WalkBooks.credit)
        // One job was paid from both: it is the one that is explained, and nothing was paid before it.
        let both = costs.filter { $0.cost.credit > 0 && $0.cost.provider > 0 }
        #expect(both.count == 1 && text.contains(" USD of prepaid credit used\n"))
        let starter = jobs.flatMap(\.attempts).filter { $0.key == "starter" }
        let onCredit = starter.filter { $0.cost.credit > 0 }.map(\.ended).max() ?? ""
        #expect(starter.filter { $0.cost.credit == 0 }.allSatisfy { $0.ended >= onCredit })
    }

    /// Story 2.
    private func budgetIsReached(_ walk: Walk, _ jobs: [WalkJob], _ text: String) async throws {
        let status = try await walk.place.status(of: "b3")
        let (spent, parked) = (Amounts(status["cost"]).billed, status["jobs"]["parked"].int)
        let left = Amounts.nano(status["budgets"][0]["left_usd"].text)
        #expect(spent <= WalkBooks.budget && left == WalkBooks.budget - spent && parked > 0)
        #expect(status["jobs"]["succeeded"].int + parked == 60)
        let job = try await walk.explain("b3", "nightly-160")
        #expect(job["job"]["state"].text == "parked" && job["attempts"].list.isEmpty)
        #expect(job["job"]["failure"]["code"].text == "budget_exhausted")
        // One more could have cost more than what was left: its body's bytes, and 100 tokens of answer.
        let bytes = try #require(jobs.first { $0.className == "nightly" }?.attempts.first).bodyBytes
        #expect(left < WalkBooks.price("starter", input: bytes, output: 100))
        #expect(
            text.contains("\(parked) parked\n") && text.contains("  budget_exhausted: the budget of 0.02 USD per day "))
    }

    /// Story 3, and what a person does about it.
    private func keyIsRevoked(
        _ walk: Walk, _ jobs: [WalkJob], _ text: String, _ ledger: Document
    ) async throws {
        #expect(text.contains("    20 jobs: 12 succeeded, 8 parked\n"))
        #expect(text.contains("contracts-120 of b1, line 20, class contracts, model demo-small: parked\n"))
        #expect(text.contains("  invalid_api_key: key team-a: the provider refuses the key (HTTP 401)"))
        let accounts = ledger["by_key"]
        #expect(accounts["team-a"]["answers"].int == 12 && accounts["team-a-2"]["answers"].int == 8)
        #expect(try await walk.place.status(of: "b1")["jobs"]["succeeded"].int == 20)
        let keys = jobs.filter { $0.className == "contracts" }.flatMap(\.attempts).map(\.key)
        #expect(Set(keys) == ["team-a"], "strict means strict")
        #expect(try await walk.key("team-a")["health"].text == "ok", "another secret is another chance")
    }

    /// Story 4.
    private func quotaIsHit(_ walk: Walk, _ text: String, _ ledger: Document) async throws {
        #expect(try await walk.key("team-b")["quota"]["left_requests"].int == 0)
        #expect(ProviderAccount("team-b", in: ledger).requests == WalkBooks.quota)
        let lines = try await walk.results("b2")
        #expect(lines.count { $0["offpeak"]["key"].text == "team-b" && $0["offpeak"]["bill"].text == "provider" } == 15)
        let moved = lines.filter { $0["offpeak"]["key"].text == "shared" && $0["offpeak"]["bill"].text == "platform" }
        #expect(moved.count == 10)
        for line in moved {
            let passed = try await walk.explain("b2", line["custom_id"].text)["attempts"][0]["passed_over"][0]
            #expect(passed["key"].text == "team-b")
            #expect(passed["reason"].text == "its quota of 15 requests a day is used up")
        }
        #expect(text.contains("    quota: 0 of 15 requests left this day, until "))
        #expect(text.contains("     not key team-b: its quota of 15 requests a day is used up\n"))
        // Both keys of the pool were within the account's one limit.
        let pool = ledger["by_pool"]["team"]
        #expect(pool["peak_concurrent"].int <= 6 && pool["rejected_429"].int == 0)
        #expect(pool["requests"].int == 15 + ProviderAccount("team-a", in: ledger).requests)
    }

    /// Story 5.
    private func providerIsDown(_ jobs: [WalkJob], _ text: String, _ ledger: Document) throws {
        #expect(ledger["by_status"]["503"].int == 10)
        let alerts = jobs.filter { $0.className == "alerts" }
        let audited = jobs.filter { $0.className == "audited" }
        let struck = alerts.filter { $0.attempts[0].outcome == "failed" }
        #expect(!struck.isEmpty && struck.allSatisfy { $0.attempts.map(\.key) == ["router", "shared"] })
        #expect((alerts + audited).allSatisfy { $0.state == "succeeded" })
        let waited = audited.filter { $0.attempts[0].outcome == "failed" }
        #expect(!waited.isEmpty && audited.flatMap(\.attempts).allSatisfy { $0.key == "router" })
        // The resilient class was done before the provider was back, which the other one waited for.
        let failed = jobs.flatMap(\.attempts).filter { $0.key == "router" && $0.outcome == "failed" }.map(\.ended)
        let back = try #require(failed.max())
        #expect(alerts.flatMap(\.attempts).allSatisfy { $0.ended < back })
        #expect(audited.compactMap(\.attempts.last).allSatisfy { $0.ended > back })
        #expect(text.contains("     → shared: overloaded: shared capacity takes it\n"))
        #expect(text.contains("     overloaded: the provider is overloaded (HTTP 503)"))
        #expect(text.contains("class audited, model demo-small: succeeded\n"))
    }

    /// Story 6.
    private func allowanceIsPassed(_ walk: Walk, _ text: String) async throws {
        let key = try await walk.key("router")
        #expect(key["fee"]["allowance_left_usd"].text == "0.00" && key["fee"]["percent"].text == "5")
        let cost = Amounts(key["cost"])
        #expect(cost.provider > WalkBooks.allowance, "the list price is what the provider bills")
        #expect(cost.platform == (cost.provider - WalkBooks.allowance) / 20)
        #expect(Amounts.nano(key["fee"]["so_far_usd"].text) == cost.platform)
        #expect(text.contains("    fee: 5 % of the list price above 0.02 USD a month, of which 0.00 USD are left; "))
        // The last job was sent when nothing of it was left.
        let last = Amounts(try await walk.explain("b4", "audited-125")["attempts"].list.last?["cost"] ?? key["cost"])
        #expect(last.provider > 0 && last.platform == last.provider / 20)
        #expect(text.contains("audited-125 of b4, line 25, class audited, model demo-small: succeeded\n"))
    }

    @Test func `the walk-through's totals are the provider's counts times the terms, in every grouping`() async throws {
        let (walk, out, _, ledger) = try await Walk.byScript()
        let jobs = try await walk.jobs()
        let books = try await walk.checkBooks(jobs)
        try await walk.checkResults(jobs)
        #expect(books.total.lost == 0 && books.total.jobs == ledger["answers"].int)
        #expect(books.total.attempts == ledger["requests"].int)
        for key in Walk.keys {
            let (seen, own) = (ProviderAccount(key, in: ledger), try #require(books.groups["key"]?[key]))
            #expect(seen.requests == own.attempts && seen.answers == own.jobs, "\(key)")
            #expect(seen.input == own.input && seen.output == own.output, "\(key), to the last token")
            #expect(out.contains(try Regex("\(key) +\(own.input) input tokens, +\(own.output) output tokens\n")))
        }
        // The same from the provider's count alone.
        func value(_ key: String) -> Int {
            let seen = ProviderAccount(key, in: ledger)
            return WalkBooks.price(key, input: seen.input, output: seen.output)
        }
        let fee = (value("router") - WalkBooks.allowance) / 20
        #expect(
            books.total.cost
                == Amounts(
                    provider: value("team-a") + value("team-b") + value("router") + value("starter") - WalkBooks.credit,
                    platform: value("shared") + fee, credit: WalkBooks.credit))
        #expect(Set(try #require(books.groups["bill"]).keys) == ["provider", "router-byok", "platform"])
    }

    @Test func `killed at random moments, the walk-through answers every job once, and no budget or quota is exceeded`()
        async throws
    {
        let wanted = Self.number("OFFPEAK_WALK_KILLS", 7)
        let seed = UInt64(Self.number("OFFPEAK_WALK_SEED", Int(getpid())))
        print("walk-through: OFFPEAK_WALK_KILLS=\(wanted) OFFPEAK_WALK_SEED=\(seed)")
        var random = Lottery(state: seed)
        let (calm, _) = try await Walk.prepared()
        #expect(try await calm.place.run(["run"], limit: .seconds(120)).status == 3)
        try await calm.mend()
        let answers = try await calm.answers()
        #expect(answers.count == 100)
        var (kills, walks, lost) = (0, 0, 0)
        while kills < wanted {
            let (walk, provider) = try await Walk.prepared()
            // Many kills are spread over walks that are killed once to eight times.
            let most = wanted > 8 ? 1 + random.below(8) : wanted
            let done = try await walk.kill(atMost: min(most, wanted - kills), &random)
            #expect(done > 0, "the first run takes long enough to be killed")
            guard done > 0 else { return }
            (kills, walks) = (kills + done, walks + 1)
            let last = try await walk.place.run(["run"], limit: .seconds(180))
            #expect(last.status == 3 || last.status == 0, "\(last)")
            try await walk.mend()

            #expect(try await walk.answers() == answers, "the same answers as without a kill")
            let jobs = try await walk.jobs()
            let books = try await walk.checkBooks(jobs)
            try await walk.checkResults(jobs)
            lost += books.total.lost
            try await checkLimits(walk, jobs, books, try await provider.ledger())
        }
        print("walk-through: \(kills) kills in \(walks) walks, \(lost) answers lost and counted at their worst")
    }

    /// What the provider saw of a walk that was killed is within every limit, and within what the books say.
    private func checkLimits(_ walk: Walk, _ jobs: [WalkJob], _ books: WalkBooks, _ ledger: Document) async throws {
        for key in Walk.keys {
            let (seen, own) = (ProviderAccount(key, in: ledger), books.groups["key"]?[key] ?? WalkBooks.Sum())
            let settled = WalkBooks.price(key, input: own.input, output: own.output)
            let served = WalkBooks.price(key, input: seen.input, output: seen.output)
            let assumed = jobs.flatMap(\.attempts).filter { $0.key == key && $0.isAssumed }.reduce(0) {
                $0 + WalkBooks.price(key, input: $1.bodyBytes, output: $1.mostOutput)
            }
            #expect(settled <= served && served <= settled + assumed, "\(key)")
            #expect(seen.answers - own.jobs <= own.lost && seen.requests <= own.attempts, "\(key)")
        }
        // The budget, by the books and by what the provider served of it; the credit is no money.
        let nightly = try #require(books.groups["class"]?["nightly"])
        #expect(nightly.cost.billed <= WalkBooks.budget && nightly.cost.credit <= WalkBooks.credit)
        let starter = ProviderAccount("starter", in: ledger)
        let served = WalkBooks.price("starter", input: starter.input, output: starter.output)
        #expect(served <= WalkBooks.budget + WalkBooks.credit)
        let team = ProviderAccount("team-b", in: ledger)
        #expect(team.requests <= WalkBooks.quota)
        #expect(try await walk.key("team-b")["quota"]["left_requests"].int == 0)
        // Closed classes stayed on their keys.
        for (name, key) in [("contracts", "team-a"), ("audited", "router")] {
            #expect(jobs.filter { $0.className == name }.flatMap(\.attempts).allSatisfy { $0.key == key }, "\(name)")
        }
    }

    private static func number(_ name: String, _ standard: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? standard
    }
}

extension Walk {
    /// The answers of the batches that end with every job answered, by custom id.
    fileprivate func answers() async throws -> [String: String] {
        var answers: [String: String] = [:]
        for batch in ["b1", "b2", "b4", "b5"] {
            for line in try await results(batch) where !line["response"].isNull {
                let body = line["response"]["body"]
                let (id, text) = (line["custom_id"].text, body["choices"][0]["message"]["content"].text)
                answers[id] = "\(body["usage"]["prompt_tokens"].int) \(body["usage"]["completion_tokens"].int) \(text)"
            }
        }
        return answers
    }

    /// Starts runs and kills them, each after a while that chance decides, until one ends by itself; returns how many.
    fileprivate func kill(atMost most: Int, _ random: inout Lottery) async throws -> Int {
        for done in 0..<most {
            let run = try place.start("--quiet", "run")
            // The start and recovery take the first of these, the work of most classes the rest.
            try await Task.sleep(for: .milliseconds(20 + random.below(500)))
            run.signal(SIGKILL)
            if await run.wait() != 137 { return done }
        }
        return most
    }
}
