/// What every model costs on every key, as far as it is known: the key's own terms, else the user's price list, else the
/// built-in table. What nobody has stated is unknown, never free.
package struct PriceBook: Sendable {
    /// The lists, the one that counts first.
    package var lists: [PriceList]
    /// By the key's name.
    package var terms: [String: KeyPrices]
    /// Providers of the user's own naming that are a known provider under another name: theirs → the known one.
    package var aliases: [String: String]

    package init(
        lists: [PriceList] = [.builtIn], terms: [String: KeyPrices] = [:], aliases: [String: String] = [:]
    ) {
        self.lists = lists
        self.terms = terms
        self.aliases = aliases
    }

    /// The price of a model, by the provider's name for it, on a key; nil when it is unknown.
    package func price(of key: KeyDescriptor, model providerModel: String) -> ModelPrice? {
        var price = statedPrice(of: key, model: providerModel)
        if terms[key.name] != .free { price?.addsSearches = Self.searches(providerModel) }
        return price
    }

    /// Whether a model searches by itself, told by its name, since its price is no sign of it: lists give a price for searches
    /// of ordinary models, too, which is that of a tool. Perplexity's Sonar, OpenAI's models for searches, deep research,
    /// and what OpenRouter makes of any model by `:online`.
    static func searches(_ model: String) -> Bool {
        let name = model.split(separator: "/").last?.lowercased() ?? ""
        return name.hasPrefix("sonar") || name.hasSuffix(":online")
            || ["search-preview", "search-api", "deep-research"].contains(where: name.contains)
    }

    private func statedPrice(of key: KeyDescriptor, model providerModel: String) -> ModelPrice? {
        let path = "keys.\(key.name).prices"
        switch terms[key.name] {
        case nil: return listPrice(of: key, model: providerModel)
        case .free?: return ModelPrice(rates: .free, source: "\(path): free")
        case .terms(let all)?:
            let list = listPrice(of: key, model: providerModel)
            let undated = PriceList.undated(providerModel)
            guard let own = all[providerModel] ?? undated.flatMap({ all[$0] }) else {
                return all["*"].map { $0.price(list: list, name: path) } ?? list
            }
            let name = all[providerModel] == nil ? "\(path), as \(undated ?? "")" : path
            return own.over(all["*"]).price(list: list, name: name)
        }
    }

    /// Whether a key's own terms give every model a price, whatever its name.
    package func pricesEverything(on key: KeyDescriptor) -> Bool {
        switch terms[key.name] {
        case nil: false
        case .free?: true
        case .terms(let all)?: all["*"]?.rates != nil
        }
    }

    /// The provider's name for the model of the built-in table that is cheapest to talk to there, if the table has any of
    /// that provider's.
    package func cheapestListed(at provider: String) -> String? {
        PriceList.builtIn.cheapestModel(of: PriceProvider(aliases[provider] ?? provider))
    }

    /// What the lists say, before a key's own terms.
    func listPrice(of key: KeyDescriptor, model providerModel: String) -> ModelPrice? {
        let provider = PriceProvider(aliases[key.provider] ?? key.provider)
        for list in lists {
            guard let match = list.find(providerModel, of: provider) else { continue }
            var price = match.price
            price.source = list.name
            if match.isUndated {
                price.source += ", as \(match.name), without the date"
            } else if match.name != providerModel {
                price.source += ", as \(match.name)"
            }
            return price
        }
        return nil
    }
}
