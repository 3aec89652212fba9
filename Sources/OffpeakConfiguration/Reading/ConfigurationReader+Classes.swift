import OffpeakCore

extension ConfigurationReader {
    private static let laterClassFields = [
        "dedupe": "offpeak sends equal lines as often as they stand"
    ]

    func classes(_ fields: FieldReader, keys: [ReadKey]) -> [ReadClass] {
        named("classes", in: fields, lowercase: true).compactMap { entry in
            readClass(entry.name, entry.member.value, path: entry.path, keys: keys)
        }
    }

    private func readClass(_ name: String, _ value: JSON5Value, path: String, keys: [ReadKey]) -> ReadClass? {
        let known = [
            "posture", "keys", "require_tags", "shared", "objective", "models", "attempts", "backoff", "timeout",
            "weight", "priority", "deadline", "window", "budget", "lanes", "on", "retain",
        ]
        let aliases = [
            "retries": "attempts", "max_attempts": "attempts", "policy": "posture", "tags": "require_tags",
            "only": "keys", "order": "keys", "fallback": "models", "schedule": "window",
        ]
        let reader = self.fields(value, path: path, known: known, later: Self.laterClassFields, aliases: aliases)
        guard let fields = reader else { return nil }
        if !fields.has("posture") {
            let all = Posture.allCases.map(\.rawValue).joined(separator: ", ")
            fields.problem("posture", "is missing", hint: "one of \(all)")
        }
        let posture = fields.choice("posture", Posture.self)
        var read = ReadClass(
            policy: ClassPolicy(name: name, posture: posture ?? .cost), fields: fields, namedKeys: [],
            isUncertain: posture == nil)
        keyRules(of: &read, keys: keys)
        shared(of: &read.policy, fields)
        numbers(of: &read.policy, fields)
        read.policy.models = chains(fields)
        read.policy.window = window(fields)
        read.policy.lanes = lanes(fields) ?? read.policy.lanes
        read.policy.budget = budget(fields)
        read.policy.retain = fields.choice("retain", Retention.self)
        ladders(of: &read.policy, fields)
        return read
    }

    // MARK: Keys

    private func keyRules(of read: inout ReadClass, keys: [ReadKey]) {
        let fields = read.fields
        let problemsBefore = findings.problems.count
        if let value = fields.value("keys"),
            let rules = self.fields(value, path: fields.path(to: "keys"), known: ["order", "only", "exclude"])
        {
            let names = keys.map(\.descriptor.name)
            let order = references("order", in: rules, among: names)
            let only = references("only", in: rules, among: names)
            let exclude = references("exclude", in: rules, among: names)
            read.policy.keyOrder = order.map(\.text)
            read.policy.keyOnly = only.map(\.text)
            read.policy.keyExclude = exclude.map(\.text)
            read.namedKeys = order + only
        }
        read.policy.requireTags = fields.strings("require_tags")?.map(\.text) ?? []
        if findings.problems.count > problemsBefore { read.isUncertain = true }
    }

    private func references(
        _ name: String, in rules: FieldReader, among names: [String]
    ) -> [(text: String, path: String, line: Int)] {
        (rules.strings(name) ?? []).filter { entry in
            if names.contains(entry.text) { return true }
            findings.problem(
                .init(
                    path: entry.path, line: entry.line, message: "\(Spelling.shown(entry.text)) is not among the keys",
                    hint: Spelling.hint(for: entry.text, among: names, called: "keys")))
            return false
        }
    }

    private func shared(of policy: inout ClassPolicy, _ fields: FieldReader) {
        if let shared = fields.choice("shared", SharedUse.self) {
            if policy.isClosed && shared != .never {
                fields.problem(
                    "shared", "a \(policy.posture.rawValue) class never uses shared capacity",
                    hint: "leave it out, or choose the posture fallback")
            }
            policy.shared = shared
        }
        policy.objective = fields.choice("objective", Objective.self) ?? policy.objective
    }

    // MARK: Numbers and times

    private func numbers(of policy: inout ClassPolicy, _ fields: FieldReader) {
        policy.attempts = fields.integer("attempts", in: 1...100) ?? policy.attempts
        policy.weight = fields.integer("weight", in: 1...1_000) ?? policy.weight
        policy.priority = fields.integer("priority", in: -1_000...1_000) ?? policy.priority
        if let timeout = fields.duration("timeout", in: .milliseconds(100)...(.days(1))) {
            (policy.timeout, policy.flexTimeout) = (timeout, timeout)
        }
        policy.deadline = fields.duration("deadline", in: Configuration.deadlines)
        guard let value = fields.value("backoff"),
            let backoff = self.fields(value, path: fields.path(to: "backoff"), known: ["base", "cap"])
        else { return }
        let base = backoff.duration("base", in: .milliseconds(1)...(.hours(1)))
        let cap = backoff.duration("cap", in: .milliseconds(1)...(.days(1)))
        policy.backoffBase = base ?? min(policy.backoffBase, cap ?? policy.backoffBase)
        policy.backoffCap = cap ?? max(policy.backoffCap, base ?? policy.backoffCap)
        if policy.backoffBase > policy.backoffCap {
            backoff.problem(
                "base", "\(policy.backoffBase.durationText) is longer than the cap of \(policy.backoffCap.durationText)"
            )
        }
    }

    private static let weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

    private func window(_ fields: FieldReader) -> WindowRule? {
        guard let value = fields.value("window"),
            let window = self.fields(value, path: fields.path(to: "window"), known: ["open", "close", "days"])
        else { return nil }
        for name in ["open", "close"] where !window.has(name) {
            window.problem(name, "is missing", hint: "a time of day such as \"22:00\"")
        }
        let open = clock("open", in: window) ?? 0
        let close = clock("close", in: window) ?? 0
        guard window.has("days") else { return WindowRule(open: open, close: close) }
        var days: Set<Int> = []
        for day in window.strings("days") ?? [] {
            if let index = Self.weekdays.firstIndex(of: day.text) {
                days.insert(index + 1)
            } else {
                let all = Self.weekdays.joined(separator: ", ")
                let nearest = Self.weekdays.first { day.text.lowercased().hasPrefix($0) }
                findings.problem(
                    .init(
                        path: day.path, line: day.line, message: "\(Spelling.shown(day.text)) is not one of \(all)",
                        hint: nearest.map { "did you mean \"\($0)\"?" }))
            }
        }
        if case .array(let list)? = window.value("days")?.kind, list.isEmpty {
            window.problem("days", "is empty: the window would never open", hint: "leave it out for every day")
        }
        return WindowRule(open: open, close: close, days: days.isEmpty ? Set(1...7) : days)
    }

    /// Minutes after midnight of `HH:MM`; `24:00` as the end of a day.
    private func clock(_ name: String, in window: FieldReader) -> Int? {
        guard let text = window.string(name) else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let isDigits = text.utf8.allSatisfy { $0 == UInt8(ascii: ":") || (0x30...0x39).contains($0) }
        if isDigits, parts.count == 2, (1...2).contains(parts[0].count), parts[1].count == 2,
            let hour = Int(parts[0]), let minute = Int(parts[1])
        {
            if hour < 24 && minute < 60 { return hour * 60 + minute }
            if hour == 24 && minute == 0 && name == "close" { return 0 }
        }
        window.problem(
            name, "\(Spelling.shown(text)) is not a time of day", hint: "24 hours as HH:MM, such as \"22:00\"")
        return nil
    }
}
