import CCurl

/// Where a URL leads, as libcurl itself reads it: so that nothing we allow can mean something else to it.
enum URLCheck: Sendable, Equatable {
    case https
    case loopback
    /// Plain http to another host.
    case plain(host: String)
    case malformed

    init(_ url: String) {
        guard let handle = curl_url() else {
            self = .malformed
            return
        }
        defer { curl_url_cleanup(handle) }
        guard curl_url_set(handle, Int32(CURLUPART_URL), url, 0) == 0,
            let scheme = Self.part(CURLUPART_SCHEME, of: handle), let host = Self.part(CURLUPART_HOST, of: handle),
            Self.part(CURLUPART_USER, of: handle) == nil
        else {
            self = .malformed
            return
        }
        switch scheme.lowercased() {
        case "https": self = Self.isLoopback(host) ? .loopback : .https
        case "http": self = Self.isLoopback(host) ? .loopback : .plain(host: host)
        default: self = .malformed
        }
    }

    private static func part(_ part: Int, of handle: OpaquePointer) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(handle, Int32(part), &text, 0) == 0, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }

    /// localhost and its subdomains, 127.0.0.0/8 and ::1: addresses that never leave the machine.
    static func isLoopback(_ host: String) -> Bool {
        let name = host.lowercased()
        if name == "localhost" || name.hasSuffix(".localhost") || name == "[::1]" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
