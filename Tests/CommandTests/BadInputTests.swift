import Foundation
import Glibc
import Testing

/// One malformed input and what the user is told of it.
struct BadInput: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    /// The bad lines with their reasons.
    let reasons: [(line: Int, reason: String)]
    let arguments: [String]

    var testDescription: String { name }

    init(_ name: String, _ line: String, _ reason: String, arguments: [String] = ["--model", "m"]) {
        self.init(name, bytes: Array((line + "\n").utf8), [(1, reason)], arguments: arguments)
    }

    init(
        _ name: String, bytes: [UInt8], _ reasons: [(line: Int, reason: String)],
        arguments: [String] = ["--model", "m"]
    ) {
        self.name = name
        self.bytes = bytes
        self.reasons = reasons
        self.arguments = arguments
    }

    // MARK: Lines

    static func chat(_ members: String) -> String {
        #"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{\#(members)}}"#
    }
    static let messages = #""messages":[{"role":"user","content":"x"}]"#
    static let paths =
        #""/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/completions" or "/v1/messages""#
    static let cutOff = "the line is cut off: write the whole object, on one line"
    private static func id(_ id: String) -> String { #"{"custom_id":\#(id),"prompt":"x"}"# }
    private static func url(_ url: String) -> String { #"{"custom_id":"a","url":\#(url),"body":{\#(messages)}}"# }
    private static func nested(_ depth: Int) -> String {
        chat(
            messages + #","metadata":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
    }

    // MARK: The table

    static let notJSON: [BadInput] = [
        BadInput(
            "truncated in the middle of a value", #"{"custom_id":"a","prompt":"#,
            "the JSON ends too early, at column 27; \(cutOff)"),
        BadInput(
            "truncated in the middle of a string", #"{"custom_id":"a","prompt":"he"#,
            "the JSON ends in the middle of a string, at column 30; \(cutOff)"),
        BadInput(
            "pretty-printed", bytes: Array("{\n".utf8),
            [
                (
                    1,
                    "the JSON ends too early, at column 2; if the file is pretty-printed, put each object on one line "
                        + "(jq -c . FILE)"
                )
            ]),
        BadInput(
            "a byte-order mark on a later line", bytes: Array((id(#""a""#) + "\n\u{FEFF}" + id(#""b""#) + "\n").utf8),
            [
                (
                    2,
                    "there is a byte-order mark at column 1; remove it, it may stand only at the start of the file"
                )
            ]),
        BadInput(
            "a NUL byte", "{\"custom_id\":\"a\",\"prompt\":\"x\0\"}",
            #"there is a NUL byte at column 29; remove it, or write \u0000 within a string"#),
        BadInput(
            "Latin-1", bytes: Array(#"{"custom_id":"a","prompt":"caf"#.utf8) + [0xE9] + Array("\"}\n".utf8),
            [
                (
                    1,
                    "byte 0xE9 is not valid UTF-8, at column 31; convert the file to UTF-8 (iconv -f LATIN1 -t UTF-8 FILE)"
                )
            ]),
        BadInput(
            "a tab within a string", "{\"custom_id\":\"a\",\"prompt\":\"a\tb\"}",
            "not JSON at column 29: a string contains a tab, which must be written as an escape; correct the line"),
        BadInput(
            "trailing garbage after the object", id(#""a""#) + " x",
            "there is more text after the end of the JSON: x, at column 32; put each object on a line of its own"),
        BadInput(
            "two objects on one line", id(#""a""#) + id(#""b""#),
            "there is more text after the end of the JSON: {, at column 31; put each object on a line of its own"),
        BadInput(
            "NaN", chat(messages + #","temperature":NaN"#),
            "not JSON at column 128: NaN is not JSON; write null or a number; correct the line"),
        BadInput(
            "single quotes", "{'custom_id':'a','prompt':'x'}",
            "not JSON at column 2: strings and names need double quotes, not single ones; write the lines with a JSON "
                + "library (in Python: json.dumps)"),
        BadInput(
            "CSV", "id,prompt", "not JSON at column 1: expected a value, found i; correct the line"),
        BadInput(
            "nested 100,000 deep", nested(100_000),
            "arrays and objects are nested more than 128 deep, at column 251; flatten the request"),
        BadInput(
            "UTF-16", bytes: [0xFF, 0xFE] + id(#""a""#).utf8.flatMap { [$0, 0] } + [10, 0],
            [(1, "the file is UTF-16; convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8 FILE)")]),
        BadInput(
            "gzip", bytes: [0x1F, 0x8B, 8, 0, 1, 2, 3],
            [(1, "the file is compressed with gzip; decompress it first (gunzip)")]),
    ]

    static let wrongShape: [BadInput] = [
        BadInput(
            "an array instead of an object", "[\(id(#""a""#))]",
            "the line is a JSON array; offpeak reads JSON Lines, one object per line (jq -c '.[]' FILE converts an array)"
        ),
        BadInput(
            "a number instead of an object", "12",
            #"the line is a number; each line must be an object, such as {"custom_id":"row-1","prompt":"…"}"#),
        BadInput(
            "a string instead of an object", #""x""#,
            #"the line is a string; each line must be an object, such as {"custom_id":"row-1","prompt":"…"}"#),
        BadInput(
            "a member twice", #"{"custom_id":"a","custom_id":"b","prompt":"x"}"#,
            #""custom_id" comes twice; keep one of them"#),
        BadInput(
            "a member of the body twice", chat(#""model":"m","model":"n","# + messages),
            #""model" comes twice in body; keep one of them"#),
        BadInput(
            "an unknown member", #"{"customid":"a","prompt":"x"}"#,
            #"unknown member "customid"; did you mean "custom_id"?"#),
        BadInput(
            "messages beside body", #"{"custom_id":"a",\#(messages)}"#,
            #""messages" belongs inside body; move it there"#),
        BadInput(
            "body and prompt", #"{"custom_id":"a","prompt":"x","body":{}}"#,
            "both body and prompt are here; keep one of them"),
        BadInput(
            "neither body nor prompt", #"{"custom_id":"a"}"#,
            #"neither body nor prompt is here; add "url" and "body":{…}, or just "prompt":"…""#),
        BadInput(
            "params without max_tokens", #"{"custom_id":"a","params":{"model":"m",\#(messages)}}"#,
            #"params.max_tokens is missing; Anthropic's API needs it, such as "max_tokens":1024"#),
        BadInput(
            "params that stream",
            #"{"custom_id":"a","params":{"model":"m","max_tokens":1,"stream":true,\#(messages)}}"#,
            "params.stream is true, which is not possible in a batch; remove it"),
        BadInput(
            "custom_id missing", #"{"prompt":"x"}"#,
            #"custom_id is missing; give every line its own, such as "custom_id":"row-1""#),
        BadInput("custom_id empty", id(#""""#), "custom_id is empty; give every line its own"),
        BadInput("custom_id a number", id("7"), #"custom_id is a number; write it in quotes: "7""#),
        BadInput("custom_id null", id("null"), "custom_id is null; it must be a string"),
        BadInput(
            "custom_id too long", id("\"" + String(repeating: "é", count: 257) + "\""),
            "custom_id has 514 bytes, the maximum is 512; shorten it"),
        BadInput(
            "custom_id with a NUL", id(#""a\u0000b""#), "custom_id contains a NUL; remove it"),
        BadInput(
            "prompt a list", #"{"custom_id":"a","prompt":["x"]}"#, "prompt is an array; it must be a string"),
        BadInput(
            "class a number", #"{"custom_id":"a","prompt":"x","class":3}"#, "class is a number; it must be a string"),
        BadInput(
            "a class that the configuration does not have", #"{"custom_id":"a","prompt":"x","class":"weekly"}"#,
            #"class "weekly" is not in the configuration; use one of: default, nightly"#),
    ]

    static let wrongRequest: [BadInput] = [
        BadInput(
            "method GET", #"{"custom_id":"a","method":"GET","url":"/v1/chat/completions","body":{\#(messages)}}"#,
            #"method is "GET"; it must be "POST""#),
        BadInput(
            "method a number", #"{"custom_id":"a","method":1,"url":"/v1/chat/completions","body":{\#(messages)}}"#,
            #"method is a number; it must be "POST""#),
        BadInput(
            "url missing", #"{"custom_id":"a","body":{\#(messages)}}"#, "url is missing; add one of \(paths)"),
        BadInput("url a number", url("1"), "url is a number; it must be one of \(paths)"),
        BadInput("url unknown", url(#""/v1/images""#), #"unknown url "/v1/images"; write one of \#(paths)"#),
        BadInput(
            "url mistyped", url(#""/v1/chat/completion""#),
            #"unknown url "/v1/chat/completion"; did you mean "/v1/chat/completions"?"#),
        BadInput(
            "url with a host", url(#""https://api.example.com/v1/chat/completions""#),
            #"url "https://api.example.com/v1/chat/completions" names a host; write only the path, "/v1/chat/completions""#
        ),
        BadInput(
            "body missing", #"{"custom_id":"a","method":"POST","url":"/v1/chat/completions"}"#,
            #"body is missing; put the request there: "body":{"model":"…",…}"#),
        BadInput(
            "body a string", #"{"custom_id":"a","url":"/v1/chat/completions","body":"{}"}"#,
            "body is a string; it must be the object itself, not JSON in a string"),
        BadInput(
            "body a list", #"{"custom_id":"a","url":"/v1/chat/completions","body":[]}"#,
            "body is an array; it must be an object"),
        BadInput(
            "model missing", chat(messages),
            "body.model is missing; name a model in every line, or give one for all with --model", arguments: []),
        BadInput("model empty", chat(#""model":"","# + messages), "body.model is empty; name a model"),
        BadInput("model a number", chat(#""model":5,"# + messages), "body.model is a number; it must be a string"),
        BadInput(
            "messages missing", chat(#""model":"m""#),
            #"body.messages is missing; a chat needs it, such as "messages":[{"role":"user","content":"…"}]"#),
        BadInput(
            "messages empty", chat(#""messages":[]"#), "body.messages is empty; add at least one message"),
        BadInput(
            "messages a string", chat(#""messages":"x""#),
            "body.messages is a string; it must be an array of messages"),
        BadInput(
            "input missing", #"{"custom_id":"a","url":"/v1/embeddings","body":{"model":"m"}}"#,
            "body.input is missing; /v1/embeddings needs it, as a string or an array"),
        BadInput(
            "stream true", chat(messages + #","stream":true"#),
            "body.stream is true, which is not possible in a batch; remove it"),
        BadInput(
            "n zero", chat(messages + #","n":0"#), "body.n is 0; it must be a whole number, 1 or more"),
        BadInput(
            "n a fraction", chat(messages + #","n":1.5"#), "body.n is 1.5; it must be a whole number, 1 or more"),
        BadInput(
            "max_tokens 1e999", chat(messages + #","max_tokens":1e999"#),
            "body.max_tokens is 1e999; it must be a whole number, 0 or more"),
        BadInput(
            "max_tokens negative", chat(messages + #","max_tokens":-1"#),
            "body.max_tokens is -1; it must be a whole number, 0 or more"),
    ]

    static let all = notJSON + wrongShape + wrongRequest

    /// A good line before and after, so that skipping has something to keep; for inputs whose badness is theirs alone.
    var surrounded: (bytes: [UInt8], reasons: [(line: Int, reason: String)])? {
        guard reasons.count == 1, reasons[0].line == 1, !reasons[0].reason.hasPrefix("the file is") else { return nil }
        let good = { (name: String) in
            Array(Self.chat(#""model":"m","# + Self.messages).replacing("\"a\"", with: "\"\(name)\"").utf8)
        }
        return (good("good-1") + [10] + bytes + [10] + good("good-2"), [(2, reasons[0].reason)])
    }
}

@Suite(.turns) struct BadInputTests {
    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.configure(nil)
        return place
    }

    @Test(arguments: BadInput.all)
    func `a bad line says where, what and what to do, and nothing is queued`(input: BadInput) async throws {
        let place = try place()
        try place.write(input.bytes, to: "in.jsonl")
        let outcome = try await place.run(["submit", "in.jsonl", "--class", "nightly"] + input.arguments)
        let lines = input.reasons.map { "error: in.jsonl:\($0.line): \($0.reason)\n" }.joined()
        let count = input.reasons.count == 1 ? "1 bad line" : "\(input.reasons.count) bad lines"
        #expect(
            outcome.err
                == lines + "error: nothing was queued: in.jsonl has \(count)\n"
                + "hint: mend them, or leave them out with --skip-bad-lines\n")
        #expect(outcome.out == "")
        #expect(outcome.status == 1)
        #expect(try await place.run("status", "--json").document()["batches"].list.isEmpty)
    }

    @Test(arguments: BadInput.all.filter { $0.surrounded != nil })
    func `with --skip-bad-lines exactly the good lines are queued`(input: BadInput) async throws {
        let place = try place()
        let (bytes, reasons) = try #require(input.surrounded)
        try place.write(bytes, to: "in.jsonl")
        let outcome = try await place.run(
            ["submit", "in.jsonl", "--class", "nightly", "--skip-bad-lines"] + input.arguments)
        #expect(outcome.out == "b1\n")
        #expect(
            outcome.err
                == "warning: in.jsonl:2: \(reasons[0].reason)\n2 jobs queued as b1, 1 bad line left out\n")
        #expect(outcome.status == 0)
        #expect(try await place.status()["jobs"]["total"].int == 2)
        for id in ["good-1", "good-2"] { try await place.ok("explain", "b1", id) }
        #expect(try await place.run("explain", "b1", "a").status == 1)
    }

    @Test func `the reasons come as a document, too`() async throws {
        let place = try place()
        try place.write("{\"custom_id\":\"a\"}\n{\"custom_id\":\"b\",\"prompt\":\"x\"}\n7\n", to: "in.jsonl")
        let outcome = try await place.run("--json", "submit", "in.jsonl", "--model", "m")
        let document = try outcome.document()
        #expect(document["batch"].isNull)
        #expect(document["accepted"].int == 0)
        #expect(document["rejected"].list.map { $0["line"].int } == [1, 3])
        #expect(document["rejected"][0]["reason"].text.hasPrefix("neither body nor prompt is here"))
        #expect(try Document(outcome.err)["error"]["code"].text == "bad_lines")
        #expect(outcome.status == 1)
        let skipped = try await place.run("--json", "submit", "in.jsonl", "--model", "m", "--skip-bad-lines")
        // A batch that was never accepted uses up no id.
        #expect(try skipped.document()["batch"].text == "b1")
        #expect(try skipped.document()["accepted"].int == 1)
        #expect(try skipped.document()["rejected"].list.map { $0["line"].int } == [1, 3])
        #expect(skipped.err == "" && skipped.status == 0)
    }

    @Test func `the first twenty of many bad lines are listed and the others counted`() async throws {
        let place = try place()
        try place.write(String(repeating: "x\n", count: 25), to: "in.jsonl")
        let outcome = try await place.run("submit", "in.jsonl")
        let lines = outcome.err.split(separator: "\n")
        #expect(lines.count == 23)
        #expect(lines[19].hasPrefix("error: in.jsonl:20: not JSON at column 1"))
        #expect(lines[20] == "error: and 5 more bad lines")
        #expect(lines[21] == "error: nothing was queued: in.jsonl has 25 bad lines")
        let skipped = try await place.run("submit", "in.jsonl", "--skip-bad-lines")
        #expect(skipped.err.hasSuffix("there is no good line besides 25 bad lines\nhint: mend them and submit again\n"))
        #expect(skipped.status == 1 && skipped.out == "")
        #expect(try await place.run("status", "--json").document()["batches"].list.isEmpty)
    }

    @Test func `the same id far apart is found, and the later lines can be left out`() async throws {
        let place = try place()
        let lines = Workplace.prompts(25_000) + #"{"custom_id":"p-\u0031","prompt":"again"}"# + "\n"
        try place.write(lines, to: "in.jsonl")
        let outcome = try await place.run("submit", "in.jsonl", "--model", "m")
        #expect(
            outcome.err.hasPrefix(
                #"error: in.jsonl:25001: custom_id "p-1" was used before, on line 1; ids must be unique in a batch"#))
        #expect(outcome.status == 1)
        #expect(try await place.run("status", "--json").document()["batches"].list.isEmpty)
        let skipped = try await place.run("submit", "in.jsonl", "--model", "m", "--skip-bad-lines")
        #expect(skipped.err.contains("25000 jobs queued as b1, 1 bad line left out"), "\(skipped)")
        #expect(skipped.status == 0)
    }
    @Test
    func `submit, --skip-bad-lines and plan --file find fault with the same lines, ids that come twice among them`()
        async throws
    {
        let place = try place()
        // The first chunk of lines is in the queue before a bad line is seen; one id comes twice in it, one before and after it.
        var lines = Workplace.prompts(25_000).split(separator: "\n").map { $0 + "\n" }
        lines[4_999] = lines[99]
        lines[14_999] = "{}\n"
        lines[15_999] = lines[199]
        lines[16_999] = lines[16_998]
        lines[24_999] = "no JSON\n"
        try place.write(lines.joined(), to: "in.jsonl")
        let bad = [5_000, 15_000, 16_000, 17_000, 25_000]

        let rejected = try await place.run("--json", "submit", "in.jsonl", "--model", "m")
        #expect(rejected.status == 1)
        let told = try rejected.document()
        #expect(told["rejected"].list.map { $0["line"].int } == bad && told["rejected_count"].int == bad.count)
        #expect(told["rejected"][0]["reason"].text.hasPrefix("custom_id \"p-100\" was used before, on line 100;"))
        #expect(told["rejected"][2]["reason"].text.hasPrefix("custom_id \"p-200\" was used before, on line 200;"))
        #expect(told["rejected"][3]["reason"].text.hasPrefix("custom_id \"p-16999\" was used before, on line 16999;"))

        let plan = try await place.run("plan", "--file", "in.jsonl", "--class", "nightly", "--model", "m")
        #expect(plan.status == 1)
        let planned = plan.err.split(separator: "\n").filter { $0.contains("in.jsonl:") }
        #expect(planned.count == bad.count)
        for (line, number) in zip(planned, bad) { #expect(line.hasPrefix("error: in.jsonl:\(number): "), "\(line)") }

        let skipped = try await place.run("--json", "submit", "in.jsonl", "--model", "m", "--skip-bad-lines")
        #expect(try skipped.document()["rejected"].list.map { $0["line"].int } == bad)
        #expect(try skipped.document()["accepted"].int == 25_000 - bad.count)
    }
}
