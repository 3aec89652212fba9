extension PriceList {
    /// The day whose prices the built-in table has.
    package static let builtInDate = "2026-11-24"

    /// List prices of the common models, as of `builtInDate`.
    package static let builtIn = PriceList(
        name: "built in, \(builtInDate)",
        entries: Dictionary(
            uniqueKeysWithValues: table.split(separator: "\n").map { line in
                guard let entry = PriceLine(line) else { preconditionFailure("built-in prices: \(line)") }
                return (entry.name, Entry(price: entry.price, provider: entry.provider))
            }))

    // One line a model: its name as in LiteLLM's list, then US dollars per million tokens of input, cached input, cache
    // writes and output; `-` where there is no rate of its own, and `1.25:2` where writes for an hour have another. `in` is the
    // longest input in tokens and `max` the longest output. A lane is a share of these rates, or has rates of its own. `>N` are the rates of a
    // request whose input is longer than N tokens.
    private static let table = """
        gpt-4.1 2/0.5/-/8 in=1047576 max=32768 batch=1/0.5/-/4 priority=1.75
        gpt-4.1-mini 0.4/0.1/-/1.6 in=1047576 max=32768 batch=0.2/0.1/-/0.8 priority=1.75
        gpt-4.1-nano 0.1/0.025/-/0.4 in=1047576 max=32768 batch=0.05/0.025/-/0.2 priority=2
        gpt-4o 2.5/1.25/-/10 in=128000 max=16384 batch=1.25/1.25/-/5 priority=1.7
        gpt-4o-2024-05-13 5/-/-/15 in=128000 max=4096 batch=0.5 priority=1.75
        gpt-4o-mini 0.15/0.075/-/0.6 in=128000 max=16384 batch=0.075/0.075/-/0.3 priority=0.25/0.125/-/1
        gpt-4-turbo 10/-/-/30 in=128000 max=4096
        gpt-3.5-turbo 0.5/-/-/1.5 in=16385 max=4096
        gpt-5 1.25/0.125/-/10 in=272000 max=128000 batch=0.5 flex=0.5 priority=2
        gpt-5-mini 0.25/0.025/-/2 in=272000 max=128000 batch=0.5 flex=0.5 priority=1.8
        gpt-5-nano 0.05/0.005/-/0.4 in=272000 max=128000 batch=0.5 flex=0.5 priority=2.5/0.005/-/0.4
        gpt-5-pro 15/-/-/120 in=400000 max=272000 batch=0.5
        gpt-5.1 1.25/0.125/-/10 in=272000 max=128000 batch=0.5 flex=0.5 priority=2
        gpt-5.2 1.75/0.175/-/14 in=272000 max=128000 batch=0.5 flex=0.5 priority=2
        gpt-5.2-pro 21/-/-/168 in=272000 max=128000 batch=0.5
        gpt-5.4 2.5/0.25/-/15 in=1050000 max=128000 batch=1.25/0.13/-/7.5 flex=1.25/0.13/-/7.5 priority=2 >272000=5/0.5/-/22.5 >272000.batch=0.5 >272000.flex=0.5
        gpt-5.4-mini 0.75/0.075/-/4.5 in=272000 max=128000 batch=0.5 flex=0.5 priority=2
        gpt-5.4-nano 0.2/0.02/-/1.25 in=272000 max=128000 batch=0.5 flex=0.5
        gpt-5.4-pro 30/-/-/180 in=1050000 max=128000 batch=0.5 flex=0.5 >272000=60/-/-/270 >272000.batch=0.5 >272000.flex=0.5
        gpt-5.5 5/0.5/-/30 in=1050000 max=128000 batch=0.5 flex=0.5 priority=2.5 >272000=10/1/-/45 >272000.batch=0.5 >272000.flex=0.5
        gpt-5.5-pro 30/-/-/180 in=1050000 max=128000 batch=0.5 flex=0.5 >272000=60/-/-/270 >272000.batch=0.5
        gpt-5.6 4/0.4/5/20 in=922000 max=128000 batch=0.5 flex=0.5 priority=2 >272000=8/0.8/10/30 >272000.batch=0.5 >272000.flex=0.5 >272000.priority=2
        gpt-5.6-terra 2/0.2/2.5/12 in=922000 max=128000 batch=0.5 flex=0.5 priority=2 >272000=4/0.4/5/18 >272000.batch=0.5 >272000.flex=0.5 >272000.priority=2
        gpt-5.6-luna 0.2/0.02/0.25/1.2 in=922000 max=128000 batch=0.5 flex=0.5 priority=2 >272000=0.4/0.04/0.5/1.8 >272000.batch=0.5 >272000.flex=0.5 >272000.priority=2
        gpt-6-astra 10/1/12.5/50 in=922000 max=128000 batch=0.5 flex=0.5 priority=2 >272000=20/2/25/75 >272000.batch=0.5 >272000.flex=0.5 >272000.priority=2
        gpt-6-sol 2/0.2/2.5/10 in=922000 max=128000 batch=0.5 flex=0.5 priority=2 >272000=4/0.4/5/15 >272000.batch=0.5 >272000.flex=0.5 >272000.priority=2
        gpt-6-luna 0.1/0.01/0.125/0.5 in=922000 max=128000 batch=0.5 flex=0.5 priority=2 >272000=0.2/0.02/0.25/0.75 >272000.batch=0.5 >272000.flex=0.5 >272000.priority=2
        gpt-6.1-sol 2/0.1/2.5/10 in=922000 max=128000 batch=0.5 flex=0.5 priority=2 >272000=4/0.2/5/15 >272000.batch=0.5 >272000.flex=0.5 >272000.priority=2
        o1 15/7.5/-/60 in=200000 max=100000 batch=7.5/7.5/-/30
        o3 2/0.5/-/8 in=200000 max=100000 batch=1/0.5/-/4 flex=0.5 priority=1.75
        o3-mini 1.1/0.55/-/4.4 in=200000 max=100000 batch=0.55/0.55/-/2.2
        o3-pro 20/-/-/80 in=200000 max=100000 batch=0.5
        o4-mini 1.1/0.275/-/4.4 in=200000 max=100000 batch=0.55/0.275/-/2.2 flex=0.55/0.138/-/2.2 priority=2/0.5/-/8
        text-embedding-3-large 0.13/-/-/0 in=8191 batch=0.5
        text-embedding-3-small 0.02/-/-/0 in=8191 batch=0.5
        text-embedding-ada-002 0.1/-/-/0 in=8191
        claude-haiku-4-5 1/0.1/1.25:2/5 in=200000 max=64000 batch=0.5
        claude-haiku-5-5 0.1/0.01/0.125:0.2/0.5 in=1000000 max=128000 batch=0.5 >100000=0.5/0.05/0.625:1/2.5 >100000.batch=0.5
        claude-sonnet-4-5 3/0.3/3.75:6/15 in=200000 max=64000 batch=0.5
        claude-sonnet-4-6 3/0.3/3.75:6/15 in=1000000 max=128000 batch=0.5
        claude-sonnet-5 2/0.2/2.5:4/10 in=1000000 max=128000 batch=0.5
        claude-sonnet-5-5 2/0.1/2.5:4/10 in=1000000 max=128000 batch=0.5
        claude-opus-4-5 5/0.5/6.25:10/25 in=200000 max=64000 batch=0.5
        claude-opus-4-6 5/0.5/6.25:10/25 in=1000000 max=128000 batch=0.5
        claude-opus-4-7 5/0.5/6.25:10/25 in=1000000 max=128000 batch=0.5
        claude-opus-4-8 5/0.5/6.25:10/25 in=1000000 max=128000 batch=0.5
        claude-opus-5 5/0.5/6.25:10/25 in=1000000 max=128000 batch=0.5
        claude-opus-5-5 4/0.2/5:8/20 in=1000000 max=128000 batch=0.5
        claude-fable-5 10/1/12.5:20/50 in=1000000 max=128000 batch=0.5
        claude-fable-5-1 10/0.25/12.5:20/50 in=1000000 max=128000 batch=0.5
        gemini/gemini-2.5-flash 0.3/0.03/-/2.5 in=1048576 max=65536 batch=0.15/0.03/-/1.25 flex=0.15/0.03/-/1.25 priority=1.8
        gemini/gemini-2.5-flash-lite 0.1/0.01/-/0.4 in=1048576 max=65536 batch=0.05/0.01/-/0.2 flex=0.05/0.01/-/0.2 priority=1.8
        gemini/gemini-2.5-pro 1.25/0.125/-/10 in=1048576 max=65536 batch=0.625/0.125/-/5 flex=0.625/0.125/-/5 priority=1.8 >200000=2.5/0.25/-/15 >200000.priority=1.8
        gemini/gemini-3-flash-preview 0.5/0.05/-/3 in=1048576 max=65536 batch=0.25/0.05/-/1.5 flex=0.25/0.05/-/1.5 priority=1.8
        gemini/gemini-3.1-flash-lite 0.25/0.025/-/1.5 in=1048576 max=65536 batch=0.5 flex=0.5 priority=1.8
        gemini/gemini-3.1-pro-preview 2/0.2/-/12 in=1048576 max=65536 batch=1/0.2/-/6 flex=1/0.2/-/6 priority=1.8 >200000=4/0.4/-/18 >200000.priority=1.8
        gemini/gemini-3.5-flash 1.5/0.15/-/9 in=1048576 max=65536 batch=0.5 flex=0.75/0.08/-/4.5 priority=1.8
        gemini/gemini-3.5-flash-lite 0.3/0.03/-/2.5 in=1048576 max=65536 batch=0.15/0.02/-/1.25 flex=0.15/0.02/-/1.25 priority=0.54/0.05/-/4.5
        gemini/gemini-3.6-flash 0.75/0.075/-/3.75 in=1048576 max=65536 batch=0.5 flex=0.5 priority=1.8
        gemini/gemini-3.7-flash 0.75/0.075/-/3.75 in=1048576 max=65536 batch=0.5 flex=0.5 priority=1.8
        gemini/gemini-3.8-flash 0.75/0.075/-/3.75 in=1048576 max=65536 batch=0.5 flex=0.5 priority=1.8
        gemini/gemini-4-argon 2/0.1/-/10 in=1048576 max=1048576 batch=0.5 flex=0.5 priority=1.8
        gemini/gemini-flash-latest 0.75/0.075/-/3.75 in=1048576 max=65536 batch=0.375/0.075/-/1.875 flex=0.5 priority=1.8
        gemini/gemini-flash-lite-latest 0.3/0.03/-/2.5 in=1048576 max=65536 batch=0.15/0.03/-/1.25 flex=0.15/0.02/-/1.25 priority=0.54/0.05/-/4.5
        gemini/gemini-embedding-001 0.15/-/-/0 in=2048
        gemini/gemini-embedding-2 0.2/-/-/0 in=8192 batch=0.5
        mistral/mistral-large-latest 0.5/0.05/-/1.5 in=262144 max=262144
        mistral/mistral-large-4 0.68/0.068/-/2.09 in=1048576
        mistral/mistral-medium-latest 1.5/0.15/-/7.5 in=262144 max=262144
        mistral/mistral-small-latest 0.15/0.015/-/0.6 in=262144 max=262144
        mistral/ministral-3b-latest 0.1/0.01/-/0.1 in=131072 max=131072
        mistral/ministral-8b-latest 0.15/0.015/-/0.15 in=262144 max=262144
        mistral/ministral-14b-latest 0.2/0.02/-/0.2 in=262144 max=262144
        mistral/magistral-medium-latest 1.5/0.15/-/7.5 in=262144 max=262144
        mistral/codestral-latest 0.3/0.03/-/0.9 in=128000 max=128000
        mistral/devstral-latest 0.4/0.04/-/2 in=256000 max=256000
        mistral/open-mistral-nemo 0.3/0.03/-/0.3 in=128000 max=128000
        mistral/mistral-embed 0.1/-/-/0 in=8192
        mistral/codestral-embed 0.15/0.015/-/0 in=8192
        deepseek/deepseek-chat 0.28/0.028/0/0.42 in=131072 max=8192
        deepseek/deepseek-reasoner 0.28/0.028/-/0.42 in=131072 max=65536
        deepseek/deepseek-flash 0.3/0.006/0/1.2 in=1000000 max=393216
        deepseek/deepseek-v4-flash 0.3/0.006/0/1.2 in=1000000 max=393216
        deepseek/deepseek-v4-pro 1.32/0.044/0/3.96 in=1000000 max=393216
        xai/grok-4.20-reasoning 1.25/0.2/-/2.5 in=1000000 max=1000000 batch=0.8 >199999=2.5/0.4/-/5 >199999.batch=0.8
        xai/grok-4.20-non-reasoning 1.25/0.2/-/2.5 in=1000000 max=1000000 batch=0.8 >199999=2.5/0.4/-/5 >199999.batch=0.8
        xai/grok-4.3 1.25/0.2/-/2.5 in=1000000 max=1000000 batch=0.8 >199999=2.5/0.4/-/5 >199999.batch=0.8
        xai/grok-4.5 2/0.3/-/6 in=500000 max=500000 >199999=4/0.6/-/12
        xai/grok-4.6 2/0.5/-/6 in=500000 max=500000 >199999=4/1/-/12
        xai/grok-4.7 2/0.5/-/6 in=500000 max=500000 >199999=4/1/-/12
        xai/grok-code-fast-1 1/0.2/-/2 in=256000 max=256000 >199999=2/0.4/-/4
        groq/openai/gpt-oss-120b 0.15/0.075/-/0.6 in=131072 max=65536
        groq/openai/gpt-oss-20b 0.075/0.0375/-/0.3 in=131072 max=65536
        groq/qwen/qwen3.8-27b 0.8/-/-/4 in=131072 max=16384
        command-a-03-2025 2.5/-/-/10 in=256000 max=8000
        command-r-08-2024 0.15/-/-/0.6 in=128000 max=4096
        command-r-plus-08-2024 2.5/-/-/10 in=128000 max=4096
        command-r7b-12-2024 0.0375/-/-/0.15 in=128000 max=4096
        cohere/embed-v4.0 0.12/-/-/0 in=128000
        embed-english-v3.0 0.1/-/-/0 in=512
        embed-multilingual-v3.0 0.1/-/-/0 in=512
        cerebras/gpt-oss-120b 0.35/-/-/0.75 in=131072 max=32768
        together_ai/openai/gpt-oss-120b 0.15/-/-/0.6 in=131072
        fireworks_ai/accounts/fireworks/models/gpt-oss-120b 0.15/0.015/-/0.6 in=131072 max=32768 priority=1.2
        """
}
