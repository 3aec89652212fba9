import Foundation
import OffpeakCore

/// What a key may spend, what it has already paid for, and what a class may cost.
extension ConfigurationReader {
    private static let counts = 1...1_000_000_000_000

    /// The terms of a key that are no prices.
    func terms(of key: inout KeyDescriptor, _ fields: FieldReader, zone: TimeZone) {
        key.quota = quota(fields)
        key.credit = credit(fields, zone: zone)
        if let provisioned = fields.object("provisioned", known: ["tpm"]) {
            key.provisionedTPM = provisioned.integer("tpm", in: Self.counts)
            if !provisioned.has("tpm") {
                provisioned.problem("tpm", "is missing", hint: "the tokens per minute that are paid for")
            }
        }
        key.fee = fee(fields)
        key.validUntil = fields.lastDay("valid_until", zone: zone)
        let billing = key.billing.rawValue
        if fields.has("fee"), key.billing != .routerBYOK {
            fields.problem(
                "fee", "a fee belongs to billing \"\(Billing.routerBYOK.rawValue)\", and this key's is \"\(billing)\"",
                hint: "a platform's fee on traffic through your own provider key")
        }
        guard key.billing == .platform else { return }
        for name in ["credit", "provisioned"] where fields.has(name) {
            fields.problem(
                name, "a platform-billed key has none of its own",
                hint: "it belongs to an account at the provider: billing \"provider\" or \"router-byok\"")
        }
    }

    func quota(_ fields: FieldReader) -> Quota? {
        guard let quota = fields.object("quota", known: ["usd", "requests", "tokens", "per"]) else { return nil }
        let money = quota.dollars("usd", from: .zero)
        if money == .zero { Self.tellOfNothing(quota) }
        let requests = quota.integer("requests", in: Self.counts)
        let tokens = quota.integer("tokens", in: Self.counts)
        if !["usd", "requests", "tokens"].contains(where: quota.has) {
            fields.problem("quota", "limits nothing", hint: "one or more of usd, requests, tokens")
        }
        guard let per = period(quota) else { return nil }
        return Quota(money: money, requests: requests, tokens: tokens, per: per)
    }

    /// No money at all may be meant, and may be a slip.
    private static func tellOfNothing(_ fields: FieldReader) {
        fields.notice("usd", "is 0: nothing that has a price can run", hint: "what is free still does")
    }

    private func credit(_ fields: FieldReader, zone: TimeZone) -> Credit? {
        guard let credit = fields.object("credit", known: ["usd", "since", "expires"]) else { return nil }
        if !credit.has("usd") { credit.problem("usd", "is missing", hint: "what is prepaid, in US dollars") }
        let since = credit.day("since").map { day in
            Credit.Day(
                number: LocalTime.number(ofDay: day), begins: LocalTime(zone: zone).first(day: day, minute: 0))
        }
        let expires = credit.lastDay("expires", zone: zone)
        if let since, let expires, expires <= since.begins {
            credit.problem("expires", "is before since: the credit is worth nothing on any day")
        }
        return credit.dollars("usd", from: .zero).map { Credit(amount: $0, since: since, expires: expires) }
    }

    private func fee(_ fields: FieldReader) -> PlatformFee? {
        let known = ["percent", "allowance_usd", "allowance_requests", "per"]
        guard let fee = fields.object("fee", known: known) else { return nil }
        if !fee.has("percent") { fee.problem("percent", "is missing", hint: "of the list price, such as 5") }
        let share = fee.decimal("percent", places: 4, from: 0, to: 1_000_000)
        let money = fee.dollars("allowance_usd", from: .zero)
        let requests = fee.integer("allowance_requests", in: 0...Self.counts.upperBound)
        if fee.has("allowance_usd"), fee.has("allowance_requests") {
            fee.problem("allowance_requests", "stands beside allowance_usd", hint: "the allowance counts one of them")
        }
        let per = fee.has("per") ? fee.choice("per", Period.self) : .month
        guard let share, let per else { return nil }
        return PlatformFee(
            shareMillionths: Int(share), allowance: money.map { .money($0) } ?? requests.map { .requests($0) }, per: per
        )
    }

    func budget(_ fields: FieldReader) -> Budget? {
        guard let budget = fields.object("budget", known: ["usd", "per", "then"]) else { return nil }
        if !budget.has("usd") { budget.problem("usd", "is missing", hint: "the most that the class may cost") }
        let limit = budget.dollars("usd", from: .zero)
        if limit == .zero { Self.tellOfNothing(budget) }
        let all = Budget.Scope.allCases.map(\.rawValue).joined(separator: ", ")
        if !budget.has("per") { budget.problem("per", "is missing", hint: "one of \(all)") }
        let per = budget.choice("per", Budget.Scope.self)
        let then = budget.has("then") ? budget.choice("then", Budget.End.self) : .park
        if per == .batch, then == .defer {
            budget.problem(
                "then", "a batch's budget has no reset to wait for",
                hint: "\"park\" waits for you to raise it, \"fail\" ends the job")
        }
        guard let limit, let per, let then else { return nil }
        return Budget(limit: limit, per: per, then: then)
    }

