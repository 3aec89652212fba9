import OffpeakCore

extension Interval {
    /// Reads `500ms`, `30s`, `2m`, `12h`, `1d` and sums of these from the largest unit down, such as `1h30m`.
    /// Nil for anything else, and for more than 100 years.
    package init?(duration text: String) {
        let units: [(name: String, milliseconds: Int64)] = [
            ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
        ]
        var total: Int64 = 0
        var unitsLeft = units[...]
        var rest = text.utf8[...]
        while !rest.isEmpty {
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest[digits.endIndex...]
            let letters = rest.prefix { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest[letters.endIndex...]
            guard let count = Int64(String(digits) ?? ""),
                let unit = unitsLeft.firstIndex(where: { $0.name == String(letters) })
            else { return nil }
            let (part, overflow) = count.multipliedReportingOverflow(by: units[unit].milliseconds)
            guard !overflow, part <= 36_525 * 86_400_000 else { return nil }
            total += part
            unitsLeft = units[(unit + 1)...]
        }
        guard !text.isEmpty, total <= 36_525 * 86_400_000 else { return nil }
        self.init(milliseconds: total)
    }

    /// The interval as configurations write it: `1h30m`, `500ms`, `0s`.
    package var durationText: String {
        if milliseconds == 0 { return "0s" }
        var rest = abs(milliseconds)
        var text = milliseconds < 0 ? "-" : ""
        for (name, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
        where rest >= size {
            text += "\(rest / Int64(size))\(name)"
            rest %= Int64(size)
        }
        return text
    }
}
