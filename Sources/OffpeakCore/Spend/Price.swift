/// How a job travels on a key.
package enum Lane: String, CaseIterable, Sendable {
    /// A normal request.
    case sync
    /// A cheaper, slower tier of the ordinary API.
    case flex
    /// The provider's own asynchronous batch API.
    case batch
    /// A faster, dearer tier, in which a provider may answer by a project's default. Nothing of ours ever asks for it.
    case priority

    /// Those that a key or a class may name.
    package static let askable: [Lane] = [.sync, .flex, .batch]
}

/// A price per token: whole nano-dollars per million tokens, so 1.25 US dollars per million is 1,250,000,000. Fine enough for
/// every price on today's lists (the smallest is 0.0025 dollars per million).
package typealias TokenRate = Int64

/// Prices for the kinds of tokens that a request has.
package struct TokenRates: Hashable, Sendable {
    package var input: TokenRate
    /// Input read from the provider's cache; nil: as other input.
    package var cachedInput: TokenRate?
    /// Input written to the provider's cache; nil: as other input.
    package var cacheWrite: TokenRate?
    /// Input written to the provider's cache for an hour; nil: as other cache writes.
    package var longCacheWrite: TokenRate?
    /// Sound in the input; nil: as other input.
    package var audioInput: TokenRate?
    /// Sound that was read from the provider's cache; nil: as other sound.
    package var cachedAudioInput: TokenRate?
    package var output: TokenRate
    /// Reasoning, which is part of the output; nil: as other output.
    package var reasoning: TokenRate?
    /// Sound in the output; nil: as other output.
    package var audioOutput: TokenRate?

    package init(
        input: TokenRate, cachedInput: TokenRate? = nil, cacheWrite: TokenRate? = nil,
        longCacheWrite: TokenRate? = nil, audioInput: TokenRate? = nil, cachedAudioInput: TokenRate? = nil,
        output: TokenRate, reasoning: TokenRate? = nil, audioOutput: TokenRate? = nil
    ) {
        self.input = input
        self.cachedInput = cachedInput
        self.cacheWrite = cacheWrite
        self.longCacheWrite = longCacheWrite
        self.audioInput = audioInput
        self.cachedAudioInput = cachedAudioInput
        self.output = output
        self.reasoning = reasoning
        self.audioOutput = audioOutput
    }

    package static let free = TokenRates(input: 0, output: 0)

    /// What a usage costs: summed exactly and rounded up once, to the whole nano-dollar.
    package func cost(of usage: Usage) -> Money {
        var exact = inputCost(of: usage)
        let sound = audioOutput == nil ? 0 : min(usage.audioOutputTokens, usage.outputTokens)
        let thoughts = min(usage.reasoningTokens, usage.outputTokens - sound)
        exact += Int128(usage.outputTokens - sound - thoughts) * Int128(output)
        exact += Int128(thoughts) * Int128(reasoning ?? output)
        exact += Int128(sound) * Int128(audioOutput ?? output)
        return Money(nanodollars: Int64(clamping: Money.roundedUp(exact, 1_000_000)))
    }

    private func inputCost(of usage: Usage) -> Int128 {
        var (cached, written) = (usage.cachedTokens, usage.cacheWriteTokens)
        var exact: Int128 = 0
        var sound = 0
        if let audioInput, usage.audioInputTokens > 0 {
            sound = min(usage.audioInputTokens, usage.inputTokens)
            // Nobody tells how much of the sound was cached: no more than must have been, since that is the dearer reading.
            let twice = max(0, sound + cached + written - usage.inputTokens)
            let cachedSound = min(twice, cached, sound)
            cached -= cachedSound
            written = max(0, written - (twice - cachedSound))
            exact += Int128(sound - cachedSound) * Int128(audioInput)
            exact += Int128(cachedSound) * Int128(cachedAudioInput ?? audioInput)
        }
        exact += Int128(max(0, usage.inputTokens - sound - cached - written)) * Int128(input)
        exact += Int128(cached) * Int128(cachedInput ?? input)
        let longWrite = min(usage.longCacheWriteTokens, written)
        exact += Int128(written - longWrite) * Int128(cacheWrite ?? input)
        exact += Int128(longWrite) * Int128(longCacheWrite ?? cacheWrite ?? input)
        return exact
    }

    /// The most that so many tokens can cost, whatever kinds they turn out to be, sound only if there may be some. Sound as
    /// output is none of them: a request for it has no worst case.
    package func worstCost(inputTokens: Int, outputTokens: Int, hasSound: Bool = true) -> Money {
        let dearestSound = hasSound ? max(audioInput ?? 0, cachedAudioInput ?? 0) : 0
        let dearestInput = max(input, cachedInput ?? 0, cacheWrite ?? 0, longCacheWrite ?? 0, dearestSound)
        let dearestOutput = max(output, reasoning ?? 0)
        let exact = Int128(inputTokens) * Int128(dearestInput) + Int128(outputTokens) * Int128(dearestOutput)
        return Money(nanodollars: Int64(clamping: Money.roundedUp(exact, 1_000_000)))
    }

    /// Every rate times so many millionths, rounded up.
    package func scaled(millionths: Int) -> TokenRates {
        func scale(_ rate: TokenRate) -> TokenRate {
            TokenRate(Money.roundedUp(Int128(rate) * Int128(millionths), 1_000_000))
        }
        return TokenRates(
            input: scale(input), cachedInput: cachedInput.map(scale), cacheWrite: cacheWrite.map(scale),
            longCacheWrite: longCacheWrite.map(scale), audioInput: audioInput.map(scale),
            cachedAudioInput: cachedAudioInput.map(scale), output: scale(output), reasoning: reasoning.map(scale),
            audioOutput: audioOutput.map(scale))
    }

    /// These rates, with the others' for sound where these have none.
    func hearing(_ others: TokenRates?) -> TokenRates {
        guard let others else { return self }
        var rates = self
        rates.audioInput = audioInput ?? others.audioInput
        rates.cachedAudioInput = cachedAudioInput ?? others.cachedAudioInput
        rates.audioOutput = audioOutput ?? others.audioOutput
        return rates
    }
}

