import Foundation

/// A certificate authority of the test's own, and certificates that it, or another one, has signed.
final class Certificates: Sendable {
    let folder: TemporaryFolder
    /// The authority that signed all but `stranger`.
    let authority: [UInt8]
    /// An authority that signed nothing.
    let otherAuthority: [UInt8]

    /// Made once: OpenSSL is a process for each step.
    static func shared() throws -> Certificates { try made.get() }
    private static let made = Result { try Certificates() }

    private init() throws {
        folder = try TemporaryFolder()
        let folder = folder
        func openssl(_ words: String) throws {
            try run("openssl", words.split(separator: " ").map(String.init), in: folder.url)
        }
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        for name in ["ca", "other-ca"] {
            try openssl("req -x509 \(key) -keyout \(name).key -out \(name).pem -days 2 -subj /CN=offpeak-test-\(name)")
        }
        func certificate(_ name: String, _ subjects: String, _ validity: String) throws {
            try openssl("req \(key) -keyout \(name).key -out \(name).csr -subj /CN=\(name)")
            try Data("[v3]\nsubjectAltName=\(subjects)\n".utf8).write(to: folder.url.appending(path: "\(name).ext"))
            try openssl(
                "x509 -req -in \(name).csr -CA ca.pem -CAkey ca.key -CAcreateserial -out \(name).pem \(validity)"
                    + " -extfile \(name).ext -extensions v3")
        }
        try certificate("right", "DNS:localhost,IP:127.0.0.1", "-days 2")
        try certificate("wrong-name", "DNS:api.example.test", "-days 2")
        // A negative number of days ends before it begins, so it is not valid now either way.
        try certificate("expired", "DNS:localhost,IP:127.0.0.1", "-days -1")
        authority = Array(try Data(contentsOf: folder.url.appending(path: "ca.pem")))
        otherAuthority = Array(try Data(contentsOf: folder.url.appending(path: "other-ca.pem")))
        // The static value is never released, so its folder goes with the process.
        Self.pathToRemove = strdup(folder.url.path)
        atexit { if let path = Certificates.pathToRemove { Certificates.remove(path) } }
    }

    // SAFETY: written once, before the exit handler is registered; read by the handler alone.
    nonisolated(unsafe) private static var pathToRemove: UnsafeMutablePointer<CChar>?

    private static func remove(_ path: UnsafeMutablePointer<CChar>) {
        try? FileManager.default.removeItem(atPath: String(cString: path))
    }
}
