import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct OpenAIRequestTests {
    static func request(
        _ body: String, model: String = "gpt-5-mini", endpoint: Endpoint = .chatCompletions, secret: String? = nil,
        provider: ProviderDescriptor = anyProvider
    ) -> HTTPRequest {
        OpenAIAdapter().request(
            endpoint: endpoint, body: Array(body.utf8), model: model, secret: secret.map { Secret($0) },
            provider: provider, timeout: .seconds(90))
    }

    @Test(arguments: [
        ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/chat/completions"),
        ("https://r.openai.azure.com/openai/v1", "https://r.openai.azure.com/openai/v1/chat/completions"),
        (
            "https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21",
            "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21"
        ),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"
        ),
        ("https://api.deepseek.com", "https://api.deepseek.com/chat/completions"),
        ("http://127.0.0.1:8080/v1//", "http://127.0.0.1:8080/v1/chat/completions"),
    ]) func `the endpoint's version is not doubled`(_ base: String, _ url: String) {
        let provider = ProviderDescriptor(name: "p", baseURL: base)
        #expect(Self.request("{}", provider: provider).url == url)
    }

    @Test func `each endpoint has its path`() {
        let urls = ProviderKind.openai.endpoints.map { Self.request("{}", endpoint: $0).url.dropFirst(26) }
        #expect(urls == ["/chat/completions", "/embeddings", "/responses", "/completions"])
    }

    @Test func `a body with the right model travels byte for byte`() {
        let body = "{ \"model\" : \"gpt-5-mini\", \"temperature\": 1.0, \"x\":\"a\\/b\\u0041\",\n\"messages\":[] }"
        #expect(Self.request(body).body == Array(body.utf8))
    }

    @Test func `another name of the model changes nothing else`() {
        let body = "{ \"temperature\": 1.0, \"model\" : \"fast\", \"messages\":[{\"content\":\"model\"}] }"
        let sent = "{ \"temperature\": 1.0, \"model\" : \"gpt-5-mini\", \"messages\":[{\"content\":\"model\"}] }"
        #expect(Self.request(body).body == Array(sent.utf8))
    }

    @Test func `an absent model is added`() {
        #expect(Self.request(#"{"input":"x"}"#).body == Array(#"{"model":"gpt-5-mini","input":"x"}"#.utf8))
        #expect(Self.request(#"{"model":null}"#).body == Array(#"{"model":"gpt-5-mini"}"#.utf8))
        #expect(Self.request("{}").body == Array(#"{"model":"gpt-5-mini"}"#.utf8))
    }

    @Test func `a model's name is escaped`() {
        #expect(Self.request("{}", model: "a\"b").body == Array(#"{"model":"a\"b"}"#.utf8))
    }

    @Test func `the secret is in one header and nowhere else`() {
        let request = Self.request("{}", secret: "test-key-one\n")
        #expect(
            request.headers.map { "\($0.name): \($0.value)" } == [
                "content-type: application/json", "accept: application/json", "authorization: Bearer test-key-one",
            ])
        #expect(!request.url.contains("test-key-one"))
        #expect(request.method == "POST")
        #expect(request.timeoutMilliseconds == 90_000)
        #expect(!request.allowsInsecure)
    }

    @Test func `without a secret there is no authorization`() {
        #expect(Self.request("{}").headers.map(\.name) == ["content-type", "accept"])
        #expect(Self.request("{}", secret: "").headers.map(\.name) == ["content-type", "accept"])
    }

    @Test func `a secret cannot add a header`() {
        let request = Self.request("{}", secret: "test-key\r\nx-evil: 1")
        #expect(request.headers.last?.value == "Bearer test-keyx-evil: 1")
    }

    @Test(arguments: [
        (Endpoint.chatCompletions, #"{"response_format":{"type":"json_object"}}"#, true),
        (.chatCompletions, #"{"response_format":{"type":"json_schema","json_schema":{}}}"#, true),
        (.chatCompletions, #"{"response_format":{"type":"text"}}"#, false),
        (.chatCompletions, #"{"messages":[{"content":"give json_object"}]}"#, false),
        (.chatCompletions, #"{"text":{"format":{"type":"json_schema"}}}"#, false),
        (.responses, #"{"text":{"format":{"type":"json_schema"}}}"#, true),
        (.responses, #"{"text":{"format":{"type":"text"}},"x":"json"}"#, false),
        (.embeddings, #"{"response_format":{"type":"json_object"}}"#, false),
        (.completions, "{}", false), (.chatCompletions, "json", false),
    ]) func `whether a request asks for JSON`(_ endpoint: Endpoint, _ body: String, _ wants: Bool) {
        let expected = JobExpectation(endpoint: endpoint, wantsJSON: wants)
        #expect(OpenAIAdapter().expectation(endpoint: endpoint, body: Array(body.utf8)) == expected)
    }
}
