/// One key, in the lane that it offers now, as a way for one job, with what stands against it.
struct RouteOffer: Sendable {
    let key: Int
    /// The provider's name of the model.
    var model = ""
    /// To be reserved.
    let tokens: Int
    let isShared: Bool
    var lane = Lane.sync
    /// Why not in a lane that the class prefers.
    var lanePassedOver: KeyObstacle?
    var obstacle: KeyObstacle?
    /// What it would probably cost; nil when unknown or not asked for.
    var cost: Money?
    /// Mean answer time in µs, 0 while unknown.
    var latency = 0

    init(key: Int, tokens: Int, isShared: Bool) {
        self.key = key
        self.tokens = tokens
        self.isShared = isShared
    }

    /// The better one by an objective. Own keys come before shared capacity, known prices before unknown ones.
    func goesBefore(_ other: RouteOffer, by objective: Objective) -> Bool {
        if isShared != other.isShared { return other.isShared }
        switch objective {
        case .order: return false
        case .speed: return latency < other.latency
        case .cost:
            guard let cost else { return false }
            return other.cost.map { cost < $0 } ?? true
        }
    }
}