    private func period(_ fields: FieldReader) -> Period? {
        if !fields.has("per") {
            fields.problem(
                "per", "is missing", hint: "one of \(Period.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return fields.choice("per", Period.self)
    }

    /// The lanes as stated; nil when they are not. `batch` is told of, since nothing is sent in it as yet.
    func lanes(_ fields: FieldReader) -> [Lane]? {
        guard let words = fields.strings("lanes") else { return nil }
        let all = Lane.askable.map(\.rawValue)
        for word in words where word.text == Lane.priority.rawValue {
            findings.problem(
                .init(
                    path: word.path, line: word.line,
                    message: "\"priority\" is dearer, and is never asked for",
                    hint: "one of \(all.joined(separator: ", ")); an answer that names it is counted in it"))
        }
        for word in words where Lane(rawValue: word.text) == nil {
            findings.problem(
                .init(
                    path: word.path, line: word.line,
                    message: "\(Spelling.shown(word.text)) is not one of \(all.joined(separator: ", "))",
                    hint: Spelling.nearest(to: word.text, among: all).map { "did you mean \"\($0)\"?" }))
        }
        var lanes: [Lane] = []
        for case let lane? in words.map({ Lane(rawValue: $0.text) }) where !lanes.contains(lane) {
            if Lane.askable.contains(lane) { lanes.append(lane) }
        }
        if lanes == [.batch] {
            fields.problem(
                "lanes", "the lane batch is not in effect yet, and without another nothing could be sent",
                hint: "add \"sync\", or \"flex\" where the provider has it")
        } else if lanes.contains(.batch) {
            fields.notice("lanes", "batch is not in effect yet: requests go by the other lanes in this version")
        } else if words.isEmpty {
            fields.problem("lanes", "is empty: nothing could be sent", hint: "leave it out for [\"sync\"]")
        }
        return lanes
    }
}

extension FieldReader {
    /// US dollars, exactly as written, down to the nano-dollar.
    func dollars(_ name: String, from least: Money) -> Money? {
        decimal(name, places: 9, from: least.nanodollars, to: .max).map { Money(nanodollars: $0) }
    }

    /// A decimal number as written, in units of the last of so many decimal places; the limits are in these units.
    func decimal(_ name: String, places: Int, from least: Int64, to most: Int64) -> Int64? {
        guard let value = value(name) else { return nil }
        guard case .number(let text, _, _) = value.kind else {
            var hint: String?
            if case .string(let text) = value.kind, DecimalNumber(text) != nil { hint = "write it without quotes" }
            mismatch(name, value, expected: "a number", hint: hint)
            return nil
        }
        guard let number = DecimalNumber(text) else {
            problem(name, "\(text) is not a plain decimal number")
            return nil
        }
        guard let scaled = number.scaled(by: places) else {
            let isFine = number.scaled(by: places, roundingUp: true) != nil
            problem(name, isFine ? "\(text) has more than \(places) decimal places" : "\(text) is too large")
            return nil
        }
        if scaled < least { problem(name, "\(text) is too small", hint: "at least \(Self.text(least, places))") }
        if scaled > most { problem(name, "\(text) is too large", hint: "at most \(Self.text(most, places))") }
        return (least...most).contains(scaled) ? scaled : nil
    }

    private static func text(_ units: Int64, _ places: Int) -> String {
        var scale: Int64 = 1
        for _ in 0..<places { scale *= 10 }
        return units % scale == 0 ? "\(units / scale)" : "\(Double(units) / Double(scale))"
    }

    /// A date such as `2027-01-31`: the moment at which that day is over in a zone.
    func lastDay(_ name: String, zone: TimeZone) -> Timestamp? {
        day(name).map { LocalTime(zone: zone).first(day: $0 + 1, minute: 0) }
    }

    /// A day, counted from 1970-01-01.
    func day(_ name: String) -> Int64? {
        guard let value = value(name) else { return nil }
        let expected = "a date such as \"2027-01-31\""
        guard case .string(let text) = value.kind else {
            mismatch(name, value, expected: expected, hint: value.isNumber ? "put it in quotes" : nil)
            return nil
        }
        guard let day = LocalTime.day(ofDate: text) else {
            problem(name, "\(Spelling.shown(text)) is not \(expected)", hint: "YYYY-MM-DD; the day itself still counts")
            return nil
        }
        return day
    }
}
