import JSONLines
import Testing

private let paths = #""/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/completions" or "/v1/messages""#

/// A chat line with these members in its body, beside a model and messages.
private func chat(_ members: String) -> String {
    #"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{\#(members)}}"#
}

private func withURL(_ url: String) -> String {
    #"{"custom_id":"a","url":\#(url),"body":{"model":"m","messages":[1]}}"#
}

private func withID(_ id: String) -> String { #"{"custom_id":\#(id),"prompt":"x","model":"m"}"# }

@Suite struct BadLineTests {
    @Test(arguments: [
        (
            #"{"custom_id":"a","prompt":"#,
            "truncated: the JSON ends too early, at column 27; the line is cut off: write the whole object, on one line"
        ),
        (
            #"{"custom_id":"é"#,
            "truncated: the JSON ends in the middle of a string, at column 16; the line is cut off: write the whole object, "
                + "on one line"
        ),
        (
            "{",
            "truncated: the JSON ends too early, at column 2; if the file is pretty-printed, put each object on one line "
                + "(jq -c . FILE)"
        ),
        (
            "{'custom_id':'a'}",
            "json: not JSON at column 2: strings and names need double quotes, not single ones; write the lines with a JSON "
                + "library (in Python: json.dumps)"
        ),
        (
            #"{"custom_id":"é","x":NaN}"#,
            "json: not JSON at column 22: NaN is not JSON; write null or a number; correct the line"
        ),
        (
            #"{"x":Infinity}"#,
            "json: not JSON at column 6: Infinity is not JSON; write null or a number; correct the line"
        ),
        (
            #"{"x":-Infinity}"#,
            "json: not JSON at column 6: -Infinity is not JSON; write null or a number; correct the line"
        ),
        (#"{"x":True}"#, "json: not JSON at column 6: True is not JSON; write true; correct the line"),
        (#"{"x":1,}"#, "json: not JSON at column 8: there is a comma before the closing }; correct the line"),
        (
            #"{"body":{"x":[1,]}}"#,
            "json: not JSON at column 17: there is a comma before the closing ]; correct the line"
        ),
        (#"{"x" 1}"#, "json: not JSON at column 6: expected a colon, found 1; correct the line"),
        (#"{"x":1 "y":2}"#, "json: not JSON at column 8: expected a comma or }, found \"; correct the line"),
        (#"{"x":01}"#, "json: not JSON at column 6: a number is not written as JSON requires; correct the line"),
        (
            #"{"x":"\q"}"#,
            "json: not JSON at column 7: a backslash in a string is not followed by a valid escape; correct the line"
        ),
        (
            "{\"x\":\"a\tb\"}",
            "json: not JSON at column 8: a string contains a tab, which must be written as an escape; correct the line"
        ),
        (
            #"{"x":1} {"x":2}"#,
            "json: there is more text after the end of the JSON: {, at column 9; put each object on a line of its own"
        ),
        ("custom_id,prompt", "json: not JSON at column 1: expected a value, found c; correct the line"),
        ("{\"x\":\"a\0b\"}", #"json: there is a NUL byte at column 8; remove it, or write \u0000 within a string"#),
        ("\0\0\0", #"json: there is a NUL byte at column 1; remove it, or write \u0000 within a string"#),
        (
            "\u{FEFF}{}",
            "encoding: there is a byte-order mark at column 1; remove it, it may stand only at the start of the file"
        ),
    ])
    func `a line that is not JSON says where and what to do`(line: String, expected: String) {
        #expect(refusal(line) == expected)
    }

    @Test(arguments: [
        (
            "[1,2]",
            "format: the line is a JSON array; offpeak reads JSON Lines, one object per line (jq -c '.[]' FILE converts an array)"
        ),
        (
            #""text""#,
            #"type: the line is a string; each line must be an object, such as {"custom_id":"row-1","prompt":"…"}"#
        ),
        ("12", #"type: the line is a number; each line must be an object, such as {"custom_id":"row-1","prompt":"…"}"#),
        ("null", #"type: the line is null; each line must be an object, such as {"custom_id":"row-1","prompt":"…"}"#),
        (
            #"{"custom_id":"a"}"#,
            #"body: neither body nor prompt is here; add "url" and "body":{…}, or just "prompt":"…""#
        ),
        (#"{"custom_id":"a","custom_id":"b","prompt":"x"}"#, #"duplicate: "custom_id" comes twice; keep one of them"#),
        (#"{"custom_id":"a","custom\u005fid":"b"}"#, #"duplicate: "custom\u005fid" comes twice; keep one of them"#),
        (chat(#""model":"m","model":"n""#), #"duplicate: "model" comes twice in body; keep one of them"#),
        (chat(#""model":"m","seed":1,"seed":2"#), #"duplicate: "seed" comes twice in body; keep one of them"#),
        (chat(#""seed":1,"see\u0064":2"#), #"duplicate: "see\u0064" comes twice in body; keep one of them"#),
        (#"{"customid":"a","prompt":"x"}"#, #"unknown: unknown member "customid"; did you mean "custom_id"?"#),
        (#"{"custom_id":"a","Prompt":"x"}"#, #"unknown: unknown member "Prompt"; did you mean "prompt"?"#),
        (#"{"custom_id":"a","URL":"x"}"#, #"unknown: unknown member "URL"; did you mean "url"?"#),
        (#"{"custom_id":"a","messages":[]}"#, #"unknown: "messages" belongs inside body; move it there"#),
        (
            #"{"custom_id":"a","prompt":"x","temperature":1}"#,
            #"unknown: unknown member "temperature"; remove it: a line like this has custom_id, prompt, system, model, "#
                + "max_tokens and class"
        ),
        (
            #"{"recordId":"a","body":{}}"#,
            #"unknown: unknown member "recordId"; remove it: a line like this has custom_id, method, url, body and class"#
        ),
        (
            #"{"custom_id":"a","model":"m","body":{},"url":"/v1/embeddings"}"#,
            "unknown: model belongs inside body; move it there"
        ),
        (
            #"{"custom_id":"a","url":"/v1/responses","prompt":"x"}"#,
            "unknown: url goes with body, not with prompt; remove it"
        ),
        (#"{"custom_id":"a","prompt":"x","body":{}}"#, "body: both body and prompt are here; keep one of them"),
        (#"{"custom_id":"a","params":{},"body":{}}"#, "body: both body and params are here; keep one of them"),
        (
            #"{"custom_id":"a","body":{"model":"m","input":"x"},"params":{"model":"m"}}"#,
            "body: both body and params are here; keep one of them"
        ),
        (#"{"custom_id":"a","prompt":"x","params":{}}"#, "body: both params and prompt are here; keep one of them"),
        (#"{"custom_id":"a","params":[]}"#, "params: params is an array; it must be an object"),
        (
            #"{"custom_id":"a","params":"{}"}"#,
            "params: params is a string; it must be the object itself, not JSON in a string"
        ),
        (
            #"{"custom_id":"a","url":"/v1/messages","params":{"model":"m"}}"#,
            "unknown: url goes with body, not with params; remove it"
        ),
        (
            #"{"custom_id":"a","model":"m","params":{}}"#,
            "unknown: model belongs inside params; move it there"
        ),
        (
            #"{"custom_id":"a","messages":[],"params":{}}"#,
            #"unknown: "messages" belongs inside params; move it there"#
        ),
        (
            #"{"custom_id":"a","params":{},"extra":1}"#,
            #"unknown: unknown member "extra"; remove it: a line like this has custom_id, params and class"#
        ),
        (
            #"{"custom_id":"a","params":{"model":"m","top_k":1,"top_k":2}}"#,
            #"duplicate: "top_k" comes twice in params; keep one of them"#
        ),
        (
            #"{"custom_id":"a","params":{"max_tokens":1,"messages":[1]}}"#,
            "model: params.model is missing; name a model in every line, or give one for all with --model"
        ),
        (
            #"{"custom_id":"a","params":{"model":"m","max_tokens":1,"messages":[]}}"#,
            "messages: params.messages is empty; add at least one message"
        ),
        (
            #"{"custom_id":"a","params":{"model":"m","max_tokens":null,"messages":[1]}}"#,
            #"max_tokens: params.max_tokens is missing; Anthropic's API needs it, such as "max_tokens":1024"#
        ),
        (
            #"{"custom_id":"a","params":{"model":"m","max_tokens":1.5,"messages":[1]}}"#,
            "max_tokens: params.max_tokens is 1.5; it must be a whole number, 0 or more"
        ),
        (
            #"{"custom_id":"a","params":{"model":"m","max_tokens":1,"messages":[1],"stream":true}}"#,
            "stream: params.stream is true, which is not possible in a batch; remove it"
        ),
        (
            #"{"custom_id":"a","prompt":"x","model":"m","class":""}"#,
            "class: class is empty; name a workload class or remove it"
        ),
        (#"{"custom_id":"a","prompt":"x","model":"m","class":1}"#, "class: class is a number; it must be a string"),
    ])
    func `a line of the wrong shape says what belongs there`(line: String, expected: String) {
        #expect(refusal(line) == expected)
    }

    @Test(arguments: [
        ("{}", #"custom_id: custom_id is missing; give every line its own, such as "custom_id":"row-1""#),
        (#"{"prompt":"x"}"#, #"custom_id: custom_id is missing; give every line its own, such as "custom_id":"row-1""#),
        (withID(#""""#), "custom_id: custom_id is empty; give every line its own"),
        (withID("42"), #"custom_id: custom_id is a number; write it in quotes: "42""#),
        (withID("null"), "custom_id: custom_id is null; it must be a string"),
        (withID("[]"), "custom_id: custom_id is an array; it must be a string"),
        (withID("true"), "custom_id: custom_id is a boolean; it must be a string"),
        (withID(#""a\u0000""#), "custom_id: custom_id contains a NUL; remove it"),
        (withID(#""a\n""#), "custom_id: custom_id contains the control character U+000A; remove it"),
        (withID("\"a\u{7F}\""), "custom_id: custom_id contains the control character U+007F; remove it"),
        (
            withID("\"" + String(repeating: "x", count: 513) + "\""),
            "custom_id: custom_id has 513 bytes, the maximum is 512; shorten it"
        ),
        (
            withID("\"" + String(repeating: #"\u00e9"#, count: 257) + "\""),
            "custom_id: custom_id has 514 bytes, the maximum is 512; shorten it"
        ),
    ])
    func `a bad custom_id is named`(line: String, expected: String) {
        #expect(refusal(line) == expected)
    }

    @Test(arguments: [
        (
            #"{"custom_id":"a","method":"GET","url":"/v1/embeddings","body":{}}"#,
            #"method: method is "GET"; it must be "POST""#
        ),
        (
            #"{"custom_id":"a","method":1,"url":"/v1/embeddings","body":{}}"#,
            #"method: method is a number; it must be "POST""#
        ),
        (#"{"custom_id":"a","body":{}}"#, "url: url is missing; add one of \(paths)"),
        (withURL("7"), "url: url is a number; it must be one of \(paths)"),
        (
            withURL(#""/v1/chat/completion""#),
            #"url: unknown url "/v1/chat/completion"; did you mean "/v1/chat/completions"?"#
        ),
        (withURL(#""/v1/images""#), #"url: unknown url "/v1/images"; write one of \#(paths)"#),
        (withURL(#""/chat/completions""#), #"url: url "/chat/completions" lacks /v1; write "/v1/chat/completions""#),
        (withURL(#""embeddings""#), #"url: url "embeddings" lacks /v1; write "/v1/embeddings""#),
        (
            withURL(#""https://api.example.com/v1/responses""#),
            #"url: url "https://api.example.com/v1/responses" names a host; write only the path, "/v1/responses""#
        ),
        (
            withURL(#""https://api.example.com/openai/deployments/a/chat""#),
            #"url: url "https://api.example.com/openai/deployments/a/chat" names a host; write only the path, one of \#(paths)"#
        ),
        (
            #"{"custom_id":"a","method":"POST","url":"/v1/embeddings"}"#,
            #"body: body is missing; put the request there: "body":{"model":"…",…}"#
        ),
        (
            #"{"custom_id":"a","url":"/v1/embeddings","body":"{}"}"#,
            "body: body is a string; it must be the object itself, not JSON in a string"
        ),
        (#"{"custom_id":"a","url":"/v1/embeddings","body":[]}"#, "body: body is an array; it must be an object"),
        (#"{"custom_id":"a","url":"/v1/embeddings","body":null}"#, "body: body is null; it must be an object"),
    ])
    func `a bad method, url or body is named`(line: String, expected: String) {
        #expect(refusal(line) == expected)
    }

    @Test(arguments: [
        (
            chat(#""messages":[1]"#),
            "model: body.model is missing; name a model in every line, or give one for all with --model"
        ),
        (
            #"{"custom_id":"a","prompt":"x"}"#,
            "model: model is missing; name a model in every line, or give one for all with --model"
        ),
        (chat(#""model":5"#), "model: body.model is a number; it must be a string"),
        (chat(#""model":"""#), "model: body.model is empty; name a model"),
        (
            chat(#""model":"m""#),
            #"messages: body.messages is missing; a chat needs it, such as "messages":[{"role":"user","content":"…"}]"#
        ),
        (chat(#""model":"m","messages":"hi""#), "messages: body.messages is a string; it must be an array of messages"),
        (chat(#""model":"m","messages":[ ]"#), "messages: body.messages is empty; add at least one message"),
        (
            #"{"custom_id":"a","url":"/v1/embeddings","body":{"model":"m"}}"#,
            "input: body.input is missing; /v1/embeddings needs it, as a string or an array"
        ),
        (
            #"{"custom_id":"a","url":"/v1/responses","body":{"model":"m","prompt":"x"}}"#,
            "input: body.input is missing; /v1/responses needs it, as a string or an array"
        ),
        (
            #"{"custom_id":"a","url":"/v1/embeddings","body":{"model":"m","input":[]}}"#,
            "input: body.input is an empty array; add at least one element"
        ),
        (
            #"{"custom_id":"a","url":"/v1/completions","body":{"model":"m"}}"#,
            "prompt: body.prompt is missing; /v1/completions needs it, as a string or an array"
        ),
        (
            #"{"custom_id":"a","url":"/v1/completions","body":{"model":"m","prompt":{}}}"#,
            "prompt: body.prompt is an object; it must be a string or an array"
        ),
        (
            chat(#""model":"m","messages":[1],"stream":true"#),
            "stream: body.stream is true, which is not possible in a batch; remove it"
        ),
        (chat(#""model":"m","messages":[1],"stream":1"#), "stream: body.stream is a number; remove it"),
        (chat(#""model":"m","messages":[1],"n":"2""#), "n: body.n is a string; it must be a whole number, 1 or more"),
        (chat(#""model":"m","messages":[1],"n":0"#), "n: body.n is 0; it must be a whole number, 1 or more"),
        (
            chat(#""model":"m","messages":[1],"best_of":1.5"#),
            "n: body.best_of is 1.5; it must be a whole number, 1 or more"
        ),
        (
            chat(#""model":"m","messages":[1],"max_tokens":-5"#),
            "max_tokens: body.max_tokens is -5; it must be a whole number, 0 or more"
        ),
        (
            chat(#""model":"m","messages":[1],"max_completion_tokens":1.5"#),
            "max_tokens: body.max_completion_tokens is 1.5; it must be a whole number, 0 or more"
        ),
        (
            chat(#""model":"m","messages":[1],"max_tokens":9223372036854775808"#),
            "max_tokens: body.max_tokens is 9223372036854775808; it must be a whole number, 0 or more"
        ),
        (
            chat(#""model":"m","messages":[1],"max_output_tokens":"9""#),
            "max_tokens: body.max_output_tokens is a string; it must be a whole number, 0 or more"
        ),
        (#"{"custom_id":"a","prompt":["x"],"model":"m"}"#, "prompt: prompt is an array; it must be a string"),
        (#"{"custom_id":"a","prompt":"x","model":"m","system":1}"#, "system: system is a number; it must be a string"),
        (
            #"{"custom_id":"a","prompt":"x","model":"m","max_tokens":true}"#,
            "max_tokens: max_tokens is a boolean; it must be a whole number, 0 or more"
        ),
    ])
    func `a bad request is named`(line: String, expected: String) {
        #expect(refusal(line) == expected)
    }

    @Test func `bytes that are not UTF-8 are named with their column`() {
        let line = Array(#"{"é":"caf"#.utf8) + [0xE9] + Array(#""}"#.utf8)
        #expect(
            refusal(line)
                == "encoding: byte 0xE9 is not valid UTF-8, at column 10; convert the file to UTF-8 (iconv -f LATIN1 -t UTF-8 FILE)"
        )
    }

    @Test func `a line that is nested too deep is refused, whatever comes after`() {
        let deep = String(repeating: "[", count: 127)
        let reason = "arrays and objects are nested more than 128 deep"
        #expect(refusal(#"{"body":{"x":"# + deep) == "depth: \(reason), at column 140; flatten the request")
        #expect(refusal(String(repeating: "[", count: 200)).hasPrefix("depth: \(reason), at column 129"))
    }

    @Test func `a long name is cut in the message`() {
        let long = String(repeating: "abcdefghij", count: 1000)
        #expect(refusal(#"{"\#(long)":1}"#).utf8.count < 250)
    }

    @Test func `a line above the maximum length is refused with the maximum`() {
        #expect(
            LineError.tooLong(line: 7, maximumBytes: 64 << 20).description
                == "line 7: the line is longer than the maximum of 64 MiB; shorten the request, or split it into several lines"
        )
        var parser = RequestLineParser(maximumLineBytes: 10)
        var splitter = LineSplitter(maximumLineBytes: 10)
        var errors: [LineError] = []
        splitter.feed(Array("\n\"1234567890\"\n".utf8)) { line in
            do throws(LineError) { _ = try parser.parse(line) } catch { errors.append(error) }
        }
        #expect(errors == [.tooLong(line: 2, maximumBytes: 10)])
        #expect(errors.first?.reason.contains("10 bytes") == true)
    }
}
