/// Things due at a time, earliest first; those due at the same moment come in the order they were added.
package struct TimerHeap<Element: Sendable>: Sendable {
    private struct Entry: Sendable {
        var due: Int64
        var order: UInt64
        var element: Element
    }

    private var entries: [Entry] = []
    private var added: UInt64 = 0

    package init() {}

    package var count: Int { entries.count }
    /// When the earliest is due, in the caller's unit.
    package var earliest: Int64? { entries.first?.due }

    package mutating func add(_ element: Element, due: Int64) {
        entries.append(Entry(due: due, order: added, element: element))
        added += 1
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard precedes(child, parent) else { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    /// The earliest one that is due at `now`, taken out.
    package mutating func takeDue(at now: Int64) -> Element? {
        guard let first = entries.first, first.due <= now else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            sink()
        }
        return first.element
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in 2 * parent + 1...2 * parent + 2 where child < entries.count && precedes(child, least) {
                least = child
            }
            guard least != parent else { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        (entries[a].due, entries[a].order) < (entries[b].due, entries[b].order)
    }
}
