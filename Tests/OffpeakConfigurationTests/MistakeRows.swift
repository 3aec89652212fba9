/// Where a mistake stands in an otherwise valid configuration.
enum Place: Sendable {
    /// At the top: line 1.
    case top
    /// In the key `a`: line 2.
    case key
    /// In the class `x`: line 3.
    case aClass
    /// It is the whole text.
    case all
}

/// What can be wrong, and what is said about it: every problem, in order.
let mistakeRows = commonMistakes + keyMistakes + classMistakes

typealias MistakeRow = (place: Place, text: String, problems: [String])

/// In zones, providers, pools, and in what a key says of itself.
let commonMistakes: [MistakeRow] = [
    (
        .top, #"retries: 3,"#,
        [#"line 1: retries: unknown field (known fields: timezone, providers, pools, keys, classes, prices)"#]
    ),
    (.top, #"key: {},"#, [#"line 1: key: unknown field (did you mean "keys"?)"#]),
    (.top, #"Prices: 1,"#, [#"line 1: Prices: unknown field (did you mean "prices"?)"#]),
    (
        .top, #"timezone: "Europe/Berln","#,
        [#"line 1: timezone: "Europe/Berln" is not a time zone of the zone database (did you mean "Europe/Berlin"?)"#]
    ),
    (
        .top, #"timezone: "PST","#,
        [#"line 1: timezone: "PST" is not a time zone of the zone database (names look like "Europe/Berlin" or "UTC")"#]
    ),
    (
        .top, #"timezone: "+02:00","#,
        [
            #"line 1: timezone: "+02:00" is not a time zone of the zone database (names look like "Europe/Berlin" or "UTC")"#
        ]
    ),
    (.top, #"timezone: 2,"#, [#"line 1: timezone: expected a string, found the number 2 (put it in quotes)"#]),
    (.top, #"timezone: "","#, [#"line 1: timezone: is empty"#]),
    (
        .top, #"timezone: null,"#,
        [#"line 1: timezone: expected a string, found null (leave the field out to mean nothing)"#]
    ),
    (.top, #"providers: [],"#, [#"line 1: providers: expected an object, found a list"#]),
    (
        .top, #"providers: { p: {} },"#,
        [#"line 1: providers.p.base_url: is missing (such as "https://api.example.com/v1")"#]
    ),
    (
        .top, #"providers: { p: { kind: "openai" } },"#,
        [#"line 1: providers.p.base_url: is missing (such as "https://api.example.com/v1")"#]
    ),
    (
        .top, #"providers: { p: { kind: "opnai", base_url: "https://h/v1" } },"#,
        [#"line 1: providers.p.kind: "opnai" is not one of openai, anthropic (did you mean "openai"?)"#]
    ),
    (
        .top, #"providers: { p: { kind: "bedrock", base_url: "https://h/v1" } },"#,
        [#"line 1: providers.p.kind: "bedrock" arrives with a later version (this version speaks openai, anthropic)"#]
    ),
    (
        .top, #"providers: { p: { base_url: "h.example/v1" } },"#,
        [#"line 1: providers.p.base_url: is not an absolute http or https URL (such as "https://api.example.com/v1")"#]
    ),
    (
        .top, #"providers: { p: { base_url: "ftp://h/v1" } },"#,
        [#"line 1: providers.p.base_url: is not an absolute http or https URL (such as "https://api.example.com/v1")"#]
    ),
    (
        .top, #"providers: { p: { base_url: "http://gpu.example:8000/v1" } },"#,
        [
            #"line 1: providers.p.base_url: plain http to another machine would send prompts and the secret unencrypted (use https, or allow it with insecure: true)"#
        ]
    ),
    (
        .top, #"providers: { p: { base_url: "http://127.0.0.1.example/v1" } },"#,
        [
            #"line 1: providers.p.base_url: plain http to another machine would send prompts and the secret unencrypted (use https, or allow it with insecure: true)"#
        ]
    ),
    (
        .top, #"providers: { p: { base_url: "https://user:test-secret-1@h/v1" } },"#,
        [#"line 1: providers.p.base_url: contains credentials (a key's `secret` says where the credential is)"#]
    ),
    (
        .top, #"providers: { p: { base_url: "https://h/v1?key=test-secret-1" } },"#,
        [#"line 1: providers.p.base_url: has a query or a fragment (only the part before '?' and '#' belongs here)"#]
    ),
    (
        .top, #"providers: { p: { base_url: "https://h/v1/chat/completions" } },"#,
        [#"line 1: providers.p.base_url: ends with an endpoint (leave off "/chat/completions": offpeak adds it)"#]
    ),
    (
        .top, #"providers: { p: { base_url: "https://h:99999/v1" } },"#,
        [#"line 1: providers.p.base_url: has no valid port (1 to 65535)"#]
    ),
    (
        .top, #"providers: { p: { base_url: "https://h:0/v1" } },"#,
        [#"line 1: providers.p.base_url: has no valid port (1 to 65535)"#]
    ),
    (.top, #"providers: { p: { base_url: "https:///v1" } },"#, [#"line 1: providers.p.base_url: has no valid host"#]),
    (
        .top, #"providers: { p: { base_url: "https://h/a b" } },"#,
        [#"line 1: providers.p.base_url: contains a character that cannot stand in a URL"#]
    ),
    (
        .top, #"providers: { p: { base_url: "https://[::1/v1" } },"#,
        [#"line 1: providers.p.base_url: has an IPv6 address without its ']'"#]
    ),
    (
        .top, #"providers: { p: { base_url: "https://h/v1", insecure: "yes" } },"#,
        [#"line 1: providers.p.insecure: expected true or false, found a string"#]
    ),
    (
        .top, #"providers: { p: { base_url: "https://h/v1", limit_model: "windows" } },"#,
        [#"line 1: providers.p.limit_model: "windows" is not one of sliding, slices"#]
    ),
    (
        .top, #"providers: { p: { base_url: "https://h/v1", token_counting: "use" } },"#,
        [#"line 1: providers.p.token_counting: "use" is not one of usage, reserved"#]
    ),
    (
        .top, #"providers: { p: { url: "https://h/v1" } },"#,
        [
            #"line 1: providers.p.url: unknown field (did you mean "base_url"?)"#,
            #"line 1: providers.p.base_url: is missing (such as "https://api.example.com/v1")"#,
        ]
    ),
    (
        .top, #"providers: { p: { base_url: "https://h/v1", ca_file: "no/such.pem" } },"#,
        [
            #"line 1: providers.p.ca_file: "no/such.pem" cannot be read (a PEM file; a relative path starts at this file's folder)"#
        ]
    ),
    (
        .top, #"providers: { "a b": { base_url: "https://h/v1" } },"#,
        [#"line 1: providers["a b"]: is no good as a name (1 to 64 letters, digits, '.', '-' and '_')"#]
    ),
    (.top, #"pools: { o: { rpm: 0 } },"#, [#"line 1: pools.o.rpm: 0 is too small (at least 1)"#]),
    (
        .top, #"pools: { o: { rpm: "500" } },"#,
        [#"line 1: pools.o.rpm: expected a whole number, found a string (write it without quotes)"#]
    ),
    (.top, #"pools: { o: { tpm: 1.5 } },"#, [#"line 1: pools.o.tpm: expected a whole number, found 1.5"#]),
    (.top, #"pools: { o: { rpm: 1e30 } },"#, [#"line 1: pools.o.rpm: 1e30 is too large"#]),
    (
        .top, #"pools: { o: { concurrent: 100001 } },"#,
        [#"line 1: pools.o.concurrent: 100001 is too large (at most 100000)"#]
    ),
    (.top, #"pools: { o: { rps: 5 } },"#, [#"line 1: pools.o.rps: unknown field (did you mean "rpm"?)"#]),
    (.top, #"pools: { o: 5 },"#, [#"line 1: pools.o: expected an object, found the number 5"#]),
    (.key, #"limit: { rpm: 5 },"#, [#"line 2: keys.a.limit: unknown field (did you mean "limits"?)"#]),
    (.key, #"api_key: "test-secret-1","#, [#"line 2: keys.a.api_key: unknown field (did you mean "secret"?)"#]),
    (
        .key, #"provider: "groq","#,
        [#"line 2: keys.a.provider: stands twice in the same object, first on line 2 (remove one of them)"#]
    ),
    (.key, #"pool: "org","#, [#"line 2: keys.a.pool: "org" is not among the pools (there are no pools)"#]),
    (.key, #"limits: { rpm: -1 },"#, [#"line 2: keys.a.limits.rpm: -1 is too small (at least 1)"#]),
    (
        .key, #"limits: { rpm: 5, rpm: 6 },"#,
        [#"line 2: keys.a.limits.rpm: stands twice in the same object, first on line 2 (remove one of them)"#]
    ),
    (.key, #"limits: [],"#, [#"line 2: keys.a.limits: expected an object, found a list"#]),
    (
        .key, #"billing: "router","#,
        [#"line 2: keys.a.billing: "router" is not one of provider, router-byok, platform"#]
    ),
    (
        .key, #"models: [],"#,
        [#"line 2: keys.a.models: is empty: the key could serve nothing (leave it out to allow every model)"#]
    ),
    (
        .key, #"models: {},"#,
        [#"line 2: keys.a.models: is empty: the key could serve nothing (leave it out to allow every model)"#]
    ),
    (
        .key, #"models: "m","#,
        [#"line 2: keys.a.models: expected a list of models, or an object of names, found a string"#]
    ),
    (.key, #"models: ["m", "m"],"#, [#"line 2: keys.a.models[1]: "m" is in this list already"#]),
    (.key, #"models: ["m", 3],"#, [#"line 2: keys.a.models[1]: expected a string, found the number 3"#]),
    (.key, #"models: { "": "m" },"#, [#"line 2: keys.a.models[""]: a model's name is empty"#]),
    (
        .key, #"models: { fast: 3 },"#,
        [#"line 2: keys.a.models.fast: expected a string, found the number 3 (put it in quotes)"#]
    ),
    (.key, #"tags: "eu","#, [#"line 2: keys.a.tags: expected a list of strings, found a string (put it in [ ])"#]),
    (.key, #"tags: [""],"#, [#"line 2: keys.a.tags[0]: is empty"#]),
    (.key, #"enabled: 1,"#, [#"line 2: keys.a.enabled: expected true or false, found the number 1"#]),
    (
        .key, #"enabled: null,"#,
        [#"line 2: keys.a.enabled: expected true or false, found null (leave the field out to mean nothing)"#]
    ),
    (.key, #"rpm: 5,"#, [#"line 2: keys.a.rpm: unknown field (did you mean "limits"?)"#]),
]
