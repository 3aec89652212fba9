import JSONLines
import OffpeakCore
import OffpeakRunner
import Synchronization
import Testing

/// A body, what every answer to it says that it used, and how many of the jobs a budget has room for.
struct Spending: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var url = "/v1/chat/completions"
    let body: String
    let usage: String
    let sent: Int

    static let chat = #""messages":[{"role":"user","content":"hi"}]"#

    static let image = #"{"type":"image_url","image_url":{"url":"https://127.0.0.1/a"}}"#

    static let cases: [Spending] = [
        Spending(
            testDescription: "one answer", body: #"{"model":"m","max_tokens":100,\#(chat)}"#,
            usage: #"{"prompt_tokens":9,"completion_tokens":100}"#, sent: 9),
        Spending(
            testDescription: "one answer as long as the model gives", body: #"{"model":"m",\#(chat)}"#,
            usage: #"{"prompt_tokens":9,"completion_tokens":200}"#, sent: 4),
        Spending(
            testDescription: "three answers", body: #"{"model":"m","max_tokens":100,"n":3,\#(chat)}"#,
            usage: #"{"prompt_tokens":9,"completion_tokens":300}"#, sent: 3),
        Spending(
            testDescription: "three answers as long as the model gives", body: #"{"model":"m","n":3,\#(chat)}"#,
            usage: #"{"prompt_tokens":9,"completion_tokens":600}"#, sent: 0),
        Spending(
            testDescription: "four prompts", url: "/v1/completions",
            body: #"{"model":"m","max_tokens":100,"prompt":["a","b","c","d"]}"#,
            usage: #"{"prompt_tokens":4,"completion_tokens":400}"#, sent: 2),
        Spending(
            testDescription: "the best of four", url: "/v1/completions",
            body: #"{"model":"m","max_tokens":100,"prompt":"a","best_of":4}"#,
            usage: #"{"prompt_tokens":1,"completion_tokens":400}"#, sent: 2),
        Spending(
            testDescription: "images", body: #"{"model":"m","max_tokens":100,"messages":[{"content":[\#(image)]}]}"#,
            usage: #"{"prompt_tokens":50000,"completion_tokens":100}"#, sent: 6),
        Spending(
            testDescription: "a file",
            body: #"{"model":"m","max_tokens":100,"messages":[{"content":[{"type":"file"}]}]}"#,
            usage: #"{"prompt_tokens":100000,"completion_tokens":100}"#, sent: 4),
        Spending(
            testDescription: "a tier of another price", body: #"{"model":"m","service_tier":"priority",\#(chat)}"#,
            usage: #"{"prompt_tokens":9,"completion_tokens":200}"#, sent: 0),
        Spending(
            testDescription: "the prompt's tokens alone", body: #"{"model":"m","max_tokens":100,\#(chat)}"#,
            usage: #"{"prompt_tokens":9}"#, sent: 9),
        Spending(
            testDescription: "the total alone", body: #"{"model":"m","max_tokens":100,\#(chat)}"#,
            usage: #"{"total_tokens":109}"#, sent: 9),
        Spending(
            testDescription: "an output below nothing", body: #"{"model":"m","max_tokens":100,\#(chat)}"#,
            usage: #"{"prompt_tokens":9,"completion_tokens":-5,"total_tokens":9}"#, sent: 9),
    ]
}

@Suite struct `A budget` {
    /// A token of output costs a cent and 100,000 of input a dollar, and the model reads at most 100,000 and gives at most 200
    /// in an answer; the budget is 9.50 dollars.
    @Test(arguments: Spending.cases)
    func `is not exceeded, however many answers a request brings and whatever they tell`(
        _ spending: Spending
    ) throws {
        let bed = try Bed(
            """
            { prices: "prices.json",
              keys: { a: { provider: "openai", secret: { env: "A" }, limits: { concurrent: 4 } } },
              classes: { x: { posture: "cost", budget: { usd: 9.5, per: "batch", then: "park" } } } }
            """,
            files: [
                "prices.json":
                    #"{"m":{"mode":"chat","input_cost_per_token":0.00001,"output_cost_per_token":0.01,"max_output_tokens":200,"max_input_tokens":100000}}"#
            ])
        defer { bed.remove() }
        try bed.submit(12, url: spending.url, body: spending.body)
        let sent = Atomic(0)
        let end = try bed.run(environment: ["A": "test-secret-1"]) { [usage = spending.usage] _ in
            sent.add(1, ordering: .relaxed)
            return answer(
                200,
                #"{"choices":[{"text":"ok","message":{"content":"ok"},"finish_reason":"stop"}],"usage":\#(usage)}"#)
        }
        #expect(sent.load(ordering: .relaxed) == spending.sent)
        #expect(end.succeeded == spending.sent && end.unfinished == 12 - spending.sent)
    }

    /// A cent a token: the day's 2.50 dollars are two answers. Midnight is two seconds after the run's beginning, and the run
    /// watches for four.
    @Test func `that parked jobs gives them back when its period ends during a run`() throws {
        let bed = try Bed(
            """
            { prices: "prices.json",
              keys: { a: { provider: "openai", secret: { env: "A" }, limits: { concurrent: 4 } } },
              classes: { x: { posture: "cost", budget: { usd: 2.5, per: "day", then: "park" } } } }
            """,
            files: [
                "prices.json":
                    #"{"m":{"mode":"chat","input_cost_per_token":0,"output_cost_per_token":0.01,"max_output_tokens":200}}"#
            ])
        defer { bed.remove() }
        try bed.submit(5, body: #"{"model":"m","max_tokens":100,\#(Spending.chat)}"#)
        let day: Int64 = 86_400_000
        let clock = RunnerClock(ahead: .milliseconds(day - 2_000 - RunnerClock().wall.milliseconds % day))
        var notes: [String] = []
        var mostParked = 0
        let end = try bed.run(
            environment: ["A": "test-secret-1"], limit: .seconds(4), clock: clock, watch: true,
            onProgress: { mostParked = max(mostParked, $0.parked) }, onNote: { notes.append($0) }
        ) { _ in
            answer(
                200,
                #"{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":100}}"#
            )
        }
        #expect(mostParked == 3)
        #expect(
            notes.filter { $0.contains("parked for lack of money") } == [
                "3 jobs that had been parked for lack of money: budgets and quotas have room for them now"
            ], "\(notes)")
        #expect(end.succeeded == 4 && end.parked == 1 && end.unfinished == 1, "\(end)")
    }

    @Test func `counts an answer of unstated length as no token forecast would believe it`() {
        // The two modules do not see each other.
        #expect(RequestLine.longestAnswer == TokenForecast.unboundedOutput)
        #expect(RequestLine.mostTokens == TokenForecast.mostTokens)
        #expect(
            PriceList.builtIn.entries.values.allSatisfy { $0.price.maxOutputTokens ?? 0 <= RequestLine.longestAnswer })
    }
}
