import JSONLines
import Testing

private let seeds: [[UInt8]] = [
    #"{"custom_id":"r-1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"hi é😀"}]}}"#,
    #"{"custom_id":"\u00e9\ud83d\ude00","url":"\/v1\/embeddings","body":{"input":["a","b"],"model":"e","n":1,"max_tokens":10}}"#,
    #"{"custom_id":"p","prompt":"one\ntwo","system":"s","model":"m","max_tokens":5,"class":"c"}"#,
    #"{"custom_id":"p","url":"/v1/responses","body":{"model":"m","input":"x","a":1,"b":{"c":[true,false,null]}}}"#,
    #"[0,-0,1.5,-2.5e10,3E+7,4e-2,1e400,12345678901234567890]"#,
    #"[[],{},[[[{}]]],"",{"":""},{"a":{"b":[1,{"c":null}]}}]"#,
    "  [ true , false , null ]\r\n",
    "\"\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFD}\u{10000}\u{10FFFF}\\\"\\\\\\/\\b\\f\\n\\r\\t\\uABCD\"",
].map { Array($0.utf8) }

/// Bytes that matter to a reader, so that mutations hit its decisions.
private let telling: [UInt8] =
    Array(#"{}[]:,"\/-+.eEu0129tfn '"#.utf8)
    + [0, 0x09, 0x0A, 0x1F, 0x7F, 0x80, 0xBF, 0xC0, 0xC3, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xFF]

private func mutated(_ seed: [UInt8], _ random: inout Seeded) -> [UInt8] {
    var bytes = seed
    for _ in 0..<Int.random(in: 1...3, using: &random) {
        let at = Int.random(in: 0...bytes.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes.removeSubrange(at...)
        case 1 where at < bytes.count: bytes.remove(at: at)
        case 2 where at < bytes.count: bytes[at] = telling.randomElement(using: &random) ?? 0
        case 3 where at < bytes.count: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 4:
            let end = min(bytes.count, at + Int.random(in: 0...12, using: &random))
            bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &random))
        default: bytes.insert(telling.randomElement(using: &random) ?? 0, at: at)
        }
    }
    return bytes
}

@Suite struct JSONFuzzTests {
    @Test(arguments: 0..<UInt64(8))
    func `100 000 mutations are judged as the grammar judges them, and none crashes`(seed: UInt64) {
        var random = Seeded(seed)
        var valid = 0
        var accepted = 0
        for _ in 0..<12_500 {
            let bytes = mutated(seeds[Int.random(in: 0..<seeds.count, using: &random)], &random)
            let expected = ReferenceRecogniser.accepts(bytes, nesting: jsonNestingLimit)
            let slice = JSONSlice(bytes)
            // Compared before #expect, which is too slow for every round.
            if (slice != nil) != expected { Issue.record("seed \(seed): \(bytes) should be valid: \(expected)") }
            if let slice {
                valid += 1
                walk(slice)
            }
            if check(bytes, isValid: expected, seed) { accepted += 1 }
        }
        #expect(valid > 1000)
        #expect(accepted > 200)
    }

    /// Reads everything there is, which must not crash.
    private func walk(_ slice: JSONSlice) {
        switch slice.kind {
        case .object: for member in slice.members { walk(member.value) }
        case .array: for element in slice.elements { walk(element) }
        case .string: _ = slice.string
        case .number: _ = (slice.int, slice.double)
        case .bool, .null: break
        }
    }

    /// Parses the bytes as a line: an accepted one must be valid and give a valid body. Whether it was accepted.
    private func check(_ bytes: [UInt8], isValid: Bool, _ seed: UInt64) -> Bool {
        do throws(LineError) {
            let line = try ParsedLine(bytes, defaultModel: "d")
            let body = JSONSlice(Array(line.body.utf8))
            if !isValid || body?["model"]?.string?.isEmpty != false || line.customID.isEmpty {
                Issue.record("seed \(seed): \(bytes) should not be accepted")
            }
            return true
        } catch {
            let isSyntax = [.json, .truncated, .encoding, .depth].contains(error.code)
            // An array is refused alike whether it is valid or not only in a file's first line; this is a later one.
            if isSyntax == isValid || error.reason.isEmpty {
                Issue.record("seed \(seed): \(bytes), which is valid: \(isValid), was refused: \(error)")
            }
            return false
        }
    }

    @Test func `random bytes are never taken for JSON by mistake and never crash`() {
        var random = Seeded(99)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...24, using: &random)
            let bytes = (0..<count).map { _ in
                Bool.random(using: &random)
                    ? telling.randomElement(using: &random) ?? 0 : UInt8.random(in: 0...255, using: &random)
            }
            if (JSONSlice(bytes) != nil) != ReferenceRecogniser.accepts(bytes, nesting: jsonNestingLimit) {
                Issue.record("\(bytes)")
            }
            _ = refusal(bytes, number: 1)
        }
    }

    @Test func `stops are found at every place of a word`() {
        for length in 0...40 {
            for stop in [0x22, 0x5C, 0x1F, 0x00, 0x80, 0xFF, 0x0A] as [UInt8] {
                for place in 0...length {
                    var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: length + 3)
                    bytes[0] = UInt8(ascii: "\"")
                    bytes[length + 2] = UInt8(ascii: "\"")
                    bytes[place + 1] = stop
                    if (JSONSlice(bytes) != nil) != ReferenceRecogniser.accepts(bytes, nesting: 1) {
                        Issue.record("\(stop) at \(place) of \(length)")
                    }
                }
            }
        }
    }

    @Test func `a body of very many names is checked for repeats in linear time`() {
        let names = (0..<20_000).map { "\"name\($0)\":0" }
        let good =
            #"{"custom_id":"a","url":"/v1/embeddings","body":{"model":"m","input":"x","# + names.joined(separator: ",")
        #expect(refusal(good + "}}") == "accepted")
        #expect(refusal(good + #","name19":1}}"#) == #"duplicate: "name19" comes twice in body; keep one of them"#)
        #expect(
            refusal(good + #","name19999":1}}"#) == #"duplicate: "name19999" comes twice in body; keep one of them"#)
    }
}
