import Dispatch
import OffpeakConfiguration
import OffpeakCore
import OffpeakProviders
import OffpeakTransport
import Synchronization

/// Sends one tiny request per key, to see whether the key works at all.
enum LiveCheck {
    /// The problems found, and notices of keys that could not be tried; each enabled key is tried once.
    static func run(
        _ configuration: Configuration, environment: [String: String], printer: Printer
    ) throws -> (problems: [Problem], notices: [Problem]) {
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
        var notices: [Problem] = []
        var sent: [(key: KeyDescriptor, model: String, secret: Secret?)] = []
        var requests: [(id: UInt64, request: HTTPRequest)] = []
        for key in configuration.keys where key.enabled {
            guard let probe = configuration.probe(of: key) else {
                notices.append(
                    Problem(
                        path: "keys.\(key.name)", line: nil,
                        message: "was not tried: neither it nor a class names a model for it",
                        hint: "name what it serves in its `models`"))
                continue
            }
            let secret = try? configuration.secretSource(of: key.name).load(environment: environment).get()
            let provider = configuration.provider(of: key)
            requests.append(
                (
                    UInt64(sent.count),
                    provider.kind.adapter.request(
                        endpoint: .chatCompletions, body: probe.body, model: probe.model,
                        secret: secret.flatMap { $0.isEmpty ? nil : $0 }, provider: provider, timeout: .seconds(30))
                ))
            sent.append((key, probe.model, secret))
        }
        transport.send(requests)
        for _ in requests { done.wait() }
        for (index, (key, model, secret)) in sent.enumerated() {
            guard let exchange = answers.withLock({ $0[UInt64(index)] }) else { continue }
            let provider = configuration.provider(of: key)
            let report = provider.kind.adapter.report(
                for: exchange, job: JobExpectation(endpoint: .chatCompletions, wantsJSON: false), provider: provider,
                secret: secret)
            switch report.outcome {
            case .success: printer.note("key \(key.name): works, with \(model)")
            case .failure(let failure):
                problems.append(
                    Problem(
                        path: "keys.\(key.name)", line: nil,
                        message:
                            "the tiny request, with \(model), failed: \(failure.failureClass.rawValue): \(failure.message)"
                    ))
            }
        }
        return (problems, notices)
    }
}
