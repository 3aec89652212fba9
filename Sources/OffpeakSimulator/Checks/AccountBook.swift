import OffpeakCore

/// All stated limits of one key or pool, as the sender counts them.
struct AccountBook {
    /// One send in all of the books.
    struct Place {
        var minute: Int
        var day: Int
        var tokens: Int
        var isCounted = true
        var isInFlight = true
    }

    let name: String
    let limits: Limits
    private var requests: SendBook?
    private var tokens: SendBook?
    private var dayRequests: [Int: Int] = [:]
    private var dayTokens: [Int: Int] = [:]
    private(set) var inFlight = 0
    private var places: [Place] = []
    let checksTokens: Bool

    init(name: String, limits: Limits, checksTokens: Bool) {
        self.name = name
        self.limits = limits
        self.checksTokens = checksTokens
        requests = limits.rpm.map { SendBook(limit: $0) }
        tokens = checksTokens ? limits.tpm.map { SendBook(limit: $0) } : nil
    }

    /// Enters a send; returns its number, and what is wrong with it.
    mutating func add(tokens amount: Int, at time: Int64, day: Int) -> (place: Int, problem: String?) {
        var problem: String?
        let minute = requests?.end ?? tokens?.end ?? 0
        if let (used, isOver) = requests?.add(1, at: time), isOver {
            problem = "\(name): \(used) requests within a minute, \(limits.rpm ?? 0) are allowed"
        }
        if let (used, isOver) = tokens?.add(amount, at: time), isOver {
            problem = "\(name): \(used) tokens within a minute, \(limits.tpm ?? 0) are allowed"
        }
        dayRequests[day, default: 0] += 1
        dayTokens[day, default: 0] += amount
        inFlight += 1
        if let rpd = limits.rpd, dayRequests[day, default: 0] > rpd {
            problem = "\(name): \(dayRequests[day, default: 0]) requests on a day, \(rpd) are allowed"
        }
        if checksTokens, let tpd = limits.tpd, dayTokens[day, default: 0] > max(tpd, amount) {
            problem = "\(name): \(dayTokens[day, default: 0]) tokens on a day, \(tpd) are allowed"
        }
        if let most = limits.concurrent, inFlight > most {
            problem = "\(name): \(inFlight) requests in flight, \(most) are allowed"
        }
        places.append(Place(minute: minute, day: day, tokens: amount))
        return (places.count - 1, problem)
    }

    /// A send has ended, or was not made; nil: what was counted stays.
    mutating func end(_ place: Int, requests amount: Int?, tokens count: Int?) {
        if places[place].isInFlight {
            places[place].isInFlight = false
            inFlight -= 1
        }
        let entry = places[place]
        if let amount, entry.isCounted, amount == 0 {
            places[place].isCounted = false
            requests?.change(entry.minute, to: 0)
            dayRequests[entry.day, default: 0] -= 1
        }
        if let count {
            tokens?.change(entry.minute, to: count)
            dayTokens[entry.day, default: 0] += count - entry.tokens
            places[place].tokens = count
        }
    }

    func tokens(at place: Int) -> Int { places[place].tokens }

    mutating func age(by length: Int64) {
        requests?.age(by: length)
        tokens?.age(by: length)
    }

    /// What was sent on days that have not come yet, by a clock that was ahead, is no part of them when they do come.
    mutating func forgetDays(after day: Int) {
        dayRequests = dayRequests.filter { $0.key <= day }
        dayTokens = dayTokens.filter { $0.key <= day }
    }

    /// A new process has nothing in flight.
    mutating func restart() {
        for i in places.indices { places[i].isInFlight = false }
        inFlight = 0
    }
}
