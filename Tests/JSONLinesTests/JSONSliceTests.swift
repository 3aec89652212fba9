import JSONLines
import Testing

/// What is wrong with the text, as "offset: reason"; "valid" if nothing is.
private func verdict(_ text: String) -> String { verdict(Array(text.utf8)) }

private func verdict(_ bytes: [UInt8]) -> String {
    do {
        _ = try JSONSlice(validating: bytes)
        return "valid"
    } catch {
        return "\(error.offset): \(error.reason)"
    }
}

private func value(_ text: String) -> JSONSlice? { JSONSlice(Array(text.utf8)) }

@Suite struct JSONSliceTests {
    @Test func `members and elements are found by name and index`() throws {
        let answer = try #require(
            value(
                #" {"id":"a\/b","usage":{"total":12,"cost":0.5},"choices":[{"n":1}, {"n":2} ],"ok":true,"none":null} "#)
        )
        #expect(answer.kind == .object)
        #expect(answer["id"]?.string == "a/b")
        #expect(answer["usage"]?["total"]?.int == 12)
        #expect(answer["usage"]?["cost"]?.double == 0.5)
        #expect(answer["choices"]?[1]?["n"]?.int == 2)
        #expect(answer["choices"]?[2] == nil)
        #expect(answer["choices"]?[-1] == nil)
        #expect(answer["choices"]?.elements.count == 2)
        #expect(answer["ok"]?.bool == true)
        #expect(answer["none"]?.isNull == true)
        #expect(answer["absent"] == nil)
        #expect(answer["id"]?["x"] == nil)
        #expect(answer.members.map(\.name) == ["id", "usage", "choices", "ok", "none"])
        #expect(answer.range == 1..<98)
        #expect(answer["choices"].map { String(decoding: $0.bytes, as: UTF8.self) } == #"[{"n":1}, {"n":2} ]"#)
    }

    @Test func `an empty container has no members and no elements`() {
        #expect(value("{ }")?.members.isEmpty == true)
        #expect(value("[ ]")?.elements.isEmpty == true)
        #expect(value("[ ]")?[0] == nil)
    }

    @Test func `a name written with escapes is found, and a repeated name at its first place`() {
        #expect(value(#"{"mod\u0065l":1}"#)?["model"]?.int == 1)
        #expect(value(#"{"a":1,"a":2}"#)?["a"]?.int == 1)
    }

    @Test func `names are compared by bytes`() {
        #expect(value("{\"e\u{301}\":1}")?["\u{e9}"] == nil)
    }

    @Test(arguments: [
        (#""plain""#, "plain"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"), (#""\u00e9\u20AC""#, "é€"),
        (#""\ud83d\ude00""#, "😀"), (#""\ud800""#, "\u{FFFD}"), (#""\ude00x""#, "\u{FFFD}x"),
        (#""\ud800\u0041""#, "\u{FFFD}A"), (#""\ud800\ud83d\ude00""#, "\u{FFFD}😀"), (#""é😀""#, "é😀"), (#""""#, ""),
    ])
    func `strings are decoded`(raw: String, text: String) {
        #expect(value(raw)?.string == text)
    }

    @Test func `numbers keep their text and read as what they are`() {
        #expect(value("12")?.int == 12)
        #expect(value("-0")?.int == 0)
        #expect(value("12.0")?.int == 12)
        #expect(value("12.5")?.int == nil)
        #expect(value("9223372036854775807")?.int == .max)
        #expect(value("9223372036854775808")?.int == nil)
        #expect(value("1e400")?.double == nil)
        #expect(value("1e400")?.kind == .number)
        #expect(value("-2.5E-1")?.double == -0.25)
        #expect(value("true")?.int == nil)
        #expect(value("1")?.bool == nil)
    }

    @Test(arguments: [
        ("", "0: there is nothing here"),
        ("  ", "2: there is nothing here"),
        ("{", "1: the JSON ends too early"),
        (#"{"a":"b"#, "7: the JSON ends in the middle of a string"),
        (#"{"a":"b\"#, "8: the JSON ends in the middle of a string"),
        (#"{"a":"b\u00"#, "11: the JSON ends in the middle of a string"),
        (#"{"a":1"#, "6: the JSON ends too early"),
        ("tru", "3: the JSON ends too early"),
        ("-", "1: the JSON ends too early"),
        ("1.", "2: the JSON ends too early"),
        ("trux", "0: expected a value, found t"),
        ("01", "0: a number is not written as JSON requires"),
        ("[1.x]", "1: a number is not written as JSON requires"),
        ("[+1]", "1: expected a value, found +"),
        ("[.5]", "1: expected a value, found ."),
        ("[1,]", "3: there is a comma before the closing ]"),
        (#"{"a":1,}"#, "7: there is a comma before the closing }"),
        ("[1 2]", "3: expected a comma or ], found 2"),
        (#"{"a" 1}"#, "5: expected a colon, found 1"),
        (#"{"a":1 "b":2}"#, "7: expected a comma or }, found \""),
        ("{a:1}", "1: expected a name in double quotes, found a"),
        ("{'a':1}", "1: strings and names need double quotes, not single ones"),
        (#"{"a":NaN}"#, "5: NaN is not JSON; write null or a number"),
        (#"{"a":-Infinity}"#, "5: -Infinity is not JSON; write null or a number"),
        (#"{"a":None}"#, "5: None is not JSON; write null"),
        (#"{"a":True}"#, "5: True is not JSON; write true"),
        ("1 2", "2: there is more text after the end of the JSON: 2"),
        ("[]]", "2: there is more text after the end of the JSON: ]"),
        ("[}", "1: expected a value, found }"),
        ("\"a\tb\"", "2: a string contains a tab, which must be written as an escape"),
        ("\"a\0b\"", "2: a string contains a NUL byte, which must be written as an escape"),
        (#""\x""#, "1: a backslash in a string is not followed by a valid escape"),
        (#""\u12G4""#, "1: a backslash in a string is not followed by a valid escape"),
        ("\u{FEFF}{}", "0: expected a value, found a byte-order mark"),
    ])
    func `what is not JSON is refused with its place and reason`(text: String, expected: String) {
        #expect(verdict(text) == expected)
    }

    @Test(
        arguments: [
            [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80], [0xFF], [0xC3], [0xE2, 0x82],
            [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func `bytes that are not UTF-8 are refused`(sequence: [UInt8]) {
        let hex = String(sequence[0], radix: 16, uppercase: true)
        #expect(verdict([0x22] + sequence + [0x22]) == "1: byte 0x\(hex) is not valid UTF-8")
    }

    @Test func `nesting is allowed up to the limit and no deeper`() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(verdict(nested(jsonNestingLimit)) == "valid")
        #expect(
            verdict(nested(jsonNestingLimit + 1)) == "128: arrays and objects are nested more than 128 deep")
        #expect(verdict(String(repeating: "[", count: 100_000)).hasPrefix("128: "))
        let mixed = String(repeating: #"{"a":["#, count: 64)
        #expect(verdict(mixed + String(repeating: "]}", count: 64)) == "valid")
        #expect(verdict(mixed + String(repeating: "}]", count: 64)) == "384: expected a value, found }")
    }
}
