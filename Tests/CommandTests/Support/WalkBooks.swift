import Testing

/// What the walk-through must have cost: the same books once more, kept by the tests from nothing but the attempts'
/// tokens and the terms as the example states them.
struct WalkBooks {
    /// One line of them.
    struct Sum: Equatable, CustomStringConvertible {
        var jobs = 0
        var attempts = 0
        var input = 0
        var output = 0
        var lost = 0
        var cost = Amounts()

        init() {}

        /// A row, or the total, of `report`.
        init(_ row: Document) {
            (jobs, attempts) = (row["jobs"].int, row["attempts"].int)
            (input, output) = (row["usage"]["input_tokens"].int, row["usage"]["output_tokens"].int)
            lost = row["cost"]["unknown"]["attempts"].int
            cost = Amounts(row["cost"])
        }

        mutating func add(_ attempt: WalkAttempt, _ amount: Amounts) {
            jobs += attempt.outcome == "succeeded" ? 1 : 0
            attempts += 1
            input += attempt.input
            output += attempt.output
            lost += attempt.isAssumed ? 1 : 0
            cost = cost + amount
        }

        var description: String {
            "\(jobs) jobs, \(attempts) attempts (\(lost) lost), \(input) + \(output) tokens, \(cost)"
        }
    }

    /// Nano-dollars a token, as `offpeak.json5` and `prices.json` state them.
    static let prices: [String: (input: Int, output: Int)] = [
        "team-a": (2_000, 8_000), "team-b": (2_000, 8_000), "reserved": (2_500, 10_000), "starter": (2_250, 9_000),
        "router": (2_500, 10_000), "shared": (3_000, 12_000),
    ]
    static let bills = [
        "team-a": "provider", "team-b": "provider", "reserved": "provider", "starter": "provider",
        "router": "router-byok", "shared": "platform",
    ]
    static let credit = 10_000_000
    static let allowance = 20_000_000
    static let budget = 20_000_000
    static let quota = 15
    static let provisionedPerMinute = 2_000

    static func price(_ key: String, input: Int, output: Int) -> Int {
        let price = prices[key] ?? (0, 0)
        return input * price.input + output * price.output
    }

    private(set) var total = Sum()
    private(set) var groups: [String: [String: Sum]] = [:]
    private var creditLeft = credit
    private var allowanceLeft = allowance

    /// `isReversed`: of attempts that ended in the same millisecond the later one in the list was settled first.
    init(_ jobs: [WalkJob], isReversed: Bool = false) {
        let attempts = jobs.flatMap(\.attempts).enumerated()
        // What was settled first used the credit and the allowance first.
        let order = attempts.sorted { a, b in
            a.element.ended != b.element.ended ? a.element.ended < b.element.ended : (a.offset < b.offset) != isReversed
        }
        for (_, attempt) in order {
            let amount = charge(attempt)
            total.add(attempt, amount)
            let names = [
                "key": attempt.key, "class": attempt.className, "model": attempt.model, "batch": attempt.batch,
                "day": attempt.day, "bill": Self.bills[attempt.key] ?? "",
            ]
            for (grouping, name) in names { groups[grouping, default: [:]][name, default: Sum()].add(attempt, amount) }
        }
    }

    private mutating func charge(_ attempt: WalkAttempt) -> Amounts {
        if attempt.isAssumed { return assumed(attempt) }
        guard attempt.outcome == "succeeded" else { return Amounts() }
        let value = Self.price(attempt.key, input: attempt.input, output: attempt.output)
        switch attempt.key {
        case "shared": return Amounts(platform: value)
        case "router":
            let charged = max(0, value - allowanceLeft)
            allowanceLeft = max(0, allowanceLeft - value)
            return Amounts(provider: value, platform: charged / 20)
        case "starter":
            let covered = min(creditLeft, value)
            creditLeft -= covered
            return Amounts(provider: value - covered, credit: covered)
        // Nothing but paid-for throughput is used of it; `checkThroughput` sees that it does not give too much.
        case "reserved": return Amounts()
        default: return Amounts(provider: value)
        }
    }

    /// As many input tokens as its body has bytes, the longest answer that it allows, and nothing of it free.
    private mutating func assumed(_ attempt: WalkAttempt) -> Amounts {
        let most = Self.price(attempt.key, input: attempt.bodyBytes, output: attempt.mostOutput)
        if attempt.key == "shared" { return Amounts(platform: most, unknown: most) }
        guard attempt.key == "router" else { return Amounts(provider: most, unknown: most) }
        allowanceLeft = max(0, allowanceLeft - most)
        return Amounts(provider: most, platform: most / 20, unknown: most + most / 20)
    }
}

