import OffpeakCore

/// One row of the failure table: what it matches, and what that means.
struct FailureRow {
    let failureClass: FailureClass
    /// Our own code where several providers' words, or none, mean the same; nil: the provider's word.
    let code: String?
    /// What it means and, where a person can do something, what; begins the message.
    let says: String
    private let statuses: [ClosedRange<Int>]
    private let words: [String]
    private let texts: [[UInt8]]
    private let heads: [[UInt8]]
    private let signs: [FailureEvidence.Sign]

    /// A row matches when the status is in `statuses` (none: any), every sign is there, and one of `words`, `texts`
    /// or `heads` is found (none given: nothing needs to be). `words` are whole machine-readable words in lower case;
    /// `texts` parts of what is written for people, anywhere; `heads` the same, but only where the text begins.
    init(
        _ failureClass: FailureClass, _ says: String, code: String? = nil, statuses: [ClosedRange<Int>] = [],
        words: [String] = [], texts: [String] = [], heads: [String] = [], signs: [FailureEvidence.Sign] = []
    ) {
        self.failureClass = failureClass
        self.code = code
        self.says = says
        self.statuses = statuses
        self.words = words
        self.texts = texts.map { Array($0.utf8) }
        self.heads = heads.map { Array($0.utf8) }
        self.signs = signs
    }

    /// Nil when the row does not match; else the provider's word that decided, or an empty string when none did.
    func match(_ evidence: FailureEvidence) -> String? {
        guard matchesStatus(evidence.status), signs.allSatisfy(evidence.signs.contains) else { return nil }
        if words.isEmpty, texts.isEmpty, heads.isEmpty { return "" }
        for (index, word) in evidence.lowercasedWords.enumerated() where words.contains(word) {
            return evidence.words[index]
        }
        let found =
            texts.contains { evidence.text.firstIndex(of: $0) != nil }
            || heads.contains { evidence.heads.firstIndex(of: $0) != nil }
        return found ? "" : nil
    }

    /// An error inside a 200 has no status (0): there words, texts and signs must decide, and do so for every status.
    private func matchesStatus(_ status: Int) -> Bool {
        if statuses.isEmpty { return true }
        if status == 0 { return !(words.isEmpty && texts.isEmpty && heads.isEmpty && signs.isEmpty) }
        return statuses.contains { $0.contains(status) }
    }
}
