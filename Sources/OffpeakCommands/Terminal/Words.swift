import OffpeakCore

/// Numbers with their nouns.
enum Words {
    /// `1 job`, `2 jobs`.
    static func count(_ number: Int, _ noun: String, plural: String? = nil) -> String {
        number.of(noun, plural: plural)
    }

    /// `key a`, `keys a and b`.
    static func list(_ noun: String, plural: String? = nil, _ names: [String]) -> String {
        "\(names.count == 1 ? noun : plural ?? noun + "s") \(names.listed())"
    }
}
