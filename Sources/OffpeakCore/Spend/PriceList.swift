/// Prices by the names of models, as one source has them.
package struct PriceList: Sendable {
    package struct Entry: Hashable, Sendable {
        /// Without a source: the list is it.
        package var price: ModelPrice
        /// Whose price it is, in the words of LiteLLM's list (`openai`, `fireworks_ai`); nil when the list does not say.
        package var provider: String?

        package init(price: ModelPrice, provider: String? = nil) {
            self.price = price
            self.provider = provider
        }
    }

    /// For people: `prices.json`, `built in, 2026-11-24`.
    package var name: String
    /// By LiteLLM's names: plain, or with the provider before a slash.
    package var entries: [String: Entry]
    /// Entries of the source that have no price per token, or one that cannot be read.
    package var skipped: Int

    package init(name: String, entries: [String: Entry], skipped: Int = 0) {
        self.name = name
        self.entries = entries
        self.skipped = skipped
    }

    /// What a list says of a model, with the name under which it does.
    struct Match {
        var name: String
        /// The name is that of the model without its date.
        var isUndated: Bool
        var price: ModelPrice
    }

    /// The price of a provider's model: under its own name, else, for a dated snapshot, under the name without a date.
    func find(_ model: String, of provider: PriceProvider) -> Match? {
        for (model, isUndated) in [(model, false), (Self.undated(model), true)] {
            guard let model else { continue }
            for candidate in provider.names(for: model) {
                guard let entry = entries[candidate.text], candidate.accepts(entry.provider) else { continue }
                return Match(name: candidate.text, isUndated: isUndated, price: entry.price)
            }
        }
        return nil
    }

    /// The model with the lowest rates of those that answer in text (an embedding's output costs nothing); of several, the
    /// first by name.
    func cheapestModel(of provider: PriceProvider) -> String? {
        let models = entries.compactMap { name, entry in
            provider.model(named: name, owner: entry.provider).map { (name: $0, rates: entry.price.rates) }
        }
        return models.filter { $0.rates.output > 0 }
            .min { ($0.rates.input + $0.rates.output, $0.name) < ($1.rates.input + $1.rates.output, $1.name) }?.name
    }

    /// `gpt-5-mini` of `gpt-5-mini-2025-08-07`, `claude-haiku-4-5` of `claude-haiku-4-5-20251001` or
    /// `claude-haiku-4-5@20251001`; nil for a name that does not end in a day.
    static func undated(_ model: String) -> String? {
        let bytes = Array(model.utf8)
        func isDigits(_ range: Range<Int>) -> Bool { bytes[range].allSatisfy { (0x30...0x39).contains($0) } }
        let dash = UInt8(ascii: "-")
        var length = 9
        if bytes.count > 11, bytes[bytes.count - 3] == dash, bytes[bytes.count - 6] == dash { length = 11 }
        let start = bytes.count - length
        guard start > 0, bytes[start] == dash || bytes[start] == UInt8(ascii: "@") else { return nil }
        let parts = length == 11 ? [1..<5, 6..<8, 9..<11] : [1..<5, 5..<7, 7..<9]
        let ranges = parts.map { ($0.lowerBound + start)..<($0.upperBound + start) }
        guard ranges.allSatisfy(isDigits), bytes[ranges[0].lowerBound] == UInt8(ascii: "2") else { return nil }
        let (month, day) = (Self.number(bytes[ranges[1]]), Self.number(bytes[ranges[2]]))
        guard (1...12).contains(month), (1...31).contains(day) else { return nil }
        return String(decoding: bytes[..<start], as: UTF8.self)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int {
        digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}
