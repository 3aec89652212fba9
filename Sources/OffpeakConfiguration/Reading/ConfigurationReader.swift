import Foundation
import OffpeakCore
import OffpeakProviders

/// Turns a file's JSON5 into a configuration. What is wrong goes to `findings` and reads as its default, so that one
/// reading finds everything; the result counts only when there were no problems.
struct ConfigurationReader {
    /// The configuration's folder: relative paths in it start there.
    let folder: String
    let builtIn: [ProviderDescriptor]
    let findings: Findings

    func configuration(_ value: JSON5Value, path: String) -> Configuration? {
        let known = ["timezone", "providers", "pools", "keys", "classes", "prices"]
        guard let fields = fields(value, path: "", known: known) else { return nil }
        let zone = timeZone(fields)
        let providers = providers(fields)
        let pools = pools(fields)
        let keys = keys(fields, providers: providers, pools: pools, zone: zone.zone)
        let classes = classes(fields, keys: keys)
        if keys.isEmpty && findings.problems.isEmpty {
            fields.problem("keys", "there are no keys", hint: "`offpeak init` writes examples")
        }
        let configuration = Configuration(
            path: path, timeZone: zone.zone, timeZoneName: zone.name, providers: providers, pools: pools,
            keys: keys.map(\.descriptor),
            secrets: Dictionary(uniqueKeysWithValues: keys.map { ($0.descriptor.name, $0.secret) }),
            classes: classes.map(\.policy) + defaultClass(unlessIn: classes),
            priceBook: PriceBook(
                lists: priceLists(fields),
                terms: Dictionary(
                    uniqueKeysWithValues: keys.compactMap { key in key.prices.map { (key.descriptor.name, $0) } }),
                aliases: aliases(of: providers)),
            notices: [],
            secretLines: Dictionary(uniqueKeysWithValues: keys.map { ($0.descriptor.name, $0.secretLine) }),
            keyLines: Dictionary(uniqueKeysWithValues: keys.map { ($0.descriptor.name, $0.line) }))
        CrossReferences(configuration: configuration, keys: keys, classes: classes, fields: fields).check()
        return configuration
    }

    /// The fields of an object, with a notice for each that a later version will heed.
    func fields(
        _ value: JSON5Value, path: String, known: [String], later: [String: String] = [:],
        aliases: [String: String] = [:]
    ) -> FieldReader? {
        let reader = FieldReader(
            value, path: path, known: known, tolerated: later.keys.sorted(), aliases: aliases, findings: findings)
        guard let reader else { return nil }
        for (name, effect) in later.sorted(by: { $0.key < $1.key }) where reader.has(name) {
            reader.notice(name, "not in effect yet: \(effect) in this version")
        }
        return reader
    }

    /// Entries whose names are the user's own, with a problem for each name that has other characters than `allowed`.
    func named(
        _ name: String, in fields: FieldReader, lowercase: Bool = false
    ) -> [(name: String, path: String, member: JSON5Value.Member)] {
        let entries = fields.entries(name)
        for entry in entries where !Self.isName(entry.name, lowercase: lowercase) {
            let letters = lowercase ? "lower-case letters, digits, '-' and '_'" : "letters, digits, '.', '-' and '_'"
            findings.problem(
                .init(
                    path: entry.path, line: entry.member.line, message: "is no good as a name",
                    hint: "1 to 64 \(letters)"))
        }
        return entries
    }

    private static func isName(_ name: String, lowercase: Bool) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.unicodeScalars.allSatisfy {
                switch $0 {
                case "a"..."z", "0"..."9", "-", "_": true
                case "A"..."Z", ".": !lowercase
                default: false
                }
            }
    }

    private func timeZone(_ fields: FieldReader) -> (zone: TimeZone, name: String) {
        let utc = (zone: TimeZone.gmt, name: "UTC")
        guard let name = fields.string("timezone") else { return utc }
        // Foundation also takes abbreviations and offsets, which know no daylight saving: surely not what was meant.
        let bare: Set = ["UTC", "GMT", "CET", "EET", "MET", "WET", "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"]
        if name.contains("/") || bare.contains(name), let zone = TimeZone(identifier: name) { return (zone, name) }
        let names = TimeZone.knownTimeZoneIdentifiers + ["UTC"]
        let hint = Spelling.nearest(to: name, among: names).map { "did you mean \"\($0)\"?" }
        fields.problem(
            "timezone", "\(Spelling.shown(name)) is not a time zone of the zone database",
            hint: hint ?? "names look like \"Europe/Berlin\" or \"UTC\"")
        return utc
    }

    private func pools(_ fields: FieldReader) -> [PoolDescriptor] {
        named("pools", in: fields).map { entry in
            // A quota beside the limits: read apart, so that `limits` knows its own fields only.
            let known = Self.limitFields + ["quota"]
            guard let pool = self.fields(entry.member.value, path: entry.path, known: known) else {
                return PoolDescriptor(name: entry.name, limits: Limits())
            }
            return PoolDescriptor(name: entry.name, limits: limits(pool), quota: quota(pool))
        }
    }

    /// Rates and concurrency of a key or a pool.
    func limits(_ value: JSON5Value, path: String) -> Limits {
        fields(value, path: path, known: Self.limitFields).map(limits) ?? Limits()
    }

    private static let limitFields = ["rpm", "tpm", "rpd", "tpd", "concurrent"]

    private func limits(_ fields: FieldReader) -> Limits {
        let requests = 1...1_000_000_000
        let tokens = 1...1_000_000_000_000
        return Limits(
            rpm: fields.integer("rpm", in: requests), tpm: fields.integer("tpm", in: tokens),
            rpd: fields.integer("rpd", in: requests), tpd: fields.integer("tpd", in: tokens),
            concurrent: fields.integer("concurrent", in: 1...100_000))
    }

    private func defaultClass(unlessIn classes: [ReadClass]) -> [ClassPolicy] {
        let name = Configuration.defaultClass
        return classes.contains { $0.policy.name == name } ? [] : [ClassPolicy(name: name, posture: .cost)]
    }
}

/// A key as read, with the places that later findings name.
struct ReadKey {
    var descriptor: KeyDescriptor
    var secret: SecretSource
    var secretLine: Int
    var line: Int
    var path: String
    var fields: FieldReader?
    var prices: KeyPrices?
}

/// A class as read.
struct ReadClass {
    var policy: ClassPolicy
    var fields: FieldReader
    /// Names of keys in `keys.order` and `keys.only` that exist, with their places.
    var namedKeys: [(text: String, path: String, line: Int)]
    /// Some reference to a key or some field that decides about keys was wrong: who may serve the class is unknown.
    var isUncertain: Bool
}
