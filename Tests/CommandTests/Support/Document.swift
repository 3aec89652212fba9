import Foundation
import Testing

/// A JSON document as a test looks at it: a member that is missing or of another type fails the test.
struct Document: CustomStringConvertible {
    let value: Any

    init(_ value: Any) { self.value = value }

    /// Parses exactly one document with a line feed behind it.
    init(_ text: String, _ location: SourceLocation = #_sourceLocation) throws {
        #expect(text.hasSuffix("\n"), "no line feed at the end: \(text)", sourceLocation: location)
        guard let value = try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed) else {
            throw Impossible("not one JSON document: \(text.prefix(2_000))")
        }
        self.value = value
    }

    /// One document a line.
    static func lines(_ text: String) throws -> [Document] {
        try text.split(separator: "\n").map { try Document($0 + "\n") }
    }

    var description: String { "\(value)" }
    var isNull: Bool { value is NSNull }
    var keys: Set<String> { Set((value as? [String: Any] ?? [:]).keys) }

    subscript(_ name: String) -> Document {
        guard let member = (value as? [String: Any])?[name] else {
            Issue.record("no member \(name) in \(value)")
            return Document(NSNull())
        }
        return Document(member)
    }

    subscript(_ index: Int) -> Document {
        guard let list = value as? [Any], list.indices.contains(index) else {
            Issue.record("no element \(index) in \(value)")
            return Document(NSNull())
        }
        return Document(list[index])
    }

    func has(_ name: String) -> Bool { (value as? [String: Any])?[name] != nil }

    /// Nil, without failing, when it is not text.
    var optionalText: String? { value as? String }

    var text: String {
        guard let text = value as? String else {
            Issue.record("not a string: \(value)")
            return ""
        }
        return text
    }

    var int: Int {
        guard let number = value as? NSNumber, !isBool, number.doubleValue == Double(number.intValue) else {
            Issue.record("not a whole number: \(value)")
            return -1
        }
        return number.intValue
    }

    /// Foundation gives booleans as numbers of C's smallest type.
    var isBool: Bool { (value as? NSNumber).map { String(cString: $0.objCType) == "c" } ?? false }

    var bool: Bool {
        guard isBool, let number = value as? NSNumber else {
            Issue.record("not a boolean: \(value)")
            return false
        }
        return number.boolValue
    }

    var list: [Document] {
        guard let list = value as? [Any] else {
            Issue.record("not a list: \(value)")
            return []
        }
        return list.map { Document($0) }
    }
}

/// What a member of a document must be.
indirect enum Shape: Sendable {
    case text
    case time
    case int
    case bool
    case null
    case oneOf([String])
    case orNull(Shape)
    case list(Shape)
    /// These members at least.
    case object([String: Shape])

    /// What is wrong with a document; empty when it fits.
    func faults(_ document: Document, at path: String = "") -> [String] {
        func fault(_ expected: String) -> [String] { ["\(path): expected \(expected), found \(document)"] }
        switch self {
        case .text: return document.value is String ? [] : fault("text")
        case .time:
            let pattern = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/
            return document.optionalText?.wholeMatch(of: pattern) != nil ? [] : fault("a moment as RFC 3339 in UTC")
        case .int:
            guard let number = document.value as? NSNumber, !document.isBool else { return fault("a whole number") }
            return number.doubleValue == Double(number.intValue) ? [] : fault("a whole number")
        case .bool: return document.isBool ? [] : fault("true or false")
        case .null: return document.isNull ? [] : fault("null")
        case .oneOf(let words): return document.optionalText.map(words.contains) == true ? [] : fault("one of \(words)")
        case .orNull(let shape): return document.isNull ? [] : shape.faults(document, at: path)
        case .list(let shape):
            guard let list = document.value as? [Any] else { return fault("a list") }
            return list.enumerated().flatMap { shape.faults(Document($1), at: "\(path)[\($0)]") }
        case .object(let members):
            guard let object = document.value as? [String: Any] else { return fault("an object") }
            return members.sorted { $0.key < $1.key }.flatMap { name, shape in
                object[name].map { shape.faults(Document($0), at: "\(path).\(name)") } ?? ["\(path).\(name) is missing"]
            }
        }
    }
}

func expect(_ document: Document, is shape: Shape, _ location: SourceLocation = #_sourceLocation) {
    let faults = shape.faults(document)
    #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))", sourceLocation: location)
}
