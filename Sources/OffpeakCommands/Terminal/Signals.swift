import Foundation
import Glibc
import Synchronization

/// Turns SIGINT and SIGTERM into calls. The first asks to finish what is in flight, the second to stop now; after that
/// the signal does what it always does.
///
/// By a handler and a pipe: a dispatch source reads a signalfd on Linux, and a signal that is ignored, as such a source
/// wants it, is thrown away before any signalfd sees it unless every thread happens to block it.
final class Signals {
    /// The writing end of the pipe, for the handler, which can be given nothing; -1 before there is one.
    private static let pipeEnd = Atomic<Int32>(-1)

    /// `handle` gets the signal's number and how many came so far, on a thread of its own. Signals that come before this
    /// returns still end the process, those after it do not. One for each process.
    init(_ handle: @escaping @Sendable (_ signal: Int32, _ count: Int) -> Void) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let reading = ends[0]
        Self.pipeEnd.store(ends[1], ordering: .sequentiallyConsistent)
        Thread {
            var count = 0
            var number: UInt8 = 0
            while true {
                let got = read(reading, &number, 1)
                if got < 0 && errno == EINTR { continue }
                guard got == 1 else { return }
                count += 1
                if count >= 2 {
                    signal(SIGINT, SIG_DFL)
                    signal(SIGTERM, SIG_DFL)
                }
                handle(Int32(number), count)
            }
        }.start()
        for number in [SIGINT, SIGTERM] {
            var action = sigaction()
            // Only what may be called in a handler: an atomic load and a write of one byte.
            action.__sigaction_handler.sa_handler = { number in
                let saved = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(Signals.pipeEnd.load(ordering: .sequentiallyConsistent), &byte, 1)
                errno = saved
            }
            // Reads that were interrupted go on by themselves.
            action.sa_flags = SA_RESTART
            sigaction(number, &action, nil)
        }
    }
}
