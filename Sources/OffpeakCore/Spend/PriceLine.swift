/// One line of the built-in price table; the form is described there.
struct PriceLine {
    var name: String
    var price: ModelPrice
    /// Whose price it is, by the prefix of the name, or by its first letters.
    var provider: String

    init?(_ line: Substring) {
        let words = line.split(separator: " ")
        guard words.count >= 2, let rates = Self.rates(words[1]) else { return nil }
        name = String(words[0])
        guard let provider = Self.provider(name) else { return nil }
        self.provider = provider
        price = ModelPrice(rates: rates, source: "")
        for word in words.dropFirst(2) {
            guard let equals = word.firstIndex(of: "=") else { return nil }
            guard read(word[..<equals], word[word.index(after: equals)...]) else { return nil }
        }
    }

    /// Reads one `NAME=VALUE`; false when it cannot.
    private mutating func read(_ name: Substring, _ value: Substring) -> Bool {
        if name == "max" {
            price.maxOutputTokens = Int(value)
            return price.maxOutputTokens != nil
        }
        if name == "in" {
            price.maxInputTokens = Int(value)
            return price.maxInputTokens != nil
        }
        guard name.first == ">" else {
            guard let lane = Lane(rawValue: String(name)), let own = Self.lane(value, of: price.rates) else {
                return false
            }
            price.lanes[lane] = own
            return true
        }
        let parts = name.dropFirst().split(separator: ".")
        guard let above = parts.first.flatMap({ Int($0) }) else { return false }
        guard parts.count == 2 else {
            guard let rates = Self.rates(value) else { return false }
            price.longContext.append(.init(above: above, rates: rates))
            return true
        }
        guard let index = price.longContext.firstIndex(where: { $0.above == above }),
            let lane = Lane(rawValue: String(parts[1])),
            let own = Self.lane(value, of: price.longContext[index].rates)
        else { return false }
        price.longContext[index].lanes[lane] = own
        return true
    }

    /// A share such as `0.5`, or rates. Writes for an hour have no price in a lane on the public list, so they count as in
    /// lane `sync`, which is never less than they cost.
    private static func lane(_ text: Substring, of base: TokenRates) -> TokenRates? {
        if text.contains("/") { return rates(text) }
        guard let share = DecimalNumber(text)?.scaled(by: 6) else { return nil }
        var own = base.scaled(millionths: Int(share))
        own.longCacheWrite = base.longCacheWrite
        return own
    }

    /// `INPUT/CACHED/WRITE/OUTPUT`, where a write for an hour may follow the ordinary one: `1.25:2`.
    private static func rates(_ text: Substring) -> TokenRates? {
        let parts = text.split(separator: "/")
        guard parts.count == 4 else { return nil }
        let writes = parts[2].split(separator: ":")
        var rates: [TokenRate?] = []
        for part in [parts[0], parts[1], writes[0], parts[3]] + writes.dropFirst() {
            let rate = Money(dollars: part)?.nanodollars
            guard part == "-" || rate != nil else { return nil }
            rates.append(rate)
        }
        guard rates.count <= 5, let input = rates[0], let output = rates[3] else { return nil }
        return TokenRates(
            input: input, cachedInput: rates[1], cacheWrite: rates[2],
            longCacheWrite: rates.count == 5 ? rates[4] : nil,
            output: output)
    }

    private static func provider(_ name: String) -> String? {
        if let slash = name.firstIndex(of: "/") { return String(name[..<slash]) }
        let beginnings: KeyValuePairs = [
            "gpt-": "openai", "o1": "openai", "o3": "openai", "o4": "openai", "text-embedding-": "openai",
            "claude-": "anthropic", "command-": "cohere", "embed-": "cohere",
        ]
        return beginnings.first { name.hasPrefix($0.key) }?.value
    }
}
