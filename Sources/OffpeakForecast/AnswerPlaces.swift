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
            "\(names.count > 1 ? several : one) \(names.listed())"
        }
    }

    let all: [AnswerHistory.Place]

    /// First the keys of one class and model, then the models of one class on the same keys, then the classes.
    private var groups: [Group] {
        let works = all.grouped { $0.className == $1.className && $0.model == $1.model }
        var groups = works.map { places in
            var keys: [String] = []
            for place in places where !keys.contains(place.key) { keys.append(place.key) }
            return Group(classes: [places[0].className], models: [places[0].model], keys: keys)
        }
        groups = Self.merged(groups, \.models) { $0.classes == $1.classes && $0.keys == $1.keys }
        return Self.merged(groups, \.classes) { $0.models == $1.models && $0.keys == $1.keys }
    }

    private static func merged(
        _ groups: [Group], _ names: WritableKeyPath<Group, [String]>, where isAlike: (Group, Group) -> Bool
    ) -> [Group] {
        groups.grouped(where: isAlike).map { alike in
            var group = alike[0]
            group[keyPath: names] = alike.flatMap { $0[keyPath: names] }
            return group
        }
    }

    /// `class c, model m`, where they have only one of each; else nil.
    var work: String? { groups.count == 1 ? groups[0].work : nil }

    /// `keys a and b`, of the first group.
    var keys: String { groups.first?.places ?? "" }

    /// `classes c and d, model m, on keys a and b; …`
    var text: String { groups.map { "\($0.work), on \($0.places)" }.joined(separator: "; ") }
}
