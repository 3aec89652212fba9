import Foundation
import JSONLines
import OffpeakConfiguration
import OffpeakCore
import OffpeakRunner
import OffpeakStore

extension Command {
    static let report = Command(
        syntax: CommandSyntax(
            "report", help: "spend and usage, on both bills, of all batches, pruned ones included",
            options: [
                .value("--since", "T", "from the day of this moment on: 2026-11-24, a time, or 7d for the last 7 days"),
                .value("--by", "WHAT", "key, class, model, batch, day, bill or lane; default: key"),
                .flag("--csv", "comma-separated values instead of a table"),
                .value("--html", "FILE", "write a page to look at in a browser"),
            ])
    ) { context in
        let word = context.arguments["--by"] ?? ReportGrouping.key.rawValue
        guard let grouping = ReportGrouping(rawValue: word) else {
            let all = ReportGrouping.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure.usage("--by takes one of \(all), not \"\(word)\"")
        }
        if context.arguments.has("--csv"), context.printer.usesJSON {
            throw CommandFailure.usage("choose one of --csv and --json")
        }
        let configuration = context.configurationIfAny()
        if configuration == nil {
            context.printer.note("no usable configuration: days are UTC's, and nothing is told of credits or prices")
        }
        let clock = RunnerClock()
        let zone = configuration?.timeZone ?? .gmt
        let since = try context.arguments["--since"].map {
            try ReportDay(since: $0, now: clock.wall, zone: zone)
        }
        let reader = try context.reader()
        defer { reader.close() }
        let everything = try reader.spending()
        let lines = everything.filter { line in since.map { line.row.day >= $0.number } ?? true }
        let notices = try ReportNotices(
            lines: lines, configuration: configuration, reader: reader, wall: clock.wall
        ).all(everything: everything)
        let batches = try reader.batches()
        var report = Report(
            by: grouping, lines: lines, notices: notices, since: since?.start, until: clock.wall,
            names: Dictionary(uniqueKeysWithValues: batches.map { ($0.id, $0.name) }))
        report.comparisons = try reader.comparisons(batches, lines: everything).filter { comparison in
            since.map { comparison.finish ?? clock.wall >= $0.start } ?? true
        }
        try context.show(report)
        return .success
    }
}

extension CommandContext {
    fileprivate func show(_ report: Report) throws {
        if let path = arguments["--html"] {
            do throws(ResultsExport.WriteFailure) {
                let file = try OutputFile(.file(path))
                try file.write(Array(report.html.utf8))
                try file.finish()
            } catch {
                throw CommandFailure(
                    error.isMachines ? .machineError : .userError, code: error.isMachines ? "disk" : "write",
                    "cannot write \(error.path): \(error.reason)", hint: "name another file with --html")
            }
            printer.note("the report is in \(path)")
        }
        if printer.usesJSON {
            printer.json { report.write(to: &$0) }
        } else if arguments.has("--csv") {
            printer.data(report.csv)
        } else if arguments["--html"] == nil {
            printer.data(report.table)
            if let table = report.comparisonTable { printer.data("\nforecast against actual\n\(table)") }
        }
        guard !printer.usesJSON else { return }
        for notice in report.notices { printer.note("notice: " + notice.message) }
    }
}

/// What a report's rows stand for.
enum ReportGrouping: String, CaseIterable {
    case key, `class`, model, batch, day, bill, lane

    /// The row's name for a line of the ledger.
    func name(_ row: SpendRow) -> String {
        switch self {
        case .key: row.route.key
        case .class: row.className
        case .model: row.route.model
        case .batch: "b\(row.batch)"
        case .day: MoneyText.day(row.day)
        case .bill: row.route.bill.rawValue
        case .lane: row.route.lane.rawValue
        }
    }
}

/// A calendar day, as `--since` names it.
struct ReportDay: Equatable {
    let number: Int
    let start: Timestamp

    init(since text: String, now: Timestamp, zone: TimeZone) throws(CommandFailure) {
        guard let moment = Self.moment(text, now: now, zone: zone) else {
            throw .usage(
                "--since takes a day such as 2026-11-24, a time as RFC 3339, or a length such as 7d, not \"\(text)\"")
        }
        let day = DayBoundary(containing: moment, in: zone)
        (number, start) = (day.number, day.start)
    }

    private static func moment(_ text: String, now: Timestamp, zone: TimeZone) -> Timestamp? {
        if text == "today" { return now }
        if let length = Interval(duration: text), length > .zero { return now - length }
        if let date = try? Date(text, strategy: .iso8601) { return timestamp(date) }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 3, let year = parts[0], let month = parts[1], let day = parts[2], year >= 1970 else {
            return nil
        }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        // At noon, which no zone's clocks skip.
        let wanted = DateComponents(year: year, month: month, day: day, hour: 12)
        guard wanted.isValidDate(in: calendar), let noon = calendar.date(from: wanted) else { return nil }
        return timestamp(noon)
    }

    private static func timestamp(_ date: Date) -> Timestamp {
        Timestamp(milliseconds: Int64((date.timeIntervalSince1970 * 1_000).rounded(.down)))
    }
}

