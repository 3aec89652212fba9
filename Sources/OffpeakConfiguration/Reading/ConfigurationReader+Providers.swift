import Foundation
import OffpeakCore
import OffpeakProviders

extension ConfigurationReader {
    /// Wire formats and providers of the contract that this version does not have yet.
    static let laterProviders = ["gemini", "bedrock", "vertex", "azure", "cohere"]

    /// The built-in providers with the file's entries laid over them, then the file's own.
    func providers(_ fields: FieldReader) -> [ProviderDescriptor] {
        var providers = builtIn
        for entry in named("providers", in: fields) {
            let index = providers.firstIndex { $0.name == entry.name }
            let read = provider(entry.name, entry.member.value, path: entry.path, base: index.map { providers[$0] })
            if let index { providers[index] = read } else { providers.append(read) }
        }
        return providers
    }

    private func provider(
        _ name: String, _ value: JSON5Value, path: String, base: ProviderDescriptor?
    ) -> ProviderDescriptor {
        var provider = base ?? ProviderDescriptor(name: name, baseURL: "")
        let known = ["kind", "base_url", "insecure", "limit_model", "token_counting", "ca_file"]
        let aliases = ["url": "base_url", "endpoint": "base_url", "host": "base_url", "type": "kind"]
        guard let fields = fields(value, path: path, known: known, aliases: aliases) else { return provider }
        provider.kind = kind(fields) ?? provider.kind
        provider.insecure = fields.bool("insecure") ?? provider.insecure
        baseURL(fields, of: &provider)
        // A server that counts in a bucket or a fixed window is served well by the sliding model: see `LimitModel`.
        let synonyms: [String: LimitModel] = ["bucket": .sliding, "fixed": .sliding]
        provider.limitModel =
            fields.choice("limit_model", LimitModel.self, synonyms: synonyms) ?? provider.limitModel
        provider.tokenCounting = fields.choice("token_counting", TokenCounting.self) ?? provider.tokenCounting
        if let file = fields.string("ca_file") {
            let resolved = resolve(file)
            if !FileManager.default.isReadableFile(atPath: resolved) {
                fields.problem(
                    "ca_file", "\(Spelling.shown(path: file)) cannot be read",
                    hint: "a PEM file; a relative path starts at this file's folder")
            }
            provider.caFile = resolved
        }
        return provider
    }

    private func kind(_ fields: FieldReader) -> ProviderKind? {
        guard let kind = fields.string("kind") else { return nil }
        if let known = ProviderKind(rawValue: kind) { return known }
        let all = ProviderKind.allCases.map(\.rawValue)
        if Self.laterProviders.contains(kind) {
            fields.problem(
                "kind", "\"\(kind)\" arrives with a later version",
                hint: "this version speaks \(all.joined(separator: ", "))")
            return nil
        }
        let nearest = Spelling.nearest(to: kind, among: all + Self.laterProviders)
        fields.problem(
            "kind", "\(Spelling.shown(kind)) is not one of \(all.joined(separator: ", "))",
            hint: nearest.map { "did you mean \"\($0)\"?" })
        return nil
    }

    private func baseURL(_ fields: FieldReader, of provider: inout ProviderDescriptor) {
        if !fields.has("base_url") {
            if provider.baseURL.isEmpty {
                fields.problem("base_url", "is missing", hint: "such as \"https://api.example.com/v1\"")
            }
            return
        }
        guard let text = fields.string("base_url") else { return }
        do throws(BaseURL.Flaw) {
            let url = try BaseURL(text)
            if url.isPlain && !url.isLoopback && !provider.insecure {
                fields.problem(
                    "base_url", "plain http to another machine would send prompts and the secret unencrypted",
                    hint: "use https, or allow it with insecure: true")
            }
            provider.baseURL = url.text
        } catch {
            fields.problem("base_url", error.message, hint: error.hint)
        }
    }

    /// A path of the file, relative to the file's folder.
    func resolve(_ path: String) -> String {
        path.hasPrefix("/") || path.hasPrefix("~/") ? path : URL(filePath: folder).appending(path: path).path
    }
}
