import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct DefaultsTests {
    @Test func `built-in providers have addresses that the adapter can use`() {
        for entry in BuiltInProviders.all {
            let url = entry.descriptor.baseURL
            #expect(!url.hasSuffix("/") && !url.contains("?"))
            #expect(url.hasPrefix(entry.environment.isEmpty ? "http://127.0.0.1:" : "https://"))
            #expect(!entry.descriptor.insecure)
            #expect(BuiltInProviders.descriptor(entry.descriptor.name) == entry.descriptor)
        }
        #expect(Set(BuiltInProviders.all.map(\.descriptor.name)).count == BuiltInProviders.all.count)
        #expect(BuiltInProviders.descriptor("nobody") == nil)
    }

    @Test func `no variable is claimed by two providers`() {
        let names = BuiltInProviders.all.flatMap(\.environment)
        #expect(Set(names).count == names.count)
        #expect(names.contains("OPENAI_API_KEY") && names.contains("ANTHROPIC_API_KEY"))
    }

    @Test func `only Groq's request headers count per day`() {
        let perDay = BuiltInProviders.all.filter(\.descriptor.requestHeadersArePerDay).map(\.descriptor.name)
        #expect(perDay == ["groq"])
    }

    @Test func `every kind of provider has an adapter`() {
        #expect(ProviderKind.allCases.map { "\(type(of: $0.adapter))" } == ["OpenAIAdapter", "AnthropicAdapter"])
    }
}
