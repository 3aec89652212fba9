import Foundation
import OffpeakConfiguration
import OffpeakCore
import OffpeakProviders

/// The secrets of a run, and how to get them again.
package struct KeyRing: Sendable {
    private var secrets: [String: Secret] = [:]
    private var loadedAt: [String: Timestamp] = [:]
    private let sources: [String: SecretSource]
    private let environment: [String: String]
    /// Keys whose secret may change during a run: a command or a file gives it.
    package let refreshable: Set<String>

    package init(configuration: Configuration, environment: [String: String]) {
        self.environment = environment
        sources = configuration.secrets
        refreshable = Set(sources.filter(\.value.isRefreshable).keys)
    }

    /// Loads the secrets of these keys; returns what is wrong, by key.
    package mutating func load(_ keys: [String], at now: Timestamp) -> [(key: String, problem: SecretProblem)] {
        var problems: [(key: String, problem: SecretProblem)] = []
        for key in keys {
            switch sources[key]?.load(environment: environment) {
            case .success(let secret):
                secrets[key] = secret
                loadedAt[key] = now
            case .failure(let problem): problems.append((key, problem))
            case nil: break
            }
        }
        return problems
    }

    /// Nil for a key that needs none.
    package func secret(of key: String) -> Secret? { secrets[key].flatMap { $0.isEmpty ? nil : $0 } }

    /// Takes a secret that was loaded again; true when it differs from the one before.
    mutating func replace(_ key: String, with secret: Secret, at now: Timestamp) -> Bool {
        let old = secrets[key]
        secrets[key] = secret
        loadedAt[key] = now
        return old.map { $0.exposed { a in secret.exposed { b in a != b } } } ?? true
    }

    /// Keys whose secret is older than its source says it may be; each is named once per period.
    mutating func dueForRefresh(at now: Timestamp) -> [String] {
        let due = loadedAt.keys.sorted().filter { key in
            guard case .command(_, let period?) = sources[key], let loaded = loadedAt[key] else { return false }
            return now - loaded >= period
        }
        for key in due { loadedAt[key] = now }
        return due
    }

    /// Loads a secret on a thread of its own, since a command may take its time.
    func load(_ key: String, then done: @escaping @Sendable (Result<Secret, SecretProblem>) -> Void) {
        guard let source = sources[key] else { return }
        let environment = environment
        Thread { done(source.load(environment: environment)) }.start()
    }
}
