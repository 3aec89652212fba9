import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

/// A sum of the ledger's rows.
struct SpendTotal: Equatable {
    var attempts = 0
    /// Attempts that brought an answer.
    var answers = 0
    var usage = Usage()
    var charge = Charge()
    /// Attempts whose answers are lost, and what is assumed for them; a part of `charge`.
    var unknownAttempts = 0
    var unknown = Charge()

    init() {}

    init(_ lines: some Sequence<SpendLine>) {
        for line in lines { add(line) }
    }

    mutating func add(_ line: SpendLine) {
        attempts += line.row.attempts
        answers += line.row.answers
        usage = usage + line.row.usage
        charge = charge + line.row.charge
        unknownAttempts += line.unknownAttempts
        unknown = unknown + line.unknown
    }

    func write(to writer: inout JSONWriter) { writer.cost(charge, unknown: unknown, attempts: unknownAttempts) }

    /// For people.
    var words: String { MoneyText.cost(charge, unknown: unknown, attempts: unknownAttempts) }
}

/// Money in sentences.
enum MoneyText {
    /// `provider 1.20 USD, platform 0.06 USD; 0.50 USD of credit used; 0.01 USD of it assumed for 2 lost answers`.
    static func cost(_ charge: Charge, unknown: Charge, attempts: Int) -> String {
        var text = "provider \(charge.provider.text) USD, platform \(charge.platform.text) USD"
        if charge.credit > .zero { text += "; \(charge.credit.text) USD of prepaid credit used" }
        if attempts > 0 {
            text +=
                "; \(unknown.billed.text) USD of it assumed for \(Words.count(attempts, "answer")) whose usage is unknown"
        }
        return text
    }

    /// A run's cost, with what is not in it; nil when nothing was used.
    static func words(_ money: RunMoney) -> String? {
        if money.usage == Usage(), money.charge == Charge() { return nil }
        if money.charge == Charge(), money.unpricedTokens == money.usage.totalTokens {
            return "unknown, for the price of its \(money.unpricedTokens) tokens is unknown"
        }
        let text = cost(money.charge, unknown: money.unknown, attempts: money.unknownAttempts)
        guard money.unpricedTokens > 0 else { return text }
        return text + "; without \(money.unpricedTokens) tokens whose price is unknown"
    }

    /// The same in few words, where prices are known.
    static func spent(_ money: RunMoney) -> String? {
        guard money.charge.value > .zero else { return nil }
        let credit = money.charge.credit > .zero ? " (and \(money.charge.credit.text) USD of credit)" : ""
        return "\(money.charge.billed.text) USD spent\(credit)"
    }

    /// `2026-11-24` of 20261124.
    static func day(_ number: Int) -> String {
        func two(_ n: Int) -> String { n < 10 ? "0\(n)" : "\(n)" }
        return "\(number / 10_000)-\(two(number / 100 % 100))-\(two(number % 100))"
    }
}

extension Configuration {
    /// Rows whose price nobody knows: their tokens are counted, their money is not.
    func unpriced(_ lines: [SpendLine]) -> [SpendLine] {
        lines.filter { $0.row.charge.value == .zero && isUnpriced($0.row.route, $0.row.usage) }
    }

    /// Whether tokens were used on a key whose price for the model nobody knows.
    func isUnpriced(_ route: LedgerRoute, _ usage: Usage) -> Bool {
        guard usage.totalTokens > 0, let key = key(route.key) else { return false }
        return priceBook.price(of: key, model: route.model) == nil
    }
}

extension CommandContext {
    /// The configuration, for commands that tell more with one and do without; nil when there is none that can be used.
    func configurationIfAny() -> Configuration? {
        switch Configuration.load(ConfigurationLocation(option: arguments["--config"], environment: environment)) {
        case .success(let configuration): configuration
        case .failure: nil
        }
    }
}
