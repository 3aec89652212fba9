import Testing

@testable import OffpeakCore

@Suite struct `A job on its ladder` {
    @Test func `only judged failures of the job's or provider's own use up an attempt`() {
        // class: judged by a provider that is well, judged by one that is unwell.
        let table: [(FailureClass, Bool, Bool)] = [
            (.rateLimited, false, false), (.quotaExhausted, false, false), (.keyRejected, false, false),
            (.overloaded, true, false), (.unavailable, true, false), (.timedOut, true, true),
            (.modelUnavailable, true, true), (.invalidRequest, true, true), (.refused, true, true),
            (.invalidOutput, true, true), (.unknownOutcome, true, true),
        ]
        #expect(Set(table.map(\.0)) == Set(FailureClass.allCases))
        for (failureClass, whenWell, whenUnwell) in table {
            #expect(JobLadder.usesAttempt(failure(failureClass), isKeyUnwell: false) == whenWell, "\(failureClass)")
            #expect(JobLadder.usesAttempt(failure(failureClass), isKeyUnwell: true) == whenUnwell, "\(failureClass)")
            for unwell in [false, true] {
                #expect(!JobLadder.usesAttempt(failure(failureClass, judged: false), isKeyUnwell: unwell))
            }
        }
    }

    @Test func `while the provider fails everybody, overloaded jobs wait instead of failing`() {
        var job = LadderJob(posture: .cost, keys: 2, models: 1)
        job.isKeyUnwell = true
        #expect(
            job.fail(with: failure(.overloaded), times: 6) == ["retry", "next-key"]
                + Array(repeating: "defer", count: 4))
        #expect(job.attemptsUsed == 0)
    }

    @Test func `a job whose attempts are used up does not wait, however unwell the provider is`() {
        var job = LadderJob(posture: .fallback, keys: 2, models: 1)
        job.policy.ladders[.timedOut] = [.retry, .nextKey, .defer]
        job.policy.attempts = 1
        job.isKeyUnwell = true
        // It was sent in full and may be on the bill: one more would be one more than the class allows.
        #expect(job.fail(with: failure(.timedOut)) == ["fail"])
        #expect(job.attemptsUsed == 1)
    }

    @Test(arguments: 1...7)
    func `a class's own number of attempts is kept exactly`(_ attempts: Int) {
        var job = LadderJob(posture: .strict, keys: 1, models: 1)
        job.policy.attempts = attempts
        let expected = Array(repeating: "retry", count: attempts - 1) + ["fail"]
        #expect(job.fail(with: failure(.invalidOutput), times: 20) == expected)
        #expect(job.attemptsUsed == attempts)
        #expect(
            job.reasons.last == (attempts == 1 ? job.reasons[0] : "invalid_output: the class ends such jobs as failed"))
    }

    @Test func `the reason of a failure for want of attempts names their number`() {
        var job = LadderJob(posture: .strict, keys: 1, models: 1)
        job.policy.attempts = 2
        #expect(job.fail(with: failure(.unknownOutcome), times: 9) == ["retry", "fail"])
        #expect(job.reasons.last == "unknown_outcome: all 2 attempts are used up")
    }

    @Test(
        arguments: [
            ([.fail], ["fail"]), ([.park], ["park"]), ([.defer], ["defer", "defer", "defer"]),
            // Nothing more is possible than what the ladder names: it waits, and then begins again.
            ([.nextKey], ["next-key", "defer", "next-key", "defer"]),
            ([.nextModel, .park], ["next-model", "park"]),
            // A limit uses up no attempt, so a retry in place may go on for ever; but only once if there is another way.
            ([.retry], ["retry", "retry", "retry", "retry", "retry", "retry", "retry"]),
            ([.retry, .nextKey, .fail], ["retry", "next-key", "fail"]),
            ([.shared, .defer], ["defer", "defer"]),
            ([.nextKey, .nextModel, .park], ["next-key", "next-model", "park"]),
        ] as [([LadderStep], [String])])
    func `a class's own ladder replaces the posture's`(_ ladder: [LadderStep], _ expected: [String]) {
        var job = LadderJob(posture: .resilience, keys: 2, models: 2)
        job.policy.ladders[.rateLimited] = ladder
        #expect(job.fail(with: failure(.rateLimited), times: expected.count) == expected)
    }

    @Test func `each failure class has a position of its own on its own ladder`() {
        var job = LadderJob(posture: .cost, keys: 3, models: 1)
        #expect(job.fail(with: failure(.overloaded)) == ["retry"])
        #expect(job.fail(with: failure(.timedOut)) == ["retry"])
        #expect(job.fail(with: failure(.overloaded)) == ["next-key"])
        #expect(job.fail(with: failure(.timedOut)) == ["next-key"])
        // Both other keys have failed it by now, whichever way.
        #expect(job.fail(with: failure(.rateLimited)) == ["defer"])
    }

    @Test func `a key that failed the job is avoided until it is expected to be well`() {
        var job = LadderJob(posture: .cost, keys: 2, models: 1)
        #expect(job.failOnce(with: failure(.rateLimited)) == .nextKey)
        #expect(job.ladder.avoided == [0: at(0) + .minutes(5)])
        // A deferred job waits until its key is, and may then go anywhere.
        #expect(job.failOnce(with: failure(.rateLimited)) == .defer(until: at(0) + .minutes(5)))
        #expect(job.ladder.avoided.isEmpty && job.ladder.modelIndex == 0)
    }

    @Test func `a deferred job waits for the longer of the key's recovery and what the provider asked for`() {
        for (asked, expected) in [(Interval.minutes(1), Interval.minutes(5)), (.minutes(9), .minutes(9))] {
            var job = LadderJob(posture: .strict, keys: 1, models: 1)
            #expect(job.failOnce(with: failure(.rateLimited, retryAfter: asked)) == .defer(until: at(0) + expected))
        }
    }

    @Test func `a retry waits at least for the class's backoff and for what the provider asked for`() {
        for asked in [nil, Interval.seconds(30), .minutes(20)] {
            var job = LadderJob(posture: .strict, keys: 1, models: 1)
            job.policy.attempts = 50
            for _ in 0..<40 {
                let before = job.now
                guard case .retry(let moment) = job.failOnce(with: failure(.overloaded, retryAfter: asked)) else {
                    Issue.record("did not retry")
                    return
                }
                let wait = moment - before
                #expect(wait >= job.policy.backoffBase && wait >= asked ?? .zero)
                #expect(wait <= max(job.policy.backoffCap, .milliseconds((asked ?? .zero).milliseconds * 11 / 10 + 1)))
            }
        }
    }

    @Test func `the next model of the chain may use every key again`() {
        var job = LadderJob(posture: .resilience, keys: 2, models: 3)
        #expect(job.fail(with: failure(.modelUnavailable)) == ["next-key"])
        #expect(job.ladder.avoided.count == 1)
        #expect(job.fail(with: failure(.modelUnavailable)) == ["next-model"])
        #expect(job.ladder.avoided.isEmpty && job.ladder.modelIndex == 1)
        #expect(job.fail(with: failure(.modelUnavailable), times: 9) == ["next-model", "park"])
    }

    @Test func `every reason begins with the failure class in the contract's word`() {
        for posture in Posture.allCases {
            for failureClass in FailureClass.allCases {
                var job = LadderJob(posture: posture, keys: 2, models: 2)
                _ = job.fail(with: failure(failureClass), times: 8)
                #expect(job.reasons.allSatisfy { $0.hasPrefix(failureClass.rawValue + ": ") })
            }
        }
    }
}
