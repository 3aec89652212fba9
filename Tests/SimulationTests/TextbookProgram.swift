/// Least cost of a small linear program by the simplex method, in the textbook's dense form. Knows nothing of the scheduler.
///
/// Minimises `cost · x` with `rows · x ≤ limits` and x ≥ 0, where every limit is at least zero; `demands` are equalities that
/// are met with one artificial variable each, which costs `penalty`.
struct TextbookProgram {
    var cost: [Double]
    var rows: [(coefficients: [Double], limit: Double)]
    var demands: [(coefficients: [Double], amount: Double)]
    var penalty: Double

    struct Solution {
        var x: [Double]
        /// What is lacking of each demand.
        var lacking: [Double]
    }

    func solve() -> Solution {
        let n = cost.count
        let m = rows.count + demands.count
        let width = n + m + 1
        var table: [[Double]] = []
        var basis: [Int] = []
        for (index, row) in (rows.map { ($0.coefficients, $0.limit) } + demands.map { ($0.coefficients, $0.amount) })
            .enumerated()
        {
            var line = row.0 + [Double](repeating: 0, count: m) + [row.1]
            line[n + index] = 1
            table.append(line)
            basis.append(n + index)
        }
        var prices = cost + [Double](repeating: 0, count: m + 1)
        for index in rows.count..<m { prices[n + index] = penalty }
        // Reduced costs for the starting basis.
        var reduced = prices
        for index in rows.count..<m { for j in 0..<width { reduced[j] -= penalty * table[index][j] } }
        var rounds = 0
        while rounds < 5_000 {
            rounds += 1
            // The steepest column at first; later the first one, which cannot go round in circles.
            let columns = (0..<width - 1).filter { reduced[$0] < -1e-7 }
            guard let enter = rounds < 2_000 ? columns.min(by: { reduced[$0] < reduced[$1] }) : columns.first else {
                break
            }
            var leave: Int?
            for i in 0..<m where table[i][enter] > 1e-9 {
                guard let best = leave else {
                    leave = i
                    continue
                }
                let (a, b) = (table[i][width - 1] / table[i][enter], table[best][width - 1] / table[best][enter])
                if a < b - 1e-12 || (a < b + 1e-12 && basis[i] < basis[best]) { leave = i }
            }
            guard let leave else { preconditionFailure("the program has no bound") }
            pivot(&table, &reduced, leave, enter)
            basis[leave] = enter
        }
        precondition(rounds < 5_000, "the simplex method does not come to an end")
        var all = [Double](repeating: 0, count: n + m)
        for i in 0..<m { all[basis[i]] = table[i][width - 1] }
        return Solution(x: Array(all[..<n]), lacking: Array(all[(n + rows.count)...]))
    }

    private func pivot(_ table: inout [[Double]], _ reduced: inout [Double], _ row: Int, _ column: Int) {
        let scale = table[row][column]
        for j in table[row].indices { table[row][j] /= scale }
        for i in table.indices where i != row && table[i][column] != 0 {
            let factor = table[i][column]
            for j in table[i].indices { table[i][j] -= factor * table[row][j] }
        }
        let factor = reduced[column]
        for j in reduced.indices { reduced[j] -= factor * table[row][j] }
    }
}
