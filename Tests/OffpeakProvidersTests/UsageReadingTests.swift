import JSONLines
import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct UsageReadingTests {
    static let cases: [(String, Endpoint, String, Usage)] = [
        (
            "openai chat", .chatCompletions,
            #"{"prompt_tokens":100,"completion_tokens":40,"total_tokens":140,"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":30}}"#,
            Usage(inputTokens: 100, cachedTokens: 64, outputTokens: 40, reasoningTokens: 30)
        ),
        (
            "openai responses", .responses,
            #"{"input_tokens":50,"input_tokens_details":{"cached_tokens":20},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":59}"#,
            Usage(inputTokens: 50, cachedTokens: 20, outputTokens: 9, reasoningTokens: 5)
        ),
        (
            "openrouter: written to the cache", .chatCompletions,
            #"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":30,"cache_write_tokens":60}}"#,
            Usage(inputTokens: 100, cachedTokens: 30, cacheWriteTokens: 60, outputTokens: 1)
        ),
        (
            "more reasoning than output, more written than sent", .chatCompletions,
            #"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":50},"completion_tokens_details":{"reasoning_tokens":50}}"#,
            Usage(inputTokens: 9, cachedTokens: 4, cacheWriteTokens: 5, outputTokens: 5, reasoningTokens: 5)
        ),
        ("openai embeddings", .embeddings, #"{"prompt_tokens":8,"total_tokens":8}"#, Usage(inputTokens: 8)),
        ("embeddings, total only", .embeddings, #"{"total_tokens":8}"#, Usage(inputTokens: 8)),
        (
            "xai: reasoning beside the completion", .chatCompletions,
            #"{"prompt_tokens":30,"completion_tokens":10,"total_tokens":340,"completion_tokens_details":{"reasoning_tokens":300}}"#,
            Usage(inputTokens: 30, outputTokens: 310, reasoningTokens: 300)
        ),
        (
            "gemini: thoughts only in the total", .chatCompletions,
            #"{"prompt_tokens":5,"completion_tokens":10,"total_tokens":100}"#, Usage(inputTokens: 5, outputTokens: 95)
        ),
        (
            "deepseek: hits and misses", .chatCompletions,
            #"{"prompt_tokens":100,"prompt_cache_hit_tokens":80,"prompt_cache_miss_tokens":20,"completion_tokens":7,"total_tokens":107}"#,
            Usage(inputTokens: 100, cachedTokens: 80, outputTokens: 7)
        ),
        (
            "deepseek without the sum", .chatCompletions,
            #"{"prompt_cache_hit_tokens":80,"prompt_cache_miss_tokens":20,"completion_tokens":7}"#,
            Usage(inputTokens: 100, cachedTokens: 80, outputTokens: 7)
        ),
        (
            "together: flat cache", .chatCompletions,
            #"{"prompt_tokens":9,"cached_tokens":4,"completion_tokens":1,"total_tokens":10}"#,
            Usage(inputTokens: 9, cachedTokens: 4, outputTokens: 1)
        ),
        (
            "a total below the sum does not lessen it", .chatCompletions,
            #"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":3}"#, Usage(inputTokens: 9, outputTokens: 5)
        ),
        (
            "more cached than sent", .chatCompletions,
            #"{"prompt_tokens":9,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":50}}"#,
            Usage(inputTokens: 9, cachedTokens: 9)
        ),
        (
            "written as 5.0", .chatCompletions, #"{"prompt_tokens":5.0,"completion_tokens":1e1}"#,
            Usage(inputTokens: 5, outputTokens: 10)
        ),
        (
            "cache writes for five minutes and for an hour", .chatCompletions,
            #"{"prompt_tokens":90,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":10},"cache_creation_input_tokens":50,"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30}}"#,
            Usage(inputTokens: 90, cachedTokens: 10, cacheWriteTokens: 50, longCacheWriteTokens: 30, outputTokens: 1)
        ),
        (
            "more written for an hour than sent", .chatCompletions,
            #"{"prompt_tokens":9,"completion_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":30}}"#,
            Usage(inputTokens: 9, cacheWriteTokens: 9, longCacheWriteTokens: 9, outputTokens: 1)
        ),
        (
            "null details", .chatCompletions,
            #"{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":null}"#,
            Usage(inputTokens: 5, outputTokens: 1)
        ),
    ]

    @Test(arguments: cases)
    func `usage is brought to one form`(_ name: String, _ endpoint: Endpoint, _ json: String, _ usage: Usage) throws {
        let reading = UsageReading(try JSONSlice(validating: Array(json.utf8)), endpoint: endpoint)
        #expect(reading.usage == usage)
        #expect(reading.reported)
    }

    @Test(arguments: [
        "{}", "null", "[]", "3", #"{"prompt_tokens":"5"}"#, #"{"prompt_tokens":-1}"#, #"{"total_tokens":1e30}"#,
    ])
    func `what cannot be read counts as not reported`(_ json: String) throws {
        let reading = UsageReading(try JSONSlice(validating: Array(json.utf8)), endpoint: .chatCompletions)
        #expect(reading == UsageReading(nil, endpoint: .chatCompletions))
        #expect(!reading.reported)
        #expect(reading.usage == Usage())
    }
}
