import OffpeakConfiguration
import OffpeakCore
import OffpeakStore

/// What a run has cost so far, by the ledger entries it made.
package struct RunMoney: Sendable, Equatable {
    package var charge = Charge()
    package var usage = Usage()
    /// The part of it that is assumed, since answers were lost, and their number.
    package var unknown = Charge()
    package var unknownAttempts = 0
    /// Tokens of answers whose price nobody knows: they are not in the sums.
    package var unpricedTokens = 0

    package init() {}

    /// Adds an attempt's entry.
    mutating func add(_ entry: LedgerEntry, isPriced: Bool) {
        charge = charge + entry.charge
        usage = usage + entry.usage
        if entry.kind == .assumed {
            unknown = unknown + entry.charge
            unknownAttempts += 1
        }
        if !isPriced { unpricedTokens += entry.usage.totalTokens }
    }
}

/// Which bills each class's traffic has been on in this run.
struct BillWatch {
    private struct Place: Hashable {
        var key: String
        var bill: Billing
    }

    /// In the order in which they were first used.
    private var places: [String: [Place]] = [:]

    /// An attempt is sent; returns what a person should know when it puts the class on another bill for the first time.
    mutating func begin(_ start: AttemptStart, className: String) -> String? {
        let place = Place(key: start.key, bill: start.bill)
        let known = places[className] ?? []
        guard !known.contains(place) else { return nil }
        places[className] = known + [place]
        guard !known.isEmpty, !known.contains(where: { $0.bill == place.bill }) else { return nil }
        let reasons = PassedKey.list(start.passedOver).filter { passed in known.contains { $0.key == passed.key } }
        var text = "notice: traffic of class \(className) moved from "
        text += known.map { "key \($0.key) (\($0.bill.words))" }.joined(separator: " and ")
        text += " to key \(place.key) (\(place.bill.words))"
        if !reasons.isEmpty { text += ": " + reasons.map { "\($0.key): \($0.reason)" }.joined(separator: "; ") }
        return text
    }
}

extension Engine {
    /// Counts what an attempt's end costs.
    func count(_ entry: LedgerEntry?) {
        guard let entry else { return }
        let route = entry.route
        var isPriced = true
        if entry.usage != Usage(), entry.charge.value == .zero {
            isPriced = pricedRoutes[route] ?? false
            if pricedRoutes[route] == nil, let key = configuration.key(route.key) {
                isPriced = configuration.priceBook.price(of: key, model: route.model) != nil
                pricedRoutes[route] = isPriced
            }
        }
        snapshot.money.add(entry, isPriced: isPriced)
    }
}
