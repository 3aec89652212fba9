import OffpeakCore

/// What an answer says about why it failed, in one form whoever sent it: what the failure table reads.
struct FailureEvidence {
    /// Something about the answer that is neither a status, a word nor a text.
    enum Sign: Hashable {
        /// A page instead of an API's answer: a gateway's doing.
        case html
        /// No body at all.
        case empty
        /// A header or the body says how long to wait.
        case namesWait
        /// A limit of zero: the model is not on the account's plan.
        case limitIsZero
        /// This one request is larger than the whole limit.
        case largerThanLimit
        /// A platform passes on that its own, shared upstream refused.
        case sharedUpstream
    }

    /// The status that the error is about: HTTP's, or the one inside a 200; 0 when a 200 carries none.
    var status: Int
    /// Machine-readable words as the provider spells them, the most telling first.
    var words: [String] = [] {
        didSet { lowercasedWords = words.map { String(decoding: $0.utf8.map(\.lowercasedASCII), as: UTF8.self) } }
    }
    private(set) var lowercasedWords: [String] = []
    /// The provider's message for people; empty when there is none.
    var message = ""
    /// All texts to search, in lower case, one per line.
    private(set) var text: [UInt8] = []
    /// The beginnings of these texts, where a provider speaks and does not quote.
    private(set) var heads: [UInt8] = []
    var signs: Set<Sign> = []
    /// The wait that the body names.
    var retryAfter: Interval?

    private static let longestText = 4_096
    private static let longestHead = 160

    init(status: Int) { self.status = status }

    /// Adds a text to search.
    mutating func add(text addition: String) {
        guard text.count < Self.longestText else { return }
        let bytes = addition.utf8.prefix(Self.longestText).map(\.lowercasedASCII)
        text += bytes + [0x0a]
        heads += bytes.prefix(Self.longestHead) + [0x0a]
    }

    /// Draws what follows from the texts once all of them are there.
    mutating func conclude() {
        if retryAfter == nil { retryAfter = WaitTime.inMessage(String(decoding: text, as: UTF8.self)) }
        // Google names a wait of seconds even where a day's quota is used up or there is none at all.
        if text.firstIndex(of: Array("perday".utf8)) != nil || text.firstIndex(of: Array("limit: 0,".utf8)) != nil {
            retryAfter = nil
        }
        if retryAfter != nil { signs.insert(.namesWait) }
        if let limit = number(after: "limit"), let requested = number(after: "requested"), requested > limit, limit > 0
        {
            signs.insert(.largerThanLimit)
        }
    }

    /// The number after a word, as in "Limit 6000, Used 5914, Requested ~12903".
    private func number(after word: String) -> Int? {
        // With the space, so that "limit" in "limited" or "rate_limit_exceeded" is passed over.
        for ending in [" ", ": "] {
            let lead = Array((word + ending).utf8)
            var rest = text[...]
            while let found = Array(rest).firstIndex(of: lead) {
                let start = rest.startIndex + found + lead.count
                var cursor = ByteCursor(text, at: start)
                _ = cursor.skip("~")
                if let number = cursor.number(cap: .max / 16) { return number }
                rest = text[start...]
            }
        }
        return nil
    }
}
