import OffpeakCore
import OffpeakStore

/// What a person has paused, as the person knows it.
struct PausesSeen {
    private var keys: Set<String> = []
    private var classes: Set<String> = []
    private var batches: Set<BatchID> = []

    mutating func set(_ isPaused: Bool, key: String) { if isPaused { keys.insert(key) } else { keys.remove(key) } }
    mutating func set(_ isPaused: Bool, className: String) {
        if isPaused { classes.insert(className) } else { classes.remove(className) }
    }
    mutating func set(_ isPaused: Bool, batch: BatchID) {
        if isPaused { batches.insert(batch) } else { batches.remove(batch) }
    }
    func contains(key: String, className: String, batch: BatchID) -> Bool {
        keys.contains(key) || classes.contains(className) || batches.contains(batch)
    }
}

/// What the checks know of one job.
struct JobRecord {
    var lease = 0
    /// Places in the queue's list of attempts, one for each beginning.
    var attempts: [Int] = []
    var sends = 0
    var attemptsUsed = 0
    var wasSucceeded = false
    var isCancelled = false
    var result: MemoryQueue.RecordedResult?
    /// The attempt that has been decided on and has not ended: where it is in the books.
    var places: (key: Int, own: Int, pool: Int?, ownSent: Int?, poolSent: Int?)?
    var isBegun = false
    /// Asked to wait: the key and the model there, until when, in which run.
    var wait: (key: Int, model: String, until: Timestamp, run: Int)?
}

/// Everything that must hold at every moment of a night, judged from what is seen from outside: what was submitted, what
/// people did, what left, what came back, and what the queue holds. It asks the scheduler and the limiter nothing.
struct Checks {
    let plan: NightPlan
    private(set) var problem: String?
    var pauses = PausesSeen()
    var jobs: [JobID: JobRecord] = [:]
    var accepted = 0
    var served: [ServedSend] = []
    var flows: [FlowID: (batch: Int, classIndex: Int, isHopeful: Bool)] = [:]
    var models: [FlowID: String] = [:]
    /// For each class the keys that may ever serve it.
    let allowed: [[Bool]]
    /// Counted when the decision falls, and when the bytes leave.
    var books: [AccountBook] = []
    var sentBooks: [AccountBook] = []
    var poolBooks: [AccountBook] = []
    var poolSentBooks: [AccountBook] = []
    let poolOfKey: [Int?]
    /// By key and by pool: no send before this, on the runs' timeline; and the part of it that outlives a run.
    var waits: [Timestamp]
    var poolWaits: [Timestamp]
    var lastingWaits: [Timestamp]
    var lastingPoolWaits: [Timestamp]
    /// Waits whose refusals are not recorded yet, by job.
    var openWaits: [JobID: (key: Int, pool: Int?, until: Timestamp)] = [:]
    /// Jobs begun or decided on by the present run.
    var underWay: Set<JobID> = []
    /// The key and model of each job's latest attempt.
    var lastRoute: [JobID: (key: Int, model: String, lane: Lane)] = [:]
    /// Nothing has happened that excuses refusals by a server with the stated limits.
    var isLimitKept = true
    /// Where money is looked at: the account book.
    var money: MoneyBook?

    init(_ plan: NightPlan) {
        self.plan = plan
        allowed = plan.classes.map { entry in plan.keys.map { Self.mayServe($0, entry.policy) } }
        poolOfKey = plan.keys.map { key in plan.pools.firstIndex { $0.name == key.pool } }
        let isExact = plan.hasExactTokens
        books = plan.keys.map { AccountBook(name: $0.name, limits: $0.limits, checksTokens: isExact) }
        poolBooks = plan.pools.map { AccountBook(name: $0.name, limits: $0.limits, checksTokens: isExact) }
        // The day is the one of the decision.
        func perMinute(_ limits: Limits) -> Limits { Limits(rpm: limits.rpm, tpm: limits.tpm) }
        sentBooks = plan.keys.map {
            AccountBook(name: $0.name + " on the wire", limits: perMinute($0.limits), checksTokens: isExact)
        }
        poolSentBooks = plan.pools.map {
            AccountBook(name: $0.name + " on the wire", limits: perMinute($0.limits), checksTokens: isExact)
        }
        waits = plan.keys.map { _ in .distantPast }
        poolWaits = plan.pools.map { _ in .distantPast }
        (lastingWaits, lastingPoolWaits) = (waits, poolWaits)
        isLimitKept = plan.hasExactTokens && isWayShort
        money = MoneyBook(plan)
    }

    /// Notes what is wrong; the first one counts.
    mutating func fail(_ text: String) { if problem == nil { problem = text } }

