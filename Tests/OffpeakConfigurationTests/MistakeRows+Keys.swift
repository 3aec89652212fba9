/// In where a key's secret is, whom it belongs to, and in what the whole file says.
let keyMistakes: [MistakeRow] = [
    (
        .all, #"{ keys: { a: { provider: "openai" } } }"#,
        [
            #"line 1: keys.a.secret: is missing (say where it is: { env: "NAME" }, { file: "PATH" }, { command: ["PROGRAM", …] } or "none")"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: "test-secret-1" } } }"#,
        [
            #"line 1: keys.a.secret: a secret never stands in the configuration itself (put it in the environment or a file and say where: { env: "NAME" }, { file: "PATH" }, { command: ["PROGRAM", …] } or "none")"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: 7 } } }"#,
        [
            #"line 1: keys.a.secret: expected { env: "NAME" }, { file: "PATH" }, { command: ["PROGRAM", …] } or "none", found the number 7"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: {} } } }"#,
        [
            #"line 1: keys.a.secret: does not say where the secret is ({ env: "NAME" }, { file: "PATH" }, { command: ["PROGRAM", …] } or "none")"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { env: "A", file: "f" } } } }"#,
        [#"line 1: keys.a.secret: names several places: env, file (keep one)"#]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { env: "test-secret-1" } } } }"#,
        [
            #"line 1: keys.a.secret.env: does not look like the name of a variable (the name goes here, such as "OPENAI_API_KEY")"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { env: "abcdefghijklmnopqrstuvwxyzabcdefghij" } } } }"#,
        [
            #"line 1: keys.a.secret.env: does not look like the name of a variable (the name goes here, such as "OPENAI_API_KEY")"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { env: 7 } } } }"#,
        [#"line 1: keys.a.secret.env: expected a string, found the number 7 (put it in quotes)"#]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { environment: "A" } } } }"#,
        [#"line 1: keys.a.secret.environment: unknown field (did you mean "env"?)"#]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { value: "test-secret-1" } } } }"#,
        [#"line 1: keys.a.secret.value: unknown field (known fields: env, file, command, refresh)"#]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { command: "pass show x" } } } }"#,
        [
            #"line 1: keys.a.secret.command: expected a list: the program, then its arguments, found a string (no shell is involved: ["pass", "show", "openai"])"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { command: [] } } } }"#,
        [#"line 1: keys.a.secret.command: is empty (the program, then its arguments)"#]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { command: ["", 7] } } } }"#,
        [
            #"line 1: keys.a.secret.command[0]: cannot be an argument"#,
            #"line 1: keys.a.secret.command[1]: expected a string, found the number 7"#,
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { env: "A", refresh: "1h" } } } }"#,
        [#"line 1: keys.a.secret.refresh: belongs to a command (a variable or a file is read at the start)"#]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { command: ["c"], refresh: "1s" } } } }"#,
        [#"line 1: keys.a.secret.refresh: 1s is too small (at least 10s)"#]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: { command: ["c"], refresh: "often" } } } }"#,
        [
            #"line 1: keys.a.secret.refresh: expected a duration such as "30s", "2m" or "1h30m", found another string (units: ms, s, m, h, d)"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "opnai", secret: "none" } } }"#,
        [#"line 1: keys.a.provider: "opnai" is not among the providers (did you mean "openai"?)"#]
    ),
    (
        .all, #"{ keys: { a: { provider: "bedrock", secret: "none" } } }"#,
        [
            #"line 1: keys.a.provider: "bedrock" arrives with a later version (an OpenAI-compatible address of it can be declared under `providers`)"#
        ]
    ),
    (
        .all, #"{ keys: { a: { secret: "none" } } }"#,
        [#"line 1: keys.a.provider: is missing (one that is built in, such as "openai", or your own)"#]
    ),
    (
        .all, #"{ keys: { a: { provider: "openrouter", secret: "none" } } }"#,
        [
            #"line 1: keys.a.billing: a key of a routing platform has to say who bills it ("router-byok" if it only serves through your own provider keys there, else "platform")"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openrouter", secret: "none", billing: "provider" } } }"#,
        [
            #"line 1: keys.a.billing: a key of a routing platform has to say who bills it ("router-byok" if it only serves through your own provider keys there, else "platform")"#
        ]
    ),
    (
        .all, #"{ keys: { "a b": { provider: "openai", secret: "none" } } }"#,
        [#"line 1: keys["a b"]: is no good as a name (1 to 64 letters, digits, '.', '-' and '_')"#]
    ),
    (.all, #"{ keys: { a: "test-secret-1" } }"#, [#"line 1: keys.a: expected an object, found a string"#]),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: "none" }, a: { provider: "openai", secret: "none" } } }"#,
        [#"line 1: keys.a: stands twice in the same object, first on line 1 (remove one of them)"#]
    ),
    (.all, #"{ keys: {} }"#, [#"line 1: keys: there are no keys (`offpeak init` writes examples)"#]),
    (.all, #"{}"#, [#"line 1: keys: there are no keys (`offpeak init` writes examples)"#]),
    (.all, #"[]"#, [#"line 1: expected an object, found a list"#]),
    (.all, #""#, [#"line 1: column 1: found the end of the file, expected a value"#]),
    (.all, #"{ keys: "#, [#"line 1: column 9: found the end of the file, expected a value after ':'"#]),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: "none" } }, }}"#,
        [#"line 1: column 57: found '}', expected the end of the file"#]
    ),
    (
        .all,
        #"{ keys: { a: { provider: "openai", secret: "none", billing: "platform" } }, classes: { x: { posture: "cost", shared: "never" } } }"#,
        [
            #"line 1: classes.x: no key may serve this class: "a" is platform-billed, and the class's `shared` is "never""#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: "none" } }, classes: { x: {} } }"#,
        [#"line 1: classes.x.posture: is missing (one of strict, fallback, cost, governance, resilience)"#]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: "none" } }, classes: { x: { posture: "strct" } } }"#,
        [
            #"line 1: classes.x.posture: "strct" is not one of strict, fallback, cost, governance, resilience (did you mean "strict"?)"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: "none" } }, classes: { x: { posture: "strict" } } }"#,
        [
            #"line 1: classes.x: a strict class has to say which keys it may use (add keys: { only: ["a"] } or require_tags: ["…"])"#
        ]
    ),
    (
        .all,
        #"{ keys: { a: { provider: "openai", secret: "none" } }, classes: { x: { posture: "governance", keys: { order: ["a"] } } } }"#,
        [
            #"line 1: classes.x: a governance class has to say which keys it may use (add keys: { only: ["a"] } or require_tags: ["…"])"#
        ]
    ),
    (
        .all,
        #"{ keys: { a: { provider: "openai", secret: "none" } }, classes: { x: { posture: "strict", require_tags: ["eu"] } } }"#,
        [#"line 1: classes.x: no key may serve this class: "a" does not have the tag "eu""#]
    ),
    (
        .all,
        #"{ keys: { a: { provider: "openai", secret: "none" } }, classes: { x: { posture: "strict", keys: { only: ["a"] }, shared: "spill" } } }"#,
        [
            #"line 1: classes.x.shared: a strict class never uses shared capacity (leave it out, or choose the posture fallback)"#
        ]
    ),
    (
        .all, #"{ keys: { a: { provider: "openai", secret: "none" } }, classes: { X: { posture: "cost" } } }"#,
        [#"line 1: classes.X: is no good as a name (1 to 64 lower-case letters, digits, '-' and '_')"#]
    ),
]
