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
        guard case .only(let names) = read.descriptor.models else { return }
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

    /// A class with a budget sends nothing whose price is unknown.
    func budget(of read: ReadClass) {
        guard read.policy.budget != nil, !read.isUncertain else { return }
        let chains = Set(read.policy.models.values.joined()).sorted()
        for key in configuration.keys(for: read.policy) where key.enabled {
            var models = chains
            if case .only(let names) = key.models { models = names.keys.sorted() }
            let unknown = models.filter { model in
                guard let name = key.models.providerModel(for: model) else { return false }
                return configuration.priceBook.price(of: key, model: name) == nil
            }
            guard !unknown.isEmpty else { continue }
            read.fields.problem(
                "budget",
                "cannot be kept: the price of \(unknown.map { Spelling.shown($0) }.joined(separator: ", ")) on key \"\(key.name)\" is unknown",
                hint: "state it in keys.\(key.name).prices, or exclude the key")
        }
    }
}
