import JSONLines
import OffpeakCore

extension Billing {
    /// Whose bill it is, for people.
    package var words: String {
        switch self {
        case .provider: "the provider's bill"
        case .routerBYOK: "the provider's bill, with the platform's fee"
        case .platform: "the platform's credits"
        }
    }
}

/// A key that was passed over when an attempt began, and why.
package struct PassedKey: Sendable, Equatable {
    package var key: String
    package var reason: String

    package init(key: String, reason: String) {
        self.key = key
        self.reason = reason
    }

    /// From the text that is kept with the attempt.
    package static func list(_ text: String) -> [PassedKey] {
        (JSONSlice(Array(text.utf8))?.elements ?? []).map {
            PassedKey(key: $0["key"]?.string ?? "", reason: $0["reason"]?.string ?? "")
        }
    }
}

extension JSONWriter {
    /// What something cost: both bills, what was paid from prepaid credit, and which part is only assumed for lost answers.
    package mutating func cost(_ charge: Charge, unknown: Charge = Charge(), attempts: Int = 0) {
        object("cost") {
            $0.member("provider_usd", charge.provider.text)
            $0.member("platform_usd", charge.platform.text)
            $0.member("credit_usd", charge.credit.text)
            $0.object("unknown") {
                $0.member("attempts", attempts)
                $0.member("provider_usd", unknown.provider.text)
                $0.member("platform_usd", unknown.platform.text)
            }
        }
    }
}
