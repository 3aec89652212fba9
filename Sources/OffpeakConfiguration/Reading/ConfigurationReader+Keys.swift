import Foundation
import OffpeakCore
import OffpeakProviders

extension ConfigurationReader {
    func keys(
        _ fields: FieldReader, providers: [ProviderDescriptor], pools: [PoolDescriptor], zone: TimeZone
    ) -> [ReadKey] {
        named("keys", in: fields).map { entry in
            key(entry.name, entry.member, path: entry.path, providers: providers, pools: pools, zone: zone)
        }
    }

    private func key(
        _ name: String, _ member: JSON5Value.Member, path: String, providers: [ProviderDescriptor],
        pools: [PoolDescriptor], zone: TimeZone
    ) -> ReadKey {
        var key = KeyDescriptor(name: name, provider: "")
        let known = [
            "provider", "secret", "billing", "pool", "models", "lanes", "limits", "quota", "credit", "provisioned",
            "prices", "fee", "valid_until", "tags", "enabled",
        ]
        let aliases = [
            "api_key": "secret", "key": "secret", "token": "secret", "password": "secret", "env": "secret",
            "model": "models", "rpm": "limits", "tpm": "limits", "disabled": "enabled",
            "budget": "quota", "price": "prices", "discount": "prices", "expires": "valid_until", "credits": "credit",
        ]
        guard let fields = self.fields(member.value, path: path, known: known, aliases: aliases) else {
            return ReadKey(descriptor: key, secret: .none, secretLine: member.line, line: member.line, path: path)
        }
        if let provider = provider(fields, among: providers) {
            key.provider = provider.name
            key.limitModel = provider.limitModel
            key.tokenCounting = provider.tokenCounting
            key.endpoints = provider.kind.endpoints
            key.demandedAnswer = provider.kind.demandedAnswer
            key.billing = billing(fields, provider: provider)
        }
        key.pool = reference("pool", in: fields, among: pools.map(\.name), called: "pools")
        key.models = models(fields)
        if let value = fields.value("limits") { key.limits = limits(value, path: fields.path(to: "limits")) }
        key.lanes = lanes(fields) ?? [.sync]
        terms(of: &key, fields, zone: zone)
        compare(key.limits, withPool: pools.first { $0.name == key.pool }, fields)
        key.tags = fields.strings("tags")?.map(\.text) ?? []
        key.enabled = fields.bool("enabled") ?? true
        return ReadKey(
            descriptor: key, secret: secret(fields), secretLine: fields.line(of: "secret"), line: member.line,
            path: path,
            fields: fields, prices: prices(of: key, fields))
    }

    private func provider(_ fields: FieldReader, among providers: [ProviderDescriptor]) -> ProviderDescriptor? {
        guard fields.has("provider") else {
            fields.problem("provider", "is missing", hint: "one that is built in, such as \"openai\", or your own")
            return nil
        }
        if case .string(let name)? = fields.value("provider")?.kind, Self.laterProviders.contains(name),
            !providers.contains(where: { $0.name == name })
        {
            fields.problem(
                "provider", "\"\(name)\" arrives with a later version",
                hint: "an OpenAI-compatible address of it can be declared under `providers`")
            return nil
        }
        let name = reference("provider", in: fields, among: providers.map(\.name), called: "providers")
        return providers.first { $0.name == name }
    }

    /// A field that names something declared elsewhere in the file.
    private func reference(_ name: String, in fields: FieldReader, among names: [String], called kind: String)
        -> String?
    {
        guard let text = fields.string(name) else { return nil }
        if names.contains(text) { return text }
        fields.problem(
            name, "\(Spelling.shown(text)) is not among the \(kind)",
            hint: Spelling.hint(for: text, among: names, called: kind))
        return nil
    }

    /// Who bills a key. A routing platform's key has to say it: the wrong guess would spend from the wrong purse.
    private func billing(_ fields: FieldReader, provider: ProviderDescriptor) -> Billing {
        let billing = fields.choice("billing", Billing.self)
        if provider.name == "openrouter" && billing ?? .provider == .provider
            && (billing != nil || !fields.has("billing"))
        {
            fields.problem(
                "billing", "a key of a routing platform has to say who bills it",
                hint: "\"router-byok\" if it only serves through your own provider keys there, else \"platform\"")
        }
        return billing ?? .provider
    }

    private func models(_ fields: FieldReader) -> ModelAccess {
        guard let value = fields.value("models") else { return .any }
        var names: [String: String] = [:]
        switch value.kind {
        case .array(let elements):
            for model in fields.strings("models") ?? [] { names[model.text] = model.text }
            if elements.isEmpty { break }
            return .only(names)
        case .object(let members):
            guard let models = fields.object("models", known: nil) else { return .any }
            for member in models.members where !member.name.isEmpty {
                if let name = models.string(member.name) { names[member.name] = name }
            }
            if members.contains(where: \.name.isEmpty) { models.problem("", "a model's name is empty") }
            if members.isEmpty { break }
            return .only(names)
        default:
            fields.mismatch("models", value, expected: "a list of models, or an object of names")
            return .any
        }
        fields.problem("models", "is empty: the key could serve nothing", hint: "leave it out to allow every model")
        return .any
    }

    private func compare(_ own: Limits, withPool pool: PoolDescriptor?, _ fields: FieldReader) {
        guard let pool else { return }
        let pairs = [
            ("rpm", own.rpm, pool.limits.rpm), ("tpm", own.tpm, pool.limits.tpm), ("rpd", own.rpd, pool.limits.rpd),
            ("tpd", own.tpd, pool.limits.tpd), ("concurrent", own.concurrent, pool.limits.concurrent),
        ]
        for case (let name, let own?, let shared?) in pairs where own > shared {
            findings.notice(
                .init(
                    path: "\(fields.path).limits.\(name)", line: fields.line(of: "limits"),
                    message: "\(own) is above the \(shared) of pool \"\(pool.name)\", which counts"))
        }
    }
}
