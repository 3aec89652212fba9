import Testing

@testable import OffpeakCore

@Suite struct `Price book` {
    private static func list(_ name: String, _ prices: [String: (String, String, String?)]) -> PriceList {
        PriceList(
            name: name,
            entries: prices.mapValues { input, output, provider in
                .init(
                    price: ModelPrice(rates: Prices.rates(input, output), maxOutputTokens: 500, source: ""),
                    provider: provider)
            })
    }

    private func key(_ provider: String, name: String = "k") -> KeyDescriptor {
        KeyDescriptor(name: name, provider: provider)
    }

    private let rates = Prices.rates

    @Test func `terms come before the user's list, and that before the built-in table`() throws {
        let own = Self.list("prices.json", ["gpt-5-mini": ("7", "8", "openai")])
        var book = PriceBook(lists: [own, .builtIn])
        var price = try #require(book.price(of: key("openai"), model: "gpt-5-mini"))
        #expect(price.rates == Prices.rates("7", "8"))
        #expect(price.source == "prices.json")
        price = try #require(book.price(of: key("openai"), model: "gpt-5-nano"))
        #expect(price.rates == Prices.rates("0.05", "0.4", cached: "0.005"))
        #expect(price.source == "built in, \(PriceList.builtInDate)")
        book.terms["k"] = .terms(["gpt-5-mini": ModelTerms(rates: Prices.rates("1", "2"))])
        price = try #require(book.price(of: key("openai"), model: "gpt-5-mini"))
        #expect(price.rates == Prices.rates("1", "2"))
        #expect(price.source == "keys.k.prices")
        #expect(price.maxOutputTokens == 500)
        #expect(book.price(of: key("openai", name: "other"), model: "gpt-5-mini")?.source == "prices.json")
    }

    @Test func `what nobody has stated is unknown, and an explicit zero is a price`() {
        let list = Self.list("list", ["zero": ("0", "0", nil)])
        var book = PriceBook(lists: [list])
        #expect(book.price(of: key("openai"), model: "one") == nil)
        #expect(book.price(of: key("openai"), model: "zero")?.rates == .free)
        // Terms that only change a list price do not make one.
        book.terms["k"] = .terms(["*": ModelTerms(discountMillionths: 200_000)])
        #expect(book.price(of: key("openai"), model: "one") == nil)
        book.terms["k"] = .terms(["one": ModelTerms(lanes: [.batch: .share(millionths: 500_000)])])
        #expect(book.price(of: key("openai"), model: "one") == nil)
        book.terms["k"] = .free
        #expect(book.price(of: key("openai"), model: "one")?.rates == .free)
        #expect(book.price(of: key("openai"), model: "one")?.source == "keys.k.prices: free")
    }

    @Test func `the built-in table tells hour-long cache writes from others`() {
        // Anthropic's pricing page: a write for five minutes costs 1.25 times the input, one for an hour twice.
        let models = PriceList.builtIn.entries.filter { $0.value.provider == "anthropic" }
        #expect(models.count == 14)
        for (name, entry) in models {
            let tiers = [entry.price.rates] + entry.price.longContext.map(\.rates)
            for rates in tiers {
                #expect(rates.cacheWrite == rates.input / 4 * 5, "\(name)")
                #expect(rates.longCacheWrite == rates.input * 2, "\(name)")
            }
        }
    }

    @Test func `a discount lessens every rate of the list price, lanes and tiers included`() throws {
        let price = ModelPrice(
            rates: Prices.rates("1", "10", cached: "0.1"),
            longContext: [.init(above: 9, rates: Prices.rates("2", "20"), lanes: [.batch: Prices.rates("1", "10")])],
            lanes: [.batch: Prices.rates("0.5", "5")], source: "")
        let book = PriceBook(
            lists: [PriceList(name: "list", entries: ["m": .init(price: price)])],
            terms: ["k": .terms(["*": ModelTerms(discountMillionths: 125_000)])])
        let own = try #require(book.price(of: key("openai"), model: "m"))
        #expect(own.rates == Prices.rates("0.875", "8.75", cached: "0.0875"))
        #expect(own.lanes == [.batch: Prices.rates("0.4375", "4.375")])
        #expect(own.longContext.map(\.rates) == [Prices.rates("1.75", "17.5")])
        #expect(own.longContext[0].lanes == [.batch: Prices.rates("0.875", "8.75")])
        #expect(own.source == "keys.k.prices: 12.5 % off list")
    }

