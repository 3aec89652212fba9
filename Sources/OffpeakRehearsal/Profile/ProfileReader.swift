import OffpeakConfiguration
import OffpeakCore

/// Everything that a profile's text has wrong.
package struct ProfileProblems: Error, Sendable, CustomStringConvertible {
    package var problems: [Problem]

    /// One line per problem.
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension RehearsalProfile {
    /// Reads a profile from JSON5 text; the error holds every problem of it.
    package static func read(_ text: String) throws(ProfileProblems) -> RehearsalProfile {
        let value: JSON5Value
        do throws(JSON5SyntaxError) {
            value = try JSON5Value.parse(text)
        } catch {
            let message = "column \(error.column): found \(error.found), expected \(error.expected)"
            throw ProfileProblems(problems: [Problem(path: "", line: error.line, message: message)])
        }
        let reader = ProfileReader()
        let profile = reader.profile(value)
        reader.findings.sortByLine()
        guard reader.findings.problems.isEmpty else { throw ProfileProblems(problems: reader.findings.problems) }
        return profile
    }
}

/// Turns a profile's JSON5 into values; what is wrong goes to `findings` and reads as the default.
private struct ProfileReader {
    let findings = Findings()

    func profile(_ value: JSON5Value) -> RehearsalProfile {
        var profile = RehearsalProfile.standard
        let known = ["seed", "latency", "models", "context", "keys", "faults", "answer", "flex"]
        guard let fields = FieldReader(value, path: "", known: known, findings: findings) else { return profile }
        if let seed = fields.integer("seed", in: 0...Int.max) { profile.seed = UInt64(seed) }
        if let latency = latency(fields) { profile.latency = latency }
        profile.models = fields.strings("models").map { $0.map(\.text) }
        profile.context = fields.integer("context", in: 1...1_000_000_000)
        if let answer = answer(fields) { profile.answerTokens = answer }
        if fields.has("keys") { (profile.keys, profile.otherKeys) = keys(fields) }
        profile.flex = flex(fields)
        profile.faults = faults(fields, profile)
        return profile
    }

    // MARK: Times and sizes

    private func microseconds(_ fields: FieldReader, _ name: String, from: Interval = .zero) -> Int64? {
        fields.duration(name, in: from...Interval.days(366)).map { $0.milliseconds * 1_000 }
    }

    private func latency(_ fields: FieldReader) -> Latency? {
        guard let value = fields.value("latency") else { return nil }
        guard case .object = value.kind else { return microseconds(fields, "latency").map { .fixed($0) } }
        guard let spread = fields.object("latency", known: ["median", "p95", "min", "max"]) else { return nil }
        if let median = microseconds(spread, "median", from: .milliseconds(1)), let p95 = microseconds(spread, "p95") {
            for name in ["min", "max"] where spread.has(name) {
                spread.problem(name, "does not go with median and p95")
            }
            if p95 < median { spread.problem("p95", "is shorter than the median") }
            return .logNormal(median: median, p95: max(median, p95))
        }
        if let min = microseconds(spread, "min"), let max = microseconds(spread, "max") {
            if max < min { spread.problem("max", "is shorter than min") }
            return .range(min: min, max: Swift.max(min, max))
        }
        fields.problem("latency", "needs a median and a p95, or a min and a max")
        return nil
    }

    private func answer(_ fields: FieldReader) -> ClosedRange<Int>? {
        guard let answer = fields.object("answer", known: ["tokens"]), let tokens = answer.value("tokens") else {
            return nil
        }
        guard case .object = tokens.kind else {
            return answer.integer("tokens", in: 1...1_000_000).map { $0...$0 }
        }
        guard let spread = answer.object("tokens", known: ["min", "max"]),
            let min = spread.integer("min", in: 1...1_000_000), let max = spread.integer("max", in: 1...1_000_000)
        else {
            answer.problem("tokens", "needs a number, or a min and a max")
            return nil
        }
        if max < min { spread.problem("max", "is less than min") }
        return min...Swift.max(min, max)
    }

    private func flex(_ fields: FieldReader) -> FlexProfile {
        var flex = FlexProfile()
        guard let own = fields.object("flex", known: ["refused", "upgraded", "delay"]) else { return flex }
        func share(_ name: String) -> Int { own.number(name, in: 0...1).map { Int(($0 * 1_000_000).rounded()) } ?? 0 }
        (flex.refused, flex.upgraded) = (share("refused"), share("upgraded"))
        flex.delay = microseconds(own, "delay") ?? 0
        return flex
    }

    // MARK: Keys

    private func keys(_ fields: FieldReader) -> (keys: [KeyProfile], others: KeyProfile?) {
        var keys: [KeyProfile] = []
        var others: KeyProfile?
        var pools: [String: KeyProfile] = [:]
        for entry in fields.entries("keys") {
            guard var key = key(entry.member.value, text: entry.name, path: entry.path, pools: &pools) else { continue }
            if entry.name == "*" {
                key.text = ""
                others = key
                continue
            }
            if keys.contains(where: { $0.name == key.name }) {
                findings.problem(
                    Problem(
                        path: entry.path, line: entry.member.line, message: "another key has the name \"\(key.name)\""))
            }
            keys.append(key)
        }
        // A later key of a pool may be the one that states its limits.
        func settled(_ key: KeyProfile) -> KeyProfile {
            var key = key
            if let pool = key.pool, let first = pools[pool] { key.limits = first.limits }
            return key
        }
        return (keys.map(settled), others.map(settled))
    }

    private static let limitFields = [
        "rpm", "tpm", "rpd", "tpd", "concurrent", "window", "day", "model", "counts", "count_rejected",
    ]

    private func key(
        _ value: JSON5Value, text: String, path: String, pools: inout [String: KeyProfile]
    ) -> KeyProfile? {
        let known = Self.limitFields + ["name", "pool", "headers", "retry_after"]
        guard let fields = FieldReader(value, path: path, known: known, findings: findings) else { return nil }
        var key = KeyProfile(text: text, name: fields.string("name"))
        key.limits = limits(fields)
        key.pool = fields.string("pool")
        key.headers = fields.bool("headers") ?? true
        key.retryAfter = fields.bool("retry_after") ?? true
        if let pool = key.pool, Self.limitFields.contains(where: fields.has) {
            if let first = pools[pool], first.limits != key.limits {
                fields.problem("pool", "its keys share one count, but state different limits", hint: "state them once")
            }
            pools[pool] = pools[pool] ?? key
        }
        return key
    }

    private func limits(_ fields: FieldReader) -> KeyLimits {
        let most = 1...1_000_000_000_000
        var limits = KeyLimits()
        limits.rpm = fields.integer("rpm", in: most)
        limits.tpm = fields.integer("tpm", in: most)
        limits.rpd = fields.integer("rpd", in: most)
        limits.tpd = fields.integer("tpd", in: most)
        limits.concurrent = fields.integer("concurrent", in: most)
        limits.window = microseconds(fields, "window", from: .milliseconds(1)) ?? limits.window
        limits.day = microseconds(fields, "day", from: .milliseconds(1)) ?? limits.day
        limits.model = fields.choice("model", LimitModel.self) ?? limits.model
        limits.counts = fields.choice("counts", KeyLimits.Counting.self) ?? limits.counts
        limits.countsRejected = fields.bool("count_rejected") ?? false
        for (name, limit) in [("rpm", limits.rpm), ("tpm", limits.tpm)] {
            // The bucket counts in units of limit × window, which has to fit.
            guard let limit, limit.multipliedReportingOverflow(by: 2 * Int(limits.window)).overflow else { continue }
            fields.problem(name, "is too large for its window")
        }
        return limits
    }

    // MARK: Faults

    private func faults(_ fields: FieldReader, _ profile: RehearsalProfile) -> [FaultRule] {
        guard let value = fields.value("faults") else { return [] }
        guard case .array(let elements) = value.kind else {
            fields.problem("faults", "expected a list, found \(value.typeInWords)")
            return []
        }
        return elements.enumerated().compactMap { index, element in
            fault(element, path: "faults[\(index)]", profile)
        }
    }

    private func fault(_ value: JSON5Value, path: String, _ profile: RehearsalProfile) -> FaultRule? {
        let known = ["what", "rate", "at", "after_requests", "from", "until", "key", "count", "headers", "delay"]
        guard let fields = FieldReader(value, path: path, known: known, findings: findings) else { return nil }
        guard fields.has("what") else {
            let all = FaultKind.allCases.map(\.rawValue).joined(separator: ", ")
            fields.problem("what", "is missing", hint: "one of \(all)")
            return nil
        }
        guard let what = fields.choice("what", FaultKind.self) else { return nil }
        var rule = FaultRule(what)
        rule.rate = fields.number("rate", in: 0...1).map { Int(($0 * 1_000_000).rounded()) }
        rule.at = numbers(fields, "at")
        rule.afterRequests = fields.integer("after_requests", in: 0...Int.max)
        rule.from = moment(fields, "from")
        rule.until = moment(fields, "until")
        rule.count = fields.integer("count", in: 1...Int.max)
        rule.headers = fields.bool("headers") ?? true
        rule.delay = microseconds(fields, "delay")
        rule.key = fields.string("key")
        if let key = rule.key, profile.otherKeys == nil, !profile.keys.contains(where: { $0.name == key }) {
            let names = profile.keys.map(\.name)
            fields.problem("key", "no key has this name", hint: Spelling.hint(for: key, among: names, called: "keys"))
        }
        return rule
    }

    /// Seconds as a number, or a duration as text; in microseconds.
    private func moment(_ fields: FieldReader, _ name: String) -> Int64? {
        guard let value = fields.value(name), case .number = value.kind else { return microseconds(fields, name) }
        return fields.number(name, in: 0...31_622_400).map { Int64($0 * 1_000_000) }
    }

    private func numbers(_ fields: FieldReader, _ name: String) -> [Int] {
        guard let value = fields.value(name) else { return [] }
        guard case .array(let elements) = value.kind else {
            return fields.integer(name, in: 1...Int.max).map { [$0] } ?? []
        }
        return elements.enumerated().compactMap { index, element in
            if case .number(_, let number?, _) = element.kind, number > 0 { return number }
            findings.problem(
                Problem(
                    path: "\(fields.path(to: name))[\(index)]", line: element.line,
                    message: "expected a request's number from 1 on, found \(element.typeInWords)"))
            return nil
        }
    }
}
