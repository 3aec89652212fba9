import OffpeakCore

/// What is going to happen, by its moment. Time goes in steps, so much happens at one moment: things of one moment are kept
/// together, in the order in which they were put down, and only the moments are sorted.
struct Agenda<Thing> {
    private var things: [Int64: [Thing]] = [:]
    /// A heap of the keys of `things`, the soonest first.
    private var moments: [Int64] = []

    /// When the next thing happens.
    var next: Timestamp? { moments.first.map { Timestamp(milliseconds: $0) } }

    mutating func add(_ thing: Thing, at moment: Timestamp) {
        let time = moment.milliseconds
        if things[time] == nil { push(time) }
        things[time, default: []].append(thing)
    }

    /// Takes what happens first, if that is not after a moment.
    mutating func take(until moment: Timestamp) -> [Thing]? {
        guard let time = moments.first, time <= moment.milliseconds else { return nil }
        pop()
        return things.removeValue(forKey: time)
    }

    private mutating func push(_ time: Int64) {
        moments.append(time)
        var child = moments.count - 1
        while child > 0, moments[child] < moments[(child - 1) / 2] {
            moments.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func pop() {
        let last = moments.removeLast()
        guard !moments.isEmpty else { return }
        moments[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < moments.count && moments[child] < moments[least]
            {
                least = child
            }
            guard least != parent else { return }
            moments.swapAt(parent, least)
            parent = least
        }
    }
}
