/// How long a key's answers take, by those that have come and by those that are awaited: one that has ceased to answer is
/// found out long before its requests time out.
struct AnswerPace {
    let latency: Interval
    /// Nothing has come for so long that what is in flight is all that the key is known to bear.
    let isOverdue: Bool

    /// Less than this is no reason to think that a key, of which little is known yet, does not answer.
    private static let patience = Interval.seconds(10)

    /// `known`: the mean answer time in µs, 0 while unknown. `awaited`: how long those in flight have been, on average: half of an
    /// answer's time while all is well.
    init(known: Int, awaited: Interval) {
        let known = Interval.milliseconds(Int64((known + 999) / 1_000))
        latency = max(known, awaited)
        isOverdue = awaited > Self.patience && awaited > known + known
    }
}

/// A sum of waits, for their mean.
private struct Waits {
    var sum = Interval.zero
    var count: Int64 = 0
    var mean: Interval { .milliseconds(sum.milliseconds / max(1, count)) }

    mutating func add(_ wait: Interval) { (sum, count) = (sum + wait, count + 1) }
}

extension Scheduler {
    /// By key: in lane flex, and otherwise.
    func answerPaces(at now: Timestamp) -> [(sync: AnswerPace, flex: AnswerPace)] {
        var waits = [(sync: Waits, flex: Waits)](repeating: (Waits(), Waits()), count: keys.count)
        for flight in flights.values {
            let wait = max(.zero, now - flight.sent)
            if flight.spend.route.lane == .flex {
                waits[flight.key].flex.add(wait)
            } else {
                waits[flight.key].sync.add(wait)
            }
        }
        return zip(keys, waits).map { key, waits in
            (
                AnswerPace(known: key.latency, awaited: waits.sync.mean),
                AnswerPace(known: key.flex.latency, awaited: waits.flex.mean)
            )
        }
    }
}
