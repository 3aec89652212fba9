import OffpeakCore

/// Writes values as bytes for the spill file: integers as 8 bytes, texts and bodies with their length before them.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(_ value: Int64) {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func write(_ value: Int) { write(Int64(value)) }

    mutating func write(_ value: [UInt8]) {
        write(value.count)
        bytes.append(contentsOf: value)
    }

    mutating func write(_ value: String) { write([UInt8](value.utf8)) }

    mutating func write(_ usage: Usage) {
        write(usage.inputTokens)
        write(usage.cachedTokens)
        write(usage.cacheWriteTokens)
        write(usage.outputTokens)
        write(usage.reasoningTokens)
    }

    mutating func write(_ charge: Charge) {
        for money in [charge.provider, charge.platform, charge.credit, charge.list] { write(money.nanodollars) }
    }

    /// What the ledger gets; a zero where there is nothing.
    mutating func write(_ entry: LedgerEntry?) {
        guard let entry else { return write(0) }
        write(1)
        write(entry.kind.rawValue)
        write(entry.route.key)
        write(entry.route.bill.rawValue)
        write(entry.route.lane.rawValue)
        write(entry.route.model)
        write(entry.charge)
        write(entry.usage)
        write(entry.requests)
        write(entry.tokens)
        write(entry.day)
    }

    mutating func write(_ settlement: Settlement) {
        write(settlement.job)
        write(settlement.flow)
        write(settlement.lease)
        write(settlement.ended.milliseconds)
        write(settlement.reason)
        write(settlement.attemptsUsed)
        write(settlement.disposition.word)
        switch settlement.disposition {
        case .retry(let moment), .defer(let moment): write(moment.milliseconds)
        case .complete, .nextKey, .shared, .nextModel, .park, .fail: write(0)
        }
        switch settlement.outcome {
        case .success(let answer):
            write(1)
            write(answer.statusCode)
            write(answer.requestID)
            write(answer.usage)
            write(answer.body)
        case .failure(let failure):
            write(0)
            write(failure.statusCode)
            write(failure.failureClass.rawValue)
            write(failure.usage)
            write(failure.code)
            write(failure.message)
        }
        write(settlement.entry)
    }
}

/// Reads what `ByteWriter` wrote; nil for anything else.
struct ByteReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func int64() -> Int64? {
        guard offset + 8 <= bytes.count else { return nil }
        defer { offset += 8 }
        return bytes[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | Int64($1) }
    }

    mutating func int() -> Int? { int64().map(Int.init) }

    mutating func array() -> [UInt8]? {
        guard let count = int(), count >= 0, count <= bytes.count - offset else { return nil }
        defer { offset += count }
        return [UInt8](bytes[offset..<offset + count])
    }

    mutating func string() -> String? { array().map { String(decoding: $0, as: UTF8.self) } }

    mutating func usage() -> Usage? {
        guard let input = int(), let cached = int(), let written = int(), let output = int(), let reasoning = int()
        else { return nil }
        return Usage(
            inputTokens: input, cachedTokens: cached, cacheWriteTokens: written, outputTokens: output,
            reasoningTokens: reasoning)
    }

    mutating func charge() -> Charge? {
        guard let provider = int64(), let platform = int64(), let credit = int64(), let list = int64() else {
            return nil
        }
        return Charge(
            provider: Money(nanodollars: provider), platform: Money(nanodollars: platform),
            credit: Money(nanodollars: credit), list: Money(nanodollars: list))
    }

    /// What `ByteWriter` wrote of an entry; the outer nil is for anything else.
    mutating func entry() -> LedgerEntry?? {
        guard let has = int() else { return nil }
        if has == 0 { return .some(nil) }
        guard let kind = int().flatMap(LedgerEntry.Kind.init), let key = string(),
            let bill = string().flatMap(Billing.init), let lane = string().flatMap(Lane.init), let model = string(),
            let charge = charge(), let usage = usage(), let requests = int(), let tokens = int(), let day = int()
        else { return nil }
        return LedgerEntry(
            kind: kind, route: LedgerRoute(key: key, bill: bill, lane: lane, model: model), charge: charge,
            usage: usage, requests: requests, tokens: tokens, day: day)
    }

    mutating func settlement() -> Settlement? {
        guard let job = int64(), let flow = int64(), let lease = int(), let ended = int64(), let reason = string(),
            let attemptsUsed = int(), let word = string(), let moment = int64(),
            let disposition = Disposition(word: word, moment: Timestamp(milliseconds: moment)), let outcome = outcome(),
            let entry = entry(), offset == bytes.count
        else { return nil }
        return Settlement(
            job: job, flow: flow, lease: lease, ended: Timestamp(milliseconds: ended), outcome: outcome,
            disposition: disposition, reason: reason, attemptsUsed: attemptsUsed, entry: entry)
    }

    private mutating func outcome() -> AttemptOutcome? {
        guard let kind = int(), let statusCode = int() else { return nil }
        if kind == 1 {
            guard let requestID = string(), let usage = usage(), let body = array() else { return nil }
            return .success(Answer(statusCode: statusCode, requestID: requestID, body: body, usage: usage))
        }
        guard let failureClass = string().flatMap(FailureClass.init), let usage = usage(), let code = string(),
            let message = string()
        else { return nil }
        return .failure(
            Failure(failureClass, code: code, message: message, statusCode: statusCode, usage: usage))
    }
}

extension Disposition {
    /// The disposition of this word; `moment` is for those that have one.
    init?(word: String, moment: Timestamp) {
        let all: [Disposition] = [
            .complete, .retry(at: moment), .nextKey, .shared, .nextModel, .defer(until: moment), .park, .fail,
        ]
        guard let match = all.first(where: { $0.word == word }) else { return nil }
        self = match
    }
}
