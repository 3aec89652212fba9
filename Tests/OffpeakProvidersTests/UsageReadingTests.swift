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
            "more reasoning than output comes on top, where no total has it; written as well as read", .chatCompletions,
            #"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":9},"completion_tokens_details":{"reasoning_tokens":50}}"#,
            Usage(inputTokens: 9, cachedTokens: 4, cacheWriteTokens: 5, outputTokens: 55, reasoningTokens: 50)
        ),
        (
            "together: flat reasoning, more than the completion", .chatCompletions,
            #"{"prompt_tokens":9,"completion_tokens":5,"reasoning_tokens":6}"#,
            Usage(inputTokens: 9, outputTokens: 11, reasoningTokens: 6)
        ),
        (
            "openai: sound heard and spoken", .chatCompletions,
            #"{"prompt_tokens":90,"completion_tokens":50,"prompt_tokens_details":{"audio_tokens":70,"cached_tokens":0},"completion_tokens_details":{"audio_tokens":40,"reasoning_tokens":0}}"#,
            Usage(inputTokens: 90, audioInputTokens: 70, outputTokens: 50, audioOutputTokens: 40)
        ),
        (
            "openai responses: sound", .responses,
            #"{"input_tokens":90,"output_tokens":50,"input_tokens_details":{"audio_tokens":70},"output_tokens_details":{"audio_tokens":40}}"#,
            Usage(inputTokens: 90, audioInputTokens: 70, outputTokens: 50, audioOutputTokens: 40)
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
            "no output, and it says so", .chatCompletions,
            #"{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}"#, Usage(inputTokens: 9)
        ),
        (
            "the total tells the completion", .responses, #"{"input_tokens":9,"total_tokens":14}"#,
            Usage(inputTokens: 9, outputTokens: 5)
        ),
        (
            "the total tells the prompt", .completions, #"{"completion_tokens":5,"total_tokens":14}"#,
            Usage(inputTokens: 9, outputTokens: 5)
        ),
        (
            "null is as good as absent", .chatCompletions,
            #"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":null,"prompt_cache_hit_tokens":null}"#,
            Usage(inputTokens: 9, outputTokens: 5)
        ),
        ("embeddings, prompt only", .embeddings, #"{"prompt_tokens":8}"#, Usage(inputTokens: 8)),
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
            "all written for an hour", .chatCompletions,
            #"{"prompt_tokens":9,"completion_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":9}}"#,
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

    static let untold = [
        "{}", "null", "[]", "3", #"{"prompt_tokens":"5"}"#, #"{"prompt_tokens":-1}"#, #"{"total_tokens":1e30}"#,
        // A part of it.
        #"{"prompt_tokens":10}"#, #"{"completion_tokens":5}"#, #"{"total_tokens":15}"#, #"{"input_tokens":10}"#,
        #"{"output_tokens":5}"#, #"{"prompt_tokens":10,"completion_tokens":null}"#,
        #"{"prompt_cache_miss_tokens":20,"completion_tokens":7}"#,
        // What contradicts itself.
        #"{"prompt_tokens":10,"total_tokens":9}"#, #"{"completion_tokens":10,"total_tokens":9}"#,
    ]

    /// Behind ten tokens of prompt and five of completion.
    static let senselessParts = [
        // More than the whole.
        #""prompt_tokens_details":{"cached_tokens":11}"#, #""input_tokens_details":{"cached_tokens":11}"#,
        #""cached_tokens":11"#, #""prompt_cache_hit_tokens":11"#, #""prompt_tokens_details":{"cache_write_tokens":11}"#,
        #""cache_creation_input_tokens":11"#, #""cache_creation":{"ephemeral_1h_input_tokens":11}"#,
        #""prompt_tokens_details":{"audio_tokens":11}"#, #""completion_tokens_details":{"audio_tokens":6}"#,
        // No counts.
        #""prompt_tokens_details":{"cached_tokens":-1}"#, #""prompt_tokens_details":{"cache_write_tokens":-1}"#,
        #""prompt_tokens_details":{"audio_tokens":-1}"#, #""completion_tokens_details":{"reasoning_tokens":-1}"#,
        #""completion_tokens_details":{"audio_tokens":1.5}"#, #""reasoning_tokens":-1"#, #""cached_tokens":"5""#,
    ]

    @Test(arguments: senselessParts)
    func `a part that makes no sense leaves nothing to believe in`(_ part: String) throws {
        let member = try JSONSlice(validating: Array(#"{"prompt_tokens":10,"completion_tokens":5,\#(part)}"#.utf8))
        for endpoint in [Endpoint.chatCompletions, .completions, .responses] {
            #expect(UsageReading(member, endpoint: endpoint) == UsageReading(nil, endpoint: endpoint))
        }
    }

    @Test(arguments: untold)
    func `what is not told whole counts as not reported`(_ json: String) throws {
        let member = try JSONSlice(validating: Array(json.utf8))
        for endpoint in [Endpoint.chatCompletions, .completions, .responses] {
            let reading = UsageReading(member, endpoint: endpoint)
            #expect(reading == UsageReading(nil, endpoint: endpoint))
            #expect(!reading.reported)
            #expect(reading.usage == Usage())
        }
    }

    @Test(arguments: [#""a""#, #""5""#, "-5", "1e20", "1e400", "1.5", "true", "[]", "{}"], [0, 1, 2])
    func `a count that makes no sense spoils the others`(_ value: String, _ place: Int) throws {
        let counts = zip(["prompt_tokens", "completion_tokens", "total_tokens"], ["10", "5", "15"]).enumerated()
        let members = counts.map { "\"\($1.0)\":\($0 == place ? value : $1.1)" }
        let member = try JSONSlice(validating: Array("{\(members.joined(separator: ","))}".utf8))
        for endpoint in [Endpoint.chatCompletions, .completions, .responses, .embeddings] {
            #expect(UsageReading(member, endpoint: endpoint) == UsageReading(nil, endpoint: endpoint))
        }
    }

    @Test(arguments: ["{}", #"{"completion_tokens":5}"#, #"{"prompt_tokens":-5}"#, #"{"prompt_tokens":null}"#])
    func `embeddings that do not tell their input count as not reported`(_ json: String) throws {
        let member = try JSONSlice(validating: Array(json.utf8))
        #expect(UsageReading(member, endpoint: .embeddings) == UsageReading(nil, endpoint: .embeddings))
    }

    @Test func `an answer whose usage is told in part is a result that does not tell its usage`() {
        for usage in [#"{"prompt_tokens":10}"#, #"{"prompt_tokens":10,"completion_tokens":-5,"total_tokens":10}"#] {
            let body = String(chat(#""four""#, usage: false).dropLast()) + #","usage":\#(usage)}"#
            let report = report(response(200, body))
            #expect(report.answer?.usage == Usage() && !report.usageReported)
        }
    }
}
