import HTTPServer
import JSONLines
import OffpeakRehearsal
import Testing

@Suite struct LedgerTests {
    private func json(_ provider: VirtualProvider) throws -> JSONSlice {
        try #require(provider.get("/_rehearse/ledger").json)
    }

    @Test func `duplicates are bodies that come again after their answer`() throws {
        let provider = VirtualProvider(RehearsalProfile(latency: .fixed(1_000_000), otherKeys: KeyProfile()))
        _ = provider.send(chat("a"))
        _ = provider.send(chat("a"), after: 500_000)  // Still under way: repeated, not yet a duplicate.
        _ = provider.send(chat("b"))
        provider.settle(after: 2_000_000)
        #expect(provider.core.ledger.duplicates == 0)
        _ = provider.send(chat("a"))
        _ = provider.send(chat("a"))
        provider.settle(after: 2_000_000)
        let ledger = try json(provider)
        #expect(ledger["requests"]?.int == 5)
        #expect(ledger["answers"]?.int == 5)
        #expect(ledger["duplicates_by_body"]?.int == 2)
        #expect(ledger["duplicates"]?.elements.count == 1)
        #expect(ledger["duplicates"]?[0]?["times"]?.int == 2)
        #expect(ledger["requests_repeated"]?["bodies"]?.int == 1)
        #expect(ledger["requests_repeated"]?["extra"]?.int == 3)
        #expect(ledger["requests_repeated"]?["by_extra"]?["3"]?.int == 1)
    }

    @Test func `a retry after a fault or a refusal is no duplicate`() throws {
        let limited = KeyProfile(text: "k", limits: KeyLimits(rpm: 5, window: 1_000_000))
        for what in [FaultKind.serverError, .invalidJSON, .errorIn200, .cut, .close, .rateLimit] {
            let provider = VirtualProvider(
                RehearsalProfile(latency: .fixed(1_000), keys: [limited], faults: [FaultRule(what, at: [1])]))
            _ = provider.send(chat("a"), key: "k")
            _ = provider.send(chat("a"), key: "k", after: 5_000)
            provider.settle(after: 5_000)
            #expect(provider.core.ledger.duplicates == 0, "\(what)")
            #expect(provider.core.ledger.answers == 1)
            #expect(provider.core.ledger.repeats(admittedOnly: false) == [1: 1])
            #expect(provider.core.ledger.repeats(admittedOnly: true) == (what == .rateLimit ? [:] : [1: 1]))
        }
    }

    @Test func `every request is in exactly one place`() throws {
        let kinds: [FaultKind] = [.serverError, .cut, .close, .hang, .invalidJSON, .badGateway, .rateLimit, .quota]
        let provider = VirtualProvider(
            RehearsalProfile(
                seed: 9, latency: .range(min: 0, max: 900_000),
                keys: [
                    KeyProfile(text: "a", limits: KeyLimits(rpm: 20, window: 1_000_000)), KeyProfile(text: "b"),
                ], faults: kinds.map { FaultRule($0, rate: 50_000) }))
        var statuses: [Int: Int] = [:]
        for number in 0..<2_000 {
            let answer = provider.send(
                chat("\(number % 700)"), key: ["a", "b", "c"][number % 3], after: Int64(number % 37) * 1_000)
            if answer.delivery == .whole { statuses[answer.status, default: 0] += 1 }
        }
        provider.settle(after: 10_000_000)
        let ledger = try json(provider)
        let counted = ledger["by_status"]?.members.map { $0.value.int ?? 0 }.reduce(0, +) ?? 0
        let undelivered = try #require(ledger["undelivered"]?.int)
        let hanging = try #require(ledger["in_flight"]?.int)
        #expect(undelivered > 0 && hanging > 0)
        #expect(ledger["requests"]?.int == 2_000)
        #expect(counted + undelivered + hanging == 2_000)
        #expect(ledger["by_status"]?["200"]?.int == statuses[200])
        #expect(ledger["by_status"]?["429"]?.int == statuses[429])
        #expect(ledger["by_status"]?["401"]?.int == statuses[401])
        let sound = try #require(ledger["answers"]?.int)
        #expect(sound + (ledger["spoiled_answers"]?.int ?? 0) == statuses[200])
        let keys = try #require(ledger["by_key"]?.members)
        #expect(keys.map(\.name) == ["a", "b", "unknown-1"])
        #expect(keys.map { $0.value["requests"]?.int ?? 0 }.reduce(0, +) == 2_000)
        #expect(keys.map { $0.value["answers"]?.int ?? 0 }.reduce(0, +) == sound)
        #expect(keys[0].value["peak_in_window"]?.int == 20)
    }

    @Test func `times are those of the first request and the last answer`() throws {
        let provider = VirtualProvider(RehearsalProfile(latency: .fixed(250_000), otherKeys: KeyProfile()))
        #expect(try json(provider)["first_request_ms"]?.isNull == true)
        _ = provider.send(chat("a"), after: 1_000_000)
        _ = provider.send(chat("b"), after: 500_000)
        provider.settle(after: 1_000_000)
        let ledger = try json(provider)
        #expect(ledger["first_request_ms"]?.int == 1_000)
        #expect(ledger["last_answer_ms"]?.int == 1_750)
    }

    @Test func `a reset begins anew, and ends from before it are not counted`() throws {
        let key = KeyProfile(text: "k", limits: KeyLimits(rpm: 1, concurrent: 1))
        let provider = VirtualProvider(
            RehearsalProfile(latency: .fixed(1_000_000), keys: [key], faults: [FaultRule(.serverError, at: [2])]))
        _ = provider.send(chat("a"), key: "k", after: 5_000_000)
        #expect(provider.get("/_rehearse/reset", method: "POST").status == 200)
        #expect(provider.send(chat("a"), key: "k").status == 200)
        provider.settle(after: 2_000_000)
        let ledger = provider.core.ledger
        #expect(ledger.requests == 1 && ledger.answers == 1 && ledger.duplicates == 0)
        #expect(ledger.firstRequest == 0 && ledger.lastAnswer == 1_000_000)
        #expect(provider.get("/_rehearse/health").status == 200)
        #expect(provider.get("/_rehearse/reset").status == 404)
    }
}
