import JSONLines
import OffpeakConfiguration
import OffpeakCore

extension Command {
    static let prices = Command(
        syntax: CommandSyntax(
            "prices", ["MODEL…"], required: 0, help: "what models cost on each key, and where the price comes from",
            options: [.value("--key", "K", "only this key")])
    ) { context in
        let configuration = try context.configuration()
        var keys = configuration.keys
        if let name = context.arguments["--key"] {
            try context.checkName(name, among: keys.map(\.name), what: "key")
            keys.removeAll { $0.name != name }
        }
        let views = keys.map { KeyPriceView($0, models: context.arguments.positionals, book: configuration.priceBook) }
        let asked = context.arguments.positionals
        for model in asked where !views.contains(where: { $0.prices.contains { $0.model == model } }) {
            context.printer.warning("no key\(keys.count == 1 ? " of that name" : "") serves \"\(model)\"")
        }
        if context.printer.usesJSON {
            context.printer.json { writer in
                writer.array("prices") { array in
                    for view in views { view.write(to: &array) }
                }
                writer.array("lists") { array in
                    for list in configuration.priceBook.lists {
                        array.object {
                            $0.member("name", list.name)
                            $0.member("models", list.entries.count)
                            $0.member("skipped", list.skipped)
                        }
                    }
                }
            }
            return .success
        }
        let texts = views.filter { asked.isEmpty || !$0.prices.isEmpty }.map(\.text)
        if !texts.isEmpty { context.printer.data(texts.joined(separator: "\n")) }
        for list in configuration.priceBook.lists {
            let skipped = list.skipped == 0 ? "" : ", \(list.skipped) other entries without a usable price per token"
            context.printer.note("\(list.name): \(Words.count(list.entries.count, "model"))\(skipped)")
        }
        return .success
    }
}

/// The prices of one key.
private struct KeyPriceView {
    struct Line {
        /// As jobs name it, and as the provider does.
        var model: String
        var providerModel: String
        /// Nil when it is unknown.
        var price: ModelPrice?
    }

    let key: KeyDescriptor
    let prices: [Line]

    /// The asked models that the key may serve; without any, those that it names.
    init(_ key: KeyDescriptor, models asked: [String], book: PriceBook) {
        self.key = key
        var models = asked
        if asked.isEmpty, case .only(let names) = key.models { models = names.keys.sorted() }
        prices = models.compactMap { model in
            guard let name = key.models.providerModel(for: model) else { return nil }
            return Line(model: model, providerModel: name, price: book.price(of: key, model: name))
        }
    }

    // MARK: Text

    var text: String {
        let bill =
            switch key.billing {
            case .provider: "billed by the provider"
            case .routerBYOK: "billed by the provider, a fee by the platform"
            case .platform: "billed by the platform"
            }
        var lines = ["\(key.name)  provider \(key.provider), \(bill); US dollars per million tokens"]
        for line in prices {
            let name = line.model == line.providerModel ? line.model : "\(line.model) (\(line.providerModel))"
            guard let price = line.price else {
                lines.append("    \(name): unknown")
                continue
            }
            lines.append("    \(name): \(Self.words(price.rates))  [\(price.source)]")
            if price.perRequest != .zero {
                lines.append("        besides, for each request: \(price.perRequest.text) US dollars")
            }
            if price.addsSearches {
                lines.append("        besides, for each search that the model makes by itself: in no figure here")
            }
            lines += Self.lanes(price.lanes, indent: 8)
            for tier in price.longContext {
                lines.append("        above \(tier.above) input tokens: \(Self.words(tier.rates))")
                lines += Self.lanes(tier.lanes, indent: 12)
            }
        }
        if prices.isEmpty { lines.append("    serves any model: name the ones to look up, `offpeak prices MODEL…`") }
        return lines.joined(separator: "\n")
    }

    private static func lanes(_ lanes: [Lane: TokenRates], indent: Int) -> [String] {
        Lane.allCases.compactMap { lane in
            lanes[lane].map { String(repeating: " ", count: indent) + "lane \(lane.rawValue): \(words($0))" }
        }
    }

    private static func words(_ rates: TokenRates) -> String {
        if rates == .free { return "free" }
        return named(rates).map { "\($0.name.replacing("_", with: " ")) \($0.value)" }.joined(separator: ", ")
    }

    // MARK: JSON

    func write(to array: inout JSONWriter) {
        for line in prices {
            array.object { writer in
                writer.member("key", key.name)
                writer.member("provider", key.provider)
                writer.member("billing", key.billing.rawValue)
                writer.member("model", line.model)
                writer.member("provider_model", line.providerModel)
                writer.member("known", line.price != nil)
                writer.member("source", line.price?.source)
                guard let price = line.price else { return }
                writer.member("max_output_tokens", price.maxOutputTokens)
                writer.member("usd_per_request", price.perRequest.text)
                writer.member("searches_on_top", price.addsSearches)
                Self.write(price.rates, price.lanes, to: &writer)
                writer.array("long_context") { tiers in
                    for tier in price.longContext {
                        tiers.object {
                            $0.member("above_input_tokens", tier.above)
                            Self.write(tier.rates, tier.lanes, to: &$0)
                        }
                    }
                }
            }
        }
    }

    private static func write(_ rates: TokenRates, _ lanes: [Lane: TokenRates], to writer: inout JSONWriter) {
        writer.object("usd_per_million_tokens") { object in
            for (name, value) in named(rates) { object.member(name, value) }
        }
        writer.object("lanes") { object in
            for lane in Lane.allCases {
                guard let rates = lanes[lane] else { continue }
                object.object(lane.rawValue) { for (name, value) in named(rates) { $0.member(name, value) } }
            }
        }
    }

    /// The rates that there are, as decimal numbers of US dollars.
    private static func named(_ rates: TokenRates) -> [(name: String, value: String)] {
        [
            ("input", rates.input), ("cached_input", rates.cachedInput), ("cache_write", rates.cacheWrite),
            ("cache_write_1h", rates.longCacheWrite), ("audio_input", rates.audioInput),
            ("cached_audio_input", rates.cachedAudioInput), ("output", rates.output), ("reasoning", rates.reasoning),
            ("audio_output", rates.audioOutput),
        ].compactMap { name, rate in rate.map { (name, Money(nanodollars: $0).text) } }
    }
}
