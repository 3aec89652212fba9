/// The limits of an answer as Anthropic's API tells them: by names of its own, with resets as moments of the provider's clock,
/// which `date` tells (provider-apis.md section 2.3).
struct AnthropicHeaders {
    private let now: Int64

    /// `now` is in microseconds since the start, which the rehearsed clock has as 2026-01-01T00:00:00Z, a Thursday.
    init(at now: Int64) { self.now = now }

    /// Replaces OpenAI's headers.
    func write(over headers: inout [(name: String, value: String)]) {
        var own: [(name: String, value: String)] = [("date", Self.httpDate(seconds: now / 1_000_000))]
        for header in headers where header.name != "retry-after-ms" {
            let words = header.name.split(separator: "-")
            if header.name == "retry-after" {
                own.append(("retry-after", Self.wholeSeconds(header.value)))
            } else if header.name.hasPrefix("x-ratelimit-"), words.count == 4 {
                let value = words[2] == "reset" ? moment(after: header.value) : header.value
                own.append(("anthropic-ratelimit-\(words[3])-\(words[2])", value))
            } else {
                own.append(header)
            }
        }
        headers = own
    }

    /// Rounded up, so that nobody is told to come early.
    private static func wholeSeconds(_ text: String) -> String {
        text.contains(".") ? String((Int(text.prefix { $0 != "." }) ?? 0) + 1) : text
    }

    /// A Go duration from now on, as a moment; rounded up to whole seconds.
    private func moment(after duration: String) -> String {
        var milliseconds: Int64 = 0
        var number = ""
        var rest = duration[...]
        while let first = rest.first {
            if first.isNumber || first == "." {
                number.append(first)
                rest.removeFirst()
                continue
            }
            let unit = rest.hasPrefix("ms") ? "ms" : String(first)
            let length = ["ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000][unit] ?? 0
            milliseconds += Int64(((Double(number) ?? 0) * Double(length)).rounded(.up))
            number = ""
            rest = rest.dropFirst(unit.count)
        }
        let micros = now + milliseconds * 1_000
        let (date, time) = Self.civil(seconds: (micros + 999_999) / 1_000_000)
        return "\(date.year)-\(Self.two(date.month))-\(Self.two(date.day))T\(time)Z"
    }

    private static func httpDate(seconds: Int64) -> String {
        let (date, time) = civil(seconds: seconds)
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(seconds / 86_400 % 7)]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return "\(weekday), \(two(date.day)) \(months[date.month - 1]) \(date.year) \(time) GMT"
    }

    private static func civil(seconds: Int64) -> (date: (year: Int, month: Int, day: Int), time: String) {
        var (year, month, day) = (2_026, 1, Int(seconds / 86_400))
        while day >= length(ofMonth: month, year) {
            day -= length(ofMonth: month, year)
            (year, month) = month == 12 ? (year + 1, 1) : (year, month + 1)
        }
        let time = [seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60].map { two(Int($0)) }
        return ((year, month, day + 1), time.joined(separator: ":"))
    }

    private static func length(ofMonth month: Int, _ year: Int) -> Int {
        // Of the century's years every fourth has a leap day.
        month == 2 ? (year % 4 == 0 ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
}
