import HTTPServer
import JSONLines

/// One request as the rehearsed provider decides on it.
package struct RehearsalRequest: Sendable {
    package var method: String
    /// Without the query.
    package var path: String
    /// What follows `Bearer` in the authorization header; empty when there is none.
    package var key: String
    package var body: [UInt8]

    package init(method: String = "POST", path: String, key: String = "", body: [UInt8] = []) {
        self.method = method
        self.path = path
        self.key = key
        self.body = body
    }
}

/// The rehearsed provider without its network: a request and the time in, the answer to send out.
///
/// Everything follows from the profile, the order of the requests and their times; nothing here looks at a clock or
/// draws a number of its own.
package struct RehearsalCore: Sendable {
    package let profile: RehearsalProfile
    package private(set) var ledger = Ledger()
    private var keys: KeyRegistry
    private var faults: FaultPlan
    /// Requests to the API, counted from 1.
    private var number = 0
    private var flights: [UInt64: Flight] = [:]
    private var lastTicket: UInt64 = 0
    /// The request at hand is one of Anthropic's API.
    private var isMessages = false
    /// What the listener's clock showed at the start or the last reset.
    private var origin: Int64

    package init(profile: RehearsalProfile, origin: Int64 = 0) {
        self.profile = profile
        self.origin = origin
        var ledger = Ledger()
        keys = KeyRegistry(profile: profile, ledger: &ledger)
        self.ledger = ledger
        faults = FaultPlan(seed: profile.seed, rules: profile.faults)
    }

    /// The answer to a request that came at `time`, in microseconds on a clock that never goes back.
    package mutating func answer(_ request: RehearsalRequest, at time: Int64) -> ServerAnswer {
        let now = time - origin
        isMessages = RehearsedEndpoint(path: request.path) == .messages
        if request.path.hasPrefix("/_rehearse/") { return control(request, at: time) }
        if request.method == "GET", request.path == "/v1/models" || request.path == "/models" {
            return models(request.key)
        }
        guard request.method == "POST", let endpoint = RehearsedEndpoint(path: request.path) else {
            return refuse(.noPath(request.method, request.path), ticket: 0)
        }
        return complete(request, endpoint, at: now)
    }

    /// The exchange with this ticket is over; `delivered` when a whole answer went out.
    package mutating func ended(ticket: UInt64, delivered: Bool, at time: Int64) {
        guard let flight = flights.removeValue(forKey: ticket) else { return }
        if flight.admitted { keys.limiters[keys.entries[flight.key].limiter].release() }
        ledger.end(flight, delivered: delivered, at: time - origin)
    }

    /// So many connections are open now.
    package mutating func connections(open: Int) { ledger.connectionsPeak = max(ledger.connectionsPeak, open) }

    // MARK: - One request

    private mutating func complete(
        _ request: RehearsalRequest, _ endpoint: RehearsedEndpoint, at now: Int64
    ) -> ServerAnswer {
        number += 1
        let key = keys.find(request.key, ledger: &ledger)
        let entry = keys.entries[key]
        lastTicket += 1
        var flight = Flight(key: key, pool: entry.pool, body: contentHash(request.body))
        ledger.receive(body: flight.body, key: key, pool: entry.pool, at: now)

        var answer = decide(request, endpoint, entry, &flight, at: now)
        answer.ticket = lastTicket
        var random = SeededRandom(seed: profile.seed, purpose: .requestID, number: UInt64(number))
        answer.headers.append((isMessages ? "request-id" : "x-request-id", "req_" + hexadecimal(random.next())))
        if isMessages { AnthropicHeaders(at: now).write(over: &answer.headers) }
        flight.status = answer.status
        flights[lastTicket] = flight
        return answer
    }

    private mutating func decide(
        _ request: RehearsalRequest, _ endpoint: RehearsedEndpoint, _ entry: KeyRegistry.Entry, _ flight: inout Flight,
        at now: Int64
    ) -> ServerAnswer {
        let occasion = FaultPlan.Occasion(
            number: number, numberOfKey: ledger.keys[flight.key].requests, key: entry.profile.name, now: now)
        guard entry.known, !entry.revoked else { return refuse(.invalidKey) }
        if let rule = faults.strike(occasion, where: \.strikesAtTheDoor) { return strikeAtTheDoor(rule, flight.key) }

        var prompt: Prompt
        do throws(Prompt.Malformed) {
            prompt = try Prompt(request.body, endpoint: endpoint)
        } catch {
            return refuse(.malformed(error))
        }
        if let models = profile.models, !models.contains(prompt.model) { return refuse(.noModel(prompt.model)) }
        let mostOutput = endpoint == .embeddings ? 0 : prompt.maxTokens ?? profile.answerTokens.upperBound
        if let context = profile.context, prompt.inputTokens + (prompt.maxTokens ?? 0) > context {
            return refuse(.contextLength(context, input: prompt.inputTokens, output: prompt.maxTokens ?? 0))
        }

        if let refusal = enterTier(&prompt, &flight) { return refusal }
        let body = AnswerBody(to: prompt, body: flight.body, seed: profile.seed, length: profile.answerTokens)
        let counted =
            switch entry.profile.limits.counts {
            case .usage: body.inputTokens + body.outputTokens
            case .reserved: prompt.inputTokens + mostOutput
            }
        if let refusal = keys.limiters[entry.limiter].admit(tokens: counted, at: now) {
            return refuse(refusal, prompt.model, entry, flight.key, at: now)
        }
        flight.admitted = true
        flight.inputTokens = body.inputTokens
        flight.outputTokens = body.outputTokens
        ledger.admit(body: flight.body, key: flight.key, pool: entry.pool, tokens: counted, at: now)

        var answer = serve(prompt, body, occasion, &flight)
        if entry.profile.headers { answer.headers += keys.limiters[entry.limiter].headers(at: now) }
        return answer
    }

    /// The tier in which a request is served; the answer says which, if the request names any.
    private mutating func enterTier(_ prompt: inout Prompt, _ flight: inout Flight) -> ServerAnswer? {
        guard prompt.tier == "flex" else {
            if prompt.tier != nil { prompt.tier = "default" }
            ledger.enter(tier: flight.tier)
            return nil
        }
        flight.tier = "flex"
        var random = SeededRandom(seed: profile.seed, purpose: .tier, number: UInt64(number))
        if random.below(1_000_000) < profile.flex.refused {
            ledger.enter(tier: flight.tier, isRefused: true)
            return refuse(.resourceUnavailable)
        }
        if random.below(1_000_000) < profile.flex.upgraded {
            prompt.tier = "default"
            flight.tier = "default"
        }
        ledger.enter(tier: flight.tier)
        return nil
    }

    /// The answer to an admitted request, sound or as a fault has it.
    private mutating func serve(
        _ prompt: Prompt, _ body: AnswerBody, _ occasion: FaultPlan.Occasion, _ flight: inout Flight
    ) -> ServerAnswer {
        var random = SeededRandom(seed: profile.seed, purpose: .latency, number: UInt64(number))
        let delay =
            profile.latency.sample(using: &random) + faults.slowness(occasion)
            + (prompt.tier == "flex" ? profile.flex.delay : 0)
        let rule = faults.strike(occasion) { fault in
            switch fault {
            case .notJSONContent: if case .text = prompt.format { false } else { true }
            case .refusal: prompt.endpoint != .embeddings
            default: !fault.strikesAtTheDoor && fault != .slow
            }
        }
        var answer = ServerAnswer(status: 200, headers: [Self.json], body: body.bytes)
        if let rule {
            let twist: AnswerBody.Twist =
                switch rule.what {
                case .refusal: .refusal
                case .notJSONContent: .prose
                default: .none
                }
            if twist != .none {
                let twisted = AnswerBody(
                    to: prompt, body: flight.body, seed: profile.seed, length: profile.answerTokens, twist: twist)
                answer.body = twisted.bytes
                flight.outputTokens = twisted.outputTokens
            }
            strike(rule, &answer)
            flight.sound = rule.what == .refusal || answer.status != 200
        }
        answer.delay = delay
        return answer
    }

    // MARK: - Faults

    private mutating func strikeAtTheDoor(_ rule: FaultRule, _ key: Int) -> ServerAnswer {
        switch rule.what {
        case .quota: return refuse(.insufficientQuota)
        case .revoked:
            keys.revoke(key)
            return refuse(.invalidKey)
        default:
            ledger.keys[key].rejected429 += 1
            var answer = refuse(.rateLimit)
            if rule.headers { answer.headers += Self.retryAfter(rule.delay ?? 1_000_000) }
            return answer
        }
    }

    private func strike(_ rule: FaultRule, _ answer: inout ServerAnswer) {
        switch rule.what {
        case .serverError: answer = refuse(.serverError)
        case .unavailable: answer = refuse(.unavailable)
        case .overloaded: answer = refuse(.overloaded)
        case .badRequest: answer = refuse(.badRequest)
        case .badGateway:
            answer = ServerAnswer(
                status: 502, headers: [("content-type", "text/html")], body: ProviderError.gatewayPage)
        case .cut: answer.delivery = .cut(after: answer.body.count / 2)
        case .close: answer.delivery = .close
        case .hang: answer.delivery = .never
        case .invalidJSON: answer.body = Array(answer.body.prefix(answer.body.count / 2))
        case .errorIn200: answer.body = body(of: .serverError)
        case .refusal, .notJSONContent, .slow, .rateLimit, .quota, .revoked: break
        }
    }

    // MARK: - Refusals

    private static let json = (name: "content-type", value: "application/json")

    private func refuse(_ error: ProviderError, ticket: UInt64 = 0) -> ServerAnswer {
        ServerAnswer(
            status: isMessages ? error.anthropicStatus : error.status, headers: [Self.json], body: body(of: error),
            ticket: ticket)
    }

    private func body(of error: ProviderError) -> [UInt8] { isMessages ? error.anthropicBody : error.body }

    private mutating func refuse(
        _ refusal: Limiter.Refusal, _ model: String, _ entry: KeyRegistry.Entry, _ key: Int, at now: Int64
    ) -> ServerAnswer {
        ledger.keys[key].rejected429 += 1
        if let pool = entry.pool { ledger.pools[pool].rejected429 += 1 }
        var answer = refuse(.limit(refusal, model: model))
        if entry.profile.headers { answer.headers += keys.limiters[entry.limiter].headers(at: now) }
        if entry.profile.retryAfter, let wait = refusal.wait { answer.headers += Self.retryAfter(wait) }
        return answer
    }

    /// Both of OpenAI's headers for a wait in microseconds, rounded up to milliseconds so that nobody is told to come early.
    private static func retryAfter(_ wait: Int64) -> [(name: String, value: String)] {
        let milliseconds = (wait + 999) / 1_000
        return [("retry-after", decimalSeconds(milliseconds)), ("retry-after-ms", String(milliseconds))]
    }

    // MARK: - Everything else

    private func models(_ key: String) -> ServerAnswer {
        let entry = keys.entries.first { $0.profile.text == key }
        guard let entry else {
            return profile.otherKeys == nil ? refuse(.invalidKey) : modelList()
        }
        return entry.known && !entry.revoked ? modelList() : refuse(.invalidKey)
    }

    private func modelList() -> ServerAnswer {
        let body = JSONWriter.object {
            $0.member("object", "list")
            $0.array("data") {
                for model in profile.models ?? ["rehearsal"] {
                    $0.object {
                        $0.member("id", model)
                        $0.member("object", "model")
                        $0.member("owned_by", "rehearsal")
                    }
                }
            }
        }
        return ServerAnswer(status: 200, headers: [Self.json], body: body)
    }

    private mutating func control(_ request: RehearsalRequest, at time: Int64) -> ServerAnswer {
        switch (request.method, request.path) {
        case ("GET", "/_rehearse/ledger"):
            return ServerAnswer(status: 200, headers: [Self.json], body: ledger.json())
        case ("GET", "/_rehearse/health"):
            return ServerAnswer(status: 200, headers: [Self.json], body: JSONWriter.object { $0.member("ok", true) })
        case ("POST", "/_rehearse/reset"):
            // Tickets go on, so that the end of an exchange from before is not taken for one from after.
            let last = lastTicket
            self = RehearsalCore(profile: profile, origin: time)
            lastTicket = last
            return ServerAnswer(status: 200, headers: [Self.json], body: JSONWriter.object { $0.member("ok", true) })
        default:
            return refuse(.noPath(request.method, request.path))
        }
    }
}
