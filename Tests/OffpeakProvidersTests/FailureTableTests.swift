import OffpeakCore
import Testing

@testable import OffpeakProviders

/// One answer in the style of a provider, and what it means.
struct FailureCase: Sendable, CustomTestStringConvertible {
    var name: String
    var status: Int
    var body: String
    var headers: [(name: String, value: String)]
    var type: String
    var failureClass: FailureClass
    var code: String
    var wait: Interval?

    init(
        _ name: String, _ status: Int, _ body: String, _ headers: [(name: String, value: String)] = [],
        type: String = "application/json", is failureClass: FailureClass, _ code: String, wait: Interval? = nil
    ) {
        self.name = name
        self.status = status
        self.body = body
        self.headers = headers
        self.type = type
        self.failureClass = failureClass
        self.code = code
        self.wait = wait
    }

    var testDescription: String { name }
}

/// An error in OpenAI's shape.
func openAI(_ message: String, type: String? = nil, code: String? = nil) -> String {
    let type = type.map { "\"\($0)\"" } ?? "null"
    let code = code.map { "\"\($0)\"" } ?? "null"
    return #"{"error":{"message":"\#(message)","type":\#(type),"param":null,"code":\#(code)}}"#
}

@Suite struct FailureTableTests {
    @Test(arguments: hostedFailures + gatewayFailures + statusFailures)
    func `an answer means what the provider means`(_ given: FailureCase) throws {
        let report = report(response(given.status, given.body, given.headers, type: given.type))
        let failure = try #require(report.failure)
        #expect(failure.failureClass == given.failureClass)
        #expect(failure.code == given.code)
        #expect(failure.retryAfter == given.wait)
        #expect(failure.statusCode == given.status)
        #expect(failure.judged)
        #expect(failure.message.unicodeScalars.count <= 300)
        #expect(!failure.message.contains("\n"))
        #expect(failure.message.contains("(HTTP \(given.status))"))
    }

    @Test func `the table is covered as widely as it was asked for`() {
        let cases = hostedFailures + gatewayFailures + statusFailures
        #expect(cases.count >= 110)
        #expect(Set(cases.map(\.name)).count == cases.count)
    }

    @Test func `every row decides some case`() throws {
        let decided = (hostedFailures + gatewayFailures + statusFailures + insideSuccess).map { given in
            let answer = response(given.status, given.body, given.headers, type: given.type)
            let headers = RateLimitHeaders(answer.headers)
            let evidence =
                given.status < 300
                ? FailureEvidence(error: errorObject(given.body), in: answer, headers: headers)
                : FailureEvidence(answer, headers: headers)
            return FailureTable.rows.firstIndex { $0.match(evidence) != nil }
        }
        let unused = Set(FailureTable.rows.indices).subtracting(decided.compactMap { $0 })
        #expect(unused.sorted().map { "\($0): \(FailureTable.rows[$0].says)" } == [])
    }

    @Test(arguments: insideSuccess)
    func `an error inside a 200 is judged by itself`(_ given: FailureCase) throws {
        let failure = try #require(report(response(given.status, given.body, given.headers)).failure)
        #expect(failure.failureClass == given.failureClass)
        #expect(failure.code == given.code)
        #expect(failure.retryAfter == given.wait)
        #expect(failure.statusCode == 200)
    }

    @Test func `every status that is no success is a failure with a class`() throws {
        for status in 100...999 where !(200...299).contains(status) {
            for body in ["", "{}", "[]", "null", "\"oops\"", "<html></html>", "oops"] {
                let failure = try #require(report(response(status, body)).failure)
                #expect(!failure.code.isEmpty && !failure.message.isEmpty, "\(status) \(body)")
            }
        }
    }

    @Test func `a prompt that a provider quotes does not condemn the key`() throws {
        let filler = String(repeating: "word ", count: 60)
        let body = openAI("Invalid value in messages[0]: \(filler) my invalid api key and insufficient balance")
        let failure = try #require(report(response(400, body)).failure)
        #expect(failure.failureClass == .invalidRequest)
    }

    @Test func `what FastAPI rejected is not repeated`() throws {
        let body = #"{"detail":[{"loc":["body","messages",0,"content"],"msg":"must be a string","input":"my prompt"}]}"#
        let failure = try #require(report(response(422, body)).failure)
        #expect(failure.message.contains("body.messages.0.content: must be a string"))
        #expect(!failure.message.contains("my prompt"))
    }
}
