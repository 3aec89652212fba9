import JSONLines

/// The tools of a chat request, and which of them the model may or must call.
struct AnthropicTools {
    private let root: JSONSlice

    init(_ root: JSONSlice) { self.root = root }

    func write(to writer: inout JSONWriter) throws(Inexpressible) {
        let tools = root["tools"]?.elements ?? []
        // Without tools there is nothing to choose from.
        guard !tools.isEmpty else { return }
        try writer.array("tools") { (array) throws(Inexpressible) in
            for tool in tools { try write(tool, to: &array) }
        }
        try writeChoice(to: &writer)
    }

    private func write(_ tool: JSONSlice, to array: inout JSONWriter) throws(Inexpressible) {
        guard tool["type"]?.string == "function", let function = tool["function"], let name = function["name"],
            name.kind == .string
        else { throw Inexpressible("only tools of type `function` can be given to Anthropic's API") }
        array.object { writer in
            writer.member("name", name)
            if let text = function["description"], text.kind == .string { writer.member("description", text) }
            if let parameters = function["parameters"], parameters.kind == .object {
                writer.member("input_schema", parameters)
            } else {
                writer.object("input_schema") { $0.member("type", "object") }
            }
            if function["strict"]?.bool == true { writer.member("strict", true) }
        }
    }

    private func writeChoice(to writer: inout JSONWriter) throws(Inexpressible) {
        let choice = root["tool_choice"].flatMap { $0.isNull ? nil : $0 }
        let isSerial = root["parallel_tool_calls"]?.bool == false
        var type = "auto"
        var name: JSONSlice?
        switch choice?.string {
        case nil where choice == nil: if !isSerial { return }
        case nil:
            guard choice?["type"]?.string == "function", let function = choice?["function"]?["name"] else {
                throw Inexpressible("Anthropic's API has no such `tool_choice`")
            }
            (type, name) = ("tool", function)
        case "auto"?: break
        case "none"?: type = "none"
        case "required"?: type = "any"
        default: throw Inexpressible("Anthropic's API has no such `tool_choice`")
        }
        writer.object("tool_choice") {
            $0.member("type", type)
            if let name { $0.member("name", name) }
            if isSerial, type != "none" { $0.member("disable_parallel_tool_use", true) }
        }
    }
}
