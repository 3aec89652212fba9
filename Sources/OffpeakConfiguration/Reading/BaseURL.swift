/// A provider's base URL, read strictly: what is allowed here must mean the same to every reader of URLs.
struct BaseURL: Equatable {
    /// Without trailing slashes.
    var text: String
    var isPlain: Bool
    var isLoopback: Bool

    /// What is wrong with a text; shows nothing of it, since it may hold credentials.
    struct Flaw: Error, Equatable {
        var message: String
        var hint: String?
    }

    init(_ url: String) throws(Flaw) {
        guard url.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !Self.unsafe.contains($0) }) else {
            throw Flaw(message: "contains a character that cannot stand in a URL")
        }
        let scheme: String
        if url.lowercased().hasPrefix("https://") {
            scheme = "https://"
        } else if url.lowercased().hasPrefix("http://") {
            scheme = "http://"
        } else {
            throw Flaw(message: "is not an absolute http or https URL", hint: "such as \"https://api.example.com/v1\"")
        }
        let rest = url.dropFirst(scheme.count)
        guard !rest.contains("?") && !rest.contains("#") else {
            throw Flaw(message: "has a query or a fragment", hint: "only the part before '?' and '#' belongs here")
        }
        let authority = rest.prefix { $0 != "/" }
        guard !authority.contains("@") else {
            throw Flaw(message: "contains credentials", hint: "a key's `secret` says where the credential is")
        }
        let host = try Self.host(authority)
        var path = rest.dropFirst(authority.count)
        while path.last == "/" { path.removeLast() }
        for endpoint in ["/chat/completions", "/completions", "/embeddings", "/responses", "/messages"]
        where path.hasSuffix(endpoint) {
            throw Flaw(message: "ends with an endpoint", hint: "leave off \"\(endpoint)\": offpeak adds it")
        }
        text = scheme + authority + path
        isPlain = scheme == "http://"
        isLoopback = Self.isLoopback(host)
    }

    private static let unsafe = Set("\\\"<>{}|^`".utf8)

    /// The host of `host` or `host:port`.
    private static func host(_ authority: Substring) throws(Flaw) -> String {
        var host = authority
        var port: Substring?
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else {
                throw Flaw(message: "has an IPv6 address without its ']'")
            }
            host = authority[...close]
            let after = authority[authority.index(after: close)...]
            guard after.isEmpty || after.first == ":" else { throw Flaw(message: "has no valid host") }
            port = after.isEmpty ? nil : after.dropFirst()
            guard host.dropFirst().dropLast().allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
                throw Flaw(message: "has no valid host")
            }
        } else {
            if let colon = authority.firstIndex(of: ":") {
                host = authority[..<colon]
                port = authority[authority.index(after: colon)...]
            }
            let isValid = host.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
            guard isValid, !host.isEmpty, host.first != "." else { throw Flaw(message: "has no valid host") }
        }
        if let port {
            guard let number = UInt16(port), number > 0, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw Flaw(message: "has no valid port", hint: "1 to 65535")
            }
        }
        return host.lowercased()
    }

    /// localhost and its subdomains, 127.0.0.0/8 and ::1, as the transport has it.
    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
