import JSONLines
import OffpeakCore

extension PriceList {
    /// Why a file is no price list; without the file's name.
    package struct Unreadable: Error, Equatable {
        package var message: String
    }

    /// Reads LiteLLM's public price list (`model_prices_and_context_window.json`), unchanged or a file of one's own in its
    /// form: US dollars per token, by the model's name. Entries without a price per token are skipped and counted; it is
    /// an error only when no entry is left.
    package static func reading(_ bytes: [UInt8], name: String) throws(Unreadable) -> PriceList {
        let root: JSONSlice
        do throws(JSONSyntaxError) {
            root = try JSONSlice(validating: bytes)
        } catch {
            throw Unreadable(message: "is not JSON: \(error.reason), at byte \(error.offset)")
        }
        guard root.kind == .object else {
            throw Unreadable(message: "is not a price list: expected one object with a member for each model")
        }
        var list = PriceList(name: name, entries: [:])
        for (model, value) in root.members {
            // The list's own explanation of its fields.
            guard model != "sample_spec" else { continue }
            if let entry = PriceListEntry(value).entry {
                if list.entries.updateValue(entry, forKey: model) != nil { list.skipped += 1 }
            } else {
                list.skipped += 1
            }
        }
        guard !list.entries.isEmpty else {
            throw Unreadable(message: "has no model with `input_cost_per_token` and `output_cost_per_token`")
        }
        return list
    }
}

/// One model of LiteLLM's list.
private struct PriceListEntry {
    /// A kind of token, by the name of its price.
    private enum Kind: CaseIterable {
        // The longer name before the one that it begins with.
        case input, cachedInput, longCacheWrite, cacheWrite, audioInput, cachedAudioInput
        case output, reasoning, audioOutput

        var field: String {
            switch self {
            case .input: "input_cost_per_token"
            case .cachedInput: "cache_read_input_token_cost"
            case .longCacheWrite: "cache_creation_input_token_cost_above_1hr"
            case .cacheWrite: "cache_creation_input_token_cost"
            case .audioInput: "input_cost_per_audio_token"
            case .cachedAudioInput: "cache_read_input_audio_token_cost"
            case .output: "output_cost_per_token"
            case .reasoning: "output_cost_per_reasoning_token"
            case .audioOutput: "output_cost_per_audio_token"
            }
        }
    }

    /// Where a price stands: from which length of input, in which lane.
    private struct Place: Hashable {
        var above = 0
        var lane = Lane.sync
    }

    private typealias Rates = [Kind: TokenRate]

    private var rates: [Place: Rates] = [:]
    private var perRequest = Money.zero
    private var provider: String?
    private var mode: String?
    private var maxOutputTokens: Int?
    private var maxInputTokens: Int?
    /// A price that is there and cannot be read: then nothing that the entry says can be trusted.
    private var isBroken = false

    init(_ value: JSONSlice) {
        for (name, value) in value.members {
            if name == "litellm_provider" {
                provider = value.string
            } else if name == "mode" {
                mode = value.string
            } else if name == "max_output_tokens" {
                maxOutputTokens = value.int.flatMap { $0 > 0 ? $0 : nil }
            } else if name == "max_input_tokens" {
                maxInputTokens = value.int.flatMap { $0 > 0 ? $0 : nil }
            } else if name == "input_cost_per_request" {
                request(value)
            } else if name == "tiered_pricing" {
                tiers(value)
            } else if name == "input_cost_per_token_cache_hit" {
                // An older name; the newer one counts wherever it stands.
                set(.cachedInput, at: Place(), to: value, overwriting: false)
            } else if let (kind, place) = Self.place(name) {
                set(kind, at: place, to: value)
            }
        }
    }

    /// `input_cost_per_token_above_272k_tokens_batches` → input, above 272,000, lane batch; nil for other fields.
    private static func place(_ name: String) -> (Kind, Place)? {
        for kind in Kind.allCases where name.hasPrefix(kind.field) {
            var rest = name.dropFirst(kind.field.count)
            var place = Place()
            if rest.hasPrefix("_above_") {
                rest = rest.dropFirst("_above_".count)
                let digits = rest.prefix { $0.isASCII && $0.isNumber }
                rest = rest.dropFirst(digits.count)
                guard let thousands = Int(digits), (1...1_000_000).contains(thousands), rest.hasPrefix("k_tokens")
                else { return nil }
                rest = rest.dropFirst("k_tokens".count)
                place.above = thousands * 1_000
            }
            switch rest {
            case "": return (kind, place)
            case "_batches": place.lane = .batch
            case "_flex": place.lane = .flex
            case "_priority": place.lane = .priority
            default: return nil
            }
            return (kind, place)
        }
        return nil
    }

