extension Scheduler {
    /// A job whose turn it is has not enough room in any key's minute of tokens. For the rest of the pass the key that will have
    /// it first gives smaller ones no more than does not put it off: or else they, one after the other, would for ever
    /// take what becomes free.
    mutating func claim(for offers: [RouteOffer]) {
        guard !offers.contains(where: { $0.obstacle?.isOfJob == true }) else { return }
        let short = offers.filter { $0.obstacle?.isOfTokens == true && $0.obstacle?.until != nil }
        guard let first = short.min(by: { $0.obstacle!.until! < $1.obstacle!.until! }) else { return }
        let (key, until) = (first.key, first.obstacle!.until!)
        var spare = keys[key].limiter.spare(beside: first.tokens, at: until)
        if let pool = keys[key].pool { spare = min(spare, pools[pool].spare(beside: first.tokens, at: until)) }
        for i in sharing(key) where keys[i].claimInPass == nil { keys[i].claimInPass = (spare, until) }
    }

    /// Something is sent beside it.
    mutating func takeFromClaim(_ key: Int, tokens: Int) {
        guard keys[key].claimInPass != nil else { return }
        for i in sharing(key) { keys[i].claimInPass?.spare -= tokens }
    }

    /// A key and those of its pool.
    private func sharing(_ key: Int) -> [Int] {
        guard let pool = keys[key].pool else { return [key] }
        return keys.indices.filter { keys[$0].pool == pool }
    }
}