    @Test func `a lane's own price is a share of the price or rates, for inputs of every length`() throws {
        let price = ModelPrice(
            rates: Prices.rates("1", "10"), longContext: [.init(above: 9, rates: Prices.rates("2", "20"))], source: "")
        let list = PriceList(name: "list", entries: ["m": .init(price: price)])
        let lanes: [Lane: ModelTerms.LanePrice] = [
            .batch: .share(millionths: 500_000), .flex: .rates(Prices.rates("3", "4")),
        ]
        var book = PriceBook(lists: [list], terms: ["k": .terms(["m": ModelTerms(lanes: lanes)])])
        let own = try #require(book.price(of: key("openai"), model: "m"))
        #expect(own.rates(inputTokens: 1, lane: .sync) == Prices.rates("1", "10"))
        #expect(own.rates(inputTokens: 1, lane: .batch) == Prices.rates("0.5", "5"))
        #expect(own.rates(inputTokens: 10, lane: .batch) == Prices.rates("1", "10"))
        #expect(own.rates(inputTokens: 10, lane: .flex) == Prices.rates("3", "4"))
        // Terms for all models hold where the model's own are silent.
        book.terms["k"] = .terms([
            "*": ModelTerms(discountMillionths: 500_000, lanes: [.batch: .share(millionths: 100_000)]),
            "m": ModelTerms(lanes: [.flex: .share(millionths: 900_000)]),
            "n": ModelTerms(rates: Prices.rates("5", "5")),
        ])
        let both = try #require(book.price(of: key("openai"), model: "m"))
        #expect(both.rates == Prices.rates("0.5", "5"))
        #expect(both.lanes == [.batch: Prices.rates("0.05", "0.5"), .flex: Prices.rates("0.45", "4.5")])
        #expect(book.price(of: key("openai"), model: "n")?.rates == Prices.rates("5", "5"))
    }

    @Test func `own rates leave what a list takes for sound and for each request as it is, and a discount is off it`()
        throws
    {
        var listed = ModelPrice(
            rates: Prices.rates("1", "10"), lanes: [.priority: Prices.rates("2", "20")], perRequest: .dollars(2),
            source: "")
        (listed.rates.audioInput, listed.rates.audioOutput) = (7, 9)
        var book = PriceBook(lists: [PriceList(name: "list", entries: ["m": .init(price: listed)])])
        book.terms["k"] = .terms(["m": ModelTerms(rates: Prices.rates("3", "4"), lanes: [.flex: .rates(.free)])])
        let own = try #require(book.price(of: key("openai"), model: "m"))
        #expect(own.rates.input == 3_000_000_000 && own.rates.audioInput == 7 && own.rates.audioOutput == 9)
        #expect(own.lanes[.flex]?.audioInput == 7 && own.perRequest == .dollars(2))
        book.terms["k"] = .terms(["m": ModelTerms(discountMillionths: 500_000)])
        let less = try #require(book.price(of: key("openai"), model: "m"))
        #expect(less.rates.audioInput == 4 && less.perRequest == .dollars(1))
        #expect(less.lanes[.priority] == Prices.rates("1", "10"))
        book.terms["k"] = .free
        #expect(book.price(of: key("openai"), model: "m")?.isFree == true)
    }

    @Test(arguments: [
        ("gpt-4o-search-preview", true), ("gpt-4o-mini-search-preview-2025-03-11", true), ("gpt-5-search-api", true),
        ("o3-deep-research", true), ("sonar", true), ("perplexity/sonar-pro", true), ("openai/gpt-5:online", true),
        ("Sonar-Reasoning", true), ("gpt-5-mini", false), ("claude-sonnet-5", false), ("research-deep", false),
        ("perplexity/openai/gpt-5.2", false), ("my-sonar", false), ("sonar/llama", false),
    ])
    func `a model that searches by itself is known by its name, wherever its price is from`(model: String, does: Bool) {
        let rates = ModelTerms(rates: Prices.rates("1", "2"))
        let list = PriceList(name: "", entries: [model: .init(price: ModelPrice(rates: .free, source: ""))])
        for book in [PriceBook(lists: [], terms: ["k": .terms(["*": rates])]), PriceBook(lists: [list])] {
            #expect(book.price(of: key("mine"), model: model)?.addsSearches == does)
        }
        // One's own server bills nothing.
        #expect(PriceBook(terms: ["k": .free]).price(of: key("mine"), model: model)?.addsSearches == false)
    }

