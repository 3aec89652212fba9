/// Numbers with their nouns.
enum Words {
    /// `1 job`, `2 jobs`.
    static func count(_ number: Int, _ noun: String, plural: String? = nil) -> String {
        "\(number) \(number == 1 ? noun : plural ?? noun + "s")"
    }
}
