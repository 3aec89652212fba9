import OffpeakCore
import OffpeakSimulator
import Testing

/// How runs end, wait, and go on.
@Suite struct RunTests {
    @Test(arguments: 0..<20 as Range<UInt64>) func `A soft stop lets finish what is in flight, and begins nothing`(
        seed: UInt64
    ) {
        var plan = NightPlan.calm(seed: seed, Limits(concurrent: 20))
        plan.submit(2_000)
        plan.dawn = 600_000
        plan.acts = [Act(at: 10_000, .stop(hard: false))]
        let report = plan.play()
        #expect(report.served.allSatisfy { $0.at <= 10_000 + 20 })
        #expect(report.counts.sends == report.counts.answers)
        #expect(report.counts.states[JobState.succeeded.rawValue] == report.counts.sends)
        #expect(report.counts.states[JobState.ready.rawValue] == 2_000 - report.counts.sends)
        #expect(report.ended < 10_000 + 2_500)
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `A hard stop ends at once, and costs no attempt`(seed: UInt64) {
        var plan = NightPlan.calm(seed: seed, Limits(concurrent: 20))
        plan.submit(2_000)
        plan.dawn = 600_000
        plan.acts = [Act(at: 10_000, .stop(hard: true))]
        let report = plan.play()
        #expect(report.ended < 10_100)
        // What is begun in just this moment is not sent any more.
        let lost = report.counts.failures[.unknownOutcome, default: 0]
        #expect(lost + report.counts.failures[.unavailable, default: 0] <= 20 && lost >= 10)
        #expect(report.counts.states[JobState.succeeded.rawValue] == report.counts.sends - lost)
        let waiting = report.counts.states[JobState.ready.rawValue] + report.counts.states[JobState.scheduled.rawValue]
        #expect(waiting == 2_000 - report.counts.sends + lost)
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func `A kill repeats only what was in flight`(seed: UInt64) {
        var plan = NightPlan.calm(seed: seed, Limits(concurrent: 8))
        plan.submit(300)
        plan.dawn = 600_000
        plan.acts = [4_000, 9_000, 17_000].map { Act(at: $0, .kill) }
        plan.run.restart = 100...100
        let report = plan.play()
        #expect(report.counts.deaths == 3)
        #expect(report.counts.states[JobState.succeeded.rawValue] == 300)
        // The servers still work on what the dead run sent, and refuse what is too much for them.
        #expect(report.counts.sends <= 300 + 3 * 8 + report.counts.concurrencyRefusals)
    }

    @Test func `A governance class parks what a kill left open, and a person decides`() {
        var plan = NightPlan.calm(Limits(concurrent: 5))
        var policy = ClassPolicy(name: "nightly", posture: .governance)
        policy.keyOnly = ["main"]
        plan.classes = [ClassPlan(policy)]
        plan.submit(100)
        plan.dawn = 600_000
        plan.acts = [Act(at: 5_000, .kill)]
        let report = plan.play()
        #expect(report.counts.states[JobState.parked.rawValue] == 5)
        #expect(report.counts.states[JobState.succeeded.rawValue] == 95 && report.counts.sends == 100)
    }

    @Test(arguments: [-36_000_000, -3_600_000, -61_000, 61_000, 3_600_000] as [Int64])
    func `A clock that is set between two runs makes nobody wait, and lets nobody rush`(distance: Int64) {
        var plan = NightPlan.calm(Limits(rpm: 60))
        plan.submit(120)
        plan.dawn = 50_000
        plan.acts = [Act(at: 10_000, .kill)]
        plan.run.restart = 20_000...20_000
        plan.run.jumps = [distance]
        let report = plan.play()
        // Three allowances: one before the kill, one after it, one for what the kill repeats.
        #expect(report.ended < 200_000)
        // Put forward, it makes the past look older than it is, which nobody can tell.
        #expect(distance > 0 || report.counts.limitRefusals == 0)
    }

    @Test func `A closed window costs neither turns nor attempts`() {
        var plan = NightPlan.calm(Limits(rpm: 60))
        // Starts at 08:00; open from 22:00 to 06:00.
        plan.classes[0].window = 79_200_000...108_000_000
        plan.submit(100)
        let report = plan.play()
        let opens = 79_200_000 - plan.start % 86_400_000
        #expect(report.served.allSatisfy { $0.at >= opens } && report.counts.sends == 100)
        // A turn or two for each of the hundred, and a handful for the whole day before.
        #expect(report.counts.turns < 500)
    }

    @Test func `A provider that is away for an hour costs no job`() {
        var plan = NightPlan.calm(Limits(rpm: 120))
        plan.submit(300)
        plan.dawn = 7_200_000
        plan.spells = [Spell(.unreachable, key: nil, during: 20_000..<3_620_000)]
        plan.classes[0].policy.attempts = 1
        let report = plan.play()
        #expect(report.counts.states[JobState.succeeded.rawValue] == 300)
        // Probing, not hammering: one request a minute, once it is clear.
        #expect(report.counts.sends < 300 + 200, "\(report.counts.sends) sends")
    }

    @Test func `With one of two keys revoked the other takes all of it`() {
        var plan = NightPlan.calm(Limits(rpm: 120))
        plan.keys.append(KeyDescriptor(name: "second", provider: "local", limits: Limits(rpm: 120)))
        plan.accounts["second"] = plan.accounts["main"]
        plan.submit(300)
        plan.dawn = 7_200_000
        plan.spells = [Spell(.revoked, key: 0, during: 0..<7_000_000)]
        let report = plan.play()
        #expect(report.counts.states[JobState.succeeded.rawValue] == 300)
        #expect(report.served.count { $0.key == 0 } <= 120 && report.ended < 300_000)
    }
}
