/// Least cost under linear limits, by the simplex method: what a spill plan is solved with.
///
/// Every variable is at least zero. Demands are met as far as the limits let them be; then the costs are minimised one after
/// the other, a later one only among the solutions that are best for all before it.
///
/// Floating point, unlike everything that limits, spends or decides about a key: a plan only says which of the keys with room
/// a job should take. The same program gives the same solution everywhere, since it adds, multiplies, divides and compares in
/// a fixed order and does nothing else.
struct LinearProgram {
    typealias Term = (variable: Int, factor: Double)

    private static let tiny = 1e-9
    /// Rows over the columns of the variables that are zero at present, and what the row's own variable is.
    private var table: [[Double]] = []
    private var values: [Double] = []
    private var costs: [[Double]]
    /// Which variable a row or a column stands for: limits and demands have one each, after the given ones.
    private var rowVariables: [Int] = []
    private var columnVariables: [Int]
    private let count: Int

    /// Each of `costs` has a cost per variable. Nothing is demanded yet.
    init(variables: Int, costs: [[Double]]) {
        count = variables
        columnVariables = Array(0..<variables)
        self.costs = [[Double](repeating: 0, count: variables)] + costs
    }

    /// The sum of the terms stays within a limit, which is not negative.
    mutating func limit(_ terms: [Term], to limit: Double) { append(terms, limit) }

    /// The sum of the terms should be an amount; `weight` tells what a whole amount lacking counts beside other demands.
    mutating func demand(_ terms: [Term], of amount: Double, weight: Double) {
        append(terms, amount)
        for term in terms { costs[0][term.variable] -= weight * term.factor / amount }
    }

    private mutating func append(_ terms: [Term], _ value: Double) {
        var row = [Double](repeating: 0, count: count)
        for term in terms { row[term.variable] += term.factor }
        table.append(row)
        values.append(value)
        rowVariables.append(count + rowVariables.count)
    }

    /// The variables' values; then what is left of each limit, or lacking of each demand, in the order in which they were set.
    mutating func solve() -> (variables: [Double], left: [Double]) {
        for phase in costs.indices { minimise(phase) }
        var all = [Double](repeating: 0, count: count + rowVariables.count)
        for (row, variable) in rowVariables.enumerated() { all[variable] = max(0, values[row]) }
        return (Array(all[..<count]), Array(all[count...]))
    }

    private mutating func minimise(_ phase: Int) {
        // The steepest way down is the shortest as a rule; the first one cannot go round in circles.
        let patience = 4 * (table.count + count) + 64
        for step in 0..<(4 * patience) {
            guard let column = descent(in: phase, steepest: step < patience), let row = bound(of: column) else {
                return
            }
            exchange(row, column)
        }
    }

    /// A column along which this phase's cost falls, and no earlier one rises.
    private func descent(in phase: Int, steepest: Bool) -> Int? {
        var best: Int?
        for column in columnVariables.indices where costs[phase][column] < -Self.tiny {
            if (0..<phase).contains(where: { costs[$0][column] > Self.tiny }) { continue }
            guard let known = best else {
                best = column
                continue
            }
            let isBetter =
                steepest
                ? costs[phase][column] < costs[phase][known] : columnVariables[column] < columnVariables[known]
            if isBetter { best = column }
        }
        return best
    }

    /// The row that ends a column's growth first.
    private func bound(of column: Int) -> Int? {
        var best: Int?
        var least = Double.infinity
        for row in table.indices where table[row][column] > Self.tiny {
            let ratio = max(0, values[row]) / table[row][column]
            let isTie = best.map { ratio == least && rowVariables[row] < rowVariables[$0] } ?? false
            if ratio < least || isTie { (best, least) = (row, ratio) }
        }
        return best
    }

    /// The column's variable takes the row's place.
    private mutating func exchange(_ row: Int, _ column: Int) {
        let pivot = table[row][column]
        for j in columnVariables.indices { table[row][j] /= pivot }
        table[row][column] = 1 / pivot
        values[row] /= pivot
        let line = table[row]
        let filled = columnVariables.indices.filter { line[$0] != 0 && $0 != column }
        for i in table.indices where i != row && table[i][column] != 0 {
            let factor = table[i][column]
            for j in filled { table[i][j] -= factor * line[j] }
            table[i][column] = -factor / pivot
            values[i] -= factor * values[row]
        }
        for k in costs.indices where costs[k][column] != 0 {
            let factor = costs[k][column]
            for j in filled { costs[k][j] -= factor * line[j] }
            costs[k][column] = -factor / pivot
        }
        swap(&rowVariables[row], &columnVariables[column])
    }
}
