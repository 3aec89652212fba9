import OffpeakCore
import Testing

@Suite struct FailureWordsTests {
    @Test(arguments: [
        ("the request is not valid (HTTP 400): you said hello", 400, "the request is not valid (HTTP 400)"),
        (
            "key a: the provider refuses the key (HTTP 401): bad (HTTP 500)", 401,
            "key a: the provider refuses the key (HTTP 401)"
        ),
        ("the answer is empty (HTTP 200)", 200, "the answer is empty (HTTP 200)"),
        ("no connection: refused", 0, "no connection: refused"),
        // Whatever has not our form is not trusted to be ours.
        ("you said hello", 500, "the provider's answer is an error (HTTP 500)"),
        ("you said (HTTP is fine)", 400, "the provider's answer is an error (HTTP 400)"),
        ("you said (HTTP 40", 400, "the provider's answer is an error (HTTP 400)"),
    ])
    func `What is ours of a message ends in the HTTP status`(message: String, status: Int, own: String) {
        let failure = Failure(.invalidRequest, code: "bad", message: message, statusCode: status)
        #expect(failure.inOurWords.message == own)
        #expect(failure.inOurWords.inOurWords == failure.inOurWords)
    }
}
