import Foundation
import OffpeakCore
import OffpeakProviders

/// A valid configuration: everything in it refers to something that exists.
package struct Configuration: Sendable {
    /// The file it was read from, as named; for messages.
    package var path: String
    /// The zone of calendar days and windows.
    package var timeZone: TimeZone
    /// The zone's name as written.
    package var timeZoneName: String
    /// Built-in providers, overridden where the file says so, then the file's own in its order.
    package var providers: [ProviderDescriptor]
    /// In the file's order, as keys and classes are.
    package var pools: [PoolDescriptor]
    /// The order in the file is the order of preference where a class has no other.
    package var keys: [KeyDescriptor]
    /// Where each key's secret is, by the key's name.
    package var secrets: [String: SecretSource]
    /// The file's classes; then the built-in class `default`, unless the file has its own.
    package var classes: [ClassPolicy]
    /// What every model costs on every key, as far as it is known.
    package var priceBook: PriceBook
    /// What is worth knowing and stops nothing: fields that are not in effect yet, pools that no key uses.
    package var notices: [Problem]
    /// The line of each key's secret, for findings about it.
    var secretLines: [String: Int]
    /// The line of each key.
    var keyLines: [String: Int]

    /// The name of the class that exists without being configured.
    package static let defaultClass = "default"

    /// How long after its submit a batch may be due.
    package static let deadlines: ClosedRange<Interval> = .seconds(1)...(.days(3_650))

    /// Reads a file. Fails with all of its problems at once.
    package static func load(
        _ location: ConfigurationLocation, builtIn: [ProviderDescriptor] = BuiltInProviders.all.map(\.descriptor)
    ) -> Result<Configuration, ConfigurationProblems> {
        let path = location.path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            return failure(path, "there is no configuration at \(path) (\(location.reason))", hint: location.hint)
        }
        guard !isFolder.boolValue else { return failure(path, "\(path) is a folder, not a file") }
        guard let data = FileManager.default.contents(atPath: path) else {
            return failure(path, "\(path) cannot be read", hint: "is it readable for this user?")
        }
        guard data.count <= largestFile else {
            return failure(path, "\(path) is larger than \(largestFile / 1_048_576) MiB: surely another file")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            return failure(path, "\(path) is not UTF-8 text")
        }
        return parse(text, path: path, builtIn: builtIn)
    }

    /// Reads a file's text. `path` is for messages and for finding files that it names relative to itself.
    package static func parse(
        _ text: String, path: String, builtIn: [ProviderDescriptor] = BuiltInProviders.all.map(\.descriptor)
    ) -> Result<Configuration, ConfigurationProblems> {
        let value: JSON5Value
        do throws(JSON5SyntaxError) {
            value = try JSON5Value.parse(text)
        } catch {
            let message = "column \(error.column): found \(error.found), expected \(error.expected)"
            return .failure(.init(path: path, problems: [.init(path: "", line: error.line, message: message)]))
        }
        let findings = Findings()
        let folder = URL(filePath: path).deletingLastPathComponent().path
        let configuration = ConfigurationReader(folder: folder, builtIn: builtIn, findings: findings)
            .configuration(value, path: path)
        findings.sortByLine()
        guard var configuration, findings.problems.isEmpty else {
            return .failure(.init(path: path, problems: findings.problems, notices: findings.notices))
        }
        configuration.notices = findings.notices
        return .success(configuration)
    }

    private static let largestFile = 16 * 1_048_576

    private static func failure(
        _ path: String, _ message: String, hint: String? = nil
    ) -> Result<Configuration, ConfigurationProblems> {
        .failure(.init(path: path, problems: [.init(path: "", line: nil, message: message, hint: hint)]))
    }

    // MARK: Looking up

    /// The policy of a class; nil when there is no class of that name.
    package func policy(of className: String) -> ClassPolicy? { classes.first { $0.name == className } }

    /// The key of that name.
    package func key(_ name: String) -> KeyDescriptor? { keys.first { $0.name == name } }

    /// The provider of one of this configuration's keys.
    package func provider(of key: KeyDescriptor) -> ProviderDescriptor {
        guard let provider = providers.first(where: { $0.name == key.provider }) else {
            preconditionFailure("key \(key.name) does not belong to this configuration")
        }
        return provider
    }

    /// Where a key's secret is; none for a name that is no key.
    package func secretSource(of key: String) -> SecretSource { secrets[key] ?? .none }

    /// The keys that may serve a class, in its order: own keys before shared capacity, and of each those of `keys.order`
    /// first, then the others as the file has them. Disabled ones are included: whether a key is enabled is not the
    /// class's affair.
    package func keys(for policy: ClassPolicy) -> [KeyDescriptor] {
        let first = policy.keyOrder.compactMap { name in keys.first { $0.name == name } }
        let rest = keys.filter { key in !policy.keyOrder.contains(key.name) }
        let admitted = (first + rest).filter(policy.admits)
        return admitted.filter { !$0.isShared } + admitted.filter(\.isShared)
    }

    /// A scheduler that knows nothing yet of what keys have done.
    package func scheduler(refreshableKeys: Set<String> = [], seed: UInt64) -> Scheduler {
        Scheduler(
            keys: keys, pools: pools, classes: classes.map { policy in (policy, keys(for: policy).map(\.name)) },
            prices: priceBook, refreshableKeys: refreshableKeys, seed: seed)
    }

    /// Those of a class's keys that are shared capacity.
    package func sharedKeys(for policy: ClassPolicy) -> [KeyDescriptor] { keys(for: policy).filter(\.isShared) }
}

/// Why a configuration cannot be used: all of its problems.
package struct ConfigurationProblems: Error, Sendable, CustomStringConvertible {
    package var path: String
    /// At least one, in the order of the file's lines.
    package var problems: [Problem]
    package var notices: [Problem]

    package init(path: String, problems: [Problem], notices: [Problem] = []) {
        self.path = path
        self.problems = problems
        self.notices = notices
    }

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Which file is the configuration, and who said so.
package struct ConfigurationLocation: Sendable, Equatable {
    /// As given, or `offpeak.json5`.
    package var path: String
    /// Why this one, in words: for the message that there is none.
    package var reason: String
    /// What to do when there is none.
    package var hint: String

    /// The file that `--config` names, else the one that `OFFPEAK_CONFIG` names, else `offpeak.json5` in the working
    /// directory.
    package init(option: String?, environment: [String: String]) {
        if let option {
            (path, reason) = (option, "--config names it")
            hint = "check the path, or write one with `offpeak init`"
        } else if let variable = environment["OFFPEAK_CONFIG"], !variable.isEmpty {
            (path, reason) = (variable, "OFFPEAK_CONFIG names it")
            hint = "check the path, or write one with `offpeak init`"
        } else {
            path = "offpeak.json5"
            reason = "looked in the working directory; neither --config nor OFFPEAK_CONFIG names another"
            hint = "`offpeak init` writes one for the keys it finds"
        }
    }
}
