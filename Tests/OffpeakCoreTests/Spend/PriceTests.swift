import Testing

@testable import OffpeakCore

@Suite struct `Prices` {
    /// Dollars per million tokens.
    static func rates(
        _ input: String, _ output: String, cached: String? = nil, write: String? = nil, reasoning: String? = nil
    ) -> TokenRates {
        func rate(_ text: String) -> TokenRate { Money(dollars: text)!.nanodollars }
        return TokenRates(
            input: rate(input), cachedInput: cached.map(rate), cacheWrite: write.map(rate), output: rate(output),
            reasoning: reasoning.map(rate))
    }

    @Test(arguments: [
        ("1.25e-06", 15, 1_250_000_000), ("0", 9, 0), ("0.0", 9, 0), ("-1.5", 1, -15), ("1E+2", 0, 100),
        ("20.00", 0, 20), ("0.000000001", 9, 1), ("00012", 0, 12),
        // More digits than are kept, all of them zero.
        ("1.2500000000000000000000000", 2, 125), ("100000000000000000000e-18", 0, 100),
    ])
    func `decimal numbers are read exactly`(_ text: String, _ power: Int, _ whole: Int64) {
        #expect(DecimalNumber(text)?.scaled(by: power) == whole)
        #expect(DecimalNumber(text, roundingUp: true)?.scaled(by: power, roundingUp: true) == whole)
    }

    @Test(arguments: ["", ".", "e5", "1e", "1e1.5", "0x10", "1,5", " 1", "NaN", "1e100", "--1", "1.2.3"])
    func `what is no decimal number is refused`(_ text: String) {
        #expect(DecimalNumber(text) == nil)
        #expect(DecimalNumber(text, roundingUp: true) == nil)
    }

    @Test(arguments: [
        ("1.6000000000000001e-06", 15, 1_600_000_001), ("1e-10", 9, 1), ("1e-40", 9, 1), ("-1e-10", 9, 0),
        ("0.1234567890123456789012", 9, 123_456_790), ("1.0000000000000000000001", 9, 1_000_000_001),
    ])
    func `what is finer than the unit is refused, or rounded up where that is asked`(
        _ text: String, _ power: Int, _ up: Int64
    ) {
        #expect(DecimalNumber(text)?.scaled(by: power) == nil)
        #expect(DecimalNumber(text, roundingUp: true)?.scaled(by: power, roundingUp: true) == up)
    }

    @Test func `a usage costs what its kinds of tokens cost, rounded up once`() {
        let rates = Self.rates("1.25", "10", cached: "0.125", write: "1.5", reasoning: "20")
        let usage = Usage(
            inputTokens: 1_000, cachedTokens: 300, cacheWriteTokens: 200, outputTokens: 50, reasoningTokens: 20)
        // 500 × 1.25 + 300 × 0.125 + 200 × 1.5 + 30 × 10 + 20 × 20 millionths of a dollar.
        #expect(rates.cost(of: usage) == Money(nanodollars: 1_662_500))
        #expect(Self.rates("0.0000001", "0").cost(of: Usage(inputTokens: 1)) == Money(nanodollars: 1))
        // Kinds without a rate of their own cost as the whole does.
        #expect(Self.rates("1", "2").cost(of: usage) == Money(nanodollars: 1_100_000))
        // Of 200 written to the cache, 80 for an hour: 80 × (2.5 − 1.5) more.
        var long = (rates: rates, usage: usage)
        long.usage.longCacheWriteTokens = 80
        #expect(long.rates.cost(of: long.usage) == rates.cost(of: usage))
        long.rates.longCacheWrite = 2_500_000_000
        #expect(long.rates.cost(of: long.usage) == Money(nanodollars: 1_742_500))
        #expect(long.rates.worstCost(inputTokens: 10, outputTokens: 0) == Money(nanodollars: 25_000))
    }

