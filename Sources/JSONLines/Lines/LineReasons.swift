/// The longer reasons for which a line is refused, worded for the person who wrote the line.
extension LineChecks {
    static var paths: String {
        let quoted = LineEndpoint.allCases.map { "\"\($0.path)\"" }
        return quoted.dropLast().joined(separator: ", ") + " or \(quoted[quoted.count - 1])"
    }

    var notAnObject: LineError {
        if scan.first == .openBracket { return refuse(.format, FileStart.arrayReason) }
        let kind = JSONSlice.Kind(scan.first).article
        return refuse(
            .type, #"the line is \#(kind); each line must be an object, such as {"custom_id":"row-1","prompt":"…"}"#)
    }

    /// A name that came twice or that is not known, whichever stands first.
    var strayName: LineError {
        if let repeated = scan.repeated, repeated.name.lowerBound < scan.unknown?.lowerBound ?? .max {
            let place = repeated.inBody ? " in \(holder.text)" : ""
            return refuse(.duplicate, "\(excerpt(repeated.name)) comes twice\(place); keep one of them")
        }
        let name = text(scan.unknown ?? 0..<0)
        let shown = excerpt(scan.unknown ?? 0..<0)
        let isPlain = holder == .prompt
        if !isPlain, BodyName.allCases.contains(where: { name == $0.text.description }) {
            return refuse(.unknown, "\(shown) belongs inside \(holder.text); move it there")
        }
        let allowed: [LineName] =
            switch holder {
            case .prompt: [.customID, .prompt, .system, .model, .maxTokens, .className]
            case .params: [.customID, .params, .className]
            default: [.customID, .method, .url, .body, .className]
            }
        let known = allowed.map(\.text.description)
        if let nearest = nearestName(to: name, in: known + (isPlain ? [] : ["prompt", "system", "params"])) {
            return refuse(.unknown, "unknown member \(shown); did you mean \"\(nearest)\"?")
        }
        let list = known.dropLast().joined(separator: ", ") + " and \(known[known.count - 1])"
        return refuse(.unknown, "unknown member \(shown); remove it: a line like this has \(list)")
    }

    var noBody: LineError {
        if top(.url).isPresent || top(.method).isPresent {
            return refuse(.body, #"body is missing; put the request there: "body":{"model":"…",…}"#)
        }
        return refuse(
            .body, #"neither body nor prompt is here; add "url" and "body":{…}, or just "prompt":"…""#)
    }

    func unknownURL(_ url: LineScan.Value) -> LineError {
        let path = text(url.range)
        let shown = excerpt(url.range)
        if let scheme = path.firstRange(of: "://") {
            let rest = path[scheme.upperBound...].drop { $0 != "/" }
            let match = LineEndpoint.allCases.first { rest == $0.path }
            let advice = match.map { "\"\($0.path)\"" } ?? "one of \(Self.paths)"
            return refuse(.url, "url \(shown) names a host; write only the path, \(advice)")
        }
        for endpoint in LineEndpoint.allCases {
            let short = endpoint.path.dropFirst("/v1".utf8.count)
            if path == short || path == short.dropFirst() {
                return refuse(.url, "url \(shown) lacks /v1; write \"\(endpoint.path)\"")
            }
        }
        if let nearest = nearestName(to: path, in: LineEndpoint.allCases.map(\.path)) {
            return refuse(.url, "unknown url \(shown); did you mean \"\(nearest)\"?")
        }
        return refuse(.url, "unknown url \(shown); write one of \(Self.paths)")
    }

    /// The decoded text of a string whose range includes the quotes.
    private func text(_ quoted: Range<Int>) -> String {
        guard quoted.count >= 2 else { return "" }
        let inside = (quoted.lowerBound + 1)..<(quoted.upperBound - 1)
        // SAFETY: copied into the string within the borrow of the scan.
        return JSONText.decode(UnsafeRawBufferPointer(rebasing: scan.cursor.bytes[inside]))
    }

    /// A value as it is written, cut to a length that fits a message. JSON text has no raw control characters in strings.
    func excerpt(_ range: Range<Int>) -> String {
        let limit = 60
        // SAFETY: copied into the string within the borrow of the scan.
        let raw = String(decoding: scan.cursor.bytes[range], as: UTF8.self)
        guard raw.utf8.count > limit else { return raw }
        return raw.prefix(limit - 1) + (scan.cursor.bytes[range.lowerBound] == .quote ? "…\"" : "…")
    }
}
