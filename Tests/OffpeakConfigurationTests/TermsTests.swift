import Foundation
import OffpeakConfiguration
import OffpeakCore
import Testing

@Suite struct `Terms` {
    /// A configuration around some keys and classes.
    private func read(
        keys: String = "", classes: String = "", top: String = "", path: String = "test.json5"
    ) -> Result<Configuration, ConfigurationProblems> {
        let text = """
            { timezone: "Europe/Berlin", \(top)
              keys: { "main": { provider: "openai", secret: { env: "A" }, models: ["gpt-5-mini"] },
                      \(keys) },
              classes: { \(classes) } }
            """
        return Configuration.parse(text, path: path)
    }

    private func good(_ result: Result<Configuration, ConfigurationProblems>) throws -> Configuration {
        switch result {
        case .success(let configuration): return configuration
        case .failure(let failure):
            Issue.record("\(failure)")
            throw failure
        }
    }

    private func problems(_ result: Result<Configuration, ConfigurationProblems>) -> [String] {
        switch result {
        case .success: []
        case .failure(let failure):
            failure.problems.map { "\($0.path): \($0.message)" + ($0.hint.map { " (\($0))" } ?? "") }
        }
    }

    @Test func `every term of a key is read exactly`() throws {
        let configuration = try good(
            read(
                keys: """
                    "own": { provider: "openai", secret: { env: "B" }, pool: "org", billing: "provider",
                      models: { "fast": "gpt-5-mini", "other": "gpt-5-nano" }, lanes: ["sync"],
                      quota: { usd: 40.000000001, requests: 50000, tokens: 7, per: "day" },
                      credit: { usd: 300, since: "2026-08-01", expires: "2027-01-31" },
                      provisioned: { tpm: 50000 },
                      prices: { "*": { discount: 0.2 },
                                "fast": { input: 0.20, cached_input: 0.02, output: 1.60, batch: 0.5,
                                          flex: { input: 0.1, output: 0.7 } } },
                      valid_until: "2026-03-28" },
                    "router": { provider: "openrouter", secret: { env: "C" }, billing: "router-byok",
                      fee: { percent: 5.5, allowance_usd: 25000 } },
                    "free": { provider: "vllm", secret: "none", prices: "free" },
                    "counted": { provider: "openrouter", secret: { env: "D" }, billing: "router-byok",
                      fee: { percent: 5, allowance_requests: 1000000, per: "week" } },
                    """,
                top: #"pools: { "org": { rpm: 5, quota: { usd: 1.5, per: "month" } } },"#))
        let own = try #require(configuration.key("own"))
        #expect(
            own.quota == Quota(money: .init(nanodollars: 40_000_000_001), requests: 50_000, tokens: 7, per: .day))
        // 2026-08-01 00:00 in Berlin, two hours ahead of UTC; 2027-02-01 00:00, an hour ahead.
        #expect(
            own.credit
                == Credit(
                    amount: .dollars(300),
                    since: .init(number: 20_260_801, begins: Timestamp(milliseconds: 1_785_535_200_000)),
                    expires: Timestamp(milliseconds: 1_801_436_400_000)))
        #expect(own.provisionedTPM == 50_000)
        // The clocks go forward on 29 March, but at its first moment Berlin is still an hour ahead.
        #expect(own.validUntil == Timestamp(milliseconds: 1_774_738_800_000))
        #expect(
            configuration.pools == [
                PoolDescriptor(
                    name: "org", limits: Limits(rpm: 5),
                    quota: Quota(money: .init(nanodollars: 1_500_000_000), per: .month))
            ])
        #expect(
            configuration.key("router")?.fee
                == PlatformFee(shareMillionths: 55_000, allowance: .money(.dollars(25_000)), per: .month))
        #expect(
            configuration.key("counted")?.fee
                == PlatformFee(shareMillionths: 50_000, allowance: .requests(1_000_000), per: .week))
        let book = configuration.priceBook
        let mini = try #require(book.price(of: own, model: "gpt-5-mini"))
        #expect(mini.rates == TokenRates(input: 200_000_000, cachedInput: 20_000_000, output: 1_600_000_000))
        #expect(
            mini.lanes == [
                .batch: TokenRates(input: 100_000_000, cachedInput: 10_000_000, output: 800_000_000),
                .flex: TokenRates(input: 100_000_000, output: 700_000_000),
            ])
        #expect(book.price(of: own, model: "gpt-5-nano")?.rates.input == 40_000_000)
        #expect(book.price(of: own, model: "gpt-5-nano")?.source == "keys.own.prices: 20 % off built in, 2026-11-24")
        #expect(book.price(of: try #require(configuration.key("free")), model: "any")?.rates == .free)
        // Two of them serve any model.
        #expect(configuration.notices.map(\.path) == ["keys"], "\(configuration.notices)")
    }

    @Test func `the budget, the objective and shared capacity of a class are read`() throws {
        let configuration = try good(
            read(
                classes: """
                    "a": { posture: "cost", budget: { usd: 0.1, per: "week", then: "defer" }, objective: "order",
                           shared: "always", lanes: ["sync"] },
                    "b": { posture: "strict", keys: { only: ["main"] }, shared: "never",
                           budget: { usd: 20, per: "batch" } },
                    """))
        let first = try #require(configuration.policy(of: "a"))
        #expect(first.budget == Budget(limit: .init(nanodollars: 100_000_000), per: .week, then: .defer))
        #expect(first.objective == .order)
        #expect(first.shared == .always)
        #expect(configuration.policy(of: "b")?.budget == Budget(limit: .dollars(20), per: .batch, then: .park))
        #expect(configuration.notices.isEmpty, "\(configuration.notices)")
    }

    static let wrongKeys: [(String, [String])] = [
        (#"quota: { per: "day" }"#, ["quota: limits nothing (one or more of usd, requests, tokens)"]),
        (#"quota: { usd: 4 }"#, ["quota.per: is missing (one of day, week, month)"]),
        (
            #"quota: { usd: "4", per: "dya" }"#,
            [
                "quota.usd: expected a number, found a string (write it without quotes)",
                "quota.per: \"dya\" is not one of day, week, month (did you mean \"day\"?)",
            ]
        ),
        (#"quota: { usd: 0.0000000001, per: "day" }"#, ["quota.usd: 0.0000000001 has more than 9 decimal places"]),
        (#"quota: { usd: 1e18, per: "day" }"#, ["quota.usd: 1e18 is too large"]),
        (#"quota: { usd: -1, per: "day" }"#, ["quota.usd: -1 is too small (at least 0)"]),
        (#"quota: { usd: 0x10, per: "day" }"#, ["quota.usd: 0x10 is not a plain decimal number"]),
        (
            #"quota: { dollars: 1, per: "day" }"#,
            [
                "quota: limits nothing (one or more of usd, requests, tokens)",
                "quota.dollars: unknown field (known fields: usd, requests, tokens, per)",
            ]
        ),
        (
            #"credit: { expires: "2027-02-29" }"#,
            [
                "credit.usd: is missing (what is prepaid, in US dollars)",
                "credit.expires: \"2027-02-29\" is not a date such as \"2027-01-31\" (YYYY-MM-DD; the day itself still counts)",
            ]
        ),
        (
            #"credit: { usd: 3, since: "2027-03-01", expires: "2027-02-28" }"#,
            ["credit.expires: is before since: the credit is worth nothing on any day"]
        ),
        (
            #"valid_until: 20270131"#,
            [
                "valid_until: expected a date such as \"2027-01-31\", found the number 20270131 (put it in quotes)"
            ]
        ),
        (#"provisioned: {}"#, ["provisioned.tpm: is missing (the tokens per minute that are paid for)"]),
        (
            #"fee: { percent: 5 }"#,
            [
                "fee: a fee belongs to billing \"router-byok\", and this key's is \"provider\" (a platform's fee on traffic through your own provider key)"
            ]
        ),
        (
            #"billing: "router-byok", fee: { allowance_usd: 1, allowance_requests: 2 }"#,
            [
                "fee.percent: is missing (of the list price, such as 5)",
                "fee.allowance_requests: stands beside allowance_usd (the allowance counts one of them)",
            ]
        ),
        (
            #"billing: "platform", credit: { usd: 1 }, provisioned: { tpm: 1 }"#,
            [
                "credit: a platform-billed key has none of its own (it belongs to an account at the provider: billing \"provider\" or \"router-byok\")",
                "provisioned: a platform-billed key has none of its own (it belongs to an account at the provider: billing \"provider\" or \"router-byok\")",
            ]
        ),
        (
            #"prices: "fre""#,
            [
                "prices: expected terms by model, or \"free\", found a string (such as { \"*\": { discount: 0.2 } }; \"free\" for your own server)"
            ]
        ),
        (
            #"prices: { "*": {} }"#,
            [
                "prices[\"*\"]: says nothing (input and output in US dollars per million tokens, discount, batch or flex)"
            ]
        ),
        (
            #"prices: { "m": { input: 1 } }"#,
            [
                "prices.m.output: is missing (US dollars per million tokens; 0 for embeddings)"
            ]
        ),
        (
            #"prices: { "m": { discount: 20, batch: "half" } }"#,
            [
                "prices.m.discount: 20 is too large (at most 1)",
                "prices.m.batch: expected a number, found a string",
            ]
        ),
        (
            #"prices: { "m": { input: 1, output: 2, discount: 0.1, outptu: 3 } }"#,
            [
                "prices.m.discount: stands beside input (either rates of its own, or a share off the list price)",
                "prices.m.outptu: unknown field (did you mean \"output\"?)",
            ]
        ),
        (
            #"lanes: ["sync", "bach"]"#,
            [
                "lanes[1]: \"bach\" is not one of sync, flex, batch (did you mean \"batch\"?)"
            ]
        ),
        (
            #"lanes: ["sync", "priority"]"#,
            [
                "lanes[1]: \"priority\" is dearer, and is never asked for (one of sync, flex, batch; an answer that names it is counted in it)"
            ]
        ),
        (#"price: "free""#, ["price: unknown field (did you mean \"prices\"?)"]),
    ]

    @Test(arguments: wrongKeys)
    func `what is wrong with a key's terms is told with its place`(_ fields: String, _ expected: [String]) {
        let found = problems(read(keys: #""k": { provider: "openai", secret: { env: "B" }, \#(fields) }"#))
        #expect(found.sorted() == expected.map { "keys.k.\($0)" }.sorted())
    }

    static let wrongClasses: [(String, [String])] = [
        (
            #"posture: "cost", budget: {}"#,
            [
                "budget.usd: is missing (the most that the class may cost)",
                "budget.per: is missing (one of batch, day, week, month)",
            ]
        ),
        (
            #"posture: "cost", budget: { usd: 1, per: "batch", then: "defer" }"#,
            [
                "budget.then: a batch's budget has no reset to wait for (\"park\" waits for you to raise it, \"fail\" ends the job)"
            ]
        ),
        (
            #"posture: "cost", budget: { usd: 1, per: "year", then: "stop" }"#,
            [
                "budget.per: \"year\" is not one of batch, day, week, month",
                "budget.then: \"stop\" is not one of park, defer, fail",
            ]
        ),
        (
            #"posture: "governance", keys: { only: ["main"] }, shared: "spill""#,
            [
                "shared: a governance class never uses shared capacity (leave it out, or choose the posture fallback)"
            ]
        ),
    ]

    @Test(arguments: wrongClasses)
    func `what is wrong with a class's budget and sharing is told with its place`(
        _ fields: String, _ expected: [String]
    ) {
        let found = problems(read(classes: #""c": { \#(fields) }"#))
        #expect(found.sorted() == expected.map { "classes.c.\($0)" }.sorted())
    }

    @Test func `a model without a known price is an error for a class with a budget, elsewhere a notice`() throws {
        let key = #""k": { provider: "groq", secret: { env: "B" }, models: ["new-model"] }"#
        let budget = #"budget: { usd: 1, per: "day" }"#
        let unknown =
            "the price of \"new-model\" is unknown: what it costs is not counted, and the cost objective ranks it last"
        let without = try good(read(keys: key, classes: #""c": { posture: "cost" }"#))
        #expect(without.notices.map { "\($0.path): \($0.message)" } == ["keys.k.models: \(unknown)"])
        #expect(
            problems(read(keys: key, classes: #""c": { posture: "cost", \#(budget) }"#)) == [
                "classes.c.budget: cannot be kept: the price of \"new-model\" on key \"k\" is unknown (state it in keys.k.prices, or exclude the key)"
            ])
        _ = try good(read(keys: key, classes: #""c": { posture: "cost", keys: { exclude: ["k"] }, \#(budget) }"#))
        // A key that serves any model is judged by the class's chains.
        let any = #""k": { provider: "groq", secret: { env: "B" } }"#
        let unnamed = try good(read(keys: any, classes: #""c": { posture: "cost", \#(budget) }"#))
        #expect(
            unnamed.notices.map { "\($0.path): \($0.message)" } == [
                "classes.c.budget: needs the price of each model that is submitted: neither the class nor key \"k\" names models, so none could be looked up here, and a job of a model without a known price is parked"
            ])
        for prices in [#""free""#, #"{ "*": { input: 1, output: 2 } }"#] {
            let everything = #""k": { provider: "groq", secret: { env: "B" }, prices: \#(prices) }"#
            #expect(try good(read(keys: everything, classes: #""c": { posture: "cost", \#(budget) }"#)).notices.isEmpty)
        }
        // Without a budget nothing stops, and what the chains name is told all the same.
        let named = #"models: { "gpt-5-mini": ["gpt-5-mini", "newer"] }"#
        let chained = try good(read(keys: any, classes: #""c": { posture: "cost", keys: { only: ["k"] }, \#(named) }"#))
        #expect(
            chained.notices.map { "\($0.path): \($0.message)" } == [
                "classes.c.models: the price of \"gpt-5-mini\", \"newer\" on key \"k\" is unknown: what it costs there is not counted, and the cost objective ranks it last"
            ])
        // Another key has the price of what lines name, and what they only fall back on is passed over: told, and no error.
        let chain = #"models: { "gpt-5-mini": ["gpt-5-mini", "newer"] }"#
        let told = try good(read(keys: any, classes: #""c": { posture: "cost", \#(chain), \#(budget) }"#))
        #expect(
            told.notices.map { "\($0.path): \($0.message)" } == [
                "classes.c.budget: keeps key \"k\" from serving \"gpt-5-mini\", \"newer\", whose price there is unknown"
            ])
        // What lines name and no key has a price for could not be served at all.
        let lost = #"models: { "newer": ["newer", "gpt-5-mini"] }"#
        #expect(
            problems(read(keys: any, classes: #""c": { posture: "cost", \#(lost), \#(budget) }"#)) == [
                "classes.c.budget: cannot be kept: the price of \"gpt-5-mini\", \"newer\" on key \"k\" is unknown (state it in keys.k.prices, or exclude the key)"
            ])
        let priced = #""k": { provider: "groq", secret: { env: "B" }, models: ["new-model"], prices: "free" }"#
        let known = try good(read(keys: priced, classes: #""c": { posture: "cost", \#(budget) }"#))
        #expect(known.notices.isEmpty)
    }

    @Test(arguments: [
        (
            "prices: { \"new-model\": { input: 1 } }",
            "keys.k.prices.new-model.output: is missing (US dollars per million tokens; 0 for embeddings)"
        ),
        (
            "prices: \"cheap\"",
            "keys.k.prices: expected terms by model, or \"free\", found a string (such as { \"*\": { discount: 0.2 } }; \"free\" for your own server)"
        ),
    ])
    func `a wrong price is told by itself, and not what it leaves unknown`(_ prices: String, _ problem: String) {
        let key = #""k": { provider: "groq", secret: { env: "B" }, models: ["new-model"], \#(prices) }"#
        let classes = #""c": { posture: "cost", budget: { usd: 1, per: "day" } }"#
        let result = read(keys: key, classes: classes)
        #expect(problems(result) == [problem])
        if case .failure(let failure) = result { #expect(failure.notices.isEmpty) }
        // What another key lacks is told all the same.
        let other = #", "l": { provider: "groq", secret: { env: "C" }, models: ["other-model"] }"#
        #expect(
            problems(read(keys: key + other, classes: classes)).sorted() == [
                "classes.c.budget: cannot be kept: the price of \"other-model\" on key \"l\" is unknown (state it in keys.l.prices, or exclude the key)",
                problem,
            ])
    }

    @Test func `no money at all is told, wherever it is the most that may be spent`() throws {
        let configuration = try good(
            read(
                keys: #""k": { provider: "openai", secret: { env: "B" }, quota: { usd: 0, per: "day" } }"#,
                classes: #""c": { posture: "cost", budget: { usd: 0, per: "batch" } }"#,
                top:
                    #"pools: { "p": { quota: { usd: 0.0, per: "week" } }, "q": { quota: { requests: 1, per: "week" } } },"#
            ))
        let words = "is 0: nothing that has a price can run"
        #expect(
            configuration.notices.filter { $0.path.hasSuffix("usd") }.map { "\($0.path): \($0.message)" } == [
                "pools.p.quota.usd: \(words)", "keys.k.quota.usd: \(words)", "classes.c.budget.usd: \(words)",
            ])
    }

    @Test func `keys with one secret are told to share a pool`() throws {
        let twin = #""k": { provider: "openai", secret: { env: "A" }"#
        let apart = try good(read(keys: twin + " }"))
        #expect(
            apart.notices.map { "\($0.path): \($0.message)" } == [
                "keys.k.secret: is the secret of \"main\" too, so both draw on one account's limits"
            ])
        let other = #""k": { provider: "groq", secret: { env: "A" } }"#
        #expect(try good(read(keys: other)).notices.isEmpty)
        let pooled = """
            "k": { provider: "groq", secret: { env: "B" }, pool: "p" }, "l": { provider: "groq", secret: { env: "B" }, pool: "p" },
            """
        #expect(try good(read(keys: pooled, top: "pools: { p: {} },")).notices.isEmpty)
    }

    @Test func `only what is not in effect yet is told as such`() throws {
        let configuration = try good(
            read(
                keys:
                    #""k": { provider: "openai", secret: { env: "B" }, lanes: ["sync", "batch"], billing: "platform" }"#,
                classes:
                    #""c": { posture: "cost", shared: "always", objective: "cost", lanes: ["batch", "sync"], dedupe: true }"#
            ))
        #expect(
            configuration.notices.map { "\($0.path): \($0.message)" }.sorted() == [
                "classes.c.dedupe: not in effect yet: offpeak sends equal lines as often as they stand in this version",
                "classes.c.lanes: batch is not in effect yet: requests go by the other lanes in this version",
                "keys.k.lanes: batch is not in effect yet: requests go by the other lanes in this version",
            ])
    }

    // MARK: Price lists

    /// A folder of the test's own.
    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "offpeak-terms-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test func `a price list beside the configuration comes before the built-in table`() throws {
        try inFolder { folder in
            let list = #"{"gpt-5-mini": {"input_cost_per_token": 1e-06, "output_cost_per_token": 3e-06}, "x": {}}"#
            try Data(list.utf8).write(to: URL(filePath: folder + "/own.json"))
            let configuration = try good(read(top: #"prices: "own.json","#, path: folder + "/offpeak.json5"))
            let key = try #require(configuration.key("main"))
            let price = try #require(configuration.priceBook.price(of: key, model: "gpt-5-mini"))
            #expect(price.rates == TokenRates(input: 1_000_000_000, output: 3_000_000_000))
            #expect(price.source == "own.json")
            #expect(configuration.priceBook.price(of: key, model: "gpt-5-nano")?.source == "built in, 2026-11-24")
            #expect(configuration.priceBook.lists.map(\.skipped) == [1, 0])
        }
    }

    @Test func `a model of one's own provider stands in a list under that provider's name`() throws {
        try inFolder { folder in
            let list =
                #"{ "local/my-model": { "input_cost_per_token": 2e-7, "output_cost_per_token": 8e-7, "max_input_tokens": 32768, "max_output_tokens": 8192 } }"#
            try Data(list.utf8).write(to: URL(filePath: folder + "/own.json"))
            let local = #""local": { kind: "openai", base_url: "http://127.0.0.1:8000/v1" }"#
            let keys = #""l": { provider: "local", secret: "none", models: ["my-model"] }"#
            let configuration = try good(
                read(
                    keys: keys, top: #"prices: "own.json", providers: { \#(local) },"#, path: folder + "/offpeak.json5")
            )
            let key = try #require(configuration.key("l"))
            let price = try #require(configuration.priceBook.price(of: key, model: "my-model"))
            #expect(price.rates == TokenRates(input: 200_000_000, output: 800_000_000))
            #expect(price.maxInputTokens == 32_768 && price.maxOutputTokens == 8_192)
            #expect(configuration.notices.isEmpty)
        }
    }

    @Test func `a price list that cannot be read is a problem with the file's name`() throws {
        try inFolder { folder in
            try Data("<html>".utf8).write(to: URL(filePath: folder + "/page.json"))
            let path = folder + "/offpeak.json5"
            #expect(
                problems(read(top: #"prices: "page.json","#, path: path)) == [
                    "prices: \"page.json\" is not JSON: expected a value, found <, at byte 0 (a price list in the form of LiteLLM's public one)"
                ])
            #expect(
                problems(read(top: #"prices: "none.json","#, path: path)) == [
                    "prices: the price list \"none.json\" cannot be read (a relative path starts at this file's folder)"
                ])
            #expect(problems(read(top: "prices: {},", path: path)) == ["prices: expected a string, found an object"])
        }
    }

    @Test func `a provider of the user's own naming has the prices of the one at its address`() throws {
        let configuration = try good(
            read(
                keys: """
                    "eu": { provider: "openai-eu", secret: { env: "B" } },
                    "az": { provider: "my-azure", secret: { env: "C" } },
                    """,
                top: """
                    providers: { "openai-eu": { kind: "openai", base_url: "https://api.openai.com/v1" },
                                 "my-azure": { kind: "openai", base_url: "https://us.openai.azure.com/openai/v1" },
                                 "here": { kind: "openai", base_url: "http://127.0.0.1:11434/v1" } },
                    """))
        #expect(configuration.priceBook.aliases == ["openai-eu": "openai", "my-azure": "azure"])
        let eu = try #require(configuration.key("eu"))
        #expect(configuration.priceBook.price(of: eu, model: "gpt-5-mini")?.rates.input == 250_000_000)
        // Azure's prices are its own, and none is built in.
        #expect(configuration.priceBook.price(of: try #require(configuration.key("az")), model: "gpt-5-mini") == nil)
    }

    // MARK: Sentences

    static let sentences: [(String, [String])] = [
        (
            #"posture: "cost", budget: { usd: 20, per: "day", then: "park" }"#,
            [
                "Sends through whichever of main and second has room and is cheapest;",
                "shared-1, billed by a platform, serves only what would else miss the deadline;",
                "it costs at most 20.00 US dollars a day, both bills together, and a job that does not fit any more is parked until you raise that",
            ]
        ),
        (
            #"posture: "fallback", budget: { usd: 0.5, per: "month", then: "defer" }"#,
            [
                "Sends through main while it has room, then second;",
                "goes to another of these keys, then goes to shared-1, then waits for the reset",
                "shared-1, billed by a platform, serves only what its own keys cannot;",
                "0.50 US dollars a month, both bills together, and a job that does not fit any more waits for the next month",
            ]
        ),
        (
            #"posture: "resilience", budget: { usd: 3, per: "batch", then: "fail" }"#,
            [
                "Sends through whichever of main and second has room and answers fastest;",
                "shared-1, billed by a platform, serves it too, after its own keys;",
                "3.00 US dollars a batch, both bills together, and a job that does not fit any more ends as failed",
            ]
        ),
        (
            #"posture: "strict", keys: { only: ["main"] }"#,
            [
                "Sends through main and through no other key, whatever happens;",
                "nothing billed by a platform may serve it",
            ]
        ),
        (
            #"posture: "fallback", keys: { exclude: ["shared-1"] }"#,
            ["there is no platform-billed key that could serve it;"]
        ),
    ]

    @Test(arguments: sentences)
    func `a class's sentence tells of its objective, shared capacity and budget`(
        _ fields: String, _ parts: [String]
    ) throws {
        let keys = """
            "second": { provider: "openai", secret: { env: "B" }, models: ["gpt-5-mini"] },
            "shared-1": { provider: "openrouter", secret: { env: "C" }, billing: "platform",
                          models: ["openai/gpt-5-mini"] },
            """
        let configuration = try good(read(keys: keys, classes: #""c": { \#(fields) }"#))
        let sentence = try #require(configuration.policy(of: "c")).sentence(in: configuration, at: today)
        for part in parts { #expect(sentence.contains(part), "\(sentence)") }
        #expect(!sentence.contains("in this version"))
    }
}
