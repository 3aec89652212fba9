import OffpeakCore
import OffpeakStore

extension NightPlan {
    /// Few kinds of faults a night, some of them often, so that each night has a character.
    mutating func drawFaults(_ chance: inout Chance) {
        let often = [2, 10, 50, 200]
        let fields: [WritableKeyPath<FaultRates, Int>] = [
            \.strayRefusal, \.serverError, \.overloaded, \.refusedConnection, \.lostAnswer, \.stuck, \.invalidOutput,
            \.contentRefusal, \.invalidRequest,
        ]
        for field in fields where chance.percent(30) { rates[keyPath: field] = chance.one(of: often) }
        for _ in 0..<chance.one(of: [0, 0, 1, 1, 2, 3]) {
            let begins = chance.within(0...dawn)
            let ends = begins + chance.one(of: [3_000, 30_000, 200_000, 900_000])
            spells.append(
                Spell(
                    chance.one(of: Spell.Kind.allCases), key: chance.percent(75) ? chance.below(keys.count) : nil,
                    during: begins..<max(begins + 1, min(ends, dawn))))
        }
    }

    mutating func drawActs(_ chance: inout Chance) {
        for _ in 0..<chance.one(of: [0, 0, 1, 2, 4]) {
            let at = chance.within(0...dawn)
            let until = at + chance.one(of: [500, 20_000, 300_000])
            switch chance.below(9) {
            case 0...1:
                let key = chance.below(keys.count)
                acts += [Act(at: at, .pauseKey(key, true)), Act(at: until, .pauseKey(key, false))]
            case 2:
                let index = chance.below(classes.count)
                acts += [Act(at: at, .pauseClass(index, true)), Act(at: until, .pauseClass(index, false))]
            case 3:
                let batch = chance.below(batches.count)
                acts += [Act(at: at, .pauseBatch(batch, true)), Act(at: until, .pauseBatch(batch, false))]
            case 4: acts.append(Act(at: at, .cancel(chance.below(batches.count))))
            case 5...6:
                acts.append(
                    Act(at: at, .retry(chance.below(batches.count), chance.one(of: RetrySelection.allCases))))
            case 7: acts.append(Act(at: at, .stop(hard: chance.percent(50))))
            default: acts.append(Act(at: at, .diskFails(chance.one(of: [200, 3_000, 20_000, 60_000]))))
            }
        }
    }

    mutating func drawRuns(_ chance: inout Chance) {
        run.commit = chance.one(of: [1...4, 2...12, 4...40, 10...300])
        run.watches = chance.percent(15)
        run.noWait = !run.watches && chance.percent(15)
        if chance.percent(20) {
            run.commitFails = chance.one(of: [2, 20, 100])
            run.commitFailsApplied = chance.one(of: [2, 20, 100])
        }
        if chance.percent(50) {
            run.deaths = chance.within(1...4)
            run.diesAfterCommit = chance.one(of: [0, 10, 50])
            run.diesBeforeCommit = chance.one(of: [0, 10, 50])
            run.diesWithAnswer = chance.one(of: [0, 10, 50])
            for _ in 0..<chance.below(3) { acts.append(Act(at: chance.within(0...dawn), .kill)) }
            run.restart = chance.one(of: [50...500, 200...10_000, 10_000...180_000])
        }
        if chance.percent(15) {
            run.clockJumps = 50
            run.farthestJump = chance.one(of: [2_000, 90_000, 3_600_000, 40_000_000])
        }
    }
}
