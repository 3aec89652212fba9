import Foundation
import Testing

/// What the README points to is there.
@Suite struct ReadmeTests {
    private static func read(_ path: String) throws -> String {
        try String(contentsOf: TidyTests.root.appending(path: path), encoding: .utf8)
    }

    /// Everything that a reference may name.
    private struct Places {
        var headings: [String] = []
        var stories = ""
        var commands = ""
        var tests = ""

        init() throws {
            headings = try read("README.md").split(separator: "\n").filter { $0.hasPrefix("## ") }
                .map { String($0.dropFirst(3)) }
            stories = try read("Examples/walkthrough.sh")
            commands = try TidyTests.sources(under: "Sources").filter { $0.target == "OffpeakCommands" }
                .flatMap(\.lines).joined(separator: "\n")
            tests = try TidyTests.sources(under: "Tests").flatMap(\.lines).joined(separator: "\n")
        }

        func has(_ reference: String) -> Bool {
            if let link = reference.wholeMatch(of: /\[(?<title>[^\]]+)\]\(#(?<anchor>[a-z-]+)\)/) {
                let anchor = link.title.lowercased().filter { $0.isLetter || $0 == " " || $0 == "-" }
                return headings.contains(String(link.title)) && anchor.replacing(" ", with: "-") == link.anchor
            }
            if let story = reference.wholeMatch(of: /story (\d+)/) {
                return stories.contains("\nstory \"\(story.1). ")
            }
            if let command = reference.wholeMatch(of: /`offpeak ([a-z]+)`/) {
                return commands.contains(try! Regex("CommandSyntax\\(\\s*\"\(command.1)\""))
                    || commands.contains("pausing(\"\(command.1)\"")
            }
            if let test = reference.wholeMatch(of: /\*(.+)\*/) {
                return ["func", "@Suite struct", "@Suite(.turns) struct"].contains {
                    tests.contains("\($0) `\(test.1)`")
                }
            }
            // Said to be missing: that needs no proof.
            return reference.hasPrefix("later: ") || reference.hasPrefix("to come: ")
        }
    }

    @Test func `every need that the README lists points to a section, story, command or test that exists`() throws {
        let readme = try Self.read("README.md")
        let start = try #require(readme.firstRange(of: "## Bring your own key, point by point\n")).upperBound
        let end = try #require(readme[start...].firstRange(of: "\n## ")).lowerBound
        let rows = readme[start..<end].split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst()
        let places = try Places()
        var count = 0
        for row in rows {
            let cells = row.dropFirst(2).dropLast(2).components(separatedBy: " | ")
            guard cells.count == 2, !cells[0].hasPrefix("**") else {
                #expect(cells[0].hasPrefix("**") && cells[0].hasSuffix("** |"), "no row of two cells: \(row)")
                continue
            }
            count += 1
            for reference in cells[1].components(separatedBy: " · ") {
                let isThere = places.has(reference)
                #expect(isThere, "\"\(cells[0])\" points to nothing: \(reference)")
            }
        }
        #expect(count > 50)
        for story in 1...6 { #expect(readme[start..<end].contains("story \(story)"), "story \(story) shows nothing") }
    }
}