/// Spend and usage by one of the things that the ledger tells apart.
struct Report {
    let grouping: ReportGrouping
    let rows: [(name: String, total: SpendTotal)]
    let total: SpendTotal
    let notices: [ReportNotice]
    /// Where the first day that counts begins; nil: everything counts.
    let since: Timestamp?
    let until: Timestamp
    /// What was foreseen of batches, beside what came.
    var comparisons: [ForecastComparison] = []
    /// Names of the batches that are still there.
    private let names: [String: String]

    init(
        by grouping: ReportGrouping, lines: [SpendLine], notices: [ReportNotice], since: Timestamp?,
        until: Timestamp, names: [BatchID: String]
    ) {
        self.grouping = grouping
        self.notices = notices
        self.since = since
        self.until = until
        var totals: [String: SpendTotal] = [:]
        // Batches by number, days by date, everything else by name.
        var order: [String: Int] = [:]
        for line in lines {
            let name = grouping.name(line.row)
            totals[name, default: SpendTotal()].add(line)
            order[name] = grouping == .batch ? Int(line.row.batch) : 0
        }
        rows = totals.map { ($0.key, $0.value) }
            .sorted { (order[$0.0] ?? 0, $0.0) < (order[$1.0] ?? 0, $1.0) }
        total = SpendTotal(lines)
        self.names = grouping == .batch ? Dictionary(uniqueKeysWithValues: names.map { ("b\($0.key)", $0.value) }) : [:]
    }

    // MARK: JSON

    func write(to writer: inout JSONWriter) {
        writer.member("since", since)
        writer.member("until", until)
        writer.member("by", grouping.rawValue)
        writer.array("rows") { array in
            for row in rows {
                array.object {
                    $0.member(grouping.rawValue, row.name)
                    if grouping == .batch { $0.member("name", names[row.name]) }
                    Self.write(row.total, to: &$0)
                    if grouping == .batch, let found = comparisons.first(where: { "b\($0.forecast.batch)" == row.name })
                    {
                        $0.object("forecast") { found.writeValues(to: &$0) }
                    }
                }
            }
        }
        writer.object("total") { Self.write(total, to: &$0) }
        writer.array("notices") { array in
            for notice in notices { array.object { notice.write(to: &$0) } }
        }
        writer.array("forecasts") { array in
            for comparison in comparisons { array.object { comparison.write(to: &$0) } }
        }
    }

    private static func write(_ total: SpendTotal, to writer: inout JSONWriter) {
        writer.member("jobs", total.answers)
        writer.member("attempts", total.attempts)
        writer.object("usage") {
            $0.members(total.usage)
            $0.member("cache_write_tokens", total.usage.cacheWriteTokens)
            $0.member("reasoning_tokens", total.usage.reasoningTokens)
        }
        total.write(to: &writer)
    }

    // MARK: Tables

    /// The columns' names with their units; in CSV as they are, elsewhere in words.
    private var columns: [String] {
        [
            grouping.rawValue, "jobs", "attempts", "input_tokens", "cached_tokens", "output_tokens", "provider_usd",
            "platform_usd", "credit_usd", "unknown_attempts", "unknown_provider_usd", "unknown_platform_usd",
        ]
    }

    private func cells(_ name: String, _ total: SpendTotal) -> [String] {
        [
            name, "\(total.answers)", "\(total.attempts)", "\(total.usage.inputTokens)", "\(total.usage.cachedTokens)",
            "\(total.usage.outputTokens)", total.charge.provider.text, total.charge.platform.text,
            total.charge.credit.text, "\(total.unknownAttempts)", total.unknown.provider.text,
            total.unknown.platform.text,
        ]
    }

    private var body: [[String]] { rows.map { cells($0.name, $0.total) } + [cells("total", total)] }

    var csv: String {
        var lines = [columns] + body
        if !comparisons.isEmpty, grouping == .batch {
            lines[0] += ForecastComparison.csvColumns
            let none = ForecastComparison.csvColumns.map { _ in "" }
            for i in lines.indices.dropFirst() {
                lines[i] += comparisons.first { "b\($0.forecast.batch)" == lines[i][0] }?.csvCells ?? none
            }
        }
        return lines.map { $0.map(Self.quoted).joined(separator: ",") }.joined(separator: "\n")
    }

    private static func quoted(_ cell: String) -> String {
        guard cell.contains(where: { ",\"\r\n".contains($0) }) else { return cell }
        return "\"" + cell.replacing("\"", with: "\"\"") + "\""
    }

    /// The columns of what is unknown only where there are some, so that the table fits a terminal.
    var shown: (columns: [String], body: [[String]]) {
        let count = total.unknownAttempts > 0 ? columns.count : columns.count - 3
        let words = columns.map { name in
            name.replacing("_usd", with: " USD").replacing("_", with: " ")
        }
        return (Array(words.prefix(count)), body.map { Array($0.prefix(count)) })
    }

    var table: String {
        let (columns, body) = shown
        return TextTable(columns: columns, rows: body).lines.joined(separator: "\n")
    }

    /// Nil when nothing of a batch was foreseen.
    var comparisonTable: String? {
        guard !comparisons.isEmpty else { return nil }
        return TextTable(columns: ForecastComparison.columns, rows: comparisons.map(\.cells)).lines
            .joined(separator: "\n")
    }
}
