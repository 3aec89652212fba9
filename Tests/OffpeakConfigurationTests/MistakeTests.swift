import Testing

@testable import OffpeakConfiguration

@Suite struct `Mistakes in a configuration` {
    private static func text(_ place: Place, _ mistake: String) -> String {
        switch place {
        case .top: configuration(top: mistake)
        case .key: configuration(key: mistake)
        case .aClass: configuration(class: mistake)
        case .all: mistake
        }
    }

    @Test func `the configuration that the mistakes are put into is valid`() {
        #expect(problems(configuration()) == [])
        #expect(notices(configuration()) == [])
    }

    @Test func `each is told with its line, its exact path, what is wrong and what to do`() {
        #expect(mistakeRows.count > 140)
        for row in mistakeRows { #expect(problems(Self.text(row.place, row.text)) == row.problems, "\(row.text)") }
    }

    @Test func `none is told with a secret that stands in the wrong place`() {
        let leaks = mistakeRows.filter { $0.text.contains("test-secret-1") }
        #expect(leaks.count >= 7)
        for row in leaks {
            #expect(!problems(Self.text(row.place, row.text)).joined().contains("test-secret-1"), "\(row.text)")
        }
        // A long one may stand anywhere a word is expected.
        let long = String(repeating: "test-secret-", count: 4)
        let places = [
            configuration(top: "timezone: \"\(long)\","), configuration(key: "pool: \"\(long)\","),
            configuration(key: "billing: \"\(long)\","), configuration(class: "keys: { only: [\"\(long)\"] },"),
            configuration(class: "shared: \"\(long)\","),
            configuration(class: "window: { open: \"\(long)\", close: \"06:00\" },"),
            configuration(class: "on: { refused: [\"\(long)\"] },"), configuration(class: "timeout: \"\(long)\","),
        ]
        for text in places {
            let told = problems(text)
            #expect(told.count == 1 && !told.joined().contains("test-secret"), "\(told)")
        }
    }

    @Test func `a class that has only lanes of later versions is told so once, and no empty list`() {
        let told = problems(configuration(class: "lanes: [\"batch\"],"))
        #expect(told.count == 1 && told[0].hasPrefix("line 3: classes.x.lanes: the lane batch is not in effect yet"))
        let other = problems(configuration(key: "lanes: [\"flex\"],", class: "lanes: [\"sync\"],"))
        #expect(
            other.count == 1
                && other[0].hasPrefix(
                    "line 3: classes.x: no key that may serve this class has one of its lanes: sync (add")
        )
    }

