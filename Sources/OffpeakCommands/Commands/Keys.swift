import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

extension Command {
    static let keys = Command(
        syntax: CommandSyntax("keys", help: "each key's limits, use, quota, credit, fee, cost and health")
    ) { context in
        let configuration = try context.configuration()
        let clock = RunnerClock()
        let present = RunCalendar(configuration: configuration, clock: clock).position
        let state = try KeyUse.read(context.queuePath, day: present.day)
        let outlook = KeyOutlook(state, configuration, calendar: present, now: clock.now)
        let calendar = CalendarPosition(containing: clock.wall, in: configuration.timeZone)
        let views = configuration.keys.map { key in
            let money = KeyMoney(
                key, in: configuration, lines: state.spending, calendar: calendar, now: clock.wall)
            let pool = configuration.pools.first { $0.name == key.pool }
            return KeyView(
                key, pool: pool.map { PoolView($0, in: configuration, state) }, state: state, money: money,
                standing: outlook.standings[key.name] ?? KeyStanding())
        }
        if context.printer.usesJSON {
            context.printer.json { writer in
                writer.array("keys") { array in
                    for view in views { array.object { view.write(to: &$0) } }
                }
            }
        } else {
            context.printer.data(views.map(\.text).joined(separator: "\n"))
        }
        return .success
    }
}

/// What the keys of a pool share, as `keys` shows it with each of them.
struct PoolView {
    let pool: PoolDescriptor
    /// Of all its keys.
    let requests: Int
    let tokens: Int

    init(_ pool: PoolDescriptor, in configuration: Configuration, _ state: KeyUse) {
        self.pool = pool
        let uses = configuration.keys.filter { $0.pool == pool.name }.compactMap { state.today[$0.name] }
        requests = uses.reduce(0) { $0 + $1.requests }
        tokens = uses.reduce(0) { $0 + $1.tokens }
    }

    func write(to writer: inout JSONWriter) {
        writer.object("pool_limits") { limits in
            for (name, value) in KeyView.named(pool.limits) { limits.member(name, value) }
        }
        writer.object("pool_used") {
            $0.member("requests_today", requests)
            $0.member("tokens_today", tokens)
        }
    }

    var line: String {
        let limits = KeyView.named(pool.limits).map { "\($0.1) \($0.0)" }
        return "    pool \(pool.name): \(limits.isEmpty ? "no limits stated" : limits.joined(separator: ", "))"
            + "; today: \(Words.count(requests, "request")), \(Words.count(tokens, "token")) of all its keys"
    }
}

/// One key as `keys` shows it.
struct KeyView {
    let key: KeyDescriptor
    let pool: PoolView?
    let memory: KeyMemory?
    let today: KeyDayUse?
    let money: KeyMoney
    let standing: KeyStanding

    init(_ key: KeyDescriptor, pool: PoolView?, state: KeyUse, money: KeyMoney, standing: KeyStanding) {
        self.key = key
        self.pool = pool
        self.money = money
        self.standing = standing
        memory = state.memories[key.name]
        today = state.today[key.name]
    }

    /// Why it is not well; a pause needs no reason.
    private var reason: String? { standing.health == .ok || standing.health == .paused ? nil : standing.reason }

    func write(to writer: inout JSONWriter) {
        writer.member("key", key.name)
        writer.member("provider", key.provider)
        writer.member("billing", key.billing.rawValue)
        writer.member("pool", key.pool)
        writer.member("enabled", key.enabled)
        writer.member("health", standing.health.rawValue)
        writer.member("reason", reason)
        writer.member("until", standing.until)
        writer.object("limits") { limits in
            for (name, value) in Self.named(key.limits) { limits.member(name, value) }
            if let requests = memory?.learnedRequests, let window = memory?.learnedWindow {
                limits.member("learned_requests", requests)
                limits.member("learned_window_s", Int(window.milliseconds / 1_000))
            }
        }
        writer.object("used") {
            $0.member("requests_today", today?.requests ?? 0)
            $0.member("tokens_today", today?.tokens ?? 0)
            $0.member("answered_tokens_today", money.tokensToday)
            $0.member("attempts", money.total.attempts)
            $0.member("succeeded", money.total.answers)
            $0.member("failed", money.total.attempts - money.total.answers)
            $0.member("unknown", money.total.unknownAttempts)
            $0.member("input_tokens", money.total.usage.inputTokens)
            $0.member("output_tokens", money.total.usage.outputTokens)
        }
        pool?.write(to: &writer)
        money.write(to: &writer)
    }

    static func named(_ limits: Limits) -> [(String, Int)] {
        [
            ("rpm", limits.rpm), ("tpm", limits.tpm), ("rpd", limits.rpd), ("tpd", limits.tpd),
            ("concurrent", limits.concurrent),
        ].compactMap { name, value in value.map { (name, $0) } }
    }

    var text: String {
        var head = "\(key.name)  provider \(key.provider)"
        if let pool = key.pool { head += ", pool \(pool)" }
        if !key.enabled { head += ", disabled" }
        head += "  \(standing.health.rawValue)"
        if let until = standing.until { head += " until \(TimeText.rfc3339(until))" }
        if let reason, !reason.isEmpty { head += ": \(reason)" }
        var lines = [head]
        let limits = Self.named(key.limits).map { "\($0.1) \($0.0)" }
        var limitText = limits.isEmpty ? "no limits stated" : limits.joined(separator: ", ")
        if let requests = memory?.learnedRequests, let window = memory?.learnedWindow {
            limitText += "; found out: \(requests) requests per \(TimeText.length(window))"
        }
        lines.append("    limits: \(limitText)")
        let total = money.total
        let (requests, tokens) = (
            Words.count(today?.requests ?? 0, "request"), Words.count(today?.tokens ?? 0, "token")
        )
        // Limits count what is in flight, lost or failed as well, at its estimate.
        let answered =
            money.tokensToday == today?.tokens ?? 0 ? "" : " as limits count them (\(money.tokensToday) in answers)"
        lines.append(
            "    today: \(requests), \(tokens)\(answered); in all \(Words.count(total.attempts, "attempt")), "
                + "\(total.answers) succeeded, \(total.attempts - total.answers) failed or lost"
                + (total.unknownAttempts > 0 ? "; the usage of \(total.unknownAttempts) is unknown" : ""))
        if let pool { lines.append(pool.line) }
        return (lines + money.lines).joined(separator: "\n")
    }
}
