extension [String] {
    /// For people: `a`, `a and b`, `a, b and c`; empty for none.
    package func listed(_ conjunction: String = "and") -> String {
        count < 2 ? joined() : dropLast().joined(separator: ", ") + " \(conjunction) \(self[count - 1])"
    }
}

extension Int {
    /// `1 request`, `2 requests`; `plural` where that is another.
    package func of(_ noun: String, plural: String? = nil) -> String {
        "\(self) \(self == 1 ? noun : plural ?? noun + "s")"
    }
}

extension Sequence {
    /// What is alike, together: the groups in the order of their first members, and the members in their own.
    package func grouped(where isAlike: (Element, Element) -> Bool) -> [[Element]] {
        var groups: [[Element]] = []
        for element in self {
            if let same = groups.firstIndex(where: { isAlike($0[0], element) }) {
                groups[same].append(element)
            } else {
                groups.append([element])
            }
        }
        return groups
    }
}

extension String {
    /// A sentence without its numbers: sentences that differ in nothing else give one and the same reason. Names that have digits
    /// in them stay.
    package var withoutAmounts: String {
        split(separator: " ").filter { word in
            !word.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || Self.punctuation.contains($0) }
        }.joined(separator: " ")
    }

    private static let punctuation = Array(".,:;()".utf8)
}
