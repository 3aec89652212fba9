import Foundation
import OffpeakCore

@testable import OffpeakConfiguration

/// A moment in RFC 3339, in UTC.
func utc(_ text: String) -> Timestamp {
    guard let date = try? Date(text, strategy: .iso8601) else { preconditionFailure("\(text) is no moment") }
    return Timestamp(milliseconds: Int64(date.timeIntervalSince1970) * 1_000)
}

/// The day on which the configurations of these tests are read.
let today = utc("2026-11-25T12:00:00Z")

func zone(_ name: String) -> TimeZone {
    guard let zone = TimeZone(identifier: name) else { preconditionFailure("\(name) is not in the zone database") }
    return zone
}

/// What is wrong with a text, in the words that people see; empty when nothing is.
func problems(_ text: String) -> [String] {
    guard case .failure(let failure) = Configuration.parse(text, path: "/nowhere/offpeak.json5") else { return [] }
    return failure.problems.map(\.description)
}

/// What a valid text's author should know.
func notices(_ text: String) -> [String]? {
    guard case .success(let configuration) = Configuration.parse(text, path: "/nowhere/offpeak.json5") else {
        return nil
    }
    return configuration.notices.map(\.description)
}

/// A valid configuration of three lines, with room for one more thing: at the top (line 1), in the key `a` (line 2), or
/// in the class `x` (line 3).
func configuration(top: String = "", key: String = "", class text: String = "") -> String {
    """
    { \(top)
    keys: { a: { provider: "openai", secret: { env: "A" }, \(key) } },
    classes: { x: { posture: "cost", \(text) } } }
    """
}
