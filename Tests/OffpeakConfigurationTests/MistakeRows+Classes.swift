/// In workload classes.
let classMistakes: [MistakeRow] = [
    (.aClass, #"keys: { order: ["b"] },"#, [#"line 3: classes.x.keys.order[0]: "b" is not among the keys (keys: a)"#]),
    (
        .aClass, #"keys: { only: ["aa"] },"#,
        [#"line 3: classes.x.keys.only[0]: "aa" is not among the keys (did you mean "a"?)"#]
    ),
    (
        .aClass, #"keys: { exclude: ["a"] },"#,
        [#"line 3: classes.x: no key may serve this class: "a" is in keys.exclude"#]
    ),
    (.aClass, #"keys: { onyl: ["a"] },"#, [#"line 3: classes.x.keys.onyl: unknown field (did you mean "only"?)"#]),
    (.aClass, #"keys: ["a"],"#, [#"line 3: classes.x.keys: expected an object, found a list"#]),
    (
        .aClass, #"require_tags: ["eu"],"#,
        [#"line 3: classes.x: no key may serve this class: "a" does not have the tag "eu""#]
    ),
    (
        .aClass, #"require_tags: "eu","#,
        [#"line 3: classes.x.require_tags: expected a list of strings, found a string (put it in [ ])"#]
    ),
    (.aClass, #"only: ["a"],"#, [#"line 3: classes.x.only: unknown field (did you mean "keys"?)"#]),
    (
        .aClass, #"shared: "sometimes","#,
        [#"line 3: classes.x.shared: "sometimes" is not one of never, spill, when-exhausted, always"#]
    ),
    (.aClass, #"retain: "hashes","#, [#"line 3: classes.x.retain: "hashes" is not one of results, nothing"#]),
    (.aClass, #"objective: "cheap","#, [#"line 3: classes.x.objective: "cheap" is not one of cost, order, speed"#]),
    (.aClass, #"attempts: 0,"#, [#"line 3: classes.x.attempts: 0 is too small (at least 1)"#]),
    (.aClass, #"attempts: 101,"#, [#"line 3: classes.x.attempts: 101 is too large (at most 100)"#]),
    (
        .aClass, #"attempts: "5","#,
        [#"line 3: classes.x.attempts: expected a whole number, found a string (write it without quotes)"#]
    ),
    (.aClass, #"retries: 5,"#, [#"line 3: classes.x.retries: unknown field (did you mean "attempts"?)"#]),
    (.aClass, #"weight: 0,"#, [#"line 3: classes.x.weight: 0 is too small (at least 1)"#]),
    (.aClass, #"weight: 1001,"#, [#"line 3: classes.x.weight: 1001 is too large (at most 1000)"#]),
    (.aClass, #"priority: 1001,"#, [#"line 3: classes.x.priority: 1001 is too large (at most 1000)"#]),
    (.aClass, #"priority: 0.5,"#, [#"line 3: classes.x.priority: expected a whole number, found 0.5"#]),
    (
        .aClass, #"timeout: "2 minutes","#,
        [
            #"line 3: classes.x.timeout: expected a duration such as "30s", "2m" or "1h30m", found another string (units: ms, s, m, h, d)"#
        ]
    ),
    (
        .aClass, #"timeout: 30,"#,
        [
            #"line 3: classes.x.timeout: expected a duration such as "30s", "2m" or "1h30m", found the number 30 (add a unit and quotes)"#
        ]
    ),
    (.aClass, #"timeout: "10ms","#, [#"line 3: classes.x.timeout: 10ms is too small (at least 100ms)"#]),
    (.aClass, #"timeout: "2d","#, [#"line 3: classes.x.timeout: 2d is too large (at most 1d)"#]),
    (.aClass, #"deadline: "0s","#, [#"line 3: classes.x.deadline: 0s is too small (at least 1s)"#]),
    (
        .aClass, #"deadline: "99999999999h","#,
        [#"line 3: classes.x.deadline: "99999999999h" is too long (at most 3650d)"#]
    ),
    (.aClass, #"deadline: "4000d","#, [#"line 3: classes.x.deadline: 4000d is too large (at most 3650d)"#]),
    (
        .aClass, #"deadline: "tomorrow","#,
        [
            #"line 3: classes.x.deadline: expected a duration such as "30s", "2m" or "1h30m", found another string (units: ms, s, m, h, d)"#
        ]
    ),
    (.aClass, #"backoff: "1s","#, [#"line 3: classes.x.backoff: expected an object, found a string"#]),
    (
        .aClass, #"backoff: { base: "5m", cap: "1m" },"#,
        [#"line 3: classes.x.backoff.base: 5m is longer than the cap of 1m"#]
    ),
    (.aClass, #"backoff: { base: "0s" },"#, [#"line 3: classes.x.backoff.base: 0s is too small (at least 1ms)"#]),
    (
        .aClass, #"backoff: { min: "1s" },"#,
        [#"line 3: classes.x.backoff.min: unknown field (known fields: base, cap)"#]
    ),
    (
        .aClass, #"window: { open: "22:00" },"#,
        [#"line 3: classes.x.window.close: is missing (a time of day such as "22:00")"#]
    ),
    (
        .aClass, #"window: { open: "22:00", close: "6" },"#,
        [#"line 3: classes.x.window.close: "6" is not a time of day (24 hours as HH:MM, such as "22:00")"#]
    ),
    (
        .aClass, #"window: { open: "24:00", close: "06:00" },"#,
        [#"line 3: classes.x.window.open: "24:00" is not a time of day (24 hours as HH:MM, such as "22:00")"#]
    ),
    (
        .aClass, #"window: { open: "22:60", close: "06:00" },"#,
        [#"line 3: classes.x.window.open: "22:60" is not a time of day (24 hours as HH:MM, such as "22:00")"#]
    ),
    (
        .aClass, #"window: { open: 22, close: "06:00" },"#,
        [#"line 3: classes.x.window.open: expected a string, found the number 22 (put it in quotes)"#]
    ),
    (
        .aClass, #"window: { open: "22:00", close: "06:00", days: [] },"#,
        [#"line 3: classes.x.window.days: is empty: the window would never open (leave it out for every day)"#]
    ),
    (
        .aClass, #"window: { open: "22:00", close: "06:00", days: ["monday"] },"#,
        [
            #"line 3: classes.x.window.days[0]: "monday" is not one of mon, tue, wed, thu, fri, sat, sun (did you mean "mon"?)"#
        ]
    ),
    (.aClass, #"window: "22:00-06:00","#, [#"line 3: classes.x.window: expected an object, found a string"#]),
    (
        .aClass, #"window: { start: "22:00", close: "06:00" },"#,
        [
            #"line 3: classes.x.window.start: unknown field (known fields: open, close, days)"#,
            #"line 3: classes.x.window.open: is missing (a time of day such as "22:00")"#,
        ]
    ),
    (.aClass, #"models: { m: [] },"#, [#"line 3: classes.x.models.m: is empty"#]),
    (
        .aClass, #"models: { m: ["n", "m"] },"#,
        [
            #"line 3: classes.x.models.m: does not begin with the model itself (the models to try in order, the line's own first)"#
        ]
    ),
    (.aClass, #"models: ["m"],"#, [#"line 3: classes.x.models: expected an object, found a list"#]),
    (
        .aClass, #"models: { m: "n" },"#,
        [#"line 3: classes.x.models.m: expected a list of strings, found a string (put it in [ ])"#]
    ),
    (
        .aClass, #"on: { rate_limit: ["defer"] },"#,
        [#"line 3: classes.x.on.rate_limit: unknown field (did you mean "rate_limited"?)"#]
    ),
    (
        .aClass, #"on: { refused: ["nextkey"] },"#,
        [
            #"line 3: classes.x.on.refused[0]: "nextkey" is not one of retry, next-key, shared, next-model, defer, park, fail (did you mean "next-key"?)"#
        ]
    ),
    (
        .aClass, #"on: { refused: [] },"#,
        [
            #"line 3: classes.x.on.refused: is empty: nothing would become of the job (leave it out for the posture's own)"#
        ]
    ),
    (
        .aClass, #"on: { refused: "fail" },"#,
        [#"line 3: classes.x.on.refused: expected a list of strings, found a string (put it in [ ])"#]
    ),
    (
        .aClass, #"on: { refused: ["fail", "retry"] },"#,
        [#"line 3: classes.x.on.refused[0]: what follows "fail" can never happen ("fail" can only be last)"#]
    ),
    (
        .aClass, #"on: { timed_out: ["retry", "retry"] },"#,
        [#"line 3: classes.x.on.timed_out[1]: "retry" is in this list already"#]
    ),
    (
        .aClass, #"shared: "never", on: { overloaded: ["shared", "defer"] },"#,
        [#"line 3: classes.x.on.overloaded[0]: "shared" in a class whose `shared` is "never" (leave the step out)"#]
    ),
    (
        .aClass, #"posture: "strict","#,
        [#"line 3: classes.x.posture: stands twice in the same object, first on line 3 (remove one of them)"#]
    ),
    (.aClass, #"weigth: 2,"#, [#"line 3: classes.x.weigth: unknown field (did you mean "weight"?)"#]),
]
