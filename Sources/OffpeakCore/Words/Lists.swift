extension [String] {
    /// For people: `a`, `a and b`, `a, b and c`; empty for none.
    package func listed(_ conjunction: String = "and") -> String {
        count < 2 ? joined() : dropLast().joined(separator: ", ") + " \(conjunction) \(self[count - 1])"
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
