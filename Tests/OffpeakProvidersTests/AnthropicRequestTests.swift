import JSONLines
import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct AnthropicRequestTests {
    static let haiku = "claude-haiku-4-5"
    static let hello = #""messages":[{"role":"user","content":"hi"}]"#
    static let provider = BuiltInProviders.descriptor("anthropic")!

    static func request(
        _ body: String, model: String = haiku, secret: String? = nil, mostOutput: Int? = nil
    ) -> HTTPRequest {
        AnthropicAdapter().request(
            endpoint: .chatCompletions, body: Array(body.utf8), model: model, secret: secret.map { Secret($0) },
            provider: provider, timeout: .seconds(90), mostOutput: mostOutput)
    }

    static func sent(_ body: String, model: String = haiku, mostOutput: Int? = nil) -> String {
        String(decoding: request(body, model: model, mostOutput: mostOutput).body, as: UTF8.self)
    }

    static func objection(_ body: String, model: String = haiku) -> String? {
        AnthropicAdapter().objection(endpoint: .chatCompletions, body: Array(body.utf8), model: model)
    }

    @Test func `the key is in its own header and nowhere else`() {
        let request = Self.request("{\(Self.hello)}", secret: "test-secret-1\r\nx-evil: 1")
        #expect(request.url == "https://api.anthropic.com/v1/messages")
        #expect(
            request.headers.map { "\($0.name): \($0.value)" } == [
                "content-type: application/json", "accept: application/json", "anthropic-version: 2023-06-01",
                "x-api-key: test-secret-1x-evil: 1",
            ])
        #expect(!String(decoding: request.body, as: UTF8.self).contains("test-secret-1"))
        #expect(request.timeoutMilliseconds == 90_000)
        #expect(!Self.request("{\(Self.hello)}").headers.contains { $0.name == "x-api-key" })
    }

    /// What follows `"model"` and `"max_tokens"` in the request that is sent.
    static let translations: [(String, String, String)] = [
        (
            "a text", #"{"messages":[{"role":"user","content":"h\u00e9\n\"x\""}]}"#,
            #""messages":[{"role":"user","content":[{"type":"text","text":"h\u00e9\n\"x\""}]}]"#
        ),
        (
            "system and developer first",
            #"{"messages":[{"role":"system","content":"a"},{"role":"developer","content":[{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}"#,
            #""system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"messages":[{"role":"user","content":[{"type":"text","text":"c"}]}]"#
        ),
        (
            "consecutive turns of one side, and empty texts",
            #"{"messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}]}"#,
            #""messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}]"#
        ),
        (
            "images and a document",
            #"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/PNG;base64,iVBO\/w=="}},{"type":"image_url","image_url":{"url":"https://h.example/a.jpg","detail":"low"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}}]}]}"#,
            #""messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO/w=="}},{"type":"image","source":{"type":"url","url":"https://h.example/a.jpg"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},"title":"a.pdf"}]}]"#
        ),
        (
            "tools, their calls and results",
            #"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"x\": 1.0}"}},{"id":"t2","type":"function","function":{"name":"g","arguments":""}}]},{"role":"tool","tool_call_id":"t1","content":"r"},{"role":"tool","tool_call_id":"t2","content":""},{"role":"user","content":"b"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{}},"strict":true}},{"type":"function","function":{"name":"g"}}],"tool_choice":"required","parallel_tool_calls":false}"#,
            #""messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{"x": 1.0}},{"type":"tool_use","id":"t2","name":"g","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"r"}]},{"type":"tool_result","tool_use_id":"t2"},{"type":"text","text":"b"}]}],"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{}},"strict":true},{"name":"g","input_schema":{"type":"object"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true}"#
        ),
        (
            "a named tool",
            #"{\#(hello),"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}}}"#,
            #""messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f"}"#
        ),
        (
            "no tool, and a schema",
            #"{\#(hello),"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none","parallel_tool_calls":false,"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}}}"#,
            #""messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"none"},"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}"#
        ),
        (
            "sampling, stops, user and tier",
            #"{\#(hello),"temperature":0.50,"stop":"END","user":"u","service_tier":"default"}"#,
            #""messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"temperature":0.50,"stop_sequences":["END"],"metadata":{"user_id":"u"},"service_tier":"standard_only""#
        ),
        (
            "what asks for what is done anyway, or for nothing that an answer shows",
            #"{\#(hello),"n":1,"stream":false,"stream_options":null,"temperature":1,"top_p":1.0,"presence_penalty":0,"frequency_penalty":0.0,"logprobs":false,"logit_bias":{},"stop":[],"tools":[],"tool_choice":"auto","response_format":{"type":"text"},"modalities":["text"],"verbosity":"medium","reasoning_effort":"minimal","service_tier":"auto","seed":7,"store":true,"metadata":{"a":"b"},"prompt_cache_key":"k","audio":null,"future_member":null}"#,
            #""messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]"#
        ),
    ]

    @Test(arguments: translations) func `a chat request is said in Anthropic's words`(
        _ name: String, _ body: String, _ rest: String
    ) {
        #expect(Self.objection(body) == nil, "\(name)")
        #expect(Self.sent(body) == #"{"model":"claude-haiku-4-5","max_tokens":4096,\#(rest)}"#, "\(name)")
    }

    static let objections: [(String, String)] = [
        (#""n":2"#, "one answer a request"), (#""stream":true"#, "`stream`"), (#""logprobs":true"#, "`logprobs`"),
        (#""top_logprobs":3"#, "`top_logprobs`"), (#""presence_penalty":0.5"#, "`presence_penalty`"),
        (#""frequency_penalty":-1"#, "`frequency_penalty`"), (#""logit_bias":{"1":2}"#, "`logit_bias`"),
        (#""modalities":["text","audio"]"#, "`modalities`"), (#""audio":{"voice":"x"}"#, "`audio`"),
        (#""verbosity":"low""#, "`verbosity`"), (#""service_tier":"flex""#, "`service_tier`"),
        (#""web_search_options":{}"#, "`web_search_options`"), (#""functions":[{}]"#, "`functions`"),
        (#""function_call":"auto""#, "`function_call`"), (#""future_member":0"#, "`future_member`"),
        (#""My secret prompt":0"#, "a member of the request"), (#""temperature":1.5"#, "`temperature` of 1 at most"),
        (#""temperature":0,"top_p":0.5"#, "not both"), (#""stop":[" \n"]"#, "white space"), (#""stop":7"#, "`stop`"),
        (#""response_format":{"type":"json_object"}"#, "json_object"),
        (#""response_format":{"type":"json_schema"}"#, "`response_format`"),
        (#""reasoning_effort":"high""#, "takes no `reasoning_effort`"), (#""max_tokens":0"#, "max_tokens of 0"),
        (#""tools":[{"type":"custom","custom":{"name":"c"}}]"#, "tools of type `function`"),
        (
            #""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools"}"#,
            "`tool_choice`"
        ),
    ]

    @Test(arguments: objections) func `what cannot be said is named, and nothing is left out for it`(
        _ member: String, _ says: String
    ) throws {
        let objection = try #require(Self.objection("{\(Self.hello),\(member)}"))
        #expect(objection.contains(says), "\(objection)")
        #expect(!objection.contains("secret"))
        // Should it be sent all the same, it is the body that the provider refuses, and not a part of it.
        #expect(Self.sent("{\(Self.hello),\(member)}") == "{\(Self.hello),\(member)}")
    }

    static let messages: [(String, String)] = [
        ("", "a message besides the system's"), (#"{"role":"system","content":"a"}"#, "a message besides the system's"),
        (#"{"role":"user","content":null}"#, "without content"), (#"{"role":"user","content":""}"#, "without content"),
        (#"{"role":"user","content":[]}"#, "without content"), (#"{"role":"user","content":5}"#, "neither a text"),
        (#"{"role":"user","content":[{"type":"input_audio"}]}"#, "a kind"),
        (#"{"role":"user","content":["a"]}"#, "a kind"),
        (#"{"role":"user","content":"a","name":"bob"}"#, "`name`"), (#"{"role":"function","content":"a"}"#, "role"),
        (#"{"content":"a"}"#, "role"), ("7", "role"),
        (
            #"{"role":"user","content":"a"},{"role":"system","content":"b"},{"role":"user","content":"c"}"#,
            "behind others"
        ),
        (#"{"role":"user","content":"a"},{"role":"assistant","content":"pre"}"#, "beginning"),
        (
            #"{"role":"user","content":"a"},{"role":"assistant","content":null},{"role":"user","content":"c"}"#,
            "without content"
        ),
        (#"{"role":"assistant","function_call":{"name":"f"}},{"role":"user","content":"c"}"#, "`function_call`"),
        (
            #"{"role":"assistant","tool_calls":[{"id":"t","function":{"name":"f","arguments":"[1"}}]},{"role":"user","content":"c"}"#,
            "`arguments`"
        ),
        (#"{"role":"assistant","tool_calls":[{}]},{"role":"user","content":"c"}"#, "tool call"),
        (#"{"role":"tool","content":"r"}"#, "`tool_call_id`"),
        (#"{"role":"system","content":[{"type":"image_url"}]},{"role":"user","content":"c"}"#, "a kind"),
        (#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/tiff;base64,AA"}}]}"#, "JPEG"),
        (#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,AA"}}]}"#, "base64"),
        (
            #"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64"}}]}"#,
            "without data"
        ),
        (#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"file:///etc/x"}}]}"#, "address of http"),
        (#"{"role":"user","content":[{"type":"image_url"}]}"#, "`url`"),
        (#"{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}"#, "PDF"),
    ]

    @Test(arguments: messages) func `messages that Anthropic's API cannot have are objected to`(
        _ messages: String, _ says: String
    ) throws {
        let objection = try #require(Self.objection("{\"messages\":[\(messages)]}"))
        #expect(objection.contains(says), "\(objection)")
    }

    @Test func `the longest answer is what the request states, within what is reserved, and is never left open`() {
        func asked(_ members: String, _ most: Int?) -> Int? {
            JSONSlice(Self.request("{\(Self.hello)\(members)}", mostOutput: most).body)?["max_tokens"]?.int
        }
        #expect(asked("", nil) == 4_096)
        #expect(asked("", 64_000) == 64_000)
        #expect(asked(#","max_tokens":50"#, 50) == 50)
        #expect(asked(#","max_tokens":50,"max_completion_tokens":20"#, 50) == 20)
        #expect(asked(#","max_completion_tokens":1000000"#, 64_000) == 64_000)
        #expect(asked(#","max_tokens":9223372036854775807"#, nil) == .max)
        #expect(asked(#","max_tokens":null"#, 7) == 7)
    }

    @Test func `newer models take no sampling, and older ones no effort`() {
        let cold = #"{\#(Self.hello),"temperature":0}"#
        let takes = [
            "claude-haiku-4-5-20251001", "claude-3-5-sonnet-20241022", "claude-opus-4-20250514", "claude-opus-4-6",
            "my-claude",
        ]
        for model in takes { #expect(Self.objection(cold, model: model) == nil, "\(model)") }
        let refuses = [
            "claude-opus-4-7", "claude-opus-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-preview",
        ]
        for model in refuses {
            #expect(Self.objection(cold, model: model) == "the model \(model) takes no `temperature`")
            #expect(Self.objection(#"{\#(Self.hello),"temperature":1.0}"#, model: model) == nil)
        }
        let low = #"{\#(Self.hello),"reasoning_effort":"minimal"}"#
        #expect(Self.sent(low, model: "claude-opus-4-5").hasSuffix(#""output_config":{"effort":"low"}}"#))
        #expect(!Self.sent(low, model: "claude-sonnet-4-5").contains("effort"))
        #expect(Self.objection(#"{\#(Self.hello),"reasoning_effort":"none"}"#, model: "claude-opus-5") != nil)
    }

    @Test func `a request in Anthropic's own words travels byte for byte, but for the model's name`() {
        let body = "{ \"model\" : \"claude-opus-5\",\n\"max_tokens\":200000, \"temperature\": 0.5, \"messages\":[ 1 ] }"
        func sent(_ model: String) -> HTTPRequest {
            AnthropicAdapter().request(
                endpoint: .messages, body: Array(body.utf8), model: model, secret: Secret("test-secret-1"),
                provider: Self.provider, timeout: .seconds(5), mostOutput: 100)
        }
        let request = sent("claude-opus-5")
        #expect(request.body == Array(body.utf8))
        #expect(request.url == Self.provider.baseURL + "/messages")
        #expect(request.headers.contains { $0.name == "x-api-key" && $0.value == "test-secret-1" })
        #expect(request.headers.contains { $0.name == "anthropic-version" && $0.value == AnthropicAdapter.version })
        #expect(sent("other").body == Array(body.replacing("claude-opus-5", with: "other").utf8))
        // Whatever it holds, it is said in the provider's own words.
        let odd = Array(#"{"messages":[],"temperature":9,"n":5}"#.utf8)
        #expect(AnthropicAdapter().objection(endpoint: .messages, body: odd, model: "claude-opus-5") == nil)
    }

    @Test func `Anthropic's own requests say where they want JSON`() {
        func wants(_ members: String) -> Bool {
            AnthropicAdapter().expectation(endpoint: .messages, body: Array("{\(members)}".utf8)).wantsJSON
        }
        #expect(wants(#""output_config":{"format":{"type":"json_schema","schema":{}}}"#))
        #expect(!wants(#""output_config":{"effort":"low"},"response_format":{"type":"json_object"}"#))
        #expect(!wants(#""messages":[{"content":"json_schema"}]"#))
    }

    @Test func `no other endpoint can be said`() {
        for endpoint in Endpoint.allCases where endpoint != .chatCompletions && endpoint != .messages {
            #expect(AnthropicAdapter().objection(endpoint: endpoint, body: Array("{}".utf8), model: "m") != nil)
            #expect(!ProviderKind.anthropic.endpoints.contains(endpoint))
        }
        #expect(!ProviderKind.openai.endpoints.contains(.messages))
    }

    @Test func `whatever a body is, what is sent is one JSON object or the body itself`() {
        var generator = Seeded(20_262)
        let seeds =
            Self.translations.map { Array($0.1.utf8) } + Self.messages.map { Array("{\"messages\":[\($0.0)]}".utf8) }
        var translated = 0
        for round in 0..<6_000 {
            var bytes = seeds.randomElement(using: &generator)!
            for _ in 0..<Int.random(in: 0...3, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.remove(at: place)
                case 1: bytes[place] = Array("{}[]\",:0nt\\".utf8).randomElement(using: &generator)!
                default: bytes.insert(contentsOf: bytes[place...].prefix(20), at: place)
                }
            }
            let sent = Self.request(String(decoding: bytes, as: UTF8.self)).body
            let body = Array(String(decoding: bytes, as: UTF8.self).utf8)
            if sent == body { continue }
            translated += 1
            #expect(
                JSONSlice(sent)?["max_tokens"]?.int != nil, "round \(round): \(String(decoding: sent, as: UTF8.self))")
        }
        #expect(translated > 300)
    }
}
