/// One limit over any window of its length, counted by the sender: what has been sent, and when. The simplest thing
/// that can be right, as the judge of the limiter.
struct SendBook {
    let limit: Int
    let window: Int64
    private var entries: [(time: Int64, amount: Int)] = []
    private var head = 0
    private var used = 0

    init(limit: Int, window: Int64 = 60_000) {
        self.limit = limit
        self.window = window
    }

    /// The number of the next entry.
    var end: Int { entries.count }

    /// Adds a send and returns what the window that ends with it holds. One alone may be larger than the limit.
    mutating func add(_ amount: Int, at time: Int64) -> (used: Int, isOver: Bool) {
        entries.append((time, amount))
        while entries[head].time <= time - window {
            used -= entries[head].amount
            head += 1
        }
        used += amount
        return (used, used > limit && used > amount)
    }

    /// The server counts something else for a send after all.
    mutating func change(_ index: Int, to amount: Int) {
        if index >= head { used += amount - entries[index].amount }
        entries[index].amount = amount
    }

    func amount(_ index: Int) -> Int { entries[index].amount }

    /// The sender's clock was put forward: everything seems to be longer ago.
    mutating func age(by length: Int64) { for i in entries.indices { entries[i].time -= length } }
}