    /// Something for the account book, if there is one.
    mutating func book(_ edit: (inout MoneyBook) -> Void) {
        guard money != nil else { return }
        edit(&money!)
        if let found = money?.problem { fail(found) }
    }

    /// Whether the configuration's words let the class use the key. Written from the product's description, not from
    /// `ClassPolicy.admits`, whose judge it is.
    static func mayServe(_ key: KeyDescriptor, _ policy: ClassPolicy) -> Bool {
        if !key.enabled { return false }
        // Shared capacity is for classes that say so, and never for one that is closed.
        let isClosed = policy.posture == .strict || policy.posture == .governance
        if key.billing == .platform, isClosed || policy.shared == .never { return false }
        let isNamed = policy.keyOnly.contains(key.name)
        let isTagged = Set(policy.requireTags).isSubset(of: Set(key.tags))
        let isListed = policy.keyOnly.isEmpty || isNamed
        if policy.keyExclude.contains(key.name) || !isListed || !isTagged { return false }
        switch policy.posture {
        case .strict, .governance: return isNamed || (!policy.requireTags.isEmpty && isTagged)
        case .fallback, .cost, .resilience: return true
        }
    }

    // MARK: Submission

    mutating func sawFlow(_ id: FlowID, batch: Int, className: String, model: String) {
        guard let index = plan.classes.firstIndex(where: { $0.policy.name == className }) else {
            return fail("class \(className) is not in the plan")
        }
        let first = plan.classes[index].policy.models[model]?.first ?? model
        let isHopeful = plan.keys.indices.contains {
            allowed[index][$0] && plan.keys[$0].models.providerModel(for: first) != nil
        }
        flows[id] = (batch, index, isHopeful)
        models[id] = model
    }

    mutating func accepted(_ job: JobID) {
        accepted += 1
        if jobs.updateValue(JobRecord(), forKey: job) != nil { fail("job \(job) was accepted twice") }
    }

    func plan(ofFlow flow: FlowID) -> ClassPlan? { flows[flow].map { plan.classes[$0.classIndex] } }

    mutating func cancelled(_ batch: BatchID, in queue: MemoryQueue) {
        for id in jobs.keys where id >> 32 == batch {
            if queue.jobs[id]?.state == .cancelled { jobs[id]?.isCancelled = true }
        }
    }

    mutating func retried(_ batch: BatchID, in queue: MemoryQueue) {
        for id in jobs.keys where id >> 32 == batch { jobs[id]?.attemptsUsed = queue.jobs[id]?.attemptsUsed ?? 0 }
    }

    // MARK: Time and runs

    /// A clock put forward while nothing runs makes the past seem longer ago, and nobody can tell. Put back, it must not
    /// make anything forgotten.
    mutating func clockJumped(by distance: Int64, to day: Int) {
        for i in books.indices { books[i].forgetDays(after: day) }
        for i in poolBooks.indices { poolBooks[i].forgetDays(after: day) }
        if distance > 0 {
            for i in books.indices {
                books[i].age(by: distance)
                sentBooks[i].age(by: distance)
            }
            for i in poolBooks.indices {
                poolBooks[i].age(by: distance)
                poolSentBooks[i].age(by: distance)
            }
        }
        isLimitKept = false
    }

    /// Decisions of a dead run that never became durable were never sent.
    mutating func runStarts(_ queue: MemoryQueue) {
        for job in underWay.sorted() {
            guard let record = jobs[job], let places = record.places else { continue }
            if !record.isBegun {
                books[places.key].end(places.own, requests: 0, tokens: 0)
                if let pool = poolOfKey[places.key], let place = places.pool {
                    poolBooks[pool].end(place, requests: 0, tokens: 0)
                }
            }
            jobs[job]?.places = nil
            jobs[job]?.isBegun = false
        }
        underWay = []
        for i in books.indices {
            books[i].restart()
            sentBooks[i].restart()
        }
        for i in poolBooks.indices {
            poolBooks[i].restart()
            poolSentBooks[i].restart()
        }
        (waits, poolWaits, openWaits) = (lastingWaits, lastingPoolWaits, [:])
    }

    /// Another secret may have another account behind it.
    mutating func secretChanged(_ key: Int) {
        (waits[key], lastingWaits[key]) = (.distantPast, .distantPast)
        openWaits = openWaits.filter { $0.value.key != key }
    }

    /// Dead runners use up no attempts.
    mutating func recovered(_ queue: MemoryQueue) {
        for (id, record) in jobs {
            guard let job = queue.jobs[id] else { continue }
            if job.attemptsUsed != record.attemptsUsed {
                fail("recovery changed the attempts of job \(id) from \(record.attemptsUsed) to \(job.attemptsUsed)")
            }
            if job.state == .inFlight { fail("job \(id) is in flight after recovery") }
        }
    }
}