/// What a model costs on a key.
package struct ModelPrice: Hashable, Sendable {
    /// Rates for a request whose input is longer than a number of tokens: then the whole request moves to them.
    package struct LongContext: Hashable, Sendable {
        package var above: Int
        package var rates: TokenRates
        /// Rates in other lanes than `sync`; a lane that is not here costs as `sync` at this length, which is never
        /// less than it really costs.
        package var lanes: [Lane: TokenRates]

        package init(above: Int, rates: TokenRates, lanes: [Lane: TokenRates] = [:]) {
            self.above = above
            self.rates = rates
            self.lanes = lanes
        }

        func rates(_ lane: Lane) -> TokenRates { lanes[lane] ?? rates }
    }

    package var rates: TokenRates
    /// By ascending `above`.
    package var longContext: [LongContext]
    /// Rates in other lanes than `sync`; a lane that is not here costs as `sync`.
    package var lanes: [Lane: TokenRates]
    /// Charged for each request beside its tokens, in any lane and at any length.
    package var perRequest: Money
    /// The model searches by itself and is charged for each search, of which nobody knows the number: on top of all that
    /// stands here.
    package var addsSearches = false
    /// The most output tokens that the model gives, if known: the worst case of a request that sets no maximum.
    package var maxOutputTokens: Int?
    /// The most input tokens that the model reads, if known: the worst case of a request that names a file.
    package var maxInputTokens: Int?
    /// Where the price comes from, for people: `built in, 2026-11-24`, `prices.json: gpt-5-mini`, `keys.main.prices`.
    package var source: String

    package init(
        rates: TokenRates, longContext: [LongContext] = [], lanes: [Lane: TokenRates] = [:],
        perRequest: Money = .zero, maxOutputTokens: Int? = nil, maxInputTokens: Int? = nil, source: String
    ) {
        self.rates = rates
        self.longContext = longContext.sorted { $0.above < $1.above }
        self.lanes = lanes
        self.perRequest = perRequest
        self.maxOutputTokens = maxOutputTokens
        self.maxInputTokens = maxInputTokens
        self.source = source
    }

    /// The rates for a request with so many input tokens.
    package func rates(inputTokens: Int, lane: Lane) -> TokenRates {
        longContext.last { inputTokens > $0.above }?.rates(lane) ?? lanes[lane] ?? rates
    }

    /// Whether nothing costs anything, in any lane or tier.
    package var isFree: Bool {
        func isZero(_ rates: TokenRates) -> Bool {
            rates.worstCost(inputTokens: 1_000_000, outputTokens: 1_000_000) == .zero && rates.audioOutput ?? 0 == 0
        }
        guard perRequest == .zero, !addsSearches else { return false }
        return isZero(rates) && longContext.allSatisfy { isZero($0.rates) } && lanes.values.allSatisfy(isZero)
    }

    /// What a usage costs.
    package func cost(of usage: Usage, lane: Lane) -> Money {
        rates(inputTokens: usage.inputTokens, lane: lane).cost(of: usage).adding(perRequest)
    }

    /// The most that a request with at most so many tokens can cost: at the dearest tier that it may reach.
    package func worstCost(inputTokens: Int, outputTokens: Int, lane: Lane, hasSound: Bool = true) -> Money {
        func cost(_ rates: TokenRates) -> Money {
            rates.worstCost(inputTokens: inputTokens, outputTokens: outputTokens, hasSound: hasSound)
        }
        var worst = cost(rates(inputTokens: 0, lane: lane))
        for tier in longContext where inputTokens > tier.above { worst = max(worst, cost(tier.rates(lane))) }
        return worst.adding(perRequest)
    }

    /// Negotiated terms: every rate times so many millionths.
    package func scaled(millionths: Int) -> ModelPrice {
        var price = self
        price.rates = rates.scaled(millionths: millionths)
        price.perRequest = perRequest.share(millionths: millionths)
        price.lanes = lanes.mapValues { $0.scaled(millionths: millionths) }
        price.longContext = longContext.map { tier in
            LongContext(
                above: tier.above, rates: tier.rates.scaled(millionths: millionths),
                lanes: tier.lanes.mapValues { $0.scaled(millionths: millionths) })
        }
        return price
    }
}
