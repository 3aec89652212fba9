import Testing

@testable import OffpeakCore

/// The send log and its windows beside a plain list that is added up anew for every question.
@Suite struct `Sliding window` {
    /// The same window, computed from nothing but the entries.
    struct Model {
        var entries: [SendLog.Entry] = []
        /// Entries before this have been seen to leave, in order.
        var head = 0
        let measure: SlidingWindow.Measure
        let length: Interval

        func weight(_ entry: SendLog.Entry) -> Int { measure == .requests ? entry.requests : entry.tokens }

        func leaves(_ index: Int) -> Timestamp { entries[index].countedAt + length + .milliseconds(5) }

        mutating func expire(at now: Timestamp) {
            while head < entries.count, leaves(head) <= now { head += 1 }
        }

        var used: Int { entries[head...].reduce(0) { $0 + weight($1) } }

        /// What a server counts at most: every entry that can still be inside its window.
        func trulyUsed(at now: Timestamp) -> Int {
            entries.indices.filter { leaves($0) > now }.reduce(0) { $0 + weight(entries[$1]) }
        }

        /// The first moment at which so much more fits, found by trying every moment at which something leaves.
        func freeAt(_ amount: Int, limit: Int, from now: Timestamp) -> Timestamp? {
            func fits(_ moment: Timestamp) -> Bool {
                var later = self
                later.expire(at: moment)
                let used = later.used
                return used + amount <= limit || used == 0
            }
            if fits(now) { return nil }
            return (head..<entries.count).map(leaves).filter { $0 > now }.sorted().first(where: fits)
        }
    }

    struct Pair {
        var log = SendLog()
        var window: SlidingWindow
        var model: Model
        var now = at(0)
        var forgotten = 0

        init(_ measure: SlidingWindow.Measure, limit: Int, length: Interval) {
            window = SlidingWindow(measure, limit: limit, length: length, over: log)
            model = Model(measure: measure, length: length)
        }

        mutating func append(tokens: Int) -> Int {
            let entry = SendLog.Entry(countedAt: now + .milliseconds(500), requests: 1, tokens: tokens)
            let sequence = log.append(entry)
            window.appended(entry)
            model.entries.append(entry)
            return sequence
        }

        mutating func change(_ sequence: Int, _ edit: (inout SendLog.Entry) -> Void) {
            edit(&model.entries[sequence])
            guard sequence >= log.first else { return }
            let old = log[sequence]
            edit(&log[sequence])
            window.changed(sequence, from: old, to: log[sequence])
        }

        mutating func expire() {
            window.expire(log, at: now)
            model.expire(at: now)
        }

        mutating func forget() {
            log.drop(before: window.head)
            forgotten = log.first
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `random sends, answers and refusals add up as in a plain list`(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let measure: SlidingWindow.Measure = seed % 2 == 0 ? .requests : .tokens
        let limit = measure == .requests ? 12 : 3_000
        var pair = Pair(measure, limit: limit, length: .seconds(seed % 3 == 0 ? 1 : 60))
        var open: [Int] = []
        var waits = 0
        for step in 0..<2_000 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4: open.append(pair.append(tokens: Int.random(in: 0...700, using: &generator)))
            case 4..<7 where !open.isEmpty:
                let sequence = open.remove(at: Int.random(in: 0..<open.count, using: &generator))
                let tokens = Int.random(in: 0...700, using: &generator)
                let isRefused = Int.random(in: 0..<5, using: &generator) == 0
                let now = pair.now
                pair.change(sequence) { entry in
                    entry.countedAt = isRefused ? entry.countedAt : min(entry.countedAt, now)
                    (entry.requests, entry.tokens) = isRefused ? (0, 0) : (1, tokens)
                }
            case 7: pair.forget()
            default: pair.now = pair.now + .milliseconds(Int64.random(in: 0...900, using: &generator))
            }
            pair.expire()
            let line = "step \(step), \(rerun("Sliding window", seed: seed))"
            #expect(pair.window.used == pair.model.used, "\(line)")
            // The list is slow on purpose, so it is not asked everything at every step.
            guard step % 12 == 0 else { continue }
            if step % 24 == 0 { #expect(pair.window.used >= pair.model.trulyUsed(at: pair.now), "\(line)") }
            let amount = measure == .requests ? 1 : Int.random(in: 1...900, using: &generator)
            let free = pair.window.freeAt(amount, limit: limit, in: pair.log)
            #expect(free == pair.model.freeAt(amount, limit: limit, from: pair.now), "\(line)")
            waits += free == nil ? 0 : 1
        }
        #expect(waits > 20 && pair.forgotten > 100, "the case was too easy: \(waits) waits")
    }

