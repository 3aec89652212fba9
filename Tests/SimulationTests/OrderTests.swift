import OffpeakCore
import OffpeakSimulator
import Testing

/// Whose turn it is.
@Suite struct OrderTests {
    /// Jain's index of fairness in thousandths: 1000 when all have the same.
    private func jain(_ shares: [Int]) -> Int {
        let sum = shares.reduce(0, +)
        let squares = shares.reduce(0) { $0 + $1 * $1 }
        return squares == 0 ? 0 : sum * sum * 1_000 / (shares.count * squares)
    }

    /// Sends up to the moment when the first class has nothing left.
    private func whileAllWait(_ report: NightReport) -> ArraySlice<ServedSend> {
        let last = Dictionary(report.served.indices.map { (report.served[$0].className, $0) }) { $1 }
        return report.served[...(last.values.min() ?? 0)]
    }

    private func count(_ sends: ArraySlice<ServedSend>, _ className: String) -> Int {
        sends.count { $0.className == className }
    }

    @Test(arguments: [Limits(rpm: 240), Limits(concurrent: 6), Limits(tpm: 201 * 120, concurrent: 30)])
    func `Classes are served by their weights`(limits: Limits) {
        var plan = NightPlan.calm(limits)
        plan.classes = []
        let weights = ["one": 1, "two": 2, "five": 5]
        for (name, weight) in weights.sorted(by: { $0.key < $1.key }) {
            plan.addClass(name, weight: weight)
            plan.submit(700 * weight / 5 + 100, className: name)
        }
        let sends = whileAllWait(plan.play())
        #expect(sends.count > 500)
        let shares = weights.sorted { $0.key < $1.key }.map { count(sends, $0.key) * 1_000 / $0.value }
        #expect(jain(shares) >= 990, "\(shares)")
    }

    @Test func `Classes bound by requests and by tokens have the same share of what bounds them`() {
        var plan = NightPlan.calm(Limits(rpm: 300, tpm: 60_000))
        plan.classes = []
        plan.addClass("short")
        plan.addClass("long")
        plan.batches = [
            BatchPlan(flows: [
                .init(className: "short", jobs: 900, bodyBytes: 40...40, maxOutputTokens: 9),
                .init(className: "long", jobs: 300, bodyBytes: 2_000...2_000, maxOutputTokens: 99),
            ])
        ]
        let sends = whileAllWait(plan.play())
        // Dominant shares: 1/300 of the requests for a short one, 600/60000 of the tokens for a long one.
        let shares = [count(sends, "short") * 1_000, count(sends, "long") * 3_000]
        #expect(jain(shares) >= 990, "\(shares)")
    }

    @Test func `A class that comes late gets its share, and nothing for the time before`() {
        var plan = NightPlan.calm(Limits(rpm: 240))
        plan.addClass("late")
        plan.submit(1_500)
        plan.batches.append(BatchPlan(at: 125_000, flows: [.init(className: "late", jobs: 400)]))
        let report = plan.play()
        guard let joined = report.served.firstIndex(where: { $0.className == "late" }) else {
            Issue.record("the late class was never served")
            return
        }
        // Two minutes' allowance after it came.
        let sends = report.served[joined..<min(joined + 480, report.served.count)]
        let shares = [count(sends, "nightly"), count(sends, "late")]
        #expect(jain(shares) >= 990, "\(shares)")
    }

    @Test func `Within a class the earliest deadline goes first`() {
        var plan = NightPlan.calm(Limits(rpm: 120))
        plan.submit(150)
        plan.submit(150, deadline: 3_600_000)
        plan.submit(150, deadline: 1_800_000)
        let batches = plan.play().served.map(\.batch)
        #expect(batches.count == 450 && batches == batches.sorted(by: >))
    }

    @Test func `Priority goes before weight and deadline`() {
        var plan = NightPlan.calm(Limits(rpm: 120))
        plan.addClass("heavy", weight: 50)
        plan.addClass("urgent", priority: 1)
        plan.submit(100, className: "heavy", deadline: 60_000)
        plan.submit(100, className: "urgent")
        plan.submit(100, priority: 2)
        let batches = plan.play().served.map(\.batch)
        #expect(batches == [2, 1, 0].flatMap { Array(repeating: $0, count: 100) })
    }
}
