import Foundation
import OffpeakConfiguration
import Testing

@testable import OffpeakCore

@Suite struct `Price lists` {
    /// Dollars per million tokens.
    private static func rates(
        _ input: String, _ output: String, cached: String? = nil, write: String? = nil, hour: String? = nil,
        reasoning: String? = nil, heard: String? = nil, heardAgain: String? = nil, spoken: String? = nil
    ) -> TokenRates {
        func rate(_ text: String) -> TokenRate { Money(dollars: text)!.nanodollars }
        return TokenRates(
            input: rate(input), cachedInput: cached.map(rate), cacheWrite: write.map(rate),
            longCacheWrite: hour.map(rate), audioInput: heard.map(rate), cachedAudioInput: heardAgain.map(rate),
            output: rate(output), reasoning: reasoning.map(rate), audioOutput: spoken.map(rate))
    }

    /// Models that do not exist, in the form of LiteLLM's list.
    private static let excerpt = #"""
        {
          "sample_spec": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "max_output_tokens": "text"},
          "plain": {"input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05, "litellm_provider": "openai",
                    "mode": "chat", "max_output_tokens": 128000, "max_input_tokens": 272000},
          "lanes": {"input_cost_per_token": 4e-06, "output_cost_per_token": 2e-05, "cache_read_input_token_cost": 4e-07,
                    "cache_creation_input_token_cost": 5e-06, "cache_creation_input_token_cost_above_1hr": 8e-06,
                    "input_cost_per_token_batches": 2e-06, "output_cost_per_token_batches": 1e-05,
                    "cache_read_input_token_cost_batches": 2e-07, "input_cost_per_token_flex": 3e-06,
                    "input_cost_per_token_priority": 8e-06, "output_cost_per_token_priority": 4e-05,
                    "cache_read_input_token_cost_priority": 8e-07, "input_cost_per_token_ultrafast": 9e-05},
          "sound": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "input_cost_per_audio_token": 4e-05,
                    "output_cost_per_audio_token": 8e-05, "cache_read_input_audio_token_cost": 4e-06,
                    "input_cost_per_token_batches": 5e-07, "input_cost_per_audio_token_batches": 2e-05},
          "by-request": {"input_cost_per_token": 0.0, "output_cost_per_token": 2e-06, "input_cost_per_request": 0.005},
          "broken-request": {"input_cost_per_token": 0.0, "output_cost_per_token": 2e-06, "input_cost_per_request": "?"},
          "tiers": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "cache_read_input_token_cost": 1e-07,
                    "input_cost_per_token_above_200k_tokens": 2e-06, "input_cost_per_token_above_512k_tokens": 3e-06,
                    "output_cost_per_token_above_512k_tokens": 9e-06, "input_cost_per_token_batches": 5e-07,
                    "input_cost_per_token_above_200k_tokens_batches": 1e-06,
                    "output_cost_per_token_above_200k_tokens_batches": 1e-06,
                    "input_cost_per_token_priority": 3e-06, "output_cost_per_token_priority": 6e-06,
                    "input_cost_per_token_above_200k_tokens_priority": 4e-06},
          "xai/from": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "litellm_provider": "xai",
                       "input_cost_per_token_above_128k_tokens": 2e-06},
          "ranges": {"tiered_pricing": [
            {"range": [0, 32000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06},
            {"range": [32000.0, 128000], "input_cost_per_token": 3e-06, "output_cost_per_token": 4e-06,
             "output_cost_per_reasoning_token": 5e-06}]},
          "reasoning": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "mode": "chat",
                        "output_cost_per_reasoning_token": 3e-06, "output_cost_per_token_batches": 1e-06},
          "reasoning-as-output": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
                        "output_cost_per_reasoning_token": 2e-06, "output_cost_per_token_batches": 1e-06},
          "strings": {"input_cost_per_token": "1.5e-07", "output_cost_per_token": "0.0000006"},
          "older-name": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
                         "cache_read_input_token_cost": 2e-07, "input_cost_per_token_cache_hit": 9e-07},
          "fine": {"input_cost_per_token": 9.499999999999999e-07, "output_cost_per_token": 1.6000000000000001e-06},
          "zero": {"input_cost_per_token": 0.0, "output_cost_per_token": 0},
          "embedding": {"input_cost_per_token": 2e-08, "mode": "embedding", "output_vector_size": 8},
          "image": {"mode": "image_generation", "output_cost_per_image": 0.04},
          "one-sided": {"input_cost_per_token": 1e-06, "mode": "chat"},
          "negative": {"input_cost_per_token": -1e-06, "output_cost_per_token": 2e-06},
          "words": {"input_cost_per_token": "cheap", "output_cost_per_token": 2e-06},
          "broken-lane": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
                          "input_cost_per_token_batches": [1]},
          "null": null,
          "number": 7
        }
        """#

    @Test func `every kind of token, lane and tier of the public list is read exactly`() throws {
        let list = try PriceList.reading(Array(Self.excerpt.utf8), name: "list")
        func price(_ name: String) throws -> ModelPrice { try #require(list.entries[name]?.price, "\(name)") }
        let plain = try price("plain")
        #expect(
            plain
                == ModelPrice(
                    rates: Self.rates("1.25", "10"), maxOutputTokens: 128_000, maxInputTokens: 272_000, source: ""))
        #expect(list.entries["plain"]?.provider == "openai")
        let lanes = try price("lanes")
        #expect(lanes.rates == Self.rates("4", "20", cached: "0.4", write: "5", hour: "8"))
        // What a lane does not list costs as in lane sync.
        #expect(
            lanes.lanes == [
                .batch: Self.rates("2", "10", cached: "0.2", write: "5", hour: "8"),
                .flex: Self.rates("3", "20", cached: "0.4", write: "5", hour: "8"),
                .priority: Self.rates("8", "40", cached: "0.8", write: "5", hour: "8"),
            ])
        #expect(try price("sound").rates == Self.rates("1", "2", heard: "40", heardAgain: "4", spoken: "80"))
        #expect(
            try price("sound").lanes == [
                .batch: Self.rates("0.5", "2", heard: "20", heardAgain: "4", spoken: "80")
            ])
        #expect(try price("by-request").perRequest == Money(dollars: "0.005"))
        #expect(plain.perRequest == .zero)
        #expect(lanes.longContext.isEmpty)
        let tiers = try price("tiers")
        #expect(tiers.longContext.map(\.above) == [200_000, 512_000])
        #expect(tiers.longContext[0].rates == Self.rates("2", "2", cached: "0.1"))
        #expect(
            tiers.longContext[0].lanes == [
                .batch: Self.rates("1", "1", cached: "0.1"), .priority: Self.rates("4", "2", cached: "0.1"),
            ])
        #expect(tiers.longContext[1].rates == Self.rates("3", "9", cached: "0.1"))
        #expect(tiers.longContext[1].lanes == [:])
        #expect(try price("xai/from").rates(inputTokens: 128_000, lane: .sync) == Self.rates("2", "2"))
        let ranges = try price("ranges")
        #expect(ranges.rates(inputTokens: 32_000, lane: .sync) == Self.rates("1", "2"))
        #expect(ranges.rates(inputTokens: 32_001, lane: .sync) == Self.rates("3", "4", reasoning: "5"))
        let reasoning = try price("reasoning")
        #expect(reasoning.rates == Self.rates("1", "2", reasoning: "3"))
        #expect(reasoning.lanes[.batch] == Self.rates("1", "1", reasoning: "3"))
        #expect(try price("reasoning-as-output").lanes[.batch] == Self.rates("1", "1"))
        #expect(try price("strings").rates == Self.rates("0.15", "0.6"))
        #expect(try price("older-name").rates.cachedInput == 200_000_000)
        #expect(try price("fine").rates == Self.rates("0.95", "1.600000001"))
        #expect(try price("zero").rates == .free)
        #expect(try price("embedding").rates == Self.rates("0.02", "0"))
    }

    @Test func `entries without a usable price per token are skipped and counted`() throws {
        let list = try PriceList.reading(Array(Self.excerpt.utf8), name: "list")
        for name in [
            "sample_spec", "image", "one-sided", "negative", "words", "broken-lane", "broken-request", "null", "number",
        ] {
            #expect(list.entries[name] == nil, "\(name)")
        }
        #expect(list.skipped == 8)
        #expect(list.entries.count == 14)
    }

    @Test(arguments: [
        ("", "is not JSON: there is nothing here, at byte 0"),
        ("model,price\n", "is not JSON: expected a value, found m, at byte 0"),
        ("{\"a\": {\"input", "is not JSON: the JSON ends in the middle of a string, at byte 13"),
        ("[1]", "is not a price list: expected one object with a member for each model"),
        ("{}", "has no model with `input_cost_per_token` and `output_cost_per_token`"),
        ("{\"openai\": {\"models\": {}}}", "has no model with `input_cost_per_token` and `output_cost_per_token`"),
    ])
    func `a file that is no price list says why`(_ text: String, _ message: String) {
        let error = #expect(throws: PriceList.Unreadable.self) {
            try PriceList.reading(Array(text.utf8), name: "list")
        }
        #expect(error?.message == message)
    }

    // MARK: The public list itself

    private static func silent(_ price: ModelPrice) -> ModelPrice {
        func silent(_ rates: TokenRates) -> TokenRates {
            var rates = rates
            (rates.audioInput, rates.cachedAudioInput, rates.audioOutput) = (nil, nil, nil)
            return rates
        }
        var price = price
        price.rates = silent(price.rates)
        price.lanes = price.lanes.mapValues(silent)
        price.longContext = price.longContext.map {
            .init(above: $0.above, rates: silent($0.rates), lanes: $0.lanes.mapValues(silent))
        }
        return price
    }

    /// LiteLLM's list, which is no part of this project and changes without it: compared when `OFFPEAK_PRICE_LIST` names it.
    private static let publicList = ProcessInfo.processInfo.environment["OFFPEAK_PRICE_LIST"]

    @Test(.enabled(if: publicList != nil, "no public price list; OFFPEAK_PRICE_LIST=FILE names one"))
    func `the built-in table agrees with the public list`() throws {
        let bytes = try Data(contentsOf: URL(filePath: try #require(Self.publicList)))
        let clock = ContinuousClock()
        var list = PriceList(name: "", entries: [:])
        let took = try clock.measure { list = try PriceList.reading(Array(bytes), name: "list") }
        print("read \(list.entries.count) prices, skipped \(list.skipped), in \(took)")
        #expect(list.entries.count > 3_000)
        for (name, entry) in PriceList.builtIn.entries {
            // Which has no prices for sound.
            let listed = list.entries[name].map { Self.silent($0.price) }
            #expect(listed == entry.price, "\(name)")
            let provider = list.entries[name]?.provider
            #expect(
                provider == entry.provider || provider == "\(entry.provider ?? "")_chat", "\(name): \(provider ?? "")")
        }
    }
}
