import Foundation
import Glibc
import Synchronization

/// Turns SIGINT and SIGTERM into calls. The first asks to finish what is in flight, the second to stop now; after that
/// the signal does what it always does.
///
/// The signals are blocked in the thread that makes this and in every thread that it starts later, and a thread of their
/// own waits for them: so make it before any other thread. (Dispatch's signal sources hear nothing on Linux unless all
/// threads block the signal.)
final class Signals: Sendable {
    typealias Handler = @Sendable (_ signal: Int32, _ count: Int) -> Void

    private static let numbers = [SIGINT, SIGTERM]
    private let handler = Mutex<Handler?>(nil)

    /// Until `handle` is called, a signal ends the process as if nothing were here.
    init() {
        Self.mask(SIG_BLOCK)
        // A shell starts its background jobs with SIGINT ignored; whoever sends it to us all the same means it.
        for number in Self.numbers { signal(number, SIG_DFL) }
        let thread = Thread { [self] in wait() }
        thread.name = "offpeak-signals"
        thread.start()
    }

    /// `handler` gets each signal's number and how many came so far, on the signals' own thread.
    func handle(_ handler: @escaping Handler) { self.handler.withLock { $0 = handler } }

    private func wait() {
        var set = Self.set
        for count in 1... {
            var number: Int32 = 0
            while sigwait(&set, &number) != 0 {}
            guard count <= 2, let handler = handler.withLock({ $0 }) else {
                Self.mask(SIG_UNBLOCK)
                raise(number)
                return
            }
            handler(number, count)
        }
    }

    private static var set: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        return set
    }

    /// Changes what the calling thread blocks.
    private static func mask(_ how: Int32) {
        var set = set
        pthread_sigmask(how, &set, nil)
    }
}
