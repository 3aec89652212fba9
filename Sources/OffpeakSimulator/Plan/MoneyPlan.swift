import OffpeakCore

/// What things cost in a night. Budgets, quotas, credits and fees are those of the plan's classes, keys and pools.
package struct MoneyPlan: Sendable {
    /// What was agreed for one key.
    package enum Terms: Sendable {
        case list
        case free
        case discount(millionths: Int)
        /// Own rates by the provider's name of the model; the list's where there are none.
        case own([String: RatePlan])
    }

    /// Prices by `provider/model`; what is not here is unknown.
    package var list: [String: RatePlan] = [:]
    /// By the key's name.
    package var terms: [String: Terms] = [:]
    /// Names of keys whose answers say what they cost.
    package var reporting: Set<String> = []
    /// Of a thousand answers, so many do not say what they used.
    package var silent = 0
    /// Answers have cached input, reasoning and so on, which cost differently.
    package var hasKinds = false
    /// Of a thousand requests in flex, so many find no room, and so many are served in the ordinary tier.
    package var flexRefused = 0
    package var flexUpgraded = 0

    package init() {}

    /// The list price of a model on a key; nil: unknown.
    func listPrice(_ key: KeyDescriptor, _ model: String) -> RatePlan? { list["\(key.provider)/\(model)"] }

    /// The price of a model on a key; nil: unknown.
    func price(_ key: KeyDescriptor, _ model: String) -> RatePlan? {
        switch terms[key.name] ?? .list {
        case .list: return listPrice(key, model)
        case .free: return RatePlan(input: 0, output: 0)
        case .discount(let millionths): return listPrice(key, model)?.scaled(1_000_000 - Int64(millionths))
        case .own(let rates):
            guard var own = rates[model] else { return listPrice(key, model) }
            own.maxOutputTokens = listPrice(key, model)?.maxOutputTokens
            own.maxInputTokens = listPrice(key, model)?.maxInputTokens
            return own
        }
    }

    /// The same, as the scheduler is given it.
    var book: PriceBook {
        let entries = list.mapValues { PriceList.Entry(price: $0.price) }
        var book = PriceBook(lists: [PriceList(name: "list", entries: entries)])
        for (key, terms) in terms {
            switch terms {
            case .list: break
            case .free: book.terms[key] = .free
            case .discount(let millionths): book.terms[key] = .terms(["*": ModelTerms(discountMillionths: millionths)])
            case .own(let rates):
                book.terms[key] = .terms(
                    rates.mapValues {
                        ModelTerms(
                            rates: $0.price.rates, lanes: $0.hasFlex ? [.flex: .share(millionths: 500_000)] : [:])
                    })
            }
        }
        return book
    }
}

/// Rates in nano-dollars per million tokens, with the sums done here and nowhere else: the judge of `ModelPrice`.
package struct RatePlan: Sendable, Equatable {
    package var input: Int64
    package var cached: Int64?
    package var write: Int64?
    package var output: Int64
    package var reasoning: Int64?
    /// With more input tokens than this everything costs twice as much.
    package var doublesAbove: Int?
    package var maxOutputTokens: Int?
    package var maxInputTokens: Int?
    /// Served in flex, for half.
    package var hasFlex = false

    package init(
        input: Int64, cached: Int64? = nil, write: Int64? = nil, output: Int64, reasoning: Int64? = nil,
        doublesAbove: Int? = nil, maxOutputTokens: Int? = nil
    ) {
        self.input = input
        self.cached = cached
        self.write = write
        self.output = output
        self.reasoning = reasoning
        self.doublesAbove = doublesAbove
        self.maxOutputTokens = maxOutputTokens
    }

    var isFree: Bool { [input, cached ?? 0, write ?? 0, output, reasoning ?? 0].allSatisfy { $0 == 0 } }

    /// Division by a million, rounded up.
    static func ceiling(_ amount: Int64) -> Int64 { amount / 1_000_000 + (amount % 1_000_000 > 0 ? 1 : 0) }

    func scaled(_ millionths: Int64) -> RatePlan {
        var plan = self
        plan.input = Self.ceiling(input * millionths)
        plan.cached = cached.map { Self.ceiling($0 * millionths) }
        plan.write = write.map { Self.ceiling($0 * millionths) }
        plan.output = Self.ceiling(output * millionths)
        plan.reasoning = reasoning.map { Self.ceiling($0 * millionths) }
        // Twice the rates first, then the discount: that is how a list's dearer tier is discounted.
        return plan
    }

    /// Nano-dollars for a usage.
    func cost(_ usage: Usage, _ lane: Lane = .sync) -> Int64 {
        let plain = Int64(usage.inputTokens - usage.cachedTokens - usage.cacheWriteTokens) * input
        let special =
            Int64(usage.cachedTokens) * (cached ?? input) + Int64(usage.cacheWriteTokens) * (write ?? input)
        let spoken = Int64(usage.outputTokens - usage.reasoningTokens) * output
        let sum = plain + special + spoken + Int64(usage.reasoningTokens) * (reasoning ?? output)
        let part: Int64 = lane == .flex && hasFlex ? 1 : 2
        return Self.ceiling((isDouble(usage.inputTokens) ? 2 * sum : sum) * part / 2)
    }

    /// The most that so many tokens can cost.
    func worst(input tokens: Int, output answer: Int) -> Int64 {
        let dearest = max(input, cached ?? 0, write ?? 0)
        let sum = Int64(tokens) * dearest + Int64(answer) * max(output, reasoning ?? 0)
        return Self.ceiling(isDouble(tokens) ? 2 * sum : sum)
    }

    private func isDouble(_ tokens: Int) -> Bool { doublesAbove.map { tokens > $0 } ?? false }

    /// As the scheduler is given it.
    var price: ModelPrice {
        func rates(_ factor: Int64) -> TokenRates {
            TokenRates(
                input: input * factor, cachedInput: cached.map { $0 * factor }, cacheWrite: write.map { $0 * factor },
                output: output * factor, reasoning: reasoning.map { $0 * factor })
        }
        func lanes(_ factor: Int64) -> [Lane: TokenRates] {
            hasFlex ? [.flex: rates(factor).scaled(millionths: 500_000)] : [:]
        }
        let tiers =
            doublesAbove.map { [ModelPrice.LongContext(above: $0, rates: rates(2), lanes: lanes(2))] } ?? []
        return ModelPrice(
            rates: rates(1), longContext: tiers, lanes: lanes(1), maxOutputTokens: maxOutputTokens,
            maxInputTokens: maxInputTokens, source: "simulated")
    }
}
