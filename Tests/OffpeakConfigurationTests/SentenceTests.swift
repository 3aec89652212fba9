import OffpeakCore
import Testing

@testable import OffpeakConfiguration

@Suite struct `Classes in a sentence` {
    private static func sentence(_ posture: String, keys: String = "", class text: String = "") throws -> String {
        let configuration = """
            { timezone: "Europe/Berlin",
              keys: {
                "main": { provider: "openai", secret: "none", tags: ["eu"] },
                "spare": { provider: "groq", secret: "none", tags: ["eu"] },
                \(keys)
              },
              classes: { "x": { posture: "\(posture)", \(text) } } }
            """
        let read = try Configuration.parse(configuration, path: "offpeak.json5").get()
        return try #require(read.policy(of: "x")).sentence(in: read, at: today)
    }

    @Test func `strict`() throws {
        #expect(
            try Self.sentence("strict", class: "keys: { only: [\"main\"] },")
                == "Sends through main and through no other key, whatever happens; a job that hits a limit or finds a quota used up waits for the reset; a job that has its key rejected is parked for a person; a job that finds the provider down or full is tried again after a pause, then waits for it to recover; nothing billed by a platform may serve it; a job has 5 attempts of at most 10m each, and waiting uses up none."
        )
    }

    @Test func `fallback`() throws {
        #expect(
            try Self.sentence("fallback", class: "keys: { order: [\"spare\"] },")
                == "Sends through spare while it has room, then main; a job that hits a limit or finds a quota used up goes to another of these keys, then waits for the reset; a job that has its key rejected goes to another of these keys, then is parked for a person; a job that finds the provider down or full is tried again after a pause, then goes to another of these keys, then waits for it to recover; there is no platform-billed key that could serve it; a job has 5 attempts of at most 10m each, and waiting uses up none."
        )
    }

    @Test func `cost, with a window, a deadline, a weight and a priority`() throws {
        #expect(
            try Self.sentence(
                "cost",
                class:
                    "window: { open: \"22:00\", close: \"06:00\", days: [\"mon\", \"fri\"] }, deadline: \"12h\", weight: 2, priority: -1, attempts: 1, timeout: \"90s\","
            )
                == "Sends through whichever of main and spare has room and is cheapest; a job that hits a limit or finds a quota used up goes to another of these keys, then waits for the reset; a job that has its key rejected goes to another of these keys, then is parked for a person; a job that finds the provider down or full is tried again after a pause, then goes to another of these keys, then waits for it to recover; there is no platform-billed key that could serve it; a job has one attempt of at most 1m30s, and waiting uses up none; sends only from 22:00 to 06:00 Europe/Berlin time on nights and days that begin on Mon and Fri; work due soonest goes first, and a batch is due 12h after it is submitted; it goes after classes of priority 0, at -1; its share beside classes of the same priority is 2."
        )
    }

    @Test(arguments: [
        (SharedUse.whenExhausted, "router, billed by a platform, serves only what its own keys cannot"),
        (.spill, "router, billed by a platform, serves only what would else miss the deadline"),
        (.always, "router, billed by a platform, serves it too, after its own keys"),
    ])
    func `shared capacity and the way to it, and a budget`(_ use: SharedUse, _ words: String) throws {
        let text = try Self.sentence(
            "fallback",
            keys: "\"router\": { provider: \"openrouter\", secret: \"none\", billing: \"platform\" },",
            class:
                "shared: \"\(use.rawValue)\", budget: { usd: 2.5, per: \"week\", then: \"defer\" }, retain: \"results\","
        )
        // It is no key of the class's own.
        #expect(text.hasPrefix("Sends through main while it has room, then spare; "))
        #expect(text.contains("goes to another of these keys, then goes to router, then waits for the reset; "))
        #expect(text.contains("; \(words); "))
        #expect(
            text.contains(
                "; it costs at most 2.50 US dollars a week, both bills together, and a job that does not fit any more waits for the next week; of a job that has ended only the hash of its prompt is kept."
            ))
    }

    @Test(arguments: [
        ("", "a job has 5 attempts, of at most 10m each in lane sync and 15m each in lane flex, and"),
        ("attempts: 1,", "a job has one attempt, of at most 10m in lane sync and 15m in lane flex, and"),
        ("timeout: \"2m\",", "a job has 5 attempts of at most 2m each in either lane, and"),
        ("lanes: [\"flex\"],", "a job has 5 attempts of at most 15m each in lane flex, and"),
        ("lanes: [\"sync\"],", "a job has 5 attempts of at most 10m each, and"),
    ])
    func `how long an attempt may take is said once, for each lane`(_ fields: String, _ words: String) throws {
        let text = try Self.sentence(
            "cost",
            keys: "\"slow\": { provider: \"openai\", secret: \"none\", lanes: [\"flex\", \"sync\"] },", class: fields)
        #expect(text.contains(words), "\(text)")
        #expect(text.matches(of: /[0-9]+m/).count == words.matches(of: /[0-9]+m/).count)
    }

    @Test func `governance`() throws {
        #expect(
            try Self.sentence(
                "governance",
                keys: "\"old\": { provider: \"openai\", secret: \"none\", tags: [\"eu\"], enabled: false },",
                class: "require_tags: [\"eu\"],")
                == "Sends through main while it has room, then spare (old is disabled) and through no other key, whatever happens; a job that hits a limit or finds a quota used up goes to another of these keys, then waits for the reset; a job that has its key rejected is parked for a person; a job that finds the provider down or full is tried again after a pause, then waits for it to recover; nothing billed by a platform may serve it; a job has 5 attempts of at most 10m each, and waiting uses up none."
        )
    }

    @Test func `resilience, with a chain of models`() throws {
        #expect(
            try Self.sentence("resilience", class: "models: { m: [\"m\", \"n\"] },")
                == "Sends through whichever of main and spare has room and answers fastest; a job that hits a limit or finds a quota used up goes to another of these keys, then goes to the next model of its chain, then waits for the reset; a job that has its key rejected goes to another of these keys, then goes to the next model of its chain, then is parked for a person; a job that finds the provider down or full goes to another of these keys, then goes to the next model of its chain, then is tried again after a pause, then waits for it to recover; there is no platform-billed key that could serve it; a job has 5 attempts of at most 10m each, and waiting uses up none."
        )
    }

    @Test func `what a class does otherwise than its posture is said, and equal fates in one part`() throws {
        let text = try Self.sentence(
            "strict",
            class:
                "keys: { only: [\"main\"] }, on: { timed_out: [\"fail\"], refused: [\"park\"], overloaded: [\"fail\"] },"
        )
        #expect(
            text.contains("; a job that finds the provider without capacity or gets no answer in time ends as failed;"))
        #expect(
            text.contains(
                "; a job that cannot reach the provider is tried again after a pause, then waits for it to recover;"))
        #expect(
            text.contains("; a job that has its key rejected or is refused for its content is parked for a person;"))
    }

    @Test func `a class that can send nothing says why`() throws {
        let text = try Self.sentence(
            "strict", keys: "\"old\": { provider: \"openai\", secret: \"none\", tags: [\"eu\"], enabled: false },",
            class: "keys: { only: [\"old\"] },")
        #expect(text.hasPrefix("Can send nothing now, since all its keys are disabled: old and through no other key"))
    }

    @Test func `a file without classes has the class default`() throws {
        let read = try Configuration.parse("{ keys: { a: { provider: \"openai\", secret: \"none\" } } }", path: "c")
            .get()
        #expect(read.classes.map(\.name) == ["default"] && read.classes[0].posture == .cost)
        let own = try Configuration.parse(
            "{ keys: { a: { provider: \"openai\", secret: \"none\" } }, classes: { default: { posture: \"fallback\" } } }",
            path: "c"
        ).get()
        #expect(own.classes.map(\.name) == ["default"] && own.classes[0].posture == .fallback)
    }
}
