import JSONLines
import OffpeakRehearsal
import Testing

@Suite struct AnswerTests {
    private func answer(_ body: String, _ path: String) -> JSONSlice? {
        let provider = VirtualProvider(RehearsalProfile(otherKeys: KeyProfile(), answerTokens: 20...30))
        return provider.send(body, path: path).json
    }

    @Test(arguments: ["/v1/chat/completions", "/chat/completions"]) func `chat has OpenAI's form`(path: String) {
        let body = answer(chat("12345678", #","max_tokens":5"#), path)
        #expect(body?["object"]?.string == "chat.completion")
        #expect(body?["model"]?.string == "m")
        #expect(body?["choices"]?[0]?["message"]?["role"]?.string == "assistant")
        let content = body?["choices"]?[0]?["message"]?["content"]?.string
        #expect(content?.split(separator: " ").count == 5)
        #expect(body?["choices"]?[0]?["finish_reason"]?.string == "length")
        #expect(body?["usage"]?["prompt_tokens"]?.int == 2)
        #expect(body?["usage"]?["completion_tokens"]?.int == 5)
        #expect(body?["usage"]?["total_tokens"]?.int == 7)
        let free = answer(chat("x"), path)
        #expect(free?["choices"]?[0]?["finish_reason"]?.string == "stop")
        #expect((20...30).contains(free?["usage"]?["completion_tokens"]?.int ?? 0))
    }

    @Test func `the other endpoints have theirs`() {
        let response = answer(#"{"model":"m","input":"12345678","max_output_tokens":4}"#, "/v1/responses")
        #expect(response?["object"]?.string == "response")
        #expect(response?["status"]?.string == "incomplete")
        #expect(response?["incomplete_details"]?["reason"]?.string == "max_output_tokens")
        #expect(response?["output"]?[0]?["content"]?[0]?["text"]?.string?.split(separator: " ").count == 4)
        #expect(response?["usage"]?["input_tokens"]?.int == 2)
        #expect(response?["usage"]?["output_tokens"]?.int == 4)
        let items = answer(
            #"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"12345678"}]}]}"#,
            "/responses")
        #expect(items?["status"]?.string == "completed")
        #expect(items?["usage"]?["input_tokens"]?.int == 2)
        let completion = answer(#"{"model":"m","prompt":"1234"}"#, "/v1/completions")
        #expect(completion?["object"]?.string == "text_completion")
        #expect(completion?["choices"]?[0]?["text"]?.string?.isEmpty == false)
    }

    @Test func `embeddings give one vector per input, equal for equal inputs`() {
        let body = answer(#"{"model":"m","input":["one","two","one"],"dimensions":8}"#, "/v1/embeddings")
        let vectors = (body?["data"]?.elements ?? []).map { $0["embedding"]?.elements.map(\.double) ?? [] }
        #expect(vectors.map(\.count) == [8, 8, 8])
        #expect(vectors[0] == vectors[2] && vectors[0] != vectors[1])
        #expect(body?["usage"]?["completion_tokens"] == nil)
        let tokens = answer(#"{"model":"m","input":[1,2,3]}"#, "/v1/embeddings")
        #expect(tokens?["data"]?.elements.count == 1)
        #expect(tokens?["usage"]?["prompt_tokens"]?.int == 3)
        let packed = answer(#"{"model":"m","input":"a","dimensions":3,"encoding_format":"base64"}"#, "/v1/embeddings")
        #expect(packed?["data"]?[0]?["embedding"]?.string?.utf8.count == 16)
    }

    @Test func `JSON is valid when asked for, however few tokens there may be`() throws {
        for maximum in [1, 10, 1_000] {
            let body = answer(
                chat("x", #","max_tokens":\#(maximum),"response_format":{"type":"json_object"}"#),
                "/v1/chat/completions")
            let content = try #require(body?["choices"]?[0]?["message"]?["content"]?.string)
            #expect(JSONSlice(Array(content.utf8))?.kind == .object)
            #expect((body?["usage"]?["completion_tokens"]?.int ?? .max) <= maximum)
        }
    }

    @Test func `structured output follows its schema`() throws {
        let schema = #"""
            {"type":"object","properties":{"label":{"enum":["a","b"]},"count":{"type":"integer","minimum":3,"maximum":4},
            "tags":{"type":"array","minItems":2,"items":{"$ref":"#/$defs/tag"}},"note":{"type":["string","null"],"maxLength":6},
            "sure":{"type":"boolean"},"fixed":{"const":7},"either":{"anyOf":[{"type":"null"},{"type":"string"}]}},
            "$defs":{"tag":{"type":"string"}}}
            """#.replacing("\n", with: "")
        let format = #","response_format":{"type":"json_schema","json_schema":{"name":"n","schema":\#(schema)}}"#
        let body = answer(chat("x", format), "/v1/chat/completions")
        let content = try #require(body?["choices"]?[0]?["message"]?["content"]?.string)
        let value = try #require(JSONSlice(Array(content.utf8)))
        #expect(value.members.map(\.name) == ["label", "count", "tags", "note", "sure", "fixed", "either"])
        #expect(["a", "b"].contains(value["label"]?.string))
        #expect([3, 4].contains(value["count"]?.int))
        #expect(value["tags"]?.elements.map(\.kind) == [.string, .string])
        #expect(value["note"]?.string?.utf8.count == 6)
        #expect(value["sure"]?.kind == .bool)
        #expect(value["fixed"]?.int == 7)
        #expect(value["either"]?.isNull == true)
        let flat = #"{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n","schema":\#(schema)}}}"#
        let text = answer(flat, "/v1/responses")?["output"]?[0]?["content"]?[0]?["text"]?.string ?? ""
        #expect(JSONSlice(Array(text.utf8))?["fixed"]?.int == 7)
    }
}
