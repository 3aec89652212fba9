import OffpeakCore

/// What can only be judged once everything is read: whether the parts fit together.
struct CrossReferences {
    let configuration: Configuration
    let keys: [ReadKey]
    let classes: [ReadClass]
    let fields: FieldReader

    var findings: Findings { fields.findings }

    func check() {
        unusedPools()
        for read in classes {
            neverUsedKeys(of: read)
            admission(of: read)
            chains(of: read)
            budget(of: read)
            unknownPrices(of: read)
            if !read.isUncertain { anyModels(of: read.policy, path: read.fields.path, line: read.fields.line) }
        }
        terms()
        if classes.isEmpty, let policy = configuration.classes.first { anyModels(of: policy, path: "keys", line: nil) }
        guard classes.isEmpty, let policy = configuration.classes.first, !configuration.keys.isEmpty else { return }
        let serving = configuration.keys(for: policy)
        if serving.isEmpty {
            fields.problem("keys", "no key can serve anything: \(whyNot(policy))")
        } else if !serving.contains(where: \.enabled) {
            fields.notice("keys", "all keys are disabled: no job can run")
        }
    }

    private func unusedPools() {
        for entry in fields.entries("pools") where !configuration.keys.contains(where: { $0.pool == entry.name }) {
            findings.notice(.init(path: entry.path, line: entry.member.line, message: "no key is in this pool"))
        }
    }

    /// Keys that a class names and never uses, for a reason of its own or of the key's.
    private func neverUsedKeys(of read: ReadClass) {
        guard !read.isUncertain else { return }
        var told: Set<String> = []
        for name in read.namedKeys {
            guard let key = configuration.key(name.text), told.insert(name.text).inserted,
                let reason = read.policy.reasonAgainst(key)
            else { continue }
            findings.notice(
                .init(path: name.path, line: name.line, message: "the class never uses this key: \(reason)"))
        }
    }

    private func admission(of read: ReadClass) {
        let (policy, at) = (read.policy, read.fields)
        guard !read.isUncertain, !configuration.keys.isEmpty else { return }
        if policy.isClosed && policy.keyOnly.isEmpty && policy.requireTags.isEmpty {
            findings.problem(
                .init(
                    path: at.path, line: at.line,
                    message: "a \(policy.posture.rawValue) class has to say which keys it may use",
                    hint: "add keys: { only: [\"\(configuration.keys[0].name)\"] } or require_tags: [\"…\"]"))
            return
        }
        let serving = configuration.keys(for: policy)
        if serving.isEmpty {
            findings.problem(
                .init(path: at.path, line: at.line, message: "no key may serve this class: \(whyNot(policy))"))
        } else if !policy.lanes.contains(where: \.isInEffect) {
            // That none of them is used yet is told of the lanes themselves.
        } else if !serving.contains(where: { !policy.lanes(on: $0).isEmpty }) {
            let words = policy.lanes.filter(\.isInEffect).map(\.rawValue).joined(separator: ", ")
            findings.problem(
                .init(
                    path: at.path, line: at.line,
                    message: "no key that may serve this class has one of its lanes: \(words)",
                    hint: "add the lane to a key's `lanes`, or \"sync\" to the class's"))
        } else if !serving.contains(where: \.enabled) {
            let names = serving.map { "\"\($0.name)\"" }.joined(separator: ", ")
            findings.notice(
                .init(path: at.path, line: at.line, message: "only disabled keys can serve this class: \(names)"))
        }
    }

    /// For each key, why the class does not admit it.
    private func whyNot(_ policy: ClassPolicy) -> String {
        configuration.keys.prefix(8).map { "\"\($0.name)\" \(policy.reasonAgainst($0) ?? "")" }.joined(separator: "; ")
    }

    /// A model's name means something at one provider only: keys of several that serve any model get names that are not theirs.
    private func anyModels(of policy: ClassPolicy, path: String, line: Int?) {
        let keys = configuration.keys(for: policy).filter { $0.enabled && $0.models == .any }
        guard let first = keys.first, let other = keys.first(where: { $0.provider != first.provider }) else { return }
        findings.notice(
            .init(
                path: path, line: line,
                message:
                    "keys \"\(first.name)\" and \"\(other.name)\" of different providers both serve any model: a name that "
                    + "only one of them has goes to the other too",
                hint: "list each key's `models`"))
    }

    private func chains(of read: ReadClass) {
        guard !read.isUncertain, !read.policy.models.isEmpty else { return }
        let keys = configuration.keys(for: read.policy)
        for (name, chain) in read.policy.models.sorted(by: { $0.key < $1.key }) {
            for model in chain where !keys.contains(where: { $0.models.providerModel(for: model) != nil }) {
                let path = FieldReader.path(read.fields.path(to: "models"), name)
                findings.notice(
                    .init(
                        path: path, line: read.fields.line(of: "models"),
                        message: "no key of the class serves \(Spelling.shown(model))"))
            }
        }
    }
}

extension ClassPolicy {
    /// Why the class never uses a key; nil when it does. The words beside `admits`, which decides.
    func reasonAgainst(_ key: KeyDescriptor) -> String? {
        if admits(key) { return nil }
        if !keyOnly.isEmpty && !keyOnly.contains(key.name) { return "is not in keys.only" }
        if keyExclude.contains(key.name) { return "is in keys.exclude" }
        if let tag = requireTags.first(where: { !key.tags.contains($0) }) {
            return "does not have the tag \(Spelling.shown(tag))"
        }
        if key.billing == .platform { return "is platform-billed, and the class's `shared` is \"\(shared.rawValue)\"" }
        return "is not among the keys that a \(posture.rawValue) class may use"
    }
}
