import JSONLines
import OffpeakCore

// What each endpoint's answer must have to be a result.
extension OpenAIAnswer {
    func chatFlaw(_ root: JSONSlice) -> Flaw? {
        let choices = root["choices"]?.elements ?? []
        guard !choices.isEmpty, choices.allSatisfy({ $0["message"]?.kind == .object || Self.isError($0["error"]) })
        else {
            return Self.shape("choices with a message")
        }
        if let flaw = endingFlaw(choices) { return flaw }
        guard job.wantsJSON else { return nil }
        return choices.lazy.compactMap(chatJSONFlaw).first
    }

    func completionFlaw(_ root: JSONSlice) -> Flaw? {
        let choices = root["choices"]?.elements ?? []
        guard !choices.isEmpty, choices.allSatisfy({ $0["text"]?.kind == .string || Self.isError($0["error"]) }) else {
            return Self.shape("choices with a text")
        }
        return endingFlaw(choices)
    }

    /// What the way in which the choices ended makes of the answer. With several choices, one good one is a result.
    private func endingFlaw(_ choices: [JSONSlice]) -> Flaw? {
        let flaws = choices.map(endingFlaw)
        return flaws.contains { $0 == nil } ? nil : flaws[0]
    }

    private func endingFlaw(_ choice: JSONSlice) -> Flaw? {
        if let error = choice["error"], !error.isNull { return .error(error) }
        let reason = choice["finish_reason"]?.string ?? ""
        if reason.hasPrefix("content_filter") {
            return .plain(.refused, code: "content_filter", says: "a content filter stopped the answer")
        }
        if let refusal = choice["message"]?["refusal"]?.string, !refusal.isEmpty {
            return .plain(.refused, code: "refusal", says: "the model refused")
        }
        switch reason {
        case "insufficient_system_resource":  // DeepSeek
            return .plain(.overloaded, code: reason, says: "the provider ran out of capacity within the answer")
        case "error":  // OpenRouter, Mistral
            return .plain(.unavailable, code: "ended_in_error", says: "the provider failed within the answer")
        default: return nil
        }
    }

    private func chatJSONFlaw(_ choice: JSONSlice) -> Flaw? {
        // A call of a tool stands in place of the text.
        if choice["message"]?["tool_calls"]?[0] != nil { return nil }
        let text = Self.text(of: choice["message"]?["content"])
        let reason = choice["finish_reason"]?.string
        return Self.jsonFlaw(text, cut: reason == "length" || reason == "model_length")
    }

    func responseFlaw(_ root: JSONSlice) -> Flaw? {
        let status = root["status"]?.string
        let why = root["incomplete_details"]?["reason"]?.string
        switch status {
        case "completed", "incomplete", nil: break
        case "queued", "in_progress":
            return .plain(
                .invalidRequest, code: "background",
                says: "the answer is not finished; leave \"background\" out of the request")
        case "failed", "cancelled":
            return .plain(
                .unavailable, code: "response_\(status ?? "")", says: "the provider did not finish the answer")
        default: return Self.shape("a known status")
        }
        if status == "incomplete", why != "max_output_tokens" {
            return why == "content_filter"
                ? .plain(.refused, code: "content_filter", says: "a content filter stopped the answer")
                : .plain(.invalidOutput, code: "incomplete", says: "the provider did not finish the answer")
        }
        guard status == "completed" || root["output"]?.kind == .array else { return Self.shape("output") }
        return outputFlaw(root["output"]?.elements ?? [], cut: status == "incomplete")
    }

    /// A refusal among the parts, or a text that is not the JSON that was asked for.
    private func outputFlaw(_ items: [JSONSlice], cut: Bool) -> Flaw? {
        let parts = items.filter { $0["type"]?.string == "message" }.flatMap { $0["content"]?.elements ?? [] }
        let texts = parts.compactMap { $0["type"]?.string == "output_text" ? $0["text"]?.string : nil }
        if texts.isEmpty, parts.contains(where: { $0["type"]?.string == "refusal" }) {
            return .plain(.refused, code: "refusal", says: "the model refused")
        }
        let callsTool = items.contains { $0["type"]?.string?.hasSuffix("_call") == true }
        guard job.wantsJSON, !(callsTool && texts.isEmpty) else { return nil }
        return Self.jsonFlaw(texts.joined(), cut: cut)
    }

    private static func jsonFlaw(_ text: String, cut: Bool) -> Flaw? {
        if JSONSlice(Array(text.utf8)) != nil { return nil }
        return cut ? cutJSON : notJSON
    }

    /// A message's text: one string, or the text parts of a list (Mistral's reasoning models put their thinking
    /// beside it).
    private static func text(of content: JSONSlice?) -> String {
        guard let content else { return "" }
        if let text = content.string { return text }
        return content.elements.compactMap { $0["type"]?.string == "text" ? $0["text"]?.string : nil }.joined()
    }

    private static func isError(_ value: JSONSlice?) -> Bool { value.map { !$0.isNull } ?? false }
}
