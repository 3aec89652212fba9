import OffpeakConfiguration
import OffpeakCore
import Testing

private enum Colour: String, CaseIterable { case red, green }

@Suite struct `Fields` {
    @Test func `collects every problem of an object at once`() throws {
        let text = """
            {
              name: 7, size: "12", share: 1.5, colour: "gren", wait: "5 min", on: 1, list: "a",
              words: ["a", "a", "", 3], inner: [], sise: 1, size: 2,
              big: 1000, long: "2h", nothing: null,
            }
            """
        let findings = Findings()
        let known = [
            "name", "size", "share", "colour", "wait", "on", "list", "words", "inner", "big", "long", "nothing",
        ]
        let reader = try #require(
            FieldReader(try JSON5Value.parse(text), path: "top", known: known, findings: findings))
        #expect(reader.string("name") == nil)
        #expect(reader.integer("size", in: 1...9) == nil)
        #expect(reader.integer("share", in: 1...9) == nil)
        #expect(reader.choice("colour", Colour.self) == nil)
        #expect(reader.duration("wait", in: .zero ... .hours(1)) == nil)
        #expect(reader.bool("on") == nil)
        #expect(reader.strings("list") == nil)
        #expect(reader.strings("words")?.map(\.text) == ["a"])
        #expect(reader.object("inner", known: []) == nil)
        #expect(reader.integer("big", in: 1...100) == nil)
        #expect(reader.duration("long", in: .zero ... .hours(1)) == nil)
        #expect(reader.string("nothing") == nil)
        #expect(reader.string("absent") == nil)
        findings.sortByLine()
        #expect(
            findings.problems.map(\.description) == [
                "line 2: top.name: expected a string, found the number 7 (put it in quotes)",
                "line 2: top.size: expected a whole number, found a string (write it without quotes)",
                "line 2: top.share: expected a whole number, found 1.5",
                "line 2: top.colour: \"gren\" is not one of red, green (did you mean \"green\"?)",
                "line 2: top.wait: expected a duration such as \"30s\", \"2m\" or \"1h30m\", found another string (units: ms, s, m, h, d)",
                "line 2: top.on: expected true or false, found the number 1",
                "line 2: top.list: expected a list of strings, found a string (put it in [ ])",
                "line 3: top.size: stands twice in the same object, first on line 2 (remove one of them)",
                "line 3: top.sise: unknown field (did you mean \"size\"?)",
                "line 3: top.words[1]: \"a\" is in this list already",
                "line 3: top.words[2]: is empty",
                "line 3: top.words[3]: expected a string, found the number 3",
                "line 3: top.inner: expected an object, found a list",
                "line 4: top.big: 1000 is too large (at most 100)",
                "line 4: top.long: 2h is too large (at most 1h)",
                "line 4: top.nothing: expected a string, found null (leave the field out to mean nothing)",
            ])
    }

    @Test(arguments: [
        ("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("12h", 43_200_000), ("1d", 86_400_000),
        ("1h30m", 5_400_000), ("1m500ms", 60_500), ("0s", 0),
    ])
    func `reads and writes durations`(_ text: String, _ milliseconds: Int64) {
        #expect(Interval(duration: text) == .milliseconds(milliseconds))
        #expect(Interval.milliseconds(milliseconds).durationText == text)
    }

    @Test(arguments: [
        "", "5", "s", "5 s", "1.5h", "-1s", "30m1h", "1h1h", "1w", "1H", "+1s", "1s ", "99999999999999999999s",
        "9223372036854775807d", "36526d",
    ])
    func `refuses what is no duration`(_ text: String) { #expect(Interval(duration: text) == nil) }

    @Test func `tells what is too long from what is no duration`() {
        let longest = Interval.longestDuration.durationText
        for (text, isTooLong) in [
            ("99999999999h", true), ("99999999999999999999s", true), ("9223372036854775807d", true), ("36526d", true),
            ("36525d1ms", true), ("99999999999", false), ("99999999999w", false), ("99999999999h1d", false),
            ("", false),
        ] {
            switch Interval.reading(duration: text) {
            case .interval: Issue.record("\(text) is read")
            case .tooLong: #expect(isTooLong, "\(text)")
            case .noDuration: #expect(!isTooLong, "\(text)")
            }
        }
        #expect(longest == "36525d" && Interval(duration: longest) == Interval.longestDuration)
    }

    @Test(arguments: [
        ("baseUrl", "base_url"), ("secrets", "secret"), ("biling", "billing"), ("tgas", "tags"), ("xyz", nil),
        ("a", nil), ("limit", "limits"), ("", nil),
    ])
    func `finds the nearest name`(_ name: String, _ expected: String?) {
        #expect(
            Spelling.nearest(to: name, among: ["base_url", "secret", "billing", "tags", "limits"]) == expected)
    }

    @Test func `writes paths that can be read back`() {
        #expect(FieldReader.path("", "keys") == "keys")
        #expect(FieldReader.path("keys", "a-b_1") == "keys.a-b_1")
        #expect(FieldReader.path("models", "gpt-5.1") == "models[\"gpt-5.1\"]")
    }
}
