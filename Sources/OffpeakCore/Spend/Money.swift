/// An amount of money in whole nano-dollars (10⁻⁹ US dollars). Never a floating-point number: totals over millions of
/// attempts are exact.
package struct Money: Hashable, Comparable, Sendable {
    /// Nano-dollars; up to 9.2 billion dollars.
    package var nanodollars: Int64

    package init(nanodollars: Int64) { self.nanodollars = nanodollars }

    package static let zero = Money(nanodollars: 0)
    package static func dollars(_ n: Int64) -> Money { Money(nanodollars: n * 1_000_000_000) }

    package static func < (a: Money, b: Money) -> Bool { a.nanodollars < b.nanodollars }
    package static func + (a: Money, b: Money) -> Money { Money(nanodollars: a.nanodollars + b.nanodollars) }
    package static func - (a: Money, b: Money) -> Money { Money(nanodollars: a.nanodollars - b.nanodollars) }
    package static func += (a: inout Money, b: Money) { a = a + b }
    package static func -= (a: inout Money, b: Money) { a = a - b }

    /// The sum, or the largest amount where it is more than that.
    func adding(_ other: Money) -> Money {
        Money(nanodollars: Int64(clamping: Int128(nanodollars) + Int128(other.nanodollars)))
    }

    /// A share in millionths, rounded up to the whole nano-dollar: what is charged is never understated.
    package func share(millionths: Int) -> Money {
        let exact = Int128(nanodollars) * Int128(millionths)
        return Money(nanodollars: Int64(Self.roundedUp(exact, 1_000_000)))
    }

    /// So many parts of a whole number of them, rounded up likewise.
    func part(_ parts: Int, of whole: Int) -> Money {
        guard whole > 0 else { return .zero }
        return Money(nanodollars: Int64(Self.roundedUp(Int128(nanodollars) * Int128(parts), Int128(whole))))
    }

    /// Division that rounds up.
    static func roundedUp(_ a: Int128, _ b: Int128) -> Int128 { a > 0 ? (a + b - 1) / b : a / b }
}

// MARK: Text

extension Money {
    /// A decimal number of US dollars such as `12.50` or `1.25e-06`, exactly; nil for anything else and for what is finer
    /// than a nano-dollar or larger than fits.
    package init?(dollars text: some StringProtocol) {
        guard let number = DecimalNumber(text), let scaled = number.scaled(by: 9) else { return nil }
        nanodollars = scaled
    }

    /// The same, but what is finer than a nano-dollar is rounded up to the next one.
    package init?(roundingUpDollars text: some StringProtocol) {
        guard let scaled = DecimalNumber(text, roundingUp: true)?.scaled(by: 9, roundingUp: true) else { return nil }
        nanodollars = scaled
    }

    /// US dollars as a decimal number: with two decimals, or as many as it takes, up to nine: `0.00`, `12.50`, `0.000125`.
    package var text: String {
        let magnitude = nanodollars.magnitude
        var digits = String(magnitude % 1_000_000_000)
        digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
        while digits.utf8.count > 2, digits.hasSuffix("0") { digits.removeLast() }
        return (nanodollars < 0 ? "-" : "") + "\(magnitude / 1_000_000_000).\(digits)"
    }
}

/// A decimal number as people and JSON write it, taken apart exactly: price lists have `1.25e-06`, which no binary
/// floating-point number is.
package struct DecimalNumber: Sendable, Equatable {
    /// All digits as one number.
    private var digits: Int64
    /// The power of ten that they are multiplied by.
    private var exponent: Int

    /// Nil for anything that is no decimal number, or has more than 18 significant digits. `roundingUp` takes longer
    /// ones too and makes them the next greater number of so many digits.
    package init?(_ text: some StringProtocol, roundingUp: Bool = false) {
        var rest = Array(text.utf8)[...]
        var isNegative = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            rest.removeFirst()
        }
        var value: Int64 = 0
        var power = 0
        var seen = 0
        var isFraction = false
        var isCut = false
        while let byte = rest.first {
            if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
                seen += 1
                if value < 100_000_000_000_000_000 {
                    value = value * 10 + Int64(byte - UInt8(ascii: "0"))
                    if isFraction { power -= 1 }
                } else {
                    if byte != UInt8(ascii: "0") { isCut = true }
                    if !isFraction { power += 1 }
                }
            } else {
                break
            }
            rest.removeFirst()
        }
        guard seen > 0 else { return nil }
        if let e = rest.first, e == UInt8(ascii: "e") || e == UInt8(ascii: "E") {
            guard let shift = Int(String(decoding: rest.dropFirst(), as: UTF8.self)), abs(shift) < 100 else {
                return nil
            }
            power += shift
            rest = []
        }
        guard rest.isEmpty, !isCut || roundingUp else { return nil }
        if isCut && !isNegative { value += 1 }
        while value != 0, value % 10 == 0 {
            value /= 10
            power += 1
        }
        (digits, exponent) = (isNegative ? -value : value, value == 0 ? 0 : power)
    }

    /// The number times ten to a power, if that is a whole number that fits. `roundingUp` makes of any other the next
    /// greater whole number.
    package func scaled(by power: Int, roundingUp: Bool = false) -> Int64? {
        var value = digits
        guard exponent + power >= 0 else {
            guard roundingUp else { return nil }
            var divisor: Int128 = 1
            for _ in 0..<min(19, -(exponent + power)) { divisor *= 10 }
            return Int64(Money.roundedUp(Int128(value), divisor))
        }
        for _ in 0..<(exponent + power) {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            value = product
        }
        return value
    }
}
