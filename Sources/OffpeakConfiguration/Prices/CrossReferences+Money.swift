import OffpeakCore

extension CrossReferences {
    /// What keys have to do with each other and with their prices.
    func terms() {
        for read in keys where read.descriptor.enabled { unknownPrices(of: read) }
        for (index, read) in keys.enumerated() where read.secret != .none {
            let key = read.descriptor
            let twin = keys[..<index].first { other in
                other.secret == read.secret && other.descriptor.provider == key.provider
                    && (key.pool == nil || other.descriptor.pool != key.pool)
            }
            guard let twin else { continue }
            findings.notice(
                .init(
                    path: FieldReader.path(read.path, "secret"), line: read.secretLine,
                    message: "is the secret of \"\(twin.descriptor.name)\" too, so both draw on one account's limits",
                    hint: "put both in one pool"))
        }
    }

    /// Models that a key is to serve and whose price nobody has stated.
    private func unknownPrices(of read: ReadKey) {
        guard case .only(let names) = read.descriptor.models, !hasWrongPrices(read.descriptor) else { return }
        let unknown = names.filter { configuration.priceBook.price(of: read.descriptor, model: $0.value) == nil }
        guard !unknown.isEmpty else { return }
        let shown = unknown.keys.sorted().map { Spelling.shown($0) }.joined(separator: ", ")
        findings.notice(
            .init(
                path: FieldReader.path(read.path, "models"), line: read.fields?.line(of: "models"),
                message:
                    "the price of \(shown) is unknown: what it costs is not counted, and the cost objective ranks it last",
                hint: "state it in the key's `prices`, or \"free\" for your own server"))
    }

    /// Models of a class's chains, on keys that serve any model: no `models` of a key names these.
    func unknownPrices(of read: ReadClass) {
        guard read.policy.budget == nil, !read.isUncertain else { return }
        let chains = Set(read.policy.models.values.joined()).sorted()
        for key in configuration.keys(for: read.policy)
        where key.enabled && key.models == .any && !hasWrongPrices(key) {
            let unknown = chains.filter { configuration.priceBook.price(of: key, model: $0) == nil }
            guard !unknown.isEmpty else { continue }
            let shown = unknown.map { Spelling.shown($0) }.joined(separator: ", ")
            read.fields.notice(
                "models",
                "the price of \(shown) on key \"\(key.name)\" is unknown: what it costs there is not counted, and the cost "
                    + "objective ranks it last",
                hint: "state it in keys.\(key.name).prices, or say in keys.\(key.name).models what the key serves")
        }
    }

    /// Whether a price may be unknown only because what states it is among the problems already.
    private func hasWrongPrices(_ key: KeyDescriptor) -> Bool {
        let key = FieldReader.path("keys", key.name)
        let prices = FieldReader.path(key, "prices")
        return findings.problems.contains { problem in
            ["prices", prices, FieldReader.path(key, "provider")].contains(problem.path)
                || problem.path.hasPrefix(prices + ".") || problem.path.hasPrefix(prices + "[")
        }
    }

    /// A class with a budget sends nothing whose price is unknown: a key is passed over for such a model, and so is a model
    /// that others only fall back on. One that lines name and no key has a price for could not be served at all.
    func budget(of read: ReadClass) {
        guard read.policy.budget != nil, !read.isUncertain else { return }
        let chains = Set(read.policy.models.values.joined()).sorted()
        func isFallback(_ model: String) -> Bool { chains.contains(model) && read.policy.models[model] == nil }
        let keys = configuration.keys(for: read.policy).filter(\.enabled)
        func isPriced(_ model: String, _ key: KeyDescriptor) -> Bool? {
            key.models.providerModel(for: model).map { configuration.priceBook.price(of: key, model: $0) != nil }
        }
        if chains.isEmpty { unnamedModels(of: read, keys) }
        for key in keys where !hasWrongPrices(key) {
            var models = chains
            if case .only(let names) = key.models { models = names.keys.sorted() }
            let unknown = models.filter { isPriced($0, key) == false }
            guard !unknown.isEmpty else { continue }
            let shown = unknown.map { Spelling.shown($0) }.joined(separator: ", ")
            if unknown.allSatisfy({ model in isFallback(model) || keys.contains { isPriced(model, $0) == true } }) {
                read.fields.notice(
                    "budget", "keeps key \"\(key.name)\" from serving \(shown), whose price there is unknown",
                    hint: "state it in keys.\(key.name).prices")
                continue
            }
            read.fields.problem(
                "budget", "cannot be kept: the price of \(shown) on key \"\(key.name)\" is unknown",
                hint: "state it in keys.\(key.name).prices, or exclude the key")
        }
    }
    /// Where neither a class with a budget nor a key of it names models, nothing is known of prices before there are lines.
    private func unnamedModels(of read: ReadClass, _ keys: [KeyDescriptor]) {
        let names = keys.filter {
            $0.models == .any && !hasWrongPrices($0) && !configuration.priceBook.pricesEverything(on: $0)
        }.map { "\"\($0.name)\"" }
        guard !names.isEmpty else { return }
        read.fields.notice(
            "budget",
            "needs the price of each model that is submitted: neither the class nor key \(names.joined(separator: ", ")) names "
                + "models, so none could be looked up here, and a job of a model without a known price is parked",
            hint: "name them in `models` of the key or the class; `offpeak prices MODEL` tells what is known")
    }
}
