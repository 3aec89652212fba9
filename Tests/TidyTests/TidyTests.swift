import Foundation
import Testing

/// Rules about the source that no compiler checks.
@Suite struct TidyTests {
    /// What each target may import: the table of the README's architecture section.
    static let mayImport: [String: Set<String>] = [
        "OffpeakCore": [],
        "JSONLines": [],
        "OffpeakProviders": ["OffpeakCore", "JSONLines"],
        "OffpeakStore": ["OffpeakCore", "CSQLite", "Glibc"],
        "OffpeakTransport": ["OffpeakProviders", "CCurl", "CEpoll", "Glibc", "Dispatch", "Synchronization"],
        "OffpeakConfiguration": [
            "OffpeakCore", "JSONLines", "OffpeakProviders", "Foundation", "Glibc", "Dispatch", "Synchronization",
        ],
        "HTTPServer": ["CEpoll", "Glibc", "Dispatch", "Synchronization"],
        "OffpeakRehearsal": [
            "HTTPServer", "JSONLines", "OffpeakConfiguration", "OffpeakCore", "Glibc", "Dispatch", "Synchronization",
        ],
        "OffpeakForecast": ["OffpeakCore"],
        "OffpeakSimulator": ["OffpeakCore", "OffpeakStore"],
        "OffpeakRunner": [
            "OffpeakCore", "JSONLines", "OffpeakStore", "OffpeakProviders", "OffpeakConfiguration", "Foundation",
            "Dispatch", "Glibc", "Synchronization",
        ],
        "OffpeakCommands": [
            "OffpeakCore", "JSONLines", "OffpeakStore", "OffpeakProviders", "OffpeakTransport", "OffpeakConfiguration",
            "OffpeakForecast", "HTTPServer", "OffpeakRehearsal", "OffpeakRunner", "Foundation", "Dispatch", "Glibc",
            "Synchronization",
        ],
        "offpeak": ["OffpeakCommands", "Foundation", "Glibc"],
    ]

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    struct Source {
        let target: String
        let path: String
        let lines: [Substring]
    }

    static func sources(under folder: String) throws -> [Source] {
        let base = root.appending(path: folder)
        let enumerator = try #require(FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil))
        var found: [Source] = []
        for case let url as URL in enumerator where url.pathExtension == "swift" {
            let relative = url.path.dropFirst(base.path.count + 1)
            let target = String(relative.prefix { $0 != "/" })
            let text = try String(contentsOf: url, encoding: .utf8)
            let path = folder + "/" + relative
            found.append(
                Source(target: target, path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false))
            )
        }
        #expect(found.count > 3, "no sources found under \(base.path)")
        return found
    }

    @Test func `imports follow the table`() throws {
        for source in try Self.sources(under: "Sources") {
            let allowed = try #require(Self.mayImport[source.target], "unknown target \(source.target)")
            for line in source.lines where line.hasPrefix("import ") || line.hasPrefix("@preconcurrency import ") {
                let module = String(line.split(separator: " ").last!)
                #expect(allowed.contains(module), "\(source.path) imports \(module)")
            }
        }
    }

    @Test func `files stay small`() throws {
        for source in try Self.sources(under: "Sources") {
            #expect(source.lines.count <= 400, "\(source.path) has \(source.lines.count) lines; the limit is 400")
        }
    }

    @Test func `functions stay small`() throws {
        for source in try Self.sources(under: "Sources") {
            var start: (line: Int, indent: Int)?
            for (number, line) in source.lines.enumerated() {
                let indent = line.prefix { $0 == " " }.count
                let text = line.dropFirst(indent)
                if start == nil, text.contains("func ") || text.hasPrefix("init(") || text.contains(" init("),
                    !text.hasPrefix("//")
                {
                    start = (number, indent)
                }
                if let open = start, text == "}", indent == open.indent {
                    let length = number - open.line + 1
                    #expect(
                        length <= 60, "\(source.path):\(open.line + 1): a function of \(length) lines; the limit is 60")
                    start = nil
                } else if let open = start, text.hasSuffix("}"), indent == open.indent, number == open.line {
                    start = nil
                } else if let open = start, number > open.line, indent == open.indent, text.contains("func ") {
                    start = (number, indent)
                }
            }
        }
    }

    @Test func `names say what things are`() throws {
        let banned = ["Manager", "Helper", "Utils", "Util"]
        for source in try Self.sources(under: "Sources") {
            let name = source.path.split(separator: "/").last!
            for word in banned { #expect(!name.contains(word), "\(source.path)") }
        }
    }

    @Test func `decisions read no clock and draw no chance of their own`() throws {
        let banned = [
            "Date()", ".now()", "ContinuousClock", "SystemRandomNumberGenerator", ".randomElement()", "getenv",
        ]
        for source in try Self.sources(under: "Sources")
        where ["OffpeakCore", "OffpeakForecast", "OffpeakProviders", "JSONLines", "OffpeakSimulator"].contains(
            source.target)
        {
            for (number, line) in source.lines.enumerated() where !line.contains("//") {
                for word in banned { #expect(!line.contains(word), "\(source.path):\(number + 1): \(word)") }
            }
        }
    }

    @Test func `nothing unsafe goes without a reason`() throws {
        for source in try Self.sources(under: "Sources") {
            for (number, line) in source.lines.enumerated()
            where line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
                let nearby = source.lines[max(0, number - 4)...min(source.lines.count - 1, number + 1)]
                #expect(nearby.contains { $0.contains("SAFETY:") }, "\(source.path):\(number + 1) has no SAFETY: line")
            }
        }
    }

    @Test func `nothing of a machine is in the project`() throws {
        // Put together here so that this file does not contain what it looks for.
        let banned = ["/home" + "/", "/root" + "/", "/work" + "/"]
        for folder in ["Sources", "Tests"] {
            for source in try Self.sources(under: folder) {
                for (number, line) in source.lines.enumerated() {
                    for word in banned { #expect(!line.contains(word), "\(source.path):\(number + 1): \(word)") }
                }
            }
        }
    }

    @Test func `the top level holds what it should`() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.root.path).filter { !$0.hasPrefix(".") }
        let allowed: Set = ["Package.swift", "Package.resolved", "Sources", "Tests", "Jobs", "Examples", "README.md"]
        #expect(Set(names).isSubset(of: allowed), "unexpected: \(Set(names).subtracting(allowed).sorted())")
    }
}
