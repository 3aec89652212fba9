/// A set of hashed ids with the job number of each: 8 bytes a slot, open addressing. A hit is only a suspicion; the
/// caller compares the ids themselves, so equal hashes of different ids do no harm.
final class CustomIDTable {
    struct Entry {
        var hash: UInt64
        /// Number of the job within its batch, from 1.
        var number: UInt32
    }

    /// 32 MiB of slots, filled to seven tenths.
    private static let maximumSlots = 4_194_304
    private static let maximumEntries = maximumSlots / 10 * 7

    private static let markBits: UInt64 = 0xFFFF_FFFF_0000_0000
    /// Upper half: 32 bits of the hash. Lower half: the job's number; a slot of 0 is empty.
    private let slots: UnsafeMutablePointer<UInt64>
    private let count: Int

    /// How often a batch of this size has to be passed over, with a part of its ids each time.
    static func passes(for jobs: Int) -> Int { max(1, (jobs + maximumEntries - 1) / maximumEntries) }

    init(expecting jobs: Int) {
        var count = 1_024
        while count < Self.maximumSlots && count / 10 * 7 < jobs { count *= 2 }
        self.count = count
        slots = .allocate(capacity: count)
        slots.initialize(repeating: 0, count: count)
    }

    deinit { slots.deallocate() }

    func clear() { slots.update(repeating: 0, count: count) }

    /// Adds an id unless it is there. The closure is asked whether the job of a suspicious slot has the very same id;
    /// what it returns for yes is returned, and then nothing is added.
    @inline(__always)
    func insert<Match>(
        _ entry: Entry, isSame: (UInt32) throws(StoreError) -> Match?
    ) throws(StoreError) -> Match? {
        let mask = count - 1
        let mark = entry.hash & Self.markBits
        var index = Int(truncatingIfNeeded: entry.hash) & mask
        while slots[index] != 0 {
            if slots[index] & Self.markBits == mark,
                let match = try isSame(UInt32(truncatingIfNeeded: slots[index]))
            {
                return match
            }
            index = (index + 1) & mask
        }
        slots[index] = mark | UInt64(entry.number)
        return nil
    }
}
