import Testing

@testable import OffpeakCore

/// The contract's table of failure classes and postures, and what it makes of a job that fails again and again.
@Suite struct `The table of failure ladders` {
    /// As the contract has it, in its own words: failure class, then strict, fallback, cost, governance, resilience.
    static let contract = """
        rate_limited      | defer | next-key, shared, defer | next-key, defer | next-key, defer | next-key, shared, next-model, defer
        quota_exhausted   | defer | next-key, shared, defer | next-key, defer | next-key, defer | next-key, shared, next-model, defer
        key_rejected      | park | next-key, shared, park | next-key, park | park | next-key, shared, next-model, park
        overloaded        | retry, defer | retry, next-key, shared, defer | retry, next-key, defer | retry, defer | next-key, shared, next-model, retry, defer
        unavailable       | retry, defer | retry, next-key, shared, defer | retry, next-key, defer | retry, defer | next-key, shared, next-model, retry, defer
        timed_out         | retry, park | retry, next-key, shared, park | retry, next-key, park | retry, park | next-key, shared, next-model, retry, park
        model_unavailable | park | next-key, shared, next-model, park | next-key, next-model, park | park | next-key, shared, next-model, park
        invalid_request   | fail | fail | fail | fail | fail
        refused           | fail | fail | fail | fail | fail
        invalid_output    | retry, fail | retry, fail | retry, fail | retry, fail | retry, next-model, fail
        unknown_outcome   | retry | retry | retry | park | retry
        """

    static let postures = ["strict", "fallback", "cost", "governance", "resilience"]

