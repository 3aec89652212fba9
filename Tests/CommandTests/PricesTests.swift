import Testing

@Suite struct `The prices command` {
    private func workplace() throws -> Workplace {
        let place = try Workplace()
        try place.write(
            """
            { prices: "list.json",
              keys: {
                "main": { provider: "openai", secret: "none", models: { "fast": "gpt-5-mini", "new": "unheard-of" },
                          prices: { "*": { discount: 0.1 } } },
                "any": { provider: "gemini", secret: "none" },
                "own": { provider: "vllm", secret: "none", prices: "free", models: ["llama"] },
              } }
            """, to: "offpeak.json5")
        try place.write(
            """
            { "gpt-5-mini": { "input_cost_per_token": 1e-06, "output_cost_per_token": 2.5e-06,
                              "input_cost_per_token_batches": 5e-07, "output_cost_per_token_batches": 1.25e-06,
                              "input_cost_per_token_above_200k_tokens": 2e-06 },
              "picture": { "output_cost_per_image": 0.04 } }
            """, to: "list.json")
        return place
    }

    @Test func `what applies to each key and model is shown with where it comes from`() async throws {
        let place = try workplace()
        let outcome = try await place.run("prices")
        #expect(outcome.status == 0, "\(outcome)")
        #expect(
            outcome.out == """
                main  provider openai, billed by the provider; US dollars per million tokens
                    fast (gpt-5-mini): input 0.90, output 2.25  [keys.main.prices: 10 % off list.json]
                        lane batch: input 0.45, output 1.125
                        above 200000 input tokens: input 1.80, output 2.25
                    new (unheard-of): unknown
                any  provider gemini, billed by the provider; US dollars per million tokens
                    serves any model: name the ones to look up, `offpeak prices MODEL…`
                own  provider vllm, billed by the provider; US dollars per million tokens
                    llama: free  [keys.own.prices: free]

                """)
        #expect(outcome.err.contains("list.json: 1 model, 1 other entries without a usable price per token\n"))
        #expect(outcome.err.contains("built in, 2026-11-24: "))
    }

    @Test func `models and a key may be named`() async throws {
        let place = try workplace()
        let named = try await place.run("prices", "gemini-2.5-flash", "--key", "any")
        #expect(
            named.out == """
                any  provider gemini, billed by the provider; US dollars per million tokens
                    gemini-2.5-flash: input 0.30, cached input 0.03, output 2.50  [built in, 2026-11-24, as gemini/gemini-2.5-flash]
                        lane flex: input 0.15, cached input 0.03, output 1.25
                        lane batch: input 0.15, cached input 0.03, output 1.25
                        lane priority: input 0.54, cached input 0.054, output 4.50

                """)
        let nobody = try await place.run("prices", "gpt-5", "--key", "own")
        #expect(nobody.status == 0)
        #expect(nobody.out.isEmpty)
        #expect(nobody.err.contains("\"gpt-5\""))
        #expect(try await place.run("prices", "--key", "man").status == 1)
    }

    @Test func `what is charged beside text is shown, and that of searches nobody knows the number`() async throws {
        let place = try Workplace()
        try place.write(
            """
            { prices: "list.json", keys: { "main": { provider: "openai", secret: "none" } } }
            """, to: "offpeak.json5")
        try place.write(
            """
            { "each": { "input_cost_per_token": 0, "output_cost_per_token": 1e-06, "input_cost_per_request": 0.005 },
              "gpt-9-search-preview": { "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
                                        "search_context_cost_per_query": { "search_context_size_low": 0.03 } },
              "sound": { "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
                         "search_context_cost_per_query": { "search_context_size_low": 0.03 },
                         "input_cost_per_audio_token": 4e-05, "output_cost_per_audio_token": 8e-05 } }
            """, to: "list.json")
        #expect(
            try await place.ok("prices", "each", "gpt-9-search-preview", "sound") == """
                main  provider openai, billed by the provider; US dollars per million tokens
                    each: input 0.00, output 1.00  [list.json]
                        besides, for each request: 0.005 US dollars
                    gpt-9-search-preview: input 1.00, output 2.00  [list.json]
                        besides, for each search that the model makes by itself: in no figure here
                    sound: input 1.00, audio input 40.00, output 2.00, audio output 80.00  [list.json]

                """)
        let document = try await place.ok("prices", "--json", "each", "gpt-9-search-preview", "sound")
        #expect(document.contains(#""usd_per_request":"0.005","searches_on_top":false"#), "\(document)")
        #expect(document.contains(#""usd_per_request":"0.00","searches_on_top":true"#))
        #expect(document.contains(#""audio_input":"40.00","output":"2.00","audio_output":"80.00""#))
    }

    @Test func `the document has the same prices as decimal strings`() async throws {
        let place = try workplace()
        let outcome = try await place.run("prices", "--json", "--key", "main")
        #expect(outcome.status == 0)
        let start = #"{"prices":[{"key":"main","provider":"openai","billing":"provider","model":"fast","#
        #expect(outcome.out.hasPrefix(start), "\(outcome.out)")
        #expect(outcome.out.contains(#""usd_per_million_tokens":{"input":"0.90","output":"2.25"}"#))
        #expect(outcome.out.contains(#""lanes":{"batch":{"input":"0.45","output":"1.125"}}"#))
        #expect(outcome.out.contains(#""long_context":[{"above_input_tokens":200000,"#))
        #expect(outcome.out.contains(#""provider_model":"unheard-of","known":false"#))
        #expect(outcome.out.contains(#""lists":[{"name":"list.json","models":1,"skipped":1}"#))
    }
}
