import Foundation
import OffpeakCore
import OffpeakProviders

extension ConfigurationReader {
    // MARK: Lists

    /// The user's price list, if there is one, and the built-in table.
    func priceLists(_ fields: FieldReader) -> [PriceList] {
        guard let file = fields.string("prices") else { return [.builtIn] }
        let shown = Spelling.shown(path: file)
        guard let bytes = FileManager.default.contents(atPath: resolve(file)) else {
            fields.problem(
                "prices", "the price list \(shown) cannot be read", hint: "a relative path starts at this file's folder"
            )
            return [.builtIn]
        }
        do throws(PriceList.Unreadable) {
            return [try PriceList.reading(Array(bytes), name: URL(filePath: file).lastPathComponent), .builtIn]
        } catch {
            fields.problem(
                "prices", "\(shown) \(error.message)", hint: "a price list in the form of LiteLLM's public one")
            return [.builtIn]
        }
    }

    /// Providers of the file's own naming that are a built-in one by their address, or Azure.
    func aliases(of providers: [ProviderDescriptor]) -> [String: String] {
        func host(_ url: String) -> String { URL(string: url)?.host()?.lowercased() ?? "" }
        var aliases: [String: String] = [:]
        for provider in providers where !builtIn.contains(where: { $0.name == provider.name }) {
            let own = host(provider.baseURL)
            if own.hasSuffix(".openai.azure.com") || own.hasSuffix(".services.ai.azure.com") {
                aliases[provider.name] = "azure"
            } else if own == "api.anthropic.com" {
                aliases[provider.name] = "anthropic"
            } else if own != "127.0.0.1", let known = builtIn.first(where: { host($0.baseURL) == own }) {
                aliases[provider.name] = known.name
            }
        }
        return aliases
    }

    // MARK: A key's own terms

    /// `prices` of a key: `"free"`, or terms by model.
    func prices(of key: KeyDescriptor, _ fields: FieldReader) -> KeyPrices? {
        guard let value = fields.value("prices") else { return nil }
        if case .string("free") = value.kind { return .free }
        guard case .object = value.kind else {
            fields.mismatch(
                "prices", value, expected: "terms by model, or \"free\"",
                hint: "such as { \"*\": { discount: 0.2 } }; \"free\" for your own server")
            return nil
        }
        var terms: [String: ModelTerms] = [:]
        for entry in fields.entries("prices") {
            guard let read = modelTerms(entry.member.value, path: entry.path) else { continue }
            var names = [entry.name]
            if entry.name != "*", case .only(let models) = key.models {
                // By the name that jobs use or the one that the provider knows.
                if let renamed = models[entry.name] { names = [renamed] }
                if !models.values.contains(names[0]) {
                    findings.notice(
                        .init(path: entry.path, line: entry.member.line, message: "the key does not serve this model"))
                }
            }
            terms[names[0]] = read
        }
        return .terms(terms)
    }

    private static let rateFields = ["input", "cached_input", "cache_write", "output", "reasoning"]

    private func modelTerms(_ value: JSON5Value, path: String) -> ModelTerms? {
        let aliases = [
            "cached": "cached_input", "cache_read": "cached_input", "cache_writes": "cache_write", "prompt": "input",
            "completion": "output", "off": "discount",
        ]
        let known = Self.rateFields + ["discount", "batch", "flex"]
        guard let fields = self.fields(value, path: path, known: known, aliases: aliases) else { return nil }
        var terms = ModelTerms()
        let given = Self.rateFields.filter(fields.has)
        if !given.isEmpty { terms.rates = rates(fields) }
        if fields.has("discount") {
            terms.discountMillionths = fields.decimal("discount", places: 6, from: 0, to: 1_000_000).map { Int($0) }
            if let first = given.first {
                fields.problem(
                    "discount", "stands beside \(first)", hint: "either rates of its own, or a share off the list price"
                )
            }
        }
        for lane in [Lane.batch, .flex] {
            guard let value = fields.value(lane.rawValue) else { continue }
            if case .object = value.kind {
                let path = fields.path(to: lane.rawValue)
                guard let own = self.fields(value, path: path, known: Self.rateFields) else { continue }
                terms.lanes[lane] = rates(own).map { .rates($0) }
            } else if let share = fields.decimal(lane.rawValue, places: 6, from: 0, to: 10_000_000) {
                terms.lanes[lane] = .share(millionths: Int(share))
            }
        }
        if fields.members.isEmpty {
            findings.problem(
                .init(
                    path: path, line: value.line, message: "says nothing",
                    hint: "input and output in US dollars per million tokens, discount, batch or flex"))
        }
        return terms
    }

    /// Rates in US dollars per million tokens. Input and output are both needed: a forgotten one would count as nothing.
    private func rates(_ fields: FieldReader) -> TokenRates? {
        var rates: [String: TokenRate] = [:]
        for name in Self.rateFields { rates[name] = fields.dollars(name, from: .zero)?.nanodollars }
        if !fields.has("input") { fields.problem("input", "is missing", hint: "US dollars per million tokens") }
        if !fields.has("output") {
            fields.problem("output", "is missing", hint: "US dollars per million tokens; 0 for embeddings")
        }
        guard let input = rates["input"], let output = rates["output"] else { return nil }
        return TokenRates(
            input: input, cachedInput: rates["cached_input"], cacheWrite: rates["cache_write"], output: output,
            reasoning: rates["reasoning"])
    }
}