    @Test func `the moment it names is the first at which the amount fits`() {
        var pair = Pair(.requests, limit: 3, length: .seconds(60))
        for _ in 0..<3 {
            _ = pair.append(tokens: 1)
            pair.now = pair.now + .seconds(10)
        }
        pair.expire()
        // Sent at 0, counted at 500 ms at the latest, out of the window 60 s later, plus the slack for whole milliseconds.
        #expect(pair.window.freeAt(1, limit: 3, in: pair.log) == at(60_505))
        #expect(pair.window.freeAt(2, limit: 3, in: pair.log) == at(70_505))
        pair.now = at(60_504)
        pair.expire()
        #expect(pair.window.used == 3)
        pair.now = at(60_505)
        pair.expire()
        #expect(pair.window.used == 2 && pair.window.freeAt(1, limit: 3, in: pair.log) == nil)
    }

    @Test func `an amount above the whole limit goes alone`() {
        var pair = Pair(.tokens, limit: 100, length: .seconds(60))
        #expect(pair.window.freeAt(5_000, limit: 100, in: pair.log) == nil)
        _ = pair.append(tokens: 1)
        #expect(pair.window.freeAt(5_000, limit: 100, in: pair.log) == at(60_505))
    }

    @Test func `an early answer behind a slow one does not promise room too soon`() {
        var pair = Pair(.requests, limit: 2, length: .seconds(60))
        _ = pair.append(tokens: 1)
        let quick = pair.append(tokens: 1)
        pair.now = at(20)
        let now = pair.now
        pair.change(quick) { $0.countedAt = min($0.countedAt, now) }
        let free = pair.window.freeAt(1, limit: 2, in: pair.log)
        #expect(free == at(60_505))
        pair.now = free!
        pair.expire()
        #expect(pair.window.freeAt(1, limit: 2, in: pair.log) == nil)
    }

    @Test func `a window laid over an old log counts what is in it`() {
        var log = SendLog()
        for i in 0..<5 { _ = log.append(.init(countedAt: second(Int64(i)), requests: 1, tokens: 10)) }
        log.drop(before: 2)
        var window = SlidingWindow(.tokens, limit: 100, length: .seconds(10), over: log)
        #expect(window.used == 30 && window.head == 2)
        window.expire(log, at: at(13_005))
        #expect(window.used == 10)
    }

    @Test func `the log keeps its numbers while it forgets thousands of entries`() {
        var log = SendLog()
        for i in 0..<10_000 {
            #expect(log.append(.init(countedAt: at(Int64(i)), requests: 1, tokens: i)) == i)
            if i % 7 == 0 { log.drop(before: i - 50) }
            #expect(log[i].tokens == i && log.end == i + 1)
            if i > 60 { #expect(log[i - 40].tokens == i - 40) }
        }
        #expect(log.first == 9_946)
        log.drop(before: 20_000)
        #expect(log.first == 10_000 && log.end == 10_000)
        log.drop(before: 3)
        #expect(log.append(.init(countedAt: at(0), requests: 1, tokens: 0)) == 10_000)
    }

    @Test func `a stretch of the log is counted by when the server may have counted it`() {
        var log = SendLog()
        for i in 0..<10 { _ = log.append(.init(countedAt: second(Int64(i)), requests: 1, tokens: 100)) }
        let window = SlidingWindow(.requests, limit: 1, length: .seconds(60), over: log)
        #expect(window.counted(before: second(8), length: .seconds(3), in: log) == 3)
        #expect(window.counted(before: second(100), length: .seconds(3), in: log) == 0)
        #expect(window.counted(before: second(9), length: .seconds(60), in: log) == 10)
    }
}
