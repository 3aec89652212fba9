extension Report {
    /// A page to look at in a browser.
    var html: String {
        let (columns, body) = shown
        let span = (since.map { "from \(TimeText.rfc3339($0)) " } ?? "") + "until \(TimeText.rfc3339(until))"
        let list =
            notices.isEmpty
            ? "" : "<ul>\n" + notices.map { "<li>\(Self.escaped($0.message))</li>\n" }.joined() + "</ul>\n"
        let foreseen =
            comparisons.isEmpty
            ? ""
            : "<h2>Forecast against actual</h2>\n"
                + Self.table(ForecastComparison.columns, comparisons.map(\.cells), hasTotal: false) + "\n"
        return """
            <!DOCTYPE html>
            <html lang="en">
            <meta charset="utf-8">
            <title>offpeak: spend by \(grouping.rawValue)</title>
            <style>
            body { font: 15px/1.5 system-ui, sans-serif; margin: 2em; }
            table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
            th, td { padding: .3em .8em; border-bottom: 1px solid #ccc; text-align: right; }
            th:first-child, td:first-child { text-align: left; }
            tr.total td { font-weight: bold; border-top: 2px solid #333; }
            </style>
            <h1>Spend by \(grouping.rawValue)</h1>
            <p>\(Self.escaped(span))</p>
            \(Self.table(columns, body, hasTotal: true))
            \(foreseen)\(list)</html>

            """
    }

    private static func table(_ columns: [String], _ rows: [[String]], hasTotal: Bool) -> String {
        let head = columns.map { "<th>\(escaped($0))</th>" }.joined()
        let lines = rows.enumerated().map { index, row in
            let cells = row.map { "<td>\(escaped($0))</td>" }.joined()
            return "<tr\(hasTotal && index == rows.count - 1 ? " class=\"total\"" : "")>\(cells)</tr>"
        }
        return """
            <table>
            <thead><tr>\(head)</tr></thead>
            <tbody>
            \(lines.joined(separator: "\n"))
            </tbody>
            </table>
            """
    }

    private static func escaped(_ raw: String) -> String {
        raw.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