    static func rows(_ table: String) -> [(failure: String, cells: [String])] {
        table.split(separator: "\n").map { line in
            let cells = line.split(separator: "|").map { trimmed($0) }
            return (cells[0], Array(cells.dropFirst()))
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    @Test func `presets have the contract's ladder for each of the 11 failure classes and 5 postures`() {
        let rows = Self.rows(Self.contract)
        #expect(rows.map(\.failure) == FailureClass.allCases.map(\.rawValue))
        #expect(Posture.allCases.map(\.rawValue) == Self.postures)
        for (failure, cells) in rows {
            #expect(cells.count == 5)
            for (posture, cell) in zip(Posture.allCases, cells) {
                let ladder = ClassPolicy(name: "c", posture: posture).ladders[FailureClass(rawValue: failure)!]
                #expect(ladder?.map(\.rawValue).joined(separator: ", ") == cell, "\(failure), \(posture)")
            }
        }
    }

    // What becomes of a job that fails in the same way each time, until it ends or repeats itself for ever (`…`). Worked
    // out by hand from the contract; `shared` is not in effect yet. r = retry, k = next-key, m = next-model.

    /// Three keys, a chain of two models, five attempts, all failures judged by a provider that serves others well.
    static let withThreeKeys = """
        rate_limited      | defer… | k k defer… | k k defer… | k k defer… | k k m defer…
        quota_exhausted   | defer… | k k defer… | k k defer… | k k defer… | k k m defer…
        key_rejected      | park | k k park | k k park | park | k k m park
        overloaded        | r r r r fail | r k k defer fail | r k k defer fail | r r r r fail | k k m r fail
        unavailable       | r r r r fail | r k k defer fail | r k k defer fail | r r r r fail | k k m r fail
        timed_out         | r r r r park | r k k park | r k k park | r r r r park | k k m r park
        model_unavailable | park | k k m park | k k m park | park | k k m park
        invalid_request   | fail | fail | fail | fail | fail
        refused           | fail | fail | fail | fail | fail
        invalid_output    | r r r r fail | r r r r fail | r r r r fail | r r r r fail | r m fail
        unknown_outcome   | r r r r fail | r r r r fail | r r r r fail | park | r r r r fail
        """

    /// One key, one model.
    static let withOneKey = """
        rate_limited      | defer… | defer… | defer… | defer… | defer…
        quota_exhausted   | defer… | defer… | defer… | defer… | defer…
        key_rejected      | park | park | park | park | park
        overloaded        | r r r r fail | r r r r fail | r r r r fail | r r r r fail | r r r r fail
        unavailable       | r r r r fail | r r r r fail | r r r r fail | r r r r fail | r r r r fail
        timed_out         | r r r r park | r r r r park | r r r r park | r r r r park | r r r r park
        model_unavailable | park | park | park | park | park
        invalid_request   | fail | fail | fail | fail | fail
        refused           | fail | fail | fail | fail | fail
        invalid_output    | r r r r fail | r r r r fail | r r r r fail | r r r r fail | r r r r fail
        unknown_outcome   | r r r r fail | r r r r fail | r r r r fail | park | r r r r fail
        """

    /// Three keys, and the provider never looked at the request (no connection): nothing uses up an attempt.
    static let unjudged = """
        overloaded        | r… | r k k defer… | r k k defer… | r… | k k m r…
        unavailable       | r… | r k k defer… | r k k defer… | r… | k k m r…
        timed_out         | r… | r k k park | r k k park | r… | k k m r…
        unknown_outcome   | r… | r… | r… | park | r…
        """

    @Test func `with three keys and a chain, each failure takes the steps of its row in order`() {
        expectSequences(Self.withThreeKeys, keys: 3, models: 2, judged: true)
    }

    @Test func `with one key, steps that lead elsewhere are left out`() {
        expectSequences(Self.withOneKey, keys: 1, models: 1, judged: true)
    }

    @Test func `what no provider judged never ends a job for want of attempts`() {
        expectSequences(Self.unjudged, keys: 3, models: 2, judged: false)
    }

    private func expectSequences(_ table: String, keys: Int, models: Int, judged: Bool) {
        for (failureClass, cells) in Self.rows(table) {
            for (posture, cell) in zip(Posture.allCases, cells) {
                var job = LadderJob(posture: posture, keys: keys, models: models)
                let found = job.fail(with: failure(FailureClass(rawValue: failureClass)!, judged: judged), times: 60)
                let letters = ["retry": "r", "next-key": "k", "next-model": "m"]
                var expected = cell.split(separator: " ").map(String.init)
                if let last = expected.last, last.hasSuffix("…") {
                    expected[expected.count - 1] = String(last.dropLast())
                    while expected.count < 60 { expected.append(String(last.dropLast())) }
                }
                #expect(found.map { letters[$0] ?? $0 } == expected, "\(failureClass), \(posture)")
            }
        }
    }
}

/// A job that fails by one class again and again in a small world, as a scheduler would lead it through the ladder.
struct LadderJob {
    var policy: ClassPolicy
    let keys: Int
    let models: Int
    var isKeyUnwell = false
    private(set) var ladder = JobLadder()
    private(set) var key = 0
    private(set) var model = 0
    private(set) var attemptsUsed = 0
    private(set) var now = at(0)
    private(set) var reasons: [String] = []
    private var failedKeys: Set<Int> = []
    private var generator = SeededGenerator(seed: 7)

    init(posture: Posture, keys: Int, models: Int) {
        policy = ClassPolicy(name: "c", posture: posture)
        (self.keys, self.models) = (keys, models)
    }

    /// Fails up to so many times; the words of what followed each time.
    mutating func fail(with failure: Failure, times: Int = 1) -> [String] {
        var words: [String] = []
        while words.count < times {
            let word = failOnce(with: failure).word
            words.append(word)
            if word == "park" || word == "fail" { break }
        }
        return words
    }

    mutating func failOnce(with failure: Failure) -> Disposition {
        if JobLadder.usesAttempt(failure, isKeyUnwell: isKeyUnwell) { attemptsUsed += 1 }
        let others = (0..<keys).filter { $0 != key && !failedKeys.contains($0) }
        let world = JobLadder.Circumstances(
            key: key, hasOtherKey: !others.isEmpty, nextModel: model + 1 < models ? model + 1 : nil,
            recovery: now + .minutes(5), isKeyUnwell: isKeyUnwell, attemptsUsed: attemptsUsed)
        let (disposition, reason) = ladder.next(
            after: failure, policy: policy, in: world, at: now, using: &generator)
        reasons.append(reason)
        switch disposition {
        case .nextKey:
            failedKeys.insert(key)
            key = others[0]
        case .nextModel:
            (model, key, failedKeys) = (model + 1, 0, [])
        case .retry(let moment): now = moment
        case .defer(let moment):
            (now, model, key, failedKeys) = (moment, 0, 0, [])
        default: break
        }
        return disposition
    }
}
