import OffpeakConfiguration
import Testing

/// A value in canonical text, to compare with.
private func text(_ value: JSON5Value) -> String {
    switch value.kind {
    case .object(let members): "{" + members.map { "\($0.name)=\(text($0.value))" }.joined(separator: ",") + "}"
    case .array(let elements): "[" + elements.map(text).joined(separator: ",") + "]"
    case .string(let string): "'\(string)'"
    case .number(_, let integer, let double): integer.map { "\($0)" } ?? "\(double)"
    case .bool(let bool): "\(bool)"
    case .null: "null"
    }
}

@Suite struct `JSON5` {
    @Test(arguments: [
        ("{}", "{}"),
        ("[]", "[]"),
        (" // a\n /* b\n * c **/ [1,] // d", "[1]"),
        ("{z: 1, a: 2, 'm-n': 3, \"q\": 4, $_é1: 5,}", "{z=1,a=2,m-n=3,q=4,$_é1=5}"),
        ("[+1, -1, .5, 5., -.25, 1e3, 1E-2, 0x1F, -0xff, 0, -0, 2.0]", "[1,-1,0.5,5,-0.25,1000,0.01,31,-255,0,0,2]"),
        ("[9223372036854775807, 9223372036854775808]", "[9223372036854775807,9.223372036854776e+18]"),
        (#"'it\'s "q" \x41\u00e9\uD83D\uDE00 \a\/'"#, "'it's \"q\" Aé😀 a/'"),
        ("'one \\\ntwo \\\r\nthree'", "'one two three'"),
        (#""\b\f\n\r\t\v\0""#, "'\u{8}\u{C}\n\r\t\u{B}\0'"),
        ("[true, false, null]", "[true,false,null]"),
        ("\u{FEFF}\u{A0}\u{2003}[\u{2028}1]", "[1]"),
        (#"{\u0061b: 1}"#, "{ab=1}"),
        ("{a: 1, a: 2}", "{a=1,a=2}"),
    ])
    func `reads`(_ source: String, _ expected: String) throws {
        #expect(text(try JSON5Value.parse(source)) == expected)
    }

    @Test(arguments: [
        ("", "line 1, column 1: found the end of the file, expected a value"),
        (
            "{a 1}",
            "line 1, column 4: found '1', expected ':' after the name (a name with other characters needs quotes)"
        ),
        (
            "{a-b: 1}",
            "line 1, column 3: found '-', expected ':' after the name (a name with other characters needs quotes)"
        ),
        ("{a: }", "line 1, column 5: found '}', expected a value after ':'"),
        ("{a: 1\n b: 2}", "line 2, column 2: found 'b', expected ',' or '}' after a member"),
        ("[1 2]", "line 1, column 4: found '2', expected ',' or ']' after an element"),
        ("[1,,2]", "line 1, column 4: found ',', expected a value or ']'"),
        ("{,}", "line 1, column 2: found ',', expected a member's name or '}'"),
        ("{1: 2}", "line 1, column 2: found '1', expected a member's name or '}'"),
        ("{a: 1", "line 1, column 6: found the end of the file, expected ',' or '}' after a member"),
        ("{} {}", "line 1, column 4: found '{', expected the end of the file"),
        (
            "{s: sk-unquoted}",
            "line 1, column 5: found an unquoted word, expected a value after ':' (a string needs quotes)"
        ),
        ("[True]", "line 1, column 2: found True, expected true or false"),
        ("[None]", "line 1, column 2: found None, expected a value"),
        ("[NaN]", "line 1, column 2: found NaN, expected a finite number"),
        ("[-Infinity]", "line 1, column 2: found Infinity or NaN, expected a finite number"),
        ("[1e400]", "line 1, column 2: found a number too large to hold, expected a number below 1.8e308"),
        ("[012]", "line 1, column 2: found a leading zero, expected a number without leading zeros"),
        ("[1_000]", "line 1, column 3: found '_', expected a digit or the end of the number (no '_' inside a number)"),
        (
            "[10m]",
            "line 1, column 4: found 'm', expected the end of the number (a duration needs quotes, such as \"10m\")"
        ),
        ("[.]", "line 1, column 3: found ']', expected a digit"),
        ("[1e]", "line 1, column 4: found ']', expected a digit of the exponent"),
        ("[0x]", "line 1, column 4: found ']', expected a hexadecimal digit"),
        ("[- 1]", "line 1, column 3: found the character U+0020, expected a digit"),
        (
            "['a\nb']",
            "line 1, column 4: found the end of the line, expected the closing quote (a string goes on over a line's end only after '\\')"
        ),
        (
            "\n['a",
            "line 2, column 4: found the end of the file, expected the closing quote of the string that begins on line 2"
        ),
        (#"['\u12G4']"#, "line 1, column 7: found 'G', expected four hexadecimal digits"),
        (
            #"['\uD83D']"#,
            "line 1, column 3: found one half, expected both halves of a surrogate pair, the higher one first"
        ),
        (#"['\07']"#, "line 1, column 3: found an octal escape, expected '\\x' with two hexadecimal digits"),
        (
            "/* a\n\n",
            "line 3, column 1: found the end of the file, expected '*/' for the comment that begins on line 1"
        ),
        ("# a", "line 1, column 1: found '#', expected '//' before a comment"),
        (
            String(repeating: "[", count: 101),
            "line 1, column 101: found one level more, expected at most 100 objects and lists inside each other"
        ),
    ])
    func `says where and what is wrong`(_ source: String, _ expected: String) {
        let error = #expect(throws: JSON5SyntaxError.self) { try JSON5Value.parse(source) }
        #expect(error?.description == expected)
    }

    @Test func `knows the place of every member and value`() throws {
        let value = try JSON5Value.parse("// é\r\n{\r\n  'é': [1,\n\t2], b:\n{}}")
        guard case .object(let members) = value.kind, case .array(let elements) = members[0].value.kind else {
            Issue.record("not the shape that was written")
            return
        }
        #expect([value.line, value.column] == [2, 1])
        #expect(members.map { [$0.line, $0.column] } == [[3, 3], [4, 6]])
        #expect(elements.map { [$0.line, $0.column] } == [[3, 9], [4, 2]])
        #expect([members[1].value.line, members[1].value.column] == [5, 1])
    }

    @Test func `reports members that stand twice`() throws {
        let value = try JSON5Value.parse("{a: 1,\n b: 2,\n 'a': 3}")
        let duplicates = value.duplicates
        #expect(duplicates.map { "\($0.member.name) \($0.member.line) \($0.firstLine)" } == ["a 3 1"])
        #expect(value["a"]?.line == 1)
        #expect(value["c"] == nil)
    }
}