    private mutating func set(_ kind: Kind, at place: Place, to value: JSONSlice, overwriting: Bool = true) {
        if value.isNull { return }
        guard let rate = Self.rate(value) else {
            isBroken = true
            return
        }
        if overwriting || rates[place]?[kind] == nil { rates[place, default: [:]][kind] = rate }
    }

    /// Dollars per token, a number or a string with one, as nano-dollars per million tokens; what is finer is rounded up.
    private static func rate(_ value: JSONSlice) -> TokenRate? { dollars(value, times: 15) }

    private mutating func request(_ value: JSONSlice) {
        if value.isNull { return }
        guard let nanodollars = Self.dollars(value, times: 9) else {
            isBroken = true
            return
        }
        perRequest = Money(nanodollars: nanodollars)
    }

    /// Dollars times ten to a power.
    private static func dollars(_ value: JSONSlice, times power: Int) -> Int64? {
        let text = value.kind == .number ? String(decoding: value.bytes, as: UTF8.self) : value.string
        guard let text, let number = DecimalNumber(text, roundingUp: true),
            let amount = number.scaled(by: power, roundingUp: true), amount >= 0
        else { return nil }
        return amount
    }

    /// `[{"range": [0, 256000], "input_cost_per_token": …}, …]`.
    private mutating func tiers(_ list: JSONSlice) {
        for tier in list.elements {
            guard let above = tier["range"]?[0]?.int, above >= 0 else {
                isBroken = true
                continue
            }
            for kind in Kind.allCases {
                guard let value = tier[kind.field] else { continue }
                set(kind, at: Place(above: above), to: value, overwriting: false)
            }
        }
    }

    /// The price, if there is one per token.
    var entry: PriceList.Entry? {
        guard !isBroken, var base = rates[Place()], base[.input] != nil else { return nil }
        // Embeddings have no output; anything else without a price for it is priced some other way.
        if mode == "embedding", base[.output] == nil { base[.output] = 0 }
        // Reasoning that costs as the output is output: in other lanes too, where only the output is listed.
        if base[.reasoning] == base[.output] { base[.reasoning] = nil }
        guard let plain = Self.complete(base, with: base) else { return nil }
        var price = ModelPrice(
            rates: plain, perRequest: perRequest, maxOutputTokens: maxOutputTokens, maxInputTokens: maxInputTokens,
            source: "")
        price.lanes = lanes(above: 0, over: base)
        for above in Set(rates.keys.map(\.above)).sorted() where above > 0 {
            guard let own = rates[Place(above: above)], own[.input] != nil || own[.output] != nil,
                let long = Self.complete(own, with: base)
            else { continue }
            let merged = base.merging(own) { _, own in own }
            // xAI's tiers begin at the number of tokens, all others' above it.
            price.longContext.append(
                .init(
                    above: provider == "xai" ? above - 1 : above, rates: long, lanes: lanes(above: above, over: merged))
            )
        }
        return PriceList.Entry(price: price, provider: provider)
    }

    /// The lanes that have a price of their own; a kind of token that is not listed in a lane costs as in lane `sync`.
    private func lanes(above: Int, over base: Rates) -> [Lane: TokenRates] {
        var lanes: [Lane: TokenRates] = [:]
        for lane in [Lane.flex, .batch, .priority] {
            guard let own = rates[Place(above: above, lane: lane)], own[.input] != nil || own[.output] != nil else {
                continue
            }
            lanes[lane] = Self.complete(own, with: base)
        }
        return lanes
    }

    private static func complete(_ own: Rates, with base: Rates) -> TokenRates? {
        guard let input = own[.input] ?? base[.input], let output = own[.output] ?? base[.output] else { return nil }
        return TokenRates(
            input: input, cachedInput: own[.cachedInput] ?? base[.cachedInput],
            cacheWrite: own[.cacheWrite] ?? base[.cacheWrite],
            longCacheWrite: own[.longCacheWrite] ?? base[.longCacheWrite],
            audioInput: own[.audioInput] ?? base[.audioInput],
            cachedAudioInput: own[.cachedAudioInput] ?? base[.cachedAudioInput], output: output,
            reasoning: own[.reasoning] ?? base[.reasoning], audioOutput: own[.audioOutput] ?? base[.audioOutput])
    }
}
