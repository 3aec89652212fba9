/// Numbers with their nouns.
enum Words {
    /// `1 job`, `2 jobs`.
    static func count(_ number: Int, _ noun: String, plural: String? = nil) -> String {
        "\(number) \(number == 1 ? noun : plural ?? noun + "s")"
    }

    /// `a`, `a and b`, `a, b and c`.
    static func list(_ names: [String]) -> String {
        guard let last = names.last, names.count > 1 else { return names.first ?? "" }
        return "\(names.dropLast().joined(separator: ", ")) and \(last)"
    }

    /// `key a`, `keys a and b`.
    static func list(_ noun: String, plural: String? = nil, _ names: [String]) -> String {
        "\(names.count == 1 ? noun : plural ?? noun + "s") \(list(names))"
    }
}
