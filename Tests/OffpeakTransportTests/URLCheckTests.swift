import Testing

@testable import OffpeakTransport

@Suite struct URLCheckTests {
    @Test(arguments: [
        "http://127.0.0.1/", "http://127.0.0.1:8000/v1", "http://127.9.8.7/", "http://localhost/v1",
        "http://LOCALHOST/",
        "http://api.localhost/", "http://[::1]:8000/v1", "https://localhost/", "http://127.1/", "http://0x7f.1/",
        "http://2130706433/",
    ])
    func `addresses of this machine may be plain`(_ url: String) {
        #expect(URLCheck(url) == .loopback)
    }

    @Test(arguments: [
        ("http://api.example.com/v1", "api.example.com"), ("http://localhost.example.com/", "localhost.example.com"),
        ("http://127.0.0.1.example.com/", "127.0.0.1.example.com"), ("http://10.0.0.1/", "10.0.0.1"),
        ("http:///x", "x"),
        ("http://0.0.0.0/", "0.0.0.0"), ("http://127.0.0.256/", "127.0.0.256"), ("http://[::2]/", "[::2]"),
        ("http://notlocalhost/", "notlocalhost"), ("HTTP://EXAMPLE.COM/", "EXAMPLE.COM"),
        ("http://128.0.0.1/", "128.0.0.1"), ("http://example.com/?a=@127.0.0.1", "example.com"),
        ("http://example.com#@127.0.0.1/", "example.com"),
    ])
    func `other addresses may not`(_ url: String, _ host: String) {
        #expect(URLCheck(url) == .plain(host: host))
    }

    @Test(arguments: ["https://api.example.com/v1", "HTTPS://api.example.com", "https://10.0.0.1:8443/"])
    func `https may go anywhere`(_ url: String) {
        #expect(URLCheck(url) == .https)
    }

    @Test(arguments: [
        "", "/v1", "api.example.com", "ftp://example.com/", "file:///x", "https://user@example.com/",
        "https://user:word@example.com/", "https://:word@example.com/", "http://exa mple.com/",
        "https://example.com:99999/",
        "https://exa\nmple.com/", "javascript:1",
    ])
    func `anything else is refused`(_ url: String) {
        #expect(URLCheck(url) == .malformed)
    }
}
