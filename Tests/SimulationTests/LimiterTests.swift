import OffpeakCore
import OffpeakSimulator
import Testing

/// The limiter against servers that count in four ways, written independently of it.
@Suite struct LimiterTests {
    /// Five times a minute's limit takes four minutes at best: one allowance at once, then one a minute.
    private static let rounds = 5

    /// What was used of the time, in thousandths of the best: the best time over the time from the first to the last send.
    private func utilisation(_ report: NightReport, best: Int64) -> Int64 {
        let sends = report.served.map(\.at)
        guard let first = sends.first, let last = sends.last, last > first else { return 0 }
        return best * 1_000 / (last - first)
    }

    @Test(arguments: [MeterKind.sliding, .bucket, .fixed], [60, 600] as [Int])
    func `A limit of requests is used to 98 percent without a refusal`(server: MeterKind, rpm: Int) {
        var plan = NightPlan.calm(Limits(rpm: rpm, concurrent: rpm), server: server)
        plan.submit(rpm * Self.rounds)
        let report = plan.play()
        #expect(report.counts.sends == rpm * Self.rounds && report.counts.limitRefusals == 0)
        let used = utilisation(report, best: 60_000 * Int64(Self.rounds - 1))
        #expect(used >= 980, "\(used) thousandths")
    }

    @Test(arguments: [MeterKind.sliding, .bucket, .fixed])
    func `A limit of tokens is used to 98 percent without a refusal`(server: MeterKind) {
        // 400 bytes and 100 tokens of output are 201 tokens.
        var plan = NightPlan.calm(Limits(tpm: 201 * 200, concurrent: 200), server: server)
        plan.submit(200 * Self.rounds)
        let report = plan.play()
        #expect(report.counts.sends == 200 * Self.rounds && report.counts.limitRefusals == 0)
        let used = utilisation(report, best: 60_000 * Int64(Self.rounds - 1))
        #expect(used >= 980, "\(used) thousandths")
    }

    /// One send may be 200 ms longer on its way than the next, so a slice of a second is full for 1.2 s at least: 83 % is
    /// the most there is. The limiter does not know the way and allows for half a second.
    @Test func `A limit cut into seconds is kept without a refusal, as well as an unknown way allows`() {
        var plan = NightPlan.calm(Limits(rpm: 600), model: .slices, server: .slices)
        plan.submit(1_200)
        let report = plan.play()
        #expect(report.counts.sends == 1_200 && report.counts.limitRefusals == 0)
        let used = utilisation(report, best: 119_000)
        #expect(used >= 640, "\(used) thousandths")
    }

    @Test(arguments: 0..<8 as Range<UInt64>, [MeterKind.sliding, .bucket, .fixed])
    func `A run that is killed and started again sends no second burst`(seed: UInt64, server: MeterKind) {
        var plan = NightPlan.calm(seed: seed, Limits(rpm: 120, tpm: 201 * 100), server: server)
        plan.submit(400)
        plan.run.restart = 100...5_000
        plan.dawn = 200_000
        for at in [700, 30_000, 61_500, 62_000, 110_000] as [Int64] { plan.acts.append(Act(at: at, .kill)) }
        let report = plan.play()
        #expect(report.counts.deaths >= 3)
        #expect(report.counts.limitRefusals == 0)
        #expect(report.counts.states[JobState.succeeded.rawValue] == 400)
    }

    @Test(arguments: [1, 3, 20] as [Int]) func `As many are in flight as may be, and no more`(concurrent: Int) {
        var plan = NightPlan.calm(Limits(concurrent: concurrent))
        plan.network.work = 1_000...1_000
        plan.network.delay = 10...10
        plan.submit(concurrent * 50)
        let report = plan.play()
        #expect(report.counts.concurrencyRefusals == 0)
        let used = utilisation(report, best: 49 * 1_020)
        #expect(used >= 970, "\(used) thousandths")
    }

    /// Nothing was stated, so refusals are how the limit is found; then there are few, and little time is lost.
    @Test(arguments: MeterKind.allCases.filter { $0 != .slices }, [false, true])
    func `A limit that nobody stated is found`(server: MeterKind, sendsHeaders: Bool) {
        var plan = NightPlan.calm(Limits(), server: server)
        var account = AccountPlan()
        account.limits = [.init(server, 120)]
        account.sendsHeaders = sendsHeaders
        plan.accounts = ["main": account]
        plan.submit(1_800)
        let report = plan.play()
        #expect(report.counts.states[JobState.succeeded.rawValue] == 1_800)
        #expect(report.counts.limitRefusals <= 36, "\(report.counts.limitRefusals) refusals")
        let used = utilisation(report, best: 60_000 * 14)
        #expect(used >= 900, "\(used) thousandths")
    }
}
