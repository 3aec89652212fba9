import Foundation
import OffpeakConfiguration
import OffpeakProviders

/// The certificate authorities that the configuration names besides the system's.
enum Authorities {
    /// All of them together: what one provider may be verified with, the others may, too.
    static func load(_ configuration: Configuration) throws(CommandFailure) -> [UInt8] {
        var pem: [UInt8] = []
        for provider in configuration.providers {
            guard let path = provider.caFile else { continue }
            guard let data = FileManager.default.contents(atPath: path) else {
                throw CommandFailure(
                    .userError, code: "ca_file", "provider \(provider.name): ca_file \(path) cannot be read",
                    hint: "it is a PEM file with certificate authorities")
            }
            pem += data
            pem.append(10)
        }
        return pem
    }
}
