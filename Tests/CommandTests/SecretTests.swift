import Foundation
import Glibc
import Synchronization
import Testing

/// The secret of a key is in the request's header and nowhere else.
@Suite(.turns) struct SecretTests {
    /// Recognisable, with characters that must be escaped in JSON and in URLs.
    private static let secret = "test-secret-1/with+odd\"chars"

    /// The secret in every form in which it could be written down.
    private static var forms: [(String, [UInt8])] {
        let data = Data(secret.utf8)
        let base64 = data.base64EncodedString()
        var forms: [(String, String)] = [
            ("plain", secret), ("JSON", secret.replacing("\"", with: "\\\"")), ("its first half", "test-secret-1/with"),
            ("base64", String(base64.prefix(base64.count / 4 * 4 - 4))),
            ("hexadecimal", data.map { String($0, radix: 16) }.joined()),
            ("per cent", secret.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? secret),
        ]
        for shift in 1...2 {
            // Base64 of a text that has something before the secret, such as `:` or `Bearer `.
            let shifted = (Data(repeating: 0x20, count: shift) + data).base64EncodedString()
            forms.append(("base64, shifted by \(shift)", String(shifted.dropFirst(4).prefix(24))))
        }
        return forms.map { ($0.0, Array($0.1.utf8)) }
    }

    static let faults = [
        "429", "500", "502-html", "503", "529", "cut", "close", "invalid-json", "error-in-200", "quota", "revoked",
        "bad-request", "refusal", "not-json-content",
    ]

    /// Where the secret comes from.
    static let sources = [
        #"{ env: "SECRET_HERE" }"#, #"{ file: "secret.txt" }"#, #"{ command: ["cat", "secret.txt"] }"#,
    ]

