import OffpeakCore

func nano(_ n: Int64) -> Money { Money(nanodollars: n) }

/// The calendar of the tests: days begin with the tests' beginning of time, weeks have 7 of them and months 28.
func calendar(_ day: Int) -> CalendarPosition {
    func end(_ length: Int) -> Timestamp { at(Int64(day / length * length + length) * 86_400_000) }
    return CalendarPosition(
        day: 1_000 + day, ends: PeriodEnds(day: end(1), week: end(7), month: end(28)),
        began: [.day: 1_000 + day, .week: 1_000 + day / 7 * 7, .month: 1_000 + day / 28 * 28])
}

/// Prices by key, in whole US dollars per million tokens of input and output; other keys' are unknown.
func prices(_ rates: [String: (input: Int64, output: Int64)], free: [String] = []) -> PriceBook {
    var terms: [String: KeyPrices] = [:]
    for (key, rate) in rates {
        let rates = TokenRates(input: rate.input * 1_000_000_000, output: rate.output * 1_000_000_000)
        terms[key] = .terms(["*": ModelTerms(rates: rates)])
    }
    for key in free { terms[key] = .free }
    return PriceBook(lists: [], terms: terms)
}

/// What the ledger's sums are after these settlements.
func rows(of settlements: [Settlement], flows: [Flow]) -> [SpendRow] {
    settlements.compactMap { settlement in
        guard let entry = settlement.entry, let flow = flows.first(where: { $0.id == settlement.flow }) else {
            return nil
        }
        var isAnswer = false
        if case .success = settlement.outcome { isAnswer = true }
        return SpendRow(
            route: entry.route, className: flow.className, batch: flow.batch, day: entry.day, attempts: 1,
            answers: isAnswer ? 1 : 0, requests: entry.requests, tokens: entry.tokens, usage: entry.usage,
            charge: entry.charge)
    }
}
