import OffpeakCore

/// Places that are told of in one sentence, with each name in it once.
struct AnswerPlaces {
    private struct Group {
        var classes: [String]
        var models: [String]
        var keys: [String]

        var work: String { "\(Self.list("class", "classes", classes)), \(Self.list("model", "models", models))" }
        var places: String { Self.list("key", "keys", keys) }

        /// `key a`, `keys a and b`, `keys a, b and c`.
        private static func list(_ one: String, _ several: String, _ names: [String]) -> String {
            guard let last = names.last, names.count > 1 else { return "\(one) \(names.first ?? "")" }
            return "\(several) \(names.dropLast().joined(separator: ", ")) and \(last)"
        }
    }

    private var all: [AnswerHistory.Place] = []

    init(_ place: AnswerHistory.Place) { add(place) }

    mutating func add(_ place: AnswerHistory.Place) { all.append(place) }

    /// First the keys of one class and model, then the models of one class on the same keys, then the classes.
    private var groups: [Group] {
        var groups: [Group] = []
        for place in all {
            if let same = groups.firstIndex(where: {
                $0.classes == [place.className] && $0.models == [place.model]
            }) {
                if !groups[same].keys.contains(place.key) { groups[same].keys.append(place.key) }
            } else {
                groups.append(Group(classes: [place.className], models: [place.model], keys: [place.key]))
            }
        }
        groups = Self.merged(groups, \.models) { $0.classes == $1.classes && $0.keys == $1.keys }
        return Self.merged(groups, \.classes) { $0.models == $1.models && $0.keys == $1.keys }
    }

    private static func merged(
        _ groups: [Group], _ names: WritableKeyPath<Group, [String]>, where isAlike: (Group, Group) -> Bool
    ) -> [Group] {
        var merged: [Group] = []
        for group in groups {
            if let same = merged.firstIndex(where: { isAlike($0, group) }) {
                merged[same][keyPath: names] += group[keyPath: names]
            } else {
                merged.append(group)
            }
        }
        return merged
    }

    /// `class c, model m`, where they have only one of each; else nil.
    var work: String? { groups.count == 1 ? groups[0].work : nil }

    /// `keys a and b`, of the first group.
    var keys: String { groups.first?.places ?? "" }

    /// `classes c and d, model m, on keys a and b; …`
    var text: String { groups.map { "\($0.work), on \($0.places)" }.joined(separator: "; ") }
}