    @Test func `all are told at once, in the order of the lines`() {
        let text = """
            {
              timezone: "Mars/Olympus",
              providers: {
                "local": { kind: "openai", base_url: "http://gpu.example:8000/v1" },
              },
              pools: { "org": { rpm: 0 }, "org": { tpm: 1 } },
              keys: {
                "main": {
                  provider: "opnai",
                  secret: "test-secret-1",
                  pool: "ogr",
                  limits: { rpn: 5 },
                },
                "spare": { provider: "local", secret: { env: "A", file: "b" }, enabled: "no" },
              },
              classes: {
                "careful": { posture: "strict" },
                "night": {
                  posture: "cost",
                  keys: { order: ["mian"] },
                  timeout: 30,
                  window: { open: "22:00", close: "6am" },
                  on: { refused: ["fail", "retry"] },
                },
              },
              extra: 1,
            }
            """
        #expect(
            problems(text) == [
                "line 2: timezone: \"Mars/Olympus\" is not a time zone of the zone database (names look like \"Europe/Berlin\" or \"UTC\")",
                "line 4: providers.local.base_url: plain http to another machine would send prompts and the secret unencrypted (use https, or allow it with insecure: true)",
                "line 6: pools.org: stands twice in the same object, first on line 6 (remove one of them)",
                "line 6: pools.org.rpm: 0 is too small (at least 1)",
                "line 9: keys.main.provider: \"opnai\" is not among the providers (did you mean \"openai\"?)",
                "line 10: keys.main.secret: a secret never stands in the configuration itself (put it in the environment or a file and say where: { env: \"NAME\" }, { file: \"PATH\" }, { command: [\"PROGRAM\", …] } or \"none\")",
                "line 11: keys.main.pool: \"ogr\" is not among the pools (did you mean \"org\"?)",
                "line 12: keys.main.limits.rpn: unknown field (did you mean \"rpm\"?)",
                "line 14: keys.spare.enabled: expected true or false, found a string",
                "line 14: keys.spare.secret: names several places: env, file (keep one)",
                "line 17: classes.careful: a strict class has to say which keys it may use (add keys: { only: [\"main\"] } or require_tags: [\"…\"])",
                "line 20: classes.night.keys.order[0]: \"mian\" is not among the keys (did you mean \"main\"?)",
                "line 21: classes.night.timeout: expected a duration such as \"30s\", \"2m\" or \"1h30m\", found the number 30 (add a unit and quotes)",
                "line 22: classes.night.window.close: \"6am\" is not a time of day (24 hours as HH:MM, such as \"22:00\")",
                "line 23: classes.night.on.refused[0]: what follows \"fail\" can never happen (\"fail\" can only be last)",
                "line 26: extra: unknown field (known fields: timezone, providers, pools, keys, classes, prices)",
            ])
    }

    @Test(
        arguments: [
            (configuration(top: "pools: { org: { rpm: 5 } },"), ["line 1: pools.org: no key is in this pool"]),
            (
                configuration(top: "pools: { org: { rpm: 5 } },", key: "pool: \"org\", limits: { rpm: 9, tpm: 9 },"),
                ["line 2: keys.a.limits.rpm: 9 is above the 5 of pool \"org\", which counts"]
            ),
            (
                configuration(
                    key:
                        "lanes: [\"batch\", \"flex\"], quota: { usd: 4, per: \"day\" }, credit: { usd: 3 }, provisioned: { tpm: 9 }, prices: { \"*\": { discount: 0.1 } }, valid_until: \"2099-01-31\","
                ), ["line 2: keys.a.lanes: batch is not in effect yet: requests go by the other lanes in this version"]
            ),
            (
                configuration(
                    class:
                        "lanes: [\"batch\", \"sync\"], budget: { usd: 9, per: \"day\" }, dedupe: true, shared: \"always\", objective: \"cost\","
                ),
                [
                    "line 3: classes.x.dedupe: not in effect yet: offpeak sends equal lines as often as they stand in this version",
                    "line 3: classes.x.lanes: batch is not in effect yet: requests go by the other lanes in this version",
                    "line 3: classes.x.budget: needs the price of each model that is submitted: neither the class nor key \"a\" names models, so none could be looked up here, and a job of a model without a known price is parked (name them in `models` of the key or the class; `offpeak prices MODEL` tells what is known)",
                ]
            ),
            (configuration(class: "retain: \"results\","), []),
            (configuration(class: "retain: \"nothing\","), []),
            (
                configuration(key: "enabled: false,"),
                ["line 3: classes.x: only disabled keys can serve this class: \"a\""]
            ),
            (
                configuration(key: "models: [\"m\"],", class: "models: { m: [\"m\", \"n\"] },"),
                [
                    "line 2: keys.a.models: the price of \"m\" is unknown: what it costs is not counted, and the cost objective ranks it last (state it in the key's `prices`, or \"free\" for your own server)",
                    "line 3: classes.x.models.m: no key of the class serves \"n\"",
                ]
            ),
            (
                "{ keys: { a: { provider: \"openai\", secret: \"none\" }, b: { provider: \"openrouter\", secret: \"none\",\n"
                    + "billing: \"platform\" } },\nclasses: { x: { posture: \"cost\", shared: \"never\", keys: { order: [\"b\", \"a\"] } } } }",
                [
                    "line 3: classes.x.keys.order[0]: the class never uses this key: is platform-billed, and the class's `shared` is \"never\""
                ]
            ),
            (
                "{ keys: { a: { provider: \"openai\", secret: \"none\" }, b: { provider: \"openrouter\", secret: \"none\",\n"
                    + "billing: \"platform\" } },\nclasses: { x: { posture: \"cost\", keys: { order: [\"b\", \"a\"] } } } }",
                [
                    "line 3: classes.x: keys \"a\" and \"b\" of different providers both serve any model: a name that only one of them has goes to the other too (list each key's `models`)"
                ]
            ),
        ])
    func `what stops nothing is told as a notice`(_ text: String, _ expected: [String]) {
        #expect(notices(text) == expected)
    }
}
