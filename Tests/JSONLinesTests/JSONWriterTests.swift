import Foundation
import JSONLines
import Testing

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

@Suite struct JSONWriterTests {
    @Test func `members and elements come in the order in which they are written`() {
        let nested = JSONSlice(Array(#"{ "raw": 1.0 }"#.utf8))
        let bytes = JSONWriter.object { writer in
            writer.member("z", "text")
            writer.member("count", -3)
            writer.member("big", Int64.min)
            writer.member("yes", true)
            writer.member("half", 0.5)
            writer.member("infinite", Double.infinity)
            writer.member("none", String?.none)
            writer.member("some", Int?.some(1))
            writer.null("null")
            writer.member("list", ["a", "b"])
            writer.member("nested", nested)
            writer.raw("spliced", "[1]".utf8)
            writer.object("empty") { _ in }
            writer.array("mixed") {
                $0.element(1)
                $0.object { $0.member("x", false) }
                $0.array { _ in }
                $0.raw("{}".utf8)
            }
            writer.member("last", 0)
        }
        #expect(
            text(bytes)
                == #"{"z":"text","count":-3,"big":-9223372036854775808,"yes":true,"half":0.5,"infinite":null,"none":null,"#
                + #""some":1,"null":null,"list":["a","b"],"nested":{ "raw": 1.0 },"spliced":[1],"empty":{},"#
                + #""mixed":[1,{"x":false},[],{}],"last":0}"#)
        #expect(JSONSlice(bytes) != nil)
    }

    @Test func `lines of a file follow each other`() {
        var writer = JSONWriter()
        for number in 1...2 {
            writer.object { $0.member("n", number) }
            writer.endLine()
        }
        #expect(text(writer.bytes) == "{\"n\":1}\n{\"n\":2}\n")
        writer.removeAll()
        writer.array { $0.element("x") }
        #expect(text(writer.bytes) == #"["x"]"#)
    }

    @Test func `only what must be escaped is escaped`() {
        #expect(
            text(JSONWriter.array { $0.element("\"\\/\u{8}\u{9}\u{A}\u{C}\u{D}\u{0}\u{1F}\u{7F}é😀\u{2028}") })
                == #"["\"\\/\b\t\n\f\r\u0000\u001f"# + "\u{7F}é😀\u{2028}\"]")
    }

    @Test func `an error while building goes through`() {
        struct Stop: Error {}
        #expect(throws: Stop.self) { try JSONWriter.object { (_) throws(Stop) in throw Stop() } }
    }

    @Test func `random texts survive writing and reading, as Foundation reads them too`() throws {
        var random = Seeded(5)
        let alphabet = Array("ab\"\\/\n\r\t\u{0}\u{1}\u{1F} é漢😀\u{2028}\u{10FFFF}u{}".unicodeScalars)
        for _ in 0..<500 {
            var scalars = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...40, using: &random) {
                scalars.append(alphabet.randomElement(using: &random) ?? " ")
            }
            let original = String(scalars)
            let bytes = JSONWriter.array { $0.element(original) }
            #expect(JSONSlice(bytes)?[0]?.string?.utf8.elementsEqual(original.utf8) == true)
            let foundation = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String]
            #expect(foundation?.first?.utf8.elementsEqual(original.utf8) == true)
        }
    }
}

@Suite struct JSONSpliceTests {
    @Test(arguments: [
        (#"{"model":"a","x":1.0}"#, #"{"model":"NEW","x":1.0}"#),
        (#" { "x" : {"model":"inner"} , "model" : "a" } "#, #" { "x" : {"model":"inner"} , "model" : "NEW" } "#),
        (#"{"mod\u0065l":"a"}"#, #"{"mod\u0065l":"NEW"}"#),
        (#"{"model":{"a":[1]},"model":2}"#, #"{"model":"NEW","model":"NEW"}"#),
        (#"{"x":1}"#, #"{"model":"NEW","x":1}"#),
        (#"{ "x":1}"#, #"{"model":"NEW", "x":1}"#),
        ("{}", #"{"model":"NEW"}"#),
        (" { } ", #" {"model":"NEW" } "#),
    ])
    func `only the member changes`(body: String, expected: String) {
        #expect(JSONSplice.replacing(member: "model", with: "NEW", in: Array(body.utf8)).map(text) == expected)
    }

    @Test(arguments: ["", "[]", "{", #"{"a":1}x"#, #""model""#])
    func `what is not an object is not changed`(body: String) {
        #expect(JSONSplice.replacing(member: "model", with: "NEW", in: Array(body.utf8)) == nil)
    }

    @Test func `a new value can be any JSON, and a text is escaped`() {
        let body = Array(#"{"n":1}"#.utf8)
        #expect(JSONSplice.replacing(member: "n", with: Array("[2]".utf8), in: body).map(text) == #"{"n":[2]}"#)
        #expect(JSONSplice.replacing(member: "n", with: #"a"b"#, in: body).map(text) == #"{"n":"a\"b"}"#)
    }
}
