import JSONLines
import OffpeakCore

/// The tiny request by which `check --live` sees whether a key works at all.
package struct Probe: Sendable, Equatable {
    /// The provider's name for the model that is asked.
    package var model: String
    /// A chat completion.
    package var body: [UInt8]
}

extension Configuration {
    /// The request for a key; nil when nothing tells a model that it may serve.
    ///
    /// A key that names no models is asked for one of a class that may use it, before the cheapest of its provider's that the
    /// built-in table has. A model of a chain whose price another of the class's keys knows and this one does not is
    /// surely meant for that other one.
    package func probe(of key: KeyDescriptor) -> Probe? {
        if case .only(let names) = key.models {
            return names.min { $0.key < $1.key }.map { probe($0.value, of: key) }
        }
        return (chainModel(for: key) ?? priceBook.cheapestListed(at: key.provider)).map { probe($0, of: key) }
    }

    private func chainModel(for key: KeyDescriptor) -> String? {
        for policy in classes where policy.admits(key) {
            let others = keys(for: policy).filter { $0.enabled && $0.name != key.name }
            let chain = policy.models.sorted { $0.key < $1.key }.flatMap(\.value)
            let model = chain.first { model in
                if priceBook.price(of: key, model: model) != nil { return true }
                return !others.contains { other in
                    other.models.providerModel(for: model).map { priceBook.price(of: other, model: $0) != nil } ?? false
                }
            }
            if let model { return model }
        }
        return nil
    }

    private func probe(_ model: String, of key: KeyDescriptor) -> Probe {
        // OpenAI's reasoning models refuse `max_tokens`, and think before they say anything; elsewhere the older name is the
        // one that all know.
        let isOpenAI = (priceBook.aliases[key.provider] ?? key.provider) == "openai"
        let body = JSONWriter.object { writer in
            writer.member("model", model)
            writer.array("messages") { messages in
                messages.object {
                    $0.member("role", "user")
                    $0.member("content", "Say ok.")
                }
            }
            writer.member(isOpenAI ? "max_completion_tokens" : "max_tokens", isOpenAI ? 500 : 16)
        }
        return Probe(model: model, body: body)
    }
}
