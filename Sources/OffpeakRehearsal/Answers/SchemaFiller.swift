import JSONLines

/// Makes up a JSON value that a JSON schema allows, for the parts of JSON Schema that structured outputs use: types,
/// properties, items, enum, const, anyOf, local `$ref`, numeric bounds and lengths.
struct SchemaFiller {
    private static let deepest = 12

    let root: JSONSlice
    /// How many words a free text gets.
    var words: Int
    var random: SeededRandom

    /// The value as JSON text.
    mutating func fill() -> [UInt8] {
        var writer = JSONWriter()
        write(root, to: &writer, depth: 0)
        return writer.bytes
    }

    private mutating func write(_ schema: JSONSlice, to writer: inout JSONWriter, depth: Int) {
        guard depth < Self.deepest else { return writer.raw("null".utf8) }
        if let fixed = schema["const"] { return writer.element(fixed) }
        if let choices = schema["enum"]?.elements, !choices.isEmpty {
            return writer.element(choices[random.below(choices.count)])
        }
        if let target = schema["$ref"]?.string.flatMap(resolve) { return write(target, to: &writer, depth: depth + 1) }
        if let choice = schema["anyOf"]?[0] ?? schema["oneOf"]?[0] {
            return write(choice, to: &writer, depth: depth + 1)
        }
        // `"type": ["string", "null"]` is how an optional value is written: the first is as good as any.
        let type =
            schema["type"]?.string ?? schema["type"]?[0]?.string ?? (schema["properties"] == nil ? nil : "object")
        switch type {
        case "object":
            writer.object { writer in
                for member in schema["properties"]?.members ?? [] {
                    var value = JSONWriter()
                    write(member.value, to: &value, depth: depth + 1)
                    writer.raw(member.name, value.bytes)
                }
            }
        case "array":
            let count = max(1, schema["minItems"]?.int ?? 1)
            writer.array { writer in
                guard let items = schema["items"] else { return }
                for _ in 0..<min(count, 64) { write(items, to: &writer, depth: depth + 1) }
            }
        case "integer", "number":
            let low = schema["minimum"]?.int ?? 0
            let high = max(low, schema["maximum"]?.int ?? low + 9)
            writer.element(low + random.below(min(high - low, 1_000) + 1))
        case "boolean": writer.element(random.below(2) == 1)
        case "null": writer.raw("null".utf8)
        default: writer.element(text(schema))
        }
    }

    private mutating func text(_ schema: JSONSlice) -> String {
        let sentence = Words.sentence(words, using: &random)
        return String(decoding: sentence.prefix(max(0, schema["maxLength"]?.int ?? .max)), as: UTF8.self)
    }

    /// `#/$defs/name` and the older `#/definitions/name`.
    private func resolve(_ reference: String) -> JSONSlice? {
        guard reference.hasPrefix("#") else { return nil }
        var place: JSONSlice? = root
        for step in reference.split(separator: "/").dropFirst() { place = place?[String(step)] }
        return place
    }
}
