import OffpeakCore
import OffpeakForecast

/// Several batches with deadlines over several keys, drawn from a seed: what it costs at best, and with the real scheduler.
///
/// Jobs are small beside what a key takes in a minute, as they are in practice: a linear program splits jobs, and so fills
/// the last bit of a minute's tokens where a whole job would not fit.
struct SpillInstance {
    struct Key {
        var rpm: Int?
        var tpm: Int?
        /// Nano-dollars per million tokens, both kinds alike.
        var rate: TokenRate
        var quota: Int?
        /// Nano-dollars.
        var credit: Int?
        /// Tokens a minute that cost nothing.
        var provisioned: Int?
        var isShared = false
    }
    struct Batch {
        var jobs: Int
        var bytes: Int
        var output: Int
        /// Milliseconds.
        var deadline: Int64
        var keys: [Int]
        var tokens: Int { bytes / 4 + 1 + output }
    }

    let seed: UInt64
    var keys: [Key] = []
    var batches: [Batch] = []
    /// Milliseconds.
    let latency: Int64

    /// `isPrepaid`: some keys have credit or provisioned throughput.
    init(seed: UInt64, isPrepaid: Bool) {
        self.seed = seed
        var chance = SeededGenerator(seed: seed)
        func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &chance) }
        latency = Int64(draw(300...3_000))
        for _ in 0..<draw(2...5) {
            let kind = draw(0...9)
            var key = Key(rate: TokenRate(draw(1...50)) * 100_000_000)
            if kind < 8 { key.rpm = draw(20...120) }
            if kind >= 5 { key.tpm = draw(10...40) * 1_000 }
            if draw(0...3) == 0 { key.quota = draw(50...400) }
            if isPrepaid, draw(0...2) == 0 { key.credit = draw(10...200) * 1_000_000 }
            if isPrepaid, draw(0...2) == 0 { key.provisioned = draw(5...30) * 1_000 }
            keys.append(key)
        }
        if draw(0...2) == 0 {
            let last = keys.count - 1
            keys[last] = Key(
                rpm: keys[last].rpm, tpm: keys[last].tpm, rate: keys.map(\.rate).max()! * 2, isShared: true)
        }
        let count = draw(1...6)
        let load = Double(draw(20...115)) / 100
        for _ in 0..<count {
            var allowed = keys.indices.filter { _ in draw(0...3) > 0 }
            if allowed.isEmpty { allowed = [draw(0...keys.count - 1)] }
            var batch = Batch(
                jobs: 0, bytes: draw(40...600), output: draw(2...60), deadline: Int64(draw(180...1_200)) * 1_000,
                keys: allowed)
            let room = allowed.reduce(0.0) { $0 + capacity(of: $1, tokens: batch.tokens, until: batch.deadline) }
            batch.jobs = max(1, Int(room * load / Double(count)))
            batches.append(batch)
        }
    }

    /// How often a key's minute opens so that what it lets through is answered by a moment: at once, and again each time that
    /// what was sent has left it.
    private func windows(until deadline: Int64) -> Double {
        Double((deadline - latency) / (60_000 + 5 + min(latency, 500)) + 1)
    }

    private func capacity(of key: Int, tokens: Int, until deadline: Int64) -> Double {
        var jobs = Double.infinity
        if let rpm = keys[key].rpm { jobs = min(jobs, Double(rpm) * windows(until: deadline)) }
        if let tpm = keys[key].tpm { jobs = min(jobs, Double(tpm / tokens) * windows(until: deadline)) }
        if let quota = keys[key].quota { jobs = min(jobs, Double(quota)) }
        return jobs
    }

    private func value(_ key: Int, _ batch: Int) -> Double {
        Double(keys[key].rate) * Double(batches[batch].tokens) / 1e6
    }

    // MARK: The optimum

    /// One variable of the program: jobs of a batch on a key, by one of its terms.
    private struct Place {
        enum Terms { case price, credit, provisioned }
        var batch: Int
        var key: Int
        var terms: Terms
    }

    struct Optimum {
        /// Nano-dollars.
        var cost: Double
        var sharedCost: Double
        /// Jobs that cannot be in time.
        var lacking: Double
    }

    /// What the work would cost at the optimum if nothing were prepaid: what a prepaid instance's cost is measured by, since
    /// its optimum may well be nothing.
    var unpaid: SpillInstance {
        var other = self
        for k in other.keys.indices { (other.keys[k].credit, other.keys[k].provisioned) = (nil, nil) }
        return other
    }

    /// The program's optimum: first as much in time as can be, then as little through shared capacity, then the least cost. With
    /// `wholeJobs`, no minute's tokens are filled further than jobs that are not split can always fill it.
    func optimum(wholeJobs: Bool) -> Optimum {
        var places: [Place] = []
        for (b, batch) in batches.enumerated() {
            for key in batch.keys {
                places.append(Place(batch: b, key: key, terms: .price))
                if keys[key].credit != nil { places.append(Place(batch: b, key: key, terms: .credit)) }
                if keys[key].provisioned != nil { places.append(Place(batch: b, key: key, terms: .provisioned)) }
            }
        }
        func row(_ weight: (Place) -> Double) -> [Double] { places.map(weight) }
        let largest = wholeJobs ? batches.map(\.tokens).max()! - 1 : 0
        var rows: [([Double], Double)] = []
        for (k, key) in keys.enumerated() {
            for deadline in Set(batches.map(\.deadline)).sorted() {
                func isMeant(_ place: Place) -> Bool { place.key == k && batches[place.batch].deadline <= deadline }
                func tokens(_ place: Place) -> Double { Double(batches[place.batch].tokens) }
                let turns = windows(until: deadline)
                if let rpm = key.rpm { rows.append((row { isMeant($0) ? 1 : 0 }, Double(rpm) * turns)) }
                if let tpm = key.tpm {
                    rows.append((row { isMeant($0) ? tokens($0) : 0 }, Double(tpm - largest) * turns))
                }
                if let tpm = key.provisioned {
                    rows.append((row { isMeant($0) && $0.terms == .provisioned ? tokens($0) : 0 }, Double(tpm) * turns))
                }
            }
            if let quota = key.quota { rows.append((row { $0.key == k ? 1 : 0 }, Double(quota))) }
            if let credit = key.credit {
                rows.append((row { $0.key == k && $0.terms == .credit ? value(k, $0.batch) : 0 }, Double(credit)))
            }
        }
        let real = row { $0.terms == .price ? value($0.key, $0.batch) : 0 }
        let prices = zip(places, real).map { keys[$0.key].isShared ? $1 * 1_000 : $1 }
        let program = TextbookProgram(
            cost: prices, rows: rows,
            demands: batches.indices.map { b in (row { $0.batch == b ? 1 : 0 }, Double(batches[b].jobs)) },
            penalty: (prices.max() ?? 1) * 1_000)
        let solution = program.solve()
        var optimum = Optimum(cost: 0, sharedCost: 0, lacking: solution.lacking.reduce(0, +))
        for (place, (cost, jobs)) in zip(places, zip(real, solution.x)) {
            optimum.cost += cost * jobs
            if keys[place.key].isShared { optimum.sharedCost += cost * jobs }
        }
        return optimum
    }

    // MARK: The scheduler

    struct Simulated {
        /// Nano-dollars.
        var cost = 0.0
        var sharedCost = 0.0
        /// Jobs that were answered after their deadline, and not at all.
        var late = 0
        var left = 0
    }

    func simulated() -> Simulated {
        let start = Timestamp(milliseconds: 1_800_000_000_000)
        // To the millisecond.
        var forecast = Forecast(
            scheduler: scheduler, work: work(from: start), answers: AnswerModel(history),
            clock: ForecastClock(shortestWindow: .milliseconds(1)), at: start)
        let result = forecast.run(until: start + .hours(3), calendar: { _ in ([], .distantFuture) }).result
        return Simulated(
            cost: Double(result.charge.billed.nanodollars), sharedCost: Double(result.charge.platform.nanodollars),
            late: result.late, left: result.left)
    }

    /// Every answer of a batch is as long as it may be, and all take the same time.
    private var history: AnswerHistory {
        var history = AnswerHistory()
        for (b, batch) in batches.enumerated() {
            for key in batch.keys {
                let sample = AnswerSample(
                    bodyBytes: batch.bytes,
                    usage: Usage(inputTokens: batch.bytes / 4 + 1, outputTokens: batch.output),
                    duration: .milliseconds(latency))
                let place = AnswerHistory.Place(
                    className: "c\(b)", key: "k\(key)", model: "m", endpoint: .chatCompletions)
                for _ in 0..<AnswerHistory.enough { history.add(sample, at: place) }
            }
        }
        return history
    }

    private var scheduler: Scheduler {
        let descriptors = keys.enumerated().map { index, key in
            var descriptor = KeyDescriptor(
                name: "k\(index)", provider: "p", billing: key.isShared ? .platform : .provider,
                limits: Limits(rpm: key.rpm, tpm: key.tpm, concurrent: 4_000))
            descriptor.quota = key.quota.map { Quota(requests: $0, per: .month) }
            descriptor.credit = key.credit.map { Credit(amount: Money(nanodollars: Int64($0))) }
            descriptor.provisionedTPM = key.provisioned
            return descriptor
        }
        let terms = keys.enumerated().map { index, key in
            ("k\(index)", KeyPrices.terms(["*": ModelTerms(rates: TokenRates(input: key.rate, output: key.rate))]))
        }
        let policies = batches.indices.map { b in
            var policy = ClassPolicy(name: "c\(b)", posture: .cost)
            policy.keyOnly = batches[b].keys.map { "k\($0)" }
            return (policy: policy, keys: policy.keyOnly)
        }
        return Scheduler(
            keys: descriptors, pools: [], classes: policies,
            prices: PriceBook(lists: [], terms: Dictionary(uniqueKeysWithValues: terms)), seed: seed)
    }

    private func work(from start: Timestamp) -> [ForecastWork] {
        batches.enumerated().map { b, batch in
            var work = ForecastWork(
                flow: Flow(
                    id: FlowID(b) + 1, batch: BatchID(b) + 1, className: "c\(b)", model: "m",
                    endpoint: .chatCompletions, deadline: start + .milliseconds(batch.deadline)))
            work.add(bodyBytes: batch.bytes, maxOutputTokens: batch.output, count: batch.jobs)
            return work
        }
    }
}
