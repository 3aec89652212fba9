import JSONLines
import Testing

@Suite struct RequestLineTests {
    private func parsed(_ line: String, defaultModel: String? = nil) throws -> ParsedLine {
        try ParsedLine(Array(line.utf8), defaultModel: defaultModel)
    }

    @Test func `an OpenAI batch line keeps its body byte for byte`() throws {
        let body = #"{ "temperature":1.0, "model":"gpt-5-mini","messages":[{"role":"user","content":"a\/b é"}] ,"n":3}"#
        let line = try parsed(
            #" {"custom_id":"row-1","method":"POST","url":"/v1/chat/completions","class":"nightly","body":"# + body
                + "} ")
        #expect(line.form == .openAIBatch)
        #expect(line.endpoint == .chatCompletions)
        #expect(line.customID == "row-1")
        #expect(line.model == "gpt-5-mini")
        #expect(line.className == "nightly")
        #expect(line.body == body)
        #expect(line.maxOutputTokens == nil)
        #expect(line.answers == 3)
    }

    @Test(arguments: [
        ("/v1/chat/completions", #""messages":[{}]"#, LineEndpoint.chatCompletions),
        ("/v1/embeddings", #""input":"text""#, .embeddings),
        ("/v1/embeddings", #""input":["a","b"]"#, .embeddings),
        ("/v1/responses", #""input":"text""#, .responses),
        ("/v1/responses", #""prompt":{"id":"stored"}"#, .responses),
        ("/v1/completions", #""prompt":"text""#, .completions),
        ("/v1/messages", #""messages":[{}],"max_tokens":1"#, .messages),
        (#"\/v1\/completions"#, #""prompt":[1,2]"#, .completions),
    ])
    func `every endpoint is known by its url`(url: String, payload: String, endpoint: LineEndpoint) throws {
        let line = try parsed(#"{"custom_id":"a","url":"\#(url)","body":{"model":"m",\#(payload)}}"#)
        #expect(line.endpoint == endpoint)
        #expect(endpoint.path == url.replacing("\\", with: ""))
    }

    @Test func `a line of Anthropic's Message Batches keeps its params byte for byte`() throws {
        let params =
            #"{ "max_tokens":1024, "model":"claude-haiku-4-5","system":"a\/b","messages":[{"role":"user","content":"é"}] ,"n":3}"#
        let line = try parsed(#"{"custom_id":"row-1","params":\#(params),"class":"nightly"}"#)
        #expect(line.form == .messageBatch)
        #expect(line.endpoint == .messages)
        #expect(line.customID == "row-1")
        #expect(line.model == "claude-haiku-4-5")
        #expect(line.className == "nightly")
        #expect(line.body == params)
        #expect(line.maxOutputTokens == 1024)
        // It is always one answer there.
        #expect(line.answers == 1 && line.mostOutputTokens == 1024)
        // Nor is its API's word on what it does not know ours to say.
        for odd in ["0", #""two""#, "1.5", "[]"] {
            let line = try parsed(#"{"custom_id":"a","params":\#(params.replacing(":3}", with: ":\(odd)}"))}"#)
            #expect(line.answers == 1)
        }
        let unnamed = try parsed(
            #"{"params":{ "max_tokens":1,"messages":[1]},"custom_id":"a"}"#, defaultModel: "claude-opus-5")
        #expect(unnamed.body == #"{"model":"claude-opus-5", "max_tokens":1,"messages":[1]}"#)
    }

    @Test func `members that offpeak does not know travel inside the body`() throws {
        let names = (0..<60).map { #""x\#($0)":[{"a":{}}]"# }.joined(separator: ",")
        let body = #"{"model":"m","messages":[[]],\#(names)}"#
        #expect(try parsed(#"{"custom_id":"a","url":"/v1/chat/completions","body":\#(body)}"#).body == body)
    }

    @Test func `names and values may be written in escapes`() throws {
        let line = try parsed(
            #"{"custom\u005fid":"\u00e9\ud83d\ude00","url":"/v1/chat/completions","cl\u0061ss":"\u0061","body":"#
                + #"{"mode\u006c":"g\u0070t","messages":[1]}}"#)
        #expect(line.customID == "é😀")
        #expect(line.model == "gpt")
        #expect(line.className == "a")
    }

    @Test(arguments: [
        ("/v1/chat/completions", #""messages":[1]"#, 70), ("/v1/responses", #""input":"x""#, 600),
        ("/v1/completions", #""prompt":"x""#, 5), ("/v1/embeddings", #""input":"x""#, nil),
    ])
    func `the largest token maximum that the endpoint knows counts, and null is none`(
        url: String, payload: String, largest: Int?
    ) throws {
        func maximum(_ members: String) throws -> Int? {
            try parsed(
                #"{"custom_id":"a","url":"\#(url)","body":{"model":"m",\#(payload),\#(members)}}"#
            ).maxOutputTokens
        }
        #expect(try maximum(#""max_tokens":5,"max_completion_tokens":70,"max_output_tokens":600"#) == largest)
        #expect(try maximum(#""max_completion_tokens":70,"max_output_tokens":600,"max_tokens":5"#) == largest)
        #expect(try maximum(#""max_tokens":null,"n":null,"best_of":null,"stream":null"#) == nil)
        #expect(try maximum(#""stream":false"#) == nil)
        if largest != nil { #expect(try maximum(#""max_tokens":0,"max_output_tokens":0"#) == 0) }
    }

    static let answers: [(String, String, Int)] = [
        ("/v1/chat/completions", #""messages":["a","b"]"#, 1),
        ("/v1/chat/completions", #""messages":[1],"n":3"#, 3),
        ("/v1/chat/completions", #""messages":[1],"n":3,"best_of":2"#, 3),
        ("/v1/responses", #""input":["a","b","c"]"#, 1),
        ("/v1/embeddings", #""input":["a","b","c"],"n":7"#, 1),
        ("/v1/completions", #""prompt":"a""#, 1),
        ("/v1/completions", #""best_of":4,"prompt":"a""#, 4),
        ("/v1/completions", #""prompt":"a","n":2,"best_of":4"#, 4),
        ("/v1/completions", #""prompt":"a","n":4,"b\u0065st_of":2"#, 4),
        ("/v1/completions", #""prompt":[1,2,3]"#, 1),
        ("/v1/completions", #""prompt":[ -1 , 2 ],"n":2"#, 2),
        ("/v1/completions", #""prompt":["a"]"#, 1),
        ("/v1/completions", #""prompt":["a,b","c]","\"d"]"#, 3),
        ("/v1/completions", #""prompt":[ "a" , "b" ,"c","d" ],"n":2,"best_of":3"#, 12),
        ("/v1/completions", #""prompt":[[1,2,3],[4,5]]"#, 2),
        ("/v1/completions", #""prompt":[{"a":[1,2]},null,[]]"#, 3),
        ("/v1/completions", #""prompt":[1,"a",2,"b"]"#, 3),
        ("/v1/completions", #""prompt":["a","b"],"n":9223372036854775807"#, .max),
    ]

    @Test(arguments: answers)
    func `every answer that is made counts, for each prompt`(url: String, body: String, answers: Int) throws {
        func line(_ more: String) throws -> ParsedLine {
            try parsed(#"{"custom_id":"a","url":"\#(url)","body":{"model":"m",\#(body)\#(more)}}"#)
        }
        #expect(try line("").answers == answers)
        // An answer of which nothing is said is as long as its model gives; of several, each counts as ten million.
        let most = answers > 107 ? 1 << 30 : answers * 10_000_000
        #expect(try line("").mostOutputTokens == (answers == 1 ? nil : most))
        guard url != "/v1/embeddings" else { return }
        let stated = try line(#","max_tokens":100,"max_output_tokens":100"#).mostOutputTokens
        #expect(stated == (answers == .max ? 1 << 30 : answers * 100))
    }

    private static let chat = "/v1/chat/completions"
    private static let image = #"{"type":"image_url","image_url":{"url":"https://x/y.png"}}"#

    static let beyond: [(url: String, body: String, beyond: RequestLine.Beyond)] = [
        (chat, #""messages":[{"role":"user","content":"the type of \u0074his is \"type\":\"file\""}]"#, .tokens(0)),
        (chat, #""messages":[{"role":"user","content":[{"type":"text","text":"file"}]}]"#, .tokens(0)),
        (chat, #""messages":[{"content":[\#(image),{"type":"text","text":"a"},\#(image)]}]"#, .tokens(100_000)),
        (chat, #""messages":[{"content":[{"\u0074yp\u0065":"image\u005furl"}]}]"#, .tokens(50_000)),
        (chat, #""messages":[ { "content" : [ { "type" : "input_audio" , "input_audio" : { } } ] } ]"#, .sound(0)),
        (chat, #""messages":[{"content":[{"type":"input_audio"},\#(image)]}],"tools":[]"#, .sound(51_024)),
        (chat, #""messages":[{"content":[{"type":"input_audio"},{"type":"file"}]}]"#, .context),
        (chat, #""messages":[{"content":[{"type":"file","file":{"file_id":"f"}}]}]"#, .context),
        (chat, #""messages":[{"content":[{"file":{"file_id":"f"},"type":"file"}]}]"#, .context),
        (chat, #""messages":[{"content":[{"type":"video_url"}]}]"#, .context),
        (chat, #""messages":[{"content":[{"type":7}]}]"#, .context),
        (chat, #""messages":[{"role":"assistant","tool_calls":[{"type":"function","id":"a"}]}]"#, .tokens(0)),
        (
            chat, #""messages":[1],"tools":[{"type":"function","function":{"parameters":{"type":"object"}}}]"#,
            .tokens(1_024)
        ),
        (chat, #""messages":[1],"tools":[{"name":"own","input_schema":{"type":"object"}}]"#, .tokens(1_024)),
        (chat, #""messages":[1],"tools":[{"type":"function"},{"type":"web_search_preview"}]"#, .charges),
        (chat, #""messages":[1],"tools":[]"#, .tokens(1_024)),
        (chat, #""messages":[1],"tools":null,"plugins":null,"modalities":[ "text" ]"#, .tokens(0)),
        (chat, #""messages":[1],"tools":{}"#, .charges),
        (chat, #""messages":[1],"response_format":{"type":"json_schema"}"#, .tokens(1_024)),
        (chat, #""messages":[1],"response_format":null,"tool_choice":"none""#, .tokens(0)),
        (chat, #""messages":[{"content":[\#(image)]}],"response_format":{"type":"text"}"#, .tokens(51_024)),
        ("/v1/messages", #""messages":[1],"max_tokens":1,"output_config":{"format":{}}"#, .tokens(1_024)),
        ("/v1/messages", #""messages":[1],"max_tokens":1,"output_format":{},"inference_geo":"global""#, .tokens(1_024)),
        (chat, #""messages":[1],"plugins":[{"id":"web"}]"#, .charges),
        (chat, #""messages":[1],"web_search_options":{}"#, .charges),
        (chat, #""messages":[1],"search_parameters":{"mode":"on"}"#, .charges),
        (chat, #""messages":[1],"modalities":["text","audio"],"audio":{"voice":"x"}"#, .charges),
        (chat, #""messages":[1],"prediction":{"type":"content","content":"a"}"#, .charges),
        (chat, #""messages":[1],"extra_body":{"google":{"cached_content":"c"}}"#, .context),
        (chat, #""messages":[1],"cached_content":"c""#, .context),
        (chat, #""messages":[1],"service_tier":"auto""#, .tokens(0)),
        (chat, #""messages":[1],"service_tier":"flex""#, .tokens(0)),
        (chat, #""messages":[1],"service_tier":"priority""#, .otherRate),
        (chat, #""messages":[1],"s\u0065rvice_tier":"scale""#, .otherRate),
        (chat, #""messages":[1],"service_tier":null"#, .tokens(0)),
        (chat, #""messages":[1],"models":["b","c"]"#, .otherRate),
        (chat, #""messages":[1],"enable_search":true"#, .charges),
        (chat, #""messages":[1],"enable_search":"yes""#, .charges),
        (chat, #""messages":[1],"enable_search":false"#, .tokens(0)),
        (chat, #""messages":[1],"enable_search":null,"fallbacks":null"#, .tokens(0)),
        (chat, #""messages":[1],"fallbacks":["b"]"#, .otherRate),
        ("/v1/responses", #""input":"file","previous_response_id":"r""#, .context),
        ("/v1/responses", #""input":"a","conversation":"c""#, .context),
        ("/v1/responses", #""prompt":{"id":"p"}"#, .context),
        ("/v1/responses", #""input":[{"role":"user","content":[{"type":"input_text","text":"a"}]}]"#, .tokens(0)),
        ("/v1/responses", #""input":[{"content":[{"type":"input_image","file_id":"f"}]}]"#, .tokens(50_000)),
        ("/v1/responses", #""input":[{"content":[{"type":"input_file","file_url":"u"}]}]"#, .context),
        ("/v1/responses", #""input":[{"type":"item_reference","id":"i"}]"#, .context),
        ("/v1/responses", #""input":"a","tools":[{"type":"code_interpreter"}]"#, .charges),
        ("/v1/embeddings", #""input":["type",[1,2]]"#, .tokens(0)),
        ("/v1/embeddings", #""input":[{"type":"file"}]"#, .charges),
        ("/v1/completions", #""prompt":["type"]"#, .tokens(0)),
    ]

    private static let picture = #"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aa"}}"#

    static let beyondParams: [(params: String, beyond: RequestLine.Beyond)] = [
        (#""messages":[{"role":"user","content":"\"type\":\"document\""}]"#, .tokens(0)),
        (
            #""messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]"#,
            .tokens(0)
        ),
        (#""messages":[{"content":[\#(picture),{"type":"text","text":"a"},\#(picture)]}]"#, .tokens(100_000)),
        (#""messages":[{"content":[{"type":"image","source":{"type":"url","url":"u"}}]}]"#, .tokens(50_000)),
        (#""messages":[{"content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]"#, .context),
        (#""messages":[{"content":[{"type":"document","source":{"type":"base64","data":"aa"}}]}]"#, .context),
        (#""messages":[{"content":[{"source":{"type":"url","url":"u"},"type":"document"}]}]"#, .context),
        (#""messages":[1],"system":[{"type":"text","text":"a"}]"#, .tokens(0)),
        (#""messages":[1],"system":[{"type":"document"}]"#, .context),
        // What a tool is called with is no content, whatever its members are called.
        (
            #""messages":[{"content":[{"type":"tool_use","id":"t","name":"n","input":{"type":"document","b":[{"type":1}]}}]}]"#,
            .tokens(0)
        ),
        (
            #""messages":[{"content":[{"type":"tool_result","tool_use_id":"t","content":[\#(picture)]}]}]"#,
            .tokens(50_000)
        ),
        (#""messages":[{"content":[{"type":"server_tool_use","input":{}}]}]"#, .context),
        (#""messages":[1],"tools":[{"name":"own","input_schema":{"type":"object"}}]"#, .tokens(1_024)),
        (#""messages":[1],"tools":[{"type":"custom","name":"own","input_schema":{}}]"#, .tokens(1_024)),
        (#""messages":[1],"tools":[{"type":"web_search_20250305","name":"web_search"}]"#, .charges),
        (#""messages":[1],"mcp_servers":[]"#, .charges),
        (#""messages":[1],"container":"c""#, .charges),
        (#""messages":[1],"context_management":{}"#, .charges),
        (#""messages":[1],"container":null,"speed":null,"fallbacks":null"#, .tokens(0)),
        (#""messages":[1],"service_tier":"standard_only","speed":"standard","inference_geo":"global""#, .tokens(0)),
        (#""messages":[1],"inference_geo":"us""#, .otherRate),
        (#""messages":[1],"speed":"fast""#, .otherRate),
        (#""messages":[1],"fallbacks":[{"model":"b"}]"#, .otherRate),
        (#""messages":[1],"service_tier":"priority""#, .otherRate),
    ]

    @Test(arguments: beyondParams)
    func `what Anthropic's API may take beyond a request's bytes is seen`(
        params: String, beyond: RequestLine.Beyond
    ) throws {
        #expect(try parsed(#"{"custom_id":"a","params":{"model":"m","max_tokens":1,\#(params)}}"#).beyond == beyond)
    }

    @Test(arguments: beyond)
    func `what a request may take beyond its bytes is seen`(
        url: String, body: String, beyond: RequestLine.Beyond
    ) throws {
        let line = #"{"custom_id":"a","url":"\#(url)","body":{"model":"m",\#(body)}}"#
        #expect(try parsed(line).beyond == beyond)
    }

    @Test func `a default model is put in only where the body names none`() throws {
        let start = #"{"custom_id":"a","url":"/v1/embeddings","body":"#
        #expect(try parsed(start + #"{ "input":"x"}}"#, defaultModel: "d").body == #"{"model":"d", "input":"x"}"#)
        let named = #"{"input":"x","model":"own"}"#
        let line = try parsed(start + named + "}", defaultModel: "d")
        #expect(line.body == named)
        #expect(line.model == "own")
    }

    @Test func `a plain line's longest answer goes by the name that its model knows`() throws {
        let newer = [
            "gpt-5", "gpt-5-mini", "gpt-5.2", "openai/gpt-5-nano", "gpt-10-x", "o1", "o3-mini", "o4-mini-2025-04-16",
        ]
        let older = ["gpt-4o", "gpt-4.1-mini", "gpt-oss-20b", "gpt-35-turbo", "olmo-2", "m", "", "o", "o1x", "gpt-"]
        for model in newer + older {
            let line = try parsed(#"{"custom_id":"a","prompt":"x","max_tokens":7}"#, defaultModel: model)
            let name = newer.contains(model) ? "max_completion_tokens" : "max_tokens"
            #expect(line.body.hasSuffix(",\"\(name)\":7}"), "\(model): \(line.body)")
        }
        #expect(
            try parsed(#"{"custom_id":"a","prompt":"x","model":"\u006f3","max_tokens":7}"#).body.contains(
                "max_completion"))
    }

    @Test func `a plain line becomes a chat`() throws {
        let line = try parsed(
            #"{"prompt":"Say \"hi\"\n\u00e9","max_tokens":9,"system":"Be brief.","custom_id":"p","class":"c"}"#,
            defaultModel: "d")
        #expect(line.form == .plain)
        #expect(line.endpoint == .chatCompletions)
        #expect(line.model == nil)
        #expect(line.className == "c")
        #expect(line.maxOutputTokens == 9)
        #expect(
            line.body
                == #"{"model":"d","messages":[{"role":"system","content":"Be brief."},"#
                + #"{"role":"user","content":"Say \"hi\"\n\u00e9"}],"max_tokens":9}"#)
    }

    @Test func `a plain line's own model wins over the default`() throws {
        let line = try parsed(#"{"custom_id":"p","prompt":"hi","model":"own"}"#, defaultModel: "d")
        #expect(line.model == "own")
        #expect(line.body == #"{"model":"own","messages":[{"role":"user","content":"hi"}]}"#)
    }

    @Test func `the longest id and the deepest nesting that are allowed pass`() throws {
        let id = String(repeating: "é", count: 256)
        let deep = String(repeating: "[", count: 126) + String(repeating: "]", count: 126)
        let line = try parsed(
            #"{"custom_id":"\#(id)","url":"/v1/embeddings","body":{"model":"m","input":"x","extra":\#(deep)}}"#)
        #expect(line.customID == id)
    }

    @Test func `a parser can be used for line after line`() throws {
        var parser = RequestLineParser()
        var accepted: [String] = []
        var refused: [Int] = []
        var splitter = LineSplitter(maximumLineBytes: 150)
        func take(_ line: LineSplitter.Line) {
            do throws(LineError) {
                accepted.append(try parser.parse(line).customID(in: line.bytes))
            } catch {
                refused.append(error.line)
            }
        }
        let lines = (1...40).map { index in
            let extra = index % 3 == 0 ? (0..<index).map { #","y\#($0 % 30)":1"# }.joined() : #","t":1"#
            return #"{"custom_id":"\#(index)","url":"/v1/embeddings","body":{"model":"m","input":"x"\#(extra)}}"#
        }
        splitter.feed(Array(lines.joined(separator: "\n").utf8), take)
        splitter.finish(take)
        #expect(accepted.count + refused.count == 40)
        #expect(refused == (1...40).filter { lines[$0 - 1].utf8.count > 150 })
    }
}