    @Test(arguments: sources)
    func `no failure of a provider brings the secret anywhere`(source: String) async throws {
        let place = try Workplace(environment: ["SECRET_HERE": Self.secret])
        let outside = try Workplace()
        try outside.write(Self.secret + "\n", to: "secret.txt")
        chmod(outside.file("secret.txt"), 0o600)
        // The profile and the secret's file lie elsewhere, so that the whole folder can be searched.
        let rules = Self.faults.filter { $0 != "quota" && $0 != "revoked" }.enumerated().map {
            "{ what: \"\($1)\", at: [\($0 * 4 + 2)] }"
        }
        let key = Self.secret.replacing("\"", with: "\\\"")
        let provider = try await Provider(
            """
            { latency: "5ms", keys: { "\(key)": { name: "k" } },
              faults: [\(rules.joined(separator: ", ")), { what: "quota", at: [66], count: 1 }, { what: "revoked", at: [72] }] }
            """, in: outside)
        outside.providers.withLock { $0.append(provider) }
        try place.configure(provider, limits: "rpm: 60000, concurrent: 2")
        let configuration = try place.read("offpeak.json5")
            .replacing(
                #"{ env: "TEST_KEY_ONE" }"#, with: source.replacing("secret.txt", with: outside.file("secret.txt")))
        try place.write(configuration, to: "offpeak.json5")
        try place.write(
            Workplace.prompts(80).replacing("\"say 9\"", with: "\"say json\"")
                + #"{"custom_id":"json","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_object"}}}"#
                + "\n", to: "in.jsonl")
        try await Self.search(place, calls(), requests: provider, atLeast: 50)
    }

    @Test func `a provider that echoes the key in its answers does not bring it anywhere either`() async throws {
        let place = try Workplace(environment: ["SECRET_HERE": Self.secret])
        let outside = try Workplace()
        try outside.write(Self.echo, to: "echo.py")
        let server = try Child("python3", ["-u", "echo.py"], in: outside.path, environment: ["PATH": "/usr/bin:/bin"])
        defer { server.signal(SIGKILL) }
        #expect(await server.out.until(contains: "\n"))
        try place.configure(nil, limits: "rpm: 60000, concurrent: 2")
        let configuration = try place.read("offpeak.json5")
            .replacing(#"{ env: "TEST_KEY_ONE" }"#, with: Self.sources[0])
            .replacing("http://127.0.0.1:9/v1", with: server.out.text.trimmingCharacters(in: .newlines))
        try place.write(configuration, to: "offpeak.json5")
        try place.write(Workplace.prompts(24), to: "in.jsonl")
        try await Self.search(place, calls(), requests: nil, atLeast: 0)
    }

    private func calls() -> [[String]] {
        [
            ["check"], ["check", "--live"], ["submit", "in.jsonl", "--class", "nightly", "--model", "m"],
            ["--verbose", "run", "--for", "6s"], ["status"], ["status", "--json"], ["keys"], ["keys", "--json"],
            ["results", "b1", "--partial", "-o", "out.jsonl", "--errors", "errors.jsonl"],
            ["results", "b1", "--partial"], ["backup", "copy.db"], ["run", "--json", "--no-wait", "--for", "1s"],
        ] + (1...12).flatMap { [["explain", "b1", "p-\($0)"], ["explain", "b1", "p-\($0)", "--json"]] }
    }

    /// Runs commands and looks for the secret in all that they printed and in every file of the folder, also while the
    /// queue is open and its write-ahead log is there.
    private static func search(_ place: Workplace, _ calls: [[String]], requests: Provider?, atLeast: Int) async throws
    {
        var printed: [(String, [UInt8])] = []
        for call in calls {
            let outcome = try await place.run(call)
            #expect(outcome.status != 2, "\(call) \(outcome)")
            printed.append((call.joined(separator: " "), Array((outcome.out + outcome.err).utf8)))
            if call.contains("--for") { find(in: try files(of: place)) }
        }
        if let requests {
            let ledger = try await requests.ledger()
            #expect(ledger["requests"].int >= atLeast, "most of the faults happened: \(ledger)")
        }
        find(in: printed)
        find(in: try files(of: place))
        #expect(place.names.contains("offpeak.db-spill") && place.names.contains("copy.db"), "\(place.names)")
    }

    private static func files(of place: Workplace) throws -> [(String, [UInt8])] {
        try place.names.map { name in (name, Array(try Data(contentsOf: URL(filePath: place.file(name))))) }
    }

    private static func find(in places: [(String, [UInt8])]) {
        for (name, bytes) in places {
            let data = Data(bytes)
            for (form, wanted) in forms {
                #expect(data.range(of: Data(wanted)) == nil, "\(name) has the secret (\(form))")
            }
        }
    }

    /// A server that answers with the key in its error body, its headers and its answers, each time otherwise.
    private static let echo = """
        import http.server, json

        count = 0

        class Echo(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                global count
                count += 1
                self.rfile.read(int(self.headers["content-length"]))
                given = self.headers["authorization"]
                key = given.split(" ", 1)[1]
                status = [401, 400, 500, 429, 404, 403][count % 6]
                text = [
                    "Incorrect API key provided: " + key + ". Find it in your settings.",
                    "header was " + given,
                    "the key '" + key[:-6] + "' and more",
                ][count % 3]
                body = json.dumps({"error": {"message": text, "type": "invalid_request_error", "code": key, "param": key}})
                if count % 5 == 0:
                    body = "<html><body>" + given + "</body></html>"
                data = body.encode()
                self.send_response(status, key)
                self.send_header("x-request-id", "req-" + key)
                self.send_header("content-length", str(len(data)))
                if status == 429:
                    self.send_header("retry-after-ms", "10")
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *rest):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        print("http://127.0.0.1:%d/v1" % server.server_address[1], flush=True)
        server.serve_forever()

        """

    @Test func `nothing is sent through a key whose secret has ended, and the key that follows it takes over`()
        async throws
    {
        let (place, provider) = try await Workplace.rehearsed(
            #"{ latency: "5ms", keys: { "test-key-one": {}, "test-key-two": {} } }"#,
            classes: #""nightly": { posture: "strict", keys: { only: ["old"] } }"#,
            more: #""old": { provider: "rehearsed", secret: { env: "TEST_KEY_TWO" }, valid_until: "2020-01-31" },"#)
        try await place.submit(6)
        #expect(try await place.run("run", "--no-wait").status == 3)
        #expect(try await place.status()["jobs"]["parked"].int == 6)
        #expect(try await provider.ledger()["requests"].int == 0)
        #expect(try await place.ok("results", "b1", "--partial").contains("secret has expired"))
        // The new key is added beside the old one.
        try place.configure(
            provider,
            classes: #""nightly": { posture: "strict", keys: { only: ["old", "one"], order: ["old", "one"] } }"#,
            more: #""old": { provider: "rehearsed", secret: { env: "TEST_KEY_TWO" }, valid_until: "2020-01-31" },"#)
        try await place.ok("retry", "b1")
        try await place.ok("run")
        #expect(try await place.answered().count == 6)
        #expect(try await provider.ledger()["requests"].int == 6)
    }
}
