extension KeyState {
    /// What a model costs on the key, and what it is worth at list price, which a platform's fee goes by. Shared, since it is
    /// looked at for every job and key.
    final class Price: Sendable {
        let own: ModelPrice?
        let list: ModelPrice?

        /// The rates of both in lane `sync` where they are the same at every length, as nearly always: then nothing is copied
        /// and nothing searched.
        private let flat: (own: TokenRates, list: TokenRates)?

        init(own: ModelPrice?, list: ModelPrice?) {
            (self.own, self.list) = (own, list)
            guard let own, own.longContext.isEmpty, list?.longContext.isEmpty ?? true, own.perRequest == .zero,
                list?.perRequest ?? .zero == .zero
            else {
                flat = nil
                return
            }
            let rates = own.rates(inputTokens: 0, lane: .sync)
            flat = (rates, list?.rates(inputTokens: 0, lane: .sync) ?? rates)
        }

        /// What a usage costs, and what it is worth at list price; nil when its price is unknown.
        func cost(of usage: Usage, lane: Lane) -> (value: Money, list: Money)? {
            if lane == .sync, let flat {
                let value = flat.own.cost(of: usage)
                return (value, flat.list == flat.own ? value : flat.list.cost(of: usage))
            }
            guard let value = own?.cost(of: usage, lane: lane) else { return nil }
            return (value, list?.cost(of: usage, lane: lane) ?? value)
        }

        /// The same of the most that so many tokens can cost.
        func worstCost(input: Int, output: Int, lane: Lane, hasSound: Bool) -> (value: Money, list: Money)? {
            if lane == .sync, let flat {
                let value = flat.own.worstCost(inputTokens: input, outputTokens: output, hasSound: hasSound)
                guard flat.list != flat.own else { return (value, value) }
                return (value, flat.list.worstCost(inputTokens: input, outputTokens: output, hasSound: hasSound))
            }
            func worst(_ price: ModelPrice) -> Money {
                price.worstCost(inputTokens: input, outputTokens: output, lane: lane, hasSound: hasSound)
            }
            guard let value = own.map(worst) else { return nil }
            return (value, list.map(worst) ?? value)
        }
    }
}

extension Scheduler {
    /// The price of a model on a key; looked up once.
    mutating func price(_ key: Int, _ model: String) -> KeyState.Price {
        for known in knownPrices[key] where known.model == model { return known.price }
        let descriptor = keys[key].descriptor
        let own = prices.price(of: descriptor, model: model)
        let price = KeyState.Price(own: own, list: prices.listPrice(of: descriptor, model: model) ?? own)
        knownPrices[key].append((model, price))
        return price
    }

    /// The most that a job can cost on a key. Nil when nobody can say: the price is unknown, or the length of the answer.
    ///
    /// A request in flex may be answered in the ordinary tier and is billed by the tier that answers, so that it can cost
    /// as much as the dearer of the two (OpenAI's reference on `service_tier`).
    mutating func worstCase(
        _ key: Int, _ model: String, _ lane: Lane, _ ticket: JobTicket, _ endpoint: Endpoint
    ) -> WorstCase? {
        let price = price(key, model)
        // What costs nothing has neither charges nor another rate, and needs no length, unless a fee is taken of its list value.
        let isFree = price.own?.isFree == true && keys[key].account.fee == nil
        guard isFree || ticket.beyond < .charges, let input = mostInput(key, model, ticket) ?? (isFree ? 0 : nil)
        else { return nil }
        let output = mostOutput(key, model, ticket, endpoint)
        guard output != nil || isFree else { return nil }
        func most(_ lane: Lane) -> (value: Money, list: Money)? {
            price.worstCost(input: input, output: output ?? 0, lane: lane, hasSound: ticket.beyond.mayHaveSound)
        }
        guard var worst = most(.sync) else { return nil }
        func raise(to lane: Lane) {
            guard let own = most(lane) else { return }
            worst = (max(worst.value, own.value), max(worst.list, own.list))
        }
        if lane != .sync { raise(to: lane) }
        // Where a provider has answered in priority it may do so again.
        if keys[key].priorityModels.contains(model) { raise(to: .priority) }
        return keys[key].account.worst(value: worst.value, list: worst.list, tokens: input + (output ?? 0))
    }

    /// The longest answer that a job can get; nil when nobody can say. Where the wire format demands a number, this is the
    /// one that is sent: never more than the model gives, as far as that is known. (Lines of the format itself are sent as they are.)
    mutating func mostOutput(_ key: Int, _ model: String, _ ticket: JobTicket, _ endpoint: Endpoint) -> Int? {
        if endpoint == .embeddings { return 0 }
        let longest = price(key, model).own?.maxOutputTokens
        var most = ticket.maxOutputTokens ?? longest
        if endpoint != .messages, let demanded = keys[key].descriptor.demandedAnswer {
            most = min(most ?? demanded, longest ?? .max)
        }
        return most.map { min($0, TokenForecast.mostTokens) }
    }

    /// The longest input that a job can have; nil when nobody can say.
    ///
    /// No token is shorter than a byte, and the envelope's bytes make up for the few tokens that chat formats add.
    mutating func mostInput(_ key: Int, _ model: String, _ ticket: JobTicket) -> Int? {
        // What it finds is input, too.
        if price(key, model).own?.addsSearches == true { return nil }
        switch ticket.beyond {
        case .tokens(let tokens), .sound(let tokens): return min(ticket.bodyBytes + tokens, TokenForecast.mostTokens)
        case .context: return price(key, model).own?.maxInputTokens.map { max($0, ticket.bodyBytes) }
        case .charges: return nil
        case .otherRate: return ticket.bodyBytes
        }
    }

    /// What a job may take of quotas where it is not known what it costs.
    mutating func unpriced(_ key: Int, _ model: String, _ ticket: JobTicket, _ endpoint: Endpoint) -> WorstCase {
        let output = mostOutput(key, model, ticket, endpoint) ?? 0
        return WorstCase(charge: Charge(), tokens: (mostInput(key, model, ticket) ?? ticket.bodyBytes) + output)
    }

    /// What a usage would cost on a key now, on both bills; nil when its price is unknown.
    mutating func marginalCost(
        _ key: Int, _ model: String, _ lane: Lane, _ usage: Usage, at now: Timestamp
    ) -> Money? {
        guard let worth = worth(key, model, lane, usage) else { return nil }
        return keys[key].account.marginal(value: worth.value, list: worth.list, tokens: worth.tokens, at: now)
    }

    /// What a job is probably worth on a key, at the key's price and at list, and its tokens; nil when its price is unknown.
    mutating func worth(
        _ key: Int, _ model: String, _ lane: Lane, _ ticket: JobTicket, _ state: FlowState
    ) -> (value: Money, list: Money, tokens: Int)? {
        worth(key, model, lane, state.usage(of: ticket))
    }

    private mutating func worth(_ key: Int, _ model: String, _ lane: Lane, _ usage: Usage) -> (
        value: Money, list: Money, tokens: Int
    )? {
        price(key, model).cost(of: usage, lane: lane).map { ($0.value, $0.list, usage.totalTokens) }
    }
}
