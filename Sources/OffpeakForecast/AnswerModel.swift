import OffpeakCore

/// The answers of a forecast: taken from the past where there is enough of it, else from stated assumptions.
package struct AnswerModel: Sendable {
    /// An answer that an attempt will get. Its report is made when it comes: it is large, and many are under way.
    struct Draw: Sendable {
        fileprivate let deck: Int
        fileprivate let sample: Int
    }

    private let history: AnswerHistory
    private var decks: [AnswerDeck] = []
    private var deckOfPlace: [AnswerHistory.Place: Int] = [:]
    /// The decks that a flow uses: few, so that a search beats hashing.
    private var decksOfFlow: [FlowID: [(key: String, model: String, deck: Int)]] = [:]
    /// What whole steps have taken off the answers' times so far, by deck; less than a step.
    private var owed: [Int64] = []
    /// The mean time of the quickest kind of answer so far.
    private(set) var shortest = Interval.minutes(10)

    package init(_ history: AnswerHistory) { self.history = history }

    /// Which answer an attempt gets, and after how many milliseconds: a multiple of `step`, and over many attempts no more and no
    /// less than they took.
    mutating func answer(
        _ attempt: AttemptStart, _ ticket: JobTicket, of flow: Flow, step: Int64
    ) -> (after: Interval, draw: Draw) {
        let index = deck(attempt, flow)
        let (after, sample) = decks[index].draw(ticket)
        let exact = after.milliseconds + owed[index]
        let whole = exact / step * step
        owed[index] = exact - whole
        return (.milliseconds(whole), Draw(deck: index, sample: sample))
    }

    func report(_ draw: Draw, _ ticket: JobTicket) -> AttemptReport { decks[draw.deck].report(draw.sample, ticket) }

    /// Whether it is taken from no answer of the past.
    func isGuess(_ draw: Draw) -> Bool { decks[draw.deck].isGuess }

    private mutating func deck(_ attempt: AttemptStart, _ flow: Flow) -> Int {
        for known in decksOfFlow[flow.id] ?? [] where known.key == attempt.key && known.model == attempt.model {
            return known.deck
        }
        let place = AnswerHistory.Place(
            className: flow.className, key: attempt.key, model: attempt.model, endpoint: flow.endpoint)
        let index = deckOfPlace[place] ?? decks.count
        if index == decks.count {
            decks.append(history.deck(for: place))
            deckOfPlace[place] = index
            owed.append(0)
            shortest = min(shortest, max(.milliseconds(1), decks[index].duration))
        }
        decksOfFlow[flow.id, default: []].append((attempt.key, attempt.model, index))
        return index
    }

    /// What was assumed of the answers, in sentences, the most used first: of places alike in one, and of one class and model
    /// in one.
    package var sentences: [String] {
        let told = decks.sorted { $0.drawn > $1.drawn }.map { (place: $0.place, assumption: $0.assumption) }
            .grouped { $0.assumption == $1.assumption }
            .map { (places: AnswerPlaces(all: $0.map(\.place)), assumption: $0[0].assumption) }
        var sentences: [(work: String?, text: String)] = []
        for (places, assumption) in told {
            if let work = places.work, let same = sentences.firstIndex(where: { $0.work == work }) {
                sentences[same].text += ". On \(places.keys): \(assumption)"
            } else {
                sentences.append((places.work, "\(places.text): \(assumption)"))
            }
        }
        return sentences.map(\.text)
    }
}
