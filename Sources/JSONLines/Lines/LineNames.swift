/// The members that a line may have at its top level.
enum LineName: Int, CaseIterable {
    case customID, method, url, body, prompt, system, model, maxTokens, className, params

    var text: StaticString {
        switch self {
        case .customID: "custom_id"
        case .method: "method"
        case .url: "url"
        case .body: "body"
        case .prompt: "prompt"
        case .system: "system"
        case .model: "model"
        case .maxTokens: "max_tokens"
        case .className: "class"
        case .params: "params"
        }
    }

    /// The name that is written in these bytes. Length and first letter leave one candidate.
    @inline(__always)
    init?(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        let candidate: LineName
        switch range.count {
        case 3: candidate = .url
        case 4: candidate = .body
        case 5: candidate = bytes[range.lowerBound] == UInt8(ascii: "m") ? .model : .className
        case 6:
            switch bytes[range.lowerBound] {
            case UInt8(ascii: "m"): candidate = .method
            case UInt8(ascii: "s"): candidate = .system
            default: candidate = bytes[range.lowerBound + 1] == UInt8(ascii: "r") ? .prompt : .params
            }
        case 9: candidate = .customID
        case 10: candidate = .maxTokens
        default: return nil
        }
        guard bytes.holds(candidate.text, at: range) else { return nil }
        self = candidate
    }
}

/// The members of a request body that offpeak looks at; all others travel unseen.
enum BodyName: Int, CaseIterable {
    case model, messages, input, prompt, stream, choices, bestOf, maxTokens, maxCompletionTokens, maxOutputTokens
    // What may make a request cost more than its bytes and its longest answer: see `LineBeyond`.
    case serviceTier, models, tools, plugins, webSearch, searchParameters, modalities, audio, prediction
    case previousResponse, conversation, cachedContent, extraBody, responseFormat, enableSearch
    // Of Anthropic's Messages API.
    case system, speed, container, fallbacks, mcpServers, inferenceGeo, contextManagement, outputConfig, outputFormat

    var text: StaticString {
        switch self {
        case .model: "model"
        case .messages: "messages"
        case .input: "input"
        case .prompt: "prompt"
        case .stream: "stream"
        case .choices: "n"
        case .bestOf: "best_of"
        case .maxTokens: "max_tokens"
        case .maxCompletionTokens: "max_completion_tokens"
        case .maxOutputTokens: "max_output_tokens"
        case .serviceTier: "service_tier"
        case .models: "models"
        case .tools: "tools"
        case .plugins: "plugins"
        case .webSearch: "web_search_options"
        case .searchParameters: "search_parameters"
        case .modalities: "modalities"
        case .audio: "audio"
        case .prediction: "prediction"
        case .previousResponse: "previous_response_id"
        case .conversation: "conversation"
        case .cachedContent: "cached_content"
        case .extraBody: "extra_body"
        case .responseFormat: "response_format"
        case .enableSearch: "enable_search"
        case .system: "system"
        case .speed: "speed"
        case .container: "container"
        case .fallbacks: "fallbacks"
        case .mcpServers: "mcp_servers"
        case .inferenceGeo: "inference_geo"
        case .contextManagement: "context_management"
        case .outputConfig: "output_config"
        case .outputFormat: "output_format"
        }
    }

    /// The name that is written in these bytes. Length and first letter leave one candidate.
    @inline(__always)
    init?(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        let candidate: BodyName
        let first = bytes[range.lowerBound]
        switch range.count {
        case 1: candidate = .choices
        case 5:
            switch first {
            case UInt8(ascii: "m"): candidate = .model
            case UInt8(ascii: "i"): candidate = .input
            case UInt8(ascii: "t"): candidate = .tools
            case UInt8(ascii: "s"): candidate = .speed
            default: candidate = .audio
            }
        case 6:
            switch first {
            case UInt8(ascii: "s"):
                candidate = bytes[range.lowerBound + 1] == UInt8(ascii: "t") ? .stream : .system
            case UInt8(ascii: "p"): candidate = .prompt
            default: candidate = .models
            }
        case 7: candidate = first == UInt8(ascii: "b") ? .bestOf : .plugins
        case 8: candidate = .messages
        case 9: candidate = first == UInt8(ascii: "c") ? .container : .fallbacks
        case 10:
            switch first {
            case UInt8(ascii: "p"): candidate = .prediction
            case UInt8(ascii: "e"): candidate = .extraBody
            default: candidate = bytes[range.lowerBound + 1] == UInt8(ascii: "a") ? .maxTokens : .modalities
            }
        case 11: candidate = .mcpServers
        case 12: candidate = first == UInt8(ascii: "s") ? .serviceTier : .conversation
        case 13:
            switch first {
            case UInt8(ascii: "i"): candidate = .inferenceGeo
            case UInt8(ascii: "e"): candidate = .enableSearch
            default: candidate = bytes[range.lowerBound + 7] == UInt8(ascii: "c") ? .outputConfig : .outputFormat
            }
        case 14: candidate = .cachedContent
        case 15: candidate = .responseFormat
        case 17: candidate = first == UInt8(ascii: "m") ? .maxOutputTokens : .searchParameters
        case 18: candidate = first == UInt8(ascii: "w") ? .webSearch : .contextManagement
        case 20: candidate = .previousResponse
        case 21: candidate = .maxCompletionTokens
        default: return nil
        }
        guard bytes.holds(candidate.text, at: range) else { return nil }
        self = candidate
    }
}

extension UnsafeRawBufferPointer {
    /// Whether exactly this text stands in the range, which is within the buffer.
    @inline(__always)
    func holds(_ text: StaticString, at range: Range<Int>) -> Bool {
        guard text.utf8CodeUnitCount == range.count else { return false }
        // SAFETY: a static string's bytes live for ever, and the offset stays below its count.
        for offset in 0..<range.count where self[range.lowerBound &+ offset] != text.utf8Start[offset] { return false }
        return true
    }
}

/// The name that someone most likely meant.
func nearestName(to name: String, in known: [String]) -> String? {
    let wanted = plainLetters(name)
    let scored = known.map { (name: $0, distance: editDistance(wanted, plainLetters($0))) }
    guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(1, min(3, best.name.utf8.count / 3)) ? best.name : nil
}

/// A name's letters without case, and without the marks between its words; cut at a length that no known name has.
private func plainLetters(_ name: String) -> [UInt8] {
    name.utf8.prefix(64).compactMap { byte in
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: " "): nil
        default: byte
        }
    }
}

/// How many letters must be changed, inserted or removed to get from one name to the other (Levenshtein).
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (index, letter) in left.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for (column, other) in right.enumerated() {
            let change = diagonal + (letter == other ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(change, min(row[column], diagonal) + 1)
        }
    }
    return row[right.count]
}
