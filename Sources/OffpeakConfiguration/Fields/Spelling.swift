/// Guesses what a misspelled name was meant to be.
package enum Spelling {
    /// The nearest of `candidates` if it is near enough to be meant; the first of several that are equally near.
    package static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        let folded = folded(name)
        // A third of the letters may be wrong; of a short name one, but never all of it.
        let tolerance = min(max(1, folded.count / 3), folded.count - 1)
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(folded, Self.folded(candidate))
            if distance <= tolerance && distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// A hint for an unknown name: the nearest candidate, or all of them when there are few, or nil.
    package static func hint(for name: String, among candidates: [String], called kind: String) -> String? {
        if let nearest = nearest(to: name, among: candidates) { return "did you mean \"\(nearest)\"?" }
        if candidates.isEmpty { return "there are no \(kind)" }
        return candidates.count > 24 ? nil : "\(kind): \(candidates.joined(separator: ", "))"
    }

    /// A word of the file, in quotes, to show in a message; of a long one only its length, since it may be a secret
    /// that stands in the wrong place. The shortest secrets of providers today have 32 characters.
    package static func shown(_ text: String) -> String {
        let length = text.unicodeScalars.count
        return length <= 28 ? "\"\(text)\"" : "the string of \(length) characters"
    }

    /// A file's path, to show in a message: as any word, but also when it is long and clearly a path.
    package static func shown(path: String) -> String {
        path.hasPrefix("/") || path.hasPrefix("./") || path.hasPrefix("~/") ? path : shown(path)
    }

    /// Steps from one word to the other: characters added, left out, changed, or two neighbours swapped.
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var steps = min(previous[j + 1] + 1, row[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                    steps = min(steps, beforePrevious[j - 1] + 1)
                }
                row.append(steps)
            }
            (beforePrevious, previous) = (previous, row)
        }
        return previous[b.count]
    }

    /// Lower case, with `-` and `_` left out, so that `baseUrl` and `base-url` are `base_url`.
    private static func folded(_ name: String) -> [UInt8] {
        Array(name.lowercased().utf8.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") })
    }
}
