import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct DefaultsTests {
    @Test func `built-in providers have addresses that the adapter can use`() {
        for entry in BuiltInProviders.all {
            let url = entry.descriptor.baseURL
            #expect(!url.hasSuffix("/") && !url.contains("?"))
            #expect(url.hasPrefix(entry.isLocal ? "http://127.0.0.1:" : "https://"))
            #expect(!entry.descriptor.insecure)
            #expect(BuiltInProviders.descriptor(entry.descriptor.name) == entry.descriptor)
        }
        #expect(Set(BuiltInProviders.all.map(\.descriptor.name)).count == BuiltInProviders.all.count)
        #expect(BuiltInProviders.descriptor("nobody") == nil)
    }

    @Test func `no variable is claimed by two providers`() {
        let names = BuiltInProviders.all.flatMap(\.environment)
        #expect(Set(names).count == names.count)
        #expect(names.contains("OPENAI_API_KEY"))
    }

    @Test func `only Groq's request headers count per day`() {
        let perDay = BuiltInProviders.all.filter(\.descriptor.requestHeadersArePerDay).map(\.descriptor.name)
        #expect(perDay == ["groq"])
    }

    @Test(
        arguments: [
            (480, nil, Endpoint.chatCompletions, 100, 500), (481, 64, .chatCompletions, 101, 64),
            (10, 0, .chatCompletions, 1, 0), (440, 900, .embeddings, 100, 0), (0, nil, .responses, 1, 500),
            (-5, -5, .completions, 1, 0),
        ] as [(Int, Int?, Endpoint, Int, Int)])
    func `the first guess of a job's tokens`(
        _ bytes: Int, _ limit: Int?, _ endpoint: Endpoint, _ input: Int, _ output: Int
    ) {
        let guess = TokenEstimate(bodyBytes: bytes, maxOutputTokens: limit, endpoint: endpoint)
        #expect(guess.inputTokens == input)
        #expect(guess.outputTokens == output)
        #expect(guess.totalTokens == input + output)
    }

    @Test func `every kind of provider has an adapter`() {
        #expect(ProviderKind.allCases.allSatisfy { $0.adapter is OpenAIAdapter })
    }
}
