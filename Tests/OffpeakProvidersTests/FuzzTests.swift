import JSONLines
import OffpeakCore
import Testing

@testable import OffpeakProviders

@Suite struct FuzzTests {
    private static let seeds =
        (hostedFailures + gatewayFailures + insideSuccess).map { Array($0.body.utf8) }
        + OpenAIAnswerTests.results.map { Array($0.1.utf8) } + OpenAIAnswerTests.failures.map { Array($0.1.utf8) }

    /// A known body with some bytes changed, taken out, doubled or cut off.
    private static func mutated(_ generator: inout Seeded) -> [UInt8] {
        var bytes = seeds.randomElement(using: &generator)!
        for _ in 0..<Int.random(in: 0...4, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(contentsOf: bytes[place...].prefix(20), at: place)
            case 3: bytes.removeSubrange(place...)
            default: bytes[place] = Array("{}[]\",:0nt\\".utf8).randomElement(using: &generator)!
            }
        }
        return bytes
    }

    private static let values = [
        "0", "1", "-1", "20s", "1e99", "99999999999999999999", "2026-10-04T12:00:00Z", "", "\u{0}", "6m0s", "NaN",
        "Sun, 04 Oct 2026 12:00:00 GMT", "1791115230",
    ]
    private static let names = [
        "retry-after", "retry-after-ms", "date", "x-ratelimit-limit-requests", "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset", "x-ratelimit-reset", "x-amzn-errortype",
    ]

    @Test func `no answer crashes, and only one JSON object is ever a success`() {
        var generator = Seeded(20_261)
        var successes = 0
        for round in 0..<12_000 {
            let body = Self.mutated(&generator)
            let headers = Self.names.filter { _ in Bool.random(using: &generator) }
                .map { (name: $0, value: Self.values.randomElement(using: &generator)!) }
            let status = Bool.random(using: &generator) ? 200 : Int.random(in: 100...999, using: &generator)
            let endpoint: Endpoint =
                round % 4 > 0 ? .chatCompletions : ProviderKind.openai.endpoints.randomElement(using: &generator)!
            let wantsJSON = Bool.random(using: &generator)
            let report = report(
                HTTPResponse(status: status, headers: headers, body: body), endpoint, wantsJSON: wantsJSON)
            switch report.outcome {
            case .success(let answer):
                successes += 1
                let root = JSONSlice(body)
                #expect((200...299).contains(status), "round \(round)")
                #expect(root?.kind == .object && root?["error"]?.isNull != false, "round \(round)")
                #expect(answer.body == body)
            case .failure(let failure):
                #expect(failure.message.unicodeScalars.count <= 300 && !failure.code.isEmpty, "round \(round)")
                #expect((failure.retryAfter ?? .zero) >= .zero && (failure.retryAfter ?? .zero) <= .days(31))
            }
        }
        // The seeds include whole answers, so the test would notice if nothing were ever accepted.
        #expect(successes > 40)
    }

    @Test func `random bytes are never a success`() {
        var generator = Seeded(7)
        for _ in 0..<2_000 {
            let count = Int.random(in: 0...200, using: &generator)
            let body = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(report(HTTPResponse(status: 200, headers: [], body: body)).answer == nil)
        }
    }

    @Test func `no secret is ever in a failure or a request id`() {
        var generator = Seeded(99)
        let alphabet = Array("abcdefgh0123456789-_.ABCXYZ \"\\/é".unicodeScalars)
        for round in 0..<1_500 {
            let length = Int.random(in: 4...80, using: &generator)
            let text = String(
                String.UnicodeScalarView((0..<length).map { _ in alphabet.randomElement(using: &generator)! }))
            let secret = Secret(text)
            let exchange = Self.exchange(echoing: text, &generator)
            let report = OpenAIAdapter().report(
                for: exchange, job: JobExpectation(endpoint: .chatCompletions, wantsJSON: true), provider: anyProvider,
                secret: secret)
            switch report.outcome {
            case .failure(let failure):
                // What stays of a secret after spaces are joined is no longer the secret.
                let told = (failure.message + "\n" + failure.code).lowercased()
                #expect(!told.contains(text.lowercased()), "round \(round)")
            case .success(let answer): #expect(!answer.requestID.lowercased().contains(text.lowercased()))
            }
        }
    }

    /// An exchange that repeats a text wherever a provider could.
    private static func exchange(echoing text: String, _ generator: inout Seeded) -> HTTPExchange {
        let padding = String(repeating: "x ", count: Int.random(in: 0...140, using: &generator))
        let body = JSONWriter.object { root in
            root.object("error") { error in
                error.member("message", padding + "key " + text + " is bad")
                error.member("code", text)
                error.member("type", text + "_error")
                error.member("param", text)
            }
        }
        let raw = Array((padding + text).utf8)
        let page = Array("<html><title>\(text)</title></html>".utf8)
        let headers = [("x-request-id", text), ("x-amzn-errortype", text), ("retry-after", text)]
        let status = [200, 400, 401, 403, 404, 429, 500, 503].randomElement(using: &generator)!
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: return .response(HTTPResponse(status: status, headers: headers, body: body))
        case 1: return .response(HTTPResponse(status: status, headers: headers, body: raw))
        case 2: return .response(HTTPResponse(status: status, headers: headers, body: page))
        default:
            return .failure(
                TransportFailure(kind: .other, requestFullySent: false, message: padding + text + " failed"))
        }
    }
}
