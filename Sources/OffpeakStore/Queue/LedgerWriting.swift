import OffpeakCore

/// The ledger's part of a transaction: entries as they come, and their sums by account and day, each written once.
struct LedgerWriting {
    private struct Place: Hashable {
        var account: Int64
        var day: Int
    }

    private struct AccountName: Hashable {
        var route: LedgerRoute
        var flow: FlowID
    }

    private var accounts: [AccountName: Int64] = [:]
    private var sums: [Place: SpendSum] = [:]

    private enum SQL {
        static let flow: StaticString = "SELECT class, batch FROM flow WHERE id = ?"
        static let addAccount: StaticString = """
            INSERT OR IGNORE INTO account (key, bill, lane, model, class, batch) VALUES (?, ?, ?, ?, ?, ?)
            """
        static let account: StaticString = """
            SELECT id FROM account WHERE key = ? AND bill = ? AND lane = ? AND model = ? AND class = ? AND batch = ?
            """
        static let add: StaticString = """
            INSERT INTO ledger (account, job, lease, day, recorded, kind, input_tokens, cached_tokens,
                cache_write_tokens, output_tokens, reasoning_tokens, provider, platform, credit, list,
                requests, tokens)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        static let addSum: StaticString = """
            INSERT INTO spend (account, day, attempts, answers, input_tokens, cached_tokens, cache_write_tokens,
                output_tokens, reasoning_tokens, provider, platform, credit, list, requests, tokens, first_job,
                first_lease, first_recorded, last_recorded)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (account, day) DO UPDATE SET attempts = attempts + excluded.attempts,
                answers = answers + excluded.answers, input_tokens = input_tokens + excluded.input_tokens,
                cached_tokens = cached_tokens + excluded.cached_tokens,
                cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
                output_tokens = output_tokens + excluded.output_tokens,
                reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
                provider = provider + excluded.provider, platform = platform + excluded.platform,
                credit = credit + excluded.credit, list = list + excluded.list,
                requests = requests + excluded.requests, tokens = tokens + excluded.tokens,
                first_job = coalesce(first_job, excluded.first_job),
                first_lease = coalesce(first_lease, excluded.first_lease),
                first_recorded = coalesce(first_recorded, excluded.first_recorded),
                last_recorded = coalesce(excluded.last_recorded, last_recorded)
            """
        static let ofAttempt: StaticString = """
            SELECT coalesce(sum(input_tokens), 0), coalesce(sum(cached_tokens), 0),
                coalesce(sum(cache_write_tokens), 0), coalesce(sum(output_tokens), 0),
                coalesce(sum(reasoning_tokens), 0), coalesce(sum(provider), 0), coalesce(sum(platform), 0),
                coalesce(sum(credit), 0), coalesce(sum(list), 0), coalesce(sum(requests), 0), coalesce(sum(tokens), 0)
            FROM ledger WHERE job = ? AND lease = ?
            """
    }

    /// Records an attempt's end.
    mutating func add(
        _ entry: LedgerEntry, of settlement: Settlement, answered: Bool, to connection: Connection, at now: Timestamp
    ) throws(StoreError) {
        let place = Place(account: try account(entry.route, settlement.flow, connection), day: entry.day)
        sums[place, default: SpendSum()].attempts += 1
        if answered { sums[place, default: SpendSum()].answers += 1 }
        try insert(entry, settlement, place, connection, at: now)
    }

    /// Records what an attempt cost whose outcome had been recorded as lost: the difference.
    mutating func correct(
        _ entry: LedgerEntry, of settlement: Settlement, answered: Bool, to connection: Connection, at now: Timestamp
    ) throws(StoreError) {
        var difference = entry
        difference.kind = .corrected
        let earlier = try connection.first(SQL.ofAttempt, settlement.job, settlement.lease) { row in
            (usage: row.fullUsage(0), charge: row.charge(5), requests: row.int(9), tokens: row.int(10))
        }
        if let earlier {
            difference.charge = entry.charge - earlier.charge
            difference.usage = entry.usage - earlier.usage
            difference.requests = entry.requests - earlier.requests
            difference.tokens = entry.tokens - earlier.tokens
        }
        let place = Place(account: try account(entry.route, settlement.flow, connection), day: entry.day)
        if answered { sums[place, default: SpendSum()].answers += 1 }
        try insert(difference, settlement, place, connection, at: now)
    }

    private mutating func insert(
        _ entry: LedgerEntry, _ settlement: Settlement, _ place: Place, _ connection: Connection, at now: Timestamp
    ) throws(StoreError) {
        // An attempt that used and cost nothing is counted, but leaves no entry: a refusal is no event of the books.
        guard entry.isWorthKeeping else { return }
        sums[place, default: SpendSum()].requests += entry.requests
        sums[place, default: SpendSum()].tokens += entry.tokens
        sums[place, default: SpendSum()].usage = sums[place, default: SpendSum()].usage + entry.usage
        sums[place, default: SpendSum()].charge = sums[place, default: SpendSum()].charge + entry.charge
        if sums[place]?.first == nil { sums[place]?.first = (settlement.job, settlement.lease, now) }
        let statement = try connection.statement(SQL.add)
        statement.bind(1, place.account)
        statement.bind(2, settlement.job)
        statement.bind(3, settlement.lease)
        statement.bind(4, entry.day)
        statement.bind(5, now)
        statement.bind(6, entry.kind.rawValue)
        statement.bind(from: 7, entry.usage)
        statement.bind(from: 12, entry.charge)
        statement.bind(16, entry.requests)
        statement.bind(17, entry.tokens)
        try statement.run()
    }

    private mutating func account(
        _ route: LedgerRoute, _ flow: FlowID, _ connection: Connection
    ) throws(StoreError) -> Int64 {
        let name = AccountName(route: route, flow: flow)
        if let known = accounts[name] { return known }
        let owner = try connection.first(SQL.flow, flow) { row in (row.string(0), row.int64(1)) } ?? ("", 0)
        let parts: [any Bindable] = [
            route.key, route.bill.rawValue, route.lane.rawValue, route.model, owner.0, owner.1,
        ]
        for text in [SQL.addAccount, SQL.account] {
            let statement = try connection.statement(text)
            statement.bindAll(parts)
            defer { statement.reset() }
            if try statement.step() { accounts[name] = statement.int64(0) }
        }
        guard let id = accounts[name] else {
            throw StoreError(.corrupt, message: "an account of the ledger is missing", statement: "\(SQL.account)")
        }
        return id
    }

    /// Writes the sums; call at the end of the transaction.
    func apply(to connection: Connection) throws(StoreError) {
        for (place, sum) in sums.sorted(by: { ($0.key.account, $0.key.day) < ($1.key.account, $1.key.day) }) {
            let statement = try connection.statement(SQL.addSum)
            statement.bind(1, place.account)
            statement.bind(2, place.day)
            statement.bind(3, sum.attempts)
            statement.bind(4, sum.answers)
            statement.bind(from: 5, sum.usage)
            statement.bind(from: 10, sum.charge)
            statement.bind(14, sum.requests)
            statement.bind(15, sum.tokens)
            statement.bind(16, sum.first.map { Int($0.job) })
            statement.bind(17, sum.first?.lease)
            statement.bind(18, sum.first.map { Int($0.at.milliseconds) })
            statement.bind(19, sum.first.map { Int($0.at.milliseconds) })
            try statement.run()
        }
    }
}

/// What is added to one row of the sums.
struct SpendSum {
    var attempts = 0
    var answers = 0
    var requests = 0
    var tokens = 0
    var usage = Usage()
    var charge = Charge()
    /// The attempt of the transaction's first entry there, and its moment, which is that of all of them.
    var first: (job: JobID, lease: Int, at: Timestamp)?
}

extension Statement {
    /// Five parameters: input, cached, cache write, output and reasoning tokens.
    func bind(from index: Int32, _ usage: Usage) {
        bind(index, usage.inputTokens)
        bind(index + 1, usage.cachedTokens)
        bind(index + 2, usage.cacheWriteTokens)
        bind(index + 3, usage.outputTokens)
        bind(index + 4, usage.reasoningTokens)
    }

    /// Four parameters: provider, platform, credit and list, in nano-dollars.
    func bind(from index: Int32, _ charge: Charge) {
        bind(index, charge.provider.nanodollars)
        bind(index + 1, charge.platform.nanodollars)
        bind(index + 2, charge.credit.nanodollars)
        bind(index + 3, charge.list.nanodollars)
    }

    /// Five columns, as they are bound.
    func fullUsage(_ first: Int32) -> Usage {
        Usage(
            inputTokens: int(first), cachedTokens: int(first + 1), cacheWriteTokens: int(first + 2),
            outputTokens: int(first + 3), reasoningTokens: int(first + 4))
    }

    /// Four columns, as they are bound.
    func charge(_ first: Int32) -> Charge {
        Charge(
            provider: Money(nanodollars: int64(first)), platform: Money(nanodollars: int64(first + 1)),
            credit: Money(nanodollars: int64(first + 2)), list: Money(nanodollars: int64(first + 3)))
    }
}
