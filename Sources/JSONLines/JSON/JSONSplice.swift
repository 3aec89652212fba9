/// Changes one member of a JSON object and leaves every other byte as it was.
///
/// A prompt must reach the provider as it was written: decoding and encoding again would turn `1.0` into `1` and reorder names.
package enum JSONSplice {
    /// The object with the value of this top-level member replaced by `raw`, which must be JSON text. An absent member
    /// becomes the first one; a repeated one is replaced everywhere, so that no reader sees the old value. Nil if `body` is
    /// not exactly one JSON object.
    package static func replacing(member name: String, with raw: some Collection<UInt8>, in body: [UInt8]) -> [UInt8]? {
        guard let object = JSONSlice(body), object.kind == .object else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(body.count + raw.count + name.utf8.count + 4)
        var copied = 0
        for member in object.members where member.name.utf8.elementsEqual(name.utf8) {
            result.append(contentsOf: body[copied..<member.value.range.lowerBound])
            result.append(contentsOf: raw)
            copied = member.value.range.upperBound
        }
        if copied == 0 {
            copied = object.range.lowerBound + 1
            result.append(contentsOf: body[..<copied])
            result.appendJSONString(name)
            result.append(.colon)
            result.append(contentsOf: raw)
            if body[copied...].first(where: { $0 > 0x20 }) != .closeBrace { result.append(.comma) }
        }
        result.append(contentsOf: body[copied...])
        return result
    }

    /// The same with a text as the new value.
    package static func replacing(member name: String, with text: String, in body: [UInt8]) -> [UInt8]? {
        var raw: [UInt8] = []
        raw.appendJSONString(text)
        return replacing(member: name, with: raw, in: body)
    }
}
