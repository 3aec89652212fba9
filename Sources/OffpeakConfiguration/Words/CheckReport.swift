import OffpeakCore
import OffpeakProviders

/// What `offpeak check` found: everything at once.
package struct CheckReport: Sendable, Equatable {
    /// One class and its policy in a sentence; or a topic, and what there is to say of it.
    package struct ClassLine: Sendable, Equatable {
        package var name: String
        package var sentence: String
    }

    /// The file that was checked.
    package var path: String
    package var problems: [Problem]
    package var notices: [Problem]
    /// In the file's order; empty when the configuration could not be read.
    package var classes: [ClassLine]
    /// What a team has to be clear about, by topic.
    package var overview: [ClassLine] = []
    /// True when there are no problems; notices do not count.
    package var isOK: Bool { problems.isEmpty }

    /// Judges what was read, and whether every key's secret can be had. Runs the commands that give secrets, so it may
    /// block for as long as those take. `now` is the wall clock's moment, by which terms have expired or not.
    package init(
        _ reading: Result<Configuration, ConfigurationProblems>, environment: [String: String], at now: Timestamp
    ) {
        switch reading {
        case .failure(let failure):
            (path, problems, notices, classes) = (failure.path, failure.problems, failure.notices, [])
        case .success(let configuration):
            path = configuration.path
            classes = configuration.classes.map {
                .init(name: $0.name, sentence: $0.sentence(in: configuration, at: now))
            }
            overview = configuration.overview(at: now).map { .init(name: $0.topic, sentence: $0.words) }
            let findings = Findings()
            for notice in configuration.notices { findings.notice(notice) }
            for key in configuration.keys { Self.expiry(of: key, configuration, now, findings) }
            for key in configuration.keys { Self.secret(of: key, configuration, environment, findings) }
            findings.sortByLine()
            (problems, notices) = (findings.problems, findings.notices)
        }
    }

    /// What of a key's terms ended before now: the file may be right, but it does not do what it seems to.
    private static func expiry(
        of key: KeyDescriptor, _ configuration: Configuration, _ now: Timestamp, _ findings: Findings
    ) {
        let path = FieldReader.path("keys", key.name)
        let line = configuration.keyLines[key.name]
        if key.credit?.isExpired(at: now) == true, let day = key.credit?.expires.map(configuration.lastDay) {
            findings.notice(
                .init(
                    path: FieldReader.path(path, "credit"), line: line,
                    message: "expired after \(day): nothing is prepaid any more, and all costs its price",
                    hint: "take it out, or state the new credit"))
        }
        if key.isExpired(at: now), let day = key.validUntil.map(configuration.lastDay) {
            findings.notice(
                .init(
                    path: FieldReader.path(path, "valid_until"), line: line,
                    message: "\(day) is past: nothing is sent through this key",
                    hint: "give it a new secret and its last day"))
        }
    }

    private static func secret(
        of key: KeyDescriptor, _ configuration: Configuration, _ environment: [String: String], _ findings: Findings
    ) {
        let source = configuration.secretSource(of: key.name)
        let path = FieldReader.path(FieldReader.path("keys", key.name), "secret")
        let line = configuration.secretLines[key.name]
        if let caution = source.caution(environment: environment) {
            findings.notice(.init(path: path, line: line, message: caution))
        }
        guard case .failure(let problem) = source.load(environment: environment) else { return }
        let finding = Problem(path: path, line: line, message: problem.message, hint: problem.hint)
        // A key that serves nothing may lack its secret.
        let serves = !key.isShared || configuration.classes.contains { $0.admits(key) }
        if key.enabled && serves { findings.problem(finding) } else { findings.notice(finding) }
    }
}
