import Dispatch
import OffpeakConfiguration
import OffpeakCore
import OffpeakProviders
import OffpeakTransport
import Synchronization

/// Sends one tiny request per key, to see whether the key works at all.
enum LiveCheck {
    /// The problems found; each enabled key is tried once, with the first model that it names.
    static func run(
        _ configuration: Configuration, environment: [String: String], printer: Printer
    ) throws -> [Problem] {
        let answers = Mutex<[UInt64: HTTPExchange]>([:])
        let done = DispatchSemaphore(value: 0)
        let transport = try CurlTransport(
            options: TransportOptions(extraAuthorities: try Authorities.load(configuration))
        ) { completions in
            answers.withLock { for completion in completions { $0[completion.id] = completion.exchange } }
            for _ in completions { done.signal() }
        }
        defer { transport.stop() }
        var problems: [Problem] = []
        var sent: [(key: KeyDescriptor, secret: Secret?)] = []
        var requests: [(id: UInt64, request: HTTPRequest)] = []
        for key in configuration.keys where key.enabled {
            guard let (name, model) = probeModel(key) else {
                printer.note("key \(key.name): not tried, since it names no model")
                continue
            }
            let secret = try? configuration.secretSource(of: key.name).load(environment: environment).get()
            let body = #"{"model":"\#(name)","messages":[{"role":"user","content":"Say ok."}],"max_tokens":16}"#
            let provider = configuration.provider(of: key)
            requests.append(
                (
                    UInt64(sent.count),
                    provider.kind.adapter.request(
                        endpoint: .chatCompletions, body: Array(body.utf8), model: model,
                        secret: secret.flatMap { $0.isEmpty ? nil : $0 }, provider: provider, timeout: .seconds(30))
                ))
            sent.append((key, secret))
        }
        transport.send(requests)
        for _ in requests { done.wait() }
        for (index, (key, secret)) in sent.enumerated() {
            guard let exchange = answers.withLock({ $0[UInt64(index)] }) else { continue }
            let provider = configuration.provider(of: key)
            let report = provider.kind.adapter.report(
                for: exchange, job: JobExpectation(endpoint: .chatCompletions, wantsJSON: false), provider: provider,
                secret: secret)
            switch report.outcome {
            case .success: printer.note("key \(key.name): works")
            case .failure(let failure):
                problems.append(
                    Problem(
                        path: "keys.\(key.name)", line: nil,
                        message: "the tiny request failed: \(failure.failureClass.rawValue): \(failure.message)"))
            }
        }
        return problems
    }

    private static func probeModel(_ key: KeyDescriptor) -> (name: String, model: String)? {
        guard case .only(let names) = key.models, let first = names.sorted(by: { $0.key < $1.key }).first else {
            return nil
        }
        return (first.key, first.value)
    }
}
