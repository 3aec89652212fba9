import OffpeakRehearsal
import Testing

/// What a limit model means, said again in the plainest way: from the list of all that was admitted, without state.
private struct PlainModel {
    let limit: Int
    let window: Int64
    let model: LimitModel
    var admitted: [(time: Int64, cost: Int)] = []

    func admits(_ cost: Int, at now: Int64) -> Bool {
        guard cost <= limit else { return false }
        let width = Int(window)
        switch model {
        case .sliding:
            return admitted.filter { $0.time > now - window }.map(\.cost).reduce(0, +) + cost <= limit
        case .fixed:
            return admitted.filter { $0.time / window == now / window }.map(\.cost).reduce(0, +) + cost <= limit
        case .bucket:
            // No stretch that ends now may hold more than the bucket and what flowed in during the stretch.
            var sum = cost
            for entry in admitted.reversed() {
                sum += entry.cost
                if sum * width > limit * width + limit * Int(now - entry.time) { return false }
            }
            return true
        case .slices:
            let slice = min(window, 1_000_000)
            let share = limit * Int(slice)
            var used = 0
            var at: Int64 = 0
            for entry in admitted {
                while at < entry.time / slice {
                    used = max(0, used - share)
                    at += 1
                }
                used += entry.cost * width
            }
            while at < now / slice {
                used = max(0, used - share)
                at += 1
            }
            return used == 0 || used + cost * width <= share
        }
    }
}

@Suite struct LimitTests {
    @Test(arguments: LimitModel.allCases, [(60, 60_000_000), (7, 10_000_000), (90, 900_000), (100, 7_000_000)])
    func `each model admits exactly what its plain meaning admits`(model: LimitModel, size: (Int, Int64)) {
        let (limit, window) = size
        for seed in UInt64(0)..<6 {
            var random = SeededRandom(seed: seed, purpose: .answer, number: 9)
            var meter = Meter(limit: limit, window: window, model: model)
            var plain = PlainModel(limit: limit, window: window, model: model)
            var now: Int64 = 0
            var refused = 0
            for _ in 0..<600 {
                // Mostly dense, at times a long silence, so that full and empty are both met.
                let silent = random.below(300) == 0
                now += Int64(random.below(silent ? Int(window) * 2 : Int(window) / limit / 2 + 1))
                let cost = seed % 2 == 0 ? 1 : 1 + random.below(limit / 3 + 1)
                let wait = meter.wait(for: cost, at: now)
                #expect((wait == 0) == plain.admits(cost, at: now))
                if wait == 0 {
                    meter.charge(cost, at: now)
                    plain.admitted.append((now, cost))
                } else if let wait {
                    refused += 1
                    #expect(plain.admits(cost, at: now + wait), "the wait it names is enough")
                    #expect(!plain.admits(cost, at: now + wait - 1), "and not too long")
                } else {
                    Issue.record("a cost within the limit fits at some time")
                }
            }
            #expect(refused > 0, "the limit was never met: the test shows nothing")
        }
    }

    @Test(arguments: LimitModel.allCases) func `what is larger than the limit never fits`(model: LimitModel) {
        var meter = Meter(limit: 10, window: 1_000_000, model: model)
        #expect(meter.wait(for: 11, at: 5_000_000) == nil)
        #expect(meter.wait(for: 10, at: 5_000_000) == 0)
    }

    @Test func `remaining and reset follow the count`() {
        var sliding = Meter(limit: 10, window: 60_000_000, model: .sliding)
        sliding.charge(3, at: 1_000_000)
        sliding.charge(1, at: 2_000_000)
        #expect(sliding.remaining(at: 2_000_000) == 6)
        #expect(sliding.reset(at: 2_000_000) == 60_000_000)
        #expect(sliding.remaining(at: 61_000_000) == 9)
        var bucket = Meter(limit: 60, window: 60_000_000, model: .bucket)
        bucket.charge(30, at: 0)
        #expect(bucket.remaining(at: 10_000_000) == 40)
        #expect(bucket.reset(at: 10_000_000) == 20_000_000)
        var fixed = Meter(limit: 60, window: 60_000_000, model: .fixed)
        fixed.charge(60, at: 59_000_000)
        #expect(fixed.remaining(at: 59_500_000) == 0)
        #expect(fixed.reset(at: 59_500_000) == 500_000)
        #expect(fixed.remaining(at: 60_000_000) == 60)
        var slices = Meter(limit: 300, window: 60_000_000, model: .slices)
        slices.charge(2, at: 100_000)
        #expect(slices.remaining(at: 200_000) == 180)
        #expect(slices.reset(at: 200_000) == 800_000)
    }

    @Test func `all limits admit together or none does`() {
        var limiter = Limiter(KeyLimits(rpm: 10, tpm: 100, concurrent: 3))
        #expect(limiter.admit(tokens: 90, at: 0) == nil)
        let refusal = limiter.admit(tokens: 20, at: 1_000_000)
        #expect(refusal?.dimension == .tpm)
        #expect(refusal?.wait == 59_000_000)
        #expect(refusal?.remaining == 10)
        // The refused one left no trace in the count of requests.
        let headers = limiter.headers(at: 1_000_000)
        #expect(headers.first { $0.name == "x-ratelimit-remaining-requests" }?.value == "9")
        #expect(limiter.admit(tokens: 5, at: 1_000_000) == nil)
        #expect(limiter.admit(tokens: 5, at: 1_000_000) == nil)
        let crowded = limiter.admit(tokens: 0, at: 1_000_000)
        #expect(crowded?.dimension == .concurrent)
        limiter.release()
        #expect(limiter.admit(tokens: 0, at: 1_000_000) == nil)
        #expect(limiter.peakInFlight == 3)
        let huge = limiter.admit(tokens: 101, at: 1_000_000)
        #expect(huge?.neverFits == true)
    }

    @Test func `refused requests count where the profile says so`() {
        for counts in [false, true] {
            var limiter = Limiter(KeyLimits(rpm: 2, window: 10_000_000, countsRejected: counts))
            #expect(limiter.admit(tokens: 1, at: 0) == nil)
            #expect(limiter.admit(tokens: 1, at: 0) == nil)
            #expect(limiter.admit(tokens: 1, at: 5_000_000) != nil)
            #expect(limiter.admit(tokens: 1, at: 5_000_000) != nil)
            let later = limiter.admit(tokens: 1, at: 10_000_000)
            #expect((later == nil) == !counts)
        }
    }

    @Test func `daily quotas begin anew each day`() {
        var limiter = Limiter(KeyLimits(rpd: 1, tpd: 50, day: 20_000_000, model: .bucket))
        #expect(limiter.admit(tokens: 50, at: 19_000_000) == nil)
        let refusal = limiter.admit(tokens: 1, at: 19_500_000)
        #expect(refusal?.wait == 500_000)
        #expect(limiter.admit(tokens: 50, at: 20_000_000) == nil)
        let headers = limiter.headers(at: 20_000_000)
        #expect(headers.map(\.value) == ["1", "0", "20s", "50", "0", "20s"])
    }

    static let durations: [(Int64, String)] = [
        (0, "0s"), (1, "1ms"), (12_000, "12ms"), (999_001, "1s"), (1_500_000, "1.5s"), (60_000_000, "1m0s"),
        (360_000_000, "6m0s"), (179_560_000, "2m59.56s"), (3_600_000_000, "1h0m0s"), (3_661_001_000, "1h1m1.001s"),
    ]

    @Test(arguments: durations) func `durations are written as Go writes them`(microseconds: Int64, text: String) {
        #expect(goDuration(microseconds) == text)
    }
}
