import OffpeakCore

extension ConfigurationReader {
    /// The class's fallback chains.
    func chains(_ fields: FieldReader) -> [String: [String]] {
        guard let value = fields.value("models"),
            let reader = FieldReader(value, path: fields.path(to: "models"), known: nil, findings: findings)
        else { return [:] }
        var chains: [String: [String]] = [:]
        for member in reader.members where chains[member.name] == nil {
            guard let models = reader.strings(member.name) else { continue }
            guard let first = models.first else {
                if case .array([]) = member.value.kind { reader.problem(member.name, "is empty") }
                continue
            }
            if first.text != member.name {
                reader.problem(
                    member.name, "does not begin with the model itself",
                    hint: "the models to try in order, the line's own first")
            }
            chains[member.name] = models.map(\.text)
        }
        return chains
    }

    /// Lays the class's `on` over the ladders of its posture.
    func ladders(of policy: inout ClassPolicy, _ fields: FieldReader) {
        guard let value = fields.value("on") else { return }
        let classes = FailureClass.allCases.map(\.rawValue)
        guard let on = self.fields(value, path: fields.path(to: "on"), known: classes) else { return }
        for failure in FailureClass.allCases {
            guard on.has(failure.rawValue) else { continue }
            if let ladder = ladder(failure.rawValue, in: on, shared: policy.shared) { policy.ladders[failure] = ladder }
        }
    }

    private func ladder(_ name: String, in on: FieldReader, shared: SharedUse) -> [LadderStep]? {
        guard let words = on.strings(name) else { return nil }
        if case .array([])? = on.value(name)?.kind {
            on.problem(name, "is empty: nothing would become of the job", hint: "leave it out for the posture's own")
            return nil
        }
        let all = LadderStep.allCases.map(\.rawValue)
        var ladder: [LadderStep] = []
        for (position, word) in words.enumerated() {
            func problem(_ message: String, hint: String?) {
                findings.problem(.init(path: word.path, line: word.line, message: message, hint: hint))
            }
            guard let step = LadderStep(rawValue: word.text) else {
                problem(
                    "\(Spelling.shown(word.text)) is not one of \(all.joined(separator: ", "))",
                    hint: Spelling.nearest(to: word.text, among: all).map { "did you mean \"\($0)\"?" })
                continue
            }
            if step == .shared && shared == .never {
                problem("\"shared\" in a class whose `shared` is \"never\"", hint: "leave the step out")
            }
            if [.defer, .park, .fail].contains(step) && position < words.count - 1 {
                problem(
                    "what follows \"\(step.rawValue)\" can never happen", hint: "\"\(step.rawValue)\" can only be last")
            }
            ladder.append(step)
        }
        return ladder.isEmpty ? nil : ladder
    }
}
