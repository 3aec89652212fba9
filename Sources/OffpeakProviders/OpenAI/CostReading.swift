import JSONLines
import OffpeakCore

/// What an answer says that it cost.
enum CostReading {
    /// Reads a `usage` member; nil when it says nothing of money that can be believed.
    ///
    /// OpenRouter's `cost` is what it takes from its credits; on the user's own key that is its fee alone, and the provider
    /// bills `cost_details.upstream_inference_cost` besides. xAI's `cost_in_usd_ticks` is what the account is billed.
    static func cost(in usage: JSONSlice?) -> ReportedCost? {
        guard let usage else { return nil }
        if let platform = dollars(usage["cost"]) {
            let usedOwnKey = usage["is_byok"]?.bool
            // On the platform's key, the upstream cost is the platform's affair and in its price already.
            let upstream = usedOwnKey == false ? nil : dollars(usage["cost_details"]?["upstream_inference_cost"])
            return ReportedCost(platform: platform, upstream: upstream, usedOwnKey: usedOwnKey)
        }
        if let ticks = amount(usage["cost_in_usd_ticks"], nanodollarsPerUnit: -1) {
            return ReportedCost(upstream: ticks)
        }
        return nil
    }

    private static func dollars(_ value: JSONSlice?) -> Money? { amount(value, nanodollarsPerUnit: 9) }

    /// A number, or a string with one, in units of ten to so many nano-dollars; rounded up to whole ones. Nil for what is
    /// negative or beyond a million dollars: no request costs that.
    private static func amount(_ value: JSONSlice?, nanodollarsPerUnit power: Int) -> Money? {
        guard let value else { return nil }
        let text = value.kind == .number ? String(decoding: value.bytes, as: UTF8.self) : value.string
        guard let text, let number = DecimalNumber(text, roundingUp: true),
            let nanodollars = number.scaled(by: power, roundingUp: true), !text.hasPrefix("-"),
            nanodollars <= Money.dollars(1_000_000).nanodollars
        else { return nil }
        return Money(nanodollars: nanodollars)
    }
}
