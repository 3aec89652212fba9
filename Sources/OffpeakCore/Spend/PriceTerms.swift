/// What a key's owner has agreed with its provider.
package enum KeyPrices: Hashable, Sendable {
    /// One's own server: nothing is ever billed.
    case free
    /// By the provider's name of the model; `*` for all that have no terms of their own.
    case terms([String: ModelTerms])
}

/// Terms for one model on one key, laid over its list price.
package struct ModelTerms: Hashable, Sendable {
    /// What a lane other than `sync` costs.
    package enum LanePrice: Hashable, Sendable {
        /// So many millionths of the price in lane `sync`.
        case share(millionths: Int)
        case rates(TokenRates)
    }

    /// Instead of the list price, whatever the length of the input.
    package var rates: TokenRates?
    /// Off the list price, in millionths.
    package var discountMillionths: Int?
    package var lanes: [Lane: LanePrice]

    package init(rates: TokenRates? = nil, discountMillionths: Int? = nil, lanes: [Lane: LanePrice] = [:]) {
        self.rates = rates
        self.discountMillionths = discountMillionths
        self.lanes = lanes
    }

    /// These terms, with those for all models where these are silent.
    func over(_ general: ModelTerms?) -> ModelTerms {
        guard let general else { return self }
        var terms = self
        if rates == nil && discountMillionths == nil {
            terms.rates = general.rates
            terms.discountMillionths = general.discountMillionths
        }
        // A lane's own rates for all models would undercut a model's own terms by accident; a share of them cannot.
        for case (let lane, .share(let share)) in general.lanes where lanes[lane] == nil {
            terms.lanes[lane] = .share(millionths: share)
        }
        return terms
    }

    /// The price under these terms; nil when they need a list price and there is none. `name` is for the source.
    func price(list: ModelPrice?, name: String) -> ModelPrice? {
        var price: ModelPrice
        if let rates {
            // These terms have no words for sound and for single requests, and so what the list takes for them stands.
            price = ModelPrice(
                rates: rates.hearing(list?.rates), perRequest: list?.perRequest ?? .zero,
                maxOutputTokens: list?.maxOutputTokens, maxInputTokens: list?.maxInputTokens,
                source: name)
        } else if let list, let discountMillionths {
            price = list.scaled(millionths: 1_000_000 - discountMillionths)
            let percent = Self.text(millionths: discountMillionths, percent: true)
            price.source = "\(name): \(percent) % off \(list.source)"
        } else if let list {
            price = list
            if !lanes.isEmpty { price.source = "\(name): own lane prices over \(list.source)" }
        } else {
            return nil
        }
        for (lane, own) in lanes {
            switch own {
            case .rates(let own):
                let rates = own.hearing(price.rates)
                price.lanes[lane] = rates
                for index in price.longContext.indices { price.longContext[index].lanes[lane] = rates }
            case .share(let millionths):
                price.lanes[lane] = price.rates.scaled(millionths: millionths)
                for index in price.longContext.indices {
                    let rates = price.longContext[index].rates.scaled(millionths: millionths)
                    price.longContext[index].lanes[lane] = rates
                }
            }
        }
        return price
    }

    /// Millionths as a decimal number, of one or of a hundred.
    private static func text(millionths: Int, percent: Bool) -> String {
        let scale = percent ? 10_000 : 1_000_000
        var digits = String(scale + millionths % scale).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(millionths / scale)" + (digits.isEmpty ? "" : ".\(digits)")
    }
}
