/// One client's connection; only the event loop's thread touches it.
final class Connection {
    /// What the connection is waiting for.
    enum Phase: Equatable {
        /// Bytes of a request.
        case reading
        /// The moment its answer is due.
        case waiting
        /// Room in the socket for the rest of an answer.
        case writing
        /// Nothing: the answer never comes.
        case hanging
        /// The client to hang up, after an answer that refused its request.
        case draining
    }

    let descriptor: Int32
    let slot: Int
    /// Tells this connection from an earlier one in the same slot.
    let generation: UInt32
    var parser: RequestParser
    var phase = Phase.reading
    /// The answer that is due or under way.
    var answer: ServerAnswer?
    var keepsAlive = true
    var headOnly = false
    var out: [UInt8] = []
    var written = 0
    /// The epoll events now asked for.
    var interest: UInt32 = 0
    /// The client sends no more.
    var peerClosed = false

    init(descriptor: Int32, slot: Int, generation: UInt32, limits: RequestLimits) {
        self.descriptor = descriptor
        self.slot = slot
        self.generation = generation
        parser = RequestParser(limits: limits)
    }

    /// What epoll gives back with an event on this connection; the first 16 values are the loop's own.
    var token: UInt64 { UInt64(generation) << 32 | UInt64(slot + 16) }
}

/// All open connections, by slot.
struct ConnectionTable {
    private var slots: [Connection?] = []
    private var free: [Int] = []
    private var generation: UInt32 = 0
    private(set) var open = 0

    mutating func add(descriptor: Int32, limits: RequestLimits) -> Connection {
        generation &+= 1
        let slot = free.popLast() ?? slots.count
        let connection = Connection(descriptor: descriptor, slot: slot, generation: generation, limits: limits)
        if slot == slots.count { slots.append(connection) } else { slots[slot] = connection }
        open += 1
        return connection
    }

    mutating func remove(_ connection: Connection) {
        guard slots[connection.slot] === connection else { return }
        slots[connection.slot] = nil
        free.append(connection.slot)
        open -= 1
    }

    /// The connection that a token was made for, unless it is gone.
    func find(_ token: UInt64) -> Connection? {
        let slot = Int(truncatingIfNeeded: token & 0xFFFF_FFFF) - 16
        guard slots.indices.contains(slot), let connection = slots[slot], connection.token == token else { return nil }
        return connection
    }

    var all: [Connection] { slots.compactMap { $0 } }
}
