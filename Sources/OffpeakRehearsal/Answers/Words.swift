/// Text made up of plain words, one word for about one token.
enum Words {
    private static let all: [[UInt8]] =
        """
        the a night river moves under old bridge and light falls on quiet water where boats rest until morning some \
        keep their lamps lit for those who walk home late each day brings new work small notes long lists warm bread \
        cold rain clear sky green hills open roads few words more time less noise good plans made slow kept well
        """.split(separator: " ").map { Array($0.utf8) }

    /// So many words, as one sentence: a capital at its start, a full stop at its end.
    static func sentence(_ count: Int, using random: inout SeededRandom) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(count * 6)
        for index in 0..<max(1, count) {
            if index > 0 { text.append(0x20) }
            text.append(contentsOf: all[random.below(all.count)])
        }
        text[0] -= 0x20
        text.append(0x2E)
        return text
    }
}
