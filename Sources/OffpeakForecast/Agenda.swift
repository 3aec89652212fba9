import OffpeakCore

/// What is going to happen, by its moment. Time goes in steps, so much happens at one moment: things of one moment are kept
/// together, in the order in which they were put down, and only the moments are sorted.
struct Agenda<Thing> {
    private var things: [Int64: [Thing]] = [:]
    /// The keys of `things`.
    private var moments = EventHeap<Void>()

    /// When the next thing happens.
    var next: Timestamp? { moments.time.map { Timestamp(milliseconds: $0) } }

    mutating func add(_ thing: Thing, at moment: Timestamp) {
        let time = moment.milliseconds
        if let place = things.index(forKey: time) {
            things.values[place].append(thing)
        } else {
            things[time] = [thing]
            moments.push((), at: time, tie: 0)
        }
    }

    /// Takes what happens first, if that is not after a moment.
    mutating func take(until moment: Timestamp) -> [Thing]? {
        guard let time = moments.time, time <= moment.milliseconds else { return nil }
        _ = moments.pop()
        return things.removeValue(forKey: time)
    }
}
