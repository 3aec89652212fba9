import Foundation
import Testing

/// Money as the tests count it: whole nano-dollars, with none of the program's own arithmetic.
struct Amounts: Equatable, CustomStringConvertible {
    var provider = 0
    var platform = 0
    var credit = 0
    /// The part of both bills that is assumed for lost answers.
    var unknown = 0

    init(provider: Int = 0, platform: Int = 0, credit: Int = 0, unknown: Int = 0) {
        (self.provider, self.platform, self.credit, self.unknown) = (provider, platform, credit, unknown)
    }

    /// A `cost` of any of the program's documents.
    init(_ cost: Document) {
        provider = Self.nano(cost["provider_usd"].text)
        platform = Self.nano(cost["platform_usd"].text)
        credit = Self.nano(cost["credit_usd"].text)
        unknown =
            Self.nano(cost["unknown"]["provider_usd"].text) + Self.nano(cost["unknown"]["platform_usd"].text)
    }

    /// Nano-dollars of a decimal text, read digit by digit.
    static func nano(_ text: String, _ location: SourceLocation = #_sourceLocation) -> Int {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, 2...9 ~= parts[1].count, let whole = Int(parts[0]),
            let rest = Int(parts[1].padding(toLength: 9, withPad: "0", startingAt: 0)), rest >= 0
        else {
            Issue.record("not an amount of money: \(text)", sourceLocation: location)
            return -1
        }
        return whole * 1_000_000_000 + (text.hasPrefix("-") ? -rest : rest)
    }

    /// Both bills.
    var billed: Int { provider + platform }

    static func + (a: Amounts, b: Amounts) -> Amounts {
        Amounts(
            provider: a.provider + b.provider, platform: a.platform + b.platform, credit: a.credit + b.credit,
            unknown: a.unknown + b.unknown)
    }

    var description: String { "provider \(provider) platform \(platform) credit \(credit) unknown \(unknown)" }
}