    static let names: [(provider: String, model: String, input: String?, source: String)] = [
        ("openai", "gpt-5-mini", "1", "list"),
        ("openai", "gpt-5-mini-2025-08-07", "1", "list, as gpt-5-mini, without the date"),
        ("openai", "gpt-4o-2024-05-13", "2", "list"),
        ("openai", "gpt-4o-2024-99-13", nil, ""),
        ("openai", "gpt-5-mini-0807", nil, ""),
        ("openai", "claude-haiku-4-5", nil, ""),
        ("anthropic", "claude-haiku-4-5-20251001", "3", "list, as claude-haiku-4-5, without the date"),
        ("anthropic", "claude-haiku-4-5@20251001", "3", "list, as claude-haiku-4-5, without the date"),
        ("gemini", "gemini-2.5-pro", "4", "list, as gemini/gemini-2.5-pro"),
        ("gemini", "models/gemini-2.5-pro", "4", "list, as gemini/gemini-2.5-pro"),
        ("groq", "openai/gpt-oss-120b", "5", "list, as groq/openai/gpt-oss-120b"),
        ("together", "openai/gpt-oss-120b", "6", "list, as together_ai/openai/gpt-oss-120b"),
        ("cerebras", "openai/gpt-oss-120b", nil, ""),
        ("openrouter", "x-ai/grok-4.3", "7", "list, as openrouter/x-ai/grok-4.3"),
        ("openrouter", "openai/gpt-5-mini", "1", "list, as gpt-5-mini"),
        ("openrouter", "anthropic/claude-haiku-4.5", "3", "list, as claude-haiku-4-5"),
        ("openrouter", "google/gemini-2.5-pro", "4", "list, as gemini/gemini-2.5-pro"),
        ("openrouter", "perplexity/sonar", "12", "list"),
        ("openrouter", "gpt-5-mini", nil, ""),
        ("openrouter", "openai/gpt-5-mini:free", nil, ""),
        ("vllm", "gpt-5-mini", nil, ""),
        ("ollama", "llama3", "0", "list, as ollama/llama3"),
        ("my-gateway", "gpt-5-mini", "1", "list"),
        ("my-gateway", "special", "8", "list, as my-gateway/special"),
        ("my-azure", "gpt-5-mini", "9", "list, as azure/gpt-5-mini"),
        ("mistral", "anyones", "11", "list"),
    ]

    @Test(arguments: names)
    func `a model is found under the name that its provider's prices have`(
        _ provider: String, _ model: String, _ input: String?, _ source: String
    ) {
        let list = Self.list(
            "list",
            [
                "gpt-5-mini": ("1", "0", "openai"), "gpt-4o-2024-05-13": ("2", "0", "openai"),
                "claude-haiku-4-5": ("3", "0", "anthropic"), "gemini/gemini-2.5-pro": ("4", "0", "gemini"),
                "groq/openai/gpt-oss-120b": ("5", "0", "groq"),
                "together_ai/openai/gpt-oss-120b": ("6", "0", "together_ai"),
                "openrouter/x-ai/grok-4.3": ("7", "0", "openrouter"), "xai/grok-4.3": ("70", "0", "xai"),
                "ollama/llama3": ("0", "0", "ollama"), "my-gateway/special": ("8", "0", nil),
                "azure/gpt-5-mini": ("9", "0", "azure"), "anyones": ("11", "0", nil),
                "perplexity/sonar": ("12", "0", "perplexity"),
            ])
        let book = PriceBook(lists: [list], aliases: ["my-azure": "azure"])
        let price = book.price(of: key(provider), model: model)
        #expect(price?.rates == input.map { Prices.rates($0, "0") })
        #expect(price?.source ?? "" == source)
    }

    @Test func `a key's terms for a model hold for its dated snapshots`() throws {
        let terms = ModelTerms(rates: Prices.rates("1", "2"))
        let book = PriceBook(terms: ["k": .terms(["gpt-5-mini": terms])])
        let price = try #require(book.price(of: key("openai"), model: "gpt-5-mini-2025-08-07"))
        #expect(price.rates == Prices.rates("1", "2"))
        #expect(price.source == "keys.k.prices, as gpt-5-mini")
    }

    @Test func `the built-in table has a price for the common models of every provider`() throws {
        let common = [
            ("openai", "gpt-5-mini"), ("openai", "text-embedding-3-small"), ("anthropic", "claude-haiku-4-5"),
            ("gemini", "gemini-2.5-flash"), ("mistral", "mistral-small-latest"), ("deepseek", "deepseek-chat"),
            ("xai", "grok-4.3"), ("groq", "openai/gpt-oss-120b"), ("cohere", "embed-v4.0"),
            ("cohere", "command-a-03-2025"), ("openrouter", "anthropic/claude-sonnet-4.6"),
        ]
        let book = PriceBook()
        for (provider, model) in common {
            let price = try #require(book.price(of: key(provider), model: model), "\(provider) \(model)")
            #expect(price.rates.input > 0)
            #expect(price.source.hasPrefix("built in, 2026-"))
        }
        #expect((60...120).contains(PriceList.builtIn.entries.count))
        let embedding = try #require(book.price(of: key("openai"), model: "text-embedding-3-small"))
        #expect(embedding.rates == Prices.rates("0.02", "0"))
    }

    @Test(arguments: [
        "m", "m 1/-/-", "m 1/-/-/x", "gpt-1 1/-/-/2 max=", "gpt-1 1/-/-/2 slow=0.5", "gpt-1 1/-/-/2 >100.batch=0.5",
        "gpt-1 -/-/-/2", "gpt-1 1/2/3/4 batch", "unknown 1/-/-/2",
    ])
    func `a line of the table that is not in its form is refused`(_ line: String) {
        #expect(PriceLine(Substring(line)) == nil)
    }
}
