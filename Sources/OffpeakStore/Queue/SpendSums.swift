import OffpeakCore

/// Rows of spending that are alike in everything but their amounts, added up; in the order in which they first came.
struct SpendSums {
    private struct Place: Hashable {
        var route: LedgerRoute
        var className: String
        var batch: BatchID
        var day: Int
    }

    private(set) var rows: [SpendRow] = []
    private var places: [Place: Int] = [:]

    mutating func add(_ row: SpendRow) {
        let place = Place(route: row.route, className: row.className, batch: row.batch, day: row.day)
        guard let index = places[place] else {
            places[place] = rows.count
            rows.append(row)
            return
        }
        rows[index].attempts += row.attempts
        rows[index].answers += row.answers
        rows[index].requests += row.requests
        rows[index].tokens += row.tokens
        rows[index].usage = rows[index].usage + row.usage
        rows[index].charge = rows[index].charge + row.charge
    }
}
