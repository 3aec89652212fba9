import OffpeakConfiguration
import OffpeakCore
import OffpeakForecast

/// Answered jobs of a forecast whose price nobody knows: they are in no sum of money.
struct Unpriced: Sendable, Equatable {
    var jobs = 0
    /// The bills that they would be on.
    private(set) var isOnProviders = false
    private(set) var isOnPlatforms = false

    init() {}

    init(_ shares: [ForecastResult.Share], configuration: Configuration) {
        for share in shares where configuration.isUnpriced(share.route, share.usage) { add(share) }
    }

    mutating func add(_ share: ForecastResult.Share) {
        jobs += share.jobs
        if share.route.bill != .platform { isOnProviders = true }
        if share.route.bill != .provider { isOnPlatforms = true }
    }
}

extension Planner {
    /// Where the prices of a forecast come from, and which are missing.
    func prices(of result: ForecastResult) -> [String] {
        var sources: [(name: String, models: [String], keys: [String])] = []
        var unknown: [(model: String, keys: [String])] = []
        var searching: [String] = []
        var tokens = 0
        func add(_ name: String, to names: inout [String]) { if !names.contains(name) { names.append(name) } }
        for share in result.shares where share.usage.totalTokens > 0 {
            guard let key = configuration.key(share.route.key) else { continue }
            let model = share.route.model
            if let price = configuration.priceBook.price(of: key, model: model) {
                let place = sources.firstIndex { $0.name == price.source } ?? sources.count
                if place == sources.count { sources.append((price.source, [], [])) }
                add(model, to: &sources[place].models)
                add(key.name, to: &sources[place].keys)
                if price.addsSearches { add(model, to: &searching) }
            } else {
                tokens += share.usage.totalTokens
                let place = unknown.firstIndex { $0.model == model } ?? unknown.count
                if place == unknown.count { unknown.append((model, [])) }
                add(key.name, to: &unknown[place].keys)
            }
        }
        var sentences: [String] = []
        if !sources.isEmpty {
            let list = sources.map { source in
                // A key's own prices name it.
                let isOwn = source.name.hasPrefix("keys.")
                return source.name + " for \(source.models.listed())"
                    + (isOwn ? "" : " on \(Words.list("key", source.keys))")
            }
            sentences.append("prices are from: " + list.joined(separator: "; "))
        }
        if !searching.isEmpty {
            let list = searching.listed()
            sentences.append("what \(list) searches by itself is charged besides, and is in no sum of money")
        }
        if !unknown.isEmpty {
            let list = unknown.map { "\($0.model) on \(Words.list("key", $0.keys))" }
            sentences.append(
                "no price is known of \(list.joined(separator: ", nor of ")): \(tokens) tokens are in no sum of money; "
                    + "`prices` of the key can state it")
        }
        return sentences
    }
}
