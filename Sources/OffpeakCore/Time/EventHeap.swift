/// What is going to happen in virtual time, the soonest first; ties are broken by a number that the caller gives.
package struct EventHeap<Event> {
    private struct Entry {
        let time: Int64
        let tie: UInt64
        let event: Event
    }

    private var entries: [Entry] = []

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }

    /// When the next thing happens.
    package var time: Int64? { entries.first?.time }

    package mutating func push(_ event: Event, at time: Int64, tie: UInt64) {
        entries.append(Entry(time: time, tie: tie, event: event))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard isEarlier(child, parent) else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    package mutating func pop() -> (time: Int64, event: Event)? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            sink()
        }
        return (first.time, first.event)
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && isEarlier(child, least) {
                least = child
            }
            guard least != parent else { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }

    private func isEarlier(_ a: Int, _ b: Int) -> Bool {
        (entries[a].time, entries[a].tie) < (entries[b].time, entries[b].tie)
    }
}
