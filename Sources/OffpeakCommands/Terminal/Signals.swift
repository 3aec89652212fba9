import Dispatch
import Glibc

/// Turns SIGINT and SIGTERM into calls. The first asks to finish what is in flight, the second to stop now; after that
/// the signal does what it always does.
final class Signals {
    private let sources: [any DispatchSourceSignal]

    /// `handle` gets the signal's number and how many came so far. Signals that come before this returns still end the
    /// process, those after it do not: registration is awaited.
    init(_ handle: @escaping @Sendable (_ signal: Int32, _ count: Int) -> Void) {
        let queue = DispatchQueue(label: "offpeak-signals")
        let count = Counter()
        sources = [SIGINT, SIGTERM].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                let n = count.next()
                if n >= 2 {
                    signal(SIGINT, SIG_DFL)
                    signal(SIGTERM, SIG_DFL)
                }
                handle(number, n)
            }
            return source
        }
        for (source, number) in zip(sources, [SIGINT, SIGTERM]) {
            let registered = DispatchSemaphore(value: 0)
            source.setRegistrationHandler { registered.signal() }
            source.resume()
            registered.wait()
            // Only now may the default action go: ignoring it before would lose what comes in between.
            signal(number, SIG_IGN)
        }
    }

    /// Counts on the signals' own queue.
    private final class Counter: @unchecked Sendable {
        // SAFETY: touched on the serial queue of the signal sources only.
        private var count = 0
        func next() -> Int {
            count += 1
            return count
        }
    }
}
