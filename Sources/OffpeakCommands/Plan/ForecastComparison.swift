import JSONLines
import OffpeakCore
import OffpeakRunner
import OffpeakStore

/// What was foreseen of a batch beside what came of it.
struct ForecastComparison: Sendable, Equatable {
    let forecast: RecordedForecast
    let name: String
    /// Answers since the forecast was made; nil where an earlier version has kept it. And what all attempts since then cost.
    let answers: Int?
    let charge: Charge
    /// When its last answer came; nil while work is left.
    let finish: Timestamp?
    /// Jobs that have neither an outcome nor a person to wait for.
    let left: Int

    /// Nil for a batch of which nothing has been sent since.
    init?(_ forecast: RecordedForecast, _ batch: BatchStatus, lines: [SpendLine]) {
        let own = lines.filter { $0.row.batch == batch.id }
        let last = own.compactMap(\.last).max()
        guard let last, last >= forecast.made else { return nil }
        self.forecast = forecast
        name = batch.name
        let (total, spent) = (own.reduce(Charge()) { $0 + $1.row.charge }, forecast.spent)
        charge = Charge(
            provider: total.provider - spent.provider, platform: total.platform - spent.platform,
            credit: total.credit - spent.credit)
        answers = forecast.answersBefore.map { before in own.reduce(0) { $0 + $1.row.answers } - before }
        left = batch.counts.waiting + batch.counts.inFlight
        finish = left == 0 ? last : nil
    }

    /// How much later than foreseen it was done.
    var delay: Interval? {
        guard let finish, let foreseen = forecast.finish else { return nil }
        return finish - foreseen
    }

    /// The same as a part of the time that was foreseen, in tenths of a percent.
    var delayPerMille: Int? {
        guard let delay, let foreseen = forecast.finish else { return nil }
        return Self.perMille(delay.milliseconds, of: (foreseen - forecast.made).milliseconds)
    }

    /// How much more it cost than foreseen, on both bills, in tenths of a percent; nil while work is left, and where no cost
    /// was foreseen: that compares nothing.
    var excessPerMille: Int? {
        let foreseen = forecast.charge.billed
        guard left == 0 else { return nil }
        return Self.perMille((charge.billed - foreseen).nanodollars, of: foreseen.nanodollars)
    }

    private static func perMille(_ part: Int64, of whole: Int64) -> Int? {
        guard whole > 0 else { return nil }
        let exact = Int128(part) * 1_000
        return Int(clamping: (abs(exact) + Int128(whole) / 2) / Int128(whole)) * (part < 0 ? -1 : 1)
    }

    // MARK: JSON

    func write(to writer: inout JSONWriter) {
        writer.member("batch", "b\(forecast.batch)")
        writer.member("name", name)
        writeValues(to: &writer)
    }

    func writeValues(to writer: inout JSONWriter) {
        writer.member("made_at", forecast.made)
        writer.member("jobs", forecast.jobs)
        Self.write("answers", forecast.answers, to: &writer)
        writer.member("finish", forecast.finish)
        writer.cost(forecast.charge)
        writer.object("actual") {
            Self.write("answers", answers, to: &$0)
            $0.member("finish", finish)
            $0.member("left", left)
            $0.cost(charge)
        }
        writer.object("off") {
            if let delay {
                $0.member("finish_seconds", Self.seconds(delay))
            } else {
                $0.null("finish_seconds")
            }
            $0.member("finish_percent", delayPerMille.map(Self.percent))
            $0.member("cost_percent", excessPerMille.map(Self.percent))
        }
    }

    /// To the nearest second, half a second away from zero.
    private static func seconds(_ length: Interval) -> Int {
        let ms = length.milliseconds
        return Int((abs(ms) + 500) / 1_000) * (ms < 0 ? -1 : 1)
    }

    private static func write(_ name: String, _ count: Int?, to writer: inout JSONWriter) {
        if let count { writer.member(name, count) } else { writer.null(name) }
    }

    // MARK: Text

    static let columns = [
        "batch", "jobs", "foreseen at", "answers, foreseen", "answers", "done, foreseen", "done", "off",
        "cost, foreseen USD", "cost USD", "off",
    ]

    /// Beside the rows of a batch in CSV, whose cost since the forecast is not all of its cost.
    static let csvColumns = [
        "forecast_made_at", "forecast_jobs", "forecast_answers", "actual_answers", "forecast_finish", "actual_finish",
        "actual_left", "forecast_provider_usd", "forecast_platform_usd", "forecast_credit_usd", "actual_provider_usd",
        "actual_platform_usd", "actual_credit_usd",
    ]

    var csvCells: [String] {
        func count(_ number: Int?) -> String { number.map(String.init) ?? "" }
        func time(_ moment: Timestamp?) -> String { moment.map(TimeText.rfc3339) ?? "" }
        func money(_ charge: Charge) -> [String] { [charge.provider.text, charge.platform.text, charge.credit.text] }
        let counts = [count(forecast.jobs), count(forecast.answers), count(answers)]
        let ends = [time(forecast.finish), time(finish), count(left)]
        return [time(forecast.made)] + counts + ends + money(forecast.charge) + money(charge)
    }

    var cells: [String] {
        let late = delay.map { delay in
            let length = TimeText.length(delay < .zero ? .zero - delay : delay)
            let part = delayPerMille.map { " (\(Self.percent($0)) %)" } ?? ""
            return (delay < .zero ? "-" : "+") + length + part
        }
        return [
            "b\(forecast.batch)", "\(forecast.jobs)", TimeText.rfc3339(forecast.made),
            forecast.answers.map(String.init) ?? "", answers.map(String.init) ?? "",
            forecast.finish.map(TimeText.rfc3339) ?? "never",
            finish.map(TimeText.rfc3339) ?? "\(left) left", late ?? "-",
            forecast.charge.billed.text, charge.billed.text,
            excessPerMille.map { "\(Self.percent($0)) %" } ?? "-",
        ]
    }

    /// `+2.5` of 25 thousandths.
    private static func percent(_ perMille: Int) -> String {
        (perMille < 0 ? "-" : "+") + "\(abs(perMille) / 10).\(abs(perMille) % 10)"
    }
}

extension QueueReader {
    /// What was foreseen of the batches of this queue, beside what came.
    func comparisons(_ batches: [BatchStatus], lines: [SpendLine]) throws(StoreError) -> [ForecastComparison] {
        let forecasts = try forecasts()
        return forecasts.compactMap { forecast in
            batches.first { $0.id == forecast.batch }.flatMap { ForecastComparison(forecast, $0, lines: lines) }
        }
    }
}