    @Test func `sound costs what sound costs, cached sound too, and makes the worst case where there may be some`() {
        var rates = Self.rates("1", "10", cached: "0.1", write: "2", reasoning: "20")
        var usage = Usage(
            inputTokens: 1_000, cachedTokens: 300, cacheWriteTokens: 100, audioInputTokens: 400, outputTokens: 50,
            reasoningTokens: 20, audioOutputTokens: 10)
        // Without rates for it, sound is as other tokens: 600 × 1 + 300 × 0.1 + 100 × 2 + 30 × 10 + 20 × 20.
        #expect(rates.cost(of: usage) == Money(nanodollars: 1_530_000))
        (rates.audioInput, rates.audioOutput) = (5_000_000_000, 80_000_000_000)
        // 200 × 1 + 400 × 5 + 300 × 0.1 + 100 × 2, and 20 × 10 + 20 × 20 + 10 × 80.
        #expect(rates.cost(of: usage) == Money(nanodollars: 3_830_000))
        #expect(rates.worstCost(inputTokens: 10, outputTokens: 0) == Money(nanodollars: 50_000))
        #expect(rates.worstCost(inputTokens: 10, outputTokens: 0, hasSound: false) == Money(nanodollars: 20_000))
        // 200 of the 800 must have been cached: 600 × 5 + 100 × 0.1 + 100 × 2, and these at the rate of sound or at their own.
        usage.audioInputTokens = 800
        #expect(rates.cost(of: usage) == Money(nanodollars: 4_000_000 + 10_000 + 200_000 + 1_400_000))
        rates.cachedAudioInput = 500_000_000
        #expect(rates.cost(of: usage) == Money(nanodollars: 3_000_000 + 100_000 + 10_000 + 200_000 + 1_400_000))
        // All of it is less by half in a lane, and at a discount.
        #expect(rates.scaled(millionths: 500_000).cost(of: usage) == Money(nanodollars: 2_355_000))
    }

    @Test func `a price for each request comes on top, whatever the lane and length, and is discounted like the rest`()
    {
        let price = ModelPrice(
            rates: .free, longContext: [.init(above: 10, rates: Self.rates("1", "1"))],
            lanes: [.flex: Self.rates("2", "2")], perRequest: Money(nanodollars: 5_000_001), source: "")
        #expect(!price.isFree)
        #expect(price.cost(of: Usage(inputTokens: 1), lane: .sync) == Money(nanodollars: 5_000_001))
        #expect(price.cost(of: Usage(inputTokens: 1), lane: .flex) == Money(nanodollars: 5_002_001))
        #expect(price.cost(of: Usage(inputTokens: 11), lane: .sync) == Money(nanodollars: 5_011_001))
        #expect(price.worstCost(inputTokens: 11, outputTokens: 0, lane: .sync) == Money(nanodollars: 5_011_001))
        #expect(price.scaled(millionths: 500_000).perRequest == Money(nanodollars: 2_500_001))
        let dearest = ModelPrice(rates: Self.rates("9000000000", "0"), perRequest: .dollars(1), source: "")
        #expect(dearest.worstCost(inputTokens: .max, outputTokens: 0, lane: .sync) == Money(nanodollars: .max))
    }

    @Test func `a model with sound alone to pay for, or searches of its own, is not free`() {
        var rates = TokenRates.free
        rates.audioOutput = 1
        #expect(!ModelPrice(rates: rates, source: "").isFree)
        var searching = ModelPrice(rates: .free, source: "")
        #expect(searching.isFree)
        searching.addsSearches = true
        #expect(!searching.isFree)
    }

