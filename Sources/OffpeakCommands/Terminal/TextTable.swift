/// Columns of equal width: text to the left, numbers to the right.
struct TextTable {
    var columns: [String]
    var rows: [[String]]
    /// So many columns from the left are text.
    var textColumns = 1

    var lines: [String] {
        let all = [columns] + rows
        let widths = columns.indices.map { i in all.map { $0[i].unicodeScalars.count }.max() ?? 0 }
        return all.map { row in
            let cells = row.indices.map { i in
                let space = String(repeating: " ", count: widths[i] - row[i].unicodeScalars.count)
                return i < textColumns ? row[i] + space : space + row[i]
            }
            return cells.joined(separator: "  ")
        }
    }
}