extension Walk {
    /// Every report against the tests' own books, and everything against each other.
    func checkBooks(_ jobs: [WalkJob]) async throws -> WalkBooks {
        // Nobody can see which of two classes' answers of one millisecond took the last of the allowance.
        let classes = try await report("class")["rows"].list.map { ($0["class"].text, WalkBooks.Sum($0)) }
        let seen = Dictionary(classes) { first, _ in first }
        let (plain, reversed) = (WalkBooks(jobs), WalkBooks(jobs, isReversed: true))
        let books = seen == reversed.groups["class"] ? reversed : plain
        for grouping in ["key", "class", "model", "batch", "day", "bill"] {
            let report = try await report(grouping)
            #expect(WalkBooks.Sum(report["total"]) == books.total, "by \(grouping)")
            let rows = report["rows"].list.map { ($0[grouping].text, WalkBooks.Sum($0)) }
            let found = Dictionary(rows) { first, _ in first }
            #expect(found.count == rows.count && found == books.groups[grouping], "by \(grouping)")
        }
        for name in Self.keys {
            let key = try await key(name)
            #expect(Amounts(key["cost"]) == books.groups["key"]?[name]?.cost ?? Amounts(), "\(name)")
        }
        for (index, name) in Self.classes.enumerated() {
            let status = try await place.status(of: "b\(index + 1)")
            #expect(Amounts(status["cost"]) == books.groups["class"]?[name]?.cost, "\(name)")
        }
        checkThroughput(jobs)
        return books
    }

    /// What the paid-for throughput gave in any minute.
    private func checkThroughput(_ jobs: [WalkJob]) {
        let free = jobs.flatMap(\.attempts).filter { $0.key == "reserved" && $0.outcome == "succeeded" }
        for last in free {
            let minuteBefore = last.startedMilliseconds - 60_000
            let sum = free.filter { $0.started <= last.started && $0.startedMilliseconds > minuteBefore }
                .reduce(0) { $0 + $1.input + $1.output }
            #expect(sum <= WalkBooks.provisionedPerMinute)
        }
    }

    /// Each job has one result, whose receipt is the sum of its attempts and whose tokens are those of its answer.
    func checkResults(_ jobs: [WalkJob]) async throws {
        for index in Self.classes.indices {
            let batch = "b\(index + 1)"
            let own = jobs.filter { $0.batch == batch }
            let lines = try await results(batch)
            #expect(lines.map { $0["custom_id"].text } == own.map(\.id), "every line once, in order")
            for (line, job) in zip(lines, own) {
                #expect(line["response"].isNull == (job.state != "succeeded"), "\(job.id)")
                let answered = job.attempts.filter { $0.outcome == "succeeded" }
                #expect(answered.count == (job.state == "succeeded" ? 1 : 0), "\(job.id)")
                guard let attempt = answered.first else { continue }
                let (receipt, usage) = (line["offpeak"], line["response"]["body"]["usage"])
                #expect(receipt["key"].text == attempt.key && receipt["bill"].text == attempt.bill)
                #expect(receipt["attempts"].int == job.attempts.count)
                #expect(Amounts(receipt["cost"]) == job.attempts.reduce(Amounts()) { $0 + $1.cost }, "\(job.id)")
                #expect(attempt.input == usage["prompt_tokens"].int && attempt.output == usage["completion_tokens"].int)
            }
        }
    }
}

extension WalkAttempt {
    /// Milliseconds of the day on which it began.
    var startedMilliseconds: Int {
        let parts = started.dropFirst(11).dropLast().split(whereSeparator: { $0 == ":" || $0 == "." }).compactMap {
            Int($0)
        }
        guard parts.count == 4 else { return -1 }
        return ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1_000 + parts[3]
    }
}

/// What the rehearsed provider counted of a key, in both of its secrets' names.
struct ProviderAccount {
    var requests = 0
    var answers = 0
    var input = 0
    var output = 0

    init(_ key: String, in ledger: Document) {
        let accounts = ledger["by_key"]
        for name in key == "team-a" ? ["team-a", "team-a-2"] : [key] {
            requests += accounts[name]["requests"].int
            answers += accounts[name]["answers"].int
            input += accounts[name]["input_tokens"].int
            output += accounts[name]["output_tokens"].int
        }
    }
}