    @Test func `a long input moves the whole request to the rates of its tier, in every lane`() {
        let price = ModelPrice(
            rates: Self.rates("1", "10"),
            longContext: [
                .init(above: 500, rates: Self.rates("4", "40")),
                .init(above: 100, rates: Self.rates("2", "20"), lanes: [.batch: Self.rates("1", "10")]),
            ],
            lanes: [.batch: Self.rates("0.5", "5")], source: "test")
        #expect(price.rates(inputTokens: 100, lane: .sync) == Self.rates("1", "10"))
        #expect(price.rates(inputTokens: 101, lane: .sync) == Self.rates("2", "20"))
        #expect(price.rates(inputTokens: 501, lane: .sync) == Self.rates("4", "40"))
        #expect(price.rates(inputTokens: 100, lane: .batch) == Self.rates("0.5", "5"))
        #expect(price.rates(inputTokens: 101, lane: .batch) == Self.rates("1", "10"))
        // Not listed: never less than it can be.
        #expect(price.rates(inputTokens: 501, lane: .batch) == Self.rates("4", "40"))
        #expect(price.rates(inputTokens: 100, lane: .flex) == Self.rates("1", "10"))
        #expect(price.worstCost(inputTokens: 501, outputTokens: 1, lane: .batch) == Money(nanodollars: 2_044_000))
    }

    @Test func `no usage within the worst case costs more than it`() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            func rate() -> TokenRate { .random(in: 0...50_000_000_000, using: &generator) }
            func rates() -> TokenRates {
                TokenRates(
                    input: rate(), cachedInput: Bool.random(using: &generator) ? rate() : nil,
                    cacheWrite: Bool.random(using: &generator) ? rate() : nil,
                    longCacheWrite: Bool.random(using: &generator) ? rate() : nil,
                    audioInput: Bool.random(using: &generator) ? rate() : nil,
                    cachedAudioInput: Bool.random(using: &generator) ? rate() : nil, output: rate(),
                    reasoning: Bool.random(using: &generator) ? rate() : nil)
            }
            let price = ModelPrice(
                rates: rates(),
                longContext: [
                    .init(above: 400, rates: rates(), lanes: Bool.random(using: &generator) ? [.batch: rates()] : [:])
                ],
                lanes: Bool.random(using: &generator) ? [.batch: rates()] : [:],
                perRequest: Money(nanodollars: .random(in: 0...9_000, using: &generator)), source: "")
            let input = Int.random(in: 0...1_000, using: &generator)
            let output = Int.random(in: 0...1_000, using: &generator)
            let cached = Int.random(in: 0...input, using: &generator)
            let all = Int.random(in: cached...input, using: &generator)
            let written = Int.random(in: 0...(all - cached), using: &generator)
            let usage = Usage(
                inputTokens: all, cachedTokens: cached, cacheWriteTokens: written,
                longCacheWriteTokens: Int.random(in: 0...written, using: &generator),
                audioInputTokens: Int.random(in: 0...all, using: &generator), outputTokens: output,
                reasoningTokens: Int.random(in: 0...output, using: &generator))
            let lane = Lane.allCases.randomElement(using: &generator)!
            #expect(
                price.cost(of: usage, lane: lane)
                    <= price.worstCost(inputTokens: input, outputTokens: output, lane: lane),
                "\(price) \(usage) \(lane), seed 7")
        }
    }

    @Test func `shares of money and rates are rounded up, never down`() {
        #expect(Money(nanodollars: 1).share(millionths: 50_000) == Money(nanodollars: 1))
        #expect(Money.dollars(20).share(millionths: 50_000) == .dollars(1))
        #expect(Self.rates("0.000000003", "1").scaled(millionths: 500_000) == Self.rates("0.000000002", "0.5"))
    }

    @Test(arguments: [
        (0, "0.00"), (12_500_000_000, "12.50"), (125_000, "0.000125"), (1, "0.000000001"), (-1_500_000_000, "-1.50"),
    ])
    func `money is written with as many decimals as it needs, at least two`(_ nanodollars: Int64, _ text: String) {
        #expect(Money(nanodollars: nanodollars).text == text)
        #expect(Money(dollars: text) == Money(nanodollars: nanodollars))
    }
}
